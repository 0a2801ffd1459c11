"""The representation of a generated month's values in its file: numbers, times, texts, types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import pyarrow as pa

from monthly.month import Month
from monthly.sample.tlc.eras import FIRST_NARROW, NULL, Era, Ints, normal_scores

_TIMES = ("pickup", "dropoff", "request", "on_scene")
_MONEY = "fare extra mta tip tolls improvement total congestion airport cbd base_fare bcf tax pay"
#: Steps below and above zero for each kind of number, and steps per unit.
_STEPS = {"cents": (40_000, 40_000, 100), "miles": (0, 6_000, 100)}
#: Coordinates of the city center, and the distance of most trips from it, degrees.
_CENTRES, _SPREAD = {"lon": -73.97, "lat": 40.75}, 0.03
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(_MONEY.split(), "cents"),
    "distance": "miles",
    **{f"{end}_{axis}": axis for end in ("pu", "do") for axis in ("lon", "lat")},
}
_TAXI, _FHV = ("passengers", "rate", "payment", "trip_type"), ("pu", "do", "shared")
#: Integer columns with nulls; yellow payments have none.
_DOUBLE_ONCE = {"yellow": _TAXI[:2], "green": _TAXI, "fhv": _FHV, "fhvhv": ()}


def published(month: Month, era: Era, key: str, values: Ints, parquet: bool) -> pa.Array:
    """Return one column as it appears in the file: numbers, times or texts.

    Args:
        month: determines the types of a Parquet file.
        era: determines the texts and the number format.
        key: the generator's name of the column.
        values: cents, hundredths of a mile, seconds since 1970, codes, or indexes into a table.
        parquet: whether to return Parquet's types rather than the values of a CSV file.
    """
    texts, kind = era.codes(key), _KINDS.get(key, "")
    array = _integers(values, _STEPS.get(kind, (0,))[0])
    if key == "ehail":
        array = pa.nulls(len(values))
    elif key in _TIMES:
        array = array.cast(pa.timestamp("s"))
    elif texts:
        array = _strings(texts).take(array)
    elif kind:
        array = _table(kind, None if parquet else "long" if era.texts else "short").take(array)
    return array.cast(_parquet_type(month, key, bool(texts))) if parquet else array


@cache
def _table(kind: str, look: str | None) -> pa.Array:
    below, above, unit = _STEPS.get(kind, (0, 0, 1))
    numbers = [step / unit for step in range(-below, above + 1)]
    if kind in _CENTRES:
        numbers += [round(_CENTRES[kind] + _SPREAD * z, 6) for z in normal_scores()]
    if look is None:
        buffers = [None, pa.py_buffer(np.array(numbers))]
        return pa.Array.from_buffers(pa.float64(), len(numbers), buffers)
    return _strings(_printed(kind, number, look) for number in numbers)


# pa.array() would import pandas, which takes a second


def _integers(values: Ints, plus: int = 0) -> pa.Array:
    valid = pa.py_buffer(np.packbits(values != NULL, bitorder="little"))
    return pa.Array.from_buffers(pa.int64(), len(values), [valid, pa.py_buffer(values + plus)])


def _strings(texts: Iterable[str]) -> pa.Array:
    builder = pa.lib.StringBuilder()
    builder.append_values(texts)
    return builder.finish()


def _printed(kind: str, number: float, look: str) -> str:
    if look == "long":
        return f"{number:.17g}"
    if kind == "miles":
        return f"{number:.2f}".lstrip("0")
    return f"{number:g}" if kind == "cents" else f"{float(np.float32(number)):.17g}"


def _parquet_type(month: Month, key: str, is_text: bool) -> pa.DataType:
    narrow = (month.year, month.month) >= FIRST_NARROW
    if key in _TIMES:
        return pa.timestamp("us")
    if key == "ehail":
        return pa.float64() if narrow else pa.null()
    if is_text:
        return pa.large_string() if narrow else pa.string()
    if key in _KINDS or (key in _DOUBLE_ONCE[month.dataset] and not narrow):
        return pa.float64()
    return pa.int32() if narrow and key in ("vendor", "pu", "do") else pa.int64()
