"""Detects the encoding of a text file from all its bytes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from core.download.text_stream import encoding_of, reading, unpacked
from core.errors import BadFile

_CHUNK = 1 << 20
_WORDS = re.compile(rb"[\x80-\xff]+")
#: More letters in a row, none of them ASCII, are rare in Western European texts.
_LONG = 3
#: Bytes that Windows-1252 does not use.
_UNUSED = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
#: With more valid letters than this per invalid one, a text is damaged UTF-8.
_GOOD_TO_ONE = 10


def encoding(what: str, path: Path, tables: Sequence[str] = ("",)) -> str:
    """Return the encoding: utf-8, utf-16-le, utf-16-be, windows-1252 or latin-1.

    Args:
        what: what the file is about.
        path: the file.
        tables: the tables to read, if it is an archive.

    Raises:
        BadFile: the compressed data is damaged, or the encoding is another one.
    """
    chunks = _chunks(what, path, tables)
    start = next(chunks, b"")
    if wide := encoding_of(start):
        return wide
    if _is_utf8(what, path, tables):
        return "utf-8"
    _refuse_other_letters(what, path, tables)
    unused = any(byte in chunk for chunk in _chunks(what, path, tables) for byte in _UNUSED)
    return "latin-1" if unused else "windows-1252"


def _is_utf8(what: str, path: Path, tables: Sequence[str]) -> bool:
    """Return whether a text is UTF-8, valid or damaged in a few places."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    bad = letters = 0
    for chunk in _chunks(what, path, tables):
        if chunk.isascii():
            decoder.reset()
            continue
        text = decoder.decode(chunk)
        if not text.isascii():
            bad += text.count("\ufffd")
            letters += len(text) - len(text.encode("ascii", "ignore"))
    return not bad or letters - bad > bad * _GOOD_TO_ONE


def _refuse_other_letters(what: str, path: Path, tables: Sequence[str]) -> None:
    """Raise if most non-ASCII letters are in words of only such letters, unlike Western texts."""
    all_bytes = in_words = 0
    for chunk in _chunks(what, path, tables):
        if not chunk.isascii():
            words = _WORDS.findall(chunk)
            all_bytes += sum(map(len, words))
            in_words += sum(len(word) for word in words if len(word) >= _LONG)
    if in_words * 2 > all_bytes:
        raise BadFile(
            f"{what}: its letters are neither UTF-8 nor Western European, perhaps Windows-1251, "
            "GB18030, Shift-JIS or EUC-KR; save it as UTF-8, and publish months in that form"
        )


def _chunks(what: str, path: Path, tables: Sequence[str]) -> Iterator[bytes]:
    for table in tables:
        with unpacked(what, path, table) as stream:
            while chunk := reading(what, path, partial(stream.read, _CHUNK)):
                yield chunk
