"""A survey of the whole file decides how to read it, or the month is refused."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest

from core.errors import (
    Ambiguous,
    BadFile,
    Remedy,
    SchemaError,
    TooManyRejects,
    UsageError,
    WrongMonth,
)
from fakes.trip_files import (
    FHV,
    FHV_HEADER,
    YELLOW,
    YELLOW_HEADER,
    YELLOW_LINE,
    Outcome,
    converted,
    converted_table,
    fhv_file,
    fhv_line,
    fhv_row,
)
from monthly.convert import csv_file, csv_lines, pieces
from monthly.convert.readings import Rules
from monthly.convert.survey import survey
from monthly.month import Month

NAMES = (
    "dispatching_base_num",
    "pickup_datetime",
    "dropOff_datetime",
    "PUlocationID",
    "DOlocationID",
)
FEBRUARY = Month("fhv", 2017, 2)
ROWS_2_TO_6 = [fhv_row(n) for n in range(2, 7)]


def picked_up(folder: Path, texts: list[str], month: Month = FHV, **rules: Any) -> Outcome:
    """Return for-hire trips that begin and end at these texts."""
    lines = [f'B1,"{text}","{text}",1,2' for text in texts]
    return converted(folder, "\n".join([FHV_HEADER, *lines]), month, **rules)


def pickups(outcome: Outcome) -> list[str]:
    return [str(at) for at in outcome.column("pickup_datetime")]


# ---- day and month


def test_days_of_two_digits_come_first_where_that_puts_them_into_the_month(tmp_path: Path) -> None:
    texts = [f"{day}/2/17 10:00" for day in range(1, 13)]
    outcome = picked_up(tmp_path, texts, FEBRUARY)
    assert pickups(outcome) == [f"2017-02-{day:02} 10:00:00" for day in range(1, 13)]
    (note,) = outcome.result.drift["read"]
    assert note == (
        "dates like '1/2/17 10:00' as day/month/year: 12 of 12 pickups in the month "
        "(1 as month/day/year)"
    )


def test_a_stray_among_hundreds_does_not_change_the_order(tmp_path: Path) -> None:
    texts = [f"{n % 28 + 1}/2/2017 10:00" for n in range(400)]
    outcome = picked_up(tmp_path, ["2/1/2017 10:00", *texts], FEBRUARY)
    assert pickups(outcome)[:2] == ["2017-01-02 10:00:00", "2017-02-01 10:00:00"]


def test_an_order_is_that_of_the_whole_file_whatever_the_first_block_says(tmp_path: Path) -> None:
    """The first blocks, ISO and 2 February, do not decide the order; the last row does."""
    texts = ["2017-02-02 10:00:00", "2/2/2017 10:00", "2/2/2017 11:00", "2/9/2017 10:00"]
    with mock.patch.object(csv_file, "BLOCK_BYTES", 60):
        outcome = picked_up(tmp_path, texts, FEBRUARY)
    assert pickups(outcome)[-1] == "2017-02-09 10:00:00"


def test_two_orders_that_both_fit_are_refused_with_both_named(tmp_path: Path) -> None:
    texts = ["2/3/2017 10:00", "3/2/2017 10:00"]
    with pytest.raises(
        Ambiguous,
        match=r"fhv 2017-02: times like '2/3/2017 10:00' .* month/day/year \(month-first\) or "
        r"day/month/year \(day-first\), and nothing in the file decides",
    ) as refused:
        picked_up(tmp_path, texts, FEBRUARY)
    assert refused.value.remedies == (
        Remedy("date_order", "month-first"),
        Remedy("date_order", "day-first"),
    )
    found = picked_up(tmp_path, texts, FEBRUARY, date_order="day-first", max_outside_share=0.5)
    assert pickups(found) == ["2017-03-02 10:00:00", "2017-02-03 10:00:00"]


def test_a_year_of_two_digits_is_never_one_of_antiquity(tmp_path: Path) -> None:
    with pytest.raises(WrongMonth, match="from 2018-05-01 00:00:00 to 2018-05-01 00:00:00"):
        picked_up(tmp_path, ["5/1/18 0:00"], date_order="month-first")


def test_a_survey_of_rows_that_cannot_be_read_is_given_up_early(tmp_path: Path) -> None:
    """The conversion would fail as well, but only after each of them is rejected again."""
    path, texts = tmp_path / "published.csv", ["2/3/2017 10:00", "2017-02-01 10:00"]
    lines = [FHV_HEADER, *(f"B1,{text},{text},1,2" for text in texts)]
    lines += ["B1,2017-02-01 10:00,2017-02-01 10:00,1,2,more"] * 10_000
    path.write_text("\n".join(lines))
    rejected = mock.Mock(side_effect=csv_lines.Lines.reject)
    with (
        mock.patch.object(pieces, "HOPELESS_REJECTS", 20),
        mock.patch.object(csv_file, "BLOCK_BYTES", 50_000),
        mock.patch.object(csv_lines.Lines, "reject", lambda *args: rejected(*args)),
        pytest.raises(TooManyRejects, match=r"rows so far could not be converted.*6 fields where"),
    ):
        survey(FEBRUARY, path, Rules())
    assert 20 < rejected.call_count < 500


# ---- zones


@pytest.mark.parametrize("mark", ["Z", " UTC", "+00:00"])
def test_a_time_marked_utc_in_the_middle_of_the_month_is_refused_with_both_readings(
    mark: str, tmp_path: Path
) -> None:
    with pytest.raises(
        Ambiguous, match=r"New York's clock .*\(local\) or instants.*\(utc\)"
    ) as refused:
        picked_up(tmp_path, [f"2017-01-15 10:00:00{mark}"])
    assert refused.value.remedies == (Remedy("utc_times", "local"), Remedy("utc_times", "utc"))


@pytest.mark.parametrize(
    ("text", "rules", "meant"),
    [
        ("2017-01-15T10:00:00Z", {"utc_times": "local"}, "2017-01-15 10:00:00"),
        ("2017-01-15T10:00:00Z", {"utc_times": "utc"}, "2017-01-15 05:00:00"),
        ("2017-01-01T00:30:00Z", {}, "2017-01-01 00:30:00"),
        ("2017-02-01T00:30:00Z", {}, "2017-01-31 19:30:00"),
        ("2017-01-15T10:00:00-05:00", {}, "2017-01-15 10:00:00"),
        ("2017-01-15 10:00:00 EST", {}, "2017-01-15 10:00:00"),
        ("2017-01-15T10:00:00+0530", {}, "2017-01-14 23:30:00"),
    ],
)
def test_a_zone_is_settled_by_a_parameter_by_the_month_or_by_itself(
    text: str, rules: dict[str, Any], meant: str, tmp_path: Path
) -> None:
    outcome = picked_up(tmp_path, [text], **rules)
    assert pickups(outcome) == [meant]
    assert len(outcome.result.drift["read"]) == 1


@pytest.mark.parametrize(
    ("zone", "rules", "meant"),
    [
        ("America/New_York", {}, "2017-01-15 05:00:00"),
        ("Europe/Berlin", {}, "2017-01-15 05:00:00"),
        ("-03:00", {}, "2017-01-15 05:00:00"),
        ("UTC", {"utc_times": "utc"}, "2017-01-15 05:00:00"),
        ("UTC", {"utc_times": "local"}, "2017-01-15 10:00:00"),
        ("UTC", {}, None),
    ],
)
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_a_zone_of_parquet_means_what_it_does_in_text(
    zone: str, rules: dict[str, Any], meant: str | None, unit: str, tmp_path: Path
) -> None:
    at = pa.array([dt.datetime(2017, 1, 15, 10)]).cast(pa.timestamp(unit, "UTC"))
    times = at.cast(pa.timestamp(unit, zone))
    table = pa.table({"dispatching_base_num": ["B1"], "pickup_datetime": times})
    if meant is None:
        with pytest.raises(Ambiguous, match="'2017-01-15 10:00:00 UTC'"):
            converted_table(tmp_path, table, FHV)
        return
    outcome = converted_table(tmp_path, table, FHV, **rules)
    assert pickups(outcome) == [meant]
    assert outcome.result.drift["read"]


# ---- names, separators, encodings, archives


def test_of_two_names_for_one_column_the_one_with_values_is_taken(tmp_path: Path) -> None:
    month = Month("fhv", 2018, 1)
    header = "Pickup_DateTime,Dispatching_base_number,Dispatching_base_num"
    line = "2018-01-30 21:00:00,{},{}"
    for first, second in (("B02884", ""), ("", "B02884"), ("B02884", "NULL")):
        data = "\n".join([header, *[line.format(first, second)] * 3])
        outcome = converted(tmp_path, data, month)
        assert outcome.column("dispatching_base_num") == ["B02884"] * 3
        (note,) = outcome.result.drift["read"]
        assert re.fullmatch(r"column 'Dispatching_base_num(ber)?' left out, as it is empty", note)
    data = "\n".join([header, line.format("B1", ""), line.format("", "B2")])
    with pytest.raises(SchemaError, match="both mean dispatching_base_num, and both have values"):
        converted(tmp_path, data, month)


@pytest.mark.parametrize("spelled", ["pu_location_id", "PU Location ID", "PU-Location.Id"])
def test_names_are_compared_without_case_blanks_underscores_and_punctuation(
    spelled: str, tmp_path: Path
) -> None:
    data = fhv_file(5).replace(b"PUlocationID", spelled.encode())
    assert converted(tmp_path, data).rows(*NAMES) == ROWS_2_TO_6


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
@pytest.mark.parametrize("announced", [False, True])
def test_another_separator_is_found_and_said(
    mark: str, name: str, announced: bool, tmp_path: Path
) -> None:
    text = f"sep={mark}\r\n" * announced + fhv_file(5, {4: "bad"}).decode().replace(",", mark)
    outcome = converted(tmp_path, text, max_reject_share=1.0)
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in (2, 3, 5, 6)]
    assert outcome.rejected_lines == [4 + announced]
    assert outcome.result.drift["read"] == (f"fields separated by {name}",)


def test_semicolons_with_decimal_commas_are_read_together(tmp_path: Path) -> None:
    text = "\n".join([YELLOW_HEADER, *[YELLOW_LINE] * 3]).replace(",", ";").replace(".", ",")
    outcome = converted(tmp_path, text, YELLOW)
    assert outcome.column("trip_distance") == [2.5] * 3
    assert outcome.column("total_amount") == [9.8] * 3
    assert outcome.result.drift["read"] == (
        "fields separated by semicolons",
        "numbers like '2,5' with a decimal comma",
    )


@pytest.mark.parametrize(
    ("base", "encoding"),
    [("Caf\u00e9", "latin-1"), ("Caf\u00e9 \u2019s", "windows-1252"), ("Caf\u00e9", "utf-8")],
)
def test_the_encoding_is_that_of_the_whole_file(base: str, encoding: str, tmp_path: Path) -> None:
    data = fhv_file(5).replace(b"B00004", base.encode(encoding))
    outcome = converted(tmp_path, data)
    assert outcome.column("dispatching_base_num")[2] == base
    expected = () if encoding == "utf-8" else (f"encoded as {encoding}",)
    assert outcome.result.drift["read"] == expected


def test_a_byte_order_mark_is_said(tmp_path: Path) -> None:
    outcome = converted(tmp_path, b"\xef\xbb\xbf" + fhv_file(5))
    assert outcome.rows(*NAMES) == ROWS_2_TO_6
    assert outcome.result.drift["read"] == ("encoded as utf-8 with a byte order mark",)


def test_a_damaged_byte_in_a_file_of_utf_8_is_not_latin_1(tmp_path: Path) -> None:
    good, bad = "Caf\u00e9".encode(), b"Caf\xe9"
    data = fhv_file(5).replace(b"B00003", good).replace(b"B00005", bad)
    outcome = converted(tmp_path, data, max_reject_share=1.0)
    assert outcome.rejected_lines == [5]
    assert outcome.column("dispatching_base_num")[1] == "Caf\u00e9"


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_a_zip_archive_with_one_table_is_read(tmp_path: Path) -> None:
    beside = {"__MACOSX/._trips.csv": b"\0\5\26"}
    outcome = converted(tmp_path, zipped(**{"a/trips.csv": fhv_file(5)}, **beside))
    assert outcome.rows(*NAMES) == ROWS_2_TO_6
    assert outcome.result.drift["read"] == ("unpacked from a zip archive",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (zipped(a=b"1", b=b"2"), r"zip archive of 2 files \('a', 'b'\); one table"),
        (zipped(), "zip archive"),
        (zipped(a=b"PAR1rows"), "zip archive of a Parquet file"),
        (zipped(a=fhv_file(9_000))[:-400], "damaged zip archive"),
        (zipped(a=fhv_file(9_000)).replace(b"\x11", b"\x12"), "damaged zip archive"),
    ],
    ids=["two", "none", "parquet", "cut", "damaged"],
)
def test_a_zip_archive_without_a_table_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises((BadFile, SchemaError), match=f"fhv 2017-01: published.*{said}"):
        converted(tmp_path, data, max_reject_share=1.0)


# ---- rows of another month, another dataset, or neither


def test_a_month_whose_pickups_are_of_another_one_is_refused_unless_allowed(tmp_path: Path) -> None:
    inside, outside = fhv_line(2), fhv_line(3).replace("2017-01-01 00:00:03", "2019-05-04 10:00:00")
    data = "\n".join([FHV_HEADER, inside, outside, outside])
    with pytest.raises(
        WrongMonth,
        match=r"fhv 2017-01: 2 of 3 pickups \(66.7%\) are not in the month, more than 50%: "
        r"pickup_datetime is from 2017-01-01 00:00:02 to 2019-05-04 10:00:00",
    ) as refused:
        converted(tmp_path, data)
    assert Remedy("max_outside_share", 1.0, "to allow it") in refused.value.remedies
    assert len(converted(tmp_path, data, max_outside_share=0.7).rows(*NAMES)) == 3


def test_unknown_pickups_are_not_in_the_month(tmp_path: Path) -> None:
    data = f"{FHV_HEADER}\nB1,,,1,2\nB1,,,1,2\n{fhv_line(2)}\n"
    with pytest.raises(WrongMonth, match="2 of 3 pickups"):
        converted(tmp_path, data)


@pytest.mark.parametrize("strict", [True, False])
def test_a_file_of_another_dataset_is_named_for_what_it_is(strict: bool, tmp_path: Path) -> None:
    data = "\n".join([YELLOW_HEADER.replace("tpep", "lpep") + ",trip_type", f"{YELLOW_LINE},1"])
    with pytest.raises(SchemaError, match="yellow 2021-01: this is a file of green trips"):
        converted(tmp_path, data, YELLOW, strict=strict)
    header = "hvfhs_license_num,dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,"
    data = f"{header}DOLocationID\nHV0003,B1,2019-02-01 00:00:00,2019-02-01 00:00:00,1,2"
    with pytest.raises(SchemaError, match="fhv 2019-02: this is a file of fhvhv trips"):
        converted(tmp_path, data, Month("fhv", 2019, 2), strict=strict)


def test_a_required_column_without_any_value_is_refused(tmp_path: Path) -> None:
    data = "\n".join([YELLOW_HEADER, *[YELLOW_LINE.replace(",9,", ",NULL,")] * 3])
    with pytest.raises(SchemaError, match=r"fare_amount has no value in any of the 3 rows"):
        converted(tmp_path, data, YELLOW)
    assert converted(tmp_path, data, YELLOW, strict=False).column("fare_amount") == [None] * 3


@pytest.mark.parametrize("rule", ["date_order", "utc_times", "decimal_mark"])
def test_an_unknown_rule_is_refused(rule: str) -> None:
    with pytest.raises(UsageError, match=f"{rule} 'often': write auto, "):
        Rules(**dict[str, Any]({rule: "often"}))


@pytest.mark.parametrize("share", [-0.1, 5])
def test_an_invalid_share_of_pickups_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"max_outside_share {share} is not a share"):
        converted(tmp_path, fhv_file(2), max_outside_share=share)
