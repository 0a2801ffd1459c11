"""A folder as a bucket: objects are whole, writes are compared, many processes share it."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from filelock import FileLock

from core.errors import Busy, Conflict, StorageError, UsageError
from core.storage import bucket as buckets
from core.storage.bucket import FolderBucket, ObjectInfo
from core.storage.put import put
from fakes.parts import check_copies, check_parts

FLOWS = Path(buckets.__file__).parents[2]
KEY = "data/green/month.parquet"


class Broken(io.BytesIO):
    """A stream that fails after a few bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return some bytes, then raise an error."""
        if self.tell():
            raise ConnectionError("gone")
        return super().read(3)


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def left_in(bucket: FolderBucket) -> set[str]:
    """Return all files, hidden ones too, except the lock."""
    found = (p for p in bucket.folder.rglob("*") if p.is_file())
    return {p.relative_to(bucket.folder).as_posix() for p in found} - {".lock"}


def python(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start another process that can use this project's buckets."""
    head = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from core.storage.bucket import FolderBucket\n"
        "from core.errors import Conflict\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(FLOWS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


# ---- objects


def test_upload_and_download_give_the_same_bytes(
    bucket: FolderBucket, file: Path, tmp_path: Path
) -> None:
    info = bucket.upload(file, KEY)
    bucket.download(KEY, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"
    assert bucket.info(KEY) == info
    assert info.size == len(b"content")
    assert Path(bucket.uri(KEY)).read_bytes() == b"content"


def test_upload_replaces_and_says_so_by_another_version(bucket: FolderBucket, file: Path) -> None:
    first = bucket.upload(file, KEY)
    file.write_bytes(b"another")
    assert bucket.upload(file, KEY).version != first.version
    assert Path(bucket.uri(KEY)).read_bytes() == b"another"


def test_absent_object_has_no_info_and_no_content(bucket: FolderBucket) -> None:
    assert bucket.info(KEY) is None
    assert bucket.read(KEY) is None


def test_download_of_an_absent_object_names_it_and_the_way_out(
    bucket: FolderBucket, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match=r"month\.parquet is gone; run flows/etl_web_to_gcs"):
        bucket.download(KEY, tmp_path / "copy")


def test_delete_removes_the_object_and_needs_none(bucket: FolderBucket, file: Path) -> None:
    bucket.upload(file, KEY)
    bucket.delete(KEY)
    bucket.delete(KEY)
    assert bucket.info(KEY) is None
    assert left_in(bucket) == set()


def test_stream_that_breaks_leaves_the_old_object_and_nothing_else(
    bucket: FolderBucket, file: Path
) -> None:
    bucket.upload(file, KEY)
    with pytest.raises(ConnectionError):
        bucket.upload_stream(Broken(b"other content"), KEY)
    assert Path(bucket.uri(KEY)).read_bytes() == b"content"
    assert left_in(bucket) == {KEY}


def test_object_is_not_seen_before_it_is_whole(bucket: FolderBucket) -> None:
    seen: list[ObjectInfo | None] = []

    class Watching(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            seen.append(bucket.info(KEY))
            assert bucket.keys("data") == []
            return super().read(size)

    bucket.upload_stream(Watching(b"content"), KEY)
    assert set(seen) == {None}
    assert bucket.keys("data") == [KEY]


def test_an_uploaded_file_is_not_seen_before_it_is_whole(
    bucket: FolderBucket, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, seen = shutil.copyfile, list[ObjectInfo | None]()

    def watched(source: Path, target: Path) -> None:
        copy(source, target)
        seen.append(bucket.info(KEY))

    monkeypatch.setattr(shutil, "copyfile", watched)
    assert bucket.upload(file, KEY) == bucket.info(KEY)
    assert set(seen) == {None}


def test_upload_describes_its_own_file_although_another_run_writes_right_after_it(
    bucket: FolderBucket, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"of another size")

    class ThenOther(FileLock):
        def release(self, force: bool = False) -> None:
            super().release(force)
            monkeypatch.setattr(buckets, "FileLock", FileLock)
            bucket.upload(other, KEY)

    monkeypatch.setattr(buckets, "FileLock", ThenOther)
    info = bucket.upload(file, KEY)
    assert info.size == len(b"content")
    assert bucket.info(KEY) != info


def test_a_bucket_that_is_removed_during_a_write_is_named(
    bucket: FolderBucket, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copyfile(source: Path, target: Path) -> None:
        shutil.rmtree(bucket.folder)
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(StorageError, match=r"cannot keep x in .*that folder is missing"):
        bucket.upload(file, "a/x")
    monkeypatch.undo()
    bucket.upload(file, "a/x")
    assert bucket.keys("a") == ["a/x"]


def test_a_folder_in_place_of_an_object_is_named(
    bucket: FolderBucket, file: Path, tmp_path: Path
) -> None:
    """Spark writes a Parquet file as a folder."""
    place = bucket.folder / "a" / "x"
    place.mkdir(parents=True)
    uses: list[Callable[[], object]] = [
        lambda: bucket.info("a/x"),
        lambda: bucket.read("a/x"),
        lambda: bucket.sha256("a/x"),
        lambda: bucket.read_part("a/x", 0, 1),
        lambda: bucket.download("a/x", tmp_path / "copy"),
        lambda: bucket.upload(file, "a/x"),
        lambda: bucket.write("a/x", b"", None),
    ]
    for use in uses:
        with pytest.raises(StorageError, match=r"a/x.*a folder is where a file must be: move it"):
            use()
    assert [*place.parent.iterdir()] == [place]


def test_keys_are_those_under_a_prefix_without_hidden_files(
    bucket: FolderBucket, file: Path
) -> None:
    for key in ("data/green/b.parquet", "data/green/a.parquet", "data/fhv/c", "ledger/a.json"):
        bucket.upload(file, key)
    (bucket.folder / "data/green/.a.parquet.partial").write_bytes(b"half")
    assert bucket.keys("data/green") == ["data/green/a.parquet", "data/green/b.parquet"]
    assert bucket.keys("data") == ["data/fhv/c", "data/green/a.parquet", "data/green/b.parquet"]
    assert bucket.keys("nothing/here") == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../out", "data/../../out", "data/.."])
def test_key_that_leaves_the_bucket_is_refused(bucket: FolderBucket, file: Path, key: str) -> None:
    for use in (
        lambda: bucket.upload(file, key),
        lambda: bucket.download(key, file),
        lambda: bucket.write(key, b"", None),
        lambda: bucket.read(key),
        lambda: bucket.info(key),
        lambda: bucket.delete(key),
        lambda: bucket.uri(key),
        lambda: bucket.keys(key),
    ):
        with pytest.raises(UsageError, match="does not stay inside the bucket"):
            use()
    assert file.read_bytes() == b"content"
    assert not bucket.folder.exists()


# ---- conditional writes


def test_conditional_write_takes_the_version_that_was_read(bucket: FolderBucket) -> None:
    bucket.write("ledger/a", b"one", None)
    first = bucket.read("ledger/a")
    assert first
    bucket.write("ledger/a", b"two", first.version)
    second = bucket.read("ledger/a")
    assert second
    assert (first.data, second.data) == (b"one", b"two")
    assert first.version != second.version


@pytest.mark.parametrize(
    ("there", "replacing"), [(b"one", None), (b"one", "another"), (None, "another")]
)
def test_conditional_write_of_another_version_is_a_conflict_and_changes_nothing(
    bucket: FolderBucket, there: bytes | None, replacing: str | None
) -> None:
    if there:
        bucket.write("ledger/a", there, None)
    with pytest.raises(Conflict, match="ledger/a was changed by another run; run again"):
        bucket.write("ledger/a", b"two", replacing)
    stored = bucket.read("ledger/a")
    assert (stored.data if stored else None) == there
    assert left_in(bucket) == ({"ledger/a"} if there else set())


def test_a_write_does_not_bring_back_what_is_deleted_meanwhile(
    bucket: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month that is dropped while a run adds to its ledger entry stays dropped."""
    bucket.write("ledger/a", b"1", None)
    stored, persist = bucket.read("ledger/a"), buckets._persist
    assert stored
    begun: list[Future[None]] = []

    def persist_while_deleted(path: Path) -> None:
        begun.append(thread.submit(bucket.delete, "ledger/a"))
        wait(begun, timeout=0.2)  # it waits for the write; without a lock it is done at once
        persist(path)

    monkeypatch.setattr(buckets, "_persist", persist_while_deleted)
    with ThreadPoolExecutor(1) as thread:
        bucket.write("ledger/a", b"2", stored.version)
        begun[0].result()
    assert bucket.read("ledger/a") is None


def test_of_many_processes_exactly_one_wins_each_round(bucket: FolderBucket) -> None:
    """Four processes read an object, wait for a signal, and replace the version that they read."""
    code = (
        "bucket, me = FolderBucket(Path(sys.argv[1])), sys.argv[2]\n"
        "for line in sys.stdin:\n"
        "    stored = bucket.read('ledger/a')\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    try:\n"
        "        bucket.write('ledger/a', (line + me).encode(), stored and stored.version)\n"
        "        print('won', flush=True)\n"
        "    except Conflict:\n"
        "        print('lost', flush=True)\n"
    )
    crowd = [python(code, bucket.folder, number) for number in range(4)]
    for turn in range(12):
        assert told(crowd, f"{turn}") == ["ready"] * 4
        said = told(crowd, "go")
        assert sorted(said) == ["lost", "lost", "lost", "won"]
        stored = bucket.read("ledger/a")
        assert stored
        assert stored.data.decode() == f"{turn}\n{said.index('won')}"
    for process in crowd:
        process.communicate()


def told(crowd: list[subprocess.Popen[bytes]], line: str) -> list[str]:
    """Send a line to all processes; return what each answers."""
    for process in crowd:
        assert process.stdin
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
    return [p.stdout.readline().decode().strip() for p in crowd if p.stdout]


# ---- other runs


def test_writer_that_waits_too_long_gets_an_error_that_the_bucket_is_busy(
    bucket: FolderBucket, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload(file, KEY)
    monkeypatch.setattr(buckets, "LOCK_SECONDS", 0.01)
    holder = python(
        "from filelock import FileLock\n"
        "with FileLock(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n",
        bucket.folder / ".lock",
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(Busy, match=r"month\.parquet has been locked by another run for 0\.01 s"):
        bucket.write(KEY, b"other", None)
    assert Path(bucket.uri(KEY)).read_bytes() == b"content"
    holder.communicate()
    bucket.upload(file, KEY)


def test_leftovers_of_a_killed_writer_are_not_an_object_and_the_next_write_removes_them(
    bucket: FolderBucket, file: Path
) -> None:
    killed = python(
        "class Deadly:\n"
        "    def read(self, size):\n"
        "        if hasattr(self, 'begun'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        self.begun = True\n"
        "        return b'x' * (1 << 20)\n"
        "FolderBucket(Path(sys.argv[1])).upload_stream(Deadly(), sys.argv[2])\n",
        bucket.folder,
        KEY,
    )
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert bucket.info(KEY) is None
    assert bucket.keys("data") == []
    (left,) = left_in(bucket)
    assert (bucket.folder / left).stat().st_size > 0
    bucket.upload(file, KEY)
    assert left_in(bucket) == {KEY}
    assert Path(bucket.uri(KEY)).read_bytes() == b"content"


def test_refusal_of_the_disk_names_the_file_and_the_free_space(
    bucket: FolderBucket, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload(file, KEY)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    said = r"cannot keep month\.parquet in .*data/green: .*No space left.* MB are free there"
    with pytest.raises(StorageError, match=said):
        bucket.upload(file, KEY)
    assert left_in(bucket) == {KEY}
    assert Path(bucket.uri(KEY)).read_bytes() == b"content"


def test_a_part_is_read_by_itself(bucket: FolderBucket) -> None:
    check_parts(bucket)


def test_an_object_that_exists_is_not_put_again(bucket: FolderBucket) -> None:
    """Equal content is skipped; different content replaces the object."""
    assert put(bucket, b"one", KEY)
    before = bucket.info(KEY)
    assert not put(bucket, b"one", KEY)
    assert bucket.info(KEY) == before
    assert put(bucket, b"two", KEY)
    found = bucket.read(KEY)
    assert found is not None
    assert found.data == b"two"


def test_a_copy_is_that_of_the_version_asked_for(bucket: FolderBucket) -> None:
    check_copies(bucket)
    assert left_in(bucket) == {"editions/month/one.parquet"}
