"""Decides the type of a column from its values in every file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from monthly.columns import Kind
from monthly.convert.readings import Mark
from monthly.convert.time_formats import halves_of
from monthly.describe.addresses import YearMonth
from monthly.describe.doubts import doubts_of
from monthly.describe.leading_zeros import codes_of
from monthly.describe.naming import identifier
from monthly.describe.near_misses import near_misses
from monthly.describe.orders import contradict, most_likely
from monthly.describe.recognized_texts import NULL_TEXTS, is_total
from monthly.describe.times import Form, Reading
from monthly.describe.toml_text import bare
from monthly.describe.values import Values

#: A format with a time of day.
_CLOCK = re.compile("%[HI]")
#: The format of a time of day or of an instant.
_INSTANT = re.compile("%[HIs]")
#: A column of keys, by its name.
_KEY_NAME = re.compile(r"(^|_)(id|code)(_|$)")


@dataclass(frozen=True)
class Verdict:
    """The type of a column.

    Attributes:
        type: the type as written in a declaration.
        formats: the formats of its times; empty if they are ISO.
        nulls: texts that mean null.
        notes: what is uncertain about it.
        times: the reading of its times in each file, in the order of the files.
        is_clock: whether its texts are times of day.
        is_open: whether nothing in the column decides between several orders of day and month.
        rejected: texts of rows that are totals, not data.
    """

    type: str
    formats: tuple[str, ...] = ()
    nulls: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    times: tuple[Reading, ...] = ()
    is_clock: bool = False
    is_open: bool = False
    rejected: frozenset[str] = frozenset()

    @property
    def kind(self) -> Kind:
        """Return the type without its digits."""
        kind: Kind = self.type.partition("(")[0]  # type: ignore[assignment] # as built below
        return kind


def verdict(
    seen: Sequence[Values], months: Sequence[YearMonth | None], mark: Mark, order: str = ""
) -> Verdict:
    """Return the type that fits all values of a column.

    Args:
        seen: its values in each file that has it.
        months: the months of those files.
        mark: the decimal mark of the files.
        order: the order of day and month if its own values do not decide it; see `order_of`.
    """
    full = [(values, month) for values, month in zip(seen, months) if values.known]
    if not full:
        return Verdict("string", notes=("Empty in every row.",))
    if not all(values.has_text for values, _ in full):
        return _of_natives(full, mark)
    texts = [values for values, _ in full]
    odd = {text for values in texts for text in values.odd_values}
    found = _typed(full, mark, order)
    if found and found.kind in ("int64", "float64", "boolean") and _is_stored_as_text(texts):
        return Verdict("string", notes=(f"Stored as text, though all of it is {found.type}.",))
    if found and found.type == "int64":
        found = _as_codes(found, texts)
    lone = {text for values in texts for text in values.lone}
    totals = frozenset(text for text in odd if is_total(text) or text in lone - NULL_TEXTS)
    if found is None or odd - NULL_TEXTS - totals:
        return Verdict("string", notes=near_misses(texts, odd, mark), is_clock=_are_clocks(texts))
    return _without(found, totals)


def _as_codes(found: Verdict, texts: Sequence[Values]) -> Verdict:
    """Return text as the type of codes that may have leading zeros, or a comment on them."""
    codes = codes_of(texts)
    if codes.are_texts:
        return replace(found, type="string", notes=(codes.note,))
    return replace(found, notes=(*found.notes, codes.note)) if codes.note else found


def _without(found: Verdict, totals: frozenset[str]) -> Verdict:
    """Return the type of a column whose rows of totals are rejected."""
    if not totals:
        return found
    named = ", ".join(repr(bare(text, 60)) for text in sorted(totals))
    told = f"Rows of {named} are rejected: they look like totals or notes."
    notes = (*found.notes, told)
    return replace(found, nulls=found.nulls - totals, rejected=totals, notes=notes)


def _typed(
    full: Sequence[tuple[Values, YearMonth | None]], mark: Mark, order: str = ""
) -> Verdict | None:
    """Return the type that fits all texts except those that mean null."""
    texts = [values for values, _ in full]
    nulls = frozenset(text for values in texts for text in values.odd_values)
    if all(values.is_only("truths") for values in texts):
        return Verdict("boolean", nulls=nulls)
    if all(values.is_only("times") for values in texts):
        return _of_times(full, nulls, order)
    if not all(values.is_only("numbers") for values in texts):
        return None
    if all(v.says_time and v.compact.good == v.numbers.count for v in texts):
        times = tuple(values.compact for values in texts)
        formats = tuple(dict.fromkeys(reading.format for reading in times))
        kind = "timestamp" if any(map(_INSTANT.search, formats)) else "date"
        return Verdict(kind, formats, nulls, times=times)
    found = _of_numbers(texts, nulls, mark)
    return found and replace(found, notes=(*found.notes, *doubts_of(full, mark)))


def _of_numbers(texts: Sequence[Values], nulls: frozenset[str], mark: Mark) -> Verdict | None:
    numbers = [values.numbers for values in texts]
    if not all(each.are_numbers(mark) for each in numbers):
        return None
    if all(each.are_whole(mark) for each in numbers):
        return Verdict("int64", nulls=nulls)
    notes: tuple[str, ...] = ()
    if all(n.point > n.zeros for n in numbers) and _KEY_NAME.search(identifier(texts[0].name, 0)):
        return Verdict("string", notes=("Numbers, but keys: float64 would lose zeros at the end.",))
    if mark == "point" and all(n.zeros == n.point and not n.grouped for n in numbers):
        notes = ("All are whole, like 5.0: int64 if they are counts or codes.",)
    if any(each.are_long for each in numbers):
        notes = (
            "Some have more digits than float64 keeps; decimal(38,18) keeps 18 after the point, "
            "and rejects more.",
        )
    return Verdict("float64", nulls=nulls, notes=notes)


def _of_times(
    full: Sequence[tuple[Values, YearMonth | None]], nulls: frozenset[str], order: str
) -> Verdict | None:
    chosen: list[tuple[Form, Reading]] = []
    times: list[Reading] = []
    notes: list[str] = []
    for values, month in full:
        forms = values.times.forms.values()
        readings = [(form, *most_likely(form, month, order)) for form in forms]
        if any(reading.good < form.count for form, reading, _ in readings):
            return None
        chosen += [(form, reading) for form, reading, _ in readings]
        times.append(_together([reading for _, reading, _ in readings]))
        notes += [note for _, _, note in readings if note]
    is_open = bool(notes)
    formats = list(dict.fromkeys(reading.format for _, reading in chosen))
    kind = "timestamp" if any(map(_CLOCK.search, formats)) else "date"
    if contradict(formats):
        notes.append("Day and month stand in another order in each file, which decides by itself.")
        formats = []
    if any(len(halves_of(text)) > 1 for text in formats):
        notes.append('The start of an interval; for its end, write interval = "end" above.')
    if any("%q" in text for text in formats):
        notes.append("The first day of each quarter.")
    is_plain = all(form.is_plain for form, _ in chosen)
    return Verdict(
        kind,
        () if is_plain else tuple(formats),
        nulls,
        tuple(dict.fromkeys(notes)),
        tuple(times),
        is_open=is_open,
    )


def _together(readings: Sequence[Reading]) -> Reading:
    """Merge the readings of several forms under the format of the first."""
    found = Reading(readings[0].format)
    for reading in readings:
        found.widen(reading)
    return found


def _of_natives(full: Sequence[tuple[Values, YearMonth | None]], mark: Mark) -> Verdict:
    """Return the type of a column that is typed in a Parquet file, and maybe text in others."""
    kinds = {_native(values) for values, _ in full if not values.has_text}
    texts = [(values, month) for values, month in full if values.has_text]
    found = _typed(texts, mark) if texts else None
    if texts and found is None:
        return Verdict("string", notes=("Text in one file, and not in another.",))
    formats, notes = (found.formats, found.notes) if found else ((), ())
    kinds |= {found.type} if found else set()
    times = tuple(
        values.compact if not values.has_text else _times_of(values, month, mark)
        for values, month in full
        if kinds <= _TIMES
    )
    return Verdict(_common(kinds), formats, notes=notes + _on_floats(kinds), times=times)


_TIMES = frozenset({"date", "timestamp"})
#: Floats that are all whole numbers, with or without missing values.
_WHOLE, _FULL = "whole", "whole and full"


def _times_of(values: Values, month: YearMonth | None, mark: Mark) -> Reading:
    found = _typed([(values, month)], mark)
    return found.times[0] if found and found.times else values.compact


def _common(kinds: set[str]) -> str:
    """Return the common type of several."""
    if len(kinds) == 1 and not kinds & {_WHOLE, _FULL}:
        return next(iter(kinds))
    if kinds <= {"int64", _WHOLE, _FULL} and kinds != {_FULL}:
        return "int64"
    if kinds <= {"int64", "float64", _WHOLE, _FULL}:
        return "float64"
    return "timestamp" if kinds <= _TIMES else "string"


def _on_floats(kinds: set[str]) -> tuple[str, ...]:
    if kinds == {_FULL}:
        return ("All are whole: int64 if they are counts or codes.",)
    if kinds <= {_WHOLE, _FULL}:
        return ("Whole numbers as floats, as pandas writes them where some are missing.",)
    return ()


def _native(values: Values) -> str:
    kind: Any = values.native
    if pa.types.is_floating(kind):
        is_full = values.known == values.rows
        return (_FULL if is_full else _WHOLE) if values.is_whole else "float64"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})" if kind.scale >= 0 else "float64"
    if pa.types.is_uint64(kind) and values.range.high >= 2**63:
        return "decimal(20,0)"
    kinds = {
        "int64": pa.types.is_integer,
        "boolean": pa.types.is_boolean,
        "date": pa.types.is_date,
        "timestamp": pa.types.is_timestamp,
    }
    return next((name for name, is_it in kinds.items() if is_it(kind)), "string")


def _is_stored_as_text(texts: Sequence[Values]) -> bool:
    """Return whether a Parquet file stores the values as text."""
    return any(values.native is not None for values in texts)


def _are_clocks(texts: Sequence[Values]) -> bool:
    return all(values.is_only("clocks") for values in texts)
