"""Forked programs behave like programs that are started as usual."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes import preloaded

pytestmark = pytest.mark.slow

#: A script that prints what it finds.
_LOOK = """
import json, os, sys
begun = sorted({name.partition(".")[0] for name in sys.modules})
from prefect.settings import PREFECT_HOME, PREFECT_API_URL
print(json.dumps({
    "begun": begun, "home": str(PREFECT_HOME.value()), "api": PREFECT_API_URL.value(),
    "folder": os.getcwd(), "path": sys.path[0], "words": sys.argv, "name": __name__,
    "environment": dict(os.environ), "leads": os.getsid(0) == os.getpid(),
}))
sys.exit(3)
"""


def script(folder: Path, text: str) -> list[str]:
    file = folder / "script.py"
    file.write_text(text)
    return [sys.executable, str(file)]


def test_it_has_its_own_environment_folder_and_settings_of_prefect(tmp_path: Path) -> None:
    """It starts without Prefect and without this project's modules."""
    (tmp_path / "here").mkdir()
    environment = {
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PYTHONWARNINGS": "ignore",
    }
    words = [*script(tmp_path, _LOOK), "--option"]
    done = preloaded.run(words, environment, cwd=tmp_path / "here")
    assert (done.returncode, done.stderr) == (3, "")
    found: dict[str, Any] = json.loads(done.stdout)
    ours = {"prefect", "core", "fakes", "monthly", "orchestration"}
    assert ours & set(found.pop("begun")) == set()
    assert found == {
        "home": str(tmp_path / "home"),
        "api": "http://127.0.0.1:9/api",
        "folder": str(tmp_path / "here"),
        "path": str(tmp_path),
        "words": words[1:],
        "name": "__main__",
        "environment": environment,
        "leads": False,
    }


def test_an_error_is_a_traceback_and_exit_code_1(tmp_path: Path) -> None:
    done = preloaded.run(script(tmp_path, "import sys\nprint('so far')\n1 / 0"), {})
    assert (done.returncode, done.stdout) == (1, "so far\n")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_a_signal_ends_it_with_those_that_it_has_started(tmp_path: Path) -> None:
    """It leads a session if asked, and receives the signals sent to its process group."""
    text = "import os, sys, time\nos.write(1, b'%d' % os.getsid(0))\ntime.sleep(60)"
    with (tmp_path / "out").open("wb") as out:
        program = preloaded.start(script(tmp_path, text), {}, stdout=out, start_new_session=True)
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.01)
    while not (tmp_path / "out").stat().st_size:
        assert program.poll() is None
    assert (tmp_path / "out").read_text() == str(program.pid)
    os.killpg(program.pid, signal.SIGTERM)
    assert program.wait() == program.poll() == -signal.SIGTERM
