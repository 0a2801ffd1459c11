"""Warehouses, one module each: a load replaces one month and its ledger row atomically."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from core.errors import AccountingError, Conflict, Remedy, SchemaError, StorageError
from core.storage.bucket import Bucket
from monthly.columns import Column
from monthly.datasets import DATASETS, others_table
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses.month_figures import MonthFigures, is_month

T = TypeVar("T")

#: The table of every warehouse that has a row for each loaded month.
LEDGER = "loaded_months"
#: What repairs the object of a month, which a load into a warehouse only reads.
AGAIN = Remedy("force", True, "for it", flow="etl_web_to_gcs")
#: The same for a pinned month, which no run replaces.
UNPIN_FIRST = Remedy(
    "unpin", True, "and load it again, as no run converts a pinned month", flow="history"
)
#: Unpins a month that no bucket has.
UNPIN_HERE = Remedy(
    "unpin", True, 'for this warehouse and the bucket "", to let loads replace it', flow="history"
)


@dataclass(frozen=True)
class LoadedMonth:
    """State of a loaded month in a warehouse.

    Attributes:
        sha256: SHA-256 of the loaded object, or of the published file if there is no object.
        loaded: rows after the load.
        found: rows now.
        touched: whether something else has changed the month since, whatever its row count.
        elsewhere: the table that it was loaded into, if that is not the declared one.
    """

    sha256: str
    loaded: int
    found: int
    touched: bool = False
    elsewhere: str | None = None

    def difference(self, warehouse: str) -> str | None:
        """Return how the month differs from what its load left, or None."""
        if self.elsewhere:
            other = f"has it in the table {self.elsewhere}, not in the one that is declared now"
            return f"{warehouse} {other}"
        if self.found != self.loaded:
            return f"{warehouse} has {self.found:,} rows of it where its load left {self.loaded:,}"
        return f"something other than a load changed it in {warehouse}" if self.touched else None

    def is_intact(self, sha256: str, warehouse: str) -> bool:
        """Return whether the month was loaded from this object and is unchanged since."""
        return self.sha256 == sha256 and self.difference(warehouse) is None


@dataclass(frozen=True)
class Recorded:
    """A month's row in the warehouse's own ledger, regardless of what its table holds.

    Attributes:
        sha256: SHA-256 of the loaded object, or of the published file if there is no object.
        rows: rows after the load.
        source: source of the published file; empty if a version before 1.1 loaded it.
        entry: the entry of the loaded object; None if a version before 1.3 loaded it, or if it
            is not an entry of this version.
        touched: whether something else has changed the month since, if the warehouse records
            such changes.
        loaded_at: when it was loaded, UTC, ISO 8601; empty if that is not recorded.
        elsewhere: the table that it was loaded into, if that is not the declared one.
    """

    sha256: str
    rows: int
    source: str
    entry: Entry | None
    touched: bool = False
    loaded_at: str = ""
    elsewhere: str | None = None


def recorded_months(dataset: str, rows: Iterable[Mapping[str, Any]]) -> dict[Month, Recorded]:
    """Return ledger rows of a dataset by month."""
    table = DATASETS[dataset].table
    return by_month(dataset, ((row["file_month"], _recorded(row, table)) for row in rows))


def by_month(dataset: str, found: Iterable[tuple[dt.date, T]]) -> dict[Month, T]:
    """Return the values that a ledger has for the first day of each month, by month.

    A month that the dataset cannot have, for example since its first month changed, is left out.
    """
    known = DATASETS[dataset]
    return {Month(dataset, d.year, d.month): value for d, value in found if is_month(known, d)}


def tables_of(month: Month, recorded: str | None) -> list[str]:
    """Return the tables that may have rows of a month: the declared one, and an earlier one.

    Args:
        month: the month.
        recorded: the table that it was loaded into; None if that is unknown, or if another dataset
            has loaded the month into it since. If another one declares it now, its rows are no
            longer of this dataset.
    """
    table = DATASETS[month.dataset].table
    if not recorded or recorded.lower() == table.lower() or others_table(month.dataset, recorded):
        return [table]
    return [table, recorded]


def _recorded(row: Mapping[str, Any], table: str) -> Recorded:
    """Return a ledger row; an older version may have written it without some columns."""
    touched = bool(row.get("touched"))
    when = _utc(row.get("loaded_at") or row.get("modified"))
    source = row.get("source") or ""
    entry = stored_entry(row.get("entry"))
    there = row.get("table_name") or table
    elsewhere = there if there.lower() != table.lower() else None
    return Recorded(row["object_sha256"], row["rows"], source, entry, touched, when, elsewhere)


def stored_entry(stored: Any) -> Entry | None:
    """Return a copy of an entry; None if it is damaged, or if a newer version wrote it.

    One row must not hide all other months.
    """
    try:
        record = json.loads(stored) if isinstance(stored, str) else stored
        return Entry.of(record) if record else None
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _utc(time: dt.datetime | None) -> str:
    # DuckDB records local time without a zone, which is what astimezone assumes.
    return time.astimezone(dt.timezone.utc).isoformat(timespec="seconds") if time else ""


class Warehouse(Protocol):
    """A database for querying months; a load replaces a whole month in one transaction."""

    #: SQL of the time of the latest load, for rows of the ledger.
    newest_load: ClassVar[str]

    def name(self) -> str:
        """Return the name used in reports."""

    def schema(self) -> str:
        """Return the schema of the tables; with BigQuery, the dataset."""

    def loaded(self, dataset: str) -> Mapping[Month, str]:
        """Return the SHA-256 of the loaded Parquet object by month."""

    def loaded_month(self, month: Month) -> LoadedMonth | None:
        """Return the state of a month, with its row count; None if it was not loaded."""

    def recorded(self, dataset: str) -> Mapping[Month, Recorded]:
        """Return the ledger's rows by month, whether or not the table has those months."""

    def figures(
        self, dataset: str, columns: Sequence[Column], months: Sequence[Month] | None = None
    ) -> Mapping[Month, MonthFigures]:
        """Return the figures of months, or of all months in the table, from one query.

        Args:
            dataset: the dataset.
            columns: the columns to measure; those that the table lacks are left out.
            months: the months to measure; None for all in the table.

        Raises:
            SchemaError: the table cannot take the declared columns; see `refusal`.
            StorageError: the warehouse failed.
        """

    def rows(self, month: Month) -> int:
        """Return the number of rows of a month, whoever wrote them.

        In Postgres and DuckDB, also in the table that it was loaded into; see `tables_of`.
        """

    def drop(self, month: Month) -> None:
        """Remove the rows of a month and its ledger row, if there are any; see `rows`.

        Raises:
            StorageError: the warehouse failed; another run continues where this one stopped.
        """

    def refusal(self, dataset: str) -> SchemaError | None:
        """Return why the dataset's table cannot take the declared columns, or None.

        A load of any month would raise it. Nothing is written.
        """

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month with the rows of a Parquet file; return the row count.

        Raises:
            AccountingError: the warehouse's row count differs from the ledger's.
            SchemaError: the table cannot take the columns; see `refusal`.
            StorageError: the warehouse failed, and its month is unchanged.
        """


def refuse_other_count(month: Month, warehouse: str, rows: int, entry: Entry) -> None:
    """Refuse to commit a load that did not leave as many rows as the object has.

    Raises:
        AccountingError: the warehouse counted another number of rows.
    """
    if rows != entry.rows_written:
        raise AccountingError(
            f"{month}: {warehouse} counted {rows} rows where the ledger has "
            f"{entry.rows_written}; nothing was changed",
            Remedy("force", True),
        )


def dropped_meanwhile(what: str, but: str = "") -> StorageError:
    """Return the error for a month or object that is gone from the bucket after its load.

    Args:
        what: the month or the object.
        but: clause that says what the load left behind.
    """
    return StorageError(
        f"{what} was dropped from the bucket while it was being loaded{but}",
        "run flows/drop_months.py to remove what is left of the month",
        "run flows/etl_web_to_gcs.py to bring the month back",
    )


@dataclass(frozen=True)
class InPlace:
    """A month's object in the bucket, for a warehouse that reads it from there.

    Attributes:
        bucket: the bucket with the object.
        key: key of the object.
        version: the bucket's version of the object, as recorded in the ledger.
    """

    bucket: Bucket
    key: str
    version: str

    @property
    def uri(self) -> str:
        """Return the object's URI in the form that the warehouse takes."""
        return self.bucket.uri(self.key)

    def is_there(self) -> bool:
        """Return whether the object is still the one in the ledger."""
        info = self.bucket.info(self.key)
        return info is not None and info.version == self.version

    def confirm(self) -> None:
        """Check the object's version after the warehouse has read it.

        Raises:
            Conflict: another run has replaced the object meanwhile.
            StorageError: another run has dropped it.
        """
        if self.is_there():
            return
        if self.bucket.info(self.key) is None:
            raise dropped_meanwhile(self.uri)
        raise Conflict(f"{self.uri} was changed while it was being loaded; run again")


@runtime_checkable
class ReadsInPlace(Warehouse, Protocol):
    """A warehouse that reads some buckets directly, so that no rows pass through the client."""

    def reads(self, uri: str) -> bool:
        """Return whether the warehouse can read an object at this URI."""

    def load_in_place(self, month: Month, entry: Entry, kept: InPlace) -> int:
        """Replace the month with the rows of an object; see `Warehouse.load`.

        Raises:
            Conflict: another run changed the object or the month meanwhile.
        """
