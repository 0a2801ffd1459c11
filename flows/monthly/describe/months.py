"""The month of a published file, from its address or its times."""

from __future__ import annotations

from collections.abc import Iterator

from monthly.describe.addresses import YearMonth, months_in
from monthly.describe.published import ANY_MONTH, Published
from monthly.describe.times import Reading


def month_of(file: Published) -> YearMonth:
    """Return the month in the file's address, else the one of most of its times.

    If the address names several, such as the start and the end of a month, the times decide.
    """
    if file.month:
        named = months_in(file.address) or [file.month]
        return max(reversed(named), key=lambda month: _share(file, month))
    tops = [(_top(reading), reading) for reading in _readings(file) if reading.months]
    if not tops:
        return ANY_MONTH
    (month, _), _ = max(tops, key=lambda top: top[0][1])
    return month // 12, month % 12 + 1


def _share(file: Published, month: YearMonth) -> float:
    """Return the sum of the shares of times in a month, over all columns."""
    number = month[0] * 12 + month[1] - 1
    return round(sum(r.months[number] / r.good for r in _readings(file) if r.good), 2)


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
