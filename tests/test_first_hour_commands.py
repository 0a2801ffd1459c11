"""Newcomers' commands, on a real command line with a copy of the project and an empty home."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fakes.duckdb_files import attached
from fakes.newcomer import PROJECT, Newcomer
from fakes.prefect_machine import processes_with
from postgres_server import free_port
from test_flows import trips

pytestmark = [pytest.mark.flow, pytest.mark.slow]

PARENT = "flows/parameterized_flow.py"
_BLOCKS = ("API_BLOCKS_REGISTER_ON_START", "MEMOIZE_BLOCK_AUTO_REGISTRATION")
BY_NAME = "{color}_tripdata_{year}-{month:02}.csv"


@pytest.fixture(scope="module")
def installed(
    tmp_path_factory: pytest.TempPathFactory, prefect_database: Callable[[Path], None]
) -> Newcomer:
    found = Newcomer(tmp_path_factory.mktemp("newcomer"))
    found.install(prefect_database)
    return found


@pytest.fixture
def me(installed: Newcomer) -> Newcomer:
    """Return a user on their first day."""
    installed.start_over()
    return installed


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """Serve a folder of published files."""
    folder = tmp_path / "web"
    folder.mkdir()
    return folder


def publish(web: Path, month: str, totals: list[str]) -> None:
    (web / f"green_tripdata_{month}.csv").write_text(trips(month, totals))


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a command that must have failed without a traceback."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    assert "\nError: " in f"\n{done.stderr}"
    return done.stdout + done.stderr


def row(done: subprocess.CompletedProcess[str], month: str) -> list[str]:
    """Return the cells of a month in the printed table."""
    (line,) = [line for line in done.stdout.splitlines() if re.match(rf"{month}  ", line)]
    return re.split(r"\s{2,}", line)


def query(file: Path, sql: str) -> list[tuple[object, ...]]:
    with attached(file, read_only=True) as db:
        return db.execute(sql).fetchall()


# ---- a month


def test_months_need_no_block_and_no_variable(me: Newcomer, web: Path) -> None:
    """Paths replace blocks, GREEN means green, and odd trips are counted and kept."""
    publish(web, "2020-11", ["7"])
    far = trips("2020-10", ["1", "2", "3"]).replace(",1,1.5,", ",1,205654.12,", 1)
    (web / "green_tripdata_2020-10.csv").write_text(far)
    which = ("--color", "GREEN", "--months", "2020-10:2020-11", "--source", f"{web}/{BY_NAME}")
    done = me.types(PARENT, *which, "--bucket", "./taxi", "--warehouse", "my.duckdb")
    assert done.returncode == 0, done.stderr
    for month, rows in (("2020-10", "3"), ("2020-11", "1")):
        cells = row(done, f"green {month}")
        assert cells[1:5] == ["loaded", rows, rows, "0"]
        assert cells[-1] == f"taxi/data/green/green_tripdata_{month}.parquet -> my.duckdb"
        assert 0 < float(cells[-2]) < seconds_of(me, "green 2020-10:2020-11")
        assert f"green {month}: loaded, {rows} rows read = {rows} written + 0" in done.stderr
    said = places(done)
    assert f"source {web}/{BY_NAME} (parameter)" in said
    assert f"at {me.project / 'taxi'} (path)" in said
    assert f"at {me.project / 'my.duckdb'} (path)" in said
    assert {path.name for path in (me.project / "data").iterdir()} == {"prefect"}
    look_at_the_odd_trip(me.project)
    scratch = me.folder / "tmp" / f"trips-scratch-{os.getuid()}"
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    assert {path.suffix for path in scratch.iterdir()} == {".lock"}


def places(done: subprocess.CompletedProcess[str]) -> str:
    """Return the line in which a run says what it uses."""
    (line,) = [line for line in done.stderr.splitlines() if " bucket " in line and " at " in line]
    return line


def seconds_of(me: Newcomer, run: str) -> float:
    """Return the seconds of a flow run as Prefect recorded them, without Prefect's own start."""
    with closing(sqlite3.connect(me.project / "data/prefect/prefect.db")) as db:
        query = "SELECT start_time, end_time FROM flow_run WHERE name = ?"
        ((start, end),) = db.execute(query, [run]).fetchall()
    return (dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds()


def look_at_the_odd_trip(project: Path) -> None:
    """Check that the far trip is in the table and the count, not in the report's median."""
    found = query(project / "my.duckdb", "SELECT max(trip_distance), count(*) FROM green_trips")
    assert found == [(205654.12, 4)]
    entry = json.loads((project / "taxi/ledger/green/green_tripdata_2020-10.json").read_text())
    assert entry["quality"]["implausible_distance"] == 1
    assert entry["quality"]["rows"] == 3
    html = (project / "taxi/data/green/green_tripdata_2020-10.report.html").read_text()
    (usual,) = re.findall(r"<td>distance, miles</td>(.*?)</tr>", html, re.DOTALL)
    median, _, mean_within, _, beyond = re.findall(r">([^<>\n]+)<", usual)
    assert (median, mean_within, beyond) == ("1.50", "1.50", "1")


# ---- no false green


def test_one_file_for_two_months_is_refused(me: Newcomer, web: Path) -> None:
    publish(web, "2020-10", ["1"])
    which = ("--color", "green", "--months", "2020-10:2020-11")
    said = failed(me.types(PARENT, *which, "--source", f"{web}/green_tripdata_2020-10.csv"))
    assert "green 2020-10 and green 2020-11" in said
    assert "{month:02}" in said
    assert {path.name for path in (me.project / "data").iterdir()} == {"prefect"}


def test_a_typo_in_the_source_fails_every_month(me: Newcomer, web: Path) -> None:
    for month in ("2020-01", "2020-02", "2020-03"):
        publish(web, month, ["1"])
    source = f"file://{web.with_name('wbe')}/{BY_NAME}"
    which = ("--color", "green", "--months", "2020-01:2020-03")
    done = me.types(PARENT, *which, "--source", source)
    said = failed(done)
    for month in ("2020-01", "2020-02", "2020-03"):
        assert row(done, f"green {month}")[1] == "failed"
        assert f"file://{web.with_name('wbe')}/green_tripdata_{month}.csv" in said
    assert "has no wbe, but web" in said
    assert {path.name for path in (me.project / "data").iterdir()} == {"prefect"}


def test_a_missing_month_is_forgiven_a_file_of_another_dataset_is_not(
    me: Newcomer, web: Path
) -> None:
    publish(web, "2020-10", ["1"])
    source = f"{web}/{BY_NAME.replace('{color}', 'green')}"
    which = ("--color", "yellow", "--months", "2020-10,2020-11", "--source", source)
    done = me.types(PARENT, *which, "--skip-missing")
    said = failed(done)
    assert "1 of 2 months failed" in said
    assert row(done, "yellow 2020-10")[1] == "failed"
    assert "a file of green trips" in said
    assert row(done, "yellow 2020-11")[1] == "not yet published"
    due = me.types(PARENT, *which[:2], *which[4:], "--months", "due", "--due-months", "2")
    assert due.returncode == 0, due.stderr
    assert len(re.findall(r"^yellow \d{4}-\d\d  not yet published ", due.stdout, re.M)) == 2


def test_generated_months_are_called_so(me: Newcomer) -> None:
    """Table, plan, warehouse and report say so, and a month in the future is refused."""
    which = ("--color", "green", "--source", "sample:300")
    done = me.types(PARENT, *which, "--months", "2020-10")
    assert done.returncode == 0, done.stderr
    assert row(done, "green 2020-10")[1:4] == ["loaded, GENERATED", "300", "300"]
    data = me.project / "data"
    ((source,),) = query(data / "trips.duckdb", "SELECT source FROM loaded_months")
    assert str(source).startswith("sample:")
    html = (data / "bucket/data/green/green_tripdata_2020-10.report.html").read_text()
    assert "<title>green 2020-10 (GENERATED" in html
    planned = me.types(PARENT, *which, "--months", "2020-11,2999-01", "--plan")
    assert "green 2999-01 has not begun" in failed(planned)
    assert row(planned, "green 2020-11")[1] == "NEW, GENERATED"
    assert "300" in readmes_query(me, data / "trips.duckdb")
    look_at_the_home(me)


def readmes_query(me: Newcomer, file: Path) -> str:
    """Return what the README's query prints while another process reads the file."""
    text = (PROJECT / "README.md").read_text()
    (words,) = re.findall(r'\.venv/bin/python -c "(import duckdb;.*?)"$', text, re.DOTALL | re.M)
    with attached(file, read_only=True):
        done = me.types("-c", words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def look_at_the_home(me: Newcomer) -> None:
    """Check that the environment's own `prefect` knows the run and reports a missing block."""
    # Its API would otherwise import every package of blocks at each start.
    quick: dict[str, Any] = {f"PREFECT_{name}": "false" for name in _BLOCKS}
    listed = me.types(me.prefect, "flow-run", "ls", COLUMNS="200", **quick)
    assert "green 2020-10" in listed.stdout, listed.stderr
    which = ("--color", "green", "--year", "2020", "--month", "10")
    block = ("--warehouse", "sqlalchemy-connector/zoom-postgres")
    said = failed(me.types("flows/etl_gcs_to_bq.py", *which, *block))
    assert f"the database {me.project / 'data/prefect/prefect.db'}" in said
    assert "make postgres" in said
    assert not (me.home / ".prefect").exists()


# ---- settings


def test_a_variable_outweighs_what_make_serve_saves(me: Newcomer) -> None:
    """The environment overrides .env, and both override the saved block; the first line says so."""
    assert me.types("blocks/make_embedded_blocks.py").returncode == 0
    (me.project / ".env").write_text(f"TRIPS_DATA={me.folder / 'tmp' / 'file'}\n")
    which = ("--color", "green", "--year", "2020", "--month", "10", "--source", "sample:20")
    chosen = me.folder / "tmp" / "chosen"
    done = me.types("flows/etl_web_to_gcs.py", *which, TRIPS_DATA=str(chosen))
    assert done.returncode == 0, done.stderr
    over = "TRIPS_DATA in the environment, overrides TRIPS_DATA in .env"
    assert f"at {chosen / 'bucket'} ({over})" in places(done)
    # The table rounds to a tenth.
    assert 0 < float(row(done, "green 2020-10")[-2]) < seconds_of(me, "green 2020-10") + 0.05
    assert (chosen / "bucket/ledger/green/green_tripdata_2020-10.json").exists()


# ---- dead ends


def test_a_home_that_may_not_be_written_is_one_line(me: Newcomer) -> None:
    """This covers a flow and the doctor, which stops before it checks blocks."""
    database = me.project / "data" / "prefect" / "prefect.db"
    database.chmod(0o444)
    done = me.types_as_no_root("flows/etl_web_to_gcs.py")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert str(database) in line
    assert "export PREFECT_HOME=" in line
    shown = me.types_as_no_root("dev/doctor.py")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert len(re.findall(r"^NO .*PREFECT_HOME=", shown.stdout, re.MULTILINE)) == 3


@pytest.mark.parametrize(
    ("name", "path", "why"),
    [
        ("TRIPS_SCRATCH", "closed/x", "may not write there"),
        ("TRIPS_DATA", "locked/x", "may not write there"),
        ("TRIPS_DATA", "file/x", "is a file"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_with_its_setting(
    me: Newcomer, name: str, path: str, why: str
) -> None:
    """The error does not suggest making room, because there is enough."""
    tmp = me.folder / "tmp"
    (tmp / "closed").mkdir(mode=0o000)
    (tmp / "locked").mkdir(mode=0o555)
    (tmp / "file").write_text("")
    which = ("--color", "green", "--months", "2020-10", "--source", "sample:20")
    said = failed(me.types_as_no_root(PARENT, *which, **{name: str(tmp / path)}))
    assert str((tmp / path).parent) in said
    assert why in said
    assert name in said
    assert "make room" not in said


@pytest.fixture
def served(me: Newcomer) -> Iterator[subprocess.Popen[bytes]]:
    """Start make serve for a user who once turned on Prefect's telemetry."""
    process = subprocess.Popen(
        me.command("dev/serve.py", "--port", str(free_port())),
        cwd=me.project,
        env=me.environment(PREFECT_SERVER_ANALYTICS_ENABLED="true"),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield process
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_a_second_server_on_one_home_is_refused_and_none_calls_home(
    me: Newcomer, served: subprocess.Popen[bytes]
) -> None:
    """The error names the first server, whatever the port of the second."""
    wanted = f"PREFECT_HOME={me.project / 'data' / 'prefect'}"
    while not (started := [line for line in processes_with(wanted) if "uvicorn" in line]):
        assert served.poll() is None
        time.sleep(0.02)
    note = (me.project / "data/prefect/serve/running").read_text()
    assert note.endswith(f"PID {served.pid}")
    assert note in failed(me.types("dev/serve.py", "--port", str(free_port())))
    for line in started:
        environment = Path("/proc", line.split()[0], "environ").read_bytes().split(b"\0")
        assert b"PREFECT_SERVER_ANALYTICS_ENABLED=false" in environment
