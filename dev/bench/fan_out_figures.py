"""Compare four months on two Dask workers with the same months in sequence."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from core.dask.memory import WORKER_MEMORY
from figure import Figure
from postgres_server import free_port
from slow_web import slow_web

BENCH = Path(__file__).parent
FLOWS = BENCH.parents[1] / "flows"
_HOST = "127.0.0.1"
_STOP_SECONDS = 30
_START_SECONDS = 120
#: Speed of a download from the internet. From a local disk two workers gain nothing on two
#: cores, because one month keeps one and a half cores busy.
_BYTES_A_SECOND = 10e6


def figures(month: Path, folder: Path, rounds: int) -> Iterator[Figure]:
    """Yield the seconds of both ways and their ratio, with a running Prefect server and cluster.

    Args:
        month: a published file, used for each of the four months.
        folder: where the files are written.
        rounds: how often each way is measured.
    """
    with slow_web(_published(month, folder), _BYTES_A_SECOND) as address:
        source = f"{address}/{{color}}_tripdata_{{year}}-{{month:02}}.csv.gz"
        seconds = _measured(source, folder, rounds)
    median = {way: statistics.median(found) for way, found in seconds.items()}
    for way, value in median.items():
        yield Figure(f"four months over 10 MB/s {way}", value, "s", "", ok=True)
    faster = median["in sequence"] / median["on two workers"]
    yield Figure("times as fast on two workers", faster, "x", ">= 1.5", faster >= 1.5)


def _published(month: Path, folder: Path) -> Path:
    published = folder / "published"
    published.mkdir()
    for number in range(1, 5):
        (published / f"yellow_tripdata_2021-{number:02}.csv.gz").symlink_to(month)
    return published


def _measured(source: str, folder: Path, rounds: int) -> dict[str, list[float]]:
    api, scheduler = free_port(), free_port()
    environment = os.environ | {
        "PREFECT_HOME": str(folder / "fan-out"),
        "PREFECT_API_URL": f"http://{_HOST}:{api}/api",
        "TRIPS_DATA": str(folder / "fan-out"),
        "TRIPS_SCRATCH": str(folder / "fan-out-scratch"),
        "PYTHONPATH": str(FLOWS),
        "PYTHONWARNINGS": "ignore",
        "DASK_LOGGING__DISTRIBUTED": "warning",
    }
    address = f"tcp://{_HOST}:{scheduler}"
    worker = ("dask", "worker", address, "--host", _HOST, "--nthreads", "1", "--nworkers", "2")
    with ExitStack() as stack:
        for command in (
            ("prefect", "server", "start", "--host", _HOST, "--port", str(api)),
            ("dask", "scheduler", "--host", _HOST, "--port", str(scheduler), "--no-dashboard"),
        ):
            stack.enter_context(_running(command, environment))
        stack.enter_context(_running((*worker, "--no-dashboard"), environment | WORKER_MEMORY))
        _wait_for(f"http://{_HOST}:{api}/api/health")
        ways = [sys.executable, str(BENCH / "four_months.py"), address, source, "", str(rounds)]
        done = subprocess.run(ways, check=True, stdout=subprocess.PIPE, env=environment)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _running(command: tuple[str, ...], environment: dict[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    program = str(Path(sys.executable).with_name(command[0]))
    process = subprocess.Popen([program, *command[1:]], env=environment, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - its own server
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
