"""Compare the verification of twelve months in a folder and a DuckDB file with one load."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core.scratch import subfolder
from core.storage.bucket import FolderBucket
from figure import Figure
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import convert
from monthly.ledger import keep, object_key
from monthly.month import Month
from monthly.plan import plan_month
from monthly.sources import download
from monthly.verify.checking import Request, verify
from monthly.verify.share import Share
from monthly.warehouses.duckdb import DuckDBFile

_MONTHS = [Month("yellow", 2021, number) for number in range(1, 13)]
#: All months are published as the same file.
_RULES = Rules(max_outside_share=1.0)
_NOTHING, _ALL = Share(Fraction(0), 0), Share(Fraction(1), 0)


@dataclass(frozen=True)
class _Versioned(FolderBucket):
    """A folder trusted like a cloud bucket: objects with the recorded version are not read."""

    is_versioned = True


def figures(month: Path, folder: Path, rounds: int) -> Iterator[Figure]:
    """Yield the CPU seconds of each way, and the ratios that have a target.

    Args:
        month: a published yellow 2021-01, used for each of the twelve months.
        folder: where the files are written.
        rounds: how often each way is measured.
    """
    place = folder / "verified"
    place.mkdir()
    os.environ["TRIPS_SCRATCH"] = str(place / "scratch")
    bucket, warehouse = FolderBucket(place / "bucket"), DuckDBFile(place / "trips.duckdb")
    for each in _MONTHS:
        _load(month, each, bucket, warehouse)
    trusted = _Versioned(bucket.folder)
    ways: dict[str, Callable[[], object]] = {
        "loading one month": lambda: _load_one(month, place),
        "verify of twelve months": lambda: _check(Request("yellow", trusted, warehouse, _NOTHING)),
        "verify that reads the objects": lambda: _check(Request("yellow", trusted, None, _ALL)),
        "reading the objects": lambda: _read(bucket),
    }
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(_cpu_seconds(way))
    median = {name: statistics.median(found) for name, found in seconds.items()}
    for name, value in median.items():
        yield Figure(name, value, "CPU s", "", ok=True)
    one, twelve, whole, read = median.values()
    yield Figure("verify of twelve over loading one", twelve / one, "x", "< 1", twelve < one)
    share = whole / read
    yield Figure("--read-data 100% over reading", share, "x", "<= 1.3", share <= 1.3)


def _load(published: Path, month: Month, bucket: FolderBucket, warehouse: DuckDBFile) -> None:
    folder = bucket.folder.with_name("loading")
    folder.mkdir(parents=True)
    plan = plan_month(month, str(published), bucket)
    assert plan.published  # noqa: S101 - it was just written
    found = download(plan.published, subfolder(folder, "published"))
    converted = convert(month, found.path, subfolder(folder, "converted"), _RULES)
    entry = keep(bucket, month, found, converted, None)
    warehouse.load(month, entry, converted.path)
    shutil.rmtree(folder)


def _load_one(published: Path, folder: Path) -> None:
    shutil.rmtree(folder / "one", ignore_errors=True)
    bucket, warehouse = FolderBucket(folder / "one" / "bucket"), folder / "one" / "trips.duckdb"
    _load(published, _MONTHS[0], bucket, DuckDBFile(warehouse))


def _check(request: Request) -> None:
    verdicts = verify(request)
    if len(verdicts) != len(_MONTHS) or any(verdict.is_failed for verdict in verdicts):
        raise SystemExit(f"these months are good, but verify says {verdicts}")


def _read(bucket: FolderBucket) -> None:
    for month in _MONTHS:
        bucket.sha256(object_key(month))


def _cpu_seconds(way: Callable[[], object]) -> float:
    started = time.process_time()
    way()
    return time.process_time() - started
