"""Replaced objects are kept as editions, changes are recorded, and an edition can be restored."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from core.errors import Conflict, StorageError, Unavailable, UsageError
from core.storage.bucket import Bucket, FolderBucket, ObjectInfo
from fakes.edition_places import PLACES, Place, folder_and_duckdb, place_in
from fakes.entries import entry_of
from fakes.one_month import ENTRY, MONTH, OBJECT, bring, publish
from monthly import replacement
from monthly.corrections import published_columns, totals_of
from monthly.dropping import drop_month, find_remains
from monthly.editions import (
    edition_key,
    edition_names,
    editions_to_keep,
    keep_edition,
    named_edition,
    prune,
    read_edition,
)
from monthly.figures import Figures
from monthly.ledger import Entry, read_entry, rejects_key, write_entry
from monthly.plan import Status, due_in_warehouse, plan_month
from monthly.replacement import pin, restore, unpin

#: Totals in cents of three published files; the second has one row that is not a trip.
FIRST, SECOND, THIRD = [100, 200, 300], [200, 300, 400, 500], [600]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_in(request, folder_and_duckdb, tmp_path)


@pytest.fixture(params=PLACES)
def everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_in(request, request.param, tmp_path)


# ---- corrections and restorations


def test_a_correction_leaves_a_record_and_an_edition_that_can_be_restored(
    everywhere: Place,
) -> None:
    place = everywhere
    first = place.publish(FIRST)
    second = place.publish(SECOND, bad=1)
    assert edition_names(place.bucket, MONTH) == [first]
    kept = read_edition(place.bucket, MONTH, first)
    assert place.cents(kept.object_key) == FIRST
    info = place.bucket.info(kept.object_key)
    assert info
    assert (info.version, info.size) == (kept.object_version, kept.object_size)
    (revision,) = place.entry().history
    assert (revision.edition_before, revision.edition_after) == (first, second)
    assert (revision.rows_before, revision.rows_after) == (3, 4)
    assert (revision.rows_added, revision.rows_removed, revision.rows_unchanged) == (4, 3, 0)
    assert revision.reason.startswith("size ")

    entry = place.restore(first)
    assert (place.current(), place.cents(), place.warehouse.rows(MONTH)) == (first, FIRST, 3)
    held = place.warehouse.loaded_month(MONTH)
    assert held
    assert held.is_intact(entry.object_sha256, "w")
    assert place.bucket.info(rejects_key(MONTH)) is None
    assert [each.edition_after for each in entry.history] == [second, first]
    assert entry.history[-1].reason == f"edition {first} restored"

    entry = place.restore(second)
    assert (place.cents(), place.warehouse.rows(MONTH), entry.rows_rejected) == (SECOND, 4, 1)
    stored = place.bucket.read(rejects_key(MONTH))
    assert stored
    assert b"not a vendor" in stored.data
    assert entry.rejects_key == rejects_key(MONTH)

    remains = find_remains(MONTH, place.bucket, place.warehouse)
    assert remains.edition_names == sorted([first, second])
    drop_month(remains, place.bucket, place.warehouse)
    assert not find_remains(MONTH, place.bucket, place.warehouse).is_there


def test_editions_that_a_killed_removal_left_are_removed_by_the_next(place: Place) -> None:
    """The entry goes first, the editions last."""
    first = place.publish(FIRST)
    place.publish(SECOND)
    remains = find_remains(MONTH, place.bucket, place.warehouse)
    drop_month(replace(remains, editions=()), place.bucket, place.warehouse)
    left = find_remains(MONTH, place.bucket, place.warehouse)
    assert (left.keys, left.rows, left.edition_names) == ((), 0, [first])
    assert left.is_there
    drop_month(left, place.bucket, place.warehouse)
    assert not find_remains(MONTH, place.bucket, place.warehouse).is_there


def test_rows_are_compared_wherever_they_stand_and_sums_are_kept(place: Place) -> None:
    place.publish(FIRST)
    # Two totals in another order: the first file's third row has moved.
    place.publish([100, 200, 350])
    (revision,) = place.entry().history
    assert (revision.rows_added, revision.rows_removed, revision.rows_unchanged) == (1, 1, 2)
    assert revision.changed_share == 1 / 3
    assert revision.totals_before["total_amount"] == pytest.approx(6.0, abs=1e-9)
    assert revision.totals_after["total_amount"] == pytest.approx(6.5, abs=1e-9)
    assert revision.totals_after["trip_distance"] == pytest.approx(7.5, abs=1e-9)
    assert (revision.columns_added, revision.columns_removed) == ((), ())


def test_the_same_bytes_are_not_a_correction(place: Place) -> None:
    first = place.publish(FIRST)
    entry, version = read_entry(place.bucket, MONTH)
    assert entry
    write_entry(place.bucket, MONTH, replace(entry, source_sha256="0" * 64, source_size=1), version)
    assert bring(place.source, place.bucket) == "loaded"
    assert (place.current(), place.entry().history) == (first, ())
    assert edition_names(place.bucket, MONTH) == []


def test_only_the_last_editions_are_kept(place: Place) -> None:
    first, second = place.publish(FIRST), place.publish(SECOND)
    third = place.publish(THIRD)
    assert edition_names(place.bucket, MONTH) == [second]
    assert [each.edition_before for each in place.entry().history] == [first, second]
    assert [each.edition_after for each in place.entry().history] == [second, third]


def test_editions_stay_although_the_history_is_lost(place: Place) -> None:
    """An entry that was rebuilt from its object has no history."""
    first = place.publish(FIRST)
    place.publish(SECOND)
    place.bucket.upload(place.source, edition_key(MONTH, "0" * 12, "parquet"))  # incomplete
    prune(place.bucket, MONTH, replace(place.entry(), history=()), 1)
    assert edition_names(place.bucket, MONTH) == [first]
    assert find_remains(MONTH, place.bucket, None).edition_names == [first]


@pytest.mark.parametrize("oldest", [0, 1])
def test_without_a_history_the_editions_that_were_written_last_are_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch, oldest: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(replacement, "prune", lambda *_: None)
        first, second, _ = map(place.publish, (FIRST, SECOND, THIRD))
    names = [first, second] if oldest == 0 else [second, first]
    for seconds, name in enumerate(names, 1):
        path = Path(place.bucket.uri(edition_key(MONTH, name, "json")))
        os.utime(path, (seconds, seconds))
    prune(place.bucket, MONTH, replace(place.entry(), history=()), 1)
    assert edition_names(place.bucket, MONTH) == [names[1]]


def test_an_edition_without_its_object_takes_the_place_of_no_other(place: Place) -> None:
    first = place.publish(FIRST)
    place.publish(SECOND)
    without = edition_key(MONTH, "0" * 12, "json")
    place.bucket.upload(place.source, without)
    prune(place.bucket, MONTH, replace(place.entry(), history=()), 1)
    assert edition_names(place.bucket, MONTH) == [first]
    assert place.bucket.info(without) is None


def test_a_damaged_object_is_not_an_edition_and_its_rows_are_not_compared(place: Place) -> None:
    """Ten bytes are flipped, with the size and the time of the file unchanged."""
    place.publish(FIRST)
    assert isinstance(place.bucket, FolderBucket)
    path = place.bucket.folder / OBJECT
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[100:110] = bytes(255 - byte for byte in data[100:110])
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    place.publish(SECOND)
    assert edition_names(place.bucket, MONTH) == []
    (revision,) = place.entry().history
    assert (revision.rows_added, revision.changed_share) == (None, None)
    assert (revision.rows_before, revision.rows_after) == (3, 4)


def test_rows_are_compared_with_the_edition_if_a_killed_run_replaced_the_object(
    place: Place,
) -> None:
    first = place.publish(FIRST)
    keep_edition(place.bucket, MONTH, place.entry())
    place.bucket.delete(OBJECT)
    place.publish(SECOND)
    assert edition_names(place.bucket, MONTH) == [first]
    assert place.entry().history[0].rows_removed == 3


def test_an_older_entry_has_its_sums_from_the_object(place: Place, tmp_path: Path) -> None:
    place.publish(FIRST)
    entry, version = read_entry(place.bucket, MONTH)
    assert entry
    old = replace(entry, columns={})
    write_entry(place.bucket, MONTH, old, version)
    assert published_columns(old) == published_columns(entry)
    assert isinstance(place.bucket, FolderBucket)
    sums = totals_of(old, place.bucket.folder / OBJECT)
    assert sums == totals_of(entry, None)
    with duckdb.connect() as db:
        query = f"SELECT sum(total_amount) FROM '{place.bucket.folder / OBJECT}'"
        assert db.execute(query).fetchone() == (pytest.approx(sums["total_amount"]),)
    place.publish(SECOND)
    assert place.entry().history[0].totals_before == sums


def test_columns_that_the_published_files_have_are_compared() -> None:
    entry = entry_of(MONTH, signatures={"a": "int64", "b": "int64", "*": "0"})
    entry = replace(entry, drift={"missing": ["b"], "kept": ["extra"], "renamed": []})
    assert published_columns(entry) == {"a", "extra"}
    figures = {"a": Figures(1), "extra": Figures(1), "file_month": Figures(1)}
    assert published_columns(replace(entry, columns=figures)) == {"a", "extra"}


# ---- pins


def test_a_pinned_month_is_replaced_by_no_run_but_loaded_where_it_is_missing(
    place: Place, tmp_path: Path
) -> None:
    first = place.publish(FIRST)
    pinned = pin(place.bucket, MONTH)
    assert pin(place.bucket, MONTH) == pinned
    publish(place.source, SECOND)
    for force in (False, True):
        plan = plan_month(MONTH, str(place.source), place.bucket, force)
        assert plan.status is Status.PINNED
        assert not plan.has_work
        assert plan.reason.startswith(f"pinned on {pinned.pinned[:10]}; the publisher may have")
        assert [r.parameter for r in plan.remedies if not isinstance(r, str)] == ["unpin"]
    assert due_in_warehouse(plan, place.warehouse.loaded_month(MONTH), "w").status is Status.PINNED
    assert due_in_warehouse(plan, None, "w").status is Status.NEW
    assert bring(place.source, place.bucket) == "unchanged"
    assert place.current() == first
    unpin(place.bucket, MONTH)
    assert unpin(place.bucket, MONTH).pinned == ""
    assert place.publish(SECOND) != first


def test_what_the_publisher_has_of_a_pinned_month_is_said(place: Place) -> None:
    place.publish(FIRST)
    pin(place.bucket, MONTH)
    source = str(place.source)
    assert plan_month(MONTH, source, place.bucket).reason.endswith(
        "the publisher has the same file"
    )
    place.source.unlink()
    plan = plan_month(MONTH, source, place.bucket)
    assert plan.status is Status.PINNED
    assert "the publisher no longer has it" in plan.reason


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_pinned_month_that_is_lost_fails_and_can_be_restored(
    place: Place, tmp_path: Path, is_gone: bool
) -> None:
    first = place.publish(FIRST)
    place.publish(SECOND)
    place.restore(first)
    day = place.entry().pinned[:10]
    (tmp_path / "other").write_bytes(b"other")
    if is_gone:
        place.bucket.delete(OBJECT)
    else:
        place.bucket.upload(tmp_path / "other", OBJECT)
    said = f"yellow 2021-01: pinned on {day}, and not fetched again: "
    with pytest.raises(StorageError, match=f"{said}.*; restore an edition of it with"):
        plan_month(MONTH, str(place.source), place.bucket)
    unpin(place.bucket, MONTH)
    with pytest.raises(StorageError, match="cannot be pinned"):
        pin(place.bucket, MONTH)
    place.restore(first)
    assert place.cents() == FIRST
    assert len(place.entry().history) == 2


def test_restoring_the_current_edition_pins_it(place: Place) -> None:
    first = place.publish(FIRST)
    keep_edition(place.bucket, MONTH, place.entry())
    entry = place.restore(first)
    assert entry.pinned
    assert entry.history == ()


def test_restoring_the_current_edition_brings_back_its_rejected_rows(place: Place) -> None:
    """A pinned month is not fetched again, whatever of it is lost."""
    first = place.publish(FIRST, bad=1)
    place.publish(SECOND)
    place.restore(first)
    stored = place.bucket.read(rejects_key(MONTH))
    place.bucket.delete(rejects_key(MONTH))
    entry = place.restore(first)
    again = place.bucket.read(rejects_key(MONTH))
    assert stored
    assert again
    assert (again.data, entry.rejects_key) == (stored.data, rejects_key(MONTH))
    assert len(entry.history) == 2


class PinnedMeanwhile(FolderBucket):
    """Another run pins the month while a run that planned to replace it compares the two."""

    is_to_pin = True

    def download(self, key: str, path: Path) -> None:
        """Pin the month once the old object is read."""
        super().download(key, path)
        if key == OBJECT and type(self).is_to_pin:
            type(self).is_to_pin = False
            pin(FolderBucket(self.folder), MONTH)


def test_a_month_that_is_pinned_while_a_run_converts_another_file_stays(place: Place) -> None:
    first = place.publish(FIRST)
    publish(place.source, SECOND)
    assert isinstance(place.bucket, FolderBucket)
    assert bring(place.source, PinnedMeanwhile(place.bucket.folder)) == "unchanged"
    assert (place.current(), place.cents()) == (first, FIRST)
    assert place.entry().pinned
    assert edition_names(place.bucket, MONTH) == []


class PinnedDuringUpload:
    """A bucket in which another run pins the month before this run's upload appears in it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self._is_to_pin = bucket, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def upload(self, path: Path, key: str) -> ObjectInfo:
        """Pin the month once, then upload."""
        if key == OBJECT and self._is_to_pin:
            self._is_to_pin = False
            pin(self._bucket, MONTH)
        return self._bucket.upload(path, key)


