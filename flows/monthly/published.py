"""Where a file is published, and the records of what is said of it and of what came."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import httpx

from core.errors import UsageError
from monthly.month import Month

#: Releases of DataTalksClub/nyc-tlc-data, and the links of TLC's trip record data page.
SOURCES: Mapping[str, str] = {
    "dtc": "https://github.com/DataTalksClub/nyc-tlc-data/releases/download/"
    "{color}/{color}_tripdata_{year}-{month:02}.csv.gz",
    "tlc": "https://d37ci6vzurychx.cloudfront.net/trip-data/"
    "{color}_tripdata_{year}-{month:02}.parquet",
}
_NAMES = (*SOURCES, "sample")
_WRITE = f"write {', '.join(_NAMES)}, sample:ROWS, a path, or an http, https or file URL"
_FIELDS = "the fields are {color}, {dataset}, {year}, {month} and {year_month}"


@dataclass(frozen=True)
class Published:
    """What the publisher says of a month's file without sending it.

    Attributes:
        month: which.
        url: its address, before any redirect.
        size: bytes; None where the publisher does not say.
        etag: as the publisher writes it, quotes included; None for a local file.
        last_modified: HTTP date; None where the publisher does not say.
    """

    month: Month
    url: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    def __str__(self) -> str:
        """Month and address, without its secrets."""
        return f"{self.month}: {without_secrets(self.url)}"


class Wanted(Protocol):
    """A file to fetch; as text, what an error says it is about."""

    @property
    def url(self) -> str:
        """Its address, before any redirect."""


@dataclass(frozen=True)
class WebFile:
    """A published file that is no month of trips.

    Attributes:
        what: begins every message about it.
        url: its address, before any redirect; see `at`.
    """

    what: str
    url: str

    @classmethod
    def at(cls, what: str, address: str) -> WebFile:
        """The file at an http, https or file URL, or at a path.

        Raises:
            UsageError: the address is none of these.
        """
        url = _url(address)
        if not url or _is_malformed(url):
            raise UsageError(
                f"{what}: {address!r} is no address of a file; write it like "
                "https://host/folder/file, file:///folder/file or folder/file"
            )
        return cls(what, url)

    def __str__(self) -> str:
        """What it is, and its address without its secrets."""
        return f"{self.what}: {without_secrets(self.url)}"


class Received(NamedTuple):
    """What came of a file; `Download` explains each."""

    size: int
    sha256: str
    etag: str | None
    last_modified: str | None


def is_generated(url: str) -> bool:
    """Tell whether an address is one of the source `sample`."""
    return url.startswith("sample:")


def without_secrets(url: str) -> str:
    """An address to show and to remember: no password, no signature in a query."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


@dataclass(frozen=True)
class Download:
    """A month's file in the scratch folder, complete and checked.

    Attributes:
        month: which.
        path: the file, its bytes as they were sent.
        url: its address, before any redirect.
        size: bytes.
        sha256: of the file, hexadecimal.
        etag: of the answer that sent it, which may be newer than what `look` saw.
        last_modified: of the same answer, HTTP date.
    """

    month: Month
    path: Path
    url: str
    size: int
    sha256: str
    etag: str | None
    last_modified: str | None


def address(source: str, month: Month) -> str:
    """The URL of a month's file.

    Args:
        source: a name of `SOURCES`; `sample` or `sample:ROWS`; or a template of a URL (http,
            https, file) or of a path, with the fields {color} or {dataset}, {year}, {month}
            and {year_month}, which take format specs such as {month:02}.
        month: which.

    Raises:
        UsageError: the source is none of these.
    """
    name, _, rows = source.partition(":")
    if name == "sample":
        return _sample_address(month, rows)
    if source not in SOURCES and re.fullmatch(r"[\w-]*", source):
        raise UsageError(f"{month}: no source is named {source!r}{_closest(name)}; {_WRITE}")
    url = _url(_filled(source, month))
    if not url:
        raise UsageError(f"{month}: source {source!r} cannot be read{_closest(name)}; {_WRITE}")
    _refuse_malformed(source, month, url)
    return url


def addresses(source: str, months: Sequence[Month]) -> dict[Month, str]:
    """The URL of each month's file; see `address`.

    Raises:
        UsageError: the source is none, or has the same file for several months.
    """
    found = {month: address(source, month) for month in months}
    first: dict[str, Month] = {}
    for month, url in found.items():
        other = first.setdefault(url, month)
        if other != month:
            raise UsageError(
                f"{other} and {month}: source {source!r} has one file for both, "
                f"{without_secrets(url)}; write the month into it as {{year}} and {{month:02}}, "
                "or as {year_month}"
            )
    return found


def _url(address: str) -> str | None:
    """A URL as it is, a path as one; None for a URL that no transport reads."""
    scheme = re.match(r"([A-Za-z][\w+.-]+):", address)  # one letter is a drive of Windows
    if not scheme:
        return Path(address).absolute().as_uri()
    return address if scheme[1].lower() in ("http", "https", "file") else None


def file_name(url: str) -> str:
    """The last part of its path, decoded."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def path_of(url: str) -> Path:
    """The path of a file URL."""
    return Path(url2pathname(urlsplit(url).path))


def sample_module() -> ModuleType:
    """The module that generates months, imported when one is asked for."""
    # numpy and pyarrow take a quarter of a second, which a month without a sample need not pay.
    from monthly import sample

    return sample


def sample_rows(url: str) -> int:
    """How many rows the address of a sample asks for."""
    return int(url.rpartition("=")[2])


def _sample_address(month: Month, rows: str) -> str:
    rows = rows or str(sample_module().DEFAULT_ROWS[month.dataset])
    if not re.fullmatch("[0-9]+", rows):
        raise UsageError(f"{month}: {rows!r} is no number of rows; write sample:1000")
    return f"sample:///{month.stem}.csv.gz?rows={int(rows)}"


def _closest(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), _NAMES)
    return f", did you mean {' or '.join(near)}?" if near else ""


def _filled(source: str, month: Month) -> str:
    template = SOURCES.get(source, source)
    values = {"color": month.dataset, "dataset": month.dataset, "year": month.year}
    fields = values | {"month": month.month, "year_month": month.year_month}
    try:
        parsed = [(field, spec or "") for _, field, spec, _ in Formatter().parse(template)]
        unknown = [f for f, spec in parsed if f is not None and (f not in fields or "{" in spec)]
        filled = "" if unknown else template.format_map(fields)
    except ValueError as error:
        message = f"{month}: source {source!r} is no template: {error}; {_FIELDS}"
        raise UsageError(message) from error
    if unknown:
        raise UsageError(f"{month}: source {source!r} has the field {unknown[0]!r}; {_FIELDS}")
    return filled


def _refuse_malformed(source: str, month: Month, url: str) -> None:
    name = "" if _is_malformed(url) else file_name(url)
    if name in ("", ".", "..") or not name.isprintable():
        raise UsageError(
            f"{month}: source {source!r} gives {url!r}, which is no address of a file; write it "
            "like https://host/folder/file.csv.gz or file:///folder/file.csv.gz"
        )


def _is_malformed(url: str) -> bool:
    try:
        host, parts = httpx.URL(url).host, urlsplit(url)
    except (httpx.InvalidURL, ValueError):
        return True
    return bool(host) == (parts.scheme == "file") or not parts.path.startswith("/")
