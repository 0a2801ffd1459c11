"""The rows of a published file as a stream in the canonical schema, and their accounts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Semaphore
from typing import Generic, TypeVar

import pyarrow as pa

from core.download.checks import kind_of
from core.errors import AccountingError
from core.threads import threads_shared
from monthly.columns import FILE_MONTH
from monthly.convert.arrays import encoded
from monthly.convert.column_figures import ColumnFigures, Part, measure
from monthly.convert.duplicates import DuplicateCounter, row_hashes
from monthly.convert.pieces import Piece, Reject, salvage
from monthly.convert.quality import Measured, Quality, Tally
from monthly.convert.readings import Readings, Rules, Unsettled
from monthly.convert.refusals import refuse_other_rows
from monthly.convert.rejects import RejectsFile
from monthly.convert.survey import opened_file, survey
from monthly.datasets import DATASETS
from monthly.figures import Figures
from monthly.header import Mapped
from monthly.month import Month

#: Arrow releases the GIL while parsing, so that each thread keeps a core busy; four of them parse
#: as fast as a file is decompressed.
MOST_PARSERS = 4
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The row counts and quality of a published file.

    Attributes:
        month: the month of the rows.
        rejects: CSV of line, reason and text of each rejected row; None if there are none.
        rows_read: rows of the published file.
        rows_written: rows that arrived at the target.
        rows_rejected: rows of `rejects`; read = written + rejected.
        rows_declared: those of them that the declaration says to reject.
        drift: schema drift from the canonical names (renamed, unknown, missing, kept), and how
            values with several readings were read.
        quality: the quality report of the rows.
        columns: count, minimum, maximum and sum of each column that the file has.
        schema_version: the version of the declared schema.
        signatures: what determined the values of each column; see `monthly.datasets`.
    """

    month: Month
    rejects: Path | None
    rows_read: int
    rows_written: int
    rows_rejected: int
    rows_declared: int
    drift: Mapping[str, tuple[str, ...]]
    quality: Quality
    columns: Mapping[str, Figures]
    schema_version: int
    signatures: Mapping[str, str]


