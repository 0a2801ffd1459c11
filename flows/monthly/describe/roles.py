"""Finds the roles of columns, where their names and values make them clear."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

from monthly.columns import NUMBERS
from monthly.convert.readings import Mark
from monthly.describe.addresses import YearMonth
from monthly.describe.columns import Drafted
from monthly.describe.joins import has_zone_names
from monthly.describe.naming import is_birth, words_of
from monthly.describe.toml_text import bare
from monthly.describe.values import range_of

#: Names of amounts, the clearest first.
_AMOUNTS = (
    r"^total_amount$|^amount_total$",
    r"^total_(price|cost|fare|charge)$|^(trip|fare)_total$",
    r"^(price|amount|cost|preis|precio|importe|betrag|montant|prix|sale_price|base_passenger_fare)$",
    r"(^|_)(price|amount|preis|precio|prix|cost|betrag|importe|montant|total_load_value|load)(_|$)",
    r"(^|_)(gesamtverbrauch|netzlast|consumption|demand|value|wert|valor)(_|$)",
)
_DISTANCE = r"(^|_)(distance|trip_miles|dist|distanz|distancia|entfernung)(_|$)"
_LATITUDE = r"(^|_)(lat|latitude|latitud)(_|$)"
_LONGITUDE = r"(^|_)(lon|lng|long|longitude|longitud)(_|$)"
#: Words for the place where a row begins, and names of a row's only place, the clearest first.
_PLACE_WORDS = frozenset(
    [
        "station",
        "estacion",
        "zone",
        "location",
        "locationid",
        "stop",
        "dock",
        "airport",
        "site",
        "aeropuerto",
    ]
)
_PLACES = (
    r"^(station|station_name|site|zone|location|borough|district|town_city|city|airport|area)$",
    r"^(origin|departure_airport|origin_airport|site_code|station_id|lsoa_name|district_name)$",
    r"^(ward|location_name|area_name|map_code)$",
)
_START = frozenset({"start"})
_END = frozenset({"end"})
#: Least share of a column's times in the month of the file, to count for its rank.
_INSIDE = 0.5
#: With a smaller share of them in the month, times that span years are no events of the month.
_FEW = 0.1
#: The share of rows that have a time, if nearly all do.
_NEARLY_ALL = 0.9
#: Months of a year.
_YEAR = 12


def roles_of(
    columns: Sequence[Drafted], months: Sequence[YearMonth], mark: Mark
) -> Mapping[str, Drafted]:
    """Return the column of each role that is clear."""
    there = [column for column in columns if not column.is_part and column.known]
    found: dict[str, Drafted | None] = {"time": time_of(there, months)}
    found["end"] = _end(there, found["time"])
    numbers = [c for c in there if c.verdict.kind in NUMBERS]
    found["amount"] = _first(numbers, _AMOUNTS)
    found["distance"] = _first(numbers, (_DISTANCE,))
    found |= _position(numbers, mark)
    names = [c for c in there if c.verdict.kind in ("string", "int64")]
    found["place"] = _place([c for c in names if not has_zone_names(c)])
    return {role: column for role, column in found.items() if column}


def time_of(columns: Sequence[Drafted], months: Sequence[YearMonth]) -> Drafted | None:
    """Return the column of a row's start time; None if there is no time near the months."""
    times = [c for c in columns if (c.verdict.times or c.join) and c.known]
    times = [c for c in times if not _is_elsewhere(c, months)]

    def rank(column: Drafted) -> tuple[bool, bool, bool, float, int, bool, bool, bool]:
        words = words_of(column.name)
        inside = inside_share(column, months)
        return (
            inside * known_share(column) >= _INSIDE,
            inside >= _FEW or not _spans_years(column),
            _knows_all(column),
            round(inside if inside >= _INSIDE else 0.0, 1),
            len(column.seen),
            not words & _END,
            column.verdict.kind == "timestamp",
            bool(words & _START),
        )

    return max(times, key=rank) if times else None


