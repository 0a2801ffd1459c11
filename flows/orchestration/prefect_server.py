"""Prefect's server as seen by a command: where it is and whether it answers."""

from __future__ import annotations

import os

import httpx
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL
from sqlalchemy.engine import make_url

from core.errors import UsageError

#: Seconds to wait for a server to answer.
ANSWER_SECONDS = 10


def refuse_silent_server() -> None:
    """Raise if a server is configured and does not answer; Prefect also works without one.

    Raises:
        UsageError: nothing answers, or what answers is not a Prefect server.
    """
    url = PREFECT_API_URL.value()
    if not url:
        return
    try:
        # Prefect itself verifies the certificate, with its own settings.
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=ANSWER_SECONDS, verify=False)  # noqa: S501
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _silent(url, str(error) or type(error).__name__) from error
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise _silent(url, "what answers there is no Prefect server")


def place_of_blocks() -> str:
    """Return where Prefect looks for blocks: its server, or its database."""
    url = PREFECT_API_URL.value()
    if url:
        return f"the server {url}"
    database = make_url(PREFECT_API_DATABASE_CONNECTION_URL.value())
    is_file = database.get_backend_name() == "sqlite"
    return f"the database {database.database if is_file else database}"  # without its password


def _silent(url: str, said: str) -> UsageError:
    by_shell = "PREFECT_API_URL" in os.environ
    unset = "unset PREFECT_API_URL" if by_shell else "prefect config unset PREFECT_API_URL"
    return UsageError(
        f"Prefect's server at {url} does not answer ({said}); "
        f"start it (make serve), or run without one: {unset}"
    )
