"""Translate GoogleSQL to DuckDB's SQL: quoted names, parameters, types of results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from fakes.google.answers import Refused

#: BigQuery's types, by the names that its API returns, and DuckDB's.
TYPES = {
    "INTEGER": "BIGINT",
    "FLOAT": "DOUBLE",
    "STRING": "VARCHAR",
    "DATETIME": "TIMESTAMP",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "BOOLEAN": "BOOLEAN",
    "NUMERIC": "DECIMAL(38,9)",
    # BigQuery allows 38 digits after the point; DuckDB has 38 in all.
    "BIGNUMERIC": "DECIMAL(38,18)",
}
ALIASES = {"INT64": "INTEGER", "FLOAT64": "FLOAT"}
_NAME = re.compile(r"`(?:([\w-]+)\.)?(\w+)\.(INFORMATION_SCHEMA\.PARTITIONS|\w+)`")
_COLUMN = re.compile(r"`(\w+)`")
_PARAMETER = re.compile(r"@(\w+)")


def translated(
    query: Mapping[str, Any], need: Callable[[str, str], object]
) -> tuple[str, dict[str, Any]]:
    """Return the statement for DuckDB, and the values of its parameters.

    Args:
        query: configuration of a query job.
        need: called with the dataset and table of every name; raises if one is missing.
    """
    if query.get("useLegacySql") is not False:
        raise Refused(501, "legacy SQL is not part of this stand-in")
    given = {p["name"]: p for p in query.get("queryParameters", ())}
    types = {name: ALIASES.get(t := p["parameterType"]["type"], t) for name, p in given.items()}

    def named(match: re.Match[str]) -> str:
        need(match[2], match[3])
        return f'"{match[2]}"."{match[3]}"'

    def bound(match: re.Match[str]) -> str:
        if match[1] not in given:
            raise Refused(400, f"Query parameter '{match[1]}' not found")
        return f"CAST(${match[1]} AS {TYPES[types[match[1]]]})"

    sql = _COLUMN.sub(r'"\1"', _NAME.sub(named, query["query"]))
    sql = sql.replace(" AS NUMERIC)", f" AS {TYPES['NUMERIC']})")
    sql = _PARAMETER.sub(bound, sql.replace("* EXCEPT (", "* EXCLUDE ("))
    return sql, {name: p["parameterValue"].get("value") for name, p in given.items()}


def rows_of(
    db: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any]
) -> tuple[list[dict[str, str]], list[dict[str, Any]], str | None]:
    """Return the fields and rows of a query; for MERGE or DELETE, the number of changed rows."""
    if sql.lstrip().upper().startswith(("MERGE", "DELETE")):
        changed = db.execute(sql, values).fetchone()
        return [], [], str(changed[0] if changed else 0)
    described = db.execute(f"DESCRIBE {sql}", values).fetchall()
    names = {duck: google for google, duck in TYPES.items()} | {"HUGEINT": "INTEGER"}  # of SUM
    fields = [
        {"name": name, "type": names[duck], "mode": "NULLABLE"} for name, duck, *_ in described
    ]
    shown = ", ".join(_shown(field) for field in fields)
    rows = db.execute(f"SELECT {shown} FROM ({sql})", values).fetchall()
    return fields, [{"f": [{"v": value} for value in row]} for row in rows], None


def _shown(field: Mapping[str, str]) -> str:
    """Return a value as the API writes it: all text, a timestamp in microseconds."""
    name = f'"{field["name"]}"'
    if field["type"] == "TIMESTAMP":
        return f"CAST(epoch_us({name}) AS VARCHAR)"
    if field["type"] == "DATETIME":
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%f')"
    return f"CAST({name} AS VARCHAR)"
