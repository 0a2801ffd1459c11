"""The sources of months: file addresses, metadata before the download, and the download."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from core.download import secrets
from core.download.checks import check_file
from core.download.fetch import transport_of, whole
from core.download.http import Http
from core.download.local import File
from core.download.partial import PartFile, Progress, Validators
from core.download.parts import Parts
from core.download.remote_file import (
    AND,
    Download,
    RemoteFile,
    file_name,
    is_malformed,
    url_of,
    without_secrets,
)
from core.errors import UsageError
from core.redaction import redacted, typed_secrets
from monthly.datasets import DATASETS
from monthly.month import Month

if TYPE_CHECKING:
    from monthly.ledger import Entry  # which imports this module

_FIELDS = (
    "the fields are {color}, {dataset}, {year}, {month}, {year_month}, {last_day}, and for a "
    f"secret {secrets.FORM}"
)


def look(source: str, month: Month, known: Entry | None = None) -> RemoteFile[Month]:
    """Return the metadata of the published file, without downloading it.

    Args:
        source: see `address`.
        month: the month.
        known: the ledger entry of the month, if any: a publisher that supports conditional
            requests can then answer that its file is unchanged.

    Raises:
        UsageError: `address` does not accept the source, or the month has not begun.
        NotPublished: the file does not exist (yet).
        Unreachable: the publisher could not be reached, or asks to retry later.
        SourceError: the publisher refuses the request.
    """
    wanted = RemoteFile(month, address(source, month))
    if month.first_day > dt.date.today():
        raise UsageError(f"{month} has not begun; choose an earlier month")
    return _transport(wanted.url).look(_as_known(wanted, known))


def _as_known(wanted: RemoteFile[Month], known: Entry | None) -> RemoteFile[Month]:
    """Return the file as it was when the month was loaded from the same address, for HTTP."""
    if known is None or known.url != without_secrets(wanted.url):
        return wanted
    if not isinstance(_transport(wanted.url), Http):
        return wanted
    etag, time = known.etag, known.last_modified
    return replace(wanted, size=known.source_size, etag=etag, last_modified=time)


def download(
    published: RemoteFile[Month], folder: Path, progress: Progress = lambda done, total: None
) -> Download[Month]:
    """Download a file into `folder`, complete and checked or not at all, without retries.

    See `core.download.fetch`. A gzip Content-Encoding is not decoded: the bytes are kept,
    measured and hashed as sent, and the format is detected from the content.

    Args:
        published: from `look`; a file that has changed since is taken as it is now.
        folder: created if missing.
        progress: called four times per MB with the bytes so far and the total (None: unknown).

    Raises:
        NotPublished, Unreachable, SourceError: as from `look`.
        BadFile: the file is not what its name says; nothing is kept.
        StorageError: the folder cannot take the file; nothing is kept.
    """
    path, transport = folder / file_name(published.url), _transport(published.url)
    return whole(
        published.what,
        path,
        lambda part: transport.fetch(published, part, progress),
        partial(check_file, published.what),
    )


class Sample:
    """A source that generates months; it writes nothing before `fetch`."""

    def look(self, wanted: RemoteFile[Month]) -> RemoteFile[Month]:
        """Return the file with an ETag built from what determines its content."""
        version = sample_module().version_of(wanted.what.dataset)
        return replace(wanted, etag=f"sample-{version}-{sample_rows(wanted.url)}")

    def fetch(
        self, wanted: RemoteFile[Month], part: PartFile, progress: Progress
    ) -> Download[Month]:
        """Generate the file."""
        new = part.path.with_name(f"new-{file_name(wanted.url)}")  # the extension is the format
        sample_module().write_sample(wanted.what, new, sample_rows(wanted.url))
        new.replace(part.path)
        validators = Validators(wanted.url, self.look(wanted).etag, None)
        counted = part.receive((), part.size, progress)
        return part.download(wanted, counted, validators)


def _transport(url: str) -> Http | File | Parts | Sample:
    if is_generated(url):
        return Sample()
    return Parts() if AND in url else transport_of(url)


def typed_in(source: str, dataset: str) -> list[str]:
    """Return the names of the literal secrets in a source, such as its password."""
    template = published_at(dataset).get(source, source)
    return [name for part in template.split(AND) for name in typed_secrets(part)]


def secrets_in(source: str, dataset: str) -> list[str]:
    """Return the names of the secrets that a source refers to."""
    return secrets.names_in(published_at(dataset).get(source, source))


def is_generated(url: str) -> bool:
    """Return whether an address belongs to the source `sample`."""
    return url.startswith("sample:")


def address(source: str, month: Month) -> str:
    """Return the URL of a month's file.

    Args:
        source: a declared name, empty for the first; `sample` or `sample:ROWS`; or a template
            of a URL (http, https, file) or a path, with the fields {color} or {dataset}, {year},
            {month}, {year_month} and {last_day}, which take format specs such as {month:02}.
            The field {secret.NAME} stays in the URL: only a request has its value.
        month: the month.

    Raises:
        UsageError: the source is not one of these.
    """
    source = chosen(source, month.dataset)
    name, _, rows = source.partition(":")
    if name == "sample":
        return _sample_address(month, rows)
    hint = f"{_closest(name, month.dataset)}; {_write(month.dataset)}"
    if source not in published_at(month.dataset) and re.fullmatch(r"[\w-]*", source):
        raise UsageError(f"{month}: no source is named {redacted(source)!r}{hint}")
    urls = [url_of(part) for part in _filled(source, month).split(AND)]
    if not all(urls):
        raise UsageError(f"{month}: source {redacted(source)!r} cannot be read{hint}")
    for url in filter(None, urls):
        _refuse_malformed(source, month, url)
    return AND.join(filter(None, urls))


def addresses(source: str, months: Sequence[Month]) -> dict[Month, str]:
    """Return the URL of each month's file; see `address`.

    Raises:
        UsageError: the source is invalid, or has the same file for several months.
    """
    found = {month: address(source, month) for month in months}
    first: dict[str, Month] = {}
    for month, url in found.items():
        other = first.setdefault(url, month)
        if other != month:
            raise UsageError(
                f"{other} and {month}: source {redacted(source)!r} has one file for both, "
                f"{without_secrets(url)}; write the month into it as {{year}} and {{month:02}}, "
                "or as {year_month}"
            )
    return found


def sample_module() -> ModuleType:
    """Return the module that generates months, imported on demand."""
    # Importing numpy and pyarrow takes a quarter of a second, which only samples need.
    from monthly import sample

    return sample


def sample_rows(url: str) -> int:
    """Return the number of rows in the address of a sample."""
    return int(url.rpartition("=")[2])


def _sample_address(month: Month, rows: str) -> str:
    rows = rows or str(sample_module().default_rows(month.dataset))
    if not re.fullmatch("[0-9]{1,15}", rows):
        raise UsageError(f"{month}: {rows!r} is not a number of rows; write sample:1000")
    return f"sample:///{month.stem}.csv.gz?rows={int(rows)}"


def chosen(source: str, dataset: str) -> str:
    """Return a source, or for an empty one the first that the dataset declares.

    Raises:
        UsageError: the dataset declares none.
    """
    first = next(iter(published_at(dataset)), "")
    if not (source or first):
        raise UsageError(f"{dataset} declares no source; {_write(dataset)}")
    return source or first


def published_at(dataset: str) -> Mapping[str, str]:
    """Return the addresses of a dataset's publishers, by the name of the source."""
    return {
        name: url if isinstance(url, str) else AND.join(url)
        for name, url in DATASETS[dataset].declared.sources.items()
    }


