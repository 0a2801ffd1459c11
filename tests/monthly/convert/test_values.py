"""docs/values.md describes both readers: each line of its tables is tried in both formats."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.errors import Ambiguous
from fakes.trip_files import (
    FHV,
    FHV_HEADER,
    YELLOW,
    YELLOW_HEADER,
    converted,
    converted_table,
)
from monthly.convert.published_values import NULLS
from monthly.month import Month

PAGE = (Path(__file__).parents[3] / "docs" / "values.md").read_text("utf-8")
AT = "2017-01-01 00:00:00"
#: None of its numbers shows which decimal mark is used.
YELLOW_LINE = "1,2021-01-05 10:00:00,2021-01-05 10:10:00,1,2,1,N,4,5,2,9,0,0,0,0,0,9,0"
FHV_LINE = f"B1,{AT},{AT},1,2"
#: The column to test for each section, and a row of its dataset.
COLUMNS: dict[str, tuple[Month, str, str, str]] = {
    "Whole numbers": (YELLOW, YELLOW_HEADER, YELLOW_LINE, "passenger_count"),
    "Amounts, distances, coordinates": (YELLOW, YELLOW_HEADER, YELLOW_LINE, "fare_amount"),
    "Flags": (YELLOW, YELLOW_HEADER, YELLOW_LINE, "store_and_fwd_flag"),
    "Other text": (FHV, FHV_HEADER, FHV_LINE, "Dispatching_base_num"),
    "Times": (YELLOW, YELLOW_HEADER, YELLOW_LINE, "tpep_pickup_datetime"),
}
CANONICAL = {"Dispatching_base_num": "dispatching_base_num"}


def lines_of(section: str) -> list[tuple[str, str, str]]:
    """Return section, text and meaning of each table line; a second text follows a newline."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    rows = [re.findall(r"(?<=\| )[^|]*(?= \|)", line) for line in text.splitlines()]
    found = []
    for cells in rows:
        if cells and cells[0].startswith("`"):
            texts = [cell.strip("`") for cell in cells]
            found.append((section, "\n".join(texts[:-1]), texts[-1]))
    return found


CASES = [case for section in COLUMNS for case in lines_of(section)]


def test_the_page_has_a_table_for_each_kind() -> None:
    assert [len(lines_of(section)) > 4 for section in COLUMNS] == [True] * 5
    assert len(CASES) > 60


def read(reader: str, section: str, texts: list[str], folder: Path) -> tuple[list[Any], list[str]]:
    """Return the values that a reader makes of texts, and why it rejected the others."""
    month, header, line, column = COLUMNS[section]
    names, fields = header.split(","), line.split(",")
    rows = [[text if n == column else f for n, f in zip(names, fields)] for text in texts]
    options: dict[str, Any] = {
        "max_reject_share": 1.0,
        "max_outside_share": 1.0,
        "strict": False,
    }
    if reader == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([names, *rows])
        outcome = converted(folder, out.getvalue(), month, **options)
    else:
        table = pa.table({n: [row[i] for row in rows] for i, n in enumerate(names)})
        outcome = converted_table(folder, table, month, **options)
    values = outcome.column(CANONICAL.get(column, column))
    return values, [why for _, why, _ in outcome.rejects]


def meant(section: str, text: str) -> object:
    """Return the value that a line of the page names."""
    if text == "null":
        return None
    if section in ("Flags", "Other text"):
        return text
    return dt.datetime.fromisoformat(text) if section == "Times" else float(text)


@pytest.mark.parametrize("reader", ["csv", "parquet"])
@pytest.mark.parametrize(("section", "written", "expected"), CASES)
def test_a_value_is_read_as_the_page_says(
    section: str, written: str, expected: str, reader: str, tmp_path: Path
) -> None:
    texts = written.split("\n")
    if expected == "ambiguous":
        with pytest.raises(Ambiguous, match=re.escape(repr(texts[0]))):
            read(reader, section, texts, tmp_path)
        return
    values, reasons = read(reader, section, texts, tmp_path)
    if expected == "refused":
        assert values == []
        assert len(reasons) == 1
        assert reasons[0].startswith(COLUMNS[section][3])
    else:
        assert (values[0], reasons) == (meant(section, expected), [])


@pytest.mark.parametrize("reader", ["csv", "parquet"])
def test_the_page_names_all_texts_for_no_value(reader: str, tmp_path: Path) -> None:
    said = PAGE.split("## No value")[1].split("In columns of")[0]
    assert {*re.findall(r"`([^`]+)`", said), ""} == {*NULLS}
    for section in COLUMNS:
        good = {"Times": "2021-01-05 10:00:00"}.get(section, "1")
        texts = [good, *NULLS, good]
        values, reasons = read(reader, section, texts, tmp_path)
        assert values[1:-1] == [None] * len(NULLS)
        assert reasons == []
        assert None not in (values[0], values[-1])
