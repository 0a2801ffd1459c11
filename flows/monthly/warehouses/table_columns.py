"""The columns of a dataset's table: what a load changes in them first, and what it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from core.errors import SchemaError
from monthly.columns import KEPT, Column, is_same_name, kept_column, published_name
from monthly.dataset import Dataset
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import AGAIN, UNPIN_FIRST


@dataclass(frozen=True)
class TableColumn:
    """A column of an existing table.

    Attributes:
        name: the name as the table spells it.
        type: the type as the warehouse spells it.
        about: the description; empty if there is none.
    """

    name: str
    type: str
    about: str

    @property
    def is_kept(self) -> bool:
        """Return whether the column was kept as text while nothing declared it."""
        return self.about.startswith(KEPT)


@dataclass(frozen=True)
class Changes:
    """What a load changes in a table before it adds rows.

    Attributes:
        added: columns that the table lacks.
        replaced: columns that it kept as text and that have another type now, each with the text
            column that keeps the values of months not yet converted again.
        described: columns whose description differs, all of the above included.
        wrong: columns of another type, each as `NAME is TYPE, not TYPE`.
        mixed: kept columns under whose name the table keeps another published column, each with
            that one's published name.
    """

    added: tuple[Column, ...]
    replaced: Mapping[Column, Column]
    described: tuple[Column, ...]
    wrong: tuple[str, ...]
    mixed: Mapping[Column, str]


def changes_of(
    columns: Sequence[Column],
    there: Mapping[str, TableColumn],
    names: Collection[str],
    type_of: Callable[[Column], str],
) -> Changes:
    """Compare the columns of a load with those of the table.

    Args:
        columns: those that the dataset declares, and those kept of the month.
        there: the columns of the table, each under the name by which `columns` have it.
        names: the names of all columns of the table.
        type_of: returns the warehouse's type of a column.
    """
    known = [(column, there[column.name]) for column in columns if column.name in there]
    other = [(column, found) for column, found in known if found.type != type_of(column)]
    added = tuple(column for column in columns if column.name not in there)
    taken = {name.lower() for name in (*names, *(column.name for column in columns))}
    replaced = {c: _aside(c, found, taken) for c, found in other if found.is_kept}
    described = [c for c, f in known if not _says(f, c) and c not in replaced]
    return Changes(
        added,
        replaced,
        (*replaced.values(), *added, *replaced, *described),
        tuple(f"{c.name} is {f.type}, not {type_of(c)}" for c, f in other if not f.is_kept),
        {c: published_name(f.about) for c, f in known if _is_another(f, c)},
    )


def _is_another(found: TableColumn, column: Column) -> bool:
    """Return whether a table keeps another published column under the name of a kept one."""
    names = published_name(found.about), published_name(column.about)
    return all(names) and not is_same_name(*names)


def _aside(column: Column, found: TableColumn, taken: Collection[str]) -> Column:
    """Return the text column to which the kept values of a column move, under a free name."""
    name = _aside_name(column)
    names = (name if n == 1 else f"{name}_{n}" for n in itertools.count(1))
    free = next(each for each in names if each.lower() not in taken)
    about = f"{found.about.removesuffix('.')}, in months not converted since it was declared."
    return Column(free, "string", about)


def _aside_name(column: Column) -> str:
    return f"{column.name[:50]}_as_text"


def texts_aside(columns: Sequence[Column], entry: Entry) -> Mapping[str, Column]:
    """Return the columns to which a load moves the kept texts of a month, by their names there.

    Args:
        columns: those that the dataset declares, and those kept.
        entry: the month's entry, from before one of them was declared with another type.
    """
    kept = {name.lower(): name for name in entry.kept}
    taken = {column.name.lower() for column in columns}
    return {
        kept[column.name.lower()]: Column(_aside_name(column), "string", "")
        for column in columns
        if column.kind != "string"
        and column.name.lower() in kept
        and _aside_name(column).lower() not in taken
    }


def _says(found: TableColumn, column: Column) -> bool:
    """Return whether a description is right; a kept column keeps that of the first month."""
    is_kept = found.is_kept and column.about.startswith(KEPT)
    return is_kept or found.about == column.about


def measurable(
    columns: Sequence[Column], there: Mapping[str, TableColumn], type_of: Callable[[Column], str]
) -> tuple[Column, ...]:
    """Return the columns that the table has with their types; `there` has lower-case names."""
    types = {name: found.type for name, found in there.items()}
    return tuple(column for column in columns if types.get(column.name.lower()) == type_of(column))


def kept_columns(dataset: Dataset, entry: Entry) -> tuple[Column, ...]:
    """Return the columns of a month's object that were kept, and that are undeclared still."""
    declared = {column.name.lower() for column in dataset.columns}
    return tuple(
        kept_column(name, published)
        for name, published in entry.kept.items()
        if name.lower() not in declared
    )


def misfit(dataset: Dataset, table: str, changes: Changes, way_out: str) -> SchemaError | None:
    """Return why a table cannot take the columns of a load; None if it can.

    Args:
        dataset: the dataset.
        table: the table, as the warehouse names it.
        changes: the comparison with the table.
        way_out: how to make room for a new table.
    """
    if changes.wrong:
        return SchemaError(
            f"table {table} has other types than {dataset.place} declares "
            f"({'; '.join(changes.wrong)})",
            f"declare these types, or {way_out}, then run again: its months then count as not "
            "loaded",
        )
    return _mixing(dataset, table, changes.mixed) if changes.mixed else None


def _mixing(dataset: Dataset, table: str, mixed: Mapping[Column, str]) -> SchemaError:
    """Return the error for undeclared columns whose names are one name in a table."""
    new = {column: published_name(column.about) for column in mixed}
    pairs = (f"{c.name} is {there!r}, and the file has {new[c]!r}" for c, there in mixed.items())
    return SchemaError(
        f"table {table} would mix undeclared columns ({'; '.join(pairs)})",
        f"declare {', '.join(map(repr, new.values()))} in {dataset.place}, as an alias of a column "
        "with another name, then run again",
    )


def refuse(month: Month, error: SchemaError | None) -> None:
    """Raise an error of a table as that of a month; do nothing if there is none."""
    if error:
        raise SchemaError(f"{month}: {error.message}", *error.remedies)


def refuse_outdated(month: Month, dataset: Dataset, entry: Entry) -> None:
    """Raise if the object has a column of another type than is declared now.

    Some warehouses would convert the values, and not as the published texts are read.
    """
    was = {name: text.partition("/")[0] for name, text in entry.signatures.items()}
    was |= dict.fromkeys(entry.kept, "string")
    was = {name.lower(): type_ for name, type_ in was.items()}
    wrong = [
        f"{c.name} is {was[c.name.lower()]}, not {c.type}"
        for c in dataset.columns
        if was.get(c.name.lower(), c.type) != c.type
    ]
    if wrong:
        raise SchemaError(
            f"{month}: its object in the bucket was converted before {dataset.place} changed "
            f"({'; '.join(wrong)})",
            UNPIN_FIRST if entry.pinned else AGAIN,
        )


def quoted(name: str) -> str:
    """Quote a name for PostgreSQL and DuckDB: any case, reserved words too."""
    return '"' + name.replace('"', '""') + '"'
