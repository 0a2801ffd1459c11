"""One module a warehouse: each replaces exactly one month, with its ledger row, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from trips.ledger import Entry
from trips.months import Month


class Warehouse(Protocol):
    """Where months are queried. Loading one replaces it whole, in one transaction."""

    def name(self) -> str:
        """What it is called in reports."""

    def loaded(self, dataset: str) -> Mapping[Month, str]:
        """The SHA-256 of the Parquet object that was loaded, by month."""

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month by the rows of a Parquet file; how many there are.

        Raises:
            AccountingError: the warehouse counted other rows than the ledger.
            StorageError: the warehouse could not, and the month there is as before.
        """
