"""The ledger table of a BigQuery dataset: the object that each month was loaded from."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud.bigquery import (
    Client,
    DatasetReference,
    QueryJobConfig,
    ScalarQueryParameter,
    SchemaField,
    Table,
)
from google.cloud.bigquery.retry import DEFAULT_RETRY

from core.storage.google_errors import PATIENCE, TIMEOUT
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import LEDGER, LoadedMonth, Recorded, by_month, recorded_months

_LEDGER_FIELDS = (
    SchemaField("dataset", "STRING"),
    SchemaField("file_month", "DATE"),
    SchemaField("object_sha256", "STRING", description="Of the Parquet object."),
    SchemaField("load_number", "INTEGER", description="Of the load job in the month's sequence."),
    SchemaField("row_count", "INTEGER", description="Rows of the partition after the load."),
    SchemaField("modified", "TIMESTAMP", description="Change of the partition by the load."),
    SchemaField("schema_version", "INTEGER", description="Of the columns."),
    SchemaField("source", "STRING", description="Where the published file came from."),
    SchemaField("entry", "STRING", description="Ledger entry of the object, as JSON."),
)
RETRY = DEFAULT_RETRY.with_timeout(PATIENCE)
_LOADED = """
SELECT kept.file_month, kept.object_sha256
FROM `{dataset}.loaded_months` AS kept
LEFT JOIN `{dataset}.INFORMATION_SCHEMA.PARTITIONS` AS there
  ON there.table_name = @table AND there.partition_id = FORMAT_DATE('%Y%m', kept.file_month)
WHERE kept.dataset = @dataset
  AND kept.modified IS NOT DISTINCT FROM there.last_modified_time
  AND kept.row_count = COALESCE(there.total_rows, 0)
"""
_LOADED_MONTH = """
SELECT kept.object_sha256 AS sha256, kept.row_count AS loaded,
  COALESCE(there.total_rows, 0) AS found,
  kept.modified IS DISTINCT FROM there.last_modified_time AS touched
FROM `{dataset}.loaded_months` AS kept
LEFT JOIN `{dataset}.INFORMATION_SCHEMA.PARTITIONS` AS there
  ON there.table_name = @table AND there.partition_id = FORMAT_DATE('%Y%m', kept.file_month)
WHERE kept.dataset = @dataset AND kept.file_month = @file_month
"""
#: All columns: a ledger from before 1.1 has no source, one from before 1.3 no entry.
_RECORDED = """
SELECT kept.*, kept.row_count AS `rows`,
  kept.modified IS DISTINCT FROM there.last_modified_time AS touched
FROM `{dataset}.loaded_months` AS kept
LEFT JOIN `{dataset}.INFORMATION_SCHEMA.PARTITIONS` AS there
  ON there.table_name = @table AND there.partition_id = FORMAT_DATE('%Y%m', kept.file_month)
WHERE kept.dataset = @dataset
"""
_NUMBER = """
SELECT MAX(load_number) AS number FROM `{dataset}.loaded_months`
WHERE dataset = @dataset AND file_month = @file_month
"""
_PARTITION = """
SELECT MAX(last_modified_time) AS modified, COALESCE(SUM(total_rows), 0) AS row_count
FROM `{dataset}.INFORMATION_SCHEMA.PARTITIONS`
WHERE table_name = @table AND partition_id = FORMAT_DATE('%Y%m', @file_month)
"""
_REMEMBER = """
MERGE INTO `{dataset}.loaded_months` AS kept
USING (
  SELECT @dataset AS dataset, @file_month AS file_month, @object_sha256 AS object_sha256,
    @load_number AS load_number, @row_count AS row_count, @modified AS modified,
    @schema_version AS schema_version, @source AS source, @entry AS entry
) AS new
ON kept.dataset = new.dataset AND kept.file_month = new.file_month
WHEN MATCHED AND kept.load_number <= new.load_number THEN UPDATE SET
  object_sha256 = new.object_sha256, load_number = new.load_number,
  row_count = new.row_count, modified = new.modified, schema_version = new.schema_version,
  source = new.source, entry = new.entry
WHEN NOT MATCHED THEN
  INSERT (dataset, file_month, object_sha256, load_number, row_count, modified, schema_version,
    source, entry)
  VALUES (new.dataset, new.file_month, new.object_sha256, new.load_number, new.row_count,
    new.modified, new.schema_version, new.source, new.entry)
