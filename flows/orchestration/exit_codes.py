"""Exit codes of the project's commands."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended.

    Attributes:
        meaning: its description in docs/reference.md.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str) -> ExitCode:
        """Make a member that is its code."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "everything asked for is there, or there was nothing to do"
    FAILED = 1, "a month, a file or a block failed; the last line says why"
    USAGE = 2, "invalid usage or no answer from Prefect's server; nothing was started"
    INTERRUPTED = 130, "Ctrl-C; the same command run again completes what is missing"
