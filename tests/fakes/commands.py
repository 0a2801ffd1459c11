"""Start commands as processes to be killed or signalled, or run them to completion."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fakes import preloaded
from fakes.preloaded import Process
from test_cli import command


def start(
    environment: dict[str, str],
    options: Sequence[str],
    log: Any = subprocess.DEVNULL,
    out: Any = subprocess.DEVNULL,
    **others: Any,
) -> Process:
    """Start a flow file with its options as a process."""
    return preloaded.start(command(*options), environment, stdout=out, stderr=log, **others)


def run(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run a flow file with its options as a process, to completion."""
    return preloaded.run(command(*options), environment)


def wait(until: Callable[[], object], process: Process) -> None:
    """Wait for a condition; fail if the process ends first."""
    while not until():
        assert process.poll() is None, f"ended with exit code {process.returncode} too early"
        time.sleep(0.005)


def killed_while_downloading(environment: dict[str, str], options: Sequence[str]) -> int:
    """Kill (SIGKILL) a command whose download hangs; return how many bytes are on the disk."""
    process = start(environment, options)
    scratch = Path(environment["TRIPS_SCRATCH"])

    def sizes() -> list[int]:
        return [part.stat().st_size for part in scratch.rglob("*.part")]

    wait(lambda: any(sizes()), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return max(sizes())
