"""Zones in the names and values of columns."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.drafts import draft, draft_of, values
from monthly.declaration_faults import is_zone
from monthly.describe.zone_names import zones_named


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("MTU (CET/CEST)", ["Europe/Berlin"]),
        ("Time (UTC)", ["UTC"]),
        ("time_utc", ["UTC"]),
        ("timestamp [Europe/Berlin]", ["Europe/Berlin"]),
        ("Hour (GMT-05:00)", ["Etc/GMT+5"]),
        ("UTC+1", ["Etc/GMT-1"]),
        ("Time (ET)", ["America/New_York"]),
        ("Hour Ending EST/EDT", ["America/New_York"]),
        ("Uhrzeit (MEZ)", ["Europe/Berlin", "Etc/GMT-1"]),
        ("Time (EST)", ["America/New_York", "Etc/GMT+5"]),
        ("at CST", ["America/Chicago", "Etc/GMT+6", "Asia/Shanghai"]),
        ("Zeit UTC+05:30", []),  # no zone has this offset by its name
        ("Date", []),
        ("LATEST", []),
        ("Datum/Uhrzeit", []),
        ("A/B test", []),
    ],
)
def test_zones_that_a_name_may_mean(name: str, zones: list[str]) -> None:
    """Names of the IANA database, offsets and abbreviations; all of them can be declared."""
    assert zones_named(name) == zones
    assert all(map(is_zone, zones))


def hours(head: str, more: str = "") -> str:
    rows = [f"2021-03-{d:02} {h:02}:00,{h}{more}" for d in range(1, 28) for h in range(24)]
    return "\n".join([head, *rows, ""])


def test_the_zone_in_the_name_of_the_time_is_declared(tmp_path: Path) -> None:
    """It has one reading."""
    found = draft(tmp_path, {"t-2021-03.csv": hours("MTU (CET/CEST),price")})
    assert found.declared.time_zone == "Europe/Berlin"


def test_times_of_another_zone_can_be_converted(tmp_path: Path) -> None:
    """They load as written, until the declaration says otherwise."""
    rows = [f"2021-03-{d:02} 05:00,2021-03-{d:02} 00:00,1" for d in range(1, 13)]
    text = "\n".join(["begin_utc,begin_ept,n".upper(), *rows, ""])
    found = draft(tmp_path, {"t-2021-03.csv": text})
    assert found.declared.time_zone == "UTC"
    assert '# zone = "America/New_York"' in found.text.partition("[columns.begin_ept]")[2]


def test_two_readings_of_a_zone_are_comments(tmp_path: Path) -> None:
    """CET may or may not have summer time."""
    found = draft(tmp_path, {"t-2021-03.csv": hours("Time (CET),price")})
    assert not found.declared.time_zone
    for zone in ("Europe/Berlin", "Etc/GMT-1"):
        assert f"# time_zone = \"{zone}\" # if 'Time (CET)' means that" in found.text


def test_a_zone_in_brackets_after_the_offset_is_read(tmp_path: Path) -> None:
    """Java writes it like this; the offset decides."""
    rows = [f"2021-03-{d:02}T00:00+01:00[Europe/Berlin],1" for d in range(1, 28)]
    rows.append("2021-03-31T00:00+02:00[Europe/Berlin],1")
    found = draft(tmp_path, {"t-2021-03.csv": "\n".join(["at,n", *rows, ""])})
    assert (found.types["at"], found.declared.time_zone) == ("timestamp", "Europe/Berlin")
    times = values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "at")
    assert (times[0], times[-1]) == (dt.datetime(2021, 3, 1), dt.datetime(2021, 3, 31))


@pytest.mark.parametrize(
    ("offsets", "said"),
    [
        (["-05:00"], "offset -05:00: America/New_York is the first usual zone that has it"),
        (["-03:30"], "No usual zone has the offsets of the times, -03:30: they are converted to"),
        (["+01:00", "+02:00"], ""),  # before and after the clocks change
        (["Z"], ""),
    ],
)
def test_a_zone_that_the_offsets_do_not_tell_is_in_a_comment(
    tmp_path: Path, offsets: list[str], said: str
) -> None:
    """In winter, New York and Lima have the same one."""
    days = [("01-05", offsets[0]), ("01-06", offsets[0]), ("07-05", offsets[-1])]
    rows = [f"2021-{day}T00:00:00{offset},1" for day, offset in days[: 1 + len(offsets)]]
    found = draft(tmp_path, {"t-2021-01.csv": "\n".join(["at,n", *rows, ""])})
    text = " ".join(line[2:] for line in found.text.splitlines() if line.startswith("# "))
    assert said in text
    assert ("usual zone" in text) is bool(said)


@pytest.mark.parametrize(
    ("stored", "zone"), [("+01:00", "Etc/GMT-1"), ("-03:30", "UTC"), ("Europe/Berlin", "")]
)
def test_times_at_an_offset_in_parquet_get_a_zone(tmp_path: Path, stored: str, zone: str) -> None:
    """As pandas stores times that it parsed with an offset."""
    noon = dt.datetime(2021, 3, 5, 12, tzinfo=dt.timezone.utc)
    at = pa.array([noon, noon + dt.timedelta(hours=1)], pa.timestamp("us", stored))
    pq.write_table(pa.table({"at": at, "n": [1, 2]}), tmp_path / "t-2021-03.parquet")
    found = draft_of(tmp_path / "t-2021-03.parquet", folder=tmp_path)
    assert found.declared.time_zone == (zone or stored)
    said = f"stored at {stored}, which is not a zone: {zone} is declared"
    assert (said in found.text) is bool(zone)
    hour = values(found.loaded(tmp_path / "t-2021-03.parquet", "2021-03"), "at")[0].hour
    assert hour == {"+01:00": 13, "-03:30": 12, "Europe/Berlin": 13}[stored]
    if zone != "UTC":
        assert f"# From 2021-03-05 {hour}:00:00 to" in found.text


def test_a_zone_in_every_row_is_a_comment(tmp_path: Path) -> None:
    """It may be that of the place, while the times are UTC."""
    found = draft(tmp_path, {"t-2021-03.csv": hours("time,price,tz", ",Europe/Berlin")})
    assert not found.declared.time_zone
    assert "# time_zone = \"Europe/Berlin\" # 'tz' may say so" in found.text
    found = draft(tmp_path, {"u-2021-03.csv": hours("time,price,tz", ",CEST") + "2021-03-28,1,CET"})
    assert found.text.count("time_zone = ") == 1
    assert "# time_zone = \"Europe/Berlin\" # 'tz' may say so" in found.text


def uncommented(text: str, first: str, last: str) -> str:
    """Return a draft with the lines of a proposal uncommented, from one beginning to another."""
    before, start, rest = text.partition(f"# {first}")
    inside, end, after = rest.partition(f"\n# {last}")
    return before + (start + inside + end).replace("# ", "") + after


def test_a_proposed_instant_can_be_uncommented(tmp_path: Path) -> None:
    """It distinguishes the two hours that begin at 02:00; a time zone is not a place."""
    clocks = [("01:00", "CEST"), ("02:00", "CEST"), ("02:00", "CET"), ("03:00", "CET")]
    rows = [f"25.10.2020,{clock},{zone},{n}" for n, (clock, zone) in enumerate(clocks)]
    found = draft(tmp_path, {"t-2020-10.csv": "\n".join(["sdate,start,zone_start,n", *rows, ""])})
    assert not found.declared.roles.place
    text = uncommented(found.text, "[columns.instant]", "formats = ")
    found.path.write_text(f'time_zone = "UTC"\n{text}', "utf-8")
    instants = values(found.loaded(tmp_path / "t-2020-10.csv", "2020-10"), "instant")
    assert [f"{instant:%d %H:%M}" for instant in instants] == [
        *("24 23:00", "25 00:00", "25 01:00", "25 02:00"),
    ]


BARE = "have no zone, and are taken for {}, as other times are; if they are not, write zone = ..."


def _unwrapped(text: str) -> str:
    return text.replace("\n# ", " ").replace('"..."', "...")


def test_times_without_a_zone_beside_others_with_one_are_in_doubt(tmp_path: Path) -> None:
    """In another column, or in another file, as after a publisher changed its form."""
    lines = [f"2020-01-{day:02}T10:00:00Z,2020-01-{day:02} 05:00:00,1" for day in range(1, 32)]
    first = "\n".join(["at,shown,n", *lines, ""])
    second = first.replace("2020-01", "2020-02").replace("T10:00:00Z", " 10:00:00")
    second = "\n".join(line for line in second.split("\n") if line[8:10] not in ("30", "31"))
    found = draft(tmp_path, {"t-2020-01.csv": first})
    assert found.declared.time_zone == "UTC"
    assert f"[columns.shown] These {BARE.format('UTC')}" in _unwrapped(found.text)
    assert found.text.count("have no zone") == 1
    both = draft(tmp_path, {"t-2020-01.csv": first, "t-2020-02.csv": second})
    assert f"[columns.at] Some of these {BARE.format('UTC')}" in _unwrapped(both.text)


def test_times_of_parquet_files_that_lost_their_zone_are_in_doubt(tmp_path: Path) -> None:
    at = [dt.datetime(2020, 1, day, 10) for day in range(1, 32)]
    zoned = pa.table({"at": pa.array(at, pa.timestamp("us", "Europe/Berlin"))})
    bare = pa.table({"at": [time + dt.timedelta(31) for time in at[:28]]})
    for name, table in (("t-2020-01.parquet", zoned), ("t-2020-02.parquet", bare)):
        pq.write_table(table, tmp_path / name)
    found = draft_of(*sorted(tmp_path.glob("*.parquet")), folder=tmp_path)
    assert f"Some of these {BARE.format('Europe/Berlin')}" in _unwrapped(found.text)


@pytest.mark.parametrize(
    "lines",
    [
        ["at,seen", "2020-01-05T10:00:00Z,2020-01-05T11:00:00+01:00"],
        ["timestamp,n", "1578218400,1"],
        ["at,seen", "2020-01-05 10:00:00,2020-01-05 11:00:00"],
        ["at,seen_utc", "2020-01-05T10:00:00Z,2020-01-05 11:00:00"],
        ["at,day", "2020-01-05T10:00:00Z,2020-01-05"],
    ],
    ids=["offsets", "seconds", "no zone", "named", "a day"],
)
def test_times_whose_zone_is_clear_are_not_in_doubt(lines: list[str], tmp_path: Path) -> None:
    assert "have no zone" not in draft(tmp_path, {"t-2020-01.csv": "\n".join([*lines, ""])}).text
