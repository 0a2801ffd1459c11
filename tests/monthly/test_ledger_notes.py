"""The ledger entry says whether the report in the bucket is that of the month's object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.storage.bucket import FolderBucket, ObjectInfo, Stored
from fakes.entries import entry_of
from monthly.figures import Figures
from monthly.ledger import Entry, report_key, write_entry
from monthly.ledger_notes import has_report, note_report
from monthly.month import Month

MONTH = Month("yellow", 2021, 1)
#: An entry of this version, and one from before 1.3, which names neither columns nor report.
ENTRY = entry_of(MONTH, columns={"VendorID": Figures(3, 1, 2, 4)})
OLD = entry_of(MONTH)


class Asked(FolderBucket):
    """A bucket that allows nothing but a look at a size."""

    def info(self, key: str) -> ObjectInfo | None:
        """Return the size of the report, the only object that is asked for."""
        assert key == report_key(MONTH)
        return super().info(key)

    def read(self, key: str) -> Stored | None:
        """Fail the test."""
        raise AssertionError(key)


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path)


def draw(bucket: FolderBucket) -> None:
    there = bucket.read(report_key(MONTH))
    bucket.write(report_key(MONTH), b"<p>report</p>", there.version if there else None)


def noted(bucket: FolderBucket, entry: Entry) -> Entry:
    """Return the entry after its report was drawn."""
    write_entry(bucket, MONTH, entry, None)
    draw(bucket)
    note_report(bucket, MONTH, entry)
    return replace(entry, report_key=report_key(MONTH))


def test_a_month_without_a_report_lacks_it(bucket: FolderBucket) -> None:
    assert not has_report(bucket, MONTH, ENTRY)
    assert not has_report(bucket, MONTH, OLD)


def test_a_report_of_the_object_before_does_not_count(bucket: FolderBucket) -> None:
    """A correction writes a new entry, and the old report stays until the new one is drawn."""
    draw(bucket)
    assert not has_report(bucket, MONTH, ENTRY)
    assert has_report(bucket, MONTH, noted(bucket, ENTRY))


def test_a_report_that_was_removed_is_missing(bucket: FolderBucket) -> None:
    entry = noted(bucket, ENTRY)
    bucket.delete(report_key(MONTH))
    assert not has_report(bucket, MONTH, entry)


def test_a_report_of_an_entry_from_before_1_3_counts(bucket: FolderBucket) -> None:
    """Such an entry does not say whether its report was drawn."""
    draw(bucket)
    assert has_report(bucket, MONTH, OLD)


def test_nothing_is_read_to_know(bucket: FolderBucket) -> None:
    entry = noted(bucket, ENTRY)
    assert has_report(Asked(bucket.folder), MONTH, entry)
