"""The remains of a month in the bucket and the warehouse, and their removal."""

from __future__ import annotations

from dataclasses import dataclass

from core.storage.bucket import Bucket
from monthly.ledger import entry_key, object_key, rejects_key, report_key
from monthly.month import Month
from monthly.warehouses import Warehouse


@dataclass(frozen=True)
class Remains:
    """Everything stored of a month.

    Attributes:
        month: the month.
        keys: keys of its objects, in order of removal: the ledger entry is first, because
            without it a month does not count as loaded.
        size: total size of the objects, bytes.
        rows: number of rows in the warehouse.
        is_remembered: whether the warehouse has a ledger row for the month.
    """

    month: Month
    keys: tuple[str, ...]
    size: int
    rows: int
    is_remembered: bool

    @property
    def is_there(self) -> bool:
        """Return whether there is anything to remove."""
        return bool(self.keys or self.rows or self.is_remembered)


def find_remains(month: Month, bucket: Bucket, warehouse: Warehouse | None) -> Remains:
    """Return what the bucket and the warehouse hold of a month, without changing anything."""
    wanted = (entry_key(month), object_key(month), rejects_key(month), report_key(month))
    sizes = {key: info.size for key in wanted if (info := bucket.info(key))}
    rows = warehouse.rows(month) if warehouse else 0
    known = warehouse is not None and warehouse.held(month) is not None
    return Remains(month, tuple(sizes), sum(sizes.values()), rows, known)


def drop_month(remains: Remains, bucket: Bucket, warehouse: Warehouse | None) -> None:
    """Remove a month from the warehouse, then from the bucket.

    Idempotent: another run completes an interrupted removal.

    Raises:
        StorageError: the bucket or the warehouse failed.
    """
    if warehouse:
        warehouse.drop(remains.month)
    for key in remains.keys:
        bucket.delete(key)
