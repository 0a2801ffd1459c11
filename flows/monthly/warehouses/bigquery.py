"""BigQuery as warehouse: a month is a partition, replaced by one load job or not at all.

**What is loaded** stands in the table `loaded_months`, which no load job can write together
with the data. So its row is written after the load and holds the time of the partition's last
change: `loaded` counts a row only while the partition still has that time and that number of
rows. Whatever else changes the partition makes the month count as not loaded, and a run that is
killed between load and row leaves the old row, which no longer fits.

**Loads of a month form a sequence**: job 1, job 2, and so on, their ids made of dataset,
month and number, and Google refuses a second job of one id. The checksum of the object is a
label of its job, not part of the id: were it, the loads of two objects would not see each
other. A run looks for the last job of the month. If that one loaded this very object and no row
says so yet, the run takes it over, so a request that was carried out although its answer got
lost loads once. Otherwise it takes the next number once the last is done. The row is written
only if, after the partition's time was read, there is still no later job: a run that was
overtaken says so (`Conflict`) instead of calling another run's rows its own.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from google.api_core.exceptions import Conflict as AlreadyExists
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud.bigquery import Client, LoadJob, LoadJobConfig, TableReference
from google.cloud.bigquery.retry import DEFAULT_RETRY

from core.errors import AccountingError, Busy, Conflict, StorageError, Unavailable
from core.storage.google_errors import PATIENCE, TIMEOUT, google_errors
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.warehouses import Held, InPlace
from monthly.warehouses.bigquery_tables import LoadedMonths, fields_of, partition_of, prepare

RETRY = DEFAULT_RETRY.with_timeout(PATIENCE)
#: Seconds to wait for a load job; a month takes less than one minute.
LOAD_SECONDS = 1800
_ROLE = "roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project"
#: Reasons of a failed job that can pass by themselves (Google's table of BigQuery errors).
_PASSING = {"backendError", "internalError", "rateLimitExceeded", "jobRateLimitExceeded"}
_OBJECT = "object_sha256"

#: Sends a load job: partition, id, settings, location.
Submit = Callable[[TableReference, str, LoadJobConfig, str], LoadJob]


@dataclass(frozen=True)
class BigQuery:
    """A dataset of BigQuery.

    Attributes:
        client: Google's own; nothing is asked before the first use.
        dataset: id of the dataset, made by the first load.
        location: where a new dataset is made, `EU`; Google's default if None.
    """

    client: Client
    dataset: str
    location: str | None = None

    def name(self) -> str:
        """`PROJECT.DATASET`."""
        return f"{self.client.project}.{self.dataset}"

    def loaded(self, dataset: str) -> Mapping[Month, str]:
        """The SHA-256 of the loaded object by month; see `Warehouse`. Makes nothing."""
        with google_errors(f"{dataset} in {self.name()}", _ROLE):
            return LoadedMonths(self.client, self.dataset).of(dataset)

    def held(self, month: Month) -> Held | None:
        """What is there of a month; see `Warehouse`. Makes nothing."""
        with google_errors(f"{month} in {self.name()}", _ROLE):
            return LoadedMonths(self.client, self.dataset).held(month)

    def rows(self, month: Month) -> int:
        """Return the rows of a month's partition; see `Warehouse`."""
        with google_errors(f"{month} in {self.name()}", _ROLE), suppress(NotFound):
            return LoadedMonths(self.client, self.dataset).partition(month).row_count
        return 0

    def drop(self, month: Month) -> None:
        """Remove a month's partition, then what is remembered of it; see `Warehouse`."""
        with google_errors(f"{month} in {self.name()}", _ROLE):
            self.client.delete_table(
                partition_of(self.client, self.dataset, month),
                not_found_ok=True,
                retry=RETRY,
                timeout=TIMEOUT,
            )
            LoadedMonths(self.client, self.dataset).forget(month)

    def reads(self, uri: str) -> bool:
        """Whether it is an object of Cloud Storage."""
        return uri.startswith("gs://")

    def load_in_place(self, month: Month, entry: Entry, kept: InPlace) -> int:
        """Replace the month from the bucket; its rows do not pass here; see `ReadsInPlace`."""

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
        """Replace the month by the rows of a local file, which is sent; see `Warehouse`."""

        def submit(to: TableReference, job: str, config: LoadJobConfig, place: str) -> LoadJob:
            with parquet.open("rb") as file:
                return self.client.load_table_from_file(
                    file, to, job_id=job, job_config=config, location=place, timeout=TIMEOUT
                )

        return self._load(month, entry, submit, lambda: None)

    def _load(self, month: Month, entry: Entry, submit: Submit, confirm: Callable[[], None]) -> int:
        with google_errors(f"{month} into {self.name()}", _ROLE):
            place = prepare(self.client, self.dataset, self.location, month)
            months = LoadedMonths(self.client, self.dataset)
            jobs = _Jobs(self.client, self.dataset, place, month)
            number, last = jobs.last(after=months.number(month))
            if not (last and jobs.holds(last, entry) and months.has_rows(month, entry)):
                number += 1
                jobs.run(number, entry, submit)
            confirm()
            there = months.partition(month)
            if jobs.find(number + 1):
                raise Conflict(f"{month}: another run loads it into {self.name()}; run again")
            months.remember(month, entry, number, there)
        return entry.rows_written


