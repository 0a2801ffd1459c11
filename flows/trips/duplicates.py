"""How many rows of a month stand there more than once, in memory that does not grow with it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

#: Hashes that are sorted at a time: 8 MiB, whatever the size of the month.
HASHES_AT_A_TIME = 1 << 20
_READ_BYTES = 1 << 20
#: Odd and without structure (the 64-bit golden ratio), so that neighbours spread.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_NULL = np.uint64(0xD6E8FEB86659FD93)


def row_hashes(batch: pa.RecordBatch) -> Hashes:
    """A 64-bit number for each row; equal rows have equal numbers.

    Two different rows share one with a probability of 2**-64: among 20 million rows
    that happens once in a hundred thousand months.
    """
    hashes = np.zeros(batch.num_rows, np.uint64)
    for values in batch.columns:
        hashes ^= _numbers(values) if values.null_count < len(values) else _NULL
        hashes *= _FACTOR
        hashes ^= hashes >> _SHIFT
    return hashes


def _numbers(values: pa.Array) -> Hashes:
    if pa.types.is_string(values.type):
        coded = values.dictionary_encode("encode")
        texts = [_NULL if t is None else _text_hash(t) for t in coded.dictionary.to_pylist()]
        return np.array(texts, np.uint64)[np.frombuffer(coded.indices.buffers()[1], np.int32)]
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32()).cast(pa.int64())
    bits = _bits(values)
    return np.where(_valid(values), bits, _NULL) if values.null_count else bits


def _valid(values: pa.Array) -> npt.NDArray[np.uint8]:
    """Arrow's own validity bits: asking Arrow for a numpy array would import pandas."""
    bitmap = np.frombuffer(values.buffers()[0], np.uint8)
    end = values.offset + len(values)
    return np.unpackbits(bitmap, count=end, bitorder="little")[values.offset :]


def _bits(values: pa.Array) -> Hashes:
    """The values as they lie in memory; what lies under a null is anything."""
    here = slice(values.offset, values.offset + len(values))
    data = values.buffers()[1]
    if pa.types.is_float64(values.type):
        floats = np.frombuffer(data, np.float64)[here] + 0.0  # minus zero equals zero
        return floats.view(np.uint64)
    return np.frombuffer(data, np.uint64)[here]


def _text_hash(text: str) -> int:
    data = text.encode()
    return (zlib.crc32(data) << 32) | zlib.adler32(data)


class DuplicateCounter:
    """Collects the hashes of a month in a scratch file and counts the repeated ones.

    A context manager; the scratch file is gone when it ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    def __enter__(self) -> DuplicateCounter:
        self._file = self._path.open("w+b")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._path.unlink()

    def add(self, hashes: Hashes) -> None:
        """Take the hashes of some more rows."""
        self._file.write(hashes.data)
        self._count += len(hashes)

    def duplicates(self) -> int:
        """Rows that repeat an earlier one: of three equal rows, two."""
        self._file.flush()
        parts = -(-self._count // HASHES_AT_A_TIME)
        return sum(_repeats(self._part(part, parts)) for part in range(parts))

    def _part(self, part: int, parts: int) -> Hashes:
        """The hashes whose remainder is `part`: equal hashes fall into the same part."""
        chosen = [chunk[chunk % np.uint64(parts) == part] for chunk in self._chunks()]
        return np.concatenate(chosen)

    def _chunks(self) -> Iterator[Hashes]:
        self._file.seek(0)
        while data := self._file.read(_READ_BYTES):
            yield np.frombuffer(data, np.uint64)


def _repeats(hashes: Hashes) -> int:
    hashes.sort()
    return int(np.count_nonzero(hashes[1:] == hashes[:-1]))
