"""Drafts of files in which the parts of a time come, go or change their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.drafts import Drafted, draft, values

OLD, NEW = "own-2024-03.csv", "own-2024-04.csv"


def _first(found: Drafted, folder: Path, name: str, column: str) -> str:
    """Return the first value of a column in a month that the draft loads."""
    month = name.removeprefix("own-").removesuffix(".csv")
    return str(values(found.loaded(folder / name, month), column)[0])


@pytest.mark.parametrize(("with_clock", "without"), [(OLD, NEW), (NEW, OLD)])
def test_a_clock_that_only_some_files_have(tmp_path: Path, with_clock: str, without: str) -> None:
    days = {
        name: [f"{name.removeprefix('own-')[:7]}-{day:02}" for day in range(1, 29)]
        for name in (OLD, NEW)
    }
    files = {
        with_clock: "Date,Time,n\n" + "".join(f"{day},10:30,1\n" for day in days[with_clock]),
        without: "Date,n\n" + "".join(f"{day},1\n" for day in days[without]),
    }
    found = draft(tmp_path, files)
    assert found.declared.roles.time == "date"
    assert _first(found, tmp_path, with_clock, "date_time") == f"{days[with_clock][0]} 10:30:00"
    assert _first(found, tmp_path, without, "date") == days[without][0]


def test_a_day_that_only_newer_files_have_is_a_column_of_its_own(tmp_path: Path) -> None:
    old = "Year,Month,n\n" + "2024,3,1\n" * 9
    new = "Year,Month,Day,n\n" + "".join(f"2024,4,{day},1\n" for day in range(1, 29))
    found = draft(tmp_path, {OLD: old, NEW: new})
    assert found.columns["date"].join == ["Year", "Month"]
    assert _first(found, tmp_path, OLD, "date") == "2024-03-01"
    assert _first(found, tmp_path, NEW, "day") == "1"


def test_a_clock_with_another_name_in_older_files(tmp_path: Path) -> None:
    rows = "".join(f"{day:02}.{{}}.2024,{day % 24:02}:30,1\n" for day in range(1, 29))
    old = "Crash date,Time of crash,n\n" + rows.replace("{}", "03")
    new = "Crash date,Crash time,n\n" + rows.replace("{}", "04")
    found = draft(tmp_path, {OLD: old, NEW: new})
    assert _first(found, tmp_path, OLD, "crash_at") == "2024-03-01 01:30:00"
    assert _first(found, tmp_path, NEW, "crash_at") == "2024-04-01 01:30:00"


def test_an_hour_is_kept_where_its_day_has_another_name(tmp_path: Path) -> None:
    rows = "".join(f"{day:02}.{{}}.2024;{day % 24};1\n" for day in range(1, 29))
    old = "Tag;Stunde;n\n" + rows.replace("{}", "03")
    new = "Datum;Stunde;n\n" + rows.replace("{}", "04")
    found = draft(tmp_path, {OLD: old, NEW: new})
    assert _first(found, tmp_path, OLD, "stunde") == "1"
    assert _first(found, tmp_path, NEW, "date_time") == "2024-04-01 01:00:00"


def test_a_clock_is_kept_where_rows_have_no_day(tmp_path: Path) -> None:
    rows = "".join(f"{f'2024-03-{day:02}' if day > 3 else ''},10:30,1\n" for day in range(1, 29))
    found = draft(tmp_path, {OLD: "Date,Time,n\n" + rows})
    assert _first(found, tmp_path, OLD, "time") == "10:30"


def test_the_month_of_a_time_that_the_first_file_lacks(tmp_path: Path) -> None:
    """A file in which the column is empty does not shift the months of the others."""
    rows = "".join(f"2024-{{0}}-{day:02},{{1}},1\n" for day in range(1, 29))
    files = {
        OLD: "reported,happened,n\n" + rows.format("03", ""),
        NEW: "reported,happened,n\n" + rows.format("01", "2024-04-03"),
        "own-2024-05.csv": "reported,happened,n\n" + rows.format("01", "2024-05-03"),
        **{
            f"own-2024-{month:02}.csv": "reported,happened,n\n"
            + rows.format("01", f"2024-{month:02}-03")
            for month in range(6, 13)
        },
    }
    found = draft(tmp_path, files)
    assert found.declared.roles.time == "happened"


BIRTHS = [f"{1950 + day}-03-{day:02}" for day in range(1, 29)]
DAYS = [f"2024-03-{day:02}" for day in range(1, 29)]
HOURS = [f"{day % 24:02}:30" for day in range(1, 29)]
OTHER = ["1"] * 28


@pytest.mark.parametrize(
    ("head", "columns", "name"),
    [
        ("dob,date,time", [BIRTHS, DAYS, HOURS], "date_time"),
        ("date,dob,time", [DAYS, BIRTHS, HOURS], "date_time"),
        ("dob,time,date", [BIRTHS, HOURS, DAYS], "date_time"),
        ("birth_date,n,incident_date,hour", [BIRTHS, OTHER, DAYS, HOURS], "incident_at"),
        ("birth_date,incident_date,n,hour", [BIRTHS, DAYS, OTHER, HOURS], "incident_at"),
        ("Trading Day,Delivery Day,Hour", [DAYS, DAYS, HOURS], "delivery_at"),
        ("Trading Day,Hour,Delivery Day,n", [DAYS, HOURS, DAYS, OTHER], "trading_at"),
    ],
)
def test_a_clock_belongs_to_the_date_of_its_name_or_before_it(
    head: str, columns: list[list[str]], name: str, tmp_path: Path
) -> None:
    """No time of day is joined to a birth or to another day that comes first."""
    rows = [",".join(row) for row in zip(*columns)]
    found = draft(tmp_path, {OLD: "\n".join([head, *rows, ""])})
    assert [column for column in found.columns if found.columns[column].join] == [name]
    assert found.declared.roles.time == name
    assert _first(found, tmp_path, OLD, name) == "2024-03-01 01:30:00"


def test_a_clock_that_may_belong_to_several_dates_is_a_column_with_a_proposal(
    tmp_path: Path,
) -> None:
    """Nothing is guessed, and the proposed lines load the file."""
    rows = [f"{day[8:]}.03.2024,{day[8:]}.03.2024,1,{hour}" for day, hour in zip(DAYS, HOURS)]
    found = draft(tmp_path, {OLD: "\n".join(["reported,occurred,n,hour", *rows, ""])})
    assert found.types["hour"] == "string"
    why = (
        "# Perhaps the time of day of 'reported' or 'occurred'. To join it to the last of them, wri"
    )
    head, _, proposal = found.text.partition(why)
    lines = [line.removeprefix("# ") for line in proposal.splitlines()[1:]]
    found.path.write_text("\n".join([head, *lines, ""]), "utf-8")
    assert _first(found, tmp_path, OLD, "occurred_at") == "2024-03-01 01:30:00"


def test_year_and_month_are_joined_beside_dates_of_birth(tmp_path: Path) -> None:
    """The birth is another time than that of the row."""
    rows = "".join(f"{birth},2024,3,1\n" for birth in BIRTHS)
    found = draft(tmp_path, {OLD: f"dob,year,month,n\n{rows}"})
    assert found.declared.roles.time == "date"
    assert _first(found, tmp_path, OLD, "date") == "2024-03-01"
