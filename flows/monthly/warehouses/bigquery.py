"""A BigQuery warehouse: each month is a partition, replaced atomically by one load job.

**The ledger** is the table `loaded_months`, which a load job cannot write together with the
data. Its row is written after the load and holds the time of the partition's last change:
`loaded` counts a row only while the partition still has that time and that number of rows. Any
other change to the partition makes the month count as not loaded, and a run that is killed
between the load and the ledger row leaves the old row, which no longer matches.

**The loads of a month form a sequence**: job 1, job 2, and so on. A job's id consists of
dataset, month and number, and BigQuery refuses a second job with the same id. The checksum of
the object is a label of its job, not part of the id; otherwise the loads of two objects would
not see each other. A run looks for the last job of the month. If that job loaded the same object
and no row records it yet, the run adopts it, so a request that succeeded but whose response was
lost loads only once. Otherwise the run takes the next number once the last job is done. It
writes the row only if there is still no later job after it has read the partition's time: a run
that was overtaken raises `Conflict` instead of recording another run's rows as its own.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from google.api_core.exceptions import Conflict as AlreadyExists
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud.bigquery import Client, LoadJob, LoadJobConfig, SchemaField, TableReference

from core.errors import (
    AccountingError,
    Busy,
    Conflict,
    Remedy,
    SchemaError,
    StorageError,
    Unavailable,
)
from core.storage.google_errors import TIMEOUT, google_errors
from monthly.columns import Column
from monthly.dataset import OF_FILES
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import InPlace, LoadedMonth, Recorded
from monthly.warehouses.bigquery_ledger import RETRY, LoadedMonths
from monthly.warehouses.bigquery_tables import (
    LOAD_SECONDS,
    figures_in,
    partition_of,
    prepare,
    refusal_in,
)
from monthly.warehouses.month_figures import MonthFigures
from monthly.warehouses.table_columns import kept_columns

_ROLE = "roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project"
#: Transient reasons of a failed job (from Google's table of BigQuery errors).
_PASSING = {"backendError", "internalError", "rateLimitExceeded", "jobRateLimitExceeded"}
_OBJECT = "object_sha256"
#: BigQuery takes the first that holds the digits of a Parquet decimal.
_DECIMALS = ["NUMERIC", "BIGNUMERIC"]

#: Sends a load job: partition, id, settings, location.
Submit = Callable[[TableReference, str, LoadJobConfig, str], LoadJob]


@dataclass(frozen=True)
class BigQuery:
    """A BigQuery dataset.

    Attributes:
        client: Google's client; it sends no request before its first use.
        dataset: id of the dataset, created by the first load.
        location: location of a new dataset, such as `EU`; Google's default if None.
    """

    client: Client
    dataset: str
    location: str | None = None
    newest_load: ClassVar[str] = "max(modified)"

    def name(self) -> str:
        """Return `PROJECT.DATASET`."""
        return f"{self.client.project}.{self.dataset}"

    def schema(self) -> str:
        """Return the BigQuery dataset."""
        return self.dataset

    def loaded(self, dataset: str) -> Mapping[Month, str]:
        """Return the loaded object's SHA-256 by month, creating nothing; see `Warehouse`."""
        with google_errors(f"{dataset} in {self.name()}", _ROLE):
            return LoadedMonths(self.client, self.dataset).of(dataset)

    def loaded_month(self, month: Month) -> LoadedMonth | None:
        """Return the state of a month, creating nothing; see `Warehouse`."""
        with google_errors(f"{month} in {self.name()}", _ROLE):
            return LoadedMonths(self.client, self.dataset).loaded_month(month)

    def recorded(self, dataset: str) -> Mapping[Month, Recorded]:
        """Return the ledger's rows by month, creating nothing; see `Warehouse`."""
        with google_errors(f"{dataset} in {self.name()}", _ROLE):
            return LoadedMonths(self.client, self.dataset).recorded(dataset)

    def figures(
        self, dataset: str, columns: Sequence[Column], months: Sequence[Month] | None = None
    ) -> Mapping[Month, MonthFigures]:
        """Return the figures of months, creating nothing; see `Warehouse`."""
        with google_errors(f"{dataset} in {self.name()}", _ROLE):
            return figures_in(self.client, self.dataset, DATASETS[dataset], columns, months)

    def rows(self, month: Month) -> int:
        """Return the row count of a month's partition; see `Warehouse`."""
        with google_errors(f"{month} in {self.name()}", _ROLE), suppress(NotFound):
            return LoadedMonths(self.client, self.dataset).partition(month).row_count
        return 0

    def drop(self, month: Month) -> None:
        """Remove a month's partition, then its ledger row; see `Warehouse`."""
        with google_errors(f"{month} in {self.name()}", _ROLE):
            self.client.delete_table(
                partition_of(self.client, self.dataset, month),
                not_found_ok=True,
                retry=RETRY,
                timeout=TIMEOUT,
            )
            LoadedMonths(self.client, self.dataset).forget(month)

    def refusal(self, dataset: str) -> SchemaError | None:
        """Return why the table cannot take the declared columns; see `Warehouse`."""
        with google_errors(f"{dataset} in {self.name()}", _ROLE):
            return refusal_in(self.client, self.dataset, DATASETS[dataset])

    def reads(self, uri: str) -> bool:
        """Return whether the URI is an object in Cloud Storage."""
        return uri.startswith("gs://")

    def load_in_place(self, month: Month, entry: Entry, kept: InPlace) -> int:
        """Replace the month directly from the bucket; see `ReadsInPlace`."""

        def submit(to: TableReference, job: str, config: LoadJobConfig, place: str) -> LoadJob:
            return self.client.load_table_from_uri(
                kept.uri,
                to,
                job_id=job,
                job_config=config,
                location=place,
                retry=RETRY,
                timeout=TIMEOUT,
            )

        return self._load(month, entry, submit, kept.confirm)

    def load(self, month: Month, entry: Entry, parquet: Path) -> int:
        """Replace the month with the rows of a local file, which is uploaded; see `Warehouse`."""

        def submit(to: TableReference, job: str, config: LoadJobConfig, place: str) -> LoadJob:
            with parquet.open("rb") as file:
                return self.client.load_table_from_file(
                    file, to, job_id=job, job_config=config, location=place, timeout=TIMEOUT
                )

        return self._load(month, entry, submit, lambda: None)

    def _load(self, month: Month, entry: Entry, submit: Submit, confirm: Callable[[], None]) -> int:
        with google_errors(f"{month} into {self.name()}", _ROLE):
            kept = kept_columns(DATASETS[month.dataset], entry)
            place, fields = prepare(self.client, self.dataset, self.location, month, kept)
            months = LoadedMonths(self.client, self.dataset)
            jobs = _Jobs(self.client, self.dataset, place, month, fields)
            number, last = jobs.last(after=months.number(month))
            if not (last and jobs.holds(last, entry) and months.has_rows(month, entry)):
                number += 1
                jobs.run(number, entry, submit)
            confirm()
            there = months.partition(month)
            if jobs.find(number + 1):
                raise Conflict(f"{month}: another run loads it into {self.name()}; run again")
            _refuse_other_count(month, entry, there.row_count)
            months.remember(month, entry, number, there)
        return entry.rows_written


