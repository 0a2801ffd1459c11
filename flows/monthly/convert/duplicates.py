"""Count of the duplicate rows of a month, in memory that does not grow with its size."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monthly.convert.arrays import valid
from monthly.convert.hash_file import Hashes, HashFile

#: Hashes compared at a time: 4 MiB, whatever the size of the month.
HASHES_AT_A_TIME = 1 << 19
_SLOTS = 1 << 18
_LAST_SLOT = np.uint64(_SLOTS - 1)
#: Odd and without structure (the 64-bit golden ratio), so that nearby values spread.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_NULL = np.uint64(0xD6E8FEB86659FD93)


def row_hashes(batch: pa.RecordBatch) -> Hashes:
    """Return a 64-bit hash for each row; equal rows have equal hashes.

    Two different rows collide with a probability of 2**-64: among 20 million rows,
    that happens once in a hundred thousand months.
    """
    hashes = np.zeros(batch.num_rows, np.uint64)
    shifted = np.empty_like(hashes)
    for values in batch.columns:
        hashes ^= _numbers(values) if values.null_count < len(values) else _NULL
        hashes *= _FACTOR
        hashes ^= np.right_shift(hashes, _SHIFT, out=shifted)
    return hashes


def _numbers(values: pa.Array) -> Hashes:
    if pa.types.is_string(values.type):
        return _numbers(values.dictionary_encode())
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32()).cast(pa.int64())
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int64())
    bits = _bits(values)
    return np.where(valid(values), bits, _NULL) if values.null_count else bits


def _bits(values: pa.Array) -> Hashes:
    """Return the bits of the values as stored, of a text its hash; arbitrary under a null."""
    if pa.types.is_dictionary(values.type):
        texts = np.array([_text_hash(text) for text in values.dictionary.to_pylist()], np.uint64)
        return texts.take(_indices(values), mode="clip")
    here = slice(values.offset, values.offset + len(values))
    data = values.buffers()[1]
    if pa.types.is_decimal(values.type):
        words = np.frombuffer(data, np.uint64).reshape(-1, 2)[here]
        return words[:, 0] ^ (words[:, 1] * _FACTOR)
    if pa.types.is_float64(values.type):
        floats = np.frombuffer(data, np.float64)[here] + 0.0  # minus zero equals zero
        if (nan := np.isnan(floats)).any():
            floats[nan] = np.nan  # and NaN equals NaN, whatever its bits
        return floats.view(np.uint64)
    return np.frombuffer(data, np.uint64)[here]


def _indices(values: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    indices = np.frombuffer(values.indices.buffers()[1], np.int32)
    return indices[values.indices.offset : values.indices.offset + len(values)]


def _text_hash(text: str) -> int:
    data = text.encode()
    return (zlib.crc32(data) << 32) | zlib.adler32(data)


class DuplicateCounter:
    """Counter of a month's repeated hashes, which it collects in a scratch file.

    A context manager; it deletes the scratch file on exit.
    """

    def __init__(self, path: Path) -> None:
        self._file = HashFile(path)

    def __enter__(self) -> DuplicateCounter:
        self._file.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.__exit__()

    def add(self, hashes: Hashes) -> None:
        """Add the hashes of more rows; see `HashFile.add`."""
        self._file.add(hashes)

    def parts(self) -> list[Callable[[], int]]:
        """Return functions that count rows repeating an earlier one (two of three equal rows).

        The total is the sum of all counts; the functions may run on several threads. Do not
        add hashes after this call.
        """
        self._file.finish()
        bits = (self._file.count // HASHES_AT_A_TIME).bit_length()
        return [partial(self._of_part, part, bits) for part in range(1 << bits)]

    def _of_part(self, part: int, bits: int) -> int:
        """Count the repeats among the hashes whose leading bits are `part`."""
        return _repeats(self._file.part(part, bits))


def _repeats(hashes: Hashes) -> int:
    """Count the hashes that equal an earlier one.

    Each round writes all hashes to slots, where the last one stays: hashes that equal it are
    done, the others go to the next round. Sorting takes as long or three times as long,
    depending on the CPU: numpy's AVX-512 sort is slow on AMD.
    """
    slots, found = np.empty(_SLOTS, np.int32), 0
    while len(hashes):
        places = (hashes & _LAST_SLOT).view(np.int64)
        order = np.arange(len(hashes), dtype=np.int32)
        slots[places] = order
        last = slots[places]
        equal = hashes[last] == hashes
        found += int(np.count_nonzero(equal)) - int(np.count_nonzero(last == order))
        hashes = hashes.compress(~equal)
    return found
