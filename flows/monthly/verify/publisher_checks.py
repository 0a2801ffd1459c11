"""Checks of a month at its publisher, without a download."""

from __future__ import annotations

from core.download.remote_file import RemoteFile, without_secrets
from core.errors import NotPublished
from monthly.ledger import Entry
from monthly.month import Month
from monthly.sources import address, is_generated, look, published_at, sample_rows
from monthly.verify.findings import Fault, FaultKind


def source_of(entry: Entry | None, month: Month, source: str) -> str:
    """Return the source of a month as flows take it: the one given, or the entry's own."""
    if source or entry is None or not entry.url:
        return source
    if is_generated(entry.url):
        return f"sample:{sample_rows(entry.url)}"
    urls = {name: without_secrets(address(name, month)) for name in published_at(month.dataset)}
    named = (name for name, url in urls.items() if url == entry.url)
    return next(named, entry.url.replace("{", "{{").replace("}", "}}"))


def publisher_fault(month: Month, entry: Entry, source: str) -> Fault | None:
    """Return what the publisher has changed since the month was fetched, or None.

    A new modification time alone is not a change, and neither is a new address if its file has the
    same size and ETag.

    Raises:
        Unreachable: the publisher could not be reached.
        UsageError: the source is invalid.
    """
    try:
        published = look(source_of(entry, month, source), month)
    except NotPublished as error:
        said = month.unprefixed(str(error))
        return Fault(FaultKind.PUBLISHER_CHANGED, said, entry.url)
    change = _change(published, entry)
    where = without_secrets(published.url)
    return Fault(FaultKind.PUBLISHER_CHANGED, change, where) if change else None


def _change(published: RemoteFile[Month], entry: Entry) -> str:
    if not entry.source_sha256:
        return ""  # nobody knows what was fetched
    if published.size is not None and published.size != entry.source_size:
        return f"size {entry.source_size} -> {published.size} bytes"
    if published.etag and entry.etag and published.etag != entry.etag:
        return f"ETag {entry.etag} -> {published.etag}"
    return ""
