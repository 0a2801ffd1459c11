"""Datasets and tables: a DuckDB schema for each, and what the API returns about them."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from fakes.google.answers import Answer, Refused, Request, unsupported
from fakes.google.sql import ALIASES, TYPES

#: GoogleSQL functions as DuckDB functions.
MACROS = (
    "format_date(format, day) AS strftime(day, format)",
    "byte_length(t) AS strlen(t)",
    "is_nan(x) AS isnan(x)",
    "is_inf(x) AS isinf(x)",
    "logical_and(x) AS bool_and(x)",
    "logical_or(x) AS bool_or(x)",
    "unix_date(day) AS date_diff('day', DATE '1970-01-01', day)",
    "unix_micros(t) AS epoch_us(t)",
)
PARTITIONS = "INFORMATION_SCHEMA.PARTITIONS"
Resource = dict[str, Any]
#: Bytes of a value, where they are not eight.
_WIDTHS = {"BOOLEAN": 1, "NUMERIC": 16, "BIGNUMERIC": 32}


class Tables:
    """All datasets of a project.

    Attributes:
        db: holds the rows.
        datasets: what the API returns about each dataset, by id.
        tables: what the API returns about each table, by dataset and table.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        self.datasets: dict[str, Resource] = {}
        self.tables: dict[tuple[str, str], Resource] = {}
        self._changes = itertools.count(1)
        self._clock = dt.datetime(2021, 6, 1, tzinfo=dt.timezone.utc)
        db.execute("SET TimeZone = 'UTC'")
        for macro in MACROS:
            db.execute(f"CREATE MACRO {macro}")

    def answer(self, project: str, method: str, parts: Sequence[str], request: Request) -> Answer:
        """Process a request below `/datasets`."""
        match [method, *parts]:
            case ["POST"]:
                return Answer(self._make_dataset(request.json()))
            case ["GET"]:
                return Answer({"datasets": list(self.datasets.values())})
            case ["GET", dataset]:
                return Answer(self._dataset(dataset))
            case ["POST", dataset, "tables"]:
                return Answer(self._make_table(dataset, request.json()))
            case ["GET", dataset, "tables", table]:
                return Answer(self.need(dataset, table) | self._sizes(dataset, table))
            case ["PATCH", dataset, "tables", table]:
                return Answer(self._change(dataset, table, request))
            case ["DELETE", dataset, "tables", table] if "$" in table:
                return self._drop_partition(dataset, table)
        raise unsupported(request)

    def _sizes(self, dataset: str, table: str) -> Resource:
        counted = self.db.execute(f'SELECT count(*) FROM "{dataset}"."{table}"').fetchone()
        size = self._read(dataset, table, "SELECT *")
        return {"numRows": str(counted[0] if counted else 0), "numBytes": str(size)}

    def _drop_partition(self, dataset: str, name: str) -> Answer:
        table, _, partition = name.partition("$")
        column = self.need(dataset, table)["timePartitioning"]["field"]
        where = f"strftime({column}, '%Y%m') = ?"
        self.db.execute(f'DELETE FROM "{dataset}"."{table}" WHERE {where}', [partition])
        self._note(dataset, table, partition, 0)
        return Answer({})

    def drop(self, dataset: str) -> None:
        """Delete a dataset with its tables."""
        del self.datasets[dataset]
        self.tables = {name: found for name, found in self.tables.items() if name[0] != dataset}
        self.db.execute(f'DROP SCHEMA "{dataset}" CASCADE')

    def drop_column(self, dataset: str, table: str, column: str) -> None:
        """Delete a column of a table."""
        self.db.execute(f'ALTER TABLE "{dataset}"."{table}" DROP COLUMN "{column}"')
        schema = self.tables[dataset, table]["schema"]
        schema["fields"] = [field for field in schema["fields"] if field["name"] != column]

    def need(self, dataset: str, table: str) -> Resource:
        """Return a table, or refuse if it is missing."""
        self._dataset(dataset)
        if table == PARTITIONS:
            return {}
        if (dataset, table) not in self.tables:
            raise Refused(404, f"Not found: Table {dataset}.{table} was not found in location US")
        return self.tables[dataset, table]

    def replace(
        self, target: Mapping[str, str], schema: Resource, path: Path, unknown: bool = False
    ) -> int:
        """Replace the rows of a partition with those of a Parquet file; return how many there are.

        Args:
            target: the partition.
            schema: schema of the rows.
            path: the file.
            unknown: whether columns that the schema lacks are ignored instead of refused.
        """
        dataset = target["datasetId"]
        table, _, partition = target["tableId"].partition("$")
        resource = self.need(dataset, table)
        if not partition:
            raise Refused(501, "only partitions are replaced in this stand-in")
        _same_columns(resource["schema"], schema)
        name, column = f'"{dataset}"."{table}"', resource["timePartitioning"]["field"]
        self._check(resource, path, unknown)
        self._check_months(path, f"strftime({column}, '%Y%m')", partition)
        names = [f["name"].lower() for f in resource["schema"]["fields"]]
        self.db.begin()
        self.db.execute(f"DELETE FROM {name} WHERE strftime({column}, '%Y%m') = ?", [partition])
        self.db.execute(
            f"INSERT INTO {name} BY NAME "
            "SELECT COLUMNS(lambda name: list_contains($1, lower(name))) FROM read_parquet($2)",
            [names, str(path)],
        )
        counted = self.db.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
        rows = int(counted[0]) if counted else 0
        self._note(dataset, table, partition, rows)
        self.db.commit()
        if "defaultPartitionExpirationMs" in self.datasets[dataset]:  # all months are that old
            self._drop_partition(dataset, target["tableId"])
        return rows

    def note_change(self, dataset: str, table: str, partition: str) -> None:
        """Record that the rows of a partition were changed."""
        query = (
            f'SELECT count(*) FROM "{dataset}"."{table}" WHERE strftime(file_month, \'%Y%m\') = ?'
        )
        counted = self.db.execute(query, [partition]).fetchone()
        self._note(dataset, table, partition, int(counted[0]) if counted else 0)

    def drop_table(self, dataset: str, table: str) -> None:
        """Delete a table."""
        del self.tables[dataset, table]
        self.db.execute(f'DROP TABLE "{dataset}"."{table}"')
        partitions = f'"{dataset}"."{PARTITIONS}"'
        self.db.execute(f"DELETE FROM {partitions} WHERE table_name = ?", [table])

    def _note(self, dataset: str, table: str, partition: str, rows: int) -> None:
        self._clock += dt.timedelta(microseconds=1)
        self.tables[dataset, table]["etag"] = f"etag{next(self._changes)}"
        name = f'"{dataset}"."{PARTITIONS}"'
        self.db.execute(
            f"DELETE FROM {name} WHERE table_name = ? AND partition_id = ?", [table, partition]
        )
        if rows:
            values = [table, partition, rows, self._clock.isoformat()]
            self.db.execute(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", values)

    def size_of(self, sql: str) -> int:
        """Return the bytes that a query reads: the columns and months that it names."""
        names = set(re.findall(r'"([^"]+)"\."([^"]+)"', sql))
        self._need_filter(names, sql)
        sizes = [self._read(dataset, name, sql) for dataset, name in names if name != PARTITIONS]
        return sum(sizes)

    def _need_filter(self, names: set[tuple[str, str]], sql: str) -> None:
        """Refuse a query of all months of a table that requires a filter."""
        for dataset, name in names:
            required = self.need(dataset, name).get("requirePartitionFilter")
            if required and not re.search(r"WHERE file_month (=|>=|IN) ", sql):
                raise Refused(
                    400,
                    f"Cannot query over table '{dataset}.{name}' without a filter over column(s) "
                    "'file_month' that can be used for partition elimination",
                )

    def _read(self, dataset: str, table: str, sql: str) -> int:
        fields = self.need(dataset, table)["schema"]["fields"]
        every = re.search(r"\.\*|SELECT \*", sql)
        widths = [_width(f) for f in fields if every or re.search(rf"\b{f['name']}\b", sql)]
        months = re.search(r"file_month (IN \([^)]*\)|= DATE '[^']*')", sql)
        where = f" WHERE {months[0]}" if months else ""
        query = f'SELECT {" + ".join(widths) or "0"} FROM "{dataset}"."{table}"{where}'
        found = self.db.execute(query).fetchone()
        return int(found[0] or 0) if found else 0

    def overwrite(self, target: Mapping[str, str], sql: str) -> None:
        """Overwrite all rows of a table with the result of a query, and adopt its columns."""
        dataset, table = target["datasetId"], target["tableId"]
        resource, name = self.need(dataset, table), f'"{dataset}"."{table}"'
        self.db.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}")
        types = {f["name"]: f["type"] for f in resource["schema"]["fields"]}
        there = [row[0] for row in self.db.execute(f"DESCRIBE {name}").fetchall()]
        # The columns of a query have no descriptions; a renamed one is text here.
        fields = [{"name": n, "type": types.get(n, "STRING"), "mode": "NULLABLE"} for n in there]
        resource["schema"] = {"fields": fields}
        column = resource["timePartitioning"]["field"]
        query = f"SELECT strftime({column}, '%Y%m'), count(*) FROM {name} GROUP BY 1"
        for partition, rows in self.db.execute(query).fetchall():
            self._note(dataset, table, partition, rows)

    def _check(self, resource: Resource, path: Path, unknown: bool) -> None:
        """Refuse a Parquet file whose types do not match the schema."""
        wanted = {f["name"].lower(): f["type"] for f in resource["schema"]["fields"]}
        try:
            found = self.db.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()
        except duckdb.Error as error:
            raise Refused(400, f"Error while reading data: {error}") from error
        for name, kind, *_ in found:
            type_ = wanted.get(name.lower())
            if not ((unknown and type_ is None) or _fits(kind, type_)):
                raise Refused(400, f"Parquet column '{name}' has type {kind}, not {type_}")

    def _check_months(self, path: Path, month: str, partition: str) -> None:
        """Refuse rows that belong to another partition."""
        query = f"SELECT count(*) FROM read_parquet(?) WHERE {month} IS DISTINCT FROM ?"
        if self.db.execute(query, [str(path), partition]).fetchone() != (0,):
            raise Refused(400, f"Some rows belong to different partitions than {partition}")

    def _dataset(self, dataset: str) -> Resource:
        if dataset not in self.datasets:
            raise Refused(404, f"Not found: Dataset {dataset} was not found in location US")
        return self.datasets[dataset]

    def _make_dataset(self, resource: Resource) -> Resource:
        dataset = resource["datasetReference"]["datasetId"]
        if dataset in self.datasets:
            raise Refused(409, f"Already Exists: Dataset {dataset}")
        self.datasets[dataset] = {"location": "US"} | resource
        self.db.execute(f'CREATE SCHEMA "{dataset}"')
        self.db.execute(
            f'CREATE TABLE "{dataset}"."{PARTITIONS}" (table_name VARCHAR, partition_id VARCHAR, '
            "total_rows BIGINT, last_modified_time TIMESTAMPTZ)"
        )
        return self.datasets[dataset]

    def _make_table(self, dataset: str, resource: Resource) -> Resource:
        self._dataset(dataset)
        table = resource["tableReference"]["tableId"]
        if (dataset, table) in self.tables:
            raise Refused(409, f"Already Exists: Table {dataset}.{table}")
        if resource.get("timePartitioning", {"type": "MONTH"})["type"] != "MONTH":
            raise Refused(501, "only months are partitions in this stand-in")
        fields = _fields(resource["schema"])
        columns = ", ".join(f'"{f["name"]}" {TYPES[f["type"]]}' for f in fields)
        self.db.execute(f'CREATE TABLE "{dataset}"."{table}" ({columns})')
        own = {"type": "TABLE", "schema": {"fields": fields}, "etag": f"etag{next(self._changes)}"}
        self.tables[dataset, table] = {**resource, **own}
        return self.tables[dataset, table]

    def _change(self, dataset: str, table: str, request: Request) -> Resource:
        resource, change = self.need(dataset, table), request.json()
        if request.headers.get("if-match", resource["etag"]) != resource["etag"]:
            raise Refused(412, "Precondition check failed.")
        if not set(change) <= {"schema", "description"}:
            raise Refused(501, f"a change of {set(change)} is not part of this stand-in")
        there = [f["name"] for f in resource["schema"]["fields"]]
        fields = _fields(change["schema"])
        if [f["name"] for f in fields][: len(there)] != there:
            raise Refused(400, f"Provided Schema does not match Table {dataset}.{table}")
        for field in fields[len(there) :]:
            column = f'"{field["name"]}" {TYPES[field["type"]]}'
            self.db.execute(f'ALTER TABLE "{dataset}"."{table}" ADD COLUMN {column}')
        resource |= change | {"schema": {"fields": fields}, "etag": f"etag{next(self._changes)}"}
        return resource


