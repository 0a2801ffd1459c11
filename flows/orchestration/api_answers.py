"""Answers of Prefect's API, and of what answers in its place, such as a proxy or a login page."""

from __future__ import annotations

from typing import Any

import httpx
from prefect.client import orchestration
from prefect.client.base import PrefectHttpxAsyncClient
from prefect.exceptions import PrefectHTTPStatusError

from core.errors import TripsError

_NO_LOGIN = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_BUSY = (
    httpx.codes.REQUEST_TIMEOUT,
    httpx.codes.TOO_MANY_REQUESTS,
    httpx.codes.BAD_GATEWAY,
    httpx.codes.SERVICE_UNAVAILABLE,
    httpx.codes.GATEWAY_TIMEOUT,
)
_WAIT = "the server is busy, restarting or gone: see that it runs, then run again"
#: The host of the API within the process, in its URLs.
_WITHIN = "ephemeral-prefect"


class CheckedClient(PrefectHttpxAsyncClient):
    """Prefect's HTTP client, with an error of one line for what it cannot use.

    Answers that Prefect's own code handles, such as that a run was deleted, stay as they are.
    """

    async def send(self, request: httpx.Request, *args: Any, **kwargs: Any) -> httpx.Response:
        """Send a request and return the answer of Prefect's API.

        Raises:
            TripsError: something else answered, the server is broken, or it refuses the login.
        """
        try:
            answer: httpx.Response = await super().send(request, *args, **kwargs)
        except PrefectHTTPStatusError as error:
            _refuse(error)
            raise
        if not _is_usable(answer):
            raise _stranger(answer)
        return answer


def install() -> None:
    """Make the clients of Prefect's API in this process check the answers."""
    orchestration.PrefectHttpxAsyncClient = CheckedClient  # type: ignore[attr-defined] # imported there


def reason_of(error: PrefectHTTPStatusError) -> str:
    """Return why Prefect's API refuses a request.

    Raises:
        TripsError: something else answered, such as a proxy in front of it.
    """
    try:
        said = error.response.json()
        return str(said.get("detail") or said["exception_message"])
    except (ValueError, AttributeError, LookupError):
        raise _stranger(error.response) from error


def status_of(answer: httpx.Response) -> str:
    """Return the status of an answer, such as 404 Not Found."""
    return f"{answer.status_code} {answer.reason_phrase}"


def _is_usable(answer: httpx.Response) -> bool:
    """Return whether an answer is JSON or empty, as those of Prefect's API are."""
    if not answer.content or "json" in answer.headers.get("content-type", ""):
        return True
    try:
        answer.json()
    except ValueError:
        return False
    return True


def _refuse(error: PrefectHTTPStatusError) -> None:
    """Raise if the answer is not of Prefect's API, or is one that no caller handles."""
    answer, said = error.response, reason_of(error)
    if answer.status_code in _BUSY:
        way_out = _WAIT
    elif answer.is_server_error and answer.request.url.host == _WITHIN:
        way_out = "the lines above say why"
    elif answer.is_server_error:
        way_out = "see the log of Prefect's server, then run again"
    elif answer.status_code in _NO_LOGIN:
        way_out = "log in (prefect cloud login), or correct PREFECT_API_KEY"
    else:
        return
    told = f"Prefect's API answered {status_of(answer)} to {answer.request.url} ({said})"
    raise TripsError(f"{told}; {way_out}") from error


def _stranger(answer: httpx.Response) -> TripsError:
    way_out = "correct PREFECT_API_URL, or the proxy in front of the server, then run again"
    if answer.status_code in _BUSY:
        way_out = _WAIT
    said = f"{answer.request.url} answered {status_of(answer)}, not as Prefect's API does"
    return TripsError(f"{said}; {way_out}")
