"""What a verification finds: faults, and a verdict on each month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from core.errors import Advice, Remedy, TripsError
from monthly.ledger import Entry
from monthly.month import Month


class FaultKind(str, Enum):
    """What is wrong with a month."""

    NOT_THERE = "not there"
    HELD = "held"
    ENTRY_MISSING = "entry missing"
    ENTRY_GARBLED = "entry garbled"
    ENTRY_OF_ANOTHER = "entry of another month"
    ENTRY_WRONG = "entry wrong"
    OUTDATED = "declaration changed"
    OBJECT_MISSING = "object missing"
    OBJECT_DAMAGED = "object damaged"
    OBJECT_OF_ANOTHER = "object of another month"
    REJECTS_MISSING = "rejects missing"
    REJECTS_WRONG = "rejects wrong"
    REPORT_MISSING = "report missing"
    NOT_LOADED = "not in the warehouse"
    LEDGER_ROW_MISSING = "ledger row missing"
    ROWS_MISSING = "warehouse month missing"
    LOADED_ANOTHER = "another object loaded"
    ROW_COUNT = "row count differs"
    VALUES = "values differ"
    TOUCHED = "changed since its load"
    PUBLISHER_CHANGED = "publisher changed"


#: Faults of the ledger entry, of the objects that it names, and of the warehouse's month.
ENTRY_FAULTS = frozenset(
    {
        FaultKind.ENTRY_MISSING,
        FaultKind.ENTRY_GARBLED,
        FaultKind.ENTRY_OF_ANOTHER,
        FaultKind.ENTRY_WRONG,
    }
)
OBJECT_FAULTS = frozenset(
    {
        FaultKind.OUTDATED,
        FaultKind.OBJECT_MISSING,
        FaultKind.OBJECT_DAMAGED,
        FaultKind.OBJECT_OF_ANOTHER,
        FaultKind.REJECTS_MISSING,
        FaultKind.REJECTS_WRONG,
    }
)
WAREHOUSE_FAULTS = frozenset(
    {
        FaultKind.NOT_LOADED,
        FaultKind.LEDGER_ROW_MISSING,
        FaultKind.ROWS_MISSING,
        FaultKind.LOADED_ANOTHER,
        FaultKind.ROW_COUNT,
        FaultKind.VALUES,
        FaultKind.TOUCHED,
    }
)


@dataclass(frozen=True)
class Fault:
    """A fault of a month.

    Attributes:
        kind: what is wrong.
        what: the same in detail, without the month's name.
        where: the object, or the warehouse.
    """

    kind: FaultKind
    what: str
    where: str


class Judgement(str, Enum):
    """The outcome of the verification of a month."""

    GOOD = "good"
    FAULTY = "faulty"
    UNCHECKED = "not checked"


class Step(str, Enum):
    """A step of a repair; each is safe to kill and to repeat."""

    REWRITE_ENTRY = "rewrite the entry"
    FETCH = "fetch again"
    LOAD = "load if it differs"
    RELOAD = "reload from the bucket"
    REDRAW = "redraw the report"


@dataclass(frozen=True)
class Verdict:
    """The verdict on one month.

    Attributes:
        month: the month.
        faults: what is wrong, in the order of the checks.
        unchecked: why something could not be checked; empty if all was.
        error: name of the class of that error; empty if there is none.
        entry: the ledger entry, or what stands in for it; None if nothing says what the month is.
        version: version of the stored entry, for a conditional write; None if it is absent.
        is_read: whether the object was read in full.
        where: the object and the warehouse.
        steps: what repairs the month: still to be done, or done if `is_repaired`.
        advice: what to do if no step repairs it.
        is_repaired: whether the steps were carried out.
    """

    month: Month
    faults: tuple[Fault, ...] = ()
    unchecked: str = ""
    error: str = ""
    entry: Entry | None = None
    version: str | None = None
    is_read: bool = False
    where: str = ""
    steps: tuple[Step, ...] = ()
    advice: tuple[Advice, ...] = ()
    is_repaired: bool = False

    @property
    def judgement(self) -> Judgement:
        """Return the outcome; a fault counts even if something else could not be checked."""
        if self.faults:
            return Judgement.FAULTY
        return Judgement.UNCHECKED if self.unchecked else Judgement.GOOD

    @property
    def is_failed(self) -> bool:
        """Return whether the month is not good."""
        return self.judgement is not Judgement.GOOD

    @property
    def kinds(self) -> frozenset[FaultKind]:
        """Return the kinds of the faults."""
        return frozenset(fault.kind for fault in self.faults)

    def with_error(self, error: TripsError) -> Verdict:
        """Return the verdict with the reason why something could not be checked."""
        said = self.month.unprefixed(str(error))
        reason = said if not self.unchecked else f"{self.unchecked}; {said}"
        advice = tuple(each for each in error.remedies if isinstance(each, Remedy))
        return replace(self, unchecked=reason, error=type(error).__name__, advice=advice)