@pytest.mark.parametrize("kept_rejects", [0, 1])
@pytest.mark.parametrize("new_rejects", [0, 1])
def test_a_month_that_is_pinned_while_another_object_is_uploaded_is_put_back(
    everywhere: Place, kept_rejects: int, new_rejects: int
) -> None:
    """Its rejected rows too, and it is known by its version, without reading it again."""
    place = everywhere
    first = place.publish(FIRST, kept_rejects)
    rejects = place.bucket.read(rejects_key(MONTH))
    publish(place.source, SECOND, new_rejects)
    racing: Any = PinnedDuringUpload(place.bucket)
    assert bring(place.source, racing) == "unchanged"
    assert (place.current(), place.cents()) == (first, FIRST)
    now = place.bucket.read(rejects_key(MONTH))
    assert (now and now.data) == (rejects and rejects.data)
    entry, info = place.entry(), place.bucket.info(OBJECT)
    assert info
    assert entry.pinned
    assert (entry.object_version, entry.rejects_key is None) == (info.version, not kept_rejects)


def test_a_month_that_is_pinned_during_a_restoration_of_another_edition_is_put_back(
    place: Place,
) -> None:
    first, second = place.publish(FIRST), place.publish(SECOND)
    racing: Any = PinnedDuringUpload(place.bucket)
    with pytest.raises(Conflict, match="was changed by another run"):
        restore(racing, MONTH, first, place.folder, 1)
    assert (place.current(), place.cents()) == (second, SECOND)
    assert plan_month(MONTH, str(place.source), place.bucket).status is Status.PINNED


