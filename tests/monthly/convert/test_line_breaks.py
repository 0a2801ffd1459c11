"""Quoted texts with line breaks are read as by Python's own csv module."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.errors import BadFile, TooManyRejects
from monthly import datasets
from monthly.convert import line_breaks
from monthly.convert.line_breaks import OneLineRows, restored_text
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import Converted, convert
from monthly.month import Month

DECLARED = """\
title = "Reports"
publisher = "A police"
first_month = "2020-01"
[text]
line_breaks = true
[columns.n]
type = "int64"
description = "x"
[columns.note]
type = "string"
description = "x"
"""
LETTERS = ["a", ",", ";", '""', "\n", "\r\n", " ", "é", "\n\n"]


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Converted]:
    """Return a function that converts a month of the dataset `reports`."""
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    (tmp_path / "reports.toml").write_text(DECLARED)

    def reports(text: str, **rules: Any) -> Converted:
        source = tmp_path / "reports.csv"
        source.write_bytes(text.encode())
        return convert(Month("reports", 2020, 1), source, tmp_path, Rules(**rules))

    return reports


def random_rows(seed: int, end: str = "\n") -> str:
    """Return rows of a number and a random quoted text."""
    choose = random.Random(seed)
    texts = ["".join(choose.choices(LETTERS, k=choose.randrange(8))) for _ in range(300)]
    return "".join(f'{n},"{text}"{end}' for n, text in enumerate(texts))


@pytest.mark.parametrize("size", [5, 64, 1 << 18])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_row_has_one_line_wherever_the_stream_is_cut(
    size: int, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is the one on which the row begins."""
    monkeypatch.setattr(line_breaks, "_CHUNK", size)
    text = random_rows(size, end)
    stream = io.BufferedReader(OneLineRows("reports", io.BytesIO(text.encode())))
    lines = stream.read().decode().split("\n")
    assert len(lines) == text.count("\n") + 1
    found = [
        next(csv.reader(io.StringIO(restored_text(line), newline="")))
        for line in lines
        if line.strip()
    ]
    reader = csv.reader(io.StringIO(text, newline=""))
    begins, expected = [0], []
    for row in reader:
        begins.append(reader.line_num)
        expected.append(row)
    assert found == expected
    assert [number for number, line in enumerate(lines) if line.strip()] == begins[:-1]


def test_texts_keep_their_line_breaks(reports: Callable[..., Converted]) -> None:
    text = "n,note\n" + random_rows(5)
    found = pq.read_table(reports(text).path)
    expected = [note for _, note in [*csv.reader(io.StringIO(text, newline=""))][1:]]
    assert [note or "" for note in found["note"].to_pylist()] == expected
    assert found["n"].to_pylist() == [*range(300)]


@pytest.mark.parametrize("other", ["b", "b\nc"])
def test_a_carriage_return_in_a_text_is_kept_whatever_the_texts_next_to_it(
    other: str, reports: Callable[..., Converted]
) -> None:
    found = pq.read_table(reports(f'n,note\n1,"a\rb"\n2,"{other}"\n').path)
    assert found["note"].to_pylist() == ["a\rb", other]


def test_a_rejected_row_is_named_by_its_first_line(reports: Callable[..., Converted]) -> None:
    """It is shown with its whole text; the lines after it keep their numbers."""
    text = 'n,note\n1,"a\nb"\nx,"c\n\nd"\n2,e\ny,f\n'
    found = reports(text, max_reject_share=1)
    assert (found.rows_read, found.rows_written) == (4, 2)
    assert found.rejects
    with found.rejects.open(newline="") as file:
        rejects = [(row["line"], row["text"]) for row in csv.DictReader(file)]
    assert rejects == [("4", 'x,"c\n\nd"'), ("8", "y,f")]


@pytest.mark.parametrize("stray", ['7,"never closed', '7,5" of rain', '7,"closed" too early'])
def test_a_stray_quote_costs_its_own_row_alone(
    stray: str, reports: Callable[..., Converted]
) -> None:
    """Rows up to the next quote are kept."""
    rows = "".join(f'{n},"a\nb"\n' for n in range(100))
    found = reports(f"n,note\n{rows}{stray}\n{rows}", max_reject_share=1)
    notes = pq.read_table(found.path)["note"].to_pylist()
    assert notes.count("a\nb") == 200
    assert found.rows_read == 201


def test_a_quote_that_is_never_closed_takes_no_rows_with_it(
    reports: Callable[..., Converted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds for any number of following rows."""
    monkeypatch.setattr(line_breaks, "_CHUNK", 64)
    monkeypatch.setattr(line_breaks, "_LONGEST_TEXT", 256)
    found = reports('n,note\n1,"open\n' + "2,b\n" * 1_000, max_reject_share=1)
    assert (found.rows_read, found.rows_rejected) == (1_001, 1)


def test_characters_that_stand_for_line_breaks_are_refused(
    reports: Callable[..., Converted],
) -> None:
    with pytest.raises(BadFile, match="control characters"):
        reports("n,note\n1,a\x1eb\n")


def test_where_no_line_breaks_are_declared_the_key_is_named(
    reports: Callable[..., Converted], tmp_path: Path
) -> None:
    (tmp_path / "reports.toml").write_text(DECLARED.replace("line_breaks = true", ""))
    datasets.forget()
    with pytest.raises(TooManyRejects, match=r"declare line_breaks = true in \[text\]"):
        reports('n,note\n1,"a\nb"\n')
