"""CSV files, good and bad: every row is converted as published or rejected with its line."""

from __future__ import annotations

import datetime as dt
import gzip
import re
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadFile, SchemaError, TooManyRejects
from fakes.trip_files import (
    FHV,
    FHV_HEADER,
    YELLOW,
    YELLOW_HEADER,
    YELLOW_LINE,
    converted,
    fhv_file,
    fhv_line,
    fhv_row,
)
from monthly.convert import csv_file
from monthly.month import Month

NAMES = (
    "dispatching_base_num",
    "pickup_datetime",
    "dropOff_datetime",
    "PUlocationID",
    "DOlocationID",
)
ANY: dict[str, Any] = {"max_reject_share": 1.0}
ROWS_2_TO_6 = [fhv_row(n) for n in range(2, 7)]


# ---- ends of lines, blank lines, encodings


@pytest.mark.parametrize(
    "data",
    [
        fhv_file(5),
        fhv_file(5).replace(b"\n", b"\r\n"),
        fhv_file(5).replace(b"\n", b"\r\r\n"),
        fhv_file(5).replace(b"\n", b"\r\n", 3),
        fhv_file(5).removesuffix(b"\n"),
        fhv_file(5).replace(b"\n", b"\r\n").removesuffix(b"\n"),
        fhv_file(5).replace(b"\n", b"\n\n\r\n", 1),
        fhv_file(5).replace(b"\n", b"\n\n\r\n\n"),
        b"\n\r\n" + fhv_file(5),
        fhv_file(5) + b"\r\n\n\n",
        b"\xef\xbb\xbf" + fhv_file(5),
        b"\xef\xbb\xbf\r\n" + fhv_file(5),
        fhv_file(5).decode().encode("utf-16"),
        fhv_file(5).decode().encode("utf-16-be"),
        fhv_file(5).decode().encode("utf-16-le"),
        gzip.compress(fhv_file(5).decode().encode("utf-16")),
        gzip.compress(fhv_file(5)),
        gzip.compress(fhv_file(5)[:100]) + gzip.compress(fhv_file(5)[100:]),
    ],
    ids=[
        "LF",
        "CRLF",
        "CRCRLF",
        "mixed",
        "no-end",
        "CR-end",
        "blank-top",
        "blanks",
        "before",
        "after",
        "BOM",
        "BOM-blank",
        "utf-16",
        "utf-16-be",
        "utf-16-le",
        "utf-16-gzip",
        "gzip",
        "members",
    ],
)
def test_line_ends_blank_lines_and_packing_change_no_value(data: bytes, tmp_path: Path) -> None:
    outcome = converted(tmp_path, data)
    assert outcome.rows(*NAMES) == ROWS_2_TO_6


def test_quoted_fields_may_hold_commas_and_quotes(tmp_path: Path) -> None:
    data = f'{FHV_HEADER}\n"B1,""x""",2017-01-01 00:00:00,,"7",\n,2017-01-01 00:00:00,"",8,""\n'
    outcome = converted(tmp_path, data)
    assert outcome.column("dispatching_base_num") == ['B1,"x"', None]
    assert outcome.rows("PUlocationID", "DOlocationID") == [(7, None), (8, None)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has no header"),
        (b"\r\n \n\xef\xbb\xbf"[:4], "has no header"),
        (gzip.compress(b""), "has no header"),
        (b"x," * 100_000, "has no header"),
        (FHV_HEADER.encode(), "has a header but no rows"),
        (f"{FHV_HEADER}\n".encode(), "has a header but no rows"),
        (f"{FHV_HEADER}\r\n\r\n\n".encode() + b"\n" * 200_000, "has a header but no rows"),
        (b"a\0b,c\n1,2\n", "its first line has a NUL byte"),
        (fhv_file(3).decode().encode("utf-16") + b"\x00\xd8", "begins as utf-16-le and is dam"),
        (fhv_file(3).replace(b"\n", b"\r"), "no line ends that are known"),
        (fhv_file(3) + b"x" * (5 << 20), "line 5 has no end"),
    ],
    ids=[
        "empty",
        "blank",
        "gzip-empty",
        "endless-header",
        "header",
        "header-LF",
        "header-blanks",
        "NUL",
        "utf-16-damaged",
        "CR-only",
        "endless-line",
    ],
)
def test_a_file_that_is_not_a_csv_file_is_named_with_its_month(
    data: bytes, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadFile, match=rf"fhv 2017-01: published.*{said}"):
        converted(tmp_path, data)


