"""Small Arrow arrays from Python values, without pandas.

`pa.array` and `pa.scalar` import pandas to check for it, which costs every run half a
second for nothing; building arrays from buffers avoids the import.
"""

from __future__ import annotations

import datetime as dt
import itertools
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: Powers of ten that a float represents exactly.
_EXACT_POWERS = 22
_WHOLE = pa.decimal128(38)
_EPOCH = dt.date(1970, 1, 1)


def int64s(values: Sequence[int | None]) -> pa.Array:
    """Return an int64 array."""
    data = struct.pack(f"={len(values)}q", *(value or 0 for value in values))
    return pa.Array.from_buffers(pa.int64(), len(values), [_validity(values), pa.py_buffer(data)])


def booleans(values: Sequence[bool | None]) -> pa.Array:
    """Return a boolean array."""
    bits = sum(1 << place for place, value in enumerate(values) if value)
    data = pa.py_buffer(bits.to_bytes(len(values) // 8 + 1, "little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [_validity(values), data])


def float64s(values: Sequence[float]) -> pa.Array:
    """Return a float64 array."""
    data = struct.pack(f"={len(values)}d", *values)
    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(data)])


def floats_of(values: pa.Array) -> pa.Array:
    """Return the floats nearest to numbers; for decimals, those that their texts would give.

    Arrow's own cast is off in the last place for about one decimal in seven: 199.98 becomes
    199.98000000000002.
    """
    kind = values.type
    if not pa.types.is_decimal(kind):
        return values.cast(pa.float64(), safe=False)
    if pa.types.is_decimal128(kind) and 0 <= kind.scale <= _EXACT_POWERS:
        buffers = values.buffers()
        whole = pa.Array.from_buffers(_WHOLE, len(values), buffers, offset=values.offset)
        floats = whole.cast(pa.float64())
        if (pc.max(pc.abs(floats)).as_py() or 0) < 2**53:  # so that only the division rounds
            return pc.divide(floats, float64s([10.0**kind.scale])[0])
    return values.cast(pa.string()).cast(pa.float64())


def strings(values: Sequence[str | None]) -> pa.Array:
    """Return a string array."""
    encoded = [(value or "").encode() for value in values]
    ends = itertools.accumulate(map(len, encoded), initial=0)
    offsets = pa.py_buffer(struct.pack(f"={len(values) + 1}i", *ends))
    data = pa.py_buffer(b"".join(encoded))
    return pa.Array.from_buffers(pa.string(), len(values), [_validity(values), offsets, data])


def nulls(kind: pa.DataType, rows: int) -> pa.Array:
    """Return nulls that share their memory with other nulls of the type."""
    return _nulls(kind, _room(rows)).slice(0, rows)


@lru_cache(maxsize=32)
def _nulls(kind: pa.DataType, rows: int) -> pa.Array:
    return pa.nulls(rows, kind)


def day(value: dt.date, rows: int) -> pa.Array:
    """Return a date32 array of one value, which shares its memory with others of that value."""
    return _day(value, _room(rows)).slice(0, rows)


@lru_cache(maxsize=32)
def _day(value: dt.date, rows: int) -> pa.Array:
    data = struct.pack("=i", (value - _EPOCH).days) * rows
    return pa.Array.from_buffers(pa.date32(), rows, [None, pa.py_buffer(data)])


def _room(rows: int) -> int:
    """Return a power of two above the number of rows, so that few sizes are made."""
    return 1 << rows.bit_length()


def midnight(value: dt.date) -> pa.Scalar:
    """Return the start of a day as timestamp[us]."""
    microseconds = (value - _EPOCH).days * 86_400_000_000
    return int64s([microseconds]).view(pa.timestamp("us"))[0]


def valid(values: pa.Array) -> npt.NDArray[np.uint8]:
    """Return 1 for each value and 0 for each null of an array that has a null."""
    # Arrow's own conversion to numpy would import pandas.
    bitmap = np.frombuffer(values.buffers()[0], np.uint8)
    end = values.offset + len(values)
    return np.unpackbits(bitmap, count=end, bitorder="little")[values.offset :]


def encoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with its texts as dictionaries, for work on each distinct text."""
    columns = [v.dictionary_encode() if _has_texts(v) else v for v in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _has_texts(values: pa.Array) -> bool:
    return bool(pa.types.is_string(values.type) and values.null_count < len(values))


def numbers_of(values: pa.Array, kind: Any) -> npt.NDArray[Any]:
    """Return the non-null values of an array as 64-bit numbers of a kind."""
    numbers = np.frombuffer(values.buffers()[1], kind)[values.offset : values.offset + len(values)]
    return numbers.compress(valid(values)) if values.null_count else numbers


def _validity(values: Sequence[object]) -> pa.Buffer | None:
    if None not in values:
        return None
    bits = sum(1 << place for place, value in enumerate(values) if value is not None)
    return pa.py_buffer(bits.to_bytes(len(values) // 8 + 1, "little"))
