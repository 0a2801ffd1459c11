"""The columns of a table as BigQuery's API has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.cloud.bigquery import SchemaField

from monthly.columns import Column, Kind
from monthly.warehouses.table_columns import Changes

#: BigQuery's types as its API names them; DATETIME has no time zone.
TYPES: Mapping[Kind, str] = {
    "int64": "INTEGER",
    "float64": "FLOAT",
    "string": "STRING",
    "timestamp": "DATETIME",
    "date": "DATE",
    "boolean": "BOOLEAN",
}


def type_of(column: Column) -> str:
    """Return BigQuery's type of a column."""
    whole, scale = column.digits
    if column.kind == "decimal":
        return "NUMERIC" if scale <= 9 and whole - scale <= 29 else "BIGNUMERIC"
    return TYPES[column.kind]


def field_of(column: Column) -> SchemaField:
    """Return a new column."""
    return SchemaField(column.name, type_of(column), description=column.about)


def changed_fields(fields: Sequence[SchemaField], changes: Changes) -> list[SchemaField]:
    """Return the columns of a table in order, new ones last: BigQuery inserts none between."""
    new = {column.name.lower(): column for column in changes.described}
    moved = {column.name.lower() for column in changes.replaced}
    stay = [f for f in fields if f.name.lower() not in moved]
    stay = [_described(f, new.pop(f.name.lower(), None)) for f in stay]
    return [*stay, *map(field_of, new.values())]


def _described(field: SchemaField, column: Column | None) -> SchemaField:
    """Return a field with a column's description; policy tags, for example, stay."""
    if column is None:
        return field
    return SchemaField.from_api_repr({**field.to_api_repr(), "description": column.about})