@dataclass(frozen=True)
class _Jobs:
    """The sequence of load jobs of one month."""

    client: Client
    dataset: str
    place: str
    month: Month
    fields: Sequence[SchemaField]

    def find(self, number: int) -> LoadJob | None:
        try:
            job = self.client.get_job(
                self._id(number), location=self.place, retry=RETRY, timeout=TIMEOUT
            )
        except NotFound:
            return None
        if not isinstance(job, LoadJob):
            raise StorageError(f"{self.month}: job {job.job_id} was not submitted by this project")
        return job

    def last(self, after: int) -> tuple[int, LoadJob | None]:
        """Return the number of the last job after `after` and that job, or `after` and None."""
        number, last = after, None
        while job := self.find(number + 1):
            number, last = number + 1, job
        return number, last

    def holds(self, job: LoadJob, entry: Entry) -> bool:
        """Wait for an earlier job; return whether it loaded this object."""
        failure = self._failure(job)
        return failure is None and job.labels.get(_OBJECT) == _label(entry)

    def run(self, number: int, entry: Entry, submit: Submit) -> None:
        """Replace the partition with a job of this number and check its row count."""
        job = self._submit(number, entry, submit)
        if failure := self._failure(job):
            raise failure
        if job.output_rows != entry.rows_written:
            raise AccountingError(
                f"{self.month}: BigQuery counted {job.output_rows} rows where the ledger has "
                f"{entry.rows_written} (job {job.job_id}); the month counts as not loaded",
                Remedy("force", True),
            )

    def _submit(self, number: int, entry: Entry, submit: Submit) -> LoadJob:
        table = partition_of(self.client, self.dataset, self.month)
        try:
            return submit(table, self._id(number), _config(self.fields, entry), self.place)
        except AlreadyExists:
            job = self.find(number)
            if job and job.labels.get(_OBJECT) == _label(entry):
                return job  # this run's own request, whose response was lost
            raise Busy(
                f"{self.month}: another run loads another object into {table}; run again"
            ) from None

    def _failure(self, job: LoadJob) -> StorageError | None:
        """Wait for a job; return its failure with Google's reasons, or None."""
        try:
            job.result(retry=RETRY, timeout=LOAD_SECONDS)
        except concurrent.futures.TimeoutError as error:
            raise Busy(
                f"{self.month}: job {job.job_id} has run for {LOAD_SECONDS} s; look at it in the "
                "BigQuery console, then run again"
            ) from error
        except GoogleAPICallError:
            if not job.error_result:
                raise
        if not job.error_result:
            return None
        kind = Unavailable if job.error_result.get("reason") in _PASSING else StorageError
        said = "; ".join(f"{e.get('reason')}: {e.get('message')}" for e in job.errors or ())
        return kind(f"{self.month}: job {job.job_id} failed, the month is as before ({said})")

    def _id(self, number: int) -> str:
        month = self.month
        return f"trips-{self.dataset}-{month.dataset}-{month.year_month}-{number}"


