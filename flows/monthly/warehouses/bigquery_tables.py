"""A dataset's table in BigQuery, partitioned by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.api_core.exceptions import NotFound
from google.cloud.bigquery import (
    Client,
    DatasetReference,
    QueryJobConfig,
    SchemaField,
    Table,
    TableReference,
    TimePartitioning,
)
from google.cloud.bigquery import Dataset as GoogleDataset

from core.errors import SchemaError
from core.storage.google_errors import TIMEOUT
from core.waiting import LOG
from monthly.columns import Column
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.warehouses.bigquery_fields import changed_fields, field_of, type_of
from monthly.warehouses.bigquery_ledger import RETRY, make_ledger
from monthly.warehouses.month_figures import Dialect, MonthFigures, months_in
from monthly.warehouses.table_columns import (
    Changes,
    TableColumn,
    changes_of,
    measurable,
    misfit,
    refuse,
)

_FINITE = "IF(IS_NAN({c}) OR IS_INF({c}), NULL, {c})"
#: The sums of integers are NUMERIC, because they may not fit into INT64.
DIALECT = Dialect(
    lambda name: f"`{name}`",
    totals={
        "int64": "SUM(CAST({c} AS NUMERIC))",
        "float64": f"SUM({_FINITE})",
        "string": "SUM(BYTE_LENGTH({c}))",
        "timestamp": "SUM(CAST(UNIX_MICROS(CAST({c} AS TIMESTAMP)) AS NUMERIC))",
        "date": "SUM(UNIX_DATE({c}))",
        "boolean": "SUM(CAST({c} AS INT64))",
        "decimal": "SUM({c})",
    },
    ends={
        "float64": (f"MIN({_FINITE})", f"MAX({_FINITE})"),
        "boolean": ("LOGICAL_AND({c})", "LOGICAL_OR({c})"),
    },
    of_all=" WHERE file_month >= DATE '0001-01-01'",  # for a table that requires a filter
)
BY_MONTH = TimePartitioning(type_="MONTH", field="file_month")
#: Seconds to wait for a job; a month takes less than one minute.
LOAD_SECONDS = 1800


def partition_of(client: Client, dataset: str, month: Month) -> TableReference:
    """Return the partition of a month, `green_trips$202010`."""
    table = f"{DATASETS[month.dataset].table}${month.first_day:%Y%m}"
    return TableReference.from_string(f"{client.project}.{dataset}.{table}")


def prepare(
    client: Client,
    dataset_id: str,
    location: str | None,
    month: Month,
    kept: Sequence[Column] = (),
) -> tuple[str, list[SchemaField]]:
    """Create the dataset and its tables, or change their columns as declared.

    Args:
        client: Google's client.
        dataset_id: id of the dataset in BigQuery.
        location: location of a new dataset.
        month: the month to load.
        kept: undeclared columns of the month, kept as text.

    Returns:
        The dataset's location, and all columns of the table.

    Raises:
        SchemaError: a column has another type, or the table is partitioned in another way.
    """
    dataset = DATASETS[month.dataset]
    reference = DatasetReference(client.project, dataset_id)
    place = _dataset(client, reference, location).location
    make_ledger(client, reference)
    columns = (*dataset.columns, *kept)
    table = Table(reference.table(dataset.table), schema=list(map(field_of, columns)))
    table.time_partitioning = BY_MONTH
    table.clustering_fields = _clustering(dataset)
    table.description = dataset.declared.title
    there = client.create_table(table, exists_ok=True, retry=RETRY, timeout=TIMEOUT)
    changes = _changes(columns, there)
    refuse(month, _other_partitions(there) or _misfit(dataset, there, changes))
    return str(place), _bring_up_to_date(client, dataset, there, changes)


def refusal_in(client: Client, dataset_id: str, dataset: Dataset) -> SchemaError | None:
    """Return why the dataset's table cannot take its columns, or None."""
    reference = DatasetReference(client.project, dataset_id).table(dataset.table)
    try:
        there = client.get_table(reference, retry=RETRY, timeout=TIMEOUT)
    except NotFound:
        return None
    changes = _changes(dataset.columns, there)
    return _other_partitions(there) or _misfit(dataset, there, changes)


def figures_in(
    client: Client,
    dataset_id: str,
    dataset: Dataset,
    columns: Sequence[Column],
    months: Sequence[Month] | None,
) -> dict[Month, MonthFigures]:
    """Return the figures of months; log how much the query reads before it runs.

    Raises:
        SchemaError: something else created the table, or a column has another type.
    """
    query = figures_query(client, dataset_id, dataset, columns, months)
    if query is None:
        return {}
    LOG.info("%s: the query reads %s bytes", query.table, f"{bytes_of(client, query.sql):,}")
    job = client.query(query.sql, retry=RETRY, timeout=TIMEOUT)
    rows = job.result(retry=RETRY, timeout=LOAD_SECONDS)
    return months_in(dataset, query.columns, (row.values() for row in rows))


