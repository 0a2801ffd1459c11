"""What tests see of Dask and set in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from fakes.dask_clusters import dask_processes


def test_hasty_connections_keep_the_defaults_of_dask() -> None:
    """Also where nothing has imported its packages before."""
    script = (
        "from fakes.dask_clusters import hasty_connections\n"
        "with hasty_connections():\n"
        "    import distributed\n"
        "distributed.Security()\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, check=True)


def test_a_worker_that_has_ended_is_none() -> None:
    """Dask may kill it while it is looked at; nothing has waited for it here."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "spawn_main"], stdin=subprocess.PIPE
    ) as process:
        worker = psutil.Process(process.pid)
        assert worker in dask_processes(psutil.Process())
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert worker in psutil.Process().children()
        assert worker not in dask_processes(psutil.Process())
