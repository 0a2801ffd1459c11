"""Answers in place of those of Prefect's API, from a server on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

import tidy_runs
from core.errors import TripsError

if TYPE_CHECKING:
    from fakes.in_process import Commands

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

HTML, JSON = "text/html", "application/json"
ADDRESS = "correct PREFECT_API_URL, or the proxy"
BUSY = "the server is busy, restarting or gone"
#: Status, content type and body of what answers in place of Prefect's API.
STRANGERS = [
    (200, HTML, "<html>log in</html>"),
    (302, HTML, "moved"),
    (403, HTML, "<html>forbidden</html>"),
    (403, JSON, '{"message": "no route"}'),
    (404, HTML, "<html>not found</html>"),
    (409, JSON, '["conflict"]'),
    (429, "text/plain", "slow down"),
    (502, HTML, "<html>bad gateway</html>"),
]


class _Answers(ThreadingHTTPServer):
    answer = (200, HTML, "")


class _Handler(BaseHTTPRequestHandler):
    server: _Answers
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_health = self.path.endswith("/health")
        status, kind, body = (200, JSON, "true") if is_health else self.server.answer
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def answering(status: int, kind: str, body: str) -> Iterator[str]:
    """Answer each request but that for the server's health; yield the URL that Prefect uses."""
    server = _Answers(("127.0.0.1", 0), _Handler)
    server.answer = (status, kind, body)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/api"
    settings: dict[Any, Any] = {
        PREFECT_API_URL: url,
        PREFECT_CLIENT_MAX_RETRIES: 0,
        PREFECT_LOGGING_TO_API_ENABLED: False,
    }
    try:
        with temporary_settings(settings):
            yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked() -> Any:
    """Return a run, as Prefect's client reads it."""

    async def ask() -> Any:
        async with get_client() as client:
            return await client.read_flow_run(uuid4())

    return asyncio.run(ask())


@pytest.mark.parametrize(("status", "kind", "body"), STRANGERS)
def test_what_is_not_prefects_api_is_named_with_its_status(
    status: int, kind: str, body: str
) -> None:
    with answering(status, kind, body) as url, pytest.raises(TripsError) as caught:
        asked()
    said = str(caught.value)
    assert said.startswith(f"{url}/flow_runs/")
    assert f" answered {status} " in said
    assert f"not as Prefect's API does; {BUSY if status in (429, 502) else ADDRESS}" in said


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, '{"exception_message": "broken"}', "(broken); see the log of Prefect's server"),
        (503, '{"exception_message": "locked"}', f"(locked); {BUSY}"),
        (429, '{"detail": "slow down"}', f"(slow down); {BUSY}"),
        (401, '{"detail": "expired"}', "(expired); log in (prefect cloud login), or correct PREF"),
    ],
)
def test_a_server_that_fails_or_refuses_the_login_is_one_line(
    status: int, body: str, said: str
) -> None:
    with answering(status, JSON, body) as url, pytest.raises(TripsError) as caught:
        asked()
    assert str(caught.value).startswith(f"Prefect's API answered {status} ")
    assert f" to {url}/flow_runs/" in str(caught.value)
    assert said in str(caught.value)


def test_an_answer_that_prefect_handles_stays() -> None:
    with answering(404, JSON, '{"detail": "Flow run not found"}'), pytest.raises(ObjectNotFound):
        asked()


def test_json_may_lack_its_type() -> None:
    """A proxy may leave it out; Prefect's client does not look at it."""

    async def ask() -> Any:
        async with get_client() as client:
            return (await client.hello()).json()

    with answering(200, "", '"hi"'):
        assert asyncio.run(ask()) == "hi"


@pytest.mark.parametrize(("status", "kind", "body"), STRANGERS[::3])
def test_a_command_ends_in_one_line(status: int, kind: str, body: str, command: Commands) -> None:
    with answering(status, kind, body) as url:
        said = command(tidy_runs.tidy_runs, show=tidy_runs.shown, record=tidy_runs.record)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"Error: {url}/")
    assert said.err.count("\n") == 1
    assert f" answered {status} " in said.err


@pytest.mark.parametrize(("status", "kind", "body"), STRANGERS[::3])
def test_saving_blocks_and_deploying_end_in_one_line(
    status: int, kind: str, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import block_specs
    import make_process_blocks
    import targets
    from local_deploy import TARGET

    arguments = ["--env", "/dev/null"]
    with answering(status, kind, body) as url:
        codes = [
            block_specs.main([make_process_blocks.SPEC], arguments),
            targets.main(TARGET, arguments),
        ]
    assert codes == [1, 1]
    saved, applied = capsys.readouterr().err.splitlines()
    for line in (saved, applied):
        assert line.startswith(f"Error: {url}/block_types/")
        assert f" answered {status} " in line


def test_a_block_is_not_said_to_be_missing() -> None:
    """As `make doctor` and each flow would say if they could not read its name."""
    from orchestration.block_registry import open_bucket

    with answering(*STRANGERS[0]), pytest.raises(TripsError, match=ADDRESS):
        open_bucket("s3-bucket/zoom-s3")


@pytest.mark.parametrize("is_json", [True, False])
def test_lines_of_the_log_that_the_server_does_not_get_are_reported_once(
    is_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect repeats it without a line break, which joins it to the next line."""
    from prefect.logging.handlers import APILogWorker

    monkeypatch.setenv("TRIPS_LOG", "json" if is_json else "")
    answers = iter([OSError("no\nroute"), OSError("no\nroute"), None, KeyError()])

    async def create_logs(lines: Any) -> None:
        if answer := next(answers):
            raise answer

    make: Any = APILogWorker
    worker = make.__new__(make)
    worker._client = SimpleNamespace(create_logs=create_logs)
    for _ in range(4):
        asyncio.run(worker._handle_batch([{}]))
    lines = capsys.readouterr().err.splitlines()
    said = [json.loads(line)["message"] for line in lines] if is_json else lines
    assert said == [
        f"The log of this run does not reach Prefect's server: {why}"
        for why in ("no route", "KeyError")
    ]
