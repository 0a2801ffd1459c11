"""Line breaks within quoted texts, for declarations with `line_breaks = true`."""

from __future__ import annotations

import io
import re
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import BadFile
from monthly.convert.csv_bytes import has_odd_quotes, line_ends

_CHUNK = 1 << 18
#: Bytes after which a quote is assumed never to be closed.
_LONGEST_TEXT = 1 << 20
#: What stands for a line feed and a carriage return until the rows have been parsed.
_STANDS_FOR = {b"\n": b"\x1e", b"\r": b"\x1f"}
#: A quoted field, from where a field begins; the first one may follow a byte order mark.
_FIELD = rb'(?:(?<=[,;\t|\n])|\A(?:\xef\xbb\xbf)?)"[^"]*(?:""[^"]*)*'
_QUOTED = re.compile(_FIELD + rb'"(?=[,;\t|\r\n])')
#: The same, or a field that the end of the text cuts off; `last` is its last quote, if present.
_QUOTED_OR_OPEN = re.compile(_FIELD + rb'(?:"(?=[,;\t|\r\n])|(?P<last>"?)\Z)')


class OneLineRows(io.RawIOBase):
    """A stream of CSV text in which each row has one line.

    Control characters replace the line breaks within quotes; as many blank lines follow the row, so
    that later lines keep their numbers.
    """

    def __init__(self, what: object, stream: io.BufferedIOBase | BinaryIO) -> None:
        self._what, self._stream = what, stream
        self._raw, self._ready = b"", b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, space: object) -> int:
        """Fill the buffer, or part of it, and return the number of bytes."""
        view = memoryview(space)  # type: ignore[arg-type] # what BufferedReader gives
        while not self._ready:
            chunk = self._stream.read(_CHUNK)
            if not chunk and not self._raw:
                break
            self._add(chunk)
        size = min(len(view), len(self._ready))
        view[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _add(self, chunk: bytes) -> None:
        """Add text, and make the complete rows ready to read; an empty chunk ends the text."""
        if any(mark in chunk for mark in _STANDS_FOR.values()):
            raise BadFile(
                f"{self._what}: the text has control characters (0x1E or 0x1F), which "
                "replace line breaks here; remove them, or line_breaks from the declaration"
            )
        text, opened = self._raw + chunk, None
        if has_odd_quotes(text) or line_ends(text)[1]:
            text, opened = _on_one_line(text)
        if opened and (len(opened[0]) > _LONGEST_TEXT or not (chunk or opened["last"])):
            opened = None  # a quote that is never closed
            text = _QUOTED.sub(lambda quoted: _replaced(quoted[0]), text)
        cut = _end_of_rows(text, opened) if chunk else len(text)
        if opened and not chunk:
            text = text[: opened.start()] + _replaced(opened[0])
        self._ready, self._raw = text[:cut], text[cut:]
        if _STANDS_FOR[b"\n"] in self._ready:
            self._ready = b"\n".join(map(_followed, self._ready.split(b"\n")))


def _on_one_line(text: bytes) -> tuple[bytes, re.Match[bytes] | None]:
    """Return the text with each quoted field on one line, and the field that its end cuts off."""
    opened = None

    def replaced(field: re.Match[bytes]) -> bytes:
        nonlocal opened
        if field["last"] is None:
            return _replaced(field[0])
        opened = field
        return field[0]

    return _QUOTED_OR_OPEN.sub(replaced, text), opened


def _end_of_rows(text: bytes, opened: re.Match[bytes] | None) -> int:
    """Return the end of the last complete row."""
    cut = text.rfind(b"\n", 0, opened.start() if opened else None) + 1
    # Do not wait for the end of a line that is too long to be a row.
    return cut or (len(text) if not opened and len(text) > _LONGEST_TEXT else 0)


def restored(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows with their line breaks restored."""
    for place, column in enumerate(batch.columns):
        if pa.types.is_string(column.type):
            for found, mark in _STANDS_FOR.items():
                column = pc.replace_substring(column, mark.decode(), found.decode())
            batch = batch.set_column(place, batch.schema.field(place), column)
    return batch


def restored_text(text: str) -> str:
    """Return a text with its line breaks restored."""
    for found, mark in _STANDS_FOR.items():
        text = text.replace(mark.decode(), found.decode())
    return text


def _replaced(text: bytes) -> bytes:
    for found, mark in _STANDS_FOR.items():
        text = text.replace(found, mark)
    return text


def _followed(line: bytes) -> bytes:
    """Return a line, followed by a blank line for each line feed that it had."""
    return line + b"\n" * line.count(_STANDS_FOR[b"\n"])
