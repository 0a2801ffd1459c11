"""Which files an intent selects, by listing and ledger alone, in a folder, S3 and Cloud Storage."""

from __future__ import annotations

import datetime as dt
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

import row_groups.plan
import row_groups.rewrite
from core.errors import Conflict, StorageError, UsageError
from core.storage.bucket import Bucket, FolderBucket
from core.storage.s3 import S3Store
from fakes.google import Google
from fakes.google.places import open_store
from fakes.parquet_files import groups, publish, touch
from fakes.s3 import S3, block
from monthly.datasets import DATASETS
from row_groups.job import Job, rewrite_object
from row_groups.ledger import entry_key, read_entry
from row_groups.places import Place
from row_groups.plan import Planned, plan_files

PATTERN = "fhvhv_tripdata_*.parquet"
JANUARY, FEBRUARY, MARCH = (f"fhvhv_tripdata_2021-0{n}.parquet" for n in (1, 2, 3))


@dataclass
class Site:
    """A source and a sink, and files to publish in the source."""

    source: Place
    sink: Place
    folder: Path
    rows_per_group: int = 20

    def publish(self, month: int, rows: int = 50) -> None:
        """Put a generated month of 2021 into the source."""
        path = publish(self.folder / "made", month, rows)
        self.source.bucket.upload(path, self.source.key(path.name))

    def plan(self, intent: str = "", days: int = 7, later: float = 0) -> list[Planned]:
        """Return the plan of a run some days later."""
        now = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=later)
        return plan_files(self.source, self.sink, PATTERN, intent, days, now, self.rows_per_group)

    def due(self, intent: str = "", days: int = 7, later: float = 0) -> list[str]:
        """Return the names of the files that it would rewrite."""
        return [f.name for f in self.plan(intent, days, later) if f.due]

    def run(self, intent: str = "") -> None:
        """Rewrite what is due, without Dask."""
        for file in self.plan(intent):
            if file.due:
                # Pickled, as a worker receives it.
                rewrite_object(pickle.loads(pickle.dumps(self.job(file))))

    def job(self, file: Planned) -> Job:
        """Return the job that is sent to a worker."""
        return Job(file, self.source, self.sink, self.rows_per_group)

    def rewritten(self, name: str) -> Path:
        """Return a copy of a file from the sink."""
        path = self.folder / "fetched.parquet"
        self.sink.bucket.download(self.sink.key(name), path)
        return path


