"""Records in the bucket that a newer version wrote, with fields that this one lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from core.errors import Advice, StorageError

#: What reading a record raises if it is damaged.
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)


def unreadable(
    where: str,
    what: str,
    error: Exception,
    read: Callable[[], object],
    otherwise: Advice = "remove that object, then run again",
) -> StorageError:
    """Return the error for a record that cannot be read.

    Args:
        where: the month and the object.
        what: what the object should be.
        error: why it cannot be read.
        read: reads it without the fields that this version lacks; raises one of `UNREADABLE`.
        otherwise: what to do if the record is damaged.
    """
    try:
        read()
    except UNREADABLE:
        return StorageError(f"{where} is not {what} ({error})", otherwise)
    return newer(where, error)


def newer(where: str, error: Exception) -> StorageError:
    """Return the error for a record that a newer version wrote; see `unreadable`."""
    return StorageError(f"{where} was written by a newer version ({error}); update this project")


def known(kind: type[Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that a dataclass has."""
    return {each.name: record[each.name] for each in fields(kind) if each.name in record}
