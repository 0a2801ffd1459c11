"""The random numbers of a generated column.

They come from PCG64, whose stream numpy guarantees, so they do not depend on the processor or the
version of Python or numpy. Every column has its own stream, so adding a column to a declaration
does not change the values of the others.
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monthly.month import Month

Ints: TypeAlias = npt.NDArray[np.int64]

#: Incremented whenever the same month, size and declaration produce a different file.
SAMPLE_VERSION = 1
#: Most choices in one draw.
MOST = 1 << 31


class Draw:
    """The draws of one column for consecutive rows."""

    def __init__(self, month: Month, column: str, start: int, stop: int) -> None:
        key = zlib.crc32(f"{month.dataset} {column}".encode())
        self._bits = np.random.PCG64([SAMPLE_VERSION, key, month.year, month.month, start])
        self.number = np.arange(start, stop, dtype=np.int64)

    def pick(self, choices: int) -> Ints:
        """Return a number below `choices` for each row, all equally likely."""
        size = len(self.number)
        raw = self._bits.random_raw((size + 1) // 2).astype("<u8").view("<u4")[:size]
        return (raw.astype(np.uint64) * np.uint64(min(choices, MOST)) >> np.uint64(32)).astype(
            np.int64
        )

    def rank(self, choices: int) -> Ints:
        """Return a number below `choices` for each row, favoring small ones."""
        return self.pick(choices) * self.pick(1 << 16) >> 16


def as_arrow(values: Ints) -> pa.Array:
    """Return the values as an Arrow array, without the slow pandas import of `pa.array`."""
    data = pa.py_buffer(np.ascontiguousarray(values, np.int64))
    return pa.Array.from_buffers(pa.int64(), len(values), [None, data])
