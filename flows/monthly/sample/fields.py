"""The fields of a generated file: the columns of its month and their published names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monthly.columns import Column, Span, fold
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month


@dataclass(frozen=True)
class Field:
    """One field of each line of a file.

    Attributes:
        name: the published name.
        column: the column read from it; None if the declaration has none.
        part: its position among the published columns joined into the column, else None.
    """

    name: str
    column: Column | None = None
    part: int | None = None


def fields_of(month: Month) -> list[Field]:
    """Return the fields of a month's file, in order."""
    dataset = DATASETS[month.dataset]
    there = [c for c in dataset.columns if not c.derived and _is_there(c, month)]
    found: dict[str, Field] = {}
    for field in _parts(there):
        found.setdefault(fold(field.name), field)
    joined = {dataset.parts[name] for name in found}
    names = {c.name: _name(c, dataset, month) for c in there}
    own = {c: Field(names[c.name], c) for c in there if not c.joined and c not in joined}
    if dataset.text.header:
        known = {n: own[c] for n, c in dataset.known_names.items() if c in own} | found
        return [known.get(fold(name), Field(name)) for name in dataset.text.header]
    return _in_order(there, own, found)


def _in_order(
    there: list[Column], own: dict[Column, Field], parts: dict[str, Field]
) -> list[Field]:
    """Return the fields in declared order, with parts in place of their column."""
    fields: list[Field] = []
    for column in there:
        fields += [own[column]] if column in own else []
        fields += [field for field in parts.values() if field.column is column]
    return fields


def _parts(columns: list[Column]) -> Iterator[Field]:
    for column in columns:
        for place, name in enumerate(column.joined):
            yield Field(name, column, place)


def _is_there(column: Column, month: Month) -> bool:
    """Return whether the month's file has a column; one without a span is in every file."""
    return column.required is None or column.is_required(month.year, month.month)


def _name(column: Column, dataset: Dataset, month: Month) -> str:
    """Return one of a column's names: its own in the newest era, aliases in older ones.

    The declaration does not say which name belongs to which era. If columns are never added or
    removed, there is one era, and an alias, if any, is the published name.
    """
    changes = {change for c in dataset.columns if c.required for change in _changes(c.required)}
    names = (column.name, *column.aliases) if changes else (*column.aliases, column.name)
    later = sum(change > (month.year, month.month) for change in changes)
    return names[min(later, len(names) - 1)]


def _changes(span: Span) -> Iterator[tuple[int, int]]:
    """Yield the month in which a column is added and the one in which it is gone."""
    if span.since:
        yield span.since
    if span.until:
        year, month = span.until
        yield year + month // 12, month % 12 + 1
