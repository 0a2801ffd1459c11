"""Compare this project's loads into PostgreSQL with the course's way and the server's own COPY."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
from sqlalchemy.engine import URL

from figure import Figure
from postgres_server import DATABASE, HOST, USER, Server, free_port

WAYS = Path(__file__).with_name("postgres_ways.py")
DLT_WAYS = Path(__file__).with_name("dlt_ways.py")
#: Python of the environment that `make bench` creates from peers-requirements.txt.
DLT = Path(sys.prefix, "peers", "bin", "python")
PASSWORD = "bench"  # noqa: S105 - the server lives for a minute
TABLES = ("yellow_trips", "loaded_months")


@dataclass(frozen=True)
class Place:
    """A running server, and a folder for files."""

    server: Server
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Return the URL of the server's database."""
        url = URL.create("postgresql+psycopg2", USER, PASSWORD, HOST, self.port, DATABASE)
        return url.render_as_string(hide_password=False)

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; return the rows of the last one."""
        known = {"host": HOST, "port": self.port, "user": USER, "password": PASSWORD}
        with closing(psycopg2.connect(dbname=DATABASE, **known)) as db, db.cursor() as sql:
            db.autocommit = True
            for statement in statements:
                sql.execute(statement)
            return list(sql.fetchall()) if sql.description else []

    def way(self, way: str, source: Path) -> dict[str, float]:
        """Run one way in its own process."""
        done = subprocess.run(self.command(way, source), check=True, capture_output=True, text=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found

    def command(self, way: str, source: Path) -> list[str]:
        """Return the command that runs a way."""
        return [sys.executable, str(WAYS), way, self.url, str(source), str(self.folder)]


def figures(sources: Mapping[int, Path], rows: int, rounds: int) -> Iterable[Figure]:
    """Yield all figures of PostgreSQL.

    Args:
        sources: the published files, by how many times the size of the month.
        rows: rows of the month.
        rounds: how often each way is measured; the course's way runs once, as it takes a minute.
    """
    with _place() as place:
        yield from _loads(place, sources[1], rows, rounds)
        yield from _web(place, sources[1], rows, rounds)
        yield from _memory(place, sources, rows)


def _loads(place: Place, source: Path, rows: int, rounds: int) -> Iterator[Figure]:
    """Yield first loads, reloads and the server's own COPY of the same rows, interleaved."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    sizes: set[int] = set()
    for _ in range(rounds):
        _drop(place)
        seconds["first"].append(_loaded(place, "load", source, rows)["seconds"])
        sizes.add(_size(place))
        place.query("CHECKPOINT")
        seconds["again"].append(_loaded(place, "load", source, rows)["seconds"])
        sizes.add(_size(place))
        seconds["waited"].append(_beside_reader(place, source))
        sizes.add(_size(place))
        seconds["floor"].append(_server_copy(place))
    median = {what: statistics.median(values) for what, values in seconds.items()}
    yield Figure("Parquet -> Postgres, checks and swap", median["first"], "s", "", ok=True)
    yield Figure("COPY of the same rows in the server", median["floor"], "s", "", ok=True)
    slower, again = median["first"] / median["floor"], median["again"] / median["first"]
    yield Figure("of the server's own COPY", slower, "x", "<= 1.15", slower <= 1.15)
    yield Figure("a month again, of its first load", again, "x", "<= 1.3", again <= 1.3)
    waited = median["waited"]
    yield Figure("longest wait of a reader meanwhile", waited, "s", "<= 0.1", waited <= 0.1)
    grown = max(sizes) / min(sizes)
    yield Figure("size of the table after a reload", grown, "x", "<= 1.0", grown <= 1.0)


