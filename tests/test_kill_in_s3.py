"""A month killed on its way into S3 is there once after the next run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.storage.s3 import S3Store
from fakes.forks import Forks
from fakes.one_month import (
    ENTRY,
    MONTH,
    OBJECT,
    bring,
    in_warehouse,
    load,
    publish,
    warehouse_of,
)
from fakes.s3 import S3, Objects, store
from monthly.plan import Status, due_in_warehouse, plan_month

OLD = list(range(1_000, 1_003))
NEW = list(range(5_000, 5_002))


@dataclass(frozen=True)
class Killed:
    """Brings a month into a bucket and is killed.

    Attributes:
        forks: forks of `fakes.killed_in_s3`.
        url: URL of the S3 server.
        objects: its bucket, empty at first.
    """

    forks: Forks
    url: str
    objects: Objects

    def store(self) -> S3Store:
        """Return the bucket as the next run uses it."""
        return store(self.url, self.objects.name)

    def at(self, effect: str, when: str, root: Path, source: Path) -> bool:
        """Bring the month up to an effect; return whether the process was killed."""
        name, key = effect.split()
        job = {"effect": name, "key": key, "when": when}
        job |= {"url": self.url, "bucket": self.objects.name}
        self.forks.prepare(root, source, more=job)
        self.forks.go()
        return self.forks.outcome().killed


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks("fakes.killed_in_s3") as found:
        yield found


@pytest.fixture
def killed(forks: Forks, s3: S3) -> Killed:
    return Killed(forks, s3.url, s3.new_bucket("killed"))


@pytest.mark.parametrize(
    ("effect", "old"),
    [
        ("upload data/", False),
        ("write ledger/", False),
        ("copy data/", True),
        ("write editions/", True),
        ("upload data/", True),
        ("write ledger/", True),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_effect_a_month_is_there_once(
    killed: Killed, tmp_path: Path, effect: str, when: str, old: bool
) -> None:
    """After SIGKILL, the plan has work until the month is in the warehouse."""
    source, bucket, warehouse = tmp_path / "yellow.csv.gz", killed.store(), warehouse_of(tmp_path)
    if old:
        publish(source, OLD)
        assert (bring(source, bucket), load(bucket, warehouse)) == ("loaded", "loaded")
    publish(source, NEW)
    assert killed.at(effect, when, tmp_path, source)
    plan = due_in_warehouse(
        plan_month(MONTH, str(source), bucket), warehouse.loaded_month(MONTH), warehouse.name()
    )
    assert plan.status in (Status.NEW, Status.CHANGED)
    bring(source, bucket)
    assert load(bucket, warehouse) == "loaded"
    listing = killed.objects.listing()
    editions = {key for key in listing if key.startswith("editions/")}
    assert set(listing) - editions == {OBJECT, ENTRY}
    assert cents(listing[OBJECT]) == NEW
    kept = [listing[key] for key in editions if key.endswith(".parquet")]
    assert [cents(data) for data in kept] == ([OLD] if old else [])
    assert len(editions) == 2 * len(kept)
    found = in_warehouse(tmp_path)
    assert found is not None
    assert found[0] == NEW


def cents(parquet: bytes) -> list[int]:
    totals = pq.read_table(io.BytesIO(parquet), columns=["total_amount"]).column(0)
    return sorted(round(total * 100) for total in totals.to_pylist())
