"""What a run does with a month that its gates find unusual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from core.errors import UsageError
from monthly.datasets import dataset
from monthly.gates.aside import HeldMonth
from monthly.gates.judging import Finding
from monthly.gates.thresholds import Gates, thresholds_of
from monthly.ledger import Entry

#: Hold an unusual month, load it with a warning, or do not judge months.
GateMode = Literal["hold", "warn", "off"]


@dataclass(frozen=True)
class Policy:
    """What to do with unusual months.

    Attributes:
        mode: whether to hold them, to warn, or not to judge months.
        gates: the thresholds.
        accept: whether to accept the month that is held or, if none is, the one that would be.
    """

    mode: GateMode = "hold"
    gates: Gates = field(default_factory=Gates)
    accept: bool = False

    @property
    def judges(self) -> bool:
        """Return whether months are judged at all."""
        return self.mode != "off"

    def holds(self, held: HeldMonth) -> bool:
        """Return whether a held month stays held."""
        return self.mode == "hold" and not self.accept and held.holds_under(self.gates)

    @classmethod
    def of(
        cls, name: str, mode: GateMode, thresholds: str | Mapping[str, Any], accept: bool
    ) -> Policy:
        """Return the policy of a dataset's declaration and a flow's parameters.

        Raises:
            UsageError: a parameter is invalid.
        """
        if mode not in get_args(GateMode):
            raise UsageError(f"gates {mode!r}: write {', '.join(get_args(GateMode))}")
        return cls(mode, thresholds_of(dataset(name).declared.gates, thresholds), accept)

    def applied(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings, as mere warnings unless this policy holds months."""
        if self.mode == "hold" and not self.accept:
            return list(findings)
        return [replace(each, is_held=False) for each in findings]

    def for_file(self, sha256: str, held: HeldMonth | None, entry: Entry | None) -> Policy:
        """Return the policy for published bytes.

        Only the file that was held is accepted. A file that was accepted before is accepted again,
        whether forced or because the declaration changed.

        Args:
            sha256: of the published bytes.
            held: the record of the month that is set aside.
            entry: the month's ledger entry.
        """
        if self.mode == "hold" and entry and entry.source_sha256 == sha256:
            return replace(self, mode="warn")
        if held is None or not (self.accept or held.accepted_at):
            return self
        is_held = held.entry.source_sha256 == sha256
        return replace(self, mode="off") if is_held else replace(self, accept=False)
