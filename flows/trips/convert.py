"""From a published file to one Parquet file in the canonical schema, in memory that stays flat."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from trips.checksums import sha256_of
from trips.columns import SCHEMA_VERSION
from trips.csv_file import open_csv
from trips.datasets import DATASETS, Mapped
from trips.disk import room_for
from trips.duplicates import DuplicateCounter, Hashes, row_hashes
from trips.errors import AccountingError, TooManyRejects, UsageError
from trips.months import Month
from trips.parquet_file import open_parquet
from trips.pieces import Piece, Reject, hopeless, salvage
from trips.quality import Measured, Quality, Tally

ROW_GROUP_ROWS = 131_072
#: Arrow parses without holding the interpreter: two threads keep two cores busy.
PARSERS = 2
_SHOWN_REJECTS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Converted:
    """A converted month in the scratch folder.

    Attributes:
        month: which.
        path: the Parquet file.
        rejects: CSV of line, reason and text of each rejected row; None without any.
        rows_read: rows of the published file.
        rows_written: rows of the Parquet file, as its footer says.
        rows_rejected: rows of `rejects`; read = written + rejected.
        size: of the Parquet file, bytes.
        sha256: of the Parquet file, hexadecimal.
        drift: what differs from the canonical names: renamed, unknown, missing.
        quality: what is odd about the rows.
        schema_version: of the canonical schema.
    """

    month: Month
    path: Path
    rejects: Path | None
    rows_read: int
    rows_written: int
    rows_rejected: int
    size: int
    sha256: str
    drift: Mapping[str, tuple[str, ...]]
    quality: Quality
    schema_version: int = SCHEMA_VERSION


def convert(
    month: Month,
    source: Path,
    folder: Path,
    strict: bool = True,
    max_reject_share: float = 0.001,
) -> Converted:
    """Convert a published file, csv, csv.gz or Parquet, whatever its vintage.

    Args:
        month: whose file it is.
        source: the published file.
        folder: where the Parquet file and the rejects are written, complete or not at all.
        strict: whether an unknown or an absent required column is an error.
        max_reject_share: the month fails if more than this share of its rows is rejected.

    Raises:
        BadFile: the file is damaged or has no row.
        SchemaError: its columns are not those of the dataset.
        TooManyRejects: too many rows could not be converted.
        AccountingError: rows read, written and rejected do not add up.
        StorageError: the disk takes no more.
    """
    target = folder / f"{month.stem}.parquet"
    if target.resolve() == source.resolve():
        raise UsageError(f"{month}: {source} would be overwritten by its own conversion")
    rejects = RejectsFile(month, folder / f"{month.stem}.rejects.csv", max_reject_share)
    with room_for(f"{target.name} of {month}", folder), _complete(target, rejects.path) as part:
        with _open(month, source, strict) as (mapped, pieces), rejects:
            quality = _write(month, pieces, part, rejects)
        rejects.check_share()
        written = int(pq.read_metadata(part).num_rows)
        if not rejects.rows_read == written + rejects.count == quality.rows + rejects.count:
            raise AccountingError(
                f"{month}: {rejects.rows_read} rows read, but {written} written and "
                f"{rejects.count} rejected; nothing was loaded; please report this file"
            )
    return Converted(
        month,
        target,
        rejects.path if rejects.count else None,
        rejects.rows_read,
        written,
        rejects.count,
        target.stat().st_size,
        sha256_of(target),
        _drift(mapped),
        quality,
    )


@contextmanager
def _complete(target: Path, beside: Path) -> Iterator[Path]:
    """A name to write to; the target appears when all went well, and nothing otherwise."""
    part = target.with_suffix(".part")
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
        raise


class RejectsFile:
    """The CSV of rejected rows, and the watch over their share. A context manager."""

    def __init__(self, month: Month, path: Path, max_share: float) -> None:
        self.month, self.path, self.max_share = month, path, max_share
        self.count = self.rows_read = 0
        self._first: list[Reject] = []

    def __enter__(self) -> RejectsFile:
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(("line", "reason", "text"))
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self.count:
            self.path.unlink()

    def add(self, rows_read: int, rejects: Iterable[Reject]) -> None:
        """Take the rejects among `rows_read` more rows."""
        self.rows_read += rows_read
        for reject in rejects:
            self.count += 1
            self._csv.writerow((reject.line, reject.reason, reject.text))
            if len(self._first) < _SHOWN_REJECTS:
                self._first.append(reject)
        if hopeless(self.count, self.rows_read, self.max_share):
            self._fail("so far")

    def check_share(self) -> None:
        """Raise TooManyRejects if more rows were rejected than the threshold allows."""
        if self.count and self.count / self.rows_read > self.max_share:
            self._fail("in all")

    def _fail(self, when: str) -> None:
        shown = "; ".join(f"line {r.line}: {r.reason}: {r.text[:200]!r}" for r in self._first)
        raise TooManyRejects(
            f"{self.month}: {self.count} of {self.rows_read} rows {when} could not be converted, "
            f"more than {self.max_share:.2%} ({shown}); correct the file, "
            "or raise the threshold with --max-reject-share"
        )


def _open(
    month: Month, source: Path, strict: bool
) -> AbstractContextManager[tuple[Mapped, Iterator[Piece]]]:
    with source.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    return open_parquet(month, source, strict) if parquet else open_csv(month, source, strict)


def _write(month: Month, pieces: Iterator[Piece], target: Path, rejects: RejectsFile) -> Quality:
    """Parse, measure and write at the same time, each on threads of its own."""
    tally = Tally(month)
    share = rejects.max_share
    with (
        DuplicateCounter(target.with_suffix(".hashes")) as duplicates,
        RowGroups(target, DATASETS[month.dataset].schema) as groups,
        # Last, so that after an error the files are closed when no thread uses them any more.
        ThreadPoolExecutor(PARSERS, f"parse {month}") as parsers,
        ThreadPoolExecutor(1, f"write {month}") as writer,
    ):
        written: Future[None] | None = None
        for work in _in_order(parsers.submit(_work, tally, piece, share) for piece in pieces):
            rejects.add(work.rows_read, work.rejects)
            for _, measured, hashes in work.batches:
                tally.merge(measured)
                duplicates.add(hashes)
            if written:
                written.result()
            written = writer.submit(groups.add, [batch for batch, _, _ in work.batches])
        if written:
            written.result()
        counted = parsers.submit(duplicates.duplicates)
        writer.submit(groups.finish).result()
        return tally.report(counted.result())


@dataclass(frozen=True)
class _Work:
    rows_read: int
    rejects: list[Reject]
    batches: list[tuple[pa.RecordBatch, Measured, Hashes]]


def _work(tally: Tally, piece: Piece, max_reject_share: float) -> _Work:
    found = salvage(piece, max_reject_share)
    measured = [(batch, tally.measure(batch), row_hashes(batch)) for batch in found.batches]
    return _Work(found.rows, found.rejects, measured)


def _in_order(jobs: Iterator[Future[T]]) -> Iterator[T]:
    """Results in the order of the file, with two pieces in work for each parser."""
    waiting: deque[Future[T]] = deque()
    try:
        for job in jobs:
            waiting.append(job)
            if len(waiting) > 2 * PARSERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for job in waiting:
            job.cancel()


class RowGroups:
    """A Parquet file of row groups that all have `ROW_GROUP_ROWS` rows but the last."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=_repetitive(schema)
        )
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> RowGroups:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Take some more rows."""
        for batch in batches:
            self._waiting.append(batch)
            self._rows += batch.num_rows
        while self._rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def finish(self) -> None:
        """Write the rows that do not fill a row group."""
        if self._rows:
            self._flush(self._rows)

    def _flush(self, rows: int) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=ROW_GROUP_ROWS)
        self._waiting = table.slice(rows).to_batches()
        self._rows -= rows


def _repetitive(schema: pa.Schema) -> list[str]:
    """Columns worth a dictionary: one of timestamps costs time and makes the file larger."""
    return [field.name for field in schema if not pa.types.is_timestamp(field.type)]


def _drift(mapped: Mapped) -> dict[str, tuple[str, ...]]:
    return {
        "renamed": tuple(f"{old} -> {new}" for old, new in mapped.renamed),
        "unknown": mapped.unknown,
        "missing": mapped.missing,
    }
