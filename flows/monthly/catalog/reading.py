"""Reading a catalog: first the bucket's listings, then the ledger entries, concurrently."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeAlias

from core.errors import Busy, StorageError, Unavailable, UsageError
from core.storage.bucket import Bucket
from monthly.catalog.contents import DatasetLine, Mark, MonthLine, months_behind, with_gaps
from monthly.ledger import Entry, object_key, read_entry
from monthly.month import Month, months_of_stems
from monthly.schema_change import schema_change
from monthly.warehouses import Warehouse

#: Requests to the bucket at a time.
THREADS = 8
#: An entry, or why there is none.
_Read: TypeAlias = "Entry | str"


@dataclass(frozen=True)
class Listing:
    """What listings show about a dataset.

    Attributes:
        dataset: its name.
        entries: months with a ledger entry.
        held: months with a held edition.
        sizes: size in bytes of each object next to the Parquet objects, by name.
        loaded: SHA-256 of the object that the warehouse has, by month; None if it is left out.
        loaded_at: when the warehouse loaded each month, UTC, ISO 8601.
        fault: why the declaration cannot be read; empty if it can.
    """

    dataset: str
    entries: tuple[Month, ...] = ()
    held: frozenset[Month] = frozenset()
    sizes: Mapping[str, int] | None = None
    loaded: Mapping[Month, str] | None = None
    loaded_at: Mapping[Month, str] = field(default_factory=dict)
    fault: str = ""


def read_catalog(
    bucket: Bucket, warehouse: Warehouse | None, datasets: Iterable[str], today: dt.date
) -> list[DatasetLine]:
    """Return a line for each dataset, without changing anything.

    An entry or a declaration that cannot be read becomes a fault of its line; the others are shown.

    Raises:
        Unavailable: the bucket or the warehouse does not answer.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        listings = [*pool.map(lambda name: _listing_or_fault(bucket, warehouse, name), datasets)]
        months = [month for listing in listings for month in listing.entries]
        read = dict(zip(months, pool.map(lambda month: _read(bucket, month), months)))
    return [_line(listing, read, today) for listing in listings]


def listed_marks(bucket: Bucket, dataset: str) -> dict[Month, Mark]:
    """Return the months of a dataset as listings show them, in few requests.

    No entry is read, so a month is either good or held.
    """
    kept = dict.fromkeys(_months(bucket, "ledger", dataset), Mark.GOOD)
    return with_gaps(kept | dict.fromkeys(_months(bucket, "held", dataset), Mark.HELD))


def _listing_or_fault(bucket: Bucket, warehouse: Warehouse | None, dataset: str) -> Listing:
    try:
        return _listing(bucket, warehouse, dataset)
    except UsageError as error:  # an invalid declaration
        return Listing(dataset, fault=str(error))


def _listing(bucket: Bucket, warehouse: Warehouse | None, dataset: str) -> Listing:
    entries = _months(bucket, "ledger", dataset)
    held = frozenset(_months(bucket, "held", dataset))
    sizes = {file.name: file.size for file in bucket.files(f"data/{dataset}")} if entries else {}
    loaded = warehouse.loaded(dataset) if warehouse else None
    rows = warehouse.recorded(dataset) if warehouse and loaded else {}
    loaded_at = {month: row.loaded_at for month, row in rows.items()}
    return Listing(dataset, tuple(entries), held, sizes, loaded, loaded_at)


def _months(bucket: Bucket, folder: str, dataset: str) -> list[Month]:
    names = (PurePosixPath(file.name) for file in bucket.files(f"{folder}/{dataset}"))
    stems = (name.stem for name in names if name.suffix == ".json")
    return sorted(months_of_stems(dataset, stems))


def _read(bucket: Bucket, month: Month) -> _Read:
    try:
        entry, _ = read_entry(bucket, month)
    except (Unavailable, Busy):
        raise
    except StorageError as error:
        repair = "; flows/verify.py repairs it" if error.remedies else ""
        return f"{month.unprefixed(str(error))}{repair}"
    if entry is None:
        return "its ledger entry was removed while the catalog was being read; run again"
    return _fault(entry) or entry


def _fault(entry: Entry) -> str:
    """Return why a catalog cannot use an entry, whose types were not checked on reading."""
    try:
        sum((entry.rows_written, entry.rows_rejected, entry.object_size))
        dt.datetime.fromisoformat(entry.converted_at)
        schema_change(entry)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return f"its ledger entry is damaged ({error}); flows/verify.py repairs it"
    return ""


def _line(listing: Listing, read: Mapping[Month, _Read], today: dt.date) -> DatasetLine:
    if listing.fault:
        return DatasetLine(listing.dataset, fault=listing.fault)
    there = sorted({*listing.entries, *listing.held, *(listing.loaded or ())})
    months = tuple(_month(month, listing, read.get(month)) for month in there)
    return DatasetLine(listing.dataset, months, months_behind(months, today))


def _month(month: Month, listing: Listing, found: _Read | None) -> MonthLine:
    entry = found if isinstance(found, Entry) else None
    return MonthLine(
        month,
        entry,
        fault=found if isinstance(found, str) else "",
        stale=tuple(_stale(month, listing, entry)) if entry else (),
        is_held=month in listing.held,
        is_loaded=None if listing.loaded is None else month in listing.loaded,
        loaded_at=listing.loaded_at.get(month, "") if month in (listing.loaded or ()) else "",
    )


def _stale(month: Month, listing: Listing, entry: Entry) -> Iterable[str]:
    """Yield why a run would convert or load a month again."""
    if not entry.pinned and (change := schema_change(entry)):
        yield change
    size = (listing.sizes or {}).get(PurePosixPath(object_key(month)).name)
    if size is None:
        yield "its object is gone"
    elif size != entry.object_size:
        yield f"its object has {size:,} bytes where the ledger has {entry.object_size:,}"
    if (listing.loaded or {}).get(month, entry.loaded_sha256) != entry.loaded_sha256:
        yield "the warehouse has another edition of it"
