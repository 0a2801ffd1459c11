"""The counts behind a month's pictures, from its Parquet file in constant memory."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.markdown import brief
from monthly.month import Month
from monthly.report.amounts import Amounts, amounts_measure, amounts_of
from monthly.report.distribution import LARGEST, Distribution, Measure, distributions
from monthly.report.places import Cells, Places, cells_of, extent_measures, places_of
from monthly.report.scan import Scan, scanning
from monthly.report.wording import LONGEST, Wording, labeled

#: Least share of hours or days with the same number of rows that makes a time series.
_EVEN = 0.9


@dataclass(frozen=True)
class Level:
    """The amounts of one hour or day.

    Attributes:
        rows: rows that have an amount.
        total: their sum.
        low: the smallest amount.
        high: the largest amount.
    """

    rows: int
    total: float
    low: float
    high: float


@dataclass(frozen=True)
class Typical:
    """The typical value of a measure, and the effect of its declared bound.

    Attributes:
        what: the measure and its unit, such as "distance, miles".
        median: the median.
        mean: mean of all rows.
        bound: the largest plausible value, in that unit; None if none is declared.
        mean_within: mean of the rows within the bound.
        beyond: number of rows beyond the bound.
    """

    what: str
    median: float
    mean: float
    bound: float | None
    mean_within: float
    beyond: int


@dataclass(frozen=True)
class Counts:
    """The counts of one month's rows, by the columns with a role.

    Attributes:
        month: the month.
        hours: rows by day and hour, in local time, for days of the month only. Empty if there is
            no time or only the month is known.
        has_hours: whether times have hours; if not, all rows of a day are in hour 0.
        levels: amounts by day and hour, if the month is a time series: the same number of rows
            in nearly every hour or, without hours, on nearly every day. Otherwise None.
        amounts: the histogram of the amounts; None if there are none.
        places: the places with the most rows; None if there are none.
        cells: rows by cell of a map; None if there are no coordinates.
        typical: those of distance, duration, speed and amount that the file has.
    """

    month: Month
    hours: Mapping[tuple[dt.date, int], int]
    has_hours: bool = True
    levels: Mapping[tuple[dt.date, int], Level] | None = None
    amounts: Amounts | None = None
    places: Places | None = None
    cells: Cells | None = None
    typical: tuple[Typical, ...] = ()


def count_month(month: Month, parquet: Path) -> Counts:
    """Count the rows of a month's Parquet file, as `monthly.convert.to_parquet` writes it."""
    dataset = DATASETS[month.dataset]
    typical, drawn = dict(_typical_measures(dataset)), amounts_measure(dataset)
    wanted = [*typical.values(), *filter(None, [drawn]), *extent_measures(dataset)]
    with scanning(parquet, dataset.schema) as scan:
        hours, levels, has_hours = _hours(scan, month)
        measured = distributions(scan, wanted)
        return Counts(
            month=month,
            hours=hours,
            has_hours=has_hours,
            levels=levels if _is_series(month, hours, has_hours) else None,
            amounts=amounts_of(scan, drawn, measured[drawn]) if drawn else None,
            places=places_of(scan, dataset),
            cells=cells_of(scan, dataset, measured),
            typical=tuple(
                _typical(what, m, measured[m]) for what, m in typical.items() if measured[m].rows
            ),
        )


Hours = dict[tuple[dt.date, int], int]
Levels = dict[tuple[dt.date, int], Level]


def _hours(scan: Scan, month: Month) -> tuple[Hours, Levels, bool]:
    """Return rows and amounts by day and hour, and whether the times have hours."""
    roles, is_end = DATASETS[month.dataset].roles, _is_end(month.dataset)
    if not roles.time:
        return {}, {}, False
    # A time that ends an interval belongs to the hour before it.
    time = f'CAST("{roles.time}" AS TIMESTAMP)' + " - INTERVAL 1 MICROSECOND" * is_end
    drawn = roles.price or roles.amount
    amount = f'CAST("{drawn}" AS DOUBLE)' if drawn else "NULL::DOUBLE"
    first = dt.datetime.combine(month.first_day, dt.time())
    after = dt.datetime.combine(month.next.first_day, dt.time())
    rows = scan.query(
        "SELECT date_trunc('hour', t), count(*), count(a), sum(a), min(a), max(a) "
        f"FROM (SELECT {time} AS t, CASE WHEN abs({amount}) < {LARGEST!r} THEN {amount} END AS a "
        "FROM month) WHERE t >= $first AND t < $after GROUP BY 1 ORDER BY 1",
        {"first": first, "after": after},
    )
    hours = {(hour.date(), hour.hour): count for hour, count, *_ in rows}
    levels = {(hour.date(), hour.hour): Level(*found) for hour, _, *found in rows if found[0]}
    has_hours = bool({hour for _, hour in hours} - {23 if is_end else 0})
    if not has_hours:
        hours = {(day, 0): count for (day, _), count in hours.items()}
        levels = {(day, 0): level for (day, _), level in levels.items()}
    return (hours, levels, has_hours) if has_hours or len(hours) > 1 else ({}, {}, False)


def _is_end(dataset: str) -> bool:
    return DATASETS[dataset].declared.interval == "end"


def _is_series(month: Month, hours: Hours, has_hours: bool) -> bool:
    """Return whether nearly every hour or day has the same number of rows."""
    days = (month.next.first_day - month.first_day).days
    ((_, often),) = Counter(hours.values()).most_common(1) or [(0, 0)]
    return often >= _EVEN * days * (24 if has_hours else 1)


def _typical_measures(dataset: Dataset) -> Iterator[tuple[str, Measure]]:
    """Yield each declared measure after its name; duration and speed skip rows with no duration."""
    roles, bounds, wording = dataset.roles, dataset.bounds, Wording.of(dataset)
    unit = brief(dataset.units.distance, LONGEST)
    started, ended = (f'CAST("{name}" AS TIMESTAMP)' for name in (roles.time, roles.end))
    minutes = f"nullif(greatest(date_diff('microsecond', {started}, {ended}) / 6e7, 0), 0)"
    distance = f'"{roles.distance}"'
    if roles.distance:
        yield labeled("distance", unit), Measure(distance, bound=bounds.distance)
    if roles.end:
        longest = bounds.hours and bounds.hours * 60
        yield "duration, minutes", Measure(minutes, bound=longest)
    if roles.distance and roles.end:
        what = f"speed, {unit} an hour" if unit else "speed, distance an hour"
        yield what, Measure(f"{distance} * 60 / {minutes}", bound=bounds.speed)
    amount = roles.amount or roles.price
    if amount:
        word = dataset.words.amount if roles.amount else dataset.words.price
        what = labeled(brief(word, LONGEST), wording.unit)
        yield what, Measure(f'"{amount}"', bound=bounds.amount)


def _typical(what: str, measure: Measure, found: Distribution) -> Typical:
    middle, within = found.quantiles[0.5], found.mean_within
    return Typical(what, middle, found.mean, measure.bound, within, found.beyond)
