"""Column figures: the statistics of a column in one month, to compare object and warehouse."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Figures:
    """Count, minimum, maximum and sum of a column's values, as JSON types.

    Attributes:
        count: values that are not null.
        least: the minimum; None if there is none. A timestamp is text like
            `2021-01-31 23:59:59.000000`, a date like `2021-01-31`, a decimal its digits. Texts are
            compared by code point. Only finite floats count, here and in the sum.
        most: the maximum, likewise.
        total: the sum; None if there is no value, or if floats exceed their range. It is exact
            except for floats: microseconds since 1970 for timestamps, days since 1970 for dates, 1
            for each true boolean, the UTF-8 bytes of texts, digits as text for decimals.
    """

    count: int
    least: int | float | str | bool | None = None
    most: int | float | str | bool | None = None
    total: int | float | str | None = None


def as_json(value: Any) -> Any:
    """Return a value as `Figures` stores it; a float stays a float, finite or not."""
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    return str(value) if isinstance(value, dt.date | Decimal) else value
