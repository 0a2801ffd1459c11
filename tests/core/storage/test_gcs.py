"""A Cloud Storage bucket through Google's own client, over a real socket."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import Conflict, StorageError, Unavailable, UsageError
from core.storage import gcs
from fakes.google import Google
from fakes.google.answers import Fault
from fakes.google.places import open_store
from fakes.parts import check_copies, check_parts
from orchestration.retries import PASSING

MEGABYTE = 1024 * 1024
UPLOAD = "^/upload/storage"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of three different chunks."""
    path = tmp_path / "file"
    path.write_bytes(b"".join(bytes([n]) * MEGABYTE for n in range(18)))
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Google's client give up immediately."""
    monkeypatch.setattr(gcs, "RETRY", gcs.RETRY.with_timeout(0.001))


def chunks(google: Google) -> list[str]:
    return [r.headers["content-range"] for r in google.requests if r.method == "PUT"]


def test_a_file_goes_up_in_chunks_and_comes_down_the_same(
    google: Google, file: Path, tmp_path: Path
) -> None:
    """Chunks have at most 8 MiB; the object is under the block's folder."""
    store = open_store()
    info = store.upload(file, "data/file")
    assert info == store.info("data/file")
    assert info.size == 18 * MEGABYTE
    assert chunks(google) == [
        f"bytes 0-{8 * MEGABYTE - 1}/{18 * MEGABYTE}",
        f"bytes {8 * MEGABYTE}-{16 * MEGABYTE - 1}/{18 * MEGABYTE}",
        f"bytes {16 * MEGABYTE}-{18 * MEGABYTE - 1}/{18 * MEGABYTE}",
    ]
    store.download("data/file", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()
    assert list(google.storage.objects("taxi")) == ["zoom/data/file"]
    assert store.uri("data/file") == "gs://taxi/zoom/data/file"


def test_a_folder_is_a_prefix_with_or_without_its_slash(google: Google) -> None:
    """The folder may be empty or nested; a key cannot leave it."""
    assert open_store(folder="").uri("a/b") == "gs://taxi/a/b"
    assert open_store(folder="x/y/").uri("a/b") == "gs://taxi/x/y/a/b"
    with pytest.raises(UsageError, match=r"'\.\./a' does not stay inside"):
        open_store().uri("../a")


@pytest.mark.parametrize(
    ("folder", "root"),
    [("/taxi", "/taxi/"), ("./taxi", "taxi/"), ("a//b", "a/b/"), ("/", "/"), (".", ""), ("", "")],
)
def test_a_folder_is_listed_under_the_name_that_it_is_written_under(
    google: Google, folder: str, root: str
) -> None:
    """Objects that were written under `/taxi` are found there again."""
    store = open_store(folder=folder)
    store.write("held/green/a.json", b"a", None)
    store.write("b", b"b", None)
    assert sorted(google.storage.objects("taxi")) == [f"{root}b", f"{root}held/green/a.json"]
    assert [each.name for each in store.files("held/green")] == ["a.json"]
    assert [each.name for each in store.files("")] == ["b"]


def test_a_missing_object_is_none(google: Google, tmp_path: Path) -> None:
    """A download names the run that would create it; deleting it is allowed."""
    store = open_store()
    assert store.info("a") is None
    assert store.read("a") is None
    store.delete("a")
    with pytest.raises(StorageError, match=r"gs://taxi/zoom/a is gone; run flows/etl_web_to_gcs"):
        store.download("a", tmp_path / "a")


@pytest.mark.parametrize("call", ["info", "read", "delete", "upload", "write", "download"])
def test_a_bucket_that_does_not_exist_is_named(google: Google, tmp_path: Path, call: str) -> None:
    """Every call names it, even those that tolerate a missing object."""
    path, store = tmp_path / "a", open_store("taxy")
    path.write_bytes(b"a")
    arguments = {"upload": (path, "a"), "write": ("a", b"", None), "download": ("a", path)}
    with pytest.raises(StorageError, match="bucket 'taxy' does not exist") as raised:
        getattr(store, call)(*arguments.get(call, ("a",)))
    assert "correct the block's bucket" in str(raised.value)


def test_a_missing_role_is_named(google: Google) -> None:
    """The request is not retried."""
    google.fail(Fault("GET", "/o/", status=403))
    with pytest.raises(StorageError, match=r"roles/storage\.objectUser") as raised:
        open_store().read("a")
    assert not isinstance(raised.value, PASSING)


def test_a_refused_upload_does_not_show_its_session(google: Google, file: Path) -> None:
    """Anybody who knows its id can continue the upload, without an account."""
    google.fail(Fault("PUT", UPLOAD, status=403))
    with pytest.raises(StorageError, match=r"roles/storage\.objectUser") as raised:
        open_store().upload(file, "a")
    assert "upload_id=***" in str(raised.value)


def test_of_two_writers_one_wins_and_the_other_gets_an_error(google: Google) -> None:
    """This holds for a new entry and for an existing one."""
    one, two = open_store(), open_store()
    one.write("entry", b"first", None)
    with pytest.raises(Conflict, match="entry was changed by another run"):
        two.write("entry", b"second", None)
    seen = one.read("entry")
    assert seen
    two.write("entry", b"third", seen.version)
    with pytest.raises(Conflict):
        one.write("entry", b"fourth", seen.version)
    last = one.read("entry")
    assert last
    assert last.data == b"third"


def test_replacing_what_was_deleted_is_a_conflict(google: Google) -> None:
    """The entry that was read is gone, and nothing is written in its place."""
    store = open_store()
    store.write("entry", b"first", None)
    seen = store.read("entry")
    assert seen
    store.delete("entry")
    with pytest.raises(Conflict, match="entry was changed by another run"):
        store.write("entry", b"second", seen.version)
    assert store.read("entry") is None


def test_of_many_writers_at_once_exactly_one_wins(google: Google) -> None:
    """Eight threads have all read that the object does not exist."""
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        store = open_store()
        start.wait()
        try:
            store.write("entry", str(number).encode(), None)
            outcomes.append(str(number))
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = open_store().read("entry")
    assert stored
    assert sorted(outcomes) == sorted([stored.data.decode(), *["conflict"] * 7])


def test_a_write_whose_answer_got_lost_is_not_a_conflict(google: Google) -> None:
    """Google's client retries the write and finds its own object."""
    fault = google.fail(Fault("POST", UPLOAD, carried_out=True))
    open_store().write("entry", b"mine", None)
    assert fault.reached.is_set()
    stored = open_store().read("entry")
    assert stored
    assert stored.data == b"mine"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", UPLOAD, skip=1, status=503),
        Fault("PUT", UPLOAD, skip=1),
        Fault("PUT", UPLOAD, skip=1, carried_out=True),
        Fault("PUT", UPLOAD, skip=2, carried_out=True),
        Fault("POST", UPLOAD, status=429),
    ],
    ids=["503 inside", "dropped inside", "answer lost inside", "last answer lost", "429"],
)
def test_an_upload_survives_transient_errors(google: Google, file: Path, fault: Fault) -> None:
    """Whichever chunk fails, the object equals the file."""
    google.fail(fault)
    info = open_store().upload(file, "file")
    assert fault.reached.is_set()
    assert info.size == 18 * MEGABYTE
    assert google.storage.file_of("gs://taxi/zoom/file").read_bytes() == file.read_bytes()