def test_a_pinned_month_of_which_no_edition_is_kept_is_said_to_be_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is put in the place of the object but the object of the pinned entry itself."""
    place.publish(FIRST)
    publish(place.source, SECOND)
    monkeypatch.setattr(replacement, "keep_edition", lambda *_: None)
    racing: Any = PinnedDuringUpload(place.bucket)
    with pytest.raises(StorageError, match="and not fetched again: the object in the bucket is"):
        bring(place.source, racing)
    assert place.cents() == SECOND


def test_a_month_that_is_pinned_while_another_edition_is_restored_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object of the pinned entry is not overwritten before the conflict is noticed."""
    first = place.publish(FIRST)
    second = place.publish(SECOND)
    monkeypatch.setattr(PinnedMeanwhile, "is_to_pin", True)
    assert isinstance(place.bucket, FolderBucket)
    bucket = PinnedMeanwhile(place.bucket.folder)
    with pytest.raises(Conflict, match="was changed by another run"):
        restore(bucket, MONTH, first, place.folder, 1)
    assert (place.current(), place.cents()) == (second, SECOND)
    assert place.entry().pinned
    assert place.entry().object_sha256.startswith(second)


@pytest.mark.parametrize(("editions", "kept"), [(0, 1), (1, 1), (2, 2)])
def test_a_restoration_keeps_what_it_replaces_and_as_many_as_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch, editions: int, kept: int
) -> None:
    """The restored edition itself is not counted: it is pinned, and stays."""
    with monkeypatch.context() as patched:
        patched.setattr(replacement, "prune", lambda *_: None)
        first, second, third = map(place.publish, (FIRST, SECOND, THIRD))
    assert edition_names(place.bucket, MONTH) == sorted([first, second])
    restore(place.bucket, MONTH, second, place.folder, editions)
    others = [third, first][:kept]
    assert edition_names(place.bucket, MONTH) == sorted([second, *others])


