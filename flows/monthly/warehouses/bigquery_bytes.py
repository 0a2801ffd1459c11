"""Estimates the bytes that queries of months would bill in BigQuery, without running them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from google.api_core.exceptions import NotFound
from google.cloud.bigquery import DatasetReference

from core.storage.google_errors import TIMEOUT, google_errors
from monthly.columns import Column
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.warehouses.bigquery import BigQuery
from monthly.warehouses.bigquery_fields import type_of
from monthly.warehouses.bigquery_ledger import RETRY
from monthly.warehouses.bigquery_limit import LEAST_BILLED
from monthly.warehouses.bigquery_tables import bytes_of, figures_query
from monthly.warehouses.month_days import days_query

_ROLE = "roles/bigquery.dataViewer on the dataset and roles/bigquery.jobUser on the project"
#: Bytes of a value (Google's table "Data type sizes"); a text takes two more than its own.
WIDTHS: Mapping[str, int] = {
    "INTEGER": 8,
    "FLOAT": 8,
    "DATETIME": 8,
    "DATE": 8,
    "BOOLEAN": 1,
    "NUMERIC": 16,
    "BIGNUMERIC": 32,
    "STRING": 2,
}
_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Billed:
    """What the queries of some months would bill.

    Attributes:
        verify: bytes of the one query of `verify` over all of them.
        reports: bytes of the queries of their reports.
        tried: number of months whose bytes come from a dry run.
        computed: number of months that are not in the table, whose bytes are the widths of the
            columns times their rows.
    """

    verify: int
    reports: int
    tried: int
    computed: int


def billed(
    warehouse: BigQuery,
    months: Sequence[Month],
    rows: Mapping[Month, float],
    texts: Mapping[str, float],
) -> Billed:
    """Return the bytes that the queries of months would bill, from dry runs, which are free.

    Args:
        warehouse: the warehouse.
        months: the months in its table, of one dataset.
        rows: rows of the months that are not in its table yet.
        texts: mean bytes of the values of each text column.

    Raises:
        StorageError: BigQuery failed.
    """
    dataset = DATASETS[[*months, *rows][0].dataset]
    with google_errors(f"{dataset.name} in {warehouse.name()}", _ROLE):
        verify, reports = _tried(warehouse, dataset, months)
    verify += math.ceil(sum(rows.values()) * _width(dataset.columns, texts))
    width = _width(_of_report(dataset), texts)
    reports += [math.ceil(each * width) for each in rows.values()]
    # The report of a dataset without times has no days, and asks for none.
    shown = sum(map(_billed, reports)) if dataset.roles.time else 0
    return Billed(_billed(verify), shown, len(months), len(rows))


def _tried(warehouse: BigQuery, dataset: Dataset, months: Sequence[Month]) -> tuple[int, list[int]]:
    """Return the bytes of the query of `verify`, and of the report of each month."""
    client, which = warehouse.client, warehouse.dataset
    query = figures_query(client, which, dataset, dataset.columns, months) if months else None
    if query is None:
        return 0, []
    days = (days_query(dataset, f"{warehouse.name()}.{dataset.table}", each) for each in months)
    reports = [bytes_of(client, sql) for sql in days] if dataset.roles.time else []
    return bytes_of(client, query.sql), reports


def row_bytes(warehouse: BigQuery, dataset: Dataset) -> float | None:
    """Return the bytes of a row in the dataset's table; None if there are no rows."""
    where = DatasetReference(warehouse.client.project, warehouse.dataset).table(dataset.table)
    with google_errors(f"{dataset.name} in {warehouse.name()}", _ROLE):
        try:
            table = warehouse.client.get_table(where, retry=RETRY, timeout=TIMEOUT)
        except NotFound:
            return None
    return table.num_bytes / table.num_rows if table.num_bytes and table.num_rows else None


def _of_report(dataset: Dataset) -> list[Column]:
    roles = (dataset.roles.time, dataset.roles.amount, dataset.roles.distance, "file_month")
    return [column for column in dataset.columns if column.name in roles]


def _width(columns: Iterable[Column], texts: Mapping[str, float]) -> float:
    return sum(
        WIDTHS[type_of(c)] + (texts.get(c.name, 0.0) if c.kind == "string" else 0) for c in columns
    )


def _billed(size: int) -> int:
    """Return the bytes that a query bills for reading so many bytes of a table."""
    return max(math.ceil(size / _MEGABYTE) * _MEGABYTE, LEAST_BILLED)
