"""One module a warehouse: each replaces exactly one month, with its ledger row, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from core.errors import Conflict
from core.storage.bucket import Bucket
from monthly.ledger import Entry
from monthly.month import Month


@dataclass(frozen=True)
class Held:
    """What a warehouse has of a month that was loaded into it.

    Attributes:
        sha256: of the object that was loaded, or of the published file where there is none.
        loaded: rows that the load left.
        found: rows that are there now.
        touched: whether something else has changed it since, whatever its rows.
    """

    sha256: str
    loaded: int
    found: int
    touched: bool = False

    def difference(self, warehouse: str) -> str | None:
        """Return why the month is not as its load left it, None if it is."""
        if self.found != self.loaded:
            return f"{warehouse} has {self.found:,} rows of it where its load left {self.loaded:,}"
        return f"something else than a load changed it in {warehouse}" if self.touched else None

    def is_intact(self, sha256: str, warehouse: str) -> bool:
        """Tell whether it is the month of this object, as its load left it."""
        return self.sha256 == sha256 and self.difference(warehouse) is None


class Warehouse(Protocol):
    """Where months are queried. Loading one replaces it whole, in one transaction."""

    def name(self) -> str:
        """What it is called in reports."""

    def loaded(self, dataset: str) -> Mapping[Month, str]:
        """The SHA-256 of the Parquet object that was loaded, by month."""

    def held(self, month: Month) -> Held | None:
        """What is there of a month, its rows counted; None if it was not loaded."""

    def rows(self, month: Month) -> int:
        """Return how many rows of a month are there, whoever put them there."""

    def drop(self, month: Month) -> None:
        """Remove the rows of a month and its ledger row; none there is fine.

        Raises:
            StorageError: the warehouse could not; run again, it goes on where it stopped.
        """

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month by the rows of a Parquet file; how many there are.

        Raises:
            AccountingError: the warehouse counted other rows than the ledger.
            StorageError: the warehouse could not, and the month there is as before.
        """


@dataclass(frozen=True)
class InPlace:
    """A month's object that stays in the bucket, for a warehouse that reads it there.

    Attributes:
        bucket: where it is.
        key: its key.
        version: the bucket's own, which the ledger speaks of.
    """

    bucket: Bucket
    key: str
    version: str

    @property
    def uri(self) -> str:
        """Where it is, as the warehouse takes it."""
        return self.bucket.uri(self.key)

    def is_there(self) -> bool:
        """Whether it still is the object that the ledger speaks of."""
        info = self.bucket.info(self.key)
        return info is not None and info.version == self.version

    def confirm(self) -> None:
        """Make sure of it once the warehouse has read it.

        Raises:
            Conflict: another run put another object there meanwhile.
        """
        if not self.is_there():
            raise Conflict(f"{self.uri} was changed while it was loaded; run again")


@runtime_checkable
class ReadsInPlace(Warehouse, Protocol):
    """A warehouse that reads some buckets itself, so that no rows pass through the client."""

    def reads(self, uri: str) -> bool:
        """Whether it reads an object at this address."""

    def load_in_place(self, month: Month, entry: Entry, kept: InPlace) -> int:
        """Replace the month by the rows of an object; see `Warehouse.load`.

        Raises:
            Conflict: the object or the month was changed by another run meanwhile.
        """