def _write(dataset: str) -> str:
    names = ", ".join([*published_at(dataset), "sample"])
    return f"write {names}, sample:ROWS, a path, or an http, https or file URL"


def _closest(name: str, dataset: str) -> str:
    near = difflib.get_close_matches(name.lower(), [*published_at(dataset), "sample"])
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _filled(source: str, month: Month) -> str:
    template = published_at(month.dataset).get(source, source)
    values = {"color": month.dataset, "dataset": month.dataset, "year": month.year}
    fields = values | {"month": month.month, "year_month": month.year_month}
    fields["last_day"] = month.last_day
    template = secrets.FIELD.sub(r"{\g<0>}", template)  # in double braces, a field stays
    try:
        parsed = [(field, spec or "") for _, field, spec, _ in Formatter().parse(template)]
        unknown = [f for f, spec in parsed if f is not None and (f not in fields or "{" in spec)]
        filled = "" if unknown else template.format_map(fields)
    except ValueError as error:
        message = f"{month}: source {redacted(source)!r} is not a template: {error}; {_FIELDS}"
        raise UsageError(message) from error
    if unknown:
        said = f"source {redacted(source)!r} has the field {unknown[0]!r}"
        raise UsageError(f"{month}: {said}; {_FIELDS}")
    return filled


def _refuse_malformed(source: str, month: Month, url: str) -> None:
    name = "" if is_malformed(url) else file_name(url)
    if name in ("", ".", "..") or not name.isprintable():
        raise UsageError(
            f"{month}: source {redacted(source)!r} gives {redacted(url)!r}, which is not a file "
            "address; write it like https://host/folder/file.csv.gz or "
            "file:///folder/file.csv.gz"
        )
    parts = urlsplit(url)
    if secrets.names_in(
        unquote(url) if parts.scheme == "file" else parts.netloc.rpartition("@")[2]
    ):
        raise UsageError(
            f"{month}: source {redacted(source)!r} has a secret where none can be; write one as "
            "user, password, path or query of an https address"
        )