def _width(field: Resource) -> str:
    """Return SQL for the bytes of a column; nulls take none (Google, "Data type sizes")."""
    name, kind = f'"{field["name"]}"', field["type"]
    if kind == "STRING":
        return f"coalesce(sum(2 + strlen({name}::VARCHAR)), 0)"
    return f"count({name}) * {_WIDTHS.get(kind, 8)}"


def _fields(schema: Resource) -> list[Resource]:
    """Return the fields with the API's type names, whichever aliases were sent."""
    return [{**f, "type": ALIASES.get(f["type"], f["type"])} for f in schema["fields"]]


def _same_columns(there: Resource, sent: Resource) -> None:
    """Refuse a load into a partition whose columns are not those of the table."""
    wanted = {f["name"]: f["type"] for f in there["fields"]}
    for field in _fields(sent):
        if wanted.pop(field["name"], None) != field["type"]:
            raise Refused(400, f"Provided Schema does not match Table. Field {field['name']}")
    if wanted:
        name = min(wanted)
        raise Refused(
            400, f"Provided Schema does not match Table. Field {name} is missing in new schema"
        )


def _fits(kind: str, type_: str | None) -> bool:
    """Return whether values of a DuckDB type fit a BigQuery type."""
    digits = [int(text) for text in re.findall(r"\d+", kind)]
    if not kind.startswith("DECIMAL"):
        return type_ is not None and TYPES[type_] == kind
    fits = digits[1] <= 9 and digits[0] - digits[1] <= 29
    if type_ == "BIGNUMERIC" and not fits and (digits[1] > 18 or digits[0] - digits[1] > 20):
        raise Refused(501, f"{kind} has more digits than this stand-in")
    return type_ == ("NUMERIC" if fits else "BIGNUMERIC")