@dataclass(frozen=True)
class _Jobs:
    """The sequence of load jobs of one month."""

    client: Client
    dataset: str
    place: str
    month: Month

    def find(self, number: int) -> LoadJob | None:
        try:
            job = self.client.get_job(
                self._id(number), location=self.place, retry=RETRY, timeout=TIMEOUT
            )
        except NotFound:
            return None
        if not isinstance(job, LoadJob):
            raise StorageError(f"{self.month}: job {job.job_id} is no load of this project")
        return job

    def last(self, after: int) -> tuple[int, LoadJob | None]:
        """The last job after a number, and its own number; none leaves the number as it is."""
        number, last = after, None
        while job := self.find(number + 1):
            number, last = number + 1, job
        return number, last

    def holds(self, job: LoadJob, entry: Entry) -> bool:
        """Whether an earlier job, once it is done, has loaded this very object."""
        failure = self._failure(job)
        return failure is None and job.labels.get(_OBJECT) == _label(entry)

    def run(self, number: int, entry: Entry, submit: Submit) -> None:
        """Replace the partition by a job of this number, and compare its count of rows."""
        job = self._submit(number, entry, submit)
        if failure := self._failure(job):
            raise failure
        if job.output_rows != entry.rows_written:
            raise AccountingError(
                f"{self.month}: BigQuery counted {job.output_rows} rows where the ledger has "
                f"{entry.rows_written} (job {job.job_id}); the month counts as not loaded; "
                "run again with --force"
            )

    def _submit(self, number: int, entry: Entry, submit: Submit) -> LoadJob:
        table = partition_of(self.client, self.dataset, self.month)
        try:
            return submit(table, self._id(number), _config(self.month, entry), self.place)
        except AlreadyExists:
            job = self.find(number)
            if job and job.labels.get(_OBJECT) == _label(entry):
                return job  # our own request, whose answer got lost
            raise Busy(
                f"{self.month}: another run loads another object into {table}; run again"
            ) from None

    def _failure(self, job: LoadJob) -> StorageError | None:
        """Wait for a job; why it failed, in Google's words, or None."""
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


def _config(month: Month, entry: Entry) -> LoadJobConfig:
    # Parquet's timestamps without zone become DATETIME because the schema says so; without
    # a schema they would be instants in UTC, which New York's local times are not.
    return LoadJobConfig(
        schema=fields_of(DATASETS[month.dataset]),
        source_format="PARQUET",
        write_disposition="WRITE_TRUNCATE",
        create_disposition="CREATE_NEVER",
        labels={_OBJECT: _label(entry)},
    )


def _label(entry: Entry) -> str:
    return entry.object_sha256[:63]  # Google allows no longer one
