"""Maps a published header of any vintage to the columns of its dataset."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from core.errors import Remedy, SchemaError
from monthly.columns import Column, fold, is_reserved, kept_column
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month

if TYPE_CHECKING:
    from monthly.convert.readings import NewColumns

#: Names of row numbers that pandas left in some published files (yellow 2010-02 and 2010-03).
_ROW_NUMBERS = frozenset({"indexlevel0", "unnamed0"})


@dataclass(frozen=True)
class Mapped:
    """The mapping of a published file's fields to columns.

    Attributes:
        dataset: the dataset of the file.
        columns: one entry per field of the file; None for a field to skip.
        renamed: published and canonical names where they differ.
        unknown: undeclared names.
        missing: columns of the dataset that the file lacks and that are null in every row.
        published: the published name of each field.
        twins: indexes of fields that map to the same column as an earlier field.
        kept: undeclared columns that are kept as text.
        nameless: indexes of fields that must be empty, as the header does not name them.
        read: other notes on how the file is read.
    """

    dataset: Dataset
    columns: tuple[Column | None, ...]
    renamed: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    published: tuple[str, ...] = ()
    twins: frozenset[int] = frozenset()
    kept: tuple[Column, ...] = ()
    nameless: frozenset[int] = frozenset()
    read: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Return a unique name for each field: its column's name, or its index."""
        return [
            c.name if c and place not in self.twins else f"#{place}"
            for place, c in enumerate(self.columns)
        ]

    @cached_property
    def outcome(self) -> tuple[Column, ...]:
        """Return the columns of the converted file: the dataset's, then those kept."""
        return (*self.dataset.columns, *self.kept)

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema of the converted file."""
        schema = self.dataset.schema
        for column in self.kept:
            about = {"description": column.about}
            schema = schema.append(pa.field(column.name, column.arrow, metadata=about))
        return schema


def map_header(
    month: Month,
    names: Sequence[str],
    strict: bool = True,
    empty: Container[int] = (),
    new_columns: NewColumns = "auto",
    numbers: Collection[int] | None = None,
) -> Mapped:
    """Find the column of each published name.

    Args:
        month: the month of the file.
        names: the names as published, in file order.
        strict: whether an undeclared column (unless `new_columns` says otherwise) or a missing
            required column is an error.
        empty: indexes of fields to skip, each replaced by another field.
        new_columns: what to do with undeclared columns.
        numbers: indexes of fields that number the rows, which are skipped; None to tell them by
            name, and to skip fields without a name whatever they hold.

    Raises:
        SchemaError: all names are unknown, the names belong to another dataset, or (strict) a
            name is unknown or a required column is missing.
    """
    dataset = DATASETS[month.dataset]
    known = [_known(dataset, name) for name in names]
    _refuse_other_dataset(month, dataset, names)
    by_name = [p for p, name in enumerate(names) if may_number_rows(p, name)]
    skipped = frozenset(by_name if numbers is None else numbers)
    others = [p for p, column in enumerate(known) if not column and p not in skipped]
    unknown = [names[place] for place in others if names[place].strip()]
    choice = dataset.declared.new_columns if new_columns == "auto" else new_columns
    kept = _kept(dataset, unknown) if choice == "keep" else {}
    found = [
        None if place in empty else c or kept.get(n)
        for place, (n, c) in enumerate(zip(names, known))
    ]
    missing = [c for c in dataset.columns if not c.derived and not _is_there(dataset, c, found)]
    if strict:
        required = [c.name for c in missing if c.is_required(month.year, month.month)]
        _refuse_drift(month, dataset, unknown if choice == "fail" else [], required)
    renamed = [(n, c.name) for n, c in zip(names, found) if c and n != c.name]
    must_be_empty = numbers is not None and strict and choice != "drop"
    return Mapped(
        dataset,
        tuple(found),
        tuple(renamed),
        tuple(name for name in unknown if name not in kept),
        tuple(c.name for c in missing),
        tuple(names),
        _twins(found),
        tuple(kept.values()),
        frozenset(p for p in others if must_be_empty and not names[p].strip()),
        tuple(_left_out(p, names[p]) for p in sorted(numbers or ()) if not known[p]),
    )


def may_number_rows(place: int, name: str) -> bool:
    """Return whether a field may hold row numbers: pandas gives them no name, or one of its own."""
    return fold(name) in _ROW_NUMBERS or (place == 0 and not name.strip())


def both_mean(month: Month, one: str, other: str, column: str) -> SchemaError:
    """Return the error for two published columns that both hold values of one column."""
    return SchemaError(
        f"{month}: columns {one!r} and {other!r} both mean {column}, and both have values; "
        "remove one from the file"
    )


def _known(dataset: Dataset, name: str) -> Column | None:
    folded = fold(name)
    return dataset.known_names.get(folded) or dataset.parts.get(folded)


def _is_there(dataset: Dataset, column: Column, found: Sequence[Column | None]) -> bool:
    """Return whether a column can be read from the columns that were found."""
    if column.joined:
        return all(dataset.parts[fold(part)] in found for part in column.joined)
    return column in found


def _kept(dataset: Dataset, unknown: Sequence[str]) -> dict[str, Column]:
    """Return a text column for each undeclared name, renamed only if tables do not allow it."""
    taken = {c.name.lower() for c in dataset.columns}
    kept: dict[str, Column] = {}
    for published in dict.fromkeys(unknown):
        name = _free(re.sub(r"[^A-Za-z0-9_]", "_", published.strip())[:60], taken)
        taken.add(name.lower())
        kept[published] = kept_column(name, published)
    return kept


def _free(name: str, taken: Container[str]) -> str:
    """Return a column name that is not taken yet."""
    name = f"published_{name}" if is_reserved(name) else name
    name = name if name and not name[0].isdigit() else f"_{name}"
    choices: Iterator[str] = (f"{name}_{number}" for number in range(2, 1000))
    return name if name.lower() not in taken else next(n for n in choices if n.lower() not in taken)


def _left_out(place: int, name: str) -> str:
    what = f"column {name!r}" if name.strip() else f"field {place + 1}, which has no name,"
    return f"{what} left out, as it numbers the rows"


def _twins(found: Sequence[Column | None]) -> frozenset[int]:
    names = [c.name if c else "" for c in found]
    return frozenset(p for p, name in enumerate(names) if name and name in names[:p])


def _refuse_other_dataset(month: Month, own: Dataset, names: Sequence[str]) -> None:
    """Raise if another dataset fits the header better; some datasets share most of their names."""
    folded = {fold(name) for name in names}
    mine = _fitting(own, folded)
    required = [c for c in own.columns if c.is_required(month.year, month.month) and not c.joined]
    lacks = [c for c in required if not mine & {fold(name) for name in (c.name, *c.aliases)}]
    if mine == folded and not lacks:
        return
    fits = {name: _fitting(other, folded) for name, other in DATASETS.items()}
    best = max(fits, key=lambda name: len(fits[name]))
    if not fits[best]:
        raise SchemaError(
            f"{month}: no column of the file is known, the first is {''.join(names[:1])[:80]!r}; "
            f"is it a file of {own.name} {own.words.row}s?"
        )
    if len(fits[best]) > len(mine) and (lacks or mine < fits[best]):
        raise SchemaError(
            f"{month}: this is a file of {best} {DATASETS[best].words.row}s: {best} has "
            f"{len(fits[best])} of its columns, {own.name} {len(mine)}; run it as {best}, or "
            "correct its address"
        )


def _fitting(dataset: Dataset, folded: set[str]) -> set[str]:
    return folded & (dataset.known_names.keys() | dataset.parts.keys())


def _refuse_drift(
    month: Month, dataset: Dataset, unknown: Sequence[str], absent: Sequence[str]
) -> None:
    if unknown:
        names = ", ".join(map(repr, unknown))
        lacks = f", and no column {', '.join(absent)}" if absent else ""
        hint = f", as an alias of {absent[0]} if that column was renamed" if absent else ""
        raise SchemaError(
            f"{month}: unknown column {names}{lacks}",
            f"declare it in {dataset.place}{hint}",
            Remedy("strict", False, "to leave it out"),
        )
    if absent:
        raise SchemaError(
            f"{month}: the file has no column {', '.join(absent)}, which every vintage of "
            f"{month.dataset} has",
            "check the file",
            Remedy("strict", False, "to load nulls"),
        )