def test_a_web_page_is_not_taken_for_trips(tmp_path: Path) -> None:
    page = "<!DOCTYPE html>\n<html><body>Not found, ask again</body></html>\n"
    for strict in (True, False):
        with pytest.raises(SchemaError, match=r"fhv 2017-01: .*'<!DOCTYPE html>'; is it a file of"):
            converted(tmp_path, page, strict=strict)


@cache
def damaged_gzips() -> dict[str, bytes]:
    whole = gzip.compress(fhv_file(20_000))
    broken = bytearray(whole)
    broken[len(whole) // 2 : len(whole) // 2 + 40] = b"\xff" * 40
    return {
        "cut in its header": whole[:5],
        "cut in the middle": whole[: len(whole) // 2],
        "cut in the trailer": whole[:-3],
        "bad checksum": whole[:-8] + b"\0\0\0\0" + whole[-4:],
        "bad length": whole[:-4] + b"\1\0\0\0",
        "bad bytes": bytes(broken),
        "followed by text": whole + b"not gzip",
    }


@pytest.mark.parametrize("what", damaged_gzips())
def test_a_damaged_gzip_is_named_and_nothing_of_it_is_kept(what: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"fhv 2017-01: published is a damaged gzip.*get it again"):
        converted(tmp_path, damaged_gzips()[what], **ANY)
    assert not [*tmp_path.glob("*/out/*")]


# ---- rows that cannot be converted

B, AT, TO = "B00009", "2017-01-01 00:00:00", "2017-01-01 00:10:00"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{B},{AT},{TO},1", "4 fields where 5 are expected"),
        (f"{B},{AT},{TO},1,2,", "6 fields where 5 are expected"),
        (f"{B},{AT},{TO},1,2,3", "6 fields where 5 are expected"),
        ("   ", "1 fields where 5 are expected"),
        (f"{B},{AT},{TO},one,2", "PUlocationID: 'one' is not a whole number"),
        (f"{B},{AT},{TO},1.5,2", "PUlocationID: .*1.5"),
        (f"{B},{AT},{TO},99999999999999999999,2", "PUlocationID: too large"),
        (f"{B},{AT},{TO},inf,2", "PUlocationID: an infinite number"),
        (f"{B},{AT},{TO},1,1e400", "DOlocationID: an infinite number"),
        (f"{B},2017-02-30 00:00:00,{TO},1,2", "pickup_datetime: '2017-02-30.*' is not a time"),
        (f"{B},yesterday,{TO},1,2", "pickup_datetime: 'yesterday' is not a time"),
        (f"{B},{AT}.000000001,{TO},1,2", "pickup_datetime: '2017.*001' is not a time"),
        (f"{B},{AT},{TO},0x1,2", "PUlocationID: '0x1' is not a whole number"),
        (f"{B},{AT},{TO},true,2", "PUlocationID: 'true' is not a whole number"),
        (f"{B},0000-01-01 00:00:00,{TO},1,2", "pickup_datetime: a year before 1"),
        (f'"{B},{AT},{TO},1,2', "an unmatched quote"),
        (f'{B},{AT},{TO},1,"2', "an unmatched quote"),
        (f'{B}",{AT},{TO},1,2', "an unmatched quote"),
        (f'{B}",{AT},{TO},1,"2', "an unmatched quote"),
        (f'{B}",{AT},{TO},"1,2', "an unmatched quote|3 fields|4 fields"),
        (f'"Weird" Al,{AT},{TO},1,2', "a field goes on after its closing quote"),
        (f"{B},{AT},{TO},1\r,2", "a carriage return inside a line"),
        (f"{B},{AT},{TO},1,2\r{B},{AT},{TO},1,2", "a carriage return inside a line"),
        (f'"B\r9",{AT},{TO},1,2', "a carriage return inside a line"),
    ],
)
def test_bad_rows_are_rejected_alone_with_their_lines_and_text(
    line: str, reason: str, tmp_path: Path
) -> None:
    first, middle, last = 2, 5, 9
    data = fhv_file(8, {first: line, middle: line, last: line})
    outcome = converted(tmp_path, data, **ANY)
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in (3, 4, 6, 7, 8)]
    assert [(number, text) for number, _, text in outcome.rejects] == [
        (place, line) for place in (first, middle, last)
    ]
    assert all(re.search(reason, why) for _, why, _ in outcome.rejects)


