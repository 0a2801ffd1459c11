"""Web servers as a source of published files."""

from __future__ import annotations

import logging
import os
import re
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

import httpx

from core.download import secrets
from core.download.hosts import request_slot, requests_allowed, wait_until
from core.download.pace import steady
from core.download.partial import PartFile, Progress, Validators
from core.download.remote_file import Download, RemoteFile, What, is_malformed
from core.errors import NotPublished, SourceError, Unreachable, UsageError

#: Timeouts in seconds, for connecting and for silence after that.
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 60.0
TIMEOUT = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
#: Latest version in CHANGELOG.md.
VERSION = "1.12.0"
_NOT_MODIFIED, _PROXY_LOGIN = 304, 407
_LOGIN_ADVICE = (
    "the proxy rejects the user or password; correct them in HTTPS_PROXY or HTTP_PROXY, as "
    "USER:PASSWORD@ before the host"
)
#: A web or e-mail address, without what would end a comment in a header.
_CONTACT = re.compile(r"https?://[^\s()]+|[^\s()@]+@[^\s()@]+\.[^\s()@]+")

#: Headers that name a CDN.
_CDN = ("Server", "Via", "X-Cache", "X-Served-By")
_CDNS = ("akamai", "cloudflare", "cloudfront", "fastly", "varnish")
#: Phrases on a CDN's page for a request that it blocks, whatever the file.
_BLOCKED = (
    b"request blocked",
    b"block access from your country",
    b"you have been blocked",
    b"just a moment",  # Cloudflare's browser check
    b"attention required",
    b"log in",
    b"login",
    b"sign in",
)
_EXPIRED = (b"request has expired", b"signature")

# These log whole addresses and the headers of responses, if somebody lowers the level of all logs.
for _name in ("httpx", "httpcore.http11"):
    logging.getLogger(_name).addFilter(secrets.masked)


class Http:
    """A web server, which may resume an interrupted download.

    Attributes:
        no_head: statuses that may refuse only HEAD, not the file: signed bucket URLs are valid
            only for GET, and some services route only GET to a file and answer 404 to HEAD.
        absent: statuses of a missing file.
        passing: statuses of transient errors; 202 is that of a file that is still being made.
    """

    no_head = frozenset({403, 404, 405, 501})
    absent = frozenset({404, 410})
    passing = frozenset({202, 408, 429, *range(500, 600)})

    def look(self, wanted: RemoteFile[What]) -> RemoteFile[What]:
        """Query the file with HEAD, or with a GET for one byte if HEAD is refused or says 0 bytes.

        Args:
            wanted: the file; if it has an ETag, the request is conditional, and the file is
                returned unchanged if the server answers 304.
        """
        url, known = secrets.filled(wanted.url), _condition(wanted)
        with _client(wanted) as client:
            with _answer(client, "HEAD", url, known) as response:
                # Some services answer HEAD with a length of 0, whatever the file.
                if response.status_code not in self.no_head and _size(response) != 0:
                    return self._seen(wanted, response)
            byte = {"Range": "bytes=0-0", **known}
            with _answer(client, "GET", url, byte) as response:
                return self._seen(wanted, response)

    def fetch(self, wanted: RemoteFile[What], part: PartFile, progress: Progress) -> Download[What]:
        """Download the file, or the rest of a partial download."""
        begun = part.begun(wanted.url)
        headers = part.rest_of(begun) if begun else {}
        url = secrets.filled(wanted.url)
        with _client(wanted) as client, _answer(client, "GET", url, headers) as response:
            if not begun or _is_usable(response, part, begun):
                return self._receive(wanted, response, part, begun, progress)
        part.forget()
        return self.fetch(wanted, part, progress)

    def _seen(self, wanted: RemoteFile[What], response: httpx.Response) -> RemoteFile[What]:
        if response.status_code == _NOT_MODIFIED and wanted.etag:
            return wanted
        # 416 means an empty file, which has no first byte.
        self._refuse(wanted, response, (200, 206, 416))
        seen = _validators(wanted.url, response)
        return replace(
            wanted, size=_size(response), etag=seen.etag, last_modified=seen.last_modified
        )

    def _receive(
        self,
        wanted: RemoteFile[What],
        response: httpx.Response,
        part: PartFile,
        begun: Validators | None,
        progress: Progress,
    ) -> Download[What]:
        self._refuse(wanted, response, (200, 206) if begun else (200,))
        validators = begun
        if not validators or response.status_code == 200:
            validators = _validators(wanted.url, response)
            part.begin(validators)
        total = _size(response)
        chunks = _body(wanted, response, part.size, total)
        return part.download(wanted, part.receive(chunks, total, progress), validators)

    def _refuse(
        self, wanted: RemoteFile[Any], response: httpx.Response, good: Collection[int]
    ) -> None:
        status = response.status_code
        said = f"{wanted} answered {status} {response.reason_phrase}"
        if status in self.absent:
            raise NotPublished(f"{said}: there is no such file (yet); check its address")
        if status == 403 and _is_hidden(response):
            raise NotPublished(
                f"{said}, as buckets and CDNs do for a file that is not there: it is not published "
                "(yet); check its address"
            )
        if status in self.passing:
            wait = wait_until(response.url.host, response.headers.get("Retry-After"))
            raise Unreachable(f"{said}; try again later ({wait})")
        if status not in good:
            advice = _LOGIN_ADVICE if status == _PROXY_LOGIN else _access(wanted.url)
            raise SourceError(f"{said}; {advice}")
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise SourceError(f"{said}, encoded as {encoding!r}; choose another source")