class Rows:
    """The rows of one published file. A context manager.

    The rows are read once, in file order, while threads parse and measure ahead of the
    consumer. The accounts are available afterwards.

    Attributes:
        threads: number of threads that this file may keep busy, known once it is open.
    """

    def __init__(
        self,
        month: Month,
        source: Path,
        folder: Path,
        rules: Rules,
        readings: Readings | None = None,
        *,
        spare: int = 1,
    ) -> None:
        """Prepare to read the rows, without opening the file yet.

        Args:
            month: the month of the file.
            source: the published file, csv, csv.gz or Parquet, of any vintage.
            folder: the folder for the rejects and temporary files.
            rules: the options of the conversion.
            readings: the readings from `survey`; those of the rules if None.
            spare: cores left to the consumer of the rows, such as a database on this machine. If
                every core parses, the consumer waits for the parsers, then the parsers for it.
        """
        self.month, self._source, self._rules = month, source, rules
        self._spare = spare
        self._readings = readings or Readings.asked(rules, month)
        share = rules.checked(month).limit_of_rejects(month)
        self.rejects = RejectsFile(month, folder / f"{month.stem}.rejects.csv", share)
        self._duplicates = DuplicateCounter(folder / f"{month.stem}.hashes")
        self._tally, self._figures = Tally(month), ColumnFigures()

    def __enter__(self) -> Rows:
        with ExitStack() as opened:
            self._mapped, self._pieces = opened.enter_context(self._open())
            if self._mapped.twins:
                self._readings.require_survey()
            opened.enter_context(self.rejects)
            opened.enter_context(self._duplicates)
            # Last, so that after an error the threads end before the files they use are closed.
            self.threads = opened.enter_context(threads_shared())
            # One thread if texts are matched: two use twice the memory and save hardly any time.
            most = 1 if self._readings.settled else MOST_PARSERS
            self._parsers = max(1, min(self.threads - self._spare, most))
            self._pool = opened.enter_context(
                ThreadPoolExecutor(self._parsers, f"parse {self.month}")
            )
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    @property
    def schema(self) -> pa.Schema:
        """Return the schema of the rows, known once the file is open."""
        return self._mapped.schema

    @property
    def names(self) -> list[str]:
        """Return the columns in order, without those missing from the file, which are all null."""
        return [name for name in self.schema.names if name not in self._mapped.missing]

    def through(self, use: Callable[[pa.RecordBatch], T]) -> Iterator[list[T]]:
        """Return an iterator over the results of the batches of each piece, in file order.

        The first pieces start at once, the others while the results are consumed.

        Args:
            use: called with each batch, on the parser threads.

        Raises:
            BadFile: the file is damaged or has no row.
            TooManyRejects: too many rows could not be converted.
            Unsettled: a value has several readings, and the file was not surveyed.
        """
        jobs, ahead = self._jobs(partial(self._work, use)), self._parsers + self._spare
        return self._taken(_in_order(deque(islice(jobs, ahead)), jobs, ahead))

    def _jobs(self, work: Callable[[Piece], _Work[T]]) -> Iterator[Future[_Work[T]]]:
        """Submit each piece and, while the last ones are consumed, the count of duplicates."""
        done, pieces = Semaphore(0), 0
        for piece in self._pieces:
            job = self._pool.submit(work, piece)
            job.add_done_callback(lambda _: done.release())
            pieces += 1
            yield job
        self._repeats = self._pool.submit(self._count_repeats, done, pieces)

    def _count_repeats(self, done: Semaphore, pieces: int) -> list[Future[int]]:
        """Submit the parts of the count once all pieces are done."""
        for _ in range(pieces):
            done.acquire()
        return [self._pool.submit(count) for count in self._duplicates.parts()]

    def _taken(self, work: Iterator[_Work[T]]) -> Iterator[list[T]]:
        for done in work:
            self.rejects.add(done.rows_read, done.rejects)
            for batch in done.batches:
                self._tally.merge(batch.measured)
                self._figures.merge(batch.figures)
            yield [batch.used for batch in done.batches]

    def accounts(self, written: int) -> Accounts:
        """Return the accounts, after all rows were read.

        Args:
            written: rows that arrived, as counted at the target.

        Raises:
            TooManyRejects: too many rows could not be converted.
            WrongMonth: too many rows lie outside the month.
            SchemaError: a required column has no value.
            AccountingError: rows read, written and rejected do not add up.
        """
        repeats = sum(count.result() for count in self._repeats.result())
        rejects, quality = self.rejects, self._tally.report(repeats)
        dataset = DATASETS[self.month.dataset]
        rejects.check_share()
        refuse_other_rows(self.month, quality, self._rules, self._mapped)
        if not rejects.rows_read == written + rejects.count == quality.rows + rejects.count:
            raise AccountingError(
                f"{self.month}: {rejects.rows_read} rows read, but {written} written and "
                f"{rejects.count} rejected; nothing was loaded; please report this file"
            )
        return Accounts(
            month=self.month,
            rejects=rejects.path if rejects.count else None,
            rows_read=rejects.rows_read,
            rows_written=written,
            rows_rejected=rejects.count,
            rows_declared=rejects.declared,
            drift=_drift(self._mapped, self._readings),
            quality=quality,
            columns=self._figures.report(),
            schema_version=dataset.schema_version,
            signatures=dataset.signatures_of(kind_of(self._source)),
        )

    def _open(self) -> AbstractContextManager[tuple[Mapped, Iterator[Piece]]]:
        return opened_file(self.month, self._source, self._rules.strict, self._readings)

    def _work(self, use: Callable[[pa.RecordBatch], T], piece: Piece) -> _Work[T]:
        found = salvage(piece, self.rejects.max_share)
        return _Work(found.rows, found.rejects, [self._used(use, b) for b in found.batches])

    def _used(self, use: Callable[[pa.RecordBatch], T], batch: pa.RecordBatch) -> _Used[T]:
        # A column missing from the file is null in every row: it cannot distinguish rows. Nor can
        # the month of the file.
        there = encoded(batch.select(self.names))
        self._duplicates.add(row_hashes(there.drop_columns([FILE_MONTH.name])))
        return _Used(use(batch), self._tally.measure(batch), measure(there))


def settled(month: Month, source: Path, rules: Rules, run: Callable[[Readings], T]) -> T:
    """Run with the readings of the rules; if they leave a value open, run again with a survey.

    Args:
        month: the month of the file.
        source: the published file.
        rules: the options of the conversion.
        run: reads the rows; it must undo its writes if it raises.

    Raises:
        Ambiguous: a value can be read in two ways, and nothing in the file decides which.
    """
    try:
        return run(Readings.asked(rules, month))
    except Unsettled:
        return run(survey(month, source, rules))


@dataclass(frozen=True)
class _Work(Generic[T]):
    rows_read: int
    rejects: list[Reject]
    batches: list[_Used[T]]


@dataclass(frozen=True)
class _Used(Generic[T]):
    used: T
    measured: Measured
    figures: Mapping[str, Part]


def _in_order(waiting: deque[Future[T]], jobs: Iterator[Future[T]], ahead: int) -> Iterator[T]:
    """Yield results in file order, with up to `ahead` jobs ahead of the consumer."""
    try:
        for job in jobs:
            waiting.append(job)
            while waiting and (waiting[0].done() or len(waiting) > ahead):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for job in waiting:
            job.cancel()


def _drift(mapped: Mapped, readings: Readings) -> dict[str, tuple[str, ...]]:
    return {
        "renamed": tuple(f"{old} -> {new}" for old, new in mapped.renamed),
        "unknown": mapped.unknown,
        "missing": mapped.missing,
        "kept": tuple(c.name for c in mapped.kept),
        "read": (*mapped.read, *readings.notes),
    }
