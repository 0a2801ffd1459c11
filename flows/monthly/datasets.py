"""The four datasets, and the mapping from a published header to the schema of each."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from core.errors import Remedy, SchemaError
from monthly import columns
from monthly.columns import Column, Kind
from monthly.month import Month

ARROW_TYPES: Mapping[Kind, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}
#: Row-number columns that pandas left in some published files (yellow 2010-02 and 2010-03).
_ROW_NUMBERS = frozenset({"indexlevel0", "unnamed0", "index"})


@dataclass(frozen=True)
class Dataset:
    """One of TLC's datasets.

    Attributes:
        name: yellow, green, fhv or fhvhv.
        columns: every column of every vintage, in TLC's order.
        pickup: name of the pickup time column.
        dropoff: name of the drop-off time column.
        distance: name of the distance column, miles, if any.
        total: name of the column whose amount must not be negative, if any.
        fare: name of the column with the fare without tips, tolls and fees, if any.
        zone: name of the column with the taxi zone of the pickup.
    """

    name: str
    columns: tuple[Column, ...]
    pickup: str
    dropoff: str
    distance: str | None = None
    total: str | None = None
    fare: str | None = None
    zone: str = "PULocationID"

    @property
    def table(self) -> str:
        """Return the name of the dataset's table in a warehouse."""
        return f"{self.name}_trips"

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the canonical Arrow schema, the same for every vintage."""
        return pa.schema(
            [
                pa.field(c.name, ARROW_TYPES[c.kind], metadata={"description": c.about})
                for c in self.columns
            ]
        )

    @cached_property
    def known_names(self) -> Mapping[str, Column]:
        """Return every name a published file may use for a column, folded."""
        readable = [c for c in self.columns if not c.derived]
        return {fold(name): c for c in readable for name in (*c.aliases, c.name)}

    def column(self, name: str) -> Column | None:
        """Return the column with this name in a file of any vintage or in a converted file."""
        own = (c for c in self.columns if c.name == name)
        return next(own, self.known_names.get(fold(name)))


@dataclass(frozen=True)
class Mapped:
    """The mapping of a published file's fields to columns.

    Attributes:
        columns: one entry per field of the file; None for a field to leave out.
        renamed: published and canonical name where they differ.
        unknown: names that are not declared.
        missing: columns of the dataset that the file lacks; null in every row.
        published: the published name of each field.
        twins: indexes of fields that map to the same column as an earlier field.
        read: further notes on how the file is read.
    """

    columns: tuple[Column | None, ...]
    renamed: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    published: tuple[str, ...] = ()
    twins: frozenset[int] = frozenset()
    read: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Return a unique name for each field: its column's name, or its index."""
        return [
            c.name if c and place not in self.twins else f"#{place}"
            for place, c in enumerate(self.columns)
        ]


DATASETS: Mapping[str, Dataset] = {
    "yellow": Dataset(
        "yellow",
        columns.YELLOW,
        "tpep_pickup_datetime",
        "tpep_dropoff_datetime",
        "trip_distance",
        "total_amount",
        "fare_amount",
    ),
    "green": Dataset(
        "green",
        columns.GREEN,
        "lpep_pickup_datetime",
        "lpep_dropoff_datetime",
        "trip_distance",
        "total_amount",
        "fare_amount",
    ),
    "fhv": Dataset("fhv", columns.FHV, "pickup_datetime", "dropOff_datetime", zone="PUlocationID"),
    "fhvhv": Dataset(
        "fhvhv",
        columns.FHVHV,
        "pickup_datetime",
        "dropoff_datetime",
        "trip_miles",
        "base_passenger_fare",
        "base_passenger_fare",
    ),
}


def map_header(
    month: Month, names: Sequence[str], strict: bool = True, empty: Container[int] = ()
) -> Mapped:
    """Find the column of each published name.

    Args:
        month: the month of the file.
        names: the names as published, in file order.
        strict: whether an unknown column or a missing required column is an error.
        empty: indexes of fields to leave out, each replaced by another field.

    Raises:
        SchemaError: no name is known, the names belong to another dataset, or (strict) a name
            is unknown or a required column is missing.
    """
    dataset = DATASETS[month.dataset]
    known = [dataset.known_names.get(fold(name)) for name in names]
    found = [None if place in empty else c for place, c in enumerate(known)]
    present = {c.name for c in found if c}
    _refuse_other_dataset(month, names, present)
    unknown = [n for n, c in zip(names, known) if not c and not _is_row_number(n)]
    missing = [c for c in dataset.columns if c.name not in present and not c.derived]
    if strict:
        _refuse_drift(month, unknown, [c.name for c in missing if c.required])
    renamed = [(n, c.name) for n, c in zip(names, found) if c and n != c.name]
    absent = tuple(c.name for c in missing)
    return Mapped(tuple(found), tuple(renamed), tuple(unknown), absent, tuple(names), _twins(found))


def fold(name: str) -> str:
    """Return a name in lower case, without spaces, underscores and punctuation."""
    return "".join(filter(str.isalnum, name)).lower()


def both_mean(month: Month, one: str, other: str, column: str) -> SchemaError:
    """Return the error for two published columns that both hold values of one column."""
    return SchemaError(
        f"{month}: columns {one!r} and {other!r} both mean {column}, and both have values; "
        "remove one from the file"
    )


def _is_row_number(name: str) -> bool:
    return not name.strip() or fold(name) in _ROW_NUMBERS


def _twins(found: Sequence[Column | None]) -> frozenset[int]:
    names = [c.name if c else "" for c in found]
    return frozenset(p for p, name in enumerate(names) if name and name in names[:p])


def _refuse_other_dataset(month: Month, names: Sequence[str], present: Container[str]) -> None:
    """Raise if another dataset fits the header better; some datasets share most names."""
    folded = {fold(name) for name in names}
    fits = {name: len(folded & d.known_names.keys()) for name, d in DATASETS.items()}
    best = max(fits, key=lambda name: fits[name])
    own = DATASETS[month.dataset]
    if not fits[best]:
        raise SchemaError(
            f"{month}: no column of the file is known, the first is {''.join(names[:1])[:80]!r}; "
            f"is it a file of {own.name} trips?"
        )
    lacks = [c.name for c in own.columns if c.required and c.name not in present]
    if fits[best] > fits[own.name] and (lacks or "hvfhslicensenum" in folded):
        raise SchemaError(
            f"{month}: this is a file of {best} trips: {best} has {fits[best]} of its columns, "
            f"{own.name} {fits[own.name]}; run it as {best}, or correct its address"
        )


def _refuse_drift(month: Month, unknown: Sequence[str], absent: Sequence[str]) -> None:
    way_out = f"declare it under {month.dataset.upper()} in flows/monthly/columns.py"
    if unknown:
        raise SchemaError(
            f"{month}: unknown column {', '.join(map(repr, unknown))}",
            way_out,
            Remedy("strict", False, "to leave it out"),
        )
    if absent:
        raise SchemaError(
            f"{month}: the file has no column {', '.join(absent)}, which every vintage of "
            f"{month.dataset} has",
            "check the file",
            Remedy("strict", False, "to load nulls"),
        )
