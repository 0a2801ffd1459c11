"""Format pieces of Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    """Return a text in code style."""
    return f"`{text}`"


def codes(texts: Iterable[str]) -> str:
    """Return texts in code style, separated by commas."""
    return ", ".join(map(code, texts))


def prose(text: str) -> str:
    """Return paragraphs, wrapped like the pages that are written by hand."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(textwrap.fill(p, 100, break_on_hyphens=False) for p in paragraphs) + "\n"


def one_line(text: str) -> str:
    """Return a text on one line, escaped for the cell of a table."""
    return " ".join(text.split()).replace("|", r"\|").replace("*", r"\*").replace("<", r"\<")


def shown(value: object) -> str:
    """Return a parameter's value as the cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return code(str(value)) if value != "" else "empty"