def _refuse_other_count(month: Month, entry: Entry, found: int) -> None:
    """Refuse a partition without the rows that were loaded, which BigQuery may have deleted."""
    if found != entry.rows_written:
        raise AccountingError(
            f"{month}: BigQuery loaded {entry.rows_written} rows, and {found} are there; the month "
            "counts as not loaded",
            "remove the partition expiration of the table and of its dataset, which deletes old "
            "months at once, then run again",
        )


def _config(fields: Sequence[SchemaField], entry: Entry) -> LoadJobConfig:
    # The schema maps Parquet timestamps without time zone to DATETIME; without it BigQuery would
    # read local times as instants in UTC. It has all columns of the table, or BigQuery refuses
    # to write to a partition; a column that the object lacks is null.
    config = LoadJobConfig(
        schema=fields,
        source_format="PARQUET",
        write_disposition="WRITE_TRUNCATE",
        create_disposition="CREATE_NEVER",
        labels={_OBJECT: _label(entry)},
    )
    if any(field.field_type in _DECIMALS for field in fields):
        config.decimal_target_types = _DECIMALS
    if entry.signatures.keys() - OF_FILES - {field.name for field in fields}:
        config.ignore_unknown_values = True  # a column that is not declared any more
    return config


def _label(entry: Entry) -> str:
    return entry.loaded_sha256[:63]  # Google's limit for a label is 63 characters
