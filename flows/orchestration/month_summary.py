"""Daily summary of a month in BigQuery as a data frame, for the month's report and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task

from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.markdown import escaped
from monthly.month import Month
from monthly.report.wording import Wording, labeled
from monthly.warehouses import Warehouse
from monthly.warehouses.month_days import MEAN, TOTAL, days_query
from orchestration.retries import RETRIES
from orchestration.stages import stage

if TYPE_CHECKING:
    import pandas as pd

    from monthly.warehouses.bigquery import BigQuery


@task(task_run_name="summary {month}", **RETRIES)
@stage
def month_summary(month: Month, warehouse: BigQuery) -> pd.DataFrame:
    """Query rows, amount and mean distance per day from BigQuery.

    Raises:
        Unavailable: BigQuery does not answer.
        StorageError: the account has no read permission.
    """
    # Imported late: both take seconds to import, and only BigQuery needs them.
    import pandas_gbq

    from core.storage.google_errors import google_errors

    dataset = DATASETS[month.dataset]
    sql = days_query(dataset, f"{warehouse.name()}.{dataset.table}", month)
    with google_errors(f"{month} in {warehouse.name()}", "roles/bigquery.dataViewer"):
        try:
            return pandas_gbq.read_gbq(
                sql, bigquery_client=warehouse.client, progress_bar_type=None, dialect="standard"
            )
        except pandas_gbq.exceptions.GenericGBQException as error:
            raise (error.__cause__ or error) from None  # Google's own error says what to do


def days_markdown(month: Month, warehouse: Warehouse) -> str:
    """Return the days of a month as a Markdown table; empty unless BigQuery has their times."""
    dataset = DATASETS[month.dataset]
    # By name: importing the class takes a second, which other warehouses do not need.
    if type(warehouse).__name__ != "BigQuery" or not dataset.roles.time:
        return ""
    summary: Any = month_summary  # its overloads for return_state do not hold for any task
    return table_of(dataset, summary(month, warehouse))


def table_of(dataset: Dataset, days: pd.DataFrame) -> str:
    """Return the summary of a month in Markdown, with `-` for an unpublished amount or distance."""
    rows = [
        f"| {_shown(day)} | {trips:,} | {_shown(total, ',.2f')} | {_shown(distance, '.2f')} |"
        for day, trips, total, distance in days.astype({TOTAL: float, MEAN: float}).values
    ]
    return "\n".join([*_head(dataset), "|---|---:|---:|---:|", *rows])


def _head(dataset: Dataset) -> list[str]:
    wording = Wording.of(dataset)
    amount = labeled(dataset.words.amount, wording.unit)
    distance = labeled("mean distance", dataset.units.distance)
    names = " | ".join(escaped(name) for name in (wording.rows, amount, distance))
    of_what = f" of {escaped(wording.time)}" if wording.time else ""
    return [f"## By day{of_what}", "", f"| day | {names} |"]


def _shown(value: Any, form: str = "") -> str:
    # A null in a frame is None, NaN or NaT; the latter two do not equal themselves.
    return "-" if value is None or value != value else format(value, form)
