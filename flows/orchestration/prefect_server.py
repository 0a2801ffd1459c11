"""Prefect's server as seen by a command: where it is and whether it answers."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect import get_client
from prefect.settings import (
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)
from sqlalchemy.engine import make_url

from core.disk import nearest
from core.errors import TripsError, UsageError
from core.redaction import redacted
from orchestration import api_answers
from orchestration.api_answers import status_of

#: Seconds to wait for a server to answer.
ANSWER_SECONDS = 10
_NO_LOGIN = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
#: Redirects after which Prefect's client would read instead of write.
_MOVED = (httpx.codes.MOVED_PERMANENTLY, httpx.codes.FOUND, httpx.codes.SEE_OTHER)
#: What a proxy answers in place of a server that is gone.
_BROKEN = (
    httpx.codes.INTERNAL_SERVER_ERROR,
    httpx.codes.BAD_GATEWAY,
    httpx.codes.SERVICE_UNAVAILABLE,
    httpx.codes.GATEWAY_TIMEOUT,
)


def refuse_silent_server() -> None:
    """Raise if a server is configured and does not answer; Prefect also works without one.

    Raises:
        UsageError: nothing answers, or what answers is not a Prefect server or refuses the login;
            without a server, this user may not write Prefect's own database, or its folder is
            missing.
    """
    url = PREFECT_API_URL.value()
    if not url:
        _refuse_closed_database()
        return
    try:
        # Prefect itself verifies the certificate, with its own settings.
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=ANSWER_SECONDS, verify=False)  # noqa: S501
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _silent(url, str(error) or type(error).__name__) from error
    if answer.status_code in _NO_LOGIN:
        _refuse_without_login(url, answer)
    elif answer.status_code in _BROKEN:
        raise _silent(url, status_of(answer))
    elif said := _no_api(answer):
        raise _silent(url, said, "correct PREFECT_API_URL")


def _refuse_without_login(url: str, answer: httpx.Response) -> None:
    """Raise if Prefect's own client, which may have an API key, is refused or gets no answer."""
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # they would take two minutes
        error = asyncio.run(_healthcheck())
    if error is None:
        return
    cause = error.__cause__ or error  # of an answer that the client has put into words
    refused = cause.response if isinstance(cause, httpx.HTTPStatusError) else None
    if refused is None or refused.status_code not in _NO_LOGIN:
        said = status_of(refused) if refused is not None else str(error) or type(error).__name__
        raise _silent(url, said)
    raise UsageError(
        f"Prefect's server at {url} requires a login ({status_of(answer)}); "
        "log in (prefect cloud login), correct PREFECT_API_KEY, or write USER:PASSWORD@ before "
        f"the host if a proxy asks for them; or run without a server: {_unset()}"
    )


async def _healthcheck() -> Exception | None:
    async with get_client() as client:
        error: Exception | None = await client.api_healthcheck()
        return error


def _no_api(answer: httpx.Response) -> str:
    """Return why an answer is not that of Prefect's API; empty if it is."""
    if answer.status_code in _MOVED:
        to = answer.headers.get("location")
        return f"it redirects to {to}; name an address of Prefect's API that does not redirect"
    # Prefect's UI answers at any path outside /api, with its own page.
    is_page = "html" in answer.headers.get("content-type", "")
    if is_page or answer.status_code == httpx.codes.NOT_FOUND:
        return "another server answers there, or the UI: the address of Prefect's API ends in /api"
    return ""


@contextmanager
def noticing_its_end() -> Iterator[None]:
    """Convert the errors of Prefect's client if the server ends while a run uses it.

    Raises:
        TripsError: it does not answer any more.
    """
    try:
        yield
    except httpx.TransportError as error:
        if not PREFECT_API_URL.value():
            raise
        raise TripsError(
            f"Prefect's server at {PREFECT_API_URL.value()} has stopped answering "
            f"({str(error) or type(error).__name__}); once it is back, the same command completes "
            "what is missing"
        ) from error


def _refuse_closed_database() -> None:
    """Raise if this user may not write the database that Prefect uses without a server.

    Prefect would print a traceback for every request, and then might never end.
    """
    url = make_url(PREFECT_API_DATABASE_CONNECTION_URL.value())
    file = Path(url.database or "")
    if url.get_backend_name() != "sqlite" or not file.is_absolute():
        return
    folder = nearest(file.parent)  # SQLite creates files next to the database
    closed = [] if os.access(folder, os.W_OK | os.X_OK) else [folder]
    closed += [] if os.access(nearest(file), os.W_OK) else [nearest(file)]
    elsewhere = "or name another home: export PREFECT_HOME=FOLDER"
    if closed:
        raise UsageError(
            f"Prefect's database {file} cannot be written: this user may not write {closed[0]}; "
            f"correct its permissions, {elsewhere}"
        )
    if not file.parent.is_dir():  # Prefect has already tried to create its home
        raise UsageError(
            f"Prefect's database {file} cannot be written: the folder {file.parent} does not "
            f"exist; create it, {elsewhere}"
        )


def place_of_blocks() -> str:
    """Return where Prefect looks for blocks: its server, or its database."""
    url = PREFECT_API_URL.value()
    if url:
        return f"the server {redacted(url)}"
    database = make_url(PREFECT_API_DATABASE_CONNECTION_URL.value())
    is_file = database.get_backend_name() == "sqlite"
    return f"the database {database.database if is_file else database}"  # without its password


def _silent(url: str, said: str, way_out: str = "") -> UsageError:
    return UsageError(
        f"Prefect's server at {url} does not answer ({said}); {way_out or _way_out(url)}, or run "
        f"without one: {_unset()}"
    )


def _way_out(url: str) -> str:
    """Return how to start the server of an address, or what else to do about the address."""
    found = re.match(r"http://(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)(?:/|$)", url)
    if not found:
        return "see that it runs and can be reached, correct PREFECT_API_URL"
    return f"start it (make serve{'' if found[1] == '4200' else f' PORT={found[1]}'})"


def _unset() -> str:
    by_shell = "PREFECT_API_URL" in os.environ
    return "unset PREFECT_API_URL" if by_shell else "prefect config unset PREFECT_API_URL"


api_answers.install()  # here, as every flow and script imports this module
