"""Nothing is left after everything has stopped; the name makes this file the last one."""

from __future__ import annotations

import os
from collections.abc import Callable

import psutil
import pytest

from fakes.prefect_machine import Prefect, Program, processes_with

pytestmark = pytest.mark.docker


def test_stopping_leaves_nothing(
    prefect: Prefect, agent: Program, left: Callable[[], set[str]]
) -> None:
    """No container, network or process is left."""
    prefect.ended(prefect.run_deployment("tidy-runs/docker-flow", keep_hours=0))
    assert left() == set()
    sessions = {program.process.pid for program in prefect.programs}
    prefect.stop()
    assert processes_with(str(prefect.home)) == []
    assert [each for each in psutil.pids() if _session(each) in sessions] == []


def _session(process: int) -> int:
    try:
        return os.getsid(process)
    except ProcessLookupError:  # it has just ended
        return 0
