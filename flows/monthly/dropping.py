"""What there is of a month in bucket and warehouse, and its removal."""

from __future__ import annotations

from dataclasses import dataclass

from core.storage.bucket import Bucket
from monthly.ledger import entry_key, object_key, rejects_key, report_key
from monthly.month import Month
from monthly.warehouses import Warehouse


@dataclass(frozen=True)
class Remains:
    """What there is of a month.

    Attributes:
        month: which.
        keys: of its objects, in the order in which they are removed: without its ledger entry,
            which is the first, a month does not count as loaded.
        size: of the objects together, bytes.
        rows: in the warehouse.
        is_remembered: whether the warehouse has a ledger row of it.
    """

    month: Month
    keys: tuple[str, ...]
    size: int
    rows: int
    is_remembered: bool

    @property
    def is_there(self) -> bool:
        """Whether there is anything to remove."""
        return bool(self.keys or self.rows or self.is_remembered)


def find_remains(month: Month, bucket: Bucket, warehouse: Warehouse | None) -> Remains:
    """Look for a month everywhere; changes nothing."""
    wanted = (entry_key(month), object_key(month), rejects_key(month), report_key(month))
    sizes = {key: info.size for key in wanted if (info := bucket.info(key))}
    rows = warehouse.rows(month) if warehouse else 0
    known = warehouse is not None and warehouse.held(month) is not None
    return Remains(month, tuple(sizes), sum(sizes.values()), rows, known)


def drop_month(remains: Remains, bucket: Bucket, warehouse: Warehouse | None) -> None:
    """Remove a month from the warehouse, then from the bucket.

    Each step leaves what the next run of it finds: a killed removal is completed by another.

    Raises:
        StorageError: bucket or warehouse could not.
    """
    if warehouse:
        warehouse.drop(remains.month)
    for key in remains.keys:
        bucket.delete(key)