@dataclass(frozen=True)
class FiguresQuery:
    """The query for the figures of months.

    Attributes:
        table: name of the table.
        columns: the columns that it measures.
        sql: the query.
    """

    table: str
    columns: Sequence[Column]
    sql: str


def figures_query(
    client: Client,
    dataset_id: str,
    dataset: Dataset,
    columns: Sequence[Column],
    months: Sequence[Month] | None,
) -> FiguresQuery | None:
    """Return the query for the figures of months; None if there is no table.

    Raises:
        SchemaError: see `figures_in`.
    """
    reference = DatasetReference(client.project, dataset_id).table(dataset.table)
    try:
        table = client.get_table(reference, retry=RETRY, timeout=TIMEOUT)
    except NotFound:
        return None
    changes = _changes(dataset.columns, table)
    if error := _other_partitions(table) or _misfit(dataset, table, changes):
        raise error
    there = measurable(columns, _found(table), type_of)
    sql = DIALECT.query(f"`{client.project}.{dataset_id}.{dataset.table}`", there, months)
    return FiguresQuery(_name(table), there, sql)


def bytes_of(client: Client, sql: str) -> int:
    """Return the bytes that a query would read, from a dry run, which is free."""
    config = QueryJobConfig(dry_run=True)
    trial = client.query(sql, config, retry=RETRY, timeout=TIMEOUT)
    return int(trial.total_bytes_processed)


def _clustering(dataset: Dataset) -> list[str]:
    """Return the column that queries filter by, if it can cluster a table."""
    column = dataset.column(dataset.roles.place) if dataset.roles.place else None
    return [column.name] if column and column.kind in ("int64", "string") else []


def _dataset(client: Client, reference: DatasetReference, location: str | None) -> GoogleDataset:
    try:
        return client.get_dataset(reference, retry=RETRY, timeout=TIMEOUT)
    except NotFound:
        new = GoogleDataset(reference)
        new.location = location
        client.create_dataset(new, exists_ok=True, retry=RETRY, timeout=TIMEOUT)
        return client.get_dataset(reference, retry=RETRY, timeout=TIMEOUT)


def _other_partitions(table: Table) -> SchemaError | None:
    by = table.time_partitioning
    if by is not None and (by.type_, by.field) == (BY_MONTH.type_, BY_MONTH.field):
        return None
    if by is not None:
        found = f"partitioned by {by.type_} of {by.field or 'the time of loading'}"
    else:
        found = "partitioned by numbers" if table.range_partitioning else "not partitioned"
    return SchemaError(
        f"table {_name(table)} was made by something else (it is {found}, not by MONTH of "
        "file_month)",
        "rename or drop it, then run again",
    )


def _misfit(dataset: Dataset, table: Table, changes: Changes) -> SchemaError | None:
    return misfit(dataset, _name(table), changes, f"rename or drop {_name(table)}")


def _name(table: Table) -> str:
    return str(table.full_table_id or table.reference)


def _changes(columns: Sequence[Column], table: Table) -> Changes:
    """Compare the columns with those of a table; BigQuery ignores the case of names."""
    fields = _found(table)
    there = {c.name: fields[c.name.lower()] for c in columns if c.name.lower() in fields}
    return changes_of(columns, there, fields, type_of)


def _found(table: Table) -> dict[str, TableColumn]:
    """Return the columns of a table by lower-case name."""
    return {
        f.name.lower(): TableColumn(f.name, f.field_type, f.description or "") for f in table.schema
    }


def _bring_up_to_date(
    client: Client, dataset: Dataset, table: Table, changes: Changes
) -> list[SchemaField]:
    """Change columns and descriptions as declared; return all columns of the table."""
    fields = list(table.schema)
    if changes.replaced:
        table = _moved_aside(client, table, changes.replaced)
    if not changes.described and table.description == dataset.declared.title:
        return fields
    table.schema = changed_fields(fields, changes)
    table.description = dataset.declared.title
    return list(
        client.update_table(table, ["schema", "description"], retry=RETRY, timeout=TIMEOUT).schema
    )


def _moved_aside(client: Client, table: Table, replaced: Mapping[Column, Column]) -> Table:
    """Overwrite a table with its own rows, these columns renamed, and return it.

    Renaming a column would reserve its old name for some days. The months then count as changed,
    and each is loaded again by the next run that plans it.
    """
    config = QueryJobConfig(
        destination=table.reference,
        write_disposition="WRITE_TRUNCATE",
        time_partitioning=BY_MONTH,
        clustering_fields=table.clustering_fields,
    )
    old = ", ".join(f"`{column.name}`" for column in replaced)
    new = ", ".join(f"`{column.name}` AS `{aside.name}`" for column, aside in replaced.items())
    name = f"{table.project}.{table.dataset_id}.{table.table_id}"
    sql = f"SELECT * EXCEPT ({old}), {new} FROM `{name}`"
    client.query(sql, job_config=config, retry=RETRY, timeout=TIMEOUT).result(timeout=LOAD_SECONDS)
    return client.get_table(table.reference, retry=RETRY, timeout=TIMEOUT)
