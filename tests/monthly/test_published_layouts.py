"""Drafts load files in the layouts of real publishers row for row, equal to a plain reading."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fakes.drafts import Drafted, draft
from fakes.layout import ROWS, Layout
from fakes.published_layouts import LAYOUTS
from monthly.columns import Column, fold


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_draft_loads_its_file_row_for_row(layout: Layout, tmp_path: Path) -> None:
    """Every value equals the one that csv, strptime and Decimal read; no time stays text."""
    found = draft(tmp_path, {layout.name: layout.data})
    table = found.loaded(tmp_path / layout.name, layout.month)
    names, rows = _published(layout)
    assert len(table) == len(rows) == ROWS
    times = set()
    for places, column in _columns(found, names):
        parts = tuple(names[place] for place in places)
        of = parts if len(parts) > 1 else parts[0]
        texts = [" ".join(row[place] for place in places) for row in rows]
        wanted = [_value(layout, column, text, layout.times.get(of)) for text in texts]
        assert table[column.name].to_pylist() == wanted, column.name
        times |= {of} if column.kind in ("date", "timestamp") else set()
    assert times == {*layout.times}


def _published(layout: Layout) -> tuple[list[Any], list[list[str]]]:
    """Return the names of the fields, positions if there are none, and the rows."""
    text = io.StringIO(layout.text.removeprefix("\ufeff"), newline="")
    lines = [*csv.reader(text, delimiter=layout.separator)]
    rows = lines[layout.first : len(lines) - layout.notes]
    if layout.header is None:
        return [*range(len(rows[0]))], rows
    return [name.strip() for name in lines[layout.header]], rows


def _columns(found: Drafted, names: Sequence[Any]) -> list[tuple[list[int], Column]]:
    """Return the draft's columns, each with the positions of the fields that it is read from."""
    with found.dataset() as dataset:
        header = dataset.declared.text.header or names
        places = {fold(str(name)): place for place, name in enumerate(header)}
        columns = [c for c in dataset.columns if not c.derived]
        known = {fold(alias): c.name for c in columns for alias in (c.name, *c.aliases)}
        by_name = {known[name]: [place] for name, place in places.items() if name in known}
        return [([places[fold(part)] for part in c.joined] or by_name[c.name], c) for c in columns]


def _value(layout: Layout, column: Column, text: str, how: str | None) -> Any:
    if column.kind == "string":
        return text or None
    text = text.strip()
    if not text or text in layout.nulls:
        return None
    if column.kind in ("date", "timestamp"):
        assert how is not None, column.name
        time = _time(text, how)
        return time.date() if column.kind == "date" else time
    mark, other = (",", ".") if layout.decimal == "," else (".", ",")
    number = Decimal(text.replace(other, "").replace(mark, "."))
    return float(number) if column.kind == "float64" else int(number)


def _time(text: str, how: str) -> dt.datetime:
    if how == "%s%f":
        return dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=int(text))
    if how.endswith(" - "):
        text, how = text.split(" - ")[0], how.removesuffix(" - ")
    midnight = re.search(r" +24(00)?$", text)  # the start of the next day
    if midnight:
        day, how = text[: midnight.start()], how.partition(" ")[0]
        return dt.datetime.strptime(day, how) + dt.timedelta(days=1)
    return dt.datetime.strptime(text, how) if how else dt.datetime.fromisoformat(text)
