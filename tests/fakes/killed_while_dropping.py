"""Drop green 2020-10 repeatedly, each time killed (SIGKILL) before one of its effects.

python -m fakes.killed_while_dropping PLACES

PLACES is JSON: {"folder": PATH}, {"s3": URL, "bucket": NAME, "database": URL}, or {"gcs": NAME,
"folder": PREFIX}. For each number N on standard input, a fork is killed before its Nth effect and
its exit code is printed; 0 means that it had fewer effects.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from core.storage.bucket import Bucket, FolderBucket
from monthly.dropping import drop_month, find_remains
from monthly.month import Month
from monthly.warehouses import Warehouse

#: None connects before its first use, which is in a fork.
Opened = tuple[Bucket, Warehouse]
_MONTH = Month("green", 2020, 10)
_STATEMENTS = ("ALTER", "DELETE", "DROP")
_REQUESTS = ("DELETE", "PATCH", "POST", "PUT")


class Effects:
    """Counts effects, and kills this process before the last one allowed.

    Attributes:
        left: effects that remain; 0 disables counting.
    """

    left = 0

    def count(self) -> None:
        """Count an effect that is about to happen."""
        if self.left:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


effects = Effects()


def open_folder(where: dict[str, str]) -> Opened:
    """Open a folder and a DuckDB file; effects are each removal and the one transaction."""
    from monthly.warehouses.duckdb import DuckDBFile

    class Counted(DuckDBFile):
        def drop(self, month: Month) -> None:
            effects.count()
            super().drop(month)

    sys.addaudithook(lambda event, args: effects.count() if event == "os.remove" else None)
    root = Path(where["folder"])
    return FolderBucket(root / "bucket"), Counted(root / "trips.duckdb")


def open_s3(where: dict[str, str]) -> Opened:
    """Open S3 and Postgres; effects are requests and statements that change data, and commits."""
    from psycopg2 import extensions
    from sqlalchemy.engine import make_url

    from fakes.s3 import store
    from monthly.warehouses.postgres_connection import postgres_at

    class CountedConnection(extensions.connection):  # type: ignore[misc] # psycopg2 ships no types
        def commit(self) -> None:
            effects.count()
            super().commit()

    class CountedCursor(extensions.cursor):  # type: ignore[misc] # the same
        def execute(self, query: str, values: Any = None) -> None:
            if query.startswith(_STATEMENTS):
                effects.count()
            super().execute(query, values)

    _count_requests()
    counted = {"connection_factory": CountedConnection, "cursor_factory": CountedCursor}
    database = postgres_at(make_url(where["database"]), counted)
    bucket = store(where["s3"], where["bucket"])
    bucket.connection.client()  # once, as it takes a third of a second
    return bucket, database


def open_google(where: dict[str, str]) -> Opened:
    """Open Cloud Storage and BigQuery; effects are the requests that change data."""
    import google.auth
    from google.cloud import bigquery, storage

    from core.storage.gcs import GcsStore
    from monthly.warehouses.bigquery import BigQuery

    _count_requests()
    account, project = google.auth.default()
    bucket = storage.Client(project, account).bucket(where["gcs"])
    return GcsStore(bucket, where["folder"]), BigQuery(bigquery.Client(), "trips_data_all")


def _count_requests() -> None:
    send: Callable[..., None] = HTTPConnection.putrequest

    def counted(self: HTTPConnection, method: str, *arguments: Any, **named: Any) -> None:
        if method in _REQUESTS:
            effects.count()
        send(self, method, *arguments, **named)

    HTTPConnection.putrequest = counted  # type: ignore[method-assign] # counts each request


def _drop(bucket: Bucket, warehouse: Warehouse, before: int) -> None:
    remains = find_remains(_MONTH, bucket, warehouse)
    effects.left = before
    drop_month(remains, bucket, warehouse)


def _main() -> None:
    where = json.loads(sys.argv[1])
    opened = open_s3 if "s3" in where else open_google if "gcs" in where else open_folder
    bucket, warehouse = opened(where)
    for number in sys.stdin:
        process = os.fork()
        if not process:
            _drop(bucket, warehouse, int(number))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    _main()