@pytest.mark.parametrize(
    ("raw", "shown", "reason"),
    [
        (b"B\0", "B\\x00", "a NUL byte"),
        (b"B\xa0", "B\\xa0", "dispatching_base_num: not a string.*UTF8"),
    ],
)
def test_bytes_that_are_not_text_are_shown_escaped(
    raw: bytes, shown: str, reason: str, tmp_path: Path
) -> None:
    data = fhv_file(5).replace(b"B00004", raw)
    outcome = converted(tmp_path, data, **ANY)
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in (2, 3, 5, 6)]
    ((line, why, text),) = outcome.rejects
    assert (line, text) == (4, fhv_line(4).replace("B00004", shown))
    assert re.search(reason, why)


def test_a_no_break_space_in_a_number_is_a_reject_that_names_the_column(tmp_path: Path) -> None:
    outcome = converted(tmp_path, fhv_file(3).replace(b",4,22\n", b",\xa04,22\n"), **ANY)
    ((line, why, text),) = outcome.rejects
    assert (line, why.split(":")[0], text) == (
        3,
        "PUlocationID",
        fhv_line(3).replace(",4,", ",\\xa04,"),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"say \"hi\""', None),
        (r'"\"a\" b"', None),
        (r'"C:\x\"', "C:\\x\\"),
        (r'"a\""b"', r"a\"b"),
        (r"5\"x6\"", r"5\"x6\""),
    ],
)
def test_a_quote_escaped_with_a_backslash_is_a_reject(
    text: str, value: str | None, tmp_path: Path
) -> None:
    """A backslash that ends a text, or stands before two quotes, is a character like any other."""
    lines = f"{FHV_HEADER}\n{text},{AT},{TO},1,2\nB2,{AT},{TO},1,2\n"
    found = converted(tmp_path, lines, max_reject_share=1.0)
    assert found.column("dispatching_base_num") == [*([value] if value else []), "B2"]
    reason = "a quote after a backslash in a quoted text; write it as two quotes"
    assert [(line, why) for line, why, _ in found.rejects] == ([] if value else [(2, reason)])


def test_a_quoted_line_end_rejects_both_lines(tmp_path: Path) -> None:
    line = f'"B1\n2",{AT},{TO},1,2'
    outcome = converted(tmp_path, fhv_file(5, {4: line}), **ANY)
    assert outcome.rejected_lines == [4, 5]
    assert [text for _, _, text in outcome.rejects] == line.split("\n")


def test_two_open_quotes_do_not_swallow_the_line_between_them(tmp_path: Path) -> None:
    bad = {3: f'{B},{AT},{TO},1,"2', 5: f'"{B},{AT},{TO},1,2', 6: f'x",{AT},{TO},1,2'}
    outcome = converted(tmp_path, fhv_file(6, bad), **ANY)
    assert outcome.rejected_lines == [3, 5, 6]
    assert outcome.rows(*NAMES) == [fhv_row(2), fhv_row(4), fhv_row(7)]


def test_an_open_quote_at_the_end_is_not_a_text_even_next_to_a_closed_one(tmp_path: Path) -> None:
    header = f"{FHV_HEADER},SR_Flag,Affiliated_base_number"
    good, bad = (f"{base},{AT},{TO},1,2,,{last}" for base, last in (("B1", '"B2"'), ('B"', '"B')))
    outcome = converted(tmp_path, "\n".join([header, good, bad, good, bad]), **ANY)
    assert outcome.rejected_lines == [3, 5]
    assert outcome.column("Affiliated_base_number") == ["B2", "B2"]


def test_a_split_line_is_not_two_rows_even_where_a_blank_line_evens_the_count(
    tmp_path: Path,
) -> None:
    line = f"{fhv_line(90)}\r{fhv_line(91)}\n"
    outcome = converted(tmp_path, fhv_file(4, {3: line}), **ANY)
    assert outcome.rejected_lines == [3]
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in (2, 4, 5)]


def test_a_reject_after_blank_lines_has_its_own_line_number(tmp_path: Path) -> None:
    data = f"{FHV_HEADER}\n\r\n\n{B},{AT},{TO},one,2\n\n"
    assert converted(tmp_path, data, **ANY).rejected_lines == [4]


