"""Estimates what the run of a plan takes: downloads, time, disk, and bytes that BigQuery bills.

All but the bytes to download is estimated from the ledger: from the months of the dataset nearest
to the planned ones, published months from published ones and generated from generated.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from core.disk import nearest
from monthly.ledger import Entry
from monthly.month import Month
from monthly.plan import Plan

if TYPE_CHECKING:
    from monthly.warehouses.bigquery_bytes import Billed
    from monthly.warehouses.space import Space

#: Plans whose published files have a known size, with that size in bytes.
_Sizes: TypeAlias = Sequence[tuple[Plan, float]]

STAGES = ("download", "conversion", "upload", "load")
#: Number of months from which the estimate is their median; with fewer it is their range.
ENOUGH = 5


@dataclass(frozen=True)
class Estimate:
    """An estimate; the two ends are equal if the history is long enough for one figure."""

    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate | None:
        """Return the estimate from past values; None if there are none."""
        if not values:
            return None
        if len(values) >= ENOUGH:
            return cls(median(values), median(values))
        return cls(min(values), max(values))

    def __mul__(self, factor: float) -> Estimate:
        return Estimate(self.least * factor, self.most * factor)


@dataclass(frozen=True)
class Need:
    """Disk space that a run needs in one place.

    Attributes:
        place: scratch, bucket or warehouse.
        size: bytes; None if ledger and warehouse have no data to estimate it from.
        folder: the folder, if it is on this machine.
        setting: the variable that names the folder.
    """

    place: str
    size: Estimate | None
    folder: Path | None
    setting: str


@dataclass(frozen=True)
class Price:
    """What the run of a plan takes.

    Attributes:
        months: months to run.
        download: bytes to download, of the months whose size is known.
        unknown: number of months of unknown size, which no other figure counts.
        workers: months run at a time.
        history: months of the ledger on which the estimates are based.
        seconds: of work by stage, without stages that the ledger has no timings of.
        needs: disk space, by place.
        queries: what the queries of `verify` and the reports would bill; None unless BigQuery.
    """

    months: int
    download: int
    unknown: int
    workers: int
    history: int
    seconds: Mapping[str, Estimate] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    queries: Billed | None = None

    @property
    def total_seconds(self) -> Estimate | None:
        """Return the seconds of the run: the work, divided among the workers."""
        if not self.seconds:
            return None
        at_once = min(self.workers, self.months)
        least, most = (
            sum(getattr(each, end) for each in self.seconds.values()) for end in ("least", "most")
        )
        return Estimate(least / at_once, most / at_once)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what will not fit on a disk of this machine, one sentence for each disk."""
        return tuple(filter(None, map(_shortage, _by_disk(self.needs))))


def price_of(
    plans: Sequence[Plan], history: Iterable[Entry], workers: int, places: Sequence[Need]
) -> Price:
    """Return the price of the run of plans.

    Args:
        plans: the plans that have work.
        history: entries of the dataset, nearest first.
        workers: months run at a time.
        places: where the run needs disk space; the size of the warehouse is the bytes per row.
    """
    past = [each for each in history if each.is_generated == plans[0].is_generated]
    sizes = [(plan, size) for plan in plans if (size := _size(plan, past)) is not None]
    known = [plan.to_download for plan in plans if plan.to_download is not None]
    return Price(
        months=len(plans),
        download=sum(known),
        unknown=len(plans) - len(sizes),
        workers=workers,
        history=len(past),
        seconds=_seconds(sizes, past),
        needs=tuple(_need(place, sizes, past, workers) for place in places),
    )


def rows_per_byte(history: Iterable[Entry]) -> Estimate | None:
    """Return the rows per published byte."""
    return Estimate.of(
        [each.rows_written / each.source_size for each in history if each.source_size]
    )


def expected_rows(plans: Iterable[Plan], history: Sequence[Entry]) -> dict[Month, float]:
    """Return the most rows that each month of known size may have."""
    past = [each for each in history if not each.is_generated]
    rate = rows_per_byte(past)
    sizes = ((plan.month, _size(plan, past)) for plan in plans)
    return {month: size * rate.most for month, size in sizes if size and rate}


