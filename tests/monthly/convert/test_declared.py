"""Each key of a declaration about text and columns, on a file of a few rows."""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import Ambiguous, BadFile, SchemaError, TooManyRejects
from fakes.entries import published_download
from fakes.web import Page, Web
from monthly import datasets
from monthly.convert import csv_lines, pieces
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import Converted, convert
from monthly.month import Month
from monthly.sources import download, look

HEAD = """\
title = "Prices"
publisher = "An exchange"
first_month = "2020-01"
"""
AT = '[columns.at]\ntype = "timestamp"\ndescription = "When."\n'
PRICE = '[columns.price]\ntype = "float64"\ndescription = "Price."\n'
TIME = '[roles]\ntime = "at"\n'
Convert = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that declares the dataset `prices`."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    monkeypatch.setenv(datasets.VARIABLE, str(folder))

    def write(text: str) -> None:
        (folder / "prices.toml").write_text(HEAD + text, encoding="utf-8")
        datasets.forget()

    return write


def converted(
    folder: Path, data: str | bytes, name: str = "prices.csv", month: int = 3, **rules: Any
) -> Converted:
    source, target = folder / name, folder / "converted"
    source.write_bytes(data.encode() if isinstance(data, str) else data)
    target.mkdir(exist_ok=True)
    return convert(Month("prices", 2020, month), source, target, Rules(**rules))


def rows(folder: Path, data: str | bytes, name: str = "prices.csv", **rules: Any) -> list[Any]:
    """Return the converted rows, without the month of the file."""
    found = pq.read_table(converted(folder, data, name, **rules).path)
    return [tuple(row.values())[:-1] for row in found.to_pylist()]


