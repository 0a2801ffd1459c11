"""The flows as commands: real processes, as a person starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import orchestration
from fakes.web import Fault, Page, Web
from orchestration import block_kinds, block_registry, variables
from test_flows import TEMPLATE, totals, trips

pytestmark = pytest.mark.flow

PROJECT = Path(__file__).absolute().parents[1]
SETTINGS = ("SOURCE", "BUCKET", "WAREHOUSE", "BQ_DATASET", "BQ_LOCATION", "DATA")


@pytest.fixture
def environment(tmp_path: Path, prefect_server: None) -> dict[str, str]:
    """Set the test's own embedded defaults, and the session's Prefect database."""
    settings = {"TRIPS_DATA": str(tmp_path / "data"), "PYTHONWARNINGS": "ignore"}
    return os.environ | settings | _prefect_settings()


@pytest.fixture
def server() -> Iterator[Web]:
    """Run the test's own web server."""
    with Web() as served:
        yield served


def _prefect_settings() -> dict[str, str]:
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_HOME

    home, database = PREFECT_HOME.value(), PREFECT_API_DATABASE_CONNECTION_URL.value()
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": str(database),
        "PREFECT_API_DATABASE_MIGRATE_ON_START": "false",  # the database is already migrated
    }


def command(flow_file: str, *options: str) -> list[str]:
    return [sys.executable, str(PROJECT / "flows" / flow_file), *options]


def run(
    environment: dict[str, str], flow_file: str, *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(flow_file, *options), env=environment, capture_output=True, text=True, check=False
    )


def test_a_failure_ends_in_its_reason_without_a_traceback(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The exit code is 1, and the last line has the remedy."""
    (tmp_path / "green.csv").write_text("<!doctype html><html></html>")
    options = ("--color", "green", "--year", "2020", "--month", "10")
    found = run(environment, "etl_web_to_gcs.py", *options, "--source", f"{tmp_path}/green.csv")
    assert found.returncode == 1
    assert "Traceback" not in found.stdout + found.stderr
    *_, error, help_line = found.stderr.strip().splitlines()
    assert error.startswith("Error: green 2020-10: ")
    assert "web page" in error
    assert help_line == "Help: docs/troubleshooting.md#badfile"
    assert not (tmp_path / "data").exists()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """Return a function that reads the settings of the flows as a new process would."""

    def read() -> dict[str, str]:
        with monkeypatch.context() as new:
            for module in (variables, block_kinds, block_registry):
                name = module.__name__
                new.delitem(sys.modules, name)
                new.delattr(orchestration, name.rpartition(".")[2])
            found = [import_module(f"orchestration.{n}") for n in ("block_kinds", "block_registry")]
        values = vars(found[0]) | vars(found[1])
        return {name: str(values[name]) for name in SETTINGS}

    return read


def test_an_empty_variable_is_an_unset_one(
    settings: Callable[[], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables are empty in a copy of .env.example that a shell or Docker has read."""
    monkeypatch.chdir(tmp_path)
    unset = settings()
    for name in SETTINGS:
        monkeypatch.setenv(f"TRIPS_{name}", "")
    assert settings() == unset
    assert unset["DATA"] == str(PROJECT / "data")


def test_a_file_sets_what_the_environment_leaves_open(
    settings: Callable[[], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables come from the file that TRIPS_ENV_FILE names; the environment overrides it."""
    file = tmp_path / "settings"
    file.write_text("TRIPS_BUCKET=s3-bucket/x$y\nTRIPS_WAREHOUSE=\nTRIPS_SOURCE=tlc\n")
    given = {"ENV_FILE": str(file), "SOURCE": "sample", "BUCKET": ""}
    for name, value in given.items():
        monkeypatch.setenv(f"TRIPS_{name}", value)
    found = [settings()[name] for name in ("SOURCE", "BUCKET", "WAREHOUSE")]
    assert found == ["sample", "s3-bucket/x$y", "duckdb-warehouse/zoom"]


@pytest.mark.slow
def test_killed_while_downloading_it_goes_on_where_it_stopped(
    environment: dict[str, str], tmp_path: Path, server: Web
) -> None:
    """After SIGKILL with half of the file downloaded, the next run fetches only the rest."""
    body = trips("2020-10", [f"{n}.25" for n in range(20_000)]).encode()
    half = len(body) // 2
    address = "/green_tripdata_2020-10.csv"
    server.serve(address, Page(body, etag='"one"'))
    server.fail(Fault())  # the request before the download succeeds
    server.fail(Fault(after=half, hang=True))
    which = ("--color", "green", "--months", "2020-10", "--source", server.url(TEMPLATE))
    options = (*which, "--no-report")
    process = subprocess.Popen(
        command("parameterized_flow.py", *options),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_until_written(process, Path(environment["TRIPS_SCRATCH"]), half)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert totals(tmp_path / "data") == {}
    again = run(environment, "parameterized_flow.py", *options)
    assert again.returncode == 0, again.stderr
    assert "green 2020-10  loaded" in again.stdout
    ranges = [r.headers["range"] for r in server.requests if "range" in r.headers]
    assert ranges == [f"bytes={half}-"]
    assert totals(tmp_path / "data") == {"2020-10": (20_000, sum(range(20_000)) + 5000.0)}
    scratch = Path(environment["TRIPS_SCRATCH"])
    assert {p.suffix for p in scratch.iterdir()} <= {".lock"}


def _wait_until_written(process: subprocess.Popen[bytes], scratch: Path, size: int) -> None:
    while process.poll() is None:
        parts = [p.stat().st_size for p in scratch.rglob("*.part")] if scratch.exists() else []
        if size in parts:
            return
        time.sleep(0.01)
    pytest.fail(f"the run ended with exit code {process.returncode} before it could be killed")