# ---- two at once, and errors


class NotRemoving(FolderBucket):
    """A bucket that fails to remove editions."""

    def delete(self, key: str) -> None:
        """Fail for an edition."""
        if key.startswith("editions/"):
            raise Unavailable(f"{key}: 503")
        super().delete(key)


def test_a_correction_succeeds_although_older_editions_cannot_be_removed(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry would find the month unchanged, and not tell of its correction."""
    first, second = place.publish(FIRST), place.publish(SECOND)
    publish(place.source, THIRD)
    assert isinstance(place.bucket, FolderBucket)
    assert bring(place.source, NotRemoving(place.bucket.folder)) == "loaded"
    assert edition_names(place.bucket, MONTH) == sorted([first, second])
    assert "yellow 2021-01: its older editions stay until the next correction: " in caplog.text
    last = place.publish(FIRST + THIRD)
    assert place.entry().object_sha256.startswith(last)
    assert len(edition_names(place.bucket, MONTH)) == 1


class Overtaken(FolderBucket):
    """Another run acts between this run's reading of the entry and its writing."""

    then: Callable[[], object] | None = None

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Let the other run act, once."""
        then = type(self).then
        if key == ENTRY and then:
            type(self).then = None
            then()
        super().write(key, data, replacing)


def test_of_two_changes_at_once_one_wins_and_the_other_says_so(place: Place) -> None:
    first, second = place.publish(FIRST), place.publish(SECOND)
    assert isinstance(place.bucket, FolderBucket)
    overtaken = Overtaken(place.bucket.folder)

    def other_run() -> None:
        entry, version = read_entry(place.bucket, MONTH)
        assert entry
        write_entry(place.bucket, MONTH, replace(entry, etag=f"{entry.etag}+"), version)

    changes: list[Callable[[], Entry]] = [
        lambda: pin(overtaken, MONTH),
        lambda: unpin(overtaken, MONTH),
        lambda: restore(overtaken, MONTH, first, place.folder, 1),
    ]
    for change in changes:
        Overtaken.then = other_run
        with pytest.raises(Conflict, match="was changed by another run"):
            change()
        change()
    assert place.current() == first
    assert place.entry().pinned
    assert edition_names(place.bucket, MONTH) == sorted([first, second])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0a1", "'0a1' is too short for an edition; write 4 digits or more; kept: 0a1b, 0a1c"),
        ("ffff", "'ffff' matches no edition; kept: 0a1b, 0a1c"),
    ],
)
def test_an_unknown_edition_is_an_error_that_names_those_there_are(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        named_edition(MONTH, text, ["0a1c", "0a1b"])
    assert str(caught.value) == f"yellow 2021-01: {said}"


def test_an_edition_is_named_by_a_unique_start_in_any_case() -> None:
    names = ["0a1b2c3d4e5f", "0a1bffffffff"]
    assert named_edition(MONTH, "0A1B2", names) == names[0]
    with pytest.raises(UsageError, match="'0a1b' matches several editions"):
        named_edition(MONTH, "0a1b", names)
    with pytest.raises(UsageError, match="matches no edition; none is kept"):
        named_edition(MONTH, "0a1b", [])


def test_a_damaged_edition_is_not_restored(place: Place, tmp_path: Path) -> None:
    first, second = place.publish(FIRST), place.publish(SECOND)
    (tmp_path / "other").write_bytes(b"other")
    place.bucket.upload(tmp_path / "other", edition_key(MONTH, first, "parquet"))
    with pytest.raises(StorageError, match=r"yellow 2021-01: .*\.parquet is damaged"):
        place.restore(first)
    assert place.current() == second
    with pytest.raises(StorageError, match="is gone"):
        read_edition(place.bucket, MONTH, second)
    whole = place.bucket.read(edition_key(MONTH, first, "json"))
    assert whole
    for damaged in (b"{}", whole.data.replace(b'"history": []', b'"history": [{}]')):
        place.bucket.delete(edition_key(MONTH, first, "json"))
        place.bucket.write(edition_key(MONTH, first, "json"), damaged, None)
        with pytest.raises(StorageError, match="is not the entry of an edition"):
            read_edition(place.bucket, MONTH, first)


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (b'"history": []', b'"history": [], "later": 1'),
        (b'"count": 3', b'"count": 3, "later": 1'),
    ],
)
def test_an_edition_of_a_newer_version_is_not_to_be_removed(
    place: Place, found: bytes, written: bytes
) -> None:
    first = place.publish(FIRST)
    place.publish(SECOND)
    key = edition_key(MONTH, first, "json")
    stored = place.bucket.read(key)
    assert stored
    assert found in stored.data
    place.bucket.write(key, stored.data.replace(found, written), stored.version)
    with pytest.raises(StorageError, match=r"written by a newer version \(.*'later'") as caught:
        read_edition(place.bucket, MONTH, first)
    assert str(caught.value).endswith("; update this project")


def test_an_edition_whose_object_is_gone_is_not_listed_and_is_kept_again(place: Place) -> None:
    """Somebody removed it; the next correction keeps the same edition again."""
    first, second = place.publish(FIRST), place.publish(SECOND)
    place.restore(first)
    place.bucket.delete(edition_key(MONTH, first, "parquet"))
    assert edition_names(place.bucket, MONTH) == [second]
    unpin(place.bucket, MONTH)
    place.publish(THIRD)
    assert first in edition_names(place.bucket, MONTH)
    assert place.cents(edition_key(MONTH, first, "parquet")) == FIRST
    place.restore(first)
    assert place.cents() == FIRST


def test_an_edition_whose_object_was_truncated_is_kept_again(place: Place) -> None:
    """It was restored before, so that the object that is replaced is the last good copy."""
    first = place.publish(FIRST)
    place.publish(SECOND)
    place.restore(first)
    key = edition_key(MONTH, first, "parquet")
    part = place.folder / "truncated"
    place.bucket.download(key, part)
    part.write_bytes(part.read_bytes()[:-1])
    place.bucket.upload(part, key)
    unpin(place.bucket, MONTH)
    place.publish(THIRD)
    assert place.cents(key) == FIRST
    place.restore(first)
    assert place.cents() == FIRST


def test_the_number_of_editions_is_asked_for_or_declared() -> None:
    assert [editions_to_keep("yellow", asked) for asked in (None, 0, 3)] == [1, 0, 3]
    with pytest.raises(UsageError, match="yellow: keep_editions -1 is below 0"):
        editions_to_keep("yellow", -1)


def test_an_editions_entry_names_its_own_objects(place: Place) -> None:
    first = place.publish(FIRST, bad=1)
    place.publish(SECOND)
    key = edition_key(MONTH, first, "json")
    stored = place.bucket.read(key)
    assert stored
    record: dict[str, Any] = json.loads(stored.data)
    assert record["object_key"] == edition_key(MONTH, first, "parquet")
    assert record["rejects_key"] == edition_key(MONTH, first, "rejects.csv")
    assert (record["history"], record["pinned"]) == ([], "")


def test_an_edition_has_no_history_of_its_own(place: Place) -> None:
    """The history is that of the month; a restored edition continues it."""
    first, second = place.publish(FIRST), place.publish(SECOND)
    place.restore(first)
    assert len(place.entry().history) == 2
    assert read_edition(place.bucket, MONTH, second).history == ()


def test_an_edition_whose_rejects_are_gone_is_kept_without_them(place: Place) -> None:
    first = place.publish(FIRST, bad=1)
    place.bucket.delete(rejects_key(MONTH))
    place.publish(SECOND)
    kept = read_edition(place.bucket, MONTH, first)
    assert (kept.rejects_key, kept.rows_rejected) == (None, 1)
    assert place.cents(kept.object_key) == FIRST


class KeptMeanwhile(FolderBucket):
    """Another run keeps the same edition between this one's copy and its entry."""

    def copy(self, source: str, target: str, version: str) -> ObjectInfo:
        """Copy the object, then keep the edition in the other run."""
        info = super().copy(source, target, version)
        other = FolderBucket(self.folder)
        entry, _ = read_entry(other, MONTH)
        assert entry
        keep_edition(other, MONTH, entry)
        return info


def test_two_runs_that_keep_the_same_edition_leave_one(place: Place) -> None:
    first = place.publish(FIRST)
    assert isinstance(place.bucket, FolderBucket)
    keep_edition(KeptMeanwhile(place.bucket.folder), MONTH, place.entry())
    assert edition_names(place.bucket, MONTH) == [first]
    assert place.cents(read_edition(place.bucket, MONTH, first).object_key) == FIRST
