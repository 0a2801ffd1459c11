"""A correction, restoration or pin killed at any effect leaves the old or the new month.

The next run completes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from core.errors import StorageError
from core.storage.bucket import FolderBucket
from fakes.edition_places import PLACES, Killed, Place, Stopping, place_in
from fakes.forks import Forks, Outcome
from fakes.one_month import (
    MONTH,
    OBJECT,
    cents_in_bucket,
    entry_in_bucket,
    files_in,
    in_warehouse,
    publish,
    run_month,
    sha256_in_bucket,
)
from monthly.editions import edition_key, edition_names, edition_of, listed_editions, read_edition
from monthly.plan import Status, plan_month
from monthly.replacement import pin, unpin

#: Totals in cents of two editions; the first has a row that is not a trip.
FIRST, SECOND = [100, 200, 300], [200, 300, 400, 500]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_in(request, request.param, tmp_path)


def stopped(place: Place, at: int) -> Place:
    bucket: Any = Stopping(place.bucket, at)
    return replace(place, bucket=bucket)


def check_reader(place: Place) -> None:
    """Check that each edition is whole, and that an object without its entry is not loaded."""
    for name in edition_names(place.bucket, MONTH):
        kept = read_edition(place.bucket, MONTH, name)
        assert edition_of(place.bucket.sha256(kept.object_key)) == name
    assert place.cents() in (FIRST, SECOND)
    assert place.warehouse.rows(MONTH) in (len(FIRST), len(SECOND))
    entry = place.entry()
    if place.bucket.sha256(OBJECT) == entry.object_sha256:
        return
    if entry.pinned:
        with pytest.raises(StorageError, match="not fetched again"):
            plan_month(MONTH, str(place.source), place.bucket)
    else:
        assert plan_month(MONTH, str(place.source), place.bucket).status is Status.CHANGED


def check_whole(place: Place, cents: list[int], replaced: str) -> None:
    """Check that bucket and warehouse have the new month, and that the old object is an edition."""
    entry, held = place.entry(), place.warehouse.loaded_month(MONTH)
    assert place.cents() == cents
    assert place.bucket.sha256(OBJECT) == entry.object_sha256
    assert held
    assert held.is_intact(entry.object_sha256, "w")
    assert place.warehouse.rows(MONTH) == len(cents)
    assert replaced in edition_names(place.bucket, MONTH)
    assert (entry.rows_rejected > 0) == (cents == FIRST)


def walk(place: Place, change: Callable[[Place, list[int]], object]) -> int:
    """Change the month back and forth, killed one effect later each time; return their number.

    Before each change the current object has no edition, so that the change creates one.
    """
    for at in count(1):
        cents, replaced = (SECOND if place.cents() == FIRST else FIRST), place.current()
        for key in listed_editions(place.bucket, MONTH):
            if replaced in key:
                place.bucket.delete(key)
        try:
            change(stopped(place, at), cents)
        except Killed:
            check_reader(place)
            change(place, cents)
            check_whole(place, cents, replaced)
        else:
            check_whole(place, cents, replaced)
            return at - 1
    raise AssertionError


@pytest.mark.slow
def test_a_correction_with_an_edition(place: Place) -> None:
    def correct(where: Place, cents: list[int]) -> None:
        where.publish(cents, bad=int(cents == FIRST))

    place.publish(FIRST, bad=1)
    # Two or three objects of the edition, object, rejects, entry, and those of the older edition.
    assert walk(place, correct) == 8


@pytest.mark.slow
def test_a_restoration(place: Place) -> None:
    editions = {tuple(FIRST): place.publish(FIRST, bad=1), tuple(SECOND): place.publish(SECOND)}

    def put_back(where: Place, cents: list[int]) -> None:
        where.restore(editions[tuple(cents)])

    put_back(place, FIRST)
    assert walk(place, put_back) in (5, 6)


def test_a_pin(place: Place) -> None:
    """A pin is a single write, either done or not."""
    place.publish(FIRST)
    for change, is_pinned in ((pin, True), (unpin, False)):
        with pytest.raises(Killed):
            change(stopped(place, 1).bucket, MONTH)
        assert bool(place.entry().pinned) != is_pinned
        assert bool(change(stopped(place, 2).bucket, MONTH).pinned) == is_pinned
        assert bool(place.entry().pinned) == is_pinned


@pytest.mark.slow
def test_a_restoration_by_sigkill_at_every_change_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, begin = tmp_path / "published" / "yellow.csv.gz", tmp_path / "begin"
    monkeypatch.setenv("TRIPS_SCRATCH", str(begin / "scratch"))
    for cents in (FIRST, SECOND):
        publish(source, cents, bad=int(cents == FIRST))
        assert run_month(begin, source) == ["loaded", "loaded"]
    (edition,) = edition_names(FolderBucket(begin / "bucket"), MONTH)
    with Forks("fakes.killed_while_restoring") as forks:

        def restored(root: Path, kill_at: int = 0) -> Outcome:
            forks.prepare(root, source, kill_at=kill_at, more={"edition": edition})
            forks.go()
            return forks.outcome()

        statements = set()
        for number in count(1):
            root = tmp_path / f"{number}"
            shutil.copytree(begin, root)
            outcome = restored(root, number)
            statements.add(outcome.statement)
            assert outcome.error == ""
            if not outcome.killed:
                break
            assert cents_in_bucket(root) in (FIRST, SECOND)
            found = in_warehouse(root)
            assert found
            assert found[0] in (FIRST, SECOND)
            assert restored(root).error == ""
            check_files(root)
            shutil.rmtree(root)
    assert number > 30  # the files of scratch, bucket and warehouse
    assert statements >= {"DELETE", "INSERT", "commit"}


def check_files(root: Path) -> None:
    entry = entry_in_bucket(root)
    assert entry
    assert entry["pinned"]
    assert entry["object_sha256"] == sha256_in_bucket(root)
    assert (cents_in_bucket(root), in_warehouse(root)) == (
        FIRST,
        (FIRST, [(entry["object_sha256"], len(FIRST))]),
    )
    bucket = FolderBucket(root / "bucket")
    names = edition_names(bucket, MONTH)
    assert len(names) == 2
    assert all(bucket.info(edition_key(MONTH, name, "parquet")) for name in names)
    assert not any(name.endswith(".partial") for name in files_in(root))
