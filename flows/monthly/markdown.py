"""Texts of declarations, files and data as Markdown that shows them and does nothing else."""

from __future__ import annotations

import re

#: Punctuation that means something in Markdown or in GitHub's extensions of it: markup, the signs
#: of an address, and what makes a list or a heading at the start of a line.
_SPECIAL = re.compile(r"[\\`*_\[\]<>#|~$&@]|:(?=\S)|(?<=www)\.|^[-+=]", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)([.)])")
_LONGEST, _LONGEST_CODE = 300, 2_000


def escaped(text: str, longest: int = _LONGEST) -> str:
    """Return the Markdown that shows a text as it is: no markup, no link, no image, no formula."""
    return _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", brief(text, longest)))


def brief(text: str, longest: int) -> str:
    """Return a text on one line, cut if it is too long, without characters that do not show."""
    words = one_line(text[: 4 * longest])
    return words if len(words) <= longest else f"{words[: longest - 1].rstrip()}…"


def one_line(text: str) -> str:
    """Return a text on one line, without characters that do not show."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())


def code(text: str) -> str:
    """Return the Markdown that shows a text as code, such as an address that is not a link."""
    shown = brief(text, _LONGEST_CODE)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if len(fence) > 1 else f"`{shown}`"