def _web(place: Place, source: Path, rows: int, rounds: int) -> Iterator[Figure]:
    """Yield both ways from the published file to rows that can be queried."""
    naive = _loaded(place, "zoomcamp", source, rows)["seconds"]
    place.query("DROP TABLE zoomcamp")
    ways: Sequence[Callable[[Place, Path, int], float]]
    ways = (_ours, partial(_by_dlt, "append"), partial(_by_dlt, "merge"))
    found: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for way, seconds in zip(ways, found):
            _drop(place)
            seconds.append(way(place, source, rows))
    mine, append, merge = (statistics.median(seconds) for seconds in found)
    yield Figure("web -> Postgres: zoomcamp, once", naive, "s", "", ok=True)
    yield Figure("web -> Postgres: ours", mine, "s", "", ok=True)
    yield Figure("web -> Postgres: dlt, append", append, "s", "", ok=True)
    yield Figure("web -> Postgres: dlt, merge by month", merge, "s", "", ok=True)
    faster = naive / mine
    yield Figure("times as fast as the zoomcamp's to_sql", faster, "x", ">= 40", faster >= 40)
    faster = append / mine
    yield Figure("times as fast as dlt's fastest", faster, "x", ">= 2.7", faster >= 2.7)
    yield Figure("times as fast as dlt replacing a month", merge / mine, "x", "", ok=True)
    _compare_duckdb()


def _memory(place: Place, sources: Mapping[int, Path], rows: int) -> Iterator[Figure]:
    """Yield the peak memory of the whole process."""
    for times in (1, 10):
        _drop(place)
        peak = _loaded(place, "ours", sources[times], rows * times)["peak_mb"]
        yield Figure(f"web -> Postgres: memory at {times}x", peak, "MB", "<= 250", peak <= 250)


def _compare_duckdb() -> None:
    try:
        duckdb.connect().execute("INSTALL postgres")
    except duckdb.Error:
        print("DuckDB's Postgres extension: not available here")
    else:
        print("DuckDB's Postgres extension: not measured")


def _ours(place: Place, source: Path, rows: int) -> float:
    return _loaded(place, "ours", source, rows)["seconds"]


def _by_dlt(way: str, place: Place, source: Path, rows: int) -> float:
    """Return the seconds of one load into an empty dataset, in dlt's own environment."""
    command = [str(DLT), str(DLT_WAYS), way, place.url, str(source), str(place.folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    if found["rows"] != rows:
        sys.exit(f"dlt counted {found['rows']} rows, not {rows}")
    place.query(
        f"DROP SCHEMA dlt_{way} CASCADE", f"DROP SCHEMA IF EXISTS dlt_{way}_staging CASCADE"
    )
    return found["seconds"]


def _loaded(place: Place, way: str, source: Path, rows: int) -> dict[str, float]:
    found = place.way(way, source)
    if found["rows"] != rows:
        sys.exit(f"{way} counted {found['rows']} rows, not {rows}")
    return found


def _beside_reader(place: Place, source: Path) -> float:
    """Return the seconds of the longest query that runs during a reload."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        place.command("reader", source), stdin=pipe, stdout=pipe, text=True
    ) as reader:
        assert reader.stdout  # noqa: S101 - it is a pipe
        reader.stdout.readline()
        place.way("load", source)
        told, _ = reader.communicate("")
    return float(json.loads(told)["rows"]) / 1e6


def _server_copy(place: Place) -> float:
    """Return the seconds that the server takes to copy the same rows from its own file."""
    file = place.server.folder / "rows.bin"
    place.query(
        f"COPY (SELECT * FROM yellow_trips) TO '{file}' WITH (FORMAT binary)",
        "DROP TABLE IF EXISTS plain",
        "CREATE TABLE plain (LIKE yellow_trips)",
        "CHECKPOINT",
    )
    started = time.perf_counter()
    place.query(f"COPY plain FROM '{file}' WITH (FORMAT binary)")
    seconds = time.perf_counter() - started
    place.query("DROP TABLE plain")
    return seconds


def _size(place: Place) -> int:
    # Rows and indexes only: a vacuum adds a few pages of maps at times of its choosing.
    query = (
        "SELECT sum(pg_relation_size(oid) + pg_indexes_size(oid)) FROM pg_class "
        "WHERE relname ~ '^yellow' AND relkind IN ('r', 'p')"
    )
    return int(place.query(query)[0][0])


def _drop(place: Place) -> None:
    """Empty the database and flush all pages, so that no measurement pays for another."""
    place.query(*(f"DROP TABLE IF EXISTS {table}" for table in TABLES), "CHECKPOINT")
    os.sync()


@contextmanager
def _place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="bench-postgres-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root runs the server as another user
        place = Place(Server(folder / "cluster", PASSWORD), free_port(), folder)
        place.server.start(place.port)
        try:
            yield place
        finally:
            place.server.stop("immediate")