def places_of(scratch: Path, bucket: object, space: Space | None) -> list[Need]:
    """Return where a run needs disk space, for `price_of`.

    Args:
        scratch: the scratch folder.
        bucket: the bucket; only a folder is on this machine.
        space: the space of a row in the warehouse; None if there is no warehouse.
    """
    folder = getattr(bucket, "folder", None)
    places = [
        Need("scratch", None, scratch, "TRIPS_SCRATCH"),
        Need("bucket", None, folder if isinstance(folder, Path) else None, "TRIPS_DATA"),
    ]
    if space:
        row = Estimate(space.row_bytes, space.row_bytes) if space.row_bytes else None
        places.append(Need("warehouse", row, space.folder, "TRIPS_DATA"))
    return places


def _size(plan: Plan, past: Sequence[Entry]) -> float | None:
    """Return the bytes of the published file; None if unknown."""
    if plan.published and plan.published.size is not None:
        return plan.published.size
    if plan.entry and plan.in_bucket:
        return plan.entry.source_size
    if plan.is_generated and past:
        return median(each.source_size for each in past)
    return None


def _seconds(sizes: _Sizes, past: Sequence[Entry]) -> dict[str, Estimate]:
    everything = sum(size for _, size in sizes)
    fetched = sum(size for plan, size in sizes if not plan.in_bucket)
    found = {}
    for stage in STAGES:
        known = [each for each in past if stage in each.seconds and each.source_size]
        rate = Estimate.of([each.seconds[stage] / each.source_size for each in known])
        if rate and (size := everything if stage == "load" else fetched):
            found[stage] = rate * size
    return found


def _need(place: Need, sizes: _Sizes, past: Sequence[Entry], workers: int) -> Need:
    known = [each for each in past if each.source_size and each.object_size]
    objects = Estimate.of([each.object_size / each.source_size for each in known])
    fetched = [(plan, size) for plan, size in sizes if not plan.in_bucket]
    size: Estimate | None = None
    if place.place == "scratch" and objects:
        size = _largest(fetched, objects, workers)
    elif place.place == "bucket" and objects:
        size = objects * sum(size for _, size in fetched)
    elif place.place == "warehouse" and place.size and (rows := rows_per_byte(known)):
        size = rows * (sum(size for _, size in sizes) * place.size.most)
    return replace(place, size=size)


def _largest(sizes: _Sizes, objects: Estimate, workers: int) -> Estimate:
    """Return the bytes of the largest months that can be in the scratch folder at a time."""
    full = [_in_scratch(plan, size, objects) for plan, size in sizes]
    largest = sorted(full, key=lambda found: found.most)[-workers:]
    return Estimate(sum(each.least for each in largest), sum(each.most for each in largest))


def _in_scratch(plan: Plan, size: float, objects: Estimate) -> Estimate:
    """Return the bytes of a published file, its object, and the object that it replaces."""
    both = size + (plan.entry.object_size if plan.entry else 0)
    return Estimate(both + size * objects.least, both + size * objects.most)


def _by_disk(needs: Iterable[Need]) -> list[list[Need]]:
    """Return the needs on this machine, grouped by disk."""
    disks: dict[int, list[Need]] = {}
    for need in needs:
        if need.folder and need.size:
            disks.setdefault(nearest(need.folder).stat().st_dev, []).append(need)
    return [*disks.values()]


def _shortage(needs: Sequence[Need]) -> str:
    """Return why the needs on one disk do not fit, and what to do; empty if they do."""
    taken = sum(need.size.most for need in needs if need.size)
    folders = [need.folder for need in needs if need.folder]
    free = shutil.disk_usage(nearest(folders[0])).free
    if taken <= free:
        return ""
    what, where = " and ".join(need.place for need in needs), " and ".join(map(str, folders))
    settings = " or ".join(dict.fromkeys(need.setting for need in needs))
    return (
        f"{what} may take {taken / 1e6:,.0f} MB in {where}, where {free / 1e6:,.0f} MB are free; "
        f"make room, name another folder ({settings}), or run fewer months"
    )