def test_one_wrong_value_in_row_900_000_is_found_in_its_line(tmp_path: Path) -> None:
    row = b"B00001,2015-01-01 00:00:00,7\n"
    bad = b"B00001,2015-01-01 00:00:00,north\n"
    data = b"Dispatching_base_num,Pickup_date,locationID\n" + row * 899_999 + bad + row * 100
    outcome = converted(tmp_path, gzip.compress(data, 1), Month("fhv", 2015, 1))
    assert outcome.result.rows_written == 900_099
    assert outcome.rejects == [
        (900_001, "PUlocationID: 'north' is not a whole number", bad.decode().strip())
    ]


def test_a_column_that_is_wrong_in_every_row_fails_the_month(tmp_path: Path) -> None:
    data = fhv_file(200).replace(b",2017-01-01 ", b",1 January ", -1)
    with pytest.raises(
        TooManyRejects,
        match=r"fhv 2017-01: 200 of 200 rows.*line 2: pickup_datetime: .*'1 January 00:00:02'",
    ):
        converted(tmp_path, data)


def test_fields_beyond_the_header_are_read_over_if_they_are_empty(tmp_path: Path) -> None:
    data = fhv_file(50).replace(b"\n", b",,\r\n").replace(b",,\r\n", b"\r\n", 1)
    full = data.replace(b"B00007", b"B00007,,,,,,,")  # and shifts nothing
    outcome = converted(tmp_path, data.replace(b"8,50,,", b"8,50,x,"), **ANY)
    assert outcome.rejected_lines == [7]
    assert "more fields than the 5 of the header" in outcome.rejects[0][1]
    assert converted(tmp_path, full, **ANY).rejected_lines == [7]


def test_a_field_without_a_name_at_the_end_of_the_header_must_be_empty(tmp_path: Path) -> None:
    """Values in that column are not dropped silently."""
    lines = [f"{FHV_HEADER},, ", *(f"{fhv_line(n)},," for n in range(2, 40))]
    assert len(converted(tmp_path, "\n".join(lines)).rows(*NAMES)) == 38
    lines[6] = f"{fhv_line(7)},x,"
    outcome = converted(tmp_path, "\n".join(lines), **ANY)
    assert [(line, why) for line, why, _ in outcome.rejects] == [
        (7, "more fields than the 5 of the header")
    ]


@pytest.mark.parametrize("first", [fhv_line(2), f"{fhv_line(2)},,,", f"{fhv_line(2)},x,y", "?"])
def test_a_bad_first_row_does_not_decide_how_many_fields_the_others_have(
    first: str, tmp_path: Path
) -> None:
    lines = [f"{fhv_line(n)},," for n in range(3, 40)]
    outcome = converted(tmp_path, "\n".join([FHV_HEADER, first, *lines]), **ANY)
    assert outcome.rejected_lines == [2]
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in range(3, 40)]


# ---- spellings of values


@pytest.mark.parametrize("from_line", [2, 3_000])
def test_whole_numbers_may_be_written_with_a_point_from_any_row_on(
    from_line: int, tmp_path: Path
) -> None:
    plain, pointed = fhv_file(4_000), fhv_file(4_000).split(b"\n")
    pointed[from_line - 1 : -1] = [
        re.sub(rb",(\d+),(\d+)$", rb",\1.0,\2.", line) for line in pointed[from_line - 1 : -1]
    ]
    with mock.patch.object(csv_file, "BLOCK_BYTES", 10_000):
        outcome = converted(tmp_path, b"\n".join(pointed))
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in range(2, 4_002)]
    assert plain != b"\n".join(pointed)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("01/15/2016 07:05:39 PM", dt.datetime(2016, 1, 15, 19, 5, 39)),
        ("01/15/2016 12:05:39 AM", dt.datetime(2016, 1, 15, 0, 5, 39)),
        ("1/15/2016 19:05:39", dt.datetime(2016, 1, 15, 19, 5, 39)),
        ("1/15/2016 9:05", dt.datetime(2016, 1, 15, 9, 5)),
        ("2016-01-15T19:05:39", dt.datetime(2016, 1, 15, 19, 5, 39)),
        ("2016-01-15 19:05:39.123456", dt.datetime(2016, 1, 15, 19, 5, 39, 123_456)),
        ("2016-01-15", dt.datetime(2016, 1, 15)),
    ],
)
def test_times_may_be_written_the_american_way(
    text: str, meant: dt.datetime, tmp_path: Path
) -> None:
    outcome = converted(tmp_path, fhv_file(3, {3: f"B1,{text},{text},1,2"}))
    assert outcome.rows("pickup_datetime", "dropOff_datetime")[1] == (meant, meant)


