"""Records of a published file and of its download, and functions for their addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import httpx

from core.download import secrets
from core.errors import UsageError
from core.redaction import redacted, typed_secrets

#: Between the addresses of files that are published together.
AND = " + "
#: What a file is about; its text form begins every message.
What = TypeVar("What")


@dataclass(frozen=True)
class RemoteFile(Generic[What]):
    """The metadata of a published file, known without downloading it.

    Attributes:
        what: what the file is about, such as a month.
        url: its address, before any redirect.
        size: bytes; None if the publisher does not say.
        etag: as the publisher sends it, quotes included; None for a local file.
        last_modified: HTTP date; None if the publisher does not say.
    """

    what: What
    url: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    def __str__(self) -> str:
        """Return what the file is about, and its address without secrets."""
        return f"{self.what}: {without_secrets(self.url)}"


@dataclass(frozen=True)
class Download(Generic[What]):
    """A published file on this machine, complete and checked.

    Attributes:
        what: what the file is about, such as a month.
        path: the file, its bytes as they were sent.
        url: its address, before any redirect.
        size: bytes.
        sha256: of the file, hexadecimal.
        etag: of the response that sent it, which may be newer than that of the `RemoteFile`.
        last_modified: of the same response, HTTP date.
        seconds: of the download; 0 if unknown, because it resumed an earlier one.
    """

    what: What
    path: Path
    url: str
    size: int
    sha256: str
    etag: str | None
    last_modified: str | None
    seconds: float = 0.0


def remote_file(what: What, address: str) -> RemoteFile[What]:
    """Return the file at an http, https or file URL, or at a path.

    Raises:
        UsageError: the address is not one of these.
    """
    url = url_of(address)
    if not url or is_malformed(url):
        raise UsageError(
            f"{what}: {redacted(address)!r} is not an address of a file; write it like "
            "https://host/folder/file, file:///folder/file or folder/file"
        )
    return RemoteFile(what, url)


def without_secrets(url: str) -> str:
    """Return an address that is safe to show and store: without user, password and query.

    One whose secrets are all written as {secret.NAME} has none, and stays whole.
    """
    return AND.join(map(_without_secrets, url.split(AND)))


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return url
    if secrets.names_in(url) and not typed_secrets(url):
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def url_of(address: str) -> str | None:
    """Return a URL unchanged, or a path as a file URL; None for an unsupported scheme."""
    scheme = re.match(r"([A-Za-z][\w+.-]+):", address)  # one letter is a Windows drive
    if not scheme:
        return Path(address).absolute().as_uri()
    return address if scheme[1].lower() in ("http", "https", "file") else None


def file_name(url: str) -> str:
    """Return the last part of a URL's path, decoded; of several, that of the first, zipped."""
    if AND in url:
        return f"{file_name(url.partition(AND)[0])}.zip"
    return unquote(urlsplit(url).path).rpartition("/")[2]


def path_of(url: str) -> Path:
    """Return the path of a file URL."""
    return Path(url2pathname(urlsplit(url).path))


def is_malformed(url: str) -> bool:
    """Return whether a URL is invalid: no path, no possible host, or a file URL with a host."""
    try:
        parsed, parts = httpx.URL(url), urlsplit(url)
        host = parsed.host and parsed.raw_host.decode("ascii")  # the first fails for `xn--a`
        host.encode("idna")  # as a DNS lookup does; `a..b` fails
    except (httpx.InvalidURL, ValueError):
        return True
    return bool(host) == (parts.scheme == "file") or not parts.path.startswith("/")