"""
_FORGET = """
DELETE FROM `{dataset}.loaded_months` WHERE dataset = @dataset AND file_month = @file_month
"""


@dataclass(frozen=True)
class Partition:
    """BigQuery's metadata of a month's partition.

    Attributes:
        modified: time of its last change; None while it is empty.
        row_count: number of its rows.
    """

    modified: dt.datetime | None
    row_count: int


@dataclass(frozen=True)
class LoadedMonths:
    """The ledger table, which records the object that each month was loaded from."""

    client: Client
    dataset: str

    def of(self, dataset: str) -> dict[Month, str]:
        """Return the object's SHA-256 of each month whose partition is unchanged since its load."""
        values = {"dataset": dataset, "table": DATASETS[dataset].table}
        try:
            rows = self._query(_LOADED, values)
        except NotFound:  # nothing was ever loaded
            return {}
        return by_month(dataset, ((row["file_month"], row["object_sha256"]) for row in rows))

    def loaded_month(self, month: Month) -> LoadedMonth | None:
        """Return the state of a month, including whether it has changed since its load."""
        table = DATASETS[month.dataset].table
        values = {"dataset": month.dataset, "file_month": month.first_day, "table": table}
        try:
            rows = self._query(_LOADED_MONTH, values)
        except NotFound:  # nothing was ever loaded
            return None
        return next((LoadedMonth(**dict(row.items())) for row in rows), None)

    def recorded(self, dataset: str) -> dict[Month, Recorded]:
        """Return the rows of a dataset by month, regardless of what its table holds."""
        values = {"dataset": dataset, "table": DATASETS[dataset].table}
        try:
            rows = [dict(row.items()) for row in self._query(_RECORDED, values)]
        except NotFound:  # nothing was ever loaded
            return {}
        return recorded_months(dataset, rows)

    def number(self, month: Month) -> int:
        """Return the number of a month's last recorded load, or 0."""
        values = {"dataset": month.dataset, "file_month": month.first_day}
        return int(self._query(_NUMBER, values)[0]["number"] or 0)

    def partition(self, month: Month) -> Partition:
        """Return the current metadata of a month's partition."""
        values = {"table": DATASETS[month.dataset].table, "file_month": month.first_day}
        row = self._query(_PARTITION, values)[0]
        return Partition(row["modified"], int(row["row_count"]))

    def has_rows(self, month: Month, entry: Entry) -> bool:
        """Return whether the partition has as many rows as the object; a dropped table has 0."""
        return self.partition(month).row_count == entry.rows_written

    def remember(self, month: Month, entry: Entry, number: int, there: Partition) -> None:
        """Record the partition's current state as the result of a load."""
        values = {
            "dataset": month.dataset,
            "file_month": month.first_day,
            "object_sha256": entry.loaded_sha256,
            "load_number": number,
            "row_count": there.row_count,
            "modified": there.modified,
            "schema_version": entry.schema_version,
            "source": entry.url,
            "entry": json.dumps(asdict(entry)),
        }
        self._query(_REMEMBER, values)

    def forget(self, month: Month) -> None:
        """Remove a month's ledger row."""
        values = {"dataset": month.dataset, "file_month": month.first_day}
        with suppress(NotFound):  # nothing was ever loaded
            self._query(_FORGET, values)

    def _query(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        types = {field.name: field.field_type for field in _LEDGER_FIELDS} | {"table": "STRING"}
        config = QueryJobConfig(
            query_parameters=[
                ScalarQueryParameter(name, types[name], value) for name, value in values.items()
            ]
        )
        text = sql.format(dataset=f"{self.client.project}.{self.dataset}")
        job = self.client.query(text, job_config=config, retry=RETRY, timeout=TIMEOUT)
        return list(job.result(retry=RETRY, timeout=PATIENCE))


def make_ledger(client: Client, dataset: DatasetReference) -> None:
    """Create the ledger if it does not exist."""
    ledger = Table(dataset.table(LEDGER), schema=_LEDGER_FIELDS)
    there = client.create_table(ledger, exists_ok=True, retry=RETRY, timeout=TIMEOUT)
    names = {field.name for field in there.schema}
    # A ledger from before 1.1 has no source, one from before 1.3 no entry.
    if new := [field for field in _LEDGER_FIELDS if field.name not in names]:
        there.schema = [*there.schema, *new]
        client.update_table(there, ["schema"], retry=RETRY, timeout=TIMEOUT)
