"""The query for the days of a month in BigQuery, which its report shows."""

from __future__ import annotations

from monthly.dataset import Dataset
from monthly.month import Month

TOTAL, MEAN = "total_amount", "mean_distance"
_BY_DAY = """
SELECT CAST({time} AS DATE) AS day, COUNT(*) AS trips,
  SUM({amount}) AS total_amount, AVG({distance}) AS mean_distance
FROM `{table}` WHERE file_month = DATE '{first_day}' GROUP BY 1 ORDER BY 1
"""


def days_query(dataset: Dataset, table: str, month: Month) -> str:
    """Return the query for rows, amount and mean distance per day.

    Args:
        dataset: the dataset; it must have times.
        table: full name of its table.
        month: the month.
    """
    return _BY_DAY.format(
        time=_day_of(dataset),
        amount=_column(dataset.roles.amount),
        distance=_column(dataset.roles.distance),
        table=table,
        first_day=month.first_day,
    )


def _day_of(dataset: Dataset) -> str:
    """Return the time whose day counts; one that ends an interval belongs to the day before it."""
    time = f"`{dataset.roles.time}`"
    if dataset.declared.interval == "end":
        return f"DATETIME_SUB(CAST({time} AS DATETIME), INTERVAL 1 MICROSECOND)"
    return time


def _column(name: str) -> str:
    return f"`{name}`" if name else "CAST(NULL AS FLOAT64)"