# http.client leaves the socket of a dropped connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fault", [Fault("GET", "/o/", status=503), Fault("GET", "/o/")])
def test_an_error_that_outlasts_the_client_is_retried_by_the_flow(
    google: Google, impatient: None, fault: Fault
) -> None:
    """A lasting 503 or dropped connection becomes an error that flows retry."""
    google.fail(fault)
    with pytest.raises(Unavailable, match="gs://taxi/zoom/a: Google does not answer") as raised:
        open_store().read("a")
    assert isinstance(raised.value, PASSING)
    del raised
    gc.collect()


@pytest.mark.parametrize("how", ["in chunks", "in one request", "write"])
def test_a_damaged_upload_is_transient(google: Google, tmp_path: Path, how: str) -> None:
    """Google compares the checksum that the client sends, and keeps no object that differs."""
    path = tmp_path / "file"
    path.write_bytes(b"a" * (18 * MEGABYTE if how == "in chunks" else 100))
    google.storage.corrupts = True
    sent = ("file", path.read_bytes(), None) if how == "write" else (path, "file")
    with pytest.raises(Unavailable, match=r"^gs://taxi/zoom/file was damaged in transit.*; run"):
        getattr(open_store(), how if how == "write" else "upload")(*sent)
    assert open_store().info("file") is None


@pytest.mark.parametrize("how", ["download", "read", "sha256"])
def test_a_damaged_download_is_transient(google: Google, tmp_path: Path, how: str) -> None:
    """The client compares the checksum that Google sends."""
    store = open_store()
    store.write("a", b"sent", None)
    google.storage.file_of("gs://taxi/zoom/a").write_bytes(b"come")
    arguments = (tmp_path / "a",) if how == "download" else ()
    with pytest.raises(Unavailable, match=r"^gs://taxi/zoom/a was damaged in transit.*; run again"):
        getattr(store, how)("a", *arguments)


_MEASURE = """
import resource, sys
from pathlib import Path
import google.auth
from google.cloud.storage import Client
from core.storage.gcs import GcsStore
credentials, project = google.auth.default()
store = GcsStore(Client(project, credentials).bucket("taxi"), "zoom")
store.write("warm", b"up", None)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store.upload(Path(sys.argv[1]), "large")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_an_upload_of_300_mb_takes_at_most_100_mb_of_memory(google: Google, tmp_path: Path) -> None:
    """Memory is measured in a new process, beyond what it used before the upload."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(300_000_000)
    tests = Path(__file__).parents[2]
    paths = f"sys.path[:0] = [{str(tests)!r}, {str(tests.parent / 'flows')!r}]"
    command = [sys.executable, "-W", "ignore", "-c", f"import sys; {paths}{_MEASURE}", str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout.split()[-1]) * unit <= 100_000_000
    assert open_store().info("large") is not None


def test_a_part_is_read_by_itself(google: Google) -> None:
    check_parts(open_store())


def test_requests_are_about_objects_alone(google: Google) -> None:
    """The documented role does not allow reading the bucket's metadata."""
    store = open_store()
    store.write("data/file", b"1", None)
    assert store.info("data/file")
    assert store.info("data/none") is None
    for thread in threading.enumerate():
        if "_background" in thread.name:  # Google's client may send requests from these
            thread.join()
    asked = [r.path for r in google.requests if r.path != "/token"]
    assert len(asked) == 3
    assert all("/b/taxi/o" in path for path in asked), asked


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "in two requests"])
def test_a_copy_is_that_of_the_version_asked_for(google: Google, slowly: bool) -> None:
    """Google copies the object, so no bytes pass through the client."""
    google.storage.rewrites_slowly = slowly
    check_copies(open_store())
    rewrites = [r for r in google.requests if "/rewriteTo/" in r.path]
    assert len(rewrites) == (6 if slowly else 4)
