"""Daily summary of a month in BigQuery as a data frame, for the month's report and notebooks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from prefect import task

from monthly.datasets import DATASETS, Dataset
from monthly.month import Month
from monthly.warehouses import Warehouse
from orchestration.retries import RETRIES

if TYPE_CHECKING:
    import pandas as pd

    from monthly.warehouses.bigquery import BigQuery

_TOTAL, _MEAN = "total_amount", "mean_distance"
_BY_DAY = """
SELECT CAST({time} AS DATE) AS day, COUNT(*) AS trips,
  SUM({total}) AS total_amount, AVG({distance}) AS mean_distance
FROM `{table}` WHERE file_month = DATE '{first_day}' GROUP BY 1 ORDER BY 1
"""


@task(task_run_name="summary {month}", **RETRIES)
def month_summary(month: Month, warehouse: BigQuery) -> pd.DataFrame:
    """Query rows, amount and mean distance by day from BigQuery.

    Raises:
        Unavailable: BigQuery does not answer.
        StorageError: the account has no read permission.
    """
    # Imported late: both take seconds to import, and only BigQuery needs them.
    import pandas_gbq

    from core.storage.google_errors import google_errors

    dataset = DATASETS[month.dataset]
    sql = _BY_DAY.format(
        time=_column(dataset.roles.time),
        total=_column(dataset.roles.amount),
        distance=_column(dataset.roles.distance),
        table=f"{warehouse.name()}.{dataset.table}",
        first_day=month.first_day,
    )
    with google_errors(f"{month} in {warehouse.name()}", "roles/bigquery.dataViewer"):
        try:
            return pandas_gbq.read_gbq(
                sql, bigquery_client=warehouse.client, progress_bar_type=None, dialect="standard"
            )
        except pandas_gbq.exceptions.GenericGBQException as error:
            raise (error.__cause__ or error) from None  # Google's own error says what to do


def _column(name: str) -> str:
    """Return a column as SQL takes it; null for a role that no column has."""
    return f"`{name}`" if name else "CAST(NULL AS FLOAT64)"


def days_markdown(month: Month, warehouse: Warehouse) -> str:
    """Return the days of a month as a Markdown table.

    It is empty unless the warehouse is BigQuery and the dataset has a time.
    """
    # By name: importing the class takes a second, which other warehouses do not need.
    if type(warehouse).__name__ != "BigQuery" or not DATASETS[month.dataset].roles.time:
        return ""
    summary: Any = month_summary  # its overloads for return_state do not hold for any task
    return table_of(DATASETS[month.dataset], summary(month, warehouse))


def table_of(dataset: Dataset, days: pd.DataFrame) -> str:
    """Return the summary of a month in Markdown, with `-` for an unpublished amount or distance."""
    words, units = dataset.words, dataset.units
    names = [
        _in(f"{words.row}s", ""),
        _in(words.amount, units.amount),
        _in("mean distance", units.distance),
    ]
    rows = [
        f"| {_shown(day)} | {trips:,} | {_shown(total, ',.2f')} | {_shown(distance, '.2f')} |"
        for day, trips, total, distance in days.astype({_TOTAL: float, _MEAN: float}).values
    ]
    head = [f"## By day of {_in(words.time, '')}", "", f"| day | {' | '.join(names)} |"]
    return "\n".join([*head, "|---|---:|---:|---:|", *rows])


def _in(what: str, unit: str) -> str:
    """Return a heading; its words are declared, and must not become markup or a column."""
    return html.escape(f"{what}, {unit}" if unit else what).replace("|", "&#124;")


def _shown(value: Any, form: str = "") -> str:
    # A null in a frame is None, NaN or NaT; the latter two do not equal themselves.
    return "-" if value is None or value != value else format(value, form)