def when(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


DAY = "2020-03-02"
NOON = when(f"{DAY} 12:00")
#: The rest of a declaration, a file, and the rows that must result.
FILES: dict[str, tuple[str, str | bytes, list[tuple[Any, ...]]]] = {
    "semicolons and decimal commas": (
        f'[text]\nseparator = ";"\ndecimal = ","\n{AT}{PRICE}',
        f"at;price\n{DAY} 12:00;1.234,5\n{DAY} 12:00;0,25\n{DAY} 12:00;7\n",
        [(NOON, 1234.5), (NOON, 0.25), (NOON, 7.0)],
    ),
    "a decimal comma alone, which could part thousands": (
        f'[text]\nseparator = ";"\ndecimal = ","\n{AT}{PRICE}',
        f"at;price\n{DAY} 12:00;1,234\n",
        [(NOON, 1.234)],
    ),
    "lines before the header, one of them blank": (
        f"[text]\nlines_before_header = 3\n{AT}{PRICE}",
        f'"Station","x, y"\n\nat,price\nat,price\n{DAY} 12:00,1\n',
        [(NOON, 1.0)],
    ),
    "no header": (
        f'[text]\nheader = ["at", "price"]\n{AT}{PRICE}',
        f"{DAY} 12:00,1\n{DAY} 12:00,2\n",
        [(NOON, 1.0), (NOON, 2.0)],
    ),
    "no header, separated by bars": (
        f'[text]\nheader = ["at", "price"]\n{AT}{PRICE}',
        f"{DAY} 12:00|1\n",
        [(NOON, 1.0)],
    ),
    "an encoding": (
        '[text]\nencoding = "windows-1252"\n[columns.name]\ntype = "string"\ndescription = "x"\n',
        "name\nMünchen € Süd\n".encode("windows-1252"),
        [("München € Süd",)],
    ),
    "texts that stand for no value": (
        f'[text]\nnulls = ["n/a", "-"]\n{AT}{PRICE}',
        f"at,price\n{DAY} 12:00,n/a\nn/a,-\n{DAY} 12:00,-1\n",
        [(NOON, None), (None, None), (NOON, -1.0)],
    ),
    "short rows": (
        f"[text]\nshort_rows = true\n{AT}{PRICE}",
        f"at,price\n{DAY} 12:00\n{DAY} 12:00,1\n",
        [(NOON, None), (NOON, 1.0)],
    ),
    "leading zeros": (
        '[columns.bike]\ntype = "string"\ndescription = "x"\n',
        "bike\n0042\n42\n",
        [("0042",), ("42",)],
    ),
    "date and clock in two columns": (
        AT + 'join = ["day", "clock"]\n',
        f"day,clock\n{DAY},12:00:00.5\n{DAY},7\n{DAY},\n",
        [(NOON + dt.timedelta(seconds=0.5),), (when(f"{DAY} 07:00"),), (None,)],
    ),
    "an hour of 24": (
        AT + 'join = ["day", "hour"]\n',
        f"day,hour\n{DAY},24:00\n",
        [(when("2020-03-03 00:00"),)],
    ),
    "the month alone": (
        '[columns.month]\ntype = "date"\ndescription = "x"\nformats = ["%Y-%m"]\n',
        "Month\n2020-03\n\n2020-04\n",
        [(dt.date(2020, 3, 1),), (dt.date(2020, 4, 1),)],
    ),
    "a format with two readings otherwise": (
        AT + 'formats = ["%d/%m/%y %H.%M"]\n',
        "at\n02/03/20 12.00\n",
        [(NOON,)],
    ),
    "two formats": (
        AT + 'formats = ["%d.%m.%Y %H:%M", "%b %d %Y %I:%M %p"]\n',
        "at\n02.03.2020 12:00\nMar 2 2020 1:30 pm\n",
        [(NOON,), (when(f"{DAY} 13:30"),)],
    ),
    "a format with the day of the week": (
        AT + 'formats = ["%a, %d %b %Y %H:%M:%S", "%A %d.%m.%Y"]\n',
        'at\n"Mon, 02 Mar 2020 12:00:00"\nMonday 02.03.2020\n',
        [(NOON,), (when(DAY),)],
    ),
    "a format with a zone's name": (
        'time_zone = "Europe/Berlin"\n' + AT + 'formats = ["%Y-%m-%d %H:%M %Z"]\n',
        "at\n2020-03-29 01:59 CET\n2020-03-29 03:00 CEST\n2020-03-29 01:00 UTC\n",
        [(when("2020-03-29 01:59"),), (when("2020-03-29 03:00"),), (when("2020-03-29 03:00"),)],
    ),
    "the start of an interval in one column": (
        AT + 'formats = ["%d.%m.%Y %H:%M - %d.%m.%Y %H:%M", "%d.%m.%Y %H:%M - %H:%M"]\n',
        "at\n01.03.2020 23:00 - 02.03.2020 00:00\n02.03.2020 12:00 - 13:00\n",
        [(when("2020-03-01 23:00"),), (NOON,)],
    ),
    "the end of an interval in one column": (
        'interval = "end"\n' + AT + 'formats = ["%d.%m.%Y %H:%M - %d.%m.%Y %H:%M"]\n',
        "at\n02.03.2020 11:00 - 02.03.2020 12:00\n31.03.2020 23:00 - 01.04.2020 00:00\n",
        [(NOON,), (when("2020-04-01 00:00"),)],
    ),
    "an interval of which one time names the zone": (
        'time_zone = "Europe/Berlin"\n'
        + AT
        + 'formats = ["%Y-%m-%d %H:%M/%Y-%m-%d %H:%M (%Z)", '
        + '"%Y-%m-%d %H:%M (%Z)/%Y-%m-%d %H:%M"]\n',
        "at\n2020-03-28 12:00/2020-03-28 13:00 (UTC)\n2020-03-29 01:00 (UTC)/2020-03-29 02:00\n",
        [(when("2020-03-28 13:00"),), (when("2020-03-29 03:00"),)],
    ),
    "seconds and milliseconds since 1970": (
        'time_zone = "Europe/Berlin"\n' + AT + 'formats = ["%s", "%s%f"]\n',
        "at\n0\n1585443600\n1585443600250\n",
        [
            (when("1970-01-01 01:00"),),
            (when("2020-03-29 03:00"),),
            (when("2020-03-29 03:00:00.250"),),
        ],
    ),
    "milliseconds since 1970, before and after they have 13 digits": (
        'time_zone = "UTC"\n' + AT + 'formats = ["%s%f"]\n',
        "at\n86400000\n315532800250\n999999999999\n1000000000000\n",
        [
            (when("1970-01-02 00:00"),),
            (when("1980-01-01 00:00:00.250"),),
            (when("2001-09-09 01:46:39.999"),),
            (when("2001-09-09 01:46:40"),),
        ],
    ),
    "micro- and nanoseconds since 1970": (
        'time_zone = "UTC"\n' + AT + 'formats = ["%s%f"]\n',
        "at\n1000000000000250\n1000000000000250000\n",
        [(when("2001-09-09 01:46:40.000250"),)] * 2,
    ),
    "times of UTC kept as another zone's": (
        'time_zone = "Europe/Berlin"\n' + AT + 'zone = "UTC"\n',
        "at\n2020-03-02 11:00\n2020-03-29 01:00\n",
        [(NOON,), (when("2020-03-29 03:00"),)],
    ),
    "times at a fixed offset": (
        'time_zone = "Europe/Berlin"\n' + AT + 'zone = "+01:00"\n',
        "at\n2020-03-02 12:00\n2020-03-29 02:00\n",
        [(NOON,), (when("2020-03-29 03:00"),)],
    ),
    "quarters, by their first day": (
        AT + 'formats = ["%YQ%q"]\n',
        "at\n2020Q1\n2020Q2\n2019Q4\n",
        [(when(f"{day} 00:00"),) for day in ("2020-01-01", "2020-04-01", "2019-10-01")],
    ),
    "a date": (
        '[columns.day]\ntype = "date"\ndescription = "x"\n',
        f"day\n{DAY}\n{DAY} 00:00:00\n\n02.03.2020\n13.03.2020\n",
        [*[(dt.date(2020, 3, 2),)] * 3, (dt.date(2020, 3, 13),)],
    ),
    "a boolean": (
        '[columns.ok]\ntype = "boolean"\ndescription = "x"\n',
        "ok,x\ntrue,\nF,\n1,\nno,\nNULL,\n",
        [(True,), (False,), (True,), (False,), (None,)],
    ),
    "codes of a boolean": (
        '[columns.ok]\ntype = "boolean"\ndescription = "x"\ncodes = { ja = true, nein = false }\n',
        "ok\nJa\nnein\n",
        [(True,), (False,)],
    ),
    "codes of joined texts": (
        '[columns.kind]\ntype = "string"\ndescription = "x"\njoin = ["group", "sub"]\n'
        'codes = { "1 a" = "bus", "1 b" = "tram" }\nkeep_text = "published"\n'
        '[columns.published]\ntype = "string"\ndescription = "x"\n',
        "group,sub\n1,a\n1,b\n,b\n",
        [("bus", "1 a"), ("tram", "1 b"), (None, None)],
    ),
    "decimals": (
        '[columns.price]\ntype = "decimal(20,3)"\ndescription = "x"\n',
        "price\n0.1\n-12345678901234567.891\n1e2\n+5\n",
        [(Decimal(text),) for text in ("0.100", "-12345678901234567.891", "100.000", "5.000")],
    ),
    "texts for texts": (
        '[columns.kind]\ntype = "string"\ndescription = "x"\nkeep_text = "published"\n'
        "codes = { Subscriber = 'member', Customer = 'casual' }\n"
        '[columns.published]\ntype = "string"\ndescription = "x"\n',
        "kind\nSubscriber\nmember\ncustomer\nNULL\n",
        [
            ("member", "Subscriber"),
            ("member", "member"),
            ("casual", "customer"),
            (None, None),
        ],
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_is_read_as_its_declaration_says(
    what: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declared, data, expected = FILES[what]
    declare(declared)
    strict: dict[str, Any] = {"strict": False} if what == "a boolean" else {}
    assert rows(tmp_path, data, **strict) == expected


REFUSED = {
    "more digits than declared": (
        '[columns.price]\ntype = "decimal(5,2)"\ndescription = "x"\n',
        "price\n1.234\n",
        "line 2: price: a number does not fit decimal",
    ),
    "a time of day in a date": (
        '[columns.day]\ntype = "date"\ndescription = "x"\n',
        f"day\n{DAY} 10:00:00\n",
        "line 2: day: a time of day",
    ),
    "neither true nor false": (
        '[columns.ok]\ntype = "boolean"\ndescription = "x"\n',
        "ok\nmaybe\n",
        "line 2: ok: 'maybe' is not true or false",
    ),
    "an unknown code": (
        "[columns.kind]\ntype = 'string'\ndescription = 'x'\ncodes = { A = 'b' }\n",
        "kind\nc\n",
        "line 2: kind: 'c' is not a known code; declare it in",
    ),
    "another format": (
        AT + 'formats = ["%d.%m.%Y"]\n',
        f"at\n{DAY}\n",
        f"line 2: at: '{DAY}' is not a time",
    ),
    "an interval without its end": (
        AT + 'formats = ["%Y-%m-%d %H:%M - %H:%M"]\n',
        f"at\n{DAY} 12:00\n",
        f"line 2: at: '{DAY} 12:00' is not a time",
    ),
    "an interval in an hour that occurs twice": (
        'time_zone = "UTC"\n' + AT + 'zone = "Europe/Berlin"\nformats = ["%Y-%m-%d %H:%M/%H:%M"]\n',
        "at\n2020-10-25 02:00/02:15\n",
        "line 2: at: a time that occurs twice or not at all in Europe/Berlin",
    ),
    "digits since 1970 of no unit": (
        'time_zone = "UTC"\n' + AT + 'formats = ["%s%f"]\n',
        "at\n253402300799999\n",
        "line 2: at: '253402300799999' is not a time",
    ),
    "seconds since 1970 in a dataset without a zone": (
        AT + 'formats = ["%s"]\n',
        "at\n1585443600\n",
        "'1585443600' is not a time without a zone; declare time_zone, then",
    ),
    "a zone in a dataset without one": (
        AT,
        f"at\n{DAY} 10:00:00+05:00\n",
        "declare time_zone",
    ),
    "an hour that does not exist": (
        'time_zone = "UTC"\n' + AT + 'zone = "Europe/Berlin"\n',
        "at\n2020-03-29 02:30\n",
        "line 2: at: a time that occurs twice or not at all in Europe/Berlin",
    ),
    "a short row that is not declared": (AT + PRICE, f"at,price\n{DAY}\n", "1 fields where 2"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_value_that_does_not_fit_its_declaration_is_rejected(
    what: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declared, data, said = REFUSED[what]
    declare(declared)
    with pytest.raises(TooManyRejects) as caught:
        converted(tmp_path, data)
    assert said in str(caught.value)


READING = '[columns.reading]\ntype = "float64"\ndescription = "x"\n'
STEPS = '[columns.steps]\ntype = "int64"\ndescription = "x"\n'


def parquet(folder: Path, **columns: pa.Array) -> bytes:
    path = folder / "made.parquet"
    pq.write_table(pa.table(columns), path)
    return path.read_bytes()


OK = '[columns.ok]\ntype = "boolean"\ndescription = "x"\n'


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (pa.array([True, False, None]), [True, False, None]),
        (pa.array([1, 0, None], pa.int8()), [True, False, None]),
        (pa.array([1.0, 0.0, float("nan")]), [True, False, None]),
        (pa.array([Decimal("1.0"), Decimal("0.0"), None]), [True, False, None]),
        (pa.array(["true", "0", ""]), [True, False, None]),
        (pa.nulls(3), [None, None, None]),
        (pa.nulls(3, pa.int64()), [None, None, None]),
    ],
    ids=["booleans", "whole numbers", "floats", "decimals", "texts", "nulls", "no numbers"],
)
def test_a_boolean_may_be_published_as_a_number(
    published: pa.Array,
    expected: list[bool | None],
    declare: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """1 is true and 0 is false, as in CSV files."""
    declare(OK + STEPS)
    data = parquet(tmp_path, ok=published, steps=pa.array([7, 8, 9]))
    assert rows(tmp_path, data, "prices.parquet") == [*zip(expected, [7, 8, 9])]


@pytest.mark.parametrize("other", [2, -1, 0.5])
def test_another_number_is_not_a_boolean(
    other: float, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(OK + STEPS)
    data = parquet(tmp_path, ok=pa.array([1, other, 0]), steps=pa.array([7, 8, 9]))
    found = converted(tmp_path, data, "prices.parquet", max_reject_share=1)
    assert pq.read_table(found.path)["steps"].to_pylist() == [7, 9]
    assert found.rejects
    assert "\n2,ok: " in found.rejects.read_text()


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_file_shorter_than_what_stands_before_its_header_is_refused(
    lines: int, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f"[text]\nlines_before_header = 3\n{PRICE}")
    said = f"prices 2020-03: prices.csv has {lines + 1} lines where more are declared before"
    with pytest.raises(BadFile, match=said):
        converted(tmp_path, "x\n" * lines + "the last line, which has no end")


@pytest.mark.parametrize("others", [[], ["1 234.5;1"]], ids=["numbers", "numbers and texts"])
@pytest.mark.parametrize(
    ("reading", "steps", "expected"),
    [
        ("   -999", "-99", (None, None)),
        ("-999  ", " -99", (None, None)),
        ("-999", " 7", (None, 7)),
        (" -999.0", "-990", (-999.0, -990)),
    ],
)
def test_a_number_that_means_no_value_may_have_blanks_around_it(
    reading: str,
    steps: str,
    expected: tuple[Any, ...],
    others: list[str],
    declare: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """It means the same whether or not a number next to it must be read as text."""
    declare(f'[text]\nnulls = ["-999", "-99"]\n{READING}{STEPS}')
    lines = ["reading;steps", " 1.5 ; 1 ", f"{reading};{steps}", *others]
    found = rows(tmp_path, "\n".join(lines) + "\n")
    assert found[:2] == [(1.5, 1), expected]


def test_numbers_that_resemble_no_value_are_parsed_once(
    declare: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading all texts takes eight times as long; it is needed for blanks alone."""
    declare(f'[text]\nnulls = ["-999"]\n{READING}{STEPS}')
    data = "reading;steps\n-999.0;1\n-999;-999\n 2.5;3\n"
    expected = [(-999.0, 1), (None, None), (2.5, 3)]
    assert rows(tmp_path, data) == expected
    monkeypatch.delattr(csv_lines.Lines, "published")
    assert rows(tmp_path, data) == expected
    with pytest.raises(AttributeError):
        rows(tmp_path, data.replace("3\n", "-999 \n"))


@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns")], ids=str
)
def test_a_time_of_a_parquet_file_may_mean_no_value(
    kind: pa.DataType, declare: Callable[[str], None], tmp_path: Path
) -> None:
    day = '[columns.day]\ntype = "date"\ndescription = "x"\n'
    declare(f'[text]\nnulls = ["-999", "1900-01-01", "9999-12-31"]\n{AT}{day}')
    texts = pa.array([DAY, "1900-01-01", "1900-01-02", None])
    data = parquet(tmp_path, at=texts.cast(kind), day=texts.cast(kind))
    expected = [when(DAY), None, when("1900-01-02"), None]
    assert rows(tmp_path, data, "prices.parquet") == [(t, t and t.date()) for t in expected]
    lines = "".join(f"{text or ''},{text or ''}\n" for text in texts.to_pylist())
    assert rows(tmp_path, f"at,day\n{lines}") == [(t, t and t.date()) for t in expected]


@pytest.mark.parametrize(
    "kind",
    [pa.int16(), pa.int64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(10, 2)],
    ids=str,
)
def test_a_number_of_a_parquet_file_may_mean_no_value(
    kind: pa.DataType, declare: Callable[[str], None], tmp_path: Path
) -> None:
    text = '[columns.note]\ntype = "string"\ndescription = "x"\n'
    declare(f'[text]\nnulls = ["n/a", "-999", "-99.5"]\n{READING}{STEPS}{text}')
    values = pa.array([-999, 7, None]).cast(pa.float32()).cast(kind)
    data = parquet(tmp_path, reading=values, steps=values, note=values)
    assert rows(tmp_path, data, "prices.parquet") == [
        (None, None, None),
        (7.0, 7, "7"),
        (None, None, None),
    ]


NOTE = '[columns.note]\ntype = "string"\ndescription = "x"\n'
CODED = {
    "int64": ('codes = { "9" = 0, X = 5 }\nwithout_code = ["99"]\n', ["9", "99", "7", ""]),
    "string": ("codes = { '1' = 'member', '2' = 'casual' }\n", ["1", "2", "1", ""]),
    "boolean": ("codes = { '1' = true, '2' = false }\n", ["1", "2", "1", ""]),
}
MEANT: dict[str, list[Any]] = {
    "int64": [(0, "9"), (None, "99"), (7, None), (None, None)],
    "string": [("member", "1"), ("casual", "2"), ("member", "1"), (None, None)],
    "boolean": [(True, "1"), (False, "2"), (True, "1"), (None, None)],
}


def declared_codes(kind: str) -> str:
    return (
        f'[columns.code]\ntype = "{kind}"\ndescription = "x"\nkeep_text = "written"\n'
        f'{CODED[kind][0]}[columns.written]\ntype = "string"\ndescription = "x"\n'
    )


@pytest.mark.parametrize("kind", CODED)
def test_codes_that_are_numbers_are_codes_in_every_file(
    kind: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(declared_codes(kind))
    texts, meant = CODED[kind][1], MEANT[kind]
    assert rows(tmp_path, "".join(f"{text},\n" for text in ("code", *texts))) == meant
    whole = pa.array([int(text) if text else None for text in texts])
    for values in (whole, whole.cast(pa.float64()), pa.array(texts)):
        assert rows(tmp_path, parquet(tmp_path, code=values), "prices.parquet") == meant


@pytest.mark.parametrize(
    ("kind", "texts", "meant"),
    [
        ("string", ["x", "99", " 99 ", "none", " y", ""], ["x", None, None, "none", " y", None]),
        ("boolean", ["true", "99", "F", "Yes", "0", ""], [True, None, False, True, False, None]),
        ("int64", ["7", "99", "007", "1.0", "-5", ""], [7, None, 7, 1, -5, None]),
    ],
)
def test_texts_without_a_value_leave_all_others_as_they_are(
    kind: str,
    texts: list[str],
    meant: list[Any],
    declare: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """A column without codes has no unknown ones."""
    declare(f'[columns.code]\ntype = "{kind}"\ndescription = "x"\nwithout_code = ["99"]\n{NOTE}')
    lines = "".join(f"{text},a\n" for text in texts)
    assert rows(tmp_path, f"code,note\n{lines}") == [(value, "a") for value in meant]
    data = parquet(tmp_path, code=pa.array(texts), note=pa.array(["a"] * len(texts)))
    assert rows(tmp_path, data, "prices.parquet") == [(value, "a") for value in meant]


def test_the_text_none_is_unknown_among_codes(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """It is none of the texts without a value."""
    coded = 'codes = { A = "a" }\nwithout_code = ["99"]\n'
    declare(f'[columns.code]\ntype = "string"\ndescription = "x"\n{coded}{NOTE}')
    with pytest.raises(TooManyRejects, match="'none' is not a known code"):
        rows(tmp_path, "code,note\nnone,a\n99,a\n")


def test_codes_that_are_numbers_are_codes_beside_codes_that_are_not(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(declared_codes("int64"))
    found = rows(tmp_path, "code\n9\nx\n9.0\n 99 \n10\n")
    assert found == [(0, "9"), (5, "x"), (0, "9.0"), (None, " 99 "), (10, None)]


@pytest.mark.parametrize(
    ("text", "number"),
    [("+7", 7), (str(2**53 + 1), 2**53 + 1), (str(-(2**63)), -(2**63))],
)
@pytest.mark.parametrize("other", ["8", "x"])
def test_a_number_among_codes_is_read_as_in_any_column_of_whole_numbers(
    text: str, number: int, other: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(declared_codes("int64"))
    found = [(number, None), (5, "x") if other == "x" else (8, None)]
    assert rows(tmp_path, f"code\n{text}\n{other}\n") == found
    assert rows(tmp_path, parquet(tmp_path, code=[text, other]), "prices.parquet") == found


@pytest.mark.parametrize(
    "text", ["1.5", "1e2", str(2**63), pytest.param("9" * 5_000, id="5000 digits")]
)
def test_a_number_among_codes_must_be_whole_and_fit(
    text: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(declared_codes("int64"))
    with pytest.raises(TooManyRejects, match=f"code: '{text}' is not a known code"):
        rows(tmp_path, f"code\n{text}\n")


def test_a_number_that_is_not_a_code_of_texts_is_refused_in_every_file(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(declared_codes("string"))
    data = parquet(tmp_path, code=pa.array([3]))
    for file, name in (("code\n3\n", "prices.csv"), (data, "prices.parquet")):
        with pytest.raises(TooManyRejects, match="code: '3' is not a known code; declare it in"):
            rows(tmp_path, file, name)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            pa.array([0.1 + 0.2, 1000.1 - 1000, 0.3 - 0.1 - 0.2, None]),
            ["0.30", "0.10", "0.00", None],
        ),
        (pa.array([12.34, 123456.79], pa.float32()), ["12.34", "123456.79"]),
        (pa.array([12.34, -7]).cast(pa.float32()).cast(pa.float16()), ["12.34", "-7.00"]),
        (pa.array([12345678901234.56, 1e-12, float("nan")]), ["12345678901234.56", "0.00", None]),
    ],
    ids=["errors of calculation", "float32", "float16", "the largest and the smallest"],
)
def test_a_float_that_is_a_decimal_but_for_its_error_becomes_it(
    values: pa.Array,
    expected: list[str | None],
    declare: Callable[[str], None],
    tmp_path: Path,
) -> None:
    declare('[columns.price]\ntype = "decimal(18,2)"\ndescription = "x"\n')
    found = rows(tmp_path, parquet(tmp_path, price=values), "prices.parquet")
    assert found == [(text and Decimal(text),) for text in expected]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint64()], ids=str)
def test_a_whole_number_of_a_parquet_file_is_a_decimal_if_it_fits(
    kind: pa.DataType, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare('[columns.price]\ntype = "decimal(4,2)"\ndescription = "x"\n')
    data = parquet(tmp_path, price=pa.array([7, None, 99], kind))
    found = rows(tmp_path, data, "prices.parquet")
    assert found == [(Decimal("7.00"),), (None,), (Decimal("99.00"),)]
    data = parquet(tmp_path, price=pa.array([100], kind))
    with pytest.raises(TooManyRejects, match="price: Decimal value does not fit in precision 4"):
        rows(tmp_path, data, "prices.parquet")


def test_a_decimal_of_a_parquet_file_is_the_float_that_its_text_is(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(PRICE)
    texts = [f"{cents / 100:.2f}" for cents in range(19_990, 20_010)]
    data = parquet(tmp_path, price=pa.array(map(Decimal, texts), pa.decimal128(18, 2)))
    found = rows(tmp_path, data, "prices.parquet")
    assert found == rows(tmp_path, "\n".join(["price", *texts])) == [(float(t),) for t in texts]


def test_a_date_of_a_parquet_file_that_no_warehouse_can_store_is_refused(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare('[columns.day]\ntype = "date"\ndescription = "x"\n')
    days = pa.array([0, 2_932_896, 2_932_897], pa.int32()).cast(pa.date32())
    found = converted(tmp_path, parquet(tmp_path, day=days), "prices.parquet", max_reject_share=1)
    assert pq.read_table(found.path)["day"].to_pylist() == [dt.date(1970, 1, 1), dt.date.max]
    assert found.rejects
    assert "3,day: a year before 1 or after 9999," in found.rejects.read_text()


@pytest.mark.parametrize("zone", ["", "America/New_York"])
def test_a_kept_text_of_a_time_with_a_zone_is_not_said_to_be_converted(
    zone: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'new_columns = "keep"\ntime_zone = "{zone}"\n{PRICE}')
    seen = pa.array([NOON]).cast(pa.timestamp("us", "Europe/Berlin"))
    found = converted(tmp_path, parquet(tmp_path, price=[1.0], seen=seen), "prices.parquet")
    assert pq.read_table(found.path)["seen"].to_pylist() == ["2020-03-02 13:00:00+0100"]
    assert found.drift["read"] == ()


@pytest.mark.parametrize(
    ("price", "kind"),
    [
        (12.3456, pa.float64()),
        (12.3456, pa.float32()),
        (0.001, pa.float64()),
        (1e-9, pa.float64()),
        (12345678.125, pa.float64()),
        (10_000_000_000.125, pa.float64()),
    ],
    ids=str,
)
def test_a_float_with_more_digits_than_declared_is_refused(
    price: float, kind: pa.DataType, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare('[columns.price]\ntype = "decimal(18,2)"\ndescription = "x"\n')
    data = parquet(tmp_path, price=pa.array([price], kind))
    said = r"price: [\d.e-]+ is not decimal\(18,2\): it has more digits"
    with pytest.raises(TooManyRejects, match=said):
        rows(tmp_path, data, "prices.parquet")


#: Marked as UTC, of the month as instants and as another zone's clock.
INSTANTS = ["2020-03-01T00:30:00Z", "2020-03-31T22:30:00Z", "2020-03-31T21:30:00+00:00"]


@pytest.mark.parametrize("kind", ["csv", "parquet", "parquet in a zone"])
def test_a_mark_of_utc_means_utc_in_a_column_that_is_declared_so(
    kind: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'time_zone = "Europe/Berlin"\n{TIME}{AT}zone = "UTC"\n')
    texts = pa.array(INSTANTS)
    if kind == "parquet in a zone":
        texts = texts.cast(pa.timestamp("us", "UTC"))
    name = f"prices.{kind.split()[0]}"
    data = "\n".join(["at", *INSTANTS]) if kind == "csv" else parquet(tmp_path, at=texts)
    found = converted(tmp_path, data, name, utc_times="local")
    local = ["2020-03-01 01:30", "2020-04-01 00:30", "2020-03-31 23:30"]
    assert pq.read_table(found.path)["at"].to_pylist() == [*map(when, local)]
    assert any("Berlin's clock" in note for note in found.drift["read"])
    assert converted(tmp_path, data, name).columns == found.columns


@pytest.mark.parametrize(("format_", "number"), [("%Y%m%d%H", 2020030212), ("%s", 1583150400)])
def test_times_may_be_whole_numbers_of_a_parquet_file(
    format_: str, number: int, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'time_zone = "UTC"\n{AT}formats = ["{format_}"]\n')
    path = tmp_path / "prices.parquet"
    pq.write_table(pa.table({"at": [number, None]}), path)
    assert rows(tmp_path, path.read_bytes(), path.name) == [(NOON,), (None,)]


SUMMER = dt.datetime(2020, 3, 29, 1, 0)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_a_parquet_file_are_in_the_zone_of_their_column(
    unit: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    """Berlin's clocks go from 2:00 to 3:00, when it is 1:00 in UTC."""
    declare(f'time_zone = "Europe/Berlin"\n{AT}zone = "UTC"\n')
    times = pa.array([NOON, None, SUMMER], pa.timestamp(unit))
    expected = [(NOON.replace(hour=13),), (None,), (SUMMER.replace(hour=3),)]
    assert rows(tmp_path, parquet(tmp_path, at=times), "prices.parquet") == expected


def test_a_time_of_a_parquet_file_that_occurs_twice_in_its_zone_is_rejected(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'time_zone = "UTC"\n{AT}zone = "Europe/Berlin"\n')
    times = pa.array([NOON, dt.datetime(2020, 10, 25, 2, 30)], pa.timestamp("us"))
    found = converted(tmp_path, parquet(tmp_path, at=times), "prices.parquet", max_reject_share=1)
    assert pq.read_table(found.path)["at"].to_pylist() == [NOON.replace(hour=11)]
    assert found.rejects
    assert "\n2,at: a time that occurs twice or not at all" in found.rejects.read_text()


def test_a_zone_in_a_parquet_file_needs_one_in_the_dataset(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(AT)
    data = parquet(tmp_path, at=pa.array([NOON_UTC], pa.timestamp("us", "Europe/Berlin")))
    with pytest.raises(TooManyRejects, match="at: times of Europe/Berlin; declare time_zone"):
        converted(tmp_path, data, "prices.parquet")


@pytest.mark.parametrize(
    "published",
    [
        pa.array([dt.date(2020, 3, 2), None]),
        pa.array([dt.date(2020, 3, 2), None], pa.date64()),
        pa.array([dt.datetime(2020, 3, 2), None], pa.timestamp("ns")),
        pa.array([DAY, ""]),
    ],
    ids=["dates", "dates of milliseconds", "midnights", "texts"],
)
@pytest.mark.parametrize("rows_", [slice(None), slice(1, None)], ids=["a day", "none"])
def test_dates_of_a_parquet_file_are_days(
    published: pa.Array, rows_: slice, declare: Callable[[str], None], tmp_path: Path
) -> None:
    """A batch without any is one of nulls."""
    declare('[columns.day]\ntype = "date"\ndescription = "x"\n' + STEPS)
    data = parquet(tmp_path, day=published[rows_], steps=pa.array([7, 8])[rows_])
    expected = [(dt.date(2020, 3, 2), 7), (None, 8)][rows_]
    assert rows(tmp_path, data, "prices.parquet") == expected


def test_codes_may_be_published_as_booleans(declare: Callable[[str], None], tmp_path: Path) -> None:
    kind = '[columns.kind]\ntype = "string"\ndescription = "x"\n'
    declare(kind + 'codes = { true = "member", false = "casual" }\n')
    data = parquet(tmp_path, kind=pa.array([True, False, None]))
    assert rows(tmp_path, data, "prices.parquet") == [("member",), ("casual",), (None,)]


def test_the_last_interval_of_a_month_may_end_in_the_next(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    data = "at,price\n2020-03-01 00:00,1\n2020-03-01 00:15,1\n2020-04-01 00:00,1\n"
    for interval, outside in (("start", 1), ("end", 1)):
        declare(f'interval = "{interval}"\n{TIME}{AT}{PRICE}')
        assert converted(tmp_path, data).quality.outside_month == outside
    declare(f'interval = "end"\n{TIME}{AT}{PRICE}')
    assert converted(tmp_path, data.replace("2020-03-01 00:00", DAY)).quality.outside_month == 0


def test_a_dataset_without_a_time_has_no_month_to_be_outside_of(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(PRICE)
    found = converted(tmp_path, "price\n1\n")
    assert {*found.quality.figures(datasets.DATASETS["prices"])} == {"rows", "nulls", "duplicates"}


def test_a_note_on_the_order_of_dates_counts_times_by_their_declared_name(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(AT + PRICE + TIME + '[words]\ntime = "trade"\n')
    lines = [f"{day}/3/2020 12:00,1\n" for day in range(1, 20)]
    (note,) = converted(tmp_path, "at,price\n" + "".join(lines)).drift["read"]
    assert "day/month/year: 19 of 19 trades in the month" in note


def test_an_hour_that_stands_twice_is_two_rows(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'time_zone = "Europe/Berlin"\n{TIME}{AT}{PRICE}')
    data = "at,price\n2020-10-25 02:00,1\n2020-10-25 02:00,2\n"
    found = converted(tmp_path, data, month=10)
    assert (found.rows_written, found.quality.duplicates) == (2, 0)


@pytest.mark.parametrize("where", ["declaration", "parameter"])
def test_undeclared_columns_fail_are_dropped_or_are_kept(
    where: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    data = f"at,price,Mood (1-5),order\n{DAY} 12:00,1,07,a\n"
    for choice in ("fail", "drop", "keep"):
        declare((f'new_columns = "{choice}"\n' if where == "declaration" else "") + AT + PRICE)
        rules: dict[str, Any] = {"new_columns": choice} if where == "parameter" else {}
        if choice == "fail":
            with pytest.raises(SchemaError, match=r"unknown column 'Mood \(1-5\)', 'order'"):
                converted(tmp_path, data, **rules)
            continue
        found = converted(tmp_path, data, **rules)
        (row,) = pq.read_table(found.path).to_pylist()
        kept = {"Mood__1_5_": "07", "order": "a"} if choice == "keep" else {}
        first = {"at": NOON, "price": 1.0, "file_month": dt.date(2020, 3, 1)}
        assert row == first | kept
        assert found.drift["kept"] == tuple(kept)
        assert found.drift["unknown"] == (() if kept else ("Mood (1-5)", "order"))


@pytest.mark.parametrize("choice", ["fail", "drop", "keep"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Index", ["101", "102", "103"]),
        ("index", ["0", "1", "2"]),
        ("Unnamed: 0", ["Berlin", "Bonn", "Ulm"]),
        ("Unnamed: 0", ["2020", "2020", "2021"]),
        ("__index_level_0__", ["a", "b", "c"]),
    ],
)
def test_a_column_of_values_is_undeclared_whatever_its_name(
    choice: str, name: str, values: list[str], declare: Callable[[str], None], tmp_path: Path
) -> None:
    """Pandas gives such names to row numbers, but not to them alone."""
    declare(f'new_columns = "{choice}"\n{PRICE}')
    data = f"{name},price\n" + "".join(f"{text},1\n" for text in values)
    if choice == "fail":
        with pytest.raises(SchemaError, match=f"unknown column '{name}'"):
            converted(tmp_path, data)
        return
    found = converted(tmp_path, data)
    kept = [*found.drift["kept"]]
    assert list(found.drift["unknown"]) == ([] if choice == "keep" else [name])
    assert [pq.read_table(found.path)[each].to_pylist() for each in kept] == (
        [values] if choice == "keep" else []
    )


@pytest.mark.parametrize("choice", ["fail", "drop", "keep"])
@pytest.mark.parametrize(
    ("name", "place"), [("", 0), (" ", 0), ("Unnamed: 0", 0), ("__index_level_0__", 1)]
)
def test_row_numbers_are_left_out_and_said_to_be(
    name: str, place: int, choice: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'new_columns = "{choice}"\n{PRICE}')
    pairs = [(name, "price"), ("0", "1.5"), ("3", "2.5"), ("4", "3.5")]
    data = "".join(",".join(pair if place == 0 else pair[::-1]) + "\n" for pair in pairs)
    what = f"column {name!r}" if name.strip() else "field 1, which has no name,"
    found = converted(tmp_path, data)
    assert pq.read_table(found.path)["price"].to_pylist() == [1.5, 2.5, 3.5]
    assert (found.drift["unknown"], found.drift["kept"]) == ((), ())
    assert found.drift["read"] == (f"{what} left out, as it numbers the rows",)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
@pytest.mark.parametrize(
    ("numbers", "are_left_out"),
    [
        ("0 1 2 0 1 2 3", True),
        ("1 2 3 1", True),
        ("0.0 1.0 5.0", True),
        ("0 1 0 0 1", False),
        ("0 2 0 2", False),
        ("7 8 9 7", False),
    ],
)
def test_row_numbers_may_begin_again(
    name: str,
    numbers: str,
    are_left_out: bool,
    declare: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """Pandas numbers parts that it puts together this way; flags and years are values."""
    declare(f'new_columns = "keep"\n{PRICE}')
    data = f"{name},price\n" + "".join(f"{number},1\n" for number in numbers.split())
    found = converted(tmp_path, data, max_reject_share=1)
    is_told = any("numbers the rows" in note for note in found.drift["read"])
    assert (is_told, not (found.drift["kept"] or found.rejects)) == (are_left_out, are_left_out)


@pytest.mark.parametrize("choice", ["fail", "keep"])
@pytest.mark.parametrize(
    ("data", "place", "value"),
    [
        (",price\nBonn,1\n", 1, "Bonn"),
        (",price\n2020,1\n2020,2\n", 1, "2020"),
        ("price,, \n1,,\n", None, ""),
        ("price, ,price2\n1, ,2\n2,x,3\n", 2, "x"),
        ('price,"",price2\n1,,2\n2,"x",3\n', 2, "x"),
    ],
    ids=["text first", "not numbers", "empty", "between", "quoted"],
)
def test_a_field_without_a_name_is_empty_or_its_rows_are_rejected(
    choice: str,
    data: str,
    place: int | None,
    value: str,
    declare: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """Like a field beyond the header; dropped on request alone."""
    declare(f'new_columns = "{choice}"\n{PRICE}{PRICE.replace("price", "price2")}')
    found = converted(tmp_path, data, max_reject_share=1)
    reason = f"field {place} has the value {value!r} and no name"
    assert bool(found.rejects and reason in found.rejects.read_text()) == bool(place)
    choices: tuple[dict[str, Any], ...] = ({"strict": False}, {"new_columns": "drop"})
    for rules in choices:
        assert converted(tmp_path, data, **rules).rows_rejected == 0


def test_a_field_without_a_name_in_a_parquet_file_is_empty_or_its_rows_are_rejected(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(PRICE)
    numbers, texts = pa.array([1.0, 2.0]), pa.array([None, "x"])
    for names, first in ((["price", ""], numbers), (["", "price"], pa.array([7, 8]))):
        second = texts if names[1] == "" else numbers
        pq.write_table(pa.table([first, second], names), tmp_path / "two.parquet")
        data = (tmp_path / "two.parquet").read_bytes()
        found = converted(tmp_path, data, "prices.parquet", max_reject_share=1)
        assert found.rows_rejected == (names[1] == "")
    assert found.drift["read"] == ("field 1, which has no name, left out, as it numbers the rows",)


@pytest.mark.parametrize(
    ("values", "rejected"),
    [
        (pa.array([[1], None]), 1),
        (pa.array([float("nan"), 2.5]), 1),
        (pa.array([float("nan"), None]), 0),
        (pa.array([" ", None]), 0),
    ],
    ids=["list", "number", "NaN", "blank"],
)
def test_values_of_any_type_without_a_name_in_a_parquet_file_reject_their_rows(
    values: pa.Array, rejected: int, declare: Callable[[str], None], tmp_path: Path
) -> None:
    """The remedy is one for Parquet files, which have no header to declare."""
    declare(PRICE)
    path = tmp_path / "two.parquet"
    pq.write_table(pa.table([pa.array([1.0, 2.0]), values], ["price", ""]), path)
    found = converted(tmp_path, path.read_bytes(), "prices.parquet", max_reject_share=1)
    assert found.rows_rejected == rejected
    if found.rejects:
        text = found.rejects.read_text()
        assert "and no name; declare new_columns = " in text
        assert "[text]" not in text


def test_a_declared_header_may_leave_a_field_without_a_name(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """That skips the field."""
    declare(f'[text]\nheader = ["", "price", ""]\n{PRICE}')
    assert rows(tmp_path, "Bonn,1,x\nUlm,2,y\n") == [(1.0,), (2.0,)]


def test_a_kept_column_gets_a_unique_name(declare: Callable[[str], None], tmp_path: Path) -> None:
    declare('new_columns = "keep"\n' + AT)
    found = converted(tmp_path, f"at,é?,2nd,file_month\n{DAY},a,b,c\n")
    assert found.drift["kept"] == ("__", "_2nd", "file_month_2")


def test_a_kept_column_that_occurs_twice_keeps_its_name(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare('new_columns = "keep"\n' + AT)
    found = converted(tmp_path, f"at,fee,fee\n{DAY},1,\n{DAY},2,\n")
    assert pq.read_table(found.path)["fee"].to_pylist() == ["1", "2"]
    with pytest.raises(SchemaError, match="'fee' and 'fee' both mean fee, and both have values"):
        converted(tmp_path, f"at,fee,fee\n{DAY},1,2\n")


NOON_UTC = NOON.replace(tzinfo=dt.timezone.utc)
#: Values of a Parquet file, and the texts that a CSV file would have in their place.
KEPT_TEXTS: dict[str, tuple[pa.Array, list[str | None]]] = {
    "floats": (
        pa.array([12.5, 7.0, float("nan"), None, 1e15, 1e20]),
        ["12.5", "7", None, None, "1000000000000000", "1e+20"],
    ),
    "short floats": (pa.array([0.1, 7.0], pa.float32()), ["0.1", "7"]),
    "half floats": (pa.array([0.5, None], pa.float32()).cast(pa.float16()), ["0.5", None]),
    "decimals": (
        pa.array([Decimal("7"), Decimal("0"), Decimal("0.000000001"), None], pa.decimal128(20, 9)),
        ["7.000000000", "0.000000000", "0.000000001", None],
    ),
    "whole numbers": (pa.array([7, -999, None]), ["7", None, None]),
    "booleans": (pa.array([True, False, None]), ["true", "false", None]),
    "times": (
        pa.array([NOON, NOON.replace(microsecond=500_000), None], pa.timestamp("us")),
        [f"{DAY} 12:00:00", f"{DAY} 12:00:00.500000", None],
    ),
    "times of a zone": (
        pa.array([NOON_UTC, None], pa.timestamp("us", "Europe/Berlin")),
        [f"{DAY} 13:00:00+0100", None],
    ),
    "times of UTC": (pa.array([NOON_UTC], pa.timestamp("ms", "UTC")), [f"{DAY} 12:00:00Z"]),
    "clocks": (pa.array([dt.time(8, 30), None]), ["08:30:00", None]),
    "dates": (pa.array([dt.date(2020, 3, 2), None]), [DAY, None]),
    "nulls": (pa.nulls(2), [None, None]),
}


@pytest.mark.parametrize("what", KEPT_TEXTS)
def test_an_undeclared_column_of_any_type_is_kept_as_text(
    what: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'new_columns = "keep"\n[text]\nnulls = ["-999"]\n{STEPS}')
    values, expected = KEPT_TEXTS[what]
    data = parquet(tmp_path, steps=pa.array(range(len(values))), extra=values)
    found = converted(tmp_path, data, "prices.parquet")
    assert pq.read_table(found.path)["extra"].to_pylist() == expected
    assert found.drift["kept"] == ("extra",)


def test_half_floats_are_kept_as_text_where_no_number_means_no_value(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'new_columns = "keep"\n{STEPS}')
    halves = pa.array([0.5, 7.0, None], pa.float32()).cast(pa.float16())
    data = parquet(tmp_path, steps=pa.array(range(3)), extra=halves)
    found = converted(tmp_path, data, "prices.parquet")
    assert pq.read_table(found.path)["extra"].to_pylist() == ["0.5", "7", None]


def test_an_undeclared_column_that_has_no_text_is_refused(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'new_columns = "keep"\n{STEPS}')
    data = parquet(tmp_path, steps=pa.array([1]), extra=pa.array([[1, 2]]))
    with pytest.raises(TooManyRejects, match=r"extra: list<.*> is not text"):
        converted(tmp_path, data, "prices.parquet")


def test_a_column_is_required_in_its_months_alone(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(AT + PRICE + 'required = { since = "2020-02", until = "2020-03" }\n')
    assert converted(tmp_path, "at\n2020-01-02\n", month=1).drift["missing"] == ("price",)
    assert converted(tmp_path, "at\n2020-04-02\n", month=4).drift["missing"] == ("price",)
    with pytest.raises(SchemaError, match="the file has no column price"):
        converted(tmp_path, f"at\n{DAY}\n")


def test_a_joined_column_lacks_what_one_of_its_parts_lacks(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(AT + 'join = ["day", "clock"]\nrequired = true\n' + PRICE)
    with pytest.raises(SchemaError, match="the file has no column at"):
        converted(tmp_path, f"day,price\n{DAY},1\n")


JOINED = AT + 'join = ["day", "clock"]\n' + PRICE


def published(folder: Path, kind: str, days: list[str], clocks: list[str]) -> bytes:
    """Return a file of prices whose times are in two columns."""
    if kind == "csv":
        rows = [f"{day},{clock},1\n" for day, clock in zip(days, clocks)]
        return "".join(["day,clock,price\n", *rows]).encode()
    columns = {"day": days, "clock": clocks, "price": [1.0] * len(days)}
    pq.write_table(pa.table(columns), folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_order_of_days_and_months_in_joined_times_is_settled_by_the_file(
    declare: Callable[[str], None], tmp_path: Path, kind: str
) -> None:
    """The column has no role, so that only days above 12 tell."""
    days = [f"{day:02}/05/2020" for day in range(1, 32)]
    declare(JOINED)
    data = published(tmp_path, kind, days, ["08:30"] * 31)
    found = converted(tmp_path, data, f"prices.{kind}", month=5)
    times = pq.read_table(found.path)["at"].to_pylist()
    assert times == [when(f"2020-05-{day:02} 08:30") for day in range(1, 32)]
    assert any("'01/05/2020 08:30' as day/month/year" in note for note in found.drift["read"])


DAYS, CLOCKS = [dt.date(2020, 3, 2), None], [dt.time(12), dt.time(12)]


@pytest.mark.parametrize(
    ("days", "clocks"),
    [
        (pa.array(DAYS), pa.array([f"{clock}" for clock in CLOCKS])),
        (pa.array([DAY, None]), pa.array(CLOCKS, pa.time32("s"))),
        (pa.array(DAYS), pa.array(CLOCKS)),
    ],
    ids=["dates and texts", "texts and clocks", "dates and clocks"],
)
def test_joined_times_of_a_parquet_file_may_be_dates_and_clocks(
    days: pa.Array, clocks: pa.Array, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(JOINED)
    data = parquet(tmp_path, day=days, clock=clocks, price=pa.array([1.0, 2.0]))
    assert rows(tmp_path, data, "prices.parquet") == [(NOON, 1.0), (None, 2.0)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_joined_times_that_nothing_decides_are_refused_with_both_readings(
    declare: Callable[[str], None], tmp_path: Path, kind: str
) -> None:
    declare(JOINED)
    data = published(tmp_path, kind, ["03/05/2020"], ["08:30"])
    with pytest.raises(Ambiguous, match=r"'03/05/2020 08:30' .*month-first.* or .*day-first"):
        converted(tmp_path, data, f"prices.{kind}")
    found = converted(tmp_path, data, f"prices.{kind}", date_order="day-first")
    assert pq.read_table(found.path)["at"].to_pylist() == [when("2020-05-03 08:30")]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_joined_times_of_utc_are_surveyed(
    declare: Callable[[str], None], tmp_path: Path, kind: str
) -> None:
    declare('time_zone = "America/New_York"\n' + TIME + JOINED)
    days, clocks = ["2020-03-01", "2020-03-14"], ["00:30Z", "14:00Z"]
    data = published(tmp_path, kind, days[1:], clocks[1:])
    with pytest.raises(Ambiguous, match=r"'2020-03-14 14:00Z' .*\(local\) or .*\(utc\)"):
        converted(tmp_path, data, f"prices.{kind}")
    data = published(tmp_path, kind, days, clocks)
    found = converted(tmp_path, data, f"prices.{kind}")
    assert pq.read_table(found.path)["at"][0].as_py() == when("2020-03-01 00:30")
    assert any("times marked UTC like '2020-03-01 00:30Z'" in n for n in found.drift["read"])


def test_a_row_whose_parts_cannot_be_joined_leaves_the_evidence_of_the_others(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """An hour of 8.5 is rejected, and the other rows decide between day and month."""
    declare(AT + 'join = ["day", "hour"]\n')
    days = [f"{day:02}/05/2020" for day in range(1, 32)]
    table = pa.table({"day": days, "hour": [8.5, *[8.0] * 30]})
    pq.write_table(table, tmp_path / "made.parquet")
    data = (tmp_path / "made.parquet").read_bytes()
    found = converted(tmp_path, data, "prices.parquet", month=5, max_reject_share=0.5)
    times = pq.read_table(found.path)["at"].to_pylist()
    assert times == [when(f"2020-05-{day:02} 08:00") for day in range(2, 32)]


# ---- archives, and several files


def zipped(folder: Path, **tables: str) -> bytes:
    path = folder / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in tables.items():
            archive.writestr(f"{name}.csv", text)
    return path.read_bytes()


def test_tables_of_an_archive_that_fit_the_pattern_are_read_one_after_the_other(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    one, two = f"at,price\n{DAY} 12:00,1\n", f"price,at\n2,{DAY} 12:00\n"
    data = zipped(tmp_path, prices_2=two, prices_1=one, readme="x,y\n")
    declare(f'[text]\nmember = "prices_*.csv"\n{AT}{PRICE}')
    assert rows(tmp_path, data, "prices.zip") == [(NOON, 1.0), (NOON, 2.0)]
    declare(f'[text]\nmember = "costs*"\n{AT}{PRICE}')
    with pytest.raises(BadFile, match=r"archive of 3 files .*'prices_2\.csv'.* and none .* costs"):
        rows(tmp_path, data, "prices.zip")


def test_a_further_table_with_its_columns_in_another_order_decides_too(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """Its dates, not its prices, say in which order the parts of a date are."""
    days = "".join(f"{day},{day:02}/03/2020 12:00\n" for day in range(1, 32))
    data = zipped(tmp_path, a="at,price\n03/03/2020 12:00,1\n", b=f"price,at\n{days}")
    declare(f'[text]\nmember = "*"\n{AT}{PRICE}')
    found = rows(tmp_path, data, "prices.zip")
    assert found[0] == (when("2020-03-03 12:00"), 1.0)
    assert found[1:] == [(when(f"2020-03-{day:02} 12:00"), float(day)) for day in range(1, 32)]


def test_a_row_of_a_further_table_is_rejected_under_its_name(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    data = zipped(tmp_path, a=f"at,price\n{DAY},1\n", b=f"at,price\n{DAY},1\n{DAY},x\n")
    declare(f'[text]\nmember = "*"\n{AT}{PRICE}')
    with pytest.raises(TooManyRejects, match=r"line 3: b\.csv: price: 'x' is not a number"):
        converted(tmp_path, data, "prices.zip")


def test_bad_rows_of_a_further_table_are_judged_by_all_rows(
    declare: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are few, although they are a tenth and more of the first rows of their table."""
    monkeypatch.setattr(pieces, "HOPELESS_REJECTS", 5)
    one = "at,price\n03/03/2020,1\n" + f"{DAY},1\n" * 1_000
    two = "".join(f"{DAY},{'x' if n % 2 else n}\n" for n in range(40)) + "15/03/2020,7\n"
    data = zipped(tmp_path, a=one, b=f"at,price\n{two}")
    declare(f'[text]\nmember = "*"\n{AT}{PRICE}')
    found = converted(tmp_path, data, "prices.zip", max_reject_share=0.1)
    assert (found.rows_read, found.rows_written, found.rows_rejected) == (1_042, 1_022, 20)


def test_tables_of_one_archive_must_have_the_same_columns(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    data = zipped(tmp_path, a=f"at,price\n{DAY},1\n", b=f"at\n{DAY}\n")
    declare(f'[text]\nmember = "*"\n{AT}{PRICE}')
    with pytest.raises(SchemaError, match=r"'b\.csv' in prices\.zip has other columns"):
        converted(tmp_path, data, "prices.zip")


def test_tables_may_have_their_undeclared_columns_in_any_order(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """Those that are left out do not count."""
    data = zipped(tmp_path, a=f"at,x,price,y\n{DAY},1,2,3\n", b=f"y,at,x,price\n6,{DAY},4,5\n")
    declare(f'new_columns = "keep"\n[text]\nmember = "*"\n{AT}{PRICE}')
    midnight = when(DAY)
    found = pq.read_table(converted(tmp_path, data, "prices.zip").path).to_pylist()
    assert [(row["at"], row["price"], row["x"], row["y"]) for row in found] == [
        (midnight, 2.0, "1", "3"),
        (midnight, 5.0, "4", "6"),
    ]
    data = zipped(tmp_path, a=f"at,price,z\n{DAY},2,1\n", b=f"y,at,price\n6,{DAY},5\n")
    declare(f'new_columns = "drop"\n[text]\nmember = "*"\n{AT}{PRICE}')
    assert rows(tmp_path, data, "prices.zip") == [(midnight, 2.0), (midnight, 5.0)]


@pytest.mark.parametrize(
    ("one", "data", "said"),
    [
        ("at\n", "at\n", r"a\.csv has a header but no rows"),
        (f"at\n{DAY}\n", "", r"b\.csv has no header"),
    ],
    ids=["no rows", "no header"],
)
def test_a_table_of_an_archive_that_cannot_be_read_is_named(
    one: str, data: str, said: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    declare(f'[text]\nmember = "*.csv"\n{AT}')
    with pytest.raises(BadFile, match=said):
        converted(tmp_path, zipped(tmp_path, a=one, b=data), "prices.zip")


@pytest.mark.parametrize("empty", ["a", "b"])
def test_a_table_of_an_archive_without_rows_gives_none_and_is_noted(
    empty: str, declare: Callable[[str], None], tmp_path: Path
) -> None:
    """Its header must fit, as that of any table."""
    declare(f'[text]\nmember = "*.csv"\n{AT}{PRICE}')
    full = {"a": f"at,price\n{DAY},1\n", "b": f"at,price\n{DAY},1\n"}
    data = zipped(tmp_path, **full | {empty: "price,at\r\n\r\n"})
    found = converted(tmp_path, data, "prices.zip")
    assert pq.read_table(found.path)["price"].to_pylist() == [1.0]
    assert f"no rows in the table '{empty}.csv'" in found.drift["read"]
    with pytest.raises(SchemaError, match=r"'b\.csv' in prices\.zip has other columns"):
        converted(tmp_path, zipped(tmp_path, **full | {empty: "at\n"}), "prices.zip")


def test_two_files_of_one_name_in_an_archive_are_refused(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of what this test is about
        for price in (1, 2):
            archive.writestr("a.csv", f"at,price\n{DAY},{price}\n")
        archive.writestr("b.csv", f"at,price\n{DAY},3\n")
    declare(f'[text]\nmember = "*"\n{AT}{PRICE}')
    with pytest.raises(BadFile, match=r"prices\.zip is a zip archive with 2 files named 'a\.csv'"):
        converted(tmp_path, path.read_bytes(), "prices.zip")
    declare(f'[text]\nmember = "b.csv"\n{AT}{PRICE}')
    assert rows(tmp_path, path.read_bytes(), "prices.zip") == [(when(DAY), 3.0)]


def test_a_short_row_with_a_long_field_is_a_row(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """Its field is longer than Python's own limit."""
    text = '[columns.text]\ntype = "string"\ndescription = "x"\n'
    declare(f"[text]\nshort_rows = true\n{text}{PRICE}")
    outline = "1 2, " * 40_000
    assert rows(tmp_path, f'text,price\n"{outline}"\n') == [(outline, None)]


def test_short_rows_are_parsed_together(
    declare: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To parse them one by one takes 400 times as long."""
    parse = mock.Mock(side_effect=csv_lines._read)
    monkeypatch.setattr(csv_lines, "_read", parse)
    text = '[columns.text]\ntype = "string"\ndescription = "x"\n'
    declare(f"[text]\nshort_rows = true\n{AT}{text}{PRICE}")
    some = f'{DAY}\r\n\n{DAY},"x, y"\n{DAY},5" 6" z,1\n{DAY},"a ""b"", c",2\r\n'
    found = rows(tmp_path, "at,text,price\n" + some * 100)
    texts = [(None, None), ("x, y", None), ('5" 6" z', 1.0), ('a "b", c', 2.0)]
    assert found == [(when(DAY), *each) for each in texts] * 100
    assert parse.call_count == 1


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def test_files_of_one_month_are_downloaded_and_read_together(
    declare: Callable[[str], None], web: Web, tmp_path: Path
) -> None:
    pages = {
        "/2020-03-a.csv": f"at,price\n{DAY} 12:00,1\n".encode(),
        "/2020-03-b.csv.gz": gzip.compress(f"at,price\n{DAY} 12:00,2\n".encode()),
    }
    urls = [web.serve(path, Page(body, etag=f'"{path}"')) for path, body in pages.items()]
    templates = ", ".join(f'"{url.replace("2020-03", "{year_month}")}"' for url in urls)
    declare(f"[sources]\nweb = [{templates}]\n{AT}{PRICE}")
    month = Month("prices", 2020, 3)
    seen = look("", month)
    assert (seen.size, seen.url) == (sum(map(len, pages.values())), " + ".join(urls))
    found = download(seen, tmp_path / "published")
    assert (found.size, found.etag) == (seen.size, seen.etag)
    (tmp_path / "converted").mkdir()
    table = pq.read_table(convert(month, found.path, tmp_path / "converted").path)
    assert table["price"].to_pylist() == [1.0, 2.0]
    assert download(look("", month), tmp_path / "again").sha256 == found.sha256


REJECT = '[columns.day]\ntype = "date"\ndescription = "Day."\nreject = ["Total", ""]\n'


def test_declared_totals_are_rejected_and_do_not_count_as_failures(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """Read = written + rejected; a row with another fault still counts."""
    declare(REJECT + PRICE)
    data = "day,price\n2020-03-01,1\n Total ,x\n2020-03-02,2\n,3\n"
    found = converted(tmp_path, data)
    assert (found.rows_read, found.rows_written, found.rows_rejected) == (4, 2, 2)
    assert found.rejects
    assert found.rejects.read_text().splitlines()[1:] == [
        "3,day: 'Total' is declared as not data,\" Total ,x\"",
        '5,day: no value is declared as not data,",3"',
    ]
    with pytest.raises(TooManyRejects, match=r"1 of 5 rows in all .*line 6"):
        converted(tmp_path, data + "2020-03-03,x\n")


@pytest.mark.parametrize(
    ("bad", "level", "said"),
    [
        ("", "INFO", "prices 2020-03: rows rejected: 1, 1 as declared"),
        ("2020-03-03,x\n", "WARNING", "prices 2020-03: rows rejected: 2, 1 as declared"),
    ],
)
def test_only_rejects_that_are_not_declared_are_a_warning(
    declare: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bad: str,
    level: str,
    said: str,
) -> None:
    import etl_web_to_gcs as flow_file

    declare(REJECT + PRICE)
    path, month = tmp_path / "prices.csv", Month("prices", 2020, 3)
    path.write_text(f"day,price\n2020-03-01,1\nTotal,2\n{bad}")
    monkeypatch.setattr(flow_file, "get_run_logger", lambda: logging.getLogger("flow"))
    with caplog.at_level(logging.INFO):
        rules = Rules(max_reject_share=0.5)
        flow_file.transform.fn(published_download(month, path), tmp_path, rules)
    assert (level, said) in [(found.levelname, found.getMessage()) for found in caplog.records]


def test_a_file_of_nothing_but_declared_totals_fails(
    declare: Callable[[str], None], tmp_path: Path
) -> None:
    """An empty month would look loaded."""
    declare(REJECT + PRICE)
    with pytest.raises(BadFile, match="every one of the 2 rows is rejected, 2 because"):
        converted(tmp_path, "day,price\nTotal,1\nTotal,2\n")


@pytest.mark.parametrize("number", ["int64", "float64", "string"])
def test_a_number_may_mean_a_total(
    declare: Callable[[str], None], tmp_path: Path, number: str
) -> None:
    """This covers the parts of a joined column, and Parquet."""
    declare(
        f'[columns.zone]\ntype = "{number}"\ndescription = "Zone."\nreject = ["999"]\n'
        '[columns.day]\ntype = "date"\ndescription = "Day."\njoin = ["y", "md"]\n'
        'formats = ["%Y %m-%d"]\nreject = ["all"]\n'
    )
    data = "zone,y,md\n1,2020,03-01\n999,2020,03-01\n2,2020,all\n"
    assert [str(row[0]).rstrip(".0") for row in rows(tmp_path, data)] == ["1"]
    columns = {"zone": [1, 999], "y": ["2020"] * 2, "md": ["03-01"] * 2}
    pq.write_table(pa.table(columns), tmp_path / "prices.parquet")
    parquet = (tmp_path / "prices.parquet").read_bytes()
    assert len(rows(tmp_path, parquet, "prices.parquet")) == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rejects_next_to_declared_totals_keep_their_lines(
    declare: Callable[[str], None], tmp_path: Path, kind: str
) -> None:
    """Taking out the totals does not renumber the other rows."""
    declare(
        '[columns.place]\ntype = "string"\ndescription = "Place."\nreject = ["Total", "Sum"]\n'
        '[columns.n]\ntype = "int64"\ndescription = "N."\n'
    )
    places = ["a", "Total", "b", "Sum", "c", "Total", "d"]
    numbers = ["1", "2", "3", "4", "x", "6", "7"]
    path = tmp_path / "published"
    if kind == "csv":
        lines = [f"{place},{n}" for place, n in zip(places, numbers)]
        path.write_text("\n".join(["place,n", *lines, ""]))
    else:
        pq.write_table(pa.table({"place": places, "n": numbers}), path)
    found = converted(tmp_path, path.read_bytes(), f"prices.{kind}", max_reject_share=0.5)
    assert found.rejects
    lines = [line.partition(",")[0] for line in found.rejects.read_text().splitlines()[1:]]
    assert [int(line) - (kind == "csv") for line in lines] == [2, 4, 5, 6]
    assert pq.read_table(found.path)["n"].to_pylist() == [1, 3, 7]