def _access(url: str) -> str:
    named = secrets.names_in(url)
    if named:
        return f"check the secret {' and '.join(named)}: it may be wrong, or have expired"
    return "choose a source that anybody may read"


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # 24 ms each, and a backfill requests many months


def user_agent() -> str:
    """Return the User-Agent of requests, with the address in TRIPS_CONTACT if it is set.

    Raises:
        UsageError: TRIPS_CONTACT is not a web or e-mail address.
    """
    contact = os.environ.get("TRIPS_CONTACT", "").strip()
    is_ascii = contact.isascii() and contact.isprintable()
    if contact and not (is_ascii and _CONTACT.fullmatch(contact)):
        raise UsageError(
            f"TRIPS_CONTACT {contact!r} is not an address at which publishers can reach you; write "
            "a web or e-mail address in ASCII, such as https://example.org/taxi or me@example.org"
        )
    return f"nyc-taxi-flows/{VERSION}" + (f" (+{contact})" if contact else "")


def refuse_wrong_settings() -> None:
    """Refuse invalid settings of requests, before the first one.

    Raises:
        UsageError: from `user_agent` or `requests_allowed`.
    """
    user_agent()
    requests_allowed()


def _condition(wanted: RemoteFile[Any]) -> Mapping[str, str]:
    # No If-Modified-Since: many servers answer 304 when an older file has replaced a newer one.
    # Some servers send an ETag that is not ASCII, which cannot be sent back.
    return {"If-None-Match": wanted.etag} if wanted.etag and wanted.etag.isascii() else {}


@contextmanager
def _client(wanted: RemoteFile[Any]) -> Iterator[httpx.Client]:
    """Yield a client that takes a slot of its host for each request.

    Connection failures are converted to errors of this project.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": user_agent()}
    slots = ExitStack()

    def take_slot(request: httpx.Request) -> None:
        host = request.url.netloc.decode("ascii")  # without user, path and query
        if is_malformed(f"http://{host}/"):  # the target of a redirect; the slot is a file
            raise httpx.UnsupportedProtocol(f"it redirects to the impossible host {host!r}")
        slots.close()  # the previous request, such as a redirected one, has its response
        slots.enter_context(request_slot(request.url.host))

    try:
        with (
            slots,
            httpx.Client(
                headers=headers,
                timeout=TIMEOUT,
                follow_redirects=True,
                verify=_certificates(),
                event_hooks={"request": [take_slot]},
            ) as client,
        ):
            yield client
    except (httpx.TooManyRedirects, httpx.UnsupportedProtocol) as error:
        message = f"{wanted} leads to no file: {error}; choose another source"
        raise SourceError(message) from error
    except httpx.TransportError as error:
        # A proxy that refuses a tunnel is known only by the text of its answer.
        if isinstance(error, httpx.ProxyError) and str(error).startswith(f"{_PROXY_LOGIN} "):
            raise SourceError(f"{wanted} answered {error}; {_LOGIN_ADVICE}") from error
        what = f"{type(error).__name__}: {error}"
        raise Unreachable(f"{wanted} did not answer ({what}); try again later") from error


@contextmanager
def _answer(
    client: httpx.Client, method: str, url: str, headers: Mapping[str, str]
) -> Iterator[httpx.Response]:
    """Yield the response to a request, after any redirect."""
    with ExitStack() as opened:
        try:
            answer = opened.enter_context(client.stream(method, url, headers=headers))
        except UnicodeError as error:  # httpx decodes the host of a redirect
            raise httpx.UnsupportedProtocol(str(error)) from error
        yield answer


def _is_hidden(response: httpx.Response) -> bool:
    """Return whether a 403 of a bucket or of its CDN means that the file does not exist.

    S3, which hosts TLC's files, answers 403 to clients that may not list the bucket (S3 API
    reference, GetObject); its other refusals have another code. A CDN passes that on, or shows
    its own page. A login page, a block page or an expired signature is a real refusal.
    """
    if "WWW-Authenticate" in response.headers:
        return False
    page = b"".join(islice(response.iter_raw(), 4)).lower()
    if b"<code>" in page:
        denied = b"<code>accessdenied</code>" in page
        return denied and not any(words in page for words in _EXPIRED)
    cdn = " ".join(response.headers.get(name, "") for name in _CDN).lower()
    behind_cdn = any(name in cdn for name in _CDNS)
    return behind_cdn and not any(words in page for words in _BLOCKED)


def _validators(url: str, response: httpx.Response) -> Validators:
    return Validators(url, response.headers.get("ETag"), response.headers.get("Last-Modified"))


def _is_usable(response: httpx.Response, part: PartFile, begun: Validators) -> bool:
    """Return whether a response is usable: not a 416, nor the rest of another state of the file."""
    if response.status_code != 206:
        return response.status_code != 416
    here = response.headers.get("Content-Range", "").startswith(f"bytes {part.size}-")
    return here and _validators(begun.url, response).validator in (None, begun.validator)


def _size(response: httpx.Response) -> int | None:
    """Return the bytes of the whole file, even for a partial response; None if unknown."""
    header = "Content-Length" if response.status_code == 200 else "Content-Range"
    total = response.headers.get(header, "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _body(
    wanted: RemoteFile[Any], response: httpx.Response, start: int, total: int | None
) -> Iterator[bytes]:
    """Yield the bytes as sent, without decoding any Content-Encoding."""
    done, broken = start, None
    try:
        for chunk in steady(response.iter_raw()):
            done += len(chunk)
            yield chunk
    except httpx.TransportError as error:
        broken = error
    if broken or (total is not None and done < total):
        known = "an unknown number of" if total is None else total
        raise Unreachable(
            f"{wanted} broke off after {done} of {known} bytes; try again to have the rest"
        ) from broken
