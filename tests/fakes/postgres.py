"""Run a real PostgreSQL server on a free port of 127.0.0.1 for the test session."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from filelock import FileLock
from sqlalchemy.engine import URL

import postgres_server
from core.scratch import this_user
from monthly.warehouses.postgres import Postgres
from monthly.warehouses.postgres_connection import postgres_at
from postgres_server import DATABASE, HOST, USER, Server, free_port

PASSWORD = "a secret: @/%#"


@dataclass(frozen=True)
class Database:
    """A database of the server."""

    server: Server
    port: int
    name: str

    @property
    def url(self) -> URL:
        """Return the database's URL for SQLAlchemy."""
        return URL.create("postgresql+psycopg2", USER, PASSWORD, HOST, self.port, self.name)

    def warehouse(self) -> Postgres:
        """Return the database as the flows use it."""
        return postgres_at(self.url, {})

    def block(self) -> Any:
        """Return the block that a person would save for it."""
        # Imported here: tests without Prefect use this module too.
        from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

        components = ConnectionComponents(
            driver=SyncDriver.POSTGRESQL_PSYCOPG2,
            username=USER,
            password=PASSWORD,
            host=HOST,
            port=str(self.port),
            database=self.name,
        )
        return SqlAlchemyConnector(connection_info=components)

    def connect(self) -> Any:
        """Return a connection that commits each statement, to inspect the data."""
        db = psycopg2.connect(
            host=HOST, port=self.port, dbname=self.name, user=USER, password=PASSWORD
        )
        db.autocommit = True
        return db

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, whose counts are in the server's statistics then."""
        with closing(self.connect()) as db, db.cursor() as sql:
            sql.execute(statement)
            rows = list(sql.fetchall()) if sql.description else []
            if db.server_version >= 150_000:  # otherwise, as the session ends
                sql.execute("SELECT pg_stat_force_next_flush()")
            return rows

    def tables(self) -> set[str]:
        """Return everything in the database except indexes."""
        rows = self.query(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind NOT IN ('i', 'I')"
        )
        return {name for (name,) in rows}

    def empty(self) -> None:
        """End all sessions and empty the schema; a new database would take ten times as long."""
        self.query(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        self.query(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner; "
            "GRANT USAGE ON SCHEMA public TO PUBLIC"
        )

    def wait_until(self, true: str) -> None:
        """Wait until a query returns true."""
        deadline = time.monotonic() + 60
        while not self.query(true)[0][0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def running_server(cache: Path) -> Iterator[tuple[Server, int]]:
    """Run a server in its own temporary folder, which is deleted at the end.

    Args:
        cache: folder with a copy of a new cluster; the first caller makes it.
    """
    # Only pytest's user may enter its folder, and root runs the server as another user.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    server = Server(folder / "data", PASSWORD)
    try:
        _make(server, cache)
        port = free_port()
        server.start(port)
        _hasten(Database(server, port, DATABASE))
        yield server, port
    finally:
        if server.is_running():
            server.stop("immediate")
        shutil.rmtree(folder)


def _make(server: Server, cache: Path) -> None:
    """Create the cluster as a copy, which takes a tenth of the time."""
    how = Path(postgres_server.__file__).read_text() + PASSWORD + this_user()
    how += server._called("postgres", "--version").stdout
    made = cache / hashlib.sha256(how.encode()).hexdigest()[:16]
    with FileLock(cache / "lock"):
        if made.exists():
            _copy(made, server.folder)
            return
        for old in filter(Path.is_dir, cache.iterdir()):
            shutil.rmtree(old)
        server._make()
        _copy(server.folder, cache / "unfinished")
        (cache / "unfinished").rename(made)


def _copy(folder: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", folder, target], check=True)  # with its owner, who runs the server


def _hasten(database: Database) -> None:
    """Turn off fsync, as tests kill servers, not the machine; hash the password once for a login.

    The usual 4096 times take longer than the rest of a connection.
    """
    database.query("ALTER SYSTEM SET fsync = off")
    database.query("SELECT pg_reload_conf()")
    if int(database.query("SHOW server_version_num")[0][0]) >= 160_000:
        database.query(f"SET scram_iterations = 1; ALTER ROLE {USER} PASSWORD '{PASSWORD}'")


@contextmanager
def new_database(server: Server, port: int, name: str, options: str = "") -> Iterator[Database]:
    """Create a database with these options, and drop it at the end."""
    first = Database(server, port, DATABASE)
    first.query(f"CREATE DATABASE {name} {options}")
    yield Database(server, port, name)
    first.query(f"DROP DATABASE {name} WITH (FORCE)")