def _is_elsewhere(column: Drafted, months: Sequence[YearMonth]) -> bool:
    """Return whether the times are no events of the month: births, or none within a year of it."""
    if is_birth(column.name):
        return _spans_years(column) and inside_share(column, months) < _INSIDE
    here = {n: months[n][0] * _YEAR + months[n][1] - 1 for n in column.times}
    apart = [abs(month - here[n]) for n, each in column.times.items() for month in each.months]
    return min(apart, default=0) > _YEAR


def _spans_years(column: Drafted) -> bool:
    """Return whether the times of each file span more than a year."""
    return all(len(each.months) > _YEAR for each in column.times.values())


def note_time(
    columns: Sequence[Drafted], months: Sequence[YearMonth], time: Drafted | None
) -> None:
    """Note why a column does not have the role time although more rows have it, or none does."""
    for column in columns:
        if not time and column.times and _is_elsewhere(column, months):
            why = "Dates of birth are not the time of the rows, so it has no role."
            if not is_birth(column.name):
                why = (
                    "None is within a year of its file, so it has no role. If it is the time of "
                    f'the rows, write time = "{column.name}" in [roles], and outside = 1.0 in '
                    "[limits]."
                )
            column.notes.append(why)
        elif time and column.times and _knows_all(column) and not _knows_all(time):
            named = bare(column.published, 60)
            time.notes.append(f"The time of the rows, as {named!r} is mostly outside the month.")


def inside_share(column: Drafted, months: Sequence[YearMonth]) -> float:
    """Return the share of a column's distinct times that are in the months of the files."""
    inside = sum(
        each.months[months[n][0] * _YEAR + months[n][1] - 1] for n, each in column.times.items()
    )
    return inside / max(sum(each.good for each in column.times.values()), 1)


def known_share(column: Drafted) -> float:
    """Return the share of rows that have a value."""
    return column.known / max(sum(values.rows for values in column.seen.values()), 1)


def _knows_all(column: Drafted) -> bool:
    """Return whether nearly all rows have the time."""
    return known_share(column) >= _NEARLY_ALL


def _end(columns: Sequence[Drafted], time: Drafted | None) -> Drafted | None:
    """Return the timestamp named as an end whose latest time is not before the start's."""
    if not time or time.verdict.type != "timestamp":
        return None
    for column in columns:
        same = column.verdict.type == "timestamp" and column.seen.keys() == time.seen.keys()
        if column is not time and same and words_of(column.name) & _END and _follows(column, time):
            return column
    return None


def _follows(column: Drafted, time: Drafted) -> bool:
    shared = column.times.keys() & time.times.keys()
    return all((column.times[n].high or 0) >= (time.times[n].high or 0) for n in shared)


def _first(columns: Sequence[Drafted], patterns: Sequence[str]) -> Drafted | None:
    found = (c for pattern in patterns for c in columns if re.search(pattern, c.name))
    return next(found, None)


def _place(columns: Sequence[Drafted]) -> Drafted | None:
    """Return the place where a row begins, preferably its name; else the row's only place."""
    starts = [c for c in columns if words_of(c.name) & _START and words_of(c.name) & _PLACE_WORDS]
    named = [c for c in starts if "name" in words_of(c.name)]
    named = named or [c for c in starts if "identifier" not in words_of(c.name)]
    return next(iter(named or starts), None) or _first(columns, _PLACES)


def _position(numbers: Sequence[Drafted], mark: Mark) -> dict[str, Drafted | None]:
    """Return latitude and longitude, both or neither; those of the start if there are several."""
    found = {
        "latitude": _coordinate(numbers, _LATITUDE, 90, mark),
        "longitude": _coordinate(numbers, _LONGITUDE, 180, mark),
    }
    return found if all(found.values()) else {}


def _coordinate(
    numbers: Sequence[Drafted], pattern: str, most: float, mark: Mark
) -> Drafted | None:
    named = [c for c in numbers if re.search(pattern, c.name) and largest(c, mark) <= most]
    key: Callable[[Drafted], bool] = lambda column: not words_of(column.name) & _START  # noqa: E731
    return min(named, key=key, default=None)


def largest(column: Drafted, mark: Mark) -> float:
    """Return the largest absolute value in a column."""
    found = range_of(column.seen.values(), mark)
    ends = (abs(end) for end in (found.low, found.high) if math.isfinite(end))
    return max(ends, default=0.0)
