"""The month of a published file, from its name or its times."""

from __future__ import annotations

from collections.abc import Iterator

from monthly.describe.addresses import YearMonth
from monthly.describe.published import ANY_MONTH, Published
from monthly.describe.times import Reading


def month_of(file: Published) -> YearMonth:
    """Return the month in the file's name, else the one of most of its times."""
    if file.month:
        return file.month
    tops = [(_top(reading), reading) for reading in _readings(file) if reading.months]
    if not tops:
        return ANY_MONTH
    (month, _), _ = max(tops, key=lambda top: top[0][1])
    return month // 12, month % 12 + 1


def _top(reading: Reading) -> tuple[int, float]:
    """Return the most frequent month and its share."""
    month, count = reading.months.most_common(1)[0]
    return month, round(count / reading.good, 2)


def _readings(file: Published) -> Iterator[Reading]:
    for values in file.columns:
        for form in values.times.forms.values():
            yield from form.readings
        if values.compact.good and (values.says_time or not values.has_text):
            yield values.compact
