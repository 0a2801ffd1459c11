"""The errors that this project raises on purpose.

    TripsError
      +-- UsageError            an invalid parameter: dataset, month, source, block
      +-- SourceError           the published file
      |     +-- NotPublished    the publisher does not have this file (yet)
      |     +-- Unreachable     transient: connection, timeout, 429, 5xx
      |     +-- BadFile         a web page, truncated, empty, a bad checksum
      |           +-- Ambiguous   a value with two readings, and nothing to decide between them
      |           +-- WrongMonth  the rows belong to another month
      +-- SchemaError           an unknown column, or a required one is missing
      +-- Held                  a month that differs too much from its own history
      |     +-- StillHeld       an earlier run held it, and nobody has accepted it
      +-- TooManyRejects        more rows failed to convert than the threshold allows
      +-- AccountingError       rows read, written and rejected (or loaded) do not add up
      +-- StorageError          a bucket, a disk or a warehouse refused
            +-- Busy            another run holds it for longer than the wait
            +-- Unavailable     transient: connection, timeout, 429, 5xx
            +-- Conflict        the object or its ledger entry changed under this run
      +-- ClusterError          a Dask cluster did not start, or was lost

Only Unreachable, Busy and Unavailable are worth a retry; Conflict calls for a new plan.
Every message names its subject (dataset, month, file, line or column), the offending
value, and what to do. Where a parameter helps, the error has it as a `Remedy`: an option on the
command line and a field in the UI differ, so the front end words it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from core.redaction import redacted

#: Characters that control a terminal, such as those of a server's answer or of an archive's names.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Remedy:
    """A parameter with which a failed run can succeed.

    Attributes:
        parameter: name of the parameter.
        value: the value to give it.
        effect: what that does, to end a sentence: "to load nulls".
        flow: file name of the flow to run instead, without `.py`; empty for the one that failed.
    """

    parameter: str
    value: bool | float | str
    effect: str = ""
    flow: str = ""


#: A remedy, or advice that needs no parameter: "check the file".
Advice: TypeAlias = Remedy | str


class TripsError(Exception):
    """Base class of every error that this project raises on purpose.

    Args:
        message: what is wrong; passwords and signatures of addresses in it are masked, and control
            characters are escaped.
        remedies: what helps; any one of them.
    """

    def __init__(self, message: str, *remedies: Advice) -> None:
        self.message = _CONTROL.sub(lambda found: rf"\x{ord(found[0]):02x}", redacted(message))
        self.remedies = remedies
        super().__init__(self.message, *remedies)  # all of them, or they would be lost in a pickle

    def __str__(self) -> str:
        """Return the message and the advice that reads the same everywhere."""
        return "; ".join([self.message, *(r for r in self.remedies if isinstance(r, str))])

    @property
    def page(self) -> str:
        """Return the part of the documentation about errors of this class."""
        return page_of(type(self).__name__)


class UsageError(TripsError):
    """An invalid parameter."""


class SourceError(TripsError):
    """The published file cannot be downloaded or used."""


class NotPublished(SourceError):
    """The publisher answers that the file does not exist."""


class Unreachable(SourceError):
    """The publisher cannot be reached; a later retry can help."""


class BadFile(SourceError):
    """The published file is not what its name says."""


class Ambiguous(BadFile):
    """A value has two readings, and nothing in the file decides between them."""


class WrongMonth(BadFile):
    """The rows of a file belong to another month."""


class SchemaError(TripsError):
    """The columns of a file do not match its dataset."""


class Held(TripsError):
    """A month that differs too much from its own history, set aside until it is accepted."""


class StillHeld(Held):
    """A month that an earlier run set aside and that has not been accepted since."""


class TooManyRejects(TripsError):
    """More rows were rejected than the threshold allows."""


class AccountingError(TripsError):
    """Two counts that must be equal are not."""


class StorageError(TripsError):
    """A bucket, a disk or a warehouse refused an operation."""


class Busy(StorageError):
    """Another run holds the month, the file or the table."""


class Unavailable(StorageError):
    """A bucket or a warehouse cannot be reached; a later retry can help."""


class Conflict(StorageError):
    """Another run changed the object or its ledger entry in the meantime."""


class ClusterError(TripsError):
    """A Dask cluster did not start, or was lost together with its work."""


def page_of(error: str) -> str:
    """Return the part of the documentation about errors of a class, by the class's name."""
    return f"docs/troubleshooting.md#{error.lower()}" if error != TripsError.__name__ else ""
