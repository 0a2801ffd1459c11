"""Measures the disk space of a warehouse's rows, to estimate that of further months."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monthly.datasets import DATASETS
from monthly.warehouses import Warehouse

if TYPE_CHECKING:
    from monthly.warehouses.bigquery import BigQuery
    from monthly.warehouses.duckdb import DuckDBFile
    from monthly.warehouses.postgres import Postgres

_SIZE = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(to_regclass(%s))"
#: PostgreSQL locks what it measures; an estimate is not worth waiting for a VACUUM FULL.
_LOCK_SECONDS = 3
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Space:
    """The disk space of a row in a warehouse.

    Attributes:
        row_bytes: bytes of a row with its share of indexes; None if there are no rows yet, or
            another session has locked the table.
        folder: the folder of the rows on this machine; None if they are elsewhere or unknown.
    """

    row_bytes: float | None = None
    folder: Path | None = None


def space_of(warehouse: Warehouse, dataset: str) -> Space:
    """Return the disk space of a dataset's rows in a warehouse, without creating anything.

    Raises:
        StorageError: the warehouse failed.
    """
    # By name: importing a warehouse's class takes up to a second, which the others do not need.
    measure = _SPACES.get(type(warehouse).__name__)
    return measure(warehouse, dataset) if measure else Space()


def _duckdb(warehouse: DuckDBFile, dataset: str) -> Space:
    """Share the whole file among the rows of all its tables."""
    from monthly.warehouses.duckdb_opening import opened, real_file

    folder = real_file(warehouse.path).parent
    if not warehouse.path.exists():
        return Space(None, folder)
    with opened(dataset, warehouse.path, read_only=True) as db:
        found = db.execute("SELECT sum(estimated_size) FROM duckdb_tables()").fetchone()
    rows = found[0] if found else None
    return Space(warehouse.path.stat().st_size / int(rows) if rows else None, folder)


def _postgres(warehouse: Postgres, dataset: str) -> Space:
    # Imported late: a run without Postgres does not need its driver.
    import psycopg2

    from monthly.warehouses.postgres_errors import meant

    rows = sum(each.rows for each in warehouse.recorded(dataset).values())
    is_local = warehouse.label.rpartition(":")[0] in _LOCAL_HOSTS
    try:
        with closing(warehouse.connect()) as db, db, db.cursor() as sql:
            folder = _data_folder(sql) if is_local else None
            size = _size_of(sql, DATASETS[dataset].table)
    except psycopg2.errors.LockNotAvailable:
        return Space(None, folder)
    except psycopg2.Error as error:
        raise meant(dataset, warehouse.label, error) from error
    return Space(size / rows if size and rows else None, folder)


def _size_of(sql: Any, table: str) -> float:
    sql.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS * 1000:.0f}ms'")
    sql.execute(_SIZE, [table])
    return float(sql.fetchone()[0] or 0)


def _data_folder(sql: Any) -> Path | None:
    """Return the server's folder; only some users may read it (PostgreSQL, pg_settings)."""
    sql.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    found = sql.fetchone()
    return Path(found[0]) if found else None


def _bigquery(warehouse: BigQuery, dataset: str) -> Space:
    from monthly.warehouses.bigquery_bytes import row_bytes

    return Space(row_bytes(warehouse, DATASETS[dataset]))


_SPACES: Mapping[str, Callable[[Any, str], Space]] = {
    "DuckDBFile": _duckdb,
    "Postgres": _postgres,
    "BigQuery": _bigquery,
}
