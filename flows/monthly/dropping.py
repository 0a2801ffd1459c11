"""The remains of a month in the bucket and the warehouse, and their removal."""

from __future__ import annotations

from dataclasses import dataclass

from core.storage.bucket import Bucket
from monthly.editions import listed_editions, name_of
from monthly.gates.aside import keys_aside
from monthly.ledger import entry_key, object_key, rejects_key, report_key
from monthly.month import Month
from monthly.warehouses import Warehouse


@dataclass(frozen=True)
class Remains:
    """Everything stored for a month.

    Attributes:
        month: the month.
        keys: keys of its objects, in order of removal: the ledger entry is first, because
            without it a month does not count as loaded. Those set aside are last.
        editions: keys of the objects of its editions, removed after the others.
        size: total size of the objects, bytes.
        rows: number of rows in the warehouse.
        is_remembered: whether the warehouse has a ledger row for the month.
    """

    month: Month
    keys: tuple[str, ...]
    editions: tuple[str, ...]
    size: int
    rows: int
    is_remembered: bool

    @property
    def is_there(self) -> bool:
        """Return whether there is anything to remove."""
        return bool(self.keys or self.editions or self.rows or self.is_remembered)

    @property
    def shown_key(self) -> str | None:
        """Return the key of the month's object, else of another of its keys in the bucket."""
        if (key := object_key(self.month)) in self.keys:
            return key
        return next(iter((*self.keys[::-1], *self.editions)), None)

    @property
    def edition_names(self) -> list[str]:
        """Return the names of its editions."""
        return sorted({name_of(key) for key in self.editions})


def find_remains(month: Month, bucket: Bucket, warehouse: Warehouse | None) -> Remains:
    """Return everything stored for a month in bucket and warehouse, without changing anything."""
    own = (entry_key(month), object_key(month), rejects_key(month), report_key(month))
    wanted = (*own, *keys_aside(bucket, month))
    sizes = {key: info.size for key in wanted if (info := bucket.info(key))}
    editions = {key: found.size for key, found in listed_editions(bucket, month).items()}
    size = sum((*sizes.values(), *editions.values()))
    rows = warehouse.rows(month) if warehouse else 0
    known = warehouse is not None and warehouse.loaded_month(month) is not None
    return Remains(month, tuple(sizes), tuple(editions), size, rows, known)


def drop_month(remains: Remains, bucket: Bucket, warehouse: Warehouse | None) -> None:
    """Remove a month from the warehouse, then from the bucket.

    Idempotent: another run completes an interrupted removal.

    Raises:
        StorageError: the bucket or the warehouse failed.
    """
    if warehouse:
        warehouse.drop(remains.month)
    for key in (*remains.keys, *remains.editions):
        bucket.delete(key)