@pytest.mark.parametrize("text", ["", "NULL", "null", "\\N", "NaN", "nan", "None", "NaT", "<NA>"])
def test_what_other_programs_write_for_nothing_is_null(text: str, tmp_path: Path) -> None:
    outcome = converted(tmp_path, fhv_file(2, {3: f"{text},{AT},{text},{text},{text}"}))
    assert outcome.rows(*NAMES)[1] == (None, dt.datetime.fromisoformat(AT), None, None, None)


def yellow(**fields: str) -> str:
    """Return the yellow line with some fields replaced, by name."""
    names, texts = YELLOW_HEADER.split(","), YELLOW_LINE.split(",")
    return ",".join(fields.get(name, text) for name, text in zip(names, texts))


def test_doubles_of_17_digits_are_read_exactly(tmp_path: Path) -> None:
    texts = ["2.6299999999999999", "-73.991956999999999", "9.4000000000000004", ".5", "1e-7", "-0"]
    lines = [yellow(trip_distance=text) for text in texts]
    outcome = converted(tmp_path, "\n".join([YELLOW_HEADER, *lines]), YELLOW)
    assert outcome.column("trip_distance") == [float(text) for text in texts]


@pytest.mark.parametrize("block", [100, 400, 1 << 20])
@pytest.mark.parametrize("first", ["1", "CMT", "1.0"])
def test_a_code_means_the_same_next_to_any_value(first: str, block: int, tmp_path: Path) -> None:
    """A block whose codes are all numbers takes a different path from one with texts."""
    texts = [first, "1", "2", "0x1", "", " 2 ", "1", "VTS", "2.", "1.5", "1", "2", "2", "?", "1"]
    data = "\n".join([YELLOW_HEADER, *(yellow(VendorID=text) for text in texts)])
    with mock.patch.object(csv_file, "BLOCK_BYTES", block):
        outcome = converted(tmp_path, data, YELLOW, **ANY)
    assert outcome.column("VendorID") == [1, 1, 2, None, 2, 1, 2, 2, 1, 2, 2, 1]
    texts_kept = [text if text in ("CMT", "VTS") else None for text in texts]
    assert outcome.column("vendor_name") == [
        kept for text, kept in zip(texts, texts_kept) if text not in ("0x1", "1.5", "?")
    ]
    assert [(line, why.split(";")[0]) for line, why, _ in outcome.rejects] == [
        (5, "VendorID: '0x1' is not a known code"),
        (11, "VendorID: '1.5' is not a known code"),
        (15, "VendorID: '?' is not a known code"),
    ]


@pytest.mark.parametrize("text", ["inf", "-inf", "Infinity", "1e400", "-1e400"])
def test_infinity_is_a_reject(text: str, tmp_path: Path) -> None:
    data = "\n".join([YELLOW_HEADER, YELLOW_LINE, yellow(total_amount=text), YELLOW_LINE])
    outcome = converted(tmp_path, data, YELLOW, **ANY)
    assert outcome.rejected_lines == [3]
    assert outcome.rejects[0][1] == "total_amount: an infinite number is not float64"


@pytest.mark.parametrize(
    "text", ["Bitcoin", "1.5", "--1", "99999999999999999999", "9" * 400, "0x1", "1e3"]
)
def test_an_unknown_payment_code_is_a_reject_that_says_where_to_declare_it(
    text: str, tmp_path: Path
) -> None:
    data = "\n".join([YELLOW_HEADER, YELLOW_LINE, yellow(payment_type=text), YELLOW_LINE])
    outcome = converted(tmp_path, data, YELLOW, **ANY)
    assert outcome.column("payment_type") == [2, 2]
    ((line, why, _),) = outcome.rejects
    assert (line, why) == (
        3,
        f"payment_type: {text!r} is not a known code; declare it in flows/datasets/yellow.toml",
    )


# ---- positions of rejects and sizes of blocks


