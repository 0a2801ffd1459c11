"""Exit codes of the project's commands."""

from __future__ import annotations

from enum import IntEnum

#: Name of the state of a run that found nothing wrong, but could not check something.
UNCHECKED = "Unchecked"


class ExitCode(IntEnum):
    """How a command ended.

    Attributes:
        meaning: its description in docs/reference.md.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str) -> ExitCode:
        """Create a member whose value is its code."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "Done: everything asked for is there, or there was nothing to do."
    FAILED = 1, "Failed: a month, a file or a block. The last line says why."
    USAGE = (
        2,
        "Usage error, such as month 13 or an unsaved block; Prefect's server does not answer; or "
        "`verify.py` found nothing wrong, but could not check something.",
    )
    INTERRUPTED = 130, "Interrupted by Ctrl-C. The same command again completes what is missing."
