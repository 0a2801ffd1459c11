"""Files whose quotes are characters like any other, as `quotes = false` declares."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
import pytest

from core.errors import TooManyRejects, UsageError
from monthly import datasets
from monthly.convert import csv_lines
from monthly.convert.readings import Rules
from monthly.convert.rejects import read_rejects
from monthly.convert.to_parquet import Converted, convert
from monthly.month import Month
from monthly.sample import write_sample

HEAD = 'title = "Titles"\npublisher = "P"\nfirst_month = "2020-01"\n'
COLUMNS = """\
[columns.day]
type = "date"
description = "Day."
[columns.title]
type = "string"
description = "Title."
aliases = ['12" "title']
[columns.n]
type = "int64"
description = "Number."
"""
#: Titles as IMDb and GeoNames write them.
TITLES = [
    '12" vinyl',
    '"Weird" Al Yankovic',
    '"Weird Al"',
    '"unclosed',
    '"',
    '""',
    '"a ""b"" c"',
    '"a\\"b\\"',
    "plain, with a comma",
    'ends in "',
]
ROWS = [("2020-03-02", title, n) for n, title in enumerate(TITLES)]
Titles = Callable[..., Converted]


@pytest.fixture
def titles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Titles:
    """Return a function that converts a file of the dataset `titles`."""
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))

    def converted(data: str, text: str = "", name: str = "t.tsv", **rules: Any) -> Converted:
        declared = f'{HEAD}[text]\nseparator = "\\t"\nquotes = false\n{text}\n{COLUMNS}'
        (tmp_path / "titles.toml").write_text(declared, "utf-8")
        datasets.forget()
        source, target = tmp_path / name, tmp_path / "converted"
        source.write_bytes(gzip.compress(data.encode()) if name.endswith("gz") else data.encode())
        target.mkdir(exist_ok=True)
        return convert(Month("titles", 2020, 3), source, target, Rules(**rules))

    return converted


def lines(*more: str, head: str = "day\ttitle\tn\n") -> str:
    return head + "".join(f"{day}\t{title}\t{n}\n" for day, title, n in ROWS) + "".join(more)


def rows(found: Converted) -> list[tuple[Any, ...]]:
    return [tuple(row.values())[:-1] for row in pq.read_table(found.path).to_pylist()]


def expected() -> list[tuple[Any, ...]]:
    return [(dt.date.fromisoformat(day), title, n) for day, title, n in ROWS]


@pytest.mark.parametrize(
    ("head", "text", "name"),
    [
        ("day\ttitle\tn\n", "", "t.tsv"),
        ("day\ttitle\tn\n", "", "t.tsv.gz"),
        ("\ufeffday\ttitle\tn\n", "", "t.tsv"),
        ('day\t12" "title\tn\n', "", "t.tsv"),
        ('"day\t"title"\tn\n', "", "t.tsv"),
        ('All "titles\nof "March"\n\nday\ttitle\tn\n', "lines_before_header = 2", "t.tsv"),
        ("", 'header = ["day", "title", "n"]', "t.tsv.gz"),
        (
            'as "of\t3\nday\t"title\tn\n',
            'lines_before_header = 2\nheader = ["day", "title", "n"]',
            "t.tsv",
        ),
        ("sep=\t\nday\ttitle\tn\n", "", "t.tsv"),
        ("day\ttitle\tn\n", "short_rows = true", "t.tsv"),
        ("day\ttitle\tn\n", 'decimal = ","', "t.tsv"),
    ],
    ids=[
        "plain",
        "gzip",
        "mark",
        "quote in a name",
        "open quote in a name",
        "lines before the header",
        "declared header",
        "declared header and lines before",
        "announced",
        "short rows",
        "decimal comma",
    ],
)
def test_quotes_are_kept(head: str, text: str, name: str, titles: Titles) -> None:
    found = titles(lines(head=head), text, name)
    assert rows(found) == expected()
    assert (found.rows_read, found.rows_rejected) == (len(TITLES), 0)


def test_a_block_with_quotes_is_parsed_once(titles: Titles, monkeypatch: Any) -> None:
    """It takes the fast path, as a block without quotes does."""
    parse = mock.Mock(side_effect=csv_lines._read)
    monkeypatch.setattr(csv_lines, "_read", parse)
    assert rows(titles(lines())) == expected()
    assert parse.call_count == 1


def test_line_ends_of_windows_and_a_missing_one(titles: Titles) -> None:
    found = titles(lines().rstrip("\n").replace("\n", "\r\n"))
    assert rows(found) == expected()


def test_bad_rows_are_rejected_alone_and_as_published(titles: Titles) -> None:
    bad = ('2020-03-03\t"a\tmany"\n', '2020-03-04\t"b" c\t1\t2"\n', "2020-03-05\tx\n")
    found = titles(lines(*bad), max_reject_share=0.9)
    assert rows(found) == expected()
    assert found.rejects
    first = len(TITLES) + 2
    rejects = [*read_rejects(found.rejects)]
    assert [(line, text) for line, _, text in rejects] == [
        (str(first + n), row.rstrip("\n")) for n, row in enumerate(bad)
    ]
    assert [reason for _, reason, _ in rejects] == [
        "n: 'many\"' is not a whole number",
        "4 fields where 3 are expected",
        "2 fields where 3 are expected",
    ]


def test_a_number_in_quotes_is_no_number(titles: Titles) -> None:
    found = titles(lines('2020-03-03\tx\t"7"\n'), max_reject_share=0.9)
    assert (rows(found), found.rows_rejected) == (expected(), 1)


def test_short_rows_with_quotes(titles: Titles) -> None:
    """A separator after a quote ends the field."""
    found = titles(lines('2020-03-03\t"a\n', "2020-03-04\n"), "short_rows = true")
    days = [dt.date(2020, 3, 3), dt.date(2020, 3, 4)]
    assert rows(found) == [*expected(), (days[0], '"a', None), (days[1], None, None)]


def test_the_separator_is_found_without_quotes(titles: Titles, tmp_path: Path) -> None:
    """A name with an open quote does not hide the names after it."""
    text = lines(head='day\t"title\tn\n').replace("\t", "|")
    titles(lines())
    declared = (tmp_path / "titles.toml").read_text().replace('separator = "\\t"\n', "")
    (tmp_path / "titles.toml").write_text(declared)
    datasets.forget()
    (tmp_path / "bars.txt").write_text(text)
    found = convert(
        Month("titles", 2020, 3), tmp_path / "bars.txt", tmp_path / "converted", Rules()
    )
    assert rows(found) == expected()


def test_by_default_quotes_enclose_texts(titles: Titles, tmp_path: Path) -> None:
    """An unmatched one is refused, and the error names both keys."""
    titles(lines())
    path = tmp_path / "titles.toml"
    path.write_text(path.read_text().replace("quotes = false\n", ""))
    datasets.forget()
    (tmp_path / "q.tsv").write_text('day\ttitle\tn\n2020-03-02\t"a\t""b"""\t1\n')
    month, target = Month("titles", 2020, 3), tmp_path / "converted"
    found = convert(month, tmp_path / "q.tsv", target, Rules())
    assert rows(found) == [(dt.date(2020, 3, 2), 'a\t"b"', 1)]
    with pytest.raises(TooManyRejects, match=r"line_breaks = true in \[text\].*quotes = false"):
        convert(month, tmp_path / "t.tsv", target, Rules())


def test_a_sample_has_no_quotes(titles: Titles, tmp_path: Path) -> None:
    """Texts are written as they are; one with the separator cannot be."""
    titles(lines())
    path, month = tmp_path / "titles.toml", Month("titles", 2020, 3)
    coded = """\
[columns.kind]
type = "string"
description = "Kind."
[columns.kind.codes]
'"a" b' = "x"
"""
    path.write_text(path.read_text() + coded)
    datasets.forget()
    sample = tmp_path / "sample.csv.gz"
    write_sample(month, sample, 100)
    assert '\t"a" b\n' in gzip.decompress(sample.read_bytes()).decode()
    found = convert(month, sample, tmp_path / "converted", Rules())
    assert {*pq.read_table(found.path)["kind"].to_pylist()} - {None} == {"x"}
    path.write_text(path.read_text().replace('"\\t"', '"|"').replace("'\"a\" b'", '"a|b"'))
    datasets.forget()
    with pytest.raises(UsageError, match=r"'a\|b' of the declaration has the separator"):
        write_sample(month, sample, 100)