@pytest.fixture(params=["folder", "s3", "gcs"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """Return a site in each kind of bucket."""
    bucket: Bucket
    if request.param == "folder":
        bucket = FolderBucket(tmp_path / "bucket")
    elif request.param == "s3":
        s3: S3 = request.getfixturevalue("s3")
        bucket = S3Store.of(block(s3.url, s3.new_bucket("row-groups").name, "zoom"))
    else:
        request.getfixturevalue("google")
        bucket = open_store()
    return Site(Place(bucket, "trip-data"), Place(bucket, "uniform"), tmp_path)


def test_a_new_file_is_due_once(site: Site) -> None:
    """It is rewritten under its own name; then there is nothing to do."""
    site.publish(1)
    site.publish(2)
    assert site.due() == [JANUARY, FEBRUARY]
    site.run()
    assert groups(site.rewritten(JANUARY)) == [20, 20, 10]
    assert [(f.due, f.reason) for f in site.plan()] == [(False, "same size and time")] * 2
    assert site.due("test_subset") == []


def test_a_new_time_is_not_a_change(site: Site) -> None:
    """The same bytes were uploaded again, with a new time and the same size and ETag."""
    site.publish(1)
    site.run()
    before = site.plan()[0].modified
    while site.plan()[0].modified == before:  # S3 records seconds, a folder nanoseconds
        site.publish(1)
    assert [(f.due, f.reason) for f in site.plan()] == [
        (False, "a new time, but the same size and ETag")
    ]


def test_another_content_is_a_change(site: Site) -> None:
    """The newly rewritten file replaces the old one."""
    site.publish(1)
    site.run()
    site.publish(1, 70)
    (found,) = site.plan()
    assert found.due
    assert found.reason.startswith("changed: ")
    site.run()
    assert groups(site.rewritten(JANUARY)) == [20, 20, 20, 10]
    assert site.due() == []


def test_another_content_of_the_same_size_is_a_change(tmp_path: Path) -> None:
    """The checksum decides, because a folder has no ETags."""
    site = Site(
        Place(FolderBucket(tmp_path / "web")), Place(FolderBucket(tmp_path / "out")), tmp_path
    )
    site.publish(1)
    site.run()
    path = Path(site.source.uri(JANUARY))
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes(reversed(data[-20:])))
    assert [f.reason for f in site.plan()] == ["changed: the same size, another ETag"]


def test_an_unchanged_file_that_is_not_what_a_run_asks_for_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only reprocess replaces it, but the report must not pass it off as what was asked for."""
    site.publish(1)
    site.run()
    site.rows_per_group = 30
    newer = SimpleNamespace(schema_version=DATASETS["fhvhv"].schema_version + 1)
    monkeypatch.setattr(row_groups.plan, "declared_dataset", lambda name: newer)
    (file,) = site.plan()
    assert (file.due, file.reason) == (
        False,
        "same size and time, but it has 20 rows per group, not 30, and the types of another "
        "declaration; set intent to reprocess",
    )


def test_an_unchanged_file_whose_declaration_is_gone_fails_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not rewritten, so nothing has to say what its columns are."""
    site.publish(1)
    site.run()
    monkeypatch.setattr(row_groups.rewrite, "DATASETS", {})
    assert [(file.due, file.reason) for file in site.plan()] == [(False, "same size and time")]


def test_a_file_that_changed_long_ago_is_left_alone(site: Site) -> None:
    """The intents for everything and for the first file are exceptions."""
    site.publish(1)
    site.publish(2)
    assert site.due(days=7, later=6.9) == [JANUARY, FEBRUARY]
    assert site.due(days=7, later=7.1) == []
    assert site.plan(later=8)[0].reason.startswith("not changed since ")
    assert site.due("test_subset", later=8) == [JANUARY]
    assert site.due("reprocess", later=8) == [JANUARY, FEBRUARY]


def test_an_old_file_that_is_not_the_rewritten_one_says_so(site: Site) -> None:
    """A copy that keeps its time is older than its change, and an object may be removed."""
    site.publish(1)
    site.run()
    entry = site.plan(later=8)[0].entry
    assert entry
    site.sink.bucket.delete(site.sink.key(JANUARY))
    (file,) = site.plan(later=8)
    assert re.search(r"^not changed .* UTC, but what the sink has is not .*; incr", file.reason)
    site.publish(1, rows=60)
    (file,) = site.plan(later=8)
    size = f"{entry.source_size:,}"
    assert re.search(rf" UTC, but it had {size} bytes when rewritten, .*; in", file.reason)
    assert not file.due


def test_an_old_file_that_was_never_rewritten_says_so(site: Site) -> None:
    """It is not done, whatever its age; a run that failed may be the reason."""
    site.publish(1)
    (file,) = site.plan(later=8)
    assert re.search(r"^not changed since .* UTC, but never rewritten; increase days", file.reason)
    site.run()
    assert site.plan(later=8)[0].reason.endswith(" UTC")
    site.rows_per_group = 30
    (file,) = site.plan(later=8)
    assert (file.due, file.reason.partition(" UTC")[2]) == (
        False,
        ", but it has 20 rows per group, not 30; set intent to reprocess",
    )


def test_any_number_of_days_may_be_given(site: Site) -> None:
    """People write a large one to mean all files."""
    site.publish(1)
    assert site.due(days=10**12, later=900) == [JANUARY]


def test_reprocess_includes_existing_files(site: Site) -> None:
    site.publish(1)
    site.run()
    assert groups(site.rewritten(JANUARY)) == [20, 20, 10]
    site.rows_per_group = 30
    assert site.due() == []
    assert site.due("reprocess") == [JANUARY]
    site.run("reprocess")
    assert groups(site.rewritten(JANUARY)) == [30, 20]


def test_an_object_that_is_gone_or_altered_is_made_again(site: Site) -> None:
    """The ledger does not matter."""
    site.publish(1)
    site.run()
    site.sink.bucket.delete(site.sink.key(JANUARY))
    assert site.due() == [JANUARY]
    assert "is not what its ledger names" in site.plan()[0].reason
    site.run()
    assert site.due() == []
    site.sink.bucket.upload(site.folder / "made" / JANUARY, site.sink.key(JANUARY))
    assert site.due() == [JANUARY]


def test_only_the_files_of_the_pattern_and_of_the_folder_itself_count(site: Site) -> None:
    site.publish(1)
    path = site.folder / "made" / JANUARY
    for name in ("yellow_tripdata_2021-01.parquet", f"deeper/{FEBRUARY}", f"{MARCH}.tmp"):
        site.source.bucket.upload(path, site.source.key(name))
    site.sink.bucket.upload(path, f"trip-data-of-others/{FEBRUARY}")
    assert [f.name for f in site.plan("reprocess")] == [JANUARY]


def test_a_place_without_files_has_none(site: Site) -> None:
    assert site.plan() == []


def test_the_ledger_of_a_folder_hides_from_readers_of_it(tmp_path: Path) -> None:
    """Arrow reads all files of the sink at once, and so does Dask."""
    sink = Place(FolderBucket(tmp_path / "out"))
    site = Site(Place(FolderBucket(tmp_path / "web")), sink, tmp_path)
    site.publish(1)
    site.publish(2)
    site.run()
    assert (tmp_path / "out/_ledger/fhvhv_tripdata_2021-01.json").is_file()
    assert pq.read_table(tmp_path / "out").num_rows == 100


def test_an_invalid_ledger_entry_is_named(site: Site) -> None:
    site.publish(1)
    site.sink.bucket.write(entry_key(site.sink, JANUARY), b"[1]", None)
    with pytest.raises(StorageError, match=r"_ledger/fhvhv_.*\.json is not a ledger entry"):
        site.plan()


def test_an_invalid_parameter_is_refused(site: Site) -> None:
    with pytest.raises(UsageError, match=r"unknown intent 'everything': .*test_subset or"):
        site.plan("everything")
    with pytest.raises(UsageError, match="days -1 is negative"):
        site.plan(days=-1)
    site.sink = Place(site.source.bucket, "trip-data")
    with pytest.raises(UsageError, match=r"source and sink are both .*trip-data/; name another"):
        site.plan()


@pytest.mark.parametrize("way", ["link", "../web"])
def test_a_sink_that_leads_to_the_source_is_refused(tmp_path: Path, way: str) -> None:
    """The rewritten file would replace the only copy of the published one."""
    web = tmp_path / "web"
    web.mkdir()
    (tmp_path / "link").symlink_to(web)
    sink = Place(FolderBucket(tmp_path / "web" / way if ".." in way else tmp_path / way))
    site = Site(Place(FolderBucket(web)), sink, tmp_path)
    with pytest.raises(UsageError, match=r"source and sink are both .*; name another sink"):
        site.plan()


# ---- jobs


def test_a_job_that_is_done_again_changes_nothing(site: Site) -> None:
    """Dask repeats a job if its worker is lost before it answers."""
    site.publish(1)
    job = site.job(site.plan()[0])
    first = rewrite_object(job)
    version = read_entry(site.sink, JANUARY)[1]
    assert rewrite_object(job) == first
    assert read_entry(site.sink, JANUARY)[1] == version


def test_a_source_that_changes_while_it_is_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written for it."""
    site = Site(
        Place(FolderBucket(tmp_path / "web")), Place(FolderBucket(tmp_path / "out")), tmp_path
    )
    site.publish(1)
    job = site.job(site.plan()[0])
    real = FolderBucket.download

    def late(bucket: FolderBucket, key: str, path: Path) -> None:
        real(bucket, key, path)
        site.publish(1, 80)

    monkeypatch.setattr(FolderBucket, "download", late)
    with pytest.raises(Conflict, match="changed while it was read; run again"):
        rewrite_object(job)
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_gone_is_named(site: Site) -> None:
    site.publish(1)
    job = site.job(site.plan()[0])
    site.source.bucket.delete(site.source.key(JANUARY))
    with pytest.raises(StorageError, match="is gone since it was listed"):
        rewrite_object(job)


def test_a_failed_rewrite_leaves_the_old_object_and_no_scratch(site: Site, scratch: Path) -> None:
    site.publish(1)
    site.run()
    before = site.rewritten(JANUARY).read_bytes()
    broken = site.folder / "broken"
    broken.write_bytes(b"<html>")
    site.source.bucket.upload(broken, site.source.key(JANUARY))
    with pytest.raises(Exception, match="is damaged Parquet"):
        site.run()
    assert site.rewritten(JANUARY).read_bytes() == before
    assert {p.suffix for p in scratch.iterdir()} == {".lock"}
    assert site.due() == [JANUARY]


@pytest.mark.parametrize("call", ["upload", "write"])
def test_killed_before_object_or_ledger_it_is_done_by_the_next_run(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill at the upload, or between upload and ledger, leaves the file to be done."""
    site = Site(
        Place(FolderBucket(tmp_path / "web")), Place(FolderBucket(tmp_path / "out")), tmp_path
    )
    site.publish(1)

    def dead(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FolderBucket, call, dead)
        with pytest.raises(KeyboardInterrupt):
            site.run()
    assert (tmp_path / "out" / JANUARY).exists() == (call == "write")
    assert site.due() == [JANUARY]
    site.run()
    assert site.due() == []
    assert groups(site.rewritten(JANUARY)) == [20, 20, 10]


def test_a_folder_made_old_by_hand_is_old(tmp_path: Path) -> None:
    """A file's time is that of its last change."""
    site = Site(
        Place(FolderBucket(tmp_path / "web")), Place(FolderBucket(tmp_path / "out")), tmp_path
    )
    site.publish(1)
    site.publish(2)
    touch(tmp_path / "web" / JANUARY, days_ago=8)
    assert site.due() == [FEBRUARY]


def test_a_bucket_lists_more_objects_than_one_answer_holds(s3: S3, google: Google) -> None:
    """S3 and Google return a thousand at a time."""
    objects = s3.new_bucket("many")
    names = [f"{n:04}" for n in range(1_001)]
    objects.fill([f"zoom/f/{name}" for name in names])
    for name in names:
        google.storage.put("taxi", f"zoom/f/{name}", b"1")
    objects.put("zoom/f/", b"")
    assert [f.name for f in S3Store.of(block(s3.url, "many", "zoom")).files("f")] == names
    assert [f.name for f in open_store().files("f")] == names


def test_the_top_of_a_bucket_is_a_folder_too(s3: S3, google: Google, tmp_path: Path) -> None:
    s3.new_bucket("top").put("a", b"123")
    google.storage.put("taxi", "a", b"123")
    (tmp_path / "a").write_bytes(b"123")
    stores: list[Bucket] = [
        S3Store.of(block(s3.url, "top")),
        open_store(folder=""),
        FolderBucket(tmp_path),
    ]
    for store in stores:
        (found,) = store.files("")
        assert (found.name, found.size) == ("a", 3)
        assert abs(dt.datetime.now(dt.timezone.utc) - found.modified) < dt.timedelta(minutes=1)


@pytest.mark.parametrize("call", ["files", "etag"])
def test_a_bucket_that_is_not_there_is_named(s3: S3, google: Google, call: str) -> None:
    for store in (S3Store.of(block(s3.url, "no-such-bucket")), open_store("no-such-bucket")):
        with pytest.raises(StorageError, match="no-such-bucket"):
            getattr(store, call)("a")
