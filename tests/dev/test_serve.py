"""Errors of `make serve`; tests/browser tests it running."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import serve
from fakes.humble import humble
from orchestration import variables
from postgres_server import free_port
from serve_lock import CannotServe, alone

PROJECT = Path(__file__).absolute().parents[2]


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    """The error names the port and the remedy, and no folder is created."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, str(PROJECT / "dev" / "serve.py"), "--port", port],
            env=os.environ | {"PREFECT_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: port {port} of 127.0.0.1 cannot be used")
    assert "make serve PORT=" in done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("port", [0, -1, 65536, 80000])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(CannotServe, match=rf"no port {port}; .* make serve PORT="):
        serve._refuse_taken(port)


def test_a_home_that_this_user_may_not_write_is_named_with_its_setting(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    done = subprocess.run(
        humble(sys.executable, str(PROJECT / "dev" / "serve.py"), "--port", str(free_port())),
        env=os.environ | {"PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {home / 'serve'} cannot be written (Permission denied); ")
    assert "export PREFECT_HOME=" in line


@contextmanager
def port_with_an_old_connection() -> Iterator[int]:
    """Yield a port whose server closed its connection first, as a stopped server does."""
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        accepted.close()
        port: int = server.getsockname()[1]
        server.close()
        assert client.recv(1) == b""
        client.close()
        yield port


def test_a_port_whose_old_connections_fade_away_is_free() -> None:
    """Linux keeps them for a minute after `make serve` stops, and a restart must still work."""
    with port_with_an_old_connection() as port:
        serve._refuse_taken(port)


def test_the_log_of_the_previous_start_is_kept(tmp_path: Path) -> None:
    """It may show why the server was restarted."""
    for said in ("first", "second"):
        with serve._started("server", ("echo", said), os.environ, tmp_path) as program:
            program.process.wait()
    assert (tmp_path / "server.log.1").read_text() == "first\n"
    assert (tmp_path / "server.log").read_text() == "second\n"


def test_a_second_one_on_the_same_home_is_refused_with_the_name_of_the_first(
    tmp_path: Path,
) -> None:
    """On any port, two schedulers on one database would start every run twice."""
    first = rf"http://127.0.0.1:4200, PID {os.getpid()};"
    with (
        alone(tmp_path, 4200),
        pytest.raises(CannotServe, match=first),
        alone(tmp_path, 4201),
    ):
        pytest.fail("there are two")
    with alone(tmp_path, 4201):
        assert "4201" in (tmp_path / "running").read_text()
    assert not (tmp_path / "running").exists()


def test_a_second_one_is_refused_while_the_first_has_not_noted_its_address(tmp_path: Path) -> None:
    """It writes the note after it takes the lock, and removes it before it releases the lock."""
    with alone(tmp_path, 4200):
        (tmp_path / "running").unlink()
        with (
            pytest.raises(CannotServe, match="make serve is already running here; use"),
            alone(tmp_path, 4201),
        ):
            pytest.fail("there are two")


def test_what_a_killed_one_left_is_named_with_how_to_end_it(tmp_path: Path) -> None:
    """Its server and agent would otherwise run next to those of a new one, on one database."""
    port, logs = free_port(), tmp_path / "serve"
    programs = ("sh", "-c", "echo $$; exec sleep 60")
    start = (
        f"import serve; serve.SERVER = serve.AGENT = {programs!r};"
        "serve._wait_until_it_answers = serve._run_scripts = lambda *_: None;"
        f"serve.serve({port})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start],
        cwd=PROJECT / "dev",
        env=os.environ | {"PREFECT_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert any(b"Ctrl-C stops all" in line for line in process.stdout)
        process.kill()
    left = [said_pid(logs / f"{name}.log") for name in ("server", "agent")]
    try:
        with pytest.raises(CannotServe) as refused, alone(logs, port):
            pytest.fail("there are two")
    finally:
        for pid in left:
            os.kill(pid, signal.SIGTERM)
    assert str(refused.value) == (
        f"make serve was killed here: http://127.0.0.1:{port}, PID {process.pid}; end what it left "
        f"running first: kill {' '.join(map(str, sorted(left)))}"
    )
    psutil.wait_procs([psutil.Process(pid) for pid in left if psutil.pid_exists(pid)], timeout=10)
    with alone(logs, port):  # the lock is free again
        pass


def said_pid(log: Path) -> int:
    """Return the PID that a program logs first, as soon as it has."""
    deadline = time.monotonic() + 10
    while not (said := log.read_text()).endswith("\n"):
        assert time.monotonic() < deadline
    return int(said)


def test_a_running_one_is_named_rather_than_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice to take another port would lead to a second one."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    with socket.socket() as taken, alone(tmp_path / "serve", 4200):
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CannotServe, match=r"already running here: http://127\.0\.0\.1:4200"):
            serve.serve(taken.getsockname()[1])


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Let two shells stand for server and agent; return what is done, in order."""
    done: list[str] = []
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setattr(serve, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(serve, "SERVER", ("sh", "-c", "echo serving; exec sleep 20"))
    monkeypatch.setattr(serve, "AGENT", ("sh", "-c", "echo no such queue; exit 3"))
    monkeypatch.setattr(serve, "_run_scripts", lambda environment: done.append("scripts"))
    monkeypatch.setattr(
        serve, "_wait_until_it_answers", lambda server, port: done.append(server.name)
    )
    return done


def test_an_agent_that_ends_by_itself_ends_all_of_it(parts: list[str], tmp_path: Path) -> None:
    """Otherwise runs would wait for it, and nobody would know why."""
    port = free_port()
    with pytest.raises(CannotServe, match=r"the agent has ended \(3\); .*\nno such queue$"):
        serve.serve(port)
    assert parts == ["server", "scripts"]
    assert not (tmp_path / "serve" / "running").exists()
    with alone(tmp_path / "serve", port):  # the lock is free again
        pass


def test_no_proxy_is_asked_for_the_server(
    parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy cannot reach this machine: neither this process nor the agent would find it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(serve, "AGENT", ("sh", "-c", "echo not for $no_proxy; exit 3"))

    def bypassed(server: object, port: int) -> None:
        parts.append(f"bypassed: {bool(urllib.request.proxy_bypass('127.0.0.1'))}")

    monkeypatch.setattr(serve, "_wait_until_it_answers", bypassed)
    with pytest.raises(CannotServe, match=r"\nnot for 127\.0\.0\.1,localhost,::1$"):
        serve.serve(free_port())
    assert parts == ["bypassed: True", "scripts"]


def test_a_server_that_ends_before_it_answers_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_answers", lambda port: False)
    monkeypatch.setattr(serve, "START_SECONDS", 10)
    monkeypatch.setattr(serve, "_POLL_SECONDS", 0.01)
    with (
        serve._started("server", ("sh", "-c", "echo broken; exit 2"), os.environ, tmp_path) as it,
        pytest.raises(CannotServe, match=r"the server has ended \(2\); .*\nbroken$"),
    ):
        serve._wait_until_it_answers(it, 4200)


def test_a_script_that_fails_ends_it_with_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without its deployments would do nothing on schedule."""
    monkeypatch.setattr(serve, "SCRIPTS", ("deployments/absent.py",))
    with pytest.raises(CannotServe, match=r"absent\.py"):
        serve._run_scripts(os.environ)


def test_a_program_that_ignores_sigterm_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(serve, "_POLL_SECONDS", 0.01)
    stubborn = "trap '' TERM; sleep 20 & echo $!; wait"
    with serve._started("agent", ("sh", "-c", stubborn), os.environ, tmp_path) as program:
        while not (child := (tmp_path / "agent.log").read_text().strip()):
            assert program.process.poll() is None
    assert program.process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while _is_running(int(child)):
        assert time.monotonic() < deadline


def _is_running(pid: int) -> bool:
    try:
        state: str = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return False
    return bool(state != psutil.STATUS_ZOMBIE)  # until something waits for it


def test_its_programs_use_its_own_server_whatever_the_shell_exports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The agent would otherwise take the runs of another server; the poll interval may differ."""
    monkeypatch.setenv("PREFECT_API_URL", "https://api.prefect.cloud/api/accounts/x")
    monkeypatch.setenv("PREFECT_UI_URL", "https://app.prefect.cloud")
    monkeypatch.setenv("PREFECT_HOME", "/home/you/prefect")
    monkeypatch.setenv("PREFECT_AGENT_QUERY_INTERVAL", "9")
    found = serve._environment(4207)
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4207/api"
    assert found["PREFECT_UI_URL"] == "http://127.0.0.1:4207"
    assert found["PREFECT_HOME"] == "/home/you/prefect"
    assert found["PREFECT_AGENT_QUERY_INTERVAL"] == "9"
    assert found["PATH"].startswith(f"{Path(sys.executable).parent}{os.pathsep}")


def test_its_programs_log_json_if_the_env_file_alone_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRIPS_LOG", raising=False)
    monkeypatch.setattr(variables, "_IN_FILE", {})
    assert "PREFECT_LOGGING_SETTINGS_PATH" not in serve._environment(4200)
    monkeypatch.setattr(variables, "_IN_FILE", {"TRIPS_LOG": "json"})
    found = serve._environment(4200)
    assert found["TRIPS_LOG"] == "json"
    assert Path(found["PREFECT_LOGGING_SETTINGS_PATH"]).name == "logging.yml"
    monkeypatch.setenv("TRIPS_LOG", "text")
    assert "PREFECT_LOGGING_SETTINGS_PATH" not in serve._environment(4200)


def test_its_programs_find_a_named_settings_file_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRIPS_ENV_FILE", raising=False)
    assert "TRIPS_ENV_FILE" not in serve._environment(4200)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIPS_ENV_FILE", "prod.env")
    monkeypatch.setattr(serve, "FILE", Path("prod.env"))
    assert serve._environment(4200)["TRIPS_ENV_FILE"] == str(tmp_path / "prod.env")


def test_the_server_sends_no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "true")
    assert serve._environment(4200)["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    for file in ("compose.yaml", "Dockerfile"):
        text = (PROJECT / file).read_text()
        assert re.search(r'PREFECT_SERVER_ANALYTICS_ENABLED(: "|=)false', text)
