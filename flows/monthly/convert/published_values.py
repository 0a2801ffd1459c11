"""Published values of a column: which mean "no value", and which cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import Column
from monthly.convert.arrays import strings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Spellings of "no value" in any column, from databases (NULL, \N) and from pandas.
NULLS = ("", "NULL", "null", "Null", "None", "\\N", "NaN", "nan", "NaT", "<NA>")
#: Spellings in flag columns besides Y and N: booleans from programs, numbers from pandas.
_FLAGS: Mapping[str, str | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), "Y"),
    **dict.fromkeys(("false", "False", "FALSE"), "N"),
    **{"1.0": "1", "0.0": "0"},
}


_BARE_TIMES = tuple(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns"))


class Unreadable(ValueError):
    """A row of a piece does not match the declaration; the message is the reason."""


class NotData(Unreadable):
    """The declaration says that some rows, such as totals, are not data.

    Attributes:
        reasons: the reason by the row's position in the piece.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text, plain or dictionary-encoded."""
    value_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    return value_type in (pa.string(), pa.large_string(), pa.string_view())


def is_number(kind: pa.DataType) -> bool:
    """Return whether a type is a number of any width."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(is_kind(kind) for is_kind in kinds)


def trimmed(values: pa.Array, nulls: tuple[str, ...]) -> pa.Array:
    """Strip whitespace around texts and replace those that mean "no value" with null."""
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return replaced(texts, meanings(nulls))


@cache
def meanings(nulls: tuple[str, ...], flag: bool = False) -> Mapping[str, str | None]:
    """Return the texts to replace: spellings of "no value" and, for flags, of Y and N."""
    return {**dict.fromkeys((*NULLS, *nulls)), **(_FLAGS if flag else {})}


@cache
def null_values(nulls: tuple[str, ...], kind: pa.DataType) -> pa.Array:
    """Return the numbers or times of a type among a dataset's spellings of "no value"."""
    is_time = pa.types.is_date(kind) or kind in _BARE_TIMES
    found = [strings([]).cast(kind)] if is_number(kind) or is_time else []
    for text in nulls if found else ():
        with suppress(pa.ArrowInvalid):
            found.append(strings([text]).cast(kind))
    return pa.concat_arrays(found or [strings([])])


@cache
def _padded_nulls(nulls: tuple[str, ...]) -> re.Pattern[bytes] | None:
    """Return a pattern of the spellings of "no value" that are numbers, next to a blank."""
    numbers = "|".join(re.escape(n) for n in nulls if len(null_values((n,), pa.float64())))
    return re.compile(f"[ \t](?:{numbers})|(?:{numbers})[ \t]".encode()) if numbers else None


def has_padded_nulls(data: bytes, batch: pa.RecordBatch, nulls: tuple[str, ...]) -> bool:
    """Return whether a number may be a declared null with blanks, which Arrow does not know."""
    padded = _padded_nulls(nulls)
    if not (padded and padded.search(data)):
        return False
    pairs = ((values, null_values(nulls, values.type)) for values in batch.columns)
    return any(len(meant) and pc.any(pc.is_in(values, meant)).as_py() for values, meant in pairs)


def replaced(texts: pa.Array, meant: Mapping[str, str | None]) -> pa.Array:
    """Replace the texts that are in a mapping."""
    places = pc.index_in(texts, strings([*meant]))
    if places.null_count == len(places):
        return texts
    return pc.if_else(places.is_valid(), strings([*meant.values()]).take(places), texts)


def refuse(
    column: Column, texts: pa.Array, good: npt.NDArray[np.bool_] | list[bool], what: str
) -> NoReturn:
    """Raise for the first invalid text."""
    first = next(place for place, is_good in enumerate(good) if not is_good)
    raise Unreadable(f"{column.name}: {texts[first].as_py()!r} is not {what}")


def refuse_rejected(column: Column, texts: pa.Array) -> None:
    """Raise if texts mean that their rows are not data.

    Args:
        column: a column that declares such texts.
        texts: its published texts, with "no value" as null.
    """
    known = pc.fill_null(texts, "")
    places = pc.indices_nonzero(pc.is_in(known, strings([*column.rejected])))
    if len(places):
        shown = [repr(text) if text else "no value" for text in known.take(places).to_pylist()]
        reasons = [f"{column.name}: {each} is declared as not data" for each in shown]
        raise NotData(dict(zip(places.to_pylist(), reasons)))


def refuse_nameless(place: int, values: pa.Array, way_out: str) -> None:
    """Raise if a field without a name has a value: no column would hold it.

    Args:
        place: index of the field.
        values: its values, of any type.
        way_out: what to do about them.
    """
    if values.null_count == len(values):
        return
    texts = trimmed(values, ()) if is_text(values.type) else values
    known = texts.filter(pc.invert(pc.is_null(texts, nan_is_null=True)))
    if len(known):
        value = repr(known[0].as_py())
        raise Unreadable(f"field {place + 1} has the value {value} and no name; {way_out}")


def spread(values: pa.Array, texts: pa.Array) -> pa.Array:
    """Put the values of the non-null texts back in place, with null elsewhere."""
    if not texts.null_count:
        return values
    places = pc.cumulative_sum(texts.is_valid().cast(pa.int64()))
    return values.take(pc.if_else(texts.is_valid(), pc.subtract(places, 1), None))


def arrow_cast(column: Column, values: pa.Array, target: pa.DataType | None = None) -> pa.Array:
    """Convert values as Arrow does, by default to the type of their column.

    Raises:
        Unreadable: a value does not fit.
    """
    target = target or column.arrow
    if values.type == target:
        return values
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Unreadable(f"{column.name}: {error}") from error
