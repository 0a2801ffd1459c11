"""The encoding of a text, on the evidence of its bytes beyond ASCII."""

from __future__ import annotations

from contextlib import suppress

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


class Letters:
    """Evidence of the encoding of a text, from its lines beyond ASCII."""

    def __init__(self) -> None:
        self._utf8 = self._letter = self._control = False

    @property
    def encoding(self) -> str:
        """Return the encoding that the bytes imply, UTF-8 if they are damaged."""
        if self._utf8 or not self._letter:
            return "utf-8"
        return "windows-1252" if self._control else "latin-1"

    def add(self, data: bytes, encoding_of_names: str) -> None:
        """Add more lines, and the encoding of the names above them."""
        self._control |= encoding_of_names == "windows-1252"
        if data.isascii():
            return
        for line in data.split(b"\n"):
            if not line.isascii():
                self._add(line)

    def _add(self, line: bytes) -> None:
        try:
            line.decode()
            self._utf8 = True
        except UnicodeDecodeError:
            self._letter |= any(c.isalpha() for c in line.decode("latin-1") if ord(c) >= 0xC0)
            self._control |= not _CONTROLS.isdisjoint(line)
