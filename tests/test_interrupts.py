"""Ctrl-C in a terminal ends the command promptly, with advice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import preloaded
from fakes.prefect_machine import Prefect
from fakes.web import Web
from orchestration.interrupts import ended_by_ctrl_c
from test_cli import command
from test_dask import downloading, hang_in_the_middle, wait_for
from test_flows import TEMPLATE

PROJECT = Path(__file__).absolute().parents[1]
PATIENT = PROJECT / "tests" / "fakes" / "patient_when_interrupted.py"
#: Parts of commands that are interrupted.
_COMMAND = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # the shell's own may be to ignore it
sys.path.insert(0, "flows")
from orchestration import interrupts
interrupts.REPORT_SECONDS = {seconds}
def wait():
    print("ready", flush=True)
    threading.Event().wait()
with interrupts.ended_by_ctrl_c():
    {body}
"""


def interrupted(body: str, times: int, seconds: float = 60) -> tuple[int, str]:
    """Run a command that gets SIGINT after each line that it prints; return how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND.format(seconds=seconds, body=body)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for _ in range(times):
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
    return process.wait(30), process.communicate()[1]


def test_threads_that_wait_indefinitely_do_not_keep_it_running() -> None:
    """Prefect's threads wait so for child flows whose event loop has ended."""
    code, said = interrupted("threading.Thread(target=threading.Event().wait).start(); wait()", 1)
    assert code == -signal.SIGINT
    assert said.split("\n") == [
        "",
        "Stopping; another Ctrl-C ends it at once.",
        "Stopped. The same command again completes what is missing.",
        "",
    ]


_DEAF = """
    while True:
        try: wait()
        except KeyboardInterrupt: pass
"""


def test_a_program_that_does_not_stop_is_killed() -> None:
    code, said = interrupted(_DEAF, 1, seconds=0.1)
    assert code == -signal.SIGINT
    assert said.endswith("Stopped. The same command again completes what is missing.\n")


def test_a_second_one_ends_it_at_once() -> None:
    code, said = interrupted(_DEAF, 2)
    assert code == -signal.SIGINT
    assert said == "\nStopping; another Ctrl-C ends it at once.\n"


def test_what_it_was_piped_into_may_have_ended_first() -> None:
    """In `command 2>&1 | tee log`, tee gets the same Ctrl-C; the command ends without a message."""
    code, said = interrupted(f"os.close(2)\n{_DEAF}", 1, seconds=0.1)
    assert (code, said) == (-signal.SIGINT, "")


def test_another_error_is_unchanged() -> None:
    """Other errors are unchanged, and so is Ctrl-C afterwards."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), ended_by_ctrl_c():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_a_job_in_the_background_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell makes it ignore the Ctrl-C meant for the foreground job."""
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    monkeypatch.setattr(signal, "signal", lambda *_: pytest.fail("a handler was set"))
    with ended_by_ctrl_c():
        pass


def test_a_command_that_still_imports_ends_without_a_traceback(tmp_path: Path) -> None:
    """Importing Prefect takes seconds; a module in its place is interrupted here."""
    (tmp_path / "prefect").mkdir()
    ctrl_c = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    (tmp_path / "prefect" / "__init__.py").write_text(ctrl_c)
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    script = PROJECT / "flows" / "etl_web_to_gcs.py"
    start = f"import runpy, sys; sys.argv = [{str(script)!r}]; runpy.run_path({str(script)!r}, "
    done = subprocess.run(
        [sys.executable, "-c", f"{heard}{start}run_name='__main__')"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT / "flows")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


@pytest.fixture
def served(tmp_path: Path, prefect_database: Callable[[Path], None]) -> Iterator[Prefect]:
    """Run a Prefect server."""
    found = Prefect(tmp_path, {})
    prefect_database(tmp_path / "prefect.db")
    try:
        found.serve(f"sqlite+aiosqlite:///{tmp_path}/prefect.db")
        yield found
    finally:
        found.stop()


@pytest.mark.cluster
@pytest.mark.parametrize(("engine", "count"), [("threads", 2), ("dask", 3)])
def test_the_runs_of_a_stopped_command_have_crashed(
    tmp_path: Path, served: Prefect, engine: str, count: int
) -> None:
    """They are the parent's, that of the month in progress and, on Dask, the cluster's."""
    with Web() as web:
        half = hang_in_the_middle(web)
        which = ("--color", "green", "--months", "2020-10", "--source", web.url(TEMPLATE))
        python, *words = command("parameterized_flow.py", *which, "--engine", engine)
        process = preloaded.start(
            [python, PATIENT, *words],
            served.env() | {"TRIPS_DATA": str(tmp_path), "PYTHONPATH": str(PROJECT / "flows")},
            start_new_session=True,
        )
        try:
            wait_for(lambda: downloading(process, half), process)
        except BaseException:
            process.kill()
            raise
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
    runs = served.runs(start_time={"is_null_": False})
    assert [run["state_type"] for run in runs] == ["CRASHED"] * count