@pytest.mark.parametrize("block", [50, 64, 333, 1 << 20])
def test_rejects_around_the_ends_of_blocks_have_their_lines(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", block)
    bad = {2: "x", 3: fhv_line(3) + ",,", 8: "", 9: "y", 10: "z" * 150, 60: "?", 61: '"'}
    outcome = converted(tmp_path, fhv_file(60, bad), **ANY)
    assert outcome.rejected_lines == [2, 3, 9, 10, 60, 61]
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in range(2, 62) if n not in bad]


def test_many_scattered_rejects_are_all_found(tmp_path: Path) -> None:
    bad = {line: f"{B},{AT},{TO},one,{line}" for line in range(5, 3_000, 37)}
    outcome = converted(tmp_path, fhv_file(3_000, bad), **ANY)
    assert [(line, text) for line, _, text in outcome.rejects] == [*bad.items()]
    assert outcome.rows(*NAMES) == [fhv_row(n) for n in range(2, 3_002) if n not in bad]


GOOD = [
    b'"%s",2017-01-01 00:00:00,2017-01-01 00:10:00,1.0,2.',
    b'"%s",01/01/2017 12:00:00 AM,1/1/2017 0:10,1,"2"',
    b"%s,2017-01-01 00:00:00,2017-01-01 00:10:00,1e0,2",
    b"%s,2017-01-01T00:00:00,2017-01-01 00:10, 1 ,2",
]
BAD = [
    b" %.0s",
    b"%s,2017-01-01 00:00:00,2017-01-01 00:10:00,1",
    b"%s,2017-01-01 00:00:00,2017-01-01 00:10:00,1,2,3",
    b"%s,2017-01-01 00:00:00,2017-01-01 00:10:00,0x1,2",
    b'"%s,2017-01-01 00:00:00,2017-01-01 00:10:00,1,2',
    b'%s,2017-01-01 00:00:00,2017-01-01 00:10:00,1,"2',
    b'%s",2017-01-01 00:00:00,2017-01-01 00:10:00,"1,2',
    b"%s\r,2017-01-01 00:00:00,2017-01-01 00:10:00,1,2",
    b"%s\0,2017-01-01 00:00:00,2017-01-01 00:10:00,1,2",
    b"\xa0%s,2017-01-01 00:00:00,2017-01-01 00:10:00,1,2",
    b"%s,2017-01-01 00:00:00,0000-01-01 00:10:00,1,2",
]
LINES = st.lists(
    st.one_of(
        st.tuples(st.just("good"), st.sampled_from(GOOD)),
        st.tuples(st.just("good"), st.sampled_from(GOOD)),
        st.tuples(st.just("bad"), st.sampled_from(BAD)),
        st.just(("blank", b"")),
    ),
    max_size=30,
).filter(lambda lines: any(text for _, text in lines))


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lines=LINES,
    ends=st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=31, max_size=31),
    blocks=st.lists(st.integers(1, 400), min_size=2, max_size=2),
    last=st.booleans(),
)
def test_any_mix_of_lines_gives_the_good_rows_and_the_bad_lines_whatever_the_block_size(
    tmp_path: Path, lines: list[tuple[str, bytes]], ends: list[bytes], blocks: list[int], last: bool
) -> None:
    texts = [text % f"B{n}".encode() if text else b"" for n, (_, text) in enumerate(lines, 2)]
    data = FHV_HEADER.encode() + b"".join(end + text for end, text in zip(ends, texts))
    numbered = [(n, kind, text) for n, ((kind, _), text) in enumerate(zip(lines, texts), 2)]
    times = [dt.datetime.fromisoformat(text) for text in (AT, TO)]
    expected = [(f"B{n}", *times, 1, 2) for n, kind, _ in numbered if kind == "good"]
    bad = [(n, shown(text)) for n, kind, text in numbered if kind == "bad"]
    reasons = set()
    for block in (*blocks, 1 << 20):
        with mock.patch.object(csv_file, "BLOCK_BYTES", block):
            outcome = converted(tmp_path, data + ends[-1] * last, FHV, **ANY)
        assert outcome.rows(*NAMES) == expected
        assert [(line, text) for line, _, text in outcome.rejects] == bad
        reasons.add(tuple(why for _, why, _ in outcome.rejects))
    assert len(reasons) == 1


def shown(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
