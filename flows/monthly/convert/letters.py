"""The encoding of a text, on the evidence of its bytes beyond ASCII."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from io import BufferedIOBase
from pathlib import Path

from core.download.text_stream import reading, unpacked
from monthly.convert.time_evidence import TO_ONE
from monthly.month import Month

SINGLE_BYTE = ("latin-1", "windows-1252")
_CHUNK, _LONGEST_LINE = 1 << 16, 1 << 20
#: The search for UTF-8 ends once this many more lines are not UTF-8 than are.
_ENOUGH = 3
#: Bytes that are control characters in Latin-1, and quotes and dashes in Windows-1252.
_CONTROLS = frozenset(range(0x80, 0xA0))


def encoding_of_names(line: bytes) -> str:
    """Return the encoding of a header: UTF-8 if it is valid, else Windows-1252 or Latin-1."""
    with suppress(UnicodeDecodeError):
        line.decode()
        return "utf-8"
    if _CONTROLS.isdisjoint(line):
        return "latin-1"
    with suppress(UnicodeDecodeError):
        line.decode("windows-1252")
        return "windows-1252"
    return "latin-1"


def declared_or_utf8(month: Month, path: Path, table: str, declared: str) -> str:
    """Return the declared single-byte encoding of a table, or UTF-8 if its lines show that.

    Most texts in another encoding show it within their first lines, and are not read further.
    """
    seen = Letters()
    with unpacked(month, path, table) as stream:
        while lines := reading(month, path, partial(_more, stream)):
            seen.add(lines)
            if seen.others >= seen.utf8 + _ENOUGH:
                return declared
    return "utf-8" if seen.are_utf8 else declared


def _more(stream: BufferedIOBase) -> bytes:
    return stream.read(_CHUNK) + stream.readline(_LONGEST_LINE)


class Letters:
    """Evidence of the encoding of a text, from its lines beyond ASCII.

    Attributes:
        utf8: lines that are UTF-8.
        others: lines that are not.
    """

    def __init__(self) -> None:
        self.utf8 = self.others = 0
        self._western = self._letter = self._control = False

    @property
    def are_utf8(self) -> bool:
        """Return whether the lines are UTF-8, few of them damaged, rather than a Western encoding.

        Bytes of other encodings can be valid UTF-8 by chance, but hardly ever mean Western letters.
        """
        return self._western and self.others * TO_ONE <= self.utf8

    @property
    def encoding(self) -> str:
        """Return the encoding that the bytes imply, UTF-8 if they are damaged."""
        if self.utf8 or not self._letter:
            return "utf-8"
        return "windows-1252" if self._control else "latin-1"

    def add(self, data: bytes, encoding_of_names: str = "") -> None:
        """Add more lines, and the encoding of the names above them."""
        self._control |= encoding_of_names == "windows-1252"
        if data.isascii():
            return
        for line in data.split(b"\n"):
            if not line.isascii():
                self._add(line)

    def _add(self, line: bytes) -> None:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.others += 1
            self._letter |= any(c.isalpha() for c in line.decode("latin-1") if ord(c) >= 0xC0)
            self._control |= not _CONTROLS.isdisjoint(line)
        else:
            self.utf8 += 1
            self._western = self._western or not text.encode("cp1252", "ignore").isascii()
