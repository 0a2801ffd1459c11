"""Where months are published, what is known about them, and their download over a real socket."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import monthly
from core.download import fetch as fetching
from core.download import hosts
from core.download import http as web_server
from core.download.checks import FileKind, check_file, kind_of
from core.download.remote_file import Download, RemoteFile, remote_file
from core.errors import (
    BadFile,
    NotPublished,
    SourceError,
    StorageError,
    TripsError,
    Unreachable,
    UsageError,
)
from fakes.web import Fault, Page, Web
from monthly import sources
from monthly.month import Month
from monthly.sources import address, download, look

MONTH = Month("yellow", 2021, 1)
NAME = "yellow_tripdata_2021-01.csv.gz"
CSV = b"VendorID,fare\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(500))
GZ = gzip.compress(CSV, mtime=0)
#: Incompressible, so that 1.5 MB remain to be cut.
LARGE = gzip.compress(random.Random(1).randbytes(750_000).hex().encode(), 1, mtime=0)
PARQUET = b"PAR1" + b"rows" * 9 + b"foot" + (4).to_bytes(4, "little") + b"PAR1"
DATE = "Tue, 05 Jan 2021 10:00:00 GMT"
LATER = "Wed, 06 Jan 2021 10:00:00 GMT"
PAGE = Page(GZ, etag='"one"', last_modified=DATE)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as server:
        yield server


@pytest.fixture
def many_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lift the rate limit that protects publishers."""
    monkeypatch.setenv(hosts.SETTING, "1000")


@pytest.fixture
def real() -> Path:
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("TLC_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"real files are not here: {folder} (set TLC_REAL_DATA)")
    return folder


@pytest.fixture
def disk_full(tmp_path: Path) -> Path:
    """Return a folder whose unfinished download accepts no byte, as on a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / f"{NAME}.part").symlink_to("/dev/full")
    return tmp_path


def limit_silence(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Limit how long a server may be silent; its first answer can take long on a busy machine."""
    monkeypatch.setattr(web_server, "TIMEOUT", httpx.Timeout(10, read=seconds))


def published(url: str) -> RemoteFile[Month]:
    return RemoteFile(MONTH, url, None, None, None)


def fetch(url: str, folder: Path) -> Download[Month]:
    return download(published(url), folder)


def left_in(folder: Path) -> list[str]:
    """Return the names in the folder besides the scratch folder, which has the request slots."""
    return sorted(path.name for path in folder.iterdir() if path.name != "scratch")


def break_off(web: Web, url: str, folder: Path, after: int) -> None:
    """Leave the first `after` bytes of a download in the folder."""
    web.fail(Fault(after=after))
    with pytest.raises(Unreachable):
        fetch(url, folder)


# ---- address


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (
            "dtc",
            "https://github.com/DataTalksClub/nyc-tlc-data/releases/download/"
            "yellow/yellow_tripdata_2021-01.csv.gz",
        ),
        (
            "tlc",
            "https://d37ci6vzurychx.cloudfront.net/trip-data/yellow_tripdata_2021-01.parquet",
        ),
        ("http://h/{dataset}/{year}/{month}.csv", "http://h/yellow/2021/1.csv"),
        ("https://h/{color}_{year_month}.csv?key=1", "https://h/yellow_2021-01.csv?key=1"),
        ("https://h/{year_month:>9}/{month:03}.csv", "https://h/  2021-01/001.csv"),
        ("https://h/to={year_month}-{last_day}", "https://h/to=2021-01-31"),
        ("https://h/all.parquet", "https://h/all.parquet"),
        ("file:///data/{year}.csv", "file:///data/2021.csv"),
        ("/data/my trips/{month:02}.csv", "file:///data/my%20trips/01.csv"),
    ],
)
def test_source_becomes_the_address_of_its_month(source: str, url: str) -> None:
    assert address(source, MONTH) == url


def test_relative_path_is_taken_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert address("{color}.csv", MONTH) == (tmp_path / "yellow.csv").as_uri()


def test_without_a_source_the_first_declared_one_is_taken() -> None:
    assert address("", MONTH) == address("dtc", MONTH)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("dct", "'dct' (did you mean dtc"),
        ("TCL", "did you mean tlc"),
        ("somewhere", "'somewhere'; write dtc, tlc, sample, sample:ROWS"),
        ("sampel:100", "'sampel:100' cannot be read (did you mean sample"),
        ("gs://bucket/{month}.csv", "'gs://bucket/{month}.csv' cannot be read"),
        ("https://h/{colour}.csv", "'colour'; the fields are {color}"),
        ("https://h/{}.csv", "''; the fields are"),
        ("https://h/{year.real}.csv", "'year.real'"),
        ("https://h/{month:{year}}.csv", "'month'"),
        ("https://h/{month.csv", "not a template"),
        ("https://h/{month:zz}.csv", "not a template"),
        ("https://h/{year}/", "not a file address"),
        ("https://h/{year}/..", "not a file address"),
        ("https://h/{year}%2F..", "not a file address"),
        ("https://h/a%00b.csv", "not a file address"),
        ("https:///{year}.csv", "not a file address"),
        ("https://[h/{year}.csv", "not a file address"),
        ("https://h:port/{year}.csv", "not a file address"),
        ("https://h..org/{year}.csv", "not a file address"),
        ("file://data/{year}.csv", "file:///folder/file.csv.gz"),
        ("file:data/{year}.csv", "file:///folder/file.csv.gz"),
        ("sample:many", "'many' is not a number of rows; write sample:1000"),
        (f"sample:{10**20}", f"'{10**20}' is not a number of rows; write sample:1000"),
        ("sample:-1", "'-1'"),
    ],
)
def test_invalid_source_is_named_with_what_to_write(source: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        address(source, MONTH)
    assert str(caught.value).startswith("yellow 2021-01: ")
    assert named in str(caught.value)


# ---- look


@pytest.mark.parametrize("head", [True, False], ids=["HEAD", "no HEAD"])
def test_look_tells_size_etag_and_date_without_the_body(web: Web, head: bool) -> None:
    url = web.serve("/x.csv.gz", Page(GZ, etag='"one"', last_modified=DATE, head=head))
    assert look(url, MONTH) == RemoteFile(MONTH, url, len(GZ), '"one"', DATE)
    asked = [(r.method, r.headers.get("range")) for r in web.requests]
    assert asked == [("HEAD", None)] + ([] if head else [("GET", "bytes=0-0")])


@pytest.mark.parametrize("status", [403, 405, 501])
def test_look_asks_by_get_where_head_is_refused(web: Web, status: int) -> None:
    url = web.serve("/x.csv.gz", Page(GZ, ranges=False))
    web.fail(Fault(Page(b"", status)))
    assert look(url, MONTH).size == len(GZ)


def test_look_by_get_does_not_wait_for_the_body(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_silence(monkeypatch, 10)
    url = web.serve("/x.csv.gz", Page(LARGE, head=False, ranges=False))
    web.fail(Fault())
    web.fail(Fault(after=1, hang=True))
    assert look(url, MONTH).size == len(LARGE)


@pytest.mark.parametrize("head", [True, False], ids=["HEAD", "no HEAD"])
def test_look_knows_an_empty_file_by_its_size(web: Web, head: bool) -> None:
    assert look(web.serve("/x.csv", Page(b"", head=head)), MONTH).size == 0


def test_look_leaves_open_what_the_publisher_does_not_say(web: Web) -> None:
    url = web.serve("/x.csv.gz", Page(GZ, length=False))
    assert look(url, MONTH) == RemoteFile(MONTH, url, None, None, None)


def test_look_follows_a_redirect_and_keeps_the_address_asked_for(web: Web) -> None:
    url = web.redirect("/old.csv.gz", web.serve("/new.csv.gz", PAGE))
    assert look(url, MONTH) == RemoteFile(MONTH, url, len(GZ), '"one"', DATE)


@pytest.mark.parametrize("ask", [look, "download"], ids=["look", "download"])
@pytest.mark.parametrize(
    ("page", "error", "named"),
    [
        (Page(b"", 404), NotPublished, "404 Not Found"),
        (Page(b"", 410), NotPublished, "410 Gone"),
        (Page(b"", 400), SourceError, "400 Bad Request"),
        (Page(b"", 401), SourceError, "401 Unauthorized"),
        (Page(b"<Error><Code>SlowDown</Code>", 403), SourceError, "403 Forbidden"),
        (Page(b"<?xml?><Error><Code>AccessDenied</Code>", 403), NotPublished, "403 Forbidden"),
        (
            Page(b"<html>ERROR", 403, headers={"X-Cache": "Error from cloudfront"}),
            NotPublished,
            "403 Forbidden, as buckets and CDNs do for a file that is not there: it is not pub",
        ),
        (
            Page(b"<html>Request blocked.", 403, headers={"X-Cache": "Error from cloudfront"}),
            SourceError,
            "403 Forbidden; choose a source",
        ),
        (
            Page(b"<html>", 403, headers={"Via": "cloudfront", "WWW-Authenticate": "Basic"}),
            SourceError,
            "403 Forbidden; choose a source",
        ),
        (
            Page(b"<Code>AccessDenied</Code><Message>Request has expired</Message>", 403),
            SourceError,
            "403 Forbidden; choose a source",
        ),
        (
            Page(b"<html>Please log in", 403, headers={"Via": "1.1 cloudfront"}),
            SourceError,
            "403 Forbidden; choose a source",
        ),
        (
            Page(b"<html>error code: 1020", 403, headers={"Server": "cloudflare"}),
            NotPublished,
            "it is not published",
        ),
        (
            Page(b"<html>Just a moment...", 403, headers={"Server": "cloudflare"}),
            SourceError,
            "403 Forbidden; choose a source",
        ),
        (
            Page(b"<Error><Code>ExpiredToken</Code>", 403),
            SourceError,
            "403 Forbidden; choose a source",
        ),
        (Page(b"<html>Forbidden", 403), SourceError, "403 Forbidden; choose a source"),
        (Page(b"{}", 202), Unreachable, "202 Accepted; try again later"),
        (Page(b"", 408), Unreachable, "408 Request Timeout"),
        (Page(b"", 429, headers={"Retry-After": "77"}), Unreachable, "Retry-After: 77"),
        (Page(b"", 429), Unreachable, "Retry-After: not given"),
        (Page(b"", 500), Unreachable, "500 Internal Server Error"),
        (Page(b"", 503, headers={"Retry-After": LATER}), Unreachable, f"Retry-After: {LATER}"),
        (Page(GZ, headers={"Content-Encoding": "br"}), SourceError, "encoded as 'br'"),
    ],
)
def test_answer_other_than_a_file_is_an_error_of_its_kind(
    web: Web,
    tmp_path: Path,
    ask: Callable[[str, Month], object] | str,
    page: Page,
    error: type[TripsError],
    named: str,
) -> None:
    url = web.serve("/x.csv.gz", page)
    with pytest.raises(TripsError) as caught:
        fetch(url, tmp_path) if isinstance(ask, str) else ask(url, MONTH)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"yellow 2021-01: {url} answered ")
    assert named in str(caught.value)
    assert left_in(tmp_path) == []


def test_silent_publisher_is_unreachable(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_silence(monkeypatch, 0.1)
    url = web.serve("/x.csv.gz", GZ)
    web.fail(Fault(hang=True))
    with pytest.raises(Unreachable, match=r"yellow 2021-01: http.*x\.csv\.gz .*ReadTimeout"):
        look(url, MONTH)


def test_refused_connection_is_unreachable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"http://127.0.0.1:{port}/x.csv.gz"
    with pytest.raises(Unreachable, match="ConnectError"):
        look(url, MONTH)
    with pytest.raises(Unreachable, match="ConnectError"):
        fetch(url, tmp_path)


@pytest.mark.parametrize("to", ["/x.csv.gz", "file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_redirect_that_leads_to_no_file_is_not_tried_again(
    web: Web, many_slots: None, to: str
) -> None:
    url = web.redirect("/x.csv.gz", to)
    with pytest.raises(SourceError, match="leads to no file") as caught:
        look(url, MONTH)
    assert not isinstance(caught.value, Unreachable)


def test_messages_keep_passwords_and_signatures_to_themselves(web: Web) -> None:
    url = web.url("/x.csv.gz?signature=hidden").replace("http://", "http://me:secret@")
    with pytest.raises(NotPublished, match=r"/x\.csv\.gz answered") as caught:
        look(url, MONTH)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


# ---- download


def test_download_has_the_bytes_their_sha256_and_what_the_answer_said(
    web: Web, tmp_path: Path
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    got = download(look(url, MONTH), tmp_path / "new" / "folder")
    path = tmp_path / "new" / "folder" / NAME
    sha256 = hashlib.sha256(GZ).hexdigest()
    assert replace(got, seconds=0.0) == Download(MONTH, path, url, len(GZ), sha256, '"one"', DATE)
    assert path.read_bytes() == GZ
    assert left_in(path.parent) == [NAME]


def test_download_records_what_came_when_it_changed_since_the_look(
    web: Web, tmp_path: Path
) -> None:
    seen = look(web.serve(f"/{NAME}", PAGE), MONTH)
    web.serve(f"/{NAME}", Page(LARGE, etag='"two"', last_modified=LATER))
    got = download(seen, tmp_path)
    assert (got.size, got.etag, got.last_modified) == (len(LARGE), '"two"', LATER)
    assert got.sha256 == hashlib.sha256(LARGE).hexdigest()


def test_download_replaces_an_older_one(web: Web, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"older")
    fetch(web.serve(f"/{NAME}", GZ), tmp_path)
    assert (tmp_path / NAME).read_bytes() == GZ


def test_download_follows_a_redirect_and_keeps_the_name_asked_for(web: Web, tmp_path: Path) -> None:
    got = fetch(web.redirect(f"/{NAME}", web.serve("/signed", GZ)), tmp_path)
    assert got.path == tmp_path / NAME
    assert got.path.read_bytes() == GZ


def test_progress_is_reported_a_few_times_a_megabyte_and_at_the_end(
    web: Web, tmp_path: Path
) -> None:
    told: list[tuple[int, int | None]] = []
    url = web.serve(f"/{NAME}", LARGE)
    download(published(url), tmp_path, lambda done, total: told.append((done, total)))
    assert told[-1] == (len(LARGE), len(LARGE))
    assert told == sorted(told)
    assert 2 <= len(told) <= 1 + 4 * len(LARGE) / 1e6


def test_progress_has_no_total_where_the_publisher_gives_none(web: Web, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    url = web.serve(f"/{NAME}", Page(GZ, length=False))
    download(published(url), tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(len(GZ), None)]


def test_compressed_transfer_of_a_csv_is_kept_as_sent_and_known_by_its_content(
    web: Web, tmp_path: Path
) -> None:
    url = web.serve("/x.csv", Page(GZ, headers={"Content-Encoding": "gzip"}))
    got = fetch(url, tmp_path)
    assert web.requests[-1].headers["accept-encoding"] == "identity"
    assert (got.path.read_bytes(), got.size) == (GZ, len(GZ))
    assert kind_of(got.path) == "csv.gz"


# ---- interrupted and resumed


def test_drop_in_the_middle_is_continued_to_the_identical_bytes(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", Page(LARGE, etag='"one"', last_modified=DATE))
    web.fail(Fault(after=400_000))
    with pytest.raises(Unreachable, match=f"after 400000 of {len(LARGE)} bytes"):
        fetch(url, tmp_path)
    assert left_in(tmp_path) == [f"{NAME}.part", f"{NAME}.part.json"]
    got = fetch(url, tmp_path)
    asked = web.requests[-1].headers
    assert (asked["range"], asked["if-range"]) == ("bytes=400000-", '"one"')
    assert got.path.read_bytes() == LARGE
    assert got.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert (got.size, got.etag, got.last_modified) == (len(LARGE), '"one"', DATE)
    assert left_in(tmp_path) == [NAME]


@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(cuts=st.lists(st.integers(0, len(GZ) - 1), min_size=1, max_size=3))
def test_any_cuts_and_attempts_give_the_identical_bytes(
    web: Web, many_slots: None, tmp_path: Path, cuts: list[int]
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    for cut in sorted(cuts):
        there = tmp_path / f"{NAME}.part"
        have = there.stat().st_size if there.exists() else 0
        break_off(web, url, tmp_path, cut - have)
        assert there.read_bytes() == GZ[:cut]
    got = fetch(url, tmp_path)
    assert got.path.read_bytes() == GZ
    assert got.sha256 == hashlib.sha256(GZ).hexdigest()


def test_progress_of_a_continued_download_counts_what_was_there(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    break_off(web, url, tmp_path, 100)
    told: list[tuple[int, int | None]] = []
    download(published(url), tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(len(GZ), len(GZ))]


def test_silence_in_the_middle_is_continued_later(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_silence(monkeypatch, 1)
    url = web.serve(f"/{NAME}", PAGE)
    web.fail(Fault(after=100, hang=True))
    with pytest.raises(Unreachable, match=f"after 100 of {len(GZ)} bytes"):
        fetch(url, tmp_path)
    assert fetch(url, tmp_path).path.read_bytes() == GZ
    assert web.requests[-1].headers["range"] == "bytes=100-"


def test_last_modified_stands_in_for_an_etag(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", Page(GZ, etag='W/"weak"', last_modified=DATE))
    break_off(web, url, tmp_path, 100)
    got = fetch(url, tmp_path)
    assert web.requests[-1].headers["if-range"] == DATE
    assert got.path.read_bytes() == GZ
    assert (got.etag, got.last_modified) == ('W/"weak"', DATE)


OTHER = gzip.compress(CSV[::-1], mtime=0)


@pytest.mark.parametrize(
    ("then", "requests"),
    [
        pytest.param(Page(OTHER, etag='"two"'), 1, id="changed ETag"),
        pytest.param(Page(OTHER, etag='"two"', conditions=False), 2, id="If-Range ignored"),
        pytest.param(Page(OTHER, etag='"one"', ranges=False), 1, id="Range ignored"),
        pytest.param(Page(gzip.compress(b"a,b\n", mtime=0), etag='"one"'), 2, id="416"),
    ],
)
def test_part_that_cannot_be_continued_is_downloaded_afresh(
    web: Web, tmp_path: Path, then: Page, requests: int
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    break_off(web, url, tmp_path, 100)
    web.serve(f"/{NAME}", then)
    got = fetch(url, tmp_path)
    assert got.path.read_bytes() == then.body
    assert (got.size, got.etag) == (len(then.body), then.etag)
    assert got.sha256 == hashlib.sha256(then.body).hexdigest()
    asked = [r.headers.get("range") for r in web.requests[1:]]
    assert asked == ["bytes=100-", None][:requests]


def test_rest_that_begins_elsewhere_is_not_appended(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    break_off(web, url, tmp_path, 100)
    shifted = {"Content-Range": f"bytes 90-{len(GZ) - 1}/{len(GZ)}"}
    web.fail(Fault(Page(GZ[90:], 206, etag='"one"', headers=shifted)))
    assert fetch(url, tmp_path).path.read_bytes() == GZ


def test_rest_that_stops_early_is_continued_once_more(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    break_off(web, url, tmp_path, 100)
    some = {"Content-Range": f"bytes 100-299/{len(GZ)}"}
    web.fail(Fault(Page(GZ[100:300], 206, etag='"one"', headers=some)))
    with pytest.raises(Unreachable, match=f"after 300 of {len(GZ)} bytes"):
        fetch(url, tmp_path)
    assert fetch(url, tmp_path).path.read_bytes() == GZ
    assert web.requests[-1].headers["range"] == "bytes=300-"


def test_part_of_another_address_is_not_continued(web: Web, tmp_path: Path) -> None:
    break_off(web, web.serve(f"/a/{NAME}", PAGE), tmp_path, 100)
    got = fetch(web.serve(f"/b/{NAME}", PAGE), tmp_path)
    assert "range" not in web.requests[-1].headers
    assert got.path.read_bytes() == GZ


@pytest.mark.parametrize("note", ["", "null", '{"url": 1}', "\x00"])
def test_part_with_an_unreadable_note_is_downloaded_afresh(
    web: Web, tmp_path: Path, note: str
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    break_off(web, url, tmp_path, 100)
    (tmp_path / f"{NAME}.part.json").write_text(note)
    assert fetch(url, tmp_path).path.read_bytes() == GZ
    assert "range" not in web.requests[-1].headers


def test_part_without_anything_to_know_its_edition_by_is_downloaded_afresh(
    web: Web, tmp_path: Path
) -> None:
    url = web.serve(f"/{NAME}", GZ)
    break_off(web, url, tmp_path, 100)
    assert fetch(url, tmp_path).path.read_bytes() == GZ
    assert "range" not in web.requests[-1].headers


def test_part_outlives_a_publisher_that_is_down(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    break_off(web, url, tmp_path, 100)
    web.fail(Fault(Page(b"", 503)))
    with pytest.raises(Unreachable, match="503"):
        fetch(url, tmp_path)
    assert fetch(url, tmp_path).path.read_bytes() == GZ
    assert web.requests[-1].headers["range"] == "bytes=100-"


def test_rest_that_nobody_asked_for_is_refused(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", Page(GZ[100:], 206))
    with pytest.raises(SourceError, match="206 Partial Content"):
        fetch(url, tmp_path)


def test_body_longer_than_announced_is_found_by_its_checksum(web: Web, tmp_path: Path) -> None:
    url = web.serve(f"/{NAME}", Page(GZ, headers={"Content-Length": str(len(GZ) - 9)}))
    with pytest.raises(BadFile, match="cut short or damaged"):
        fetch(url, tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("name", "body"), [(NAME, GZ[:-9]), ("x.parquet", PARQUET[:-9])])
def test_file_cut_short_without_a_length_is_bad_and_leaves_nothing(
    web: Web, tmp_path: Path, name: str, body: bytes
) -> None:
    url = web.serve(f"/{name}", Page(body, length=False))
    with pytest.raises(BadFile, match="cut short"):
        fetch(url, tmp_path)
    assert left_in(tmp_path) == []


def test_bad_file_leaves_nothing_so_that_the_next_attempt_starts_over(
    web: Web, tmp_path: Path
) -> None:
    url = web.serve(f"/{NAME}", Page(b"<html>wait</html>", etag='"one"'))
    with pytest.raises(BadFile, match=r"yellow 2021-01: yellow_tripdata_2021-01\.csv\.gz, "):
        fetch(url, tmp_path)
    assert left_in(tmp_path) == []
    web.serve(f"/{NAME}", PAGE)
    assert fetch(url, tmp_path).path.read_bytes() == GZ


# ---- disk


def test_full_disk_is_named_with_its_free_space_and_keeps_no_part(
    web: Web, disk_full: Path
) -> None:
    url = web.serve(f"/{NAME}", PAGE)
    with pytest.raises(StorageError, match=r"No space left.* MB are free there") as caught:
        fetch(url, disk_full)
    assert NAME in str(caught.value)
    assert str(disk_full) in str(caught.value)
    assert left_in(disk_full) == []


def test_full_disk_stops_a_local_copy_too(tmp_path: Path, disk_full: Path) -> None:
    original = tmp_path / "original" / NAME
    original.parent.mkdir()
    original.write_bytes(GZ)
    with pytest.raises(StorageError, match="No space left"):
        fetch(original.as_uri(), disk_full)
    assert left_in(disk_full) == ["original"]


def test_folder_that_cannot_be_made_is_a_storage_error(web: Web, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken"):
        fetch(web.serve(f"/{NAME}", GZ), tmp_path / "taken" / "folder")


# ---- local files


def test_local_file_is_copied_and_left_as_it_was(tmp_path: Path) -> None:
    original = tmp_path / "my files" / NAME
    original.parent.mkdir()
    original.write_bytes(GZ)
    os.utime(original, (1_600_000_000, 1_600_000_000))
    modified = formatdate(1_600_000_000, usegmt=True)
    seen = look(str(tmp_path / "my files" / "{color}_tripdata_{year_month}.csv.gz"), MONTH)
    assert seen == RemoteFile(MONTH, original.as_uri(), len(GZ), None, modified)
    got = download(seen, tmp_path / "scratch")
    sha256 = hashlib.sha256(GZ).hexdigest()
    assert replace(got, seconds=0.0) == Download(
        MONTH, tmp_path / "scratch" / NAME, seen.url, len(GZ), sha256, None, modified
    )
    assert got.path.read_bytes() == original.read_bytes() == GZ
    assert original.stat().st_mtime == 1_600_000_000


def test_a_local_file_corrected_within_a_second_has_another_time(tmp_path: Path) -> None:
    original, seen = tmp_path / NAME, set()
    original.write_bytes(GZ)
    for nanoseconds in (0, 1, 999_999_999):
        os.utime(original, ns=(0, 1_600_000_000_000_000_000 + nanoseconds))
        seen.add(look(original.as_uri(), MONTH).last_modified)
    assert seen == {
        "Sun, 13 Sep 2020 12:26:40 GMT",
        "Sun, 13 Sep 2020 12:26:40.000000001 GMT",
        "Sun, 13 Sep 2020 12:26:40.999999999 GMT",
    }


def test_bad_local_file_is_refused_and_stays_where_it_is(tmp_path: Path) -> None:
    original = tmp_path / NAME
    original.write_bytes(GZ[:-1])
    with pytest.raises(BadFile):
        fetch(original.as_uri(), tmp_path / "scratch")
    assert original.read_bytes() == GZ[:-1]
    assert left_in(tmp_path / "scratch") == []


def test_absent_local_file_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match=r"yellow 2021-01: file:///.*/none\.csv"):
        look(f"{tmp_path}/none.csv", MONTH)


def test_local_folder_in_place_of_a_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Is a directory"):
        look(str(tmp_path), MONTH)


def test_local_file_inside_the_scratch_folder_is_not_touched(tmp_path: Path) -> None:
    original = tmp_path / NAME
    original.write_bytes(GZ)
    with pytest.raises(UsageError, match="choose another folder"):
        fetch(original.as_uri(), tmp_path)
    assert left_in(tmp_path) == [NAME]


# ---- the sample


@pytest.fixture
def stub_sample(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Month, str, int]]:
    written = []

    def write_sample(month: Month, path: Path, rows: int) -> None:
        written.append((month, path.name, rows))
        path.write_bytes(GZ)

    stub = SimpleNamespace(
        default_rows={"yellow": 7}.get, version_of={"yellow": "3"}.get, write_sample=write_sample
    )
    monkeypatch.setitem(sys.modules, "monthly.sample", stub)
    monkeypatch.setattr(monthly, "sample", stub, raising=False)
    return written


@pytest.mark.parametrize(("source", "rows"), [("sample", 7), ("sample:0", 0), ("sample:050", 50)])
def test_sample_is_known_by_its_version_and_rows_before_it_is_written(
    stub_sample: list[tuple[Month, str, int]], source: str, rows: int
) -> None:
    url = f"sample:///yellow_tripdata_2021-01.csv.gz?rows={rows}"
    assert address(source, MONTH) == url
    assert look(source, MONTH) == RemoteFile(MONTH, url, None, f"sample-3-{rows}", None)
    assert stub_sample == []


def test_sample_is_written_at_its_download(
    stub_sample: list[tuple[Month, str, int]], tmp_path: Path
) -> None:
    seen = look("sample:50", MONTH)
    got = download(seen, tmp_path)
    sha256 = hashlib.sha256(GZ).hexdigest()
    assert replace(got, seconds=0.0) == Download(
        MONTH, tmp_path / NAME, seen.url, len(GZ), sha256, "sample-3-50", None
    )
    assert [(month, rows) for month, _, rows in stub_sample] == [(MONTH, 50)]
    assert stub_sample[0][1].endswith(".csv.gz")
    assert left_in(tmp_path) == [NAME]


def test_sample_twice_is_the_same_file(tmp_path: Path) -> None:
    seen = look("sample:200", MONTH)
    first, second = download(seen, tmp_path / "1"), download(seen, tmp_path / "2")
    assert first.sha256 == second.sha256
    assert gzip.decompress(first.path.read_bytes()).count(b"\n") == 201


def test_sources_are_imported_without_numpy_and_pyarrow() -> None:
    """A month without work must not wait for these imports."""
    code = "import sys, monthly.sources; print(sorted({'numpy', 'pyarrow'} & set(sys.modules)))"
    flows = str(Path(sources.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": flows},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "[]\n"


# ---- what a file is


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("x.csv", CSV, "csv"),
        ("x.csv.gz", GZ, "csv.gz"),
        ("x.csv", GZ, "csv.gz"),
        ("x.csv.gz", GZ + GZ, "csv.gz"),
        ("x.parquet", PARQUET, "parquet"),
        ("x.csv", PARQUET, "parquet"),
        ("download", CSV, "csv"),
        ("x.csv", b"\xef\xbb\xbf" + CSV, "csv"),
    ],
)
def test_complete_file_is_known_by_its_content(
    tmp_path: Path, name: str, content: bytes, kind: FileKind
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert check_file(MONTH, path) == kind_of(path) == kind


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("x.csv.gz", b"", "of 0 bytes, is empty"),
        ("x.csv", b" \r\n\n", "is empty"),
        ("x.csv.gz", b"\n\n <!DOCTYPE html><html>", "is a web page"),
        ("x.csv", b"\xef\xbb\xbf<HTML>", "is a web page"),
        ("x.parquet", b"<?xml version='1.0'?><Error><Code>NoSuchKey", "is an XML document"),
        ("x.csv", b"<Error><Code>NoSuchKey</Code></Error>", "is an XML document"),
        ("x.csv.gz", b"version https://git-lfs.github.com/spec/v1\noid", "git-LFS pointer"),
        ("x.csv", b'{"error": "not found"}', "is JSON"),
        ("x.csv", b'\n[{"error": "not found"}]', "is JSON"),
        ("x.csv.gz", CSV, "is not a csv.gz file, as its name says"),
        ("x.csv.gz", PARQUET, "is not a csv.gz file"),
        ("x.parquet", CSV, "is not a parquet file"),
        ("x.PARQUET", GZ, "is not a parquet file"),
        ("x.csv.gz", GZ + b"garbage that follows", "is cut short or damaged: Not a gzipped file"),
        ("x.csv.gz", GZ[:-8] + b"\0\0\0\0" + GZ[-4:], "damaged: CRC check failed"),
        ("x.csv.gz", GZ[:40] + b"\xff" * 40 + GZ[80:], "is cut short or damaged"),
        ("x.csv.gz", gzip.compress(b"<html>", mtime=0), "is gzip, and what it holds is a web page"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "is gzip, and what it holds is empty"),
        ("x.csv.gz", gzip.compress(GZ, mtime=0), "is a csv.gz file compressed once more"),
        ("x.csv.gz", gzip.compress(PARQUET, mtime=0), "is a parquet file compressed once more"),
        ("x.parquet", PARQUET[:-1], "is cut short"),
        ("x.parquet", b"PAR1", "is cut short"),
        ("x.parquet", b"PAR1\0\0\0\0PAR1", "footer cannot have 0 of 12 bytes"),
        ("x.parquet", b"PAR1foot\x05\0\0\0PAR1", "footer cannot have 5 of 16 bytes"),
        ("x.csv", b"PK\x03\x04rest", "is a zip archive that is cut short"),
        ("x.csv", b"\xfd7zXZ\x00rest", "is compressed with xz"),
        ("x.csv", b"\x28\xb5\x2f\xfdrest", "is compressed with zstd"),
        ("x.csv.gz", b"BZh91AY&SYrest", "is compressed with bzip2"),
        ("x.csv", b"%PDF-1.4\n%\xe2\xe3", "is a PDF"),
        ("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a workbook of an old Excel"),
        ("x.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is neither text nor"),
    ],
)
def test_file_that_is_not_what_it_should_be_is_named_with_its_first_bytes(
    tmp_path: Path, name: str, content: bytes, wrong: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadFile) as caught:
        check_file(MONTH, path)
    message = str(caught.value)
    assert message.startswith(f"yellow 2021-01: {name}, ")
    assert wrong in message
    assert not content or repr(content[:40]) in message
    assert ";" in message, "says what to do"


def test_gzip_cut_anywhere_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    passed = []
    for cut in range(len(GZ)):
        path.write_bytes(GZ[:cut])
        try:
            passed.append((cut, check_file(MONTH, path)))
        except BadFile:
            continue
    assert passed == []


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("yellow_tripdata_2021-01.html-not-gzip.csv.gz", "is a web page"),
        ("yellow_tripdata_2021-01.empty.csv.gz", "is empty"),
        ("yellow_tripdata_2021-01.lfs-pointer.csv.gz", "is a git-LFS pointer"),
        ("casedistribution_2020-12-14.truncated.json", "is JSON"),
    ],
)
def test_real_accident_is_refused(
    web: Web, tmp_path: Path, real: Path, name: str, wrong: str
) -> None:
    url = web.serve(f"/{name}", (real / "bad" / name).read_bytes())
    with pytest.raises(BadFile, match=wrong):
        fetch(url, tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tlc/green/green_tripdata_2020-10.csv.gz", "csv.gz"),
        ("tlc/green/green_tripdata_2013-08.csv", "csv"),
        ("tlc/green/green_tripdata_2024-01.parquet", "parquet"),
    ],
)
def test_real_file_passes(real: Path, tmp_path: Path, name: str, kind: FileKind) -> None:
    got = fetch((real / name).as_uri(), tmp_path)
    assert kind_of(got.path) == kind
    assert got.sha256 == hashlib.sha256((real / name).read_bytes()).hexdigest()


def test_a_file_that_is_not_a_month_is_fetched_the_same_way(web: Web, tmp_path: Path) -> None:
    """It is complete and has the publisher's metadata; a refused file is not kept."""
    url = web.serve("/json/", Page(b"{}", etag='"one"'))
    wanted, path = remote_file("covid", url), tmp_path / "new" / "edition.json"
    received = fetching.fetch(wanted, path, lambda part, name: None)
    assert path.read_bytes() == b"{}"
    assert (received.size, received.etag) == (2, '"one"')
    assert received.sha256 == hashlib.sha256(b"{}").hexdigest()
    web.serve("/json/", Page(b"half"))
    with pytest.raises(BadFile, match=r"edition\.json is half"):
        fetching.fetch(wanted, path, _refuse)
    assert path.read_bytes() == b"{}"
    assert list(path.parent.iterdir()) == [path]


def _refuse(part: Path, name: str) -> None:
    raise BadFile(f"{name} is {part.read_text()}")


@pytest.mark.parametrize("address", ["ftp://host/a", "http://", "http:///a", "s3://bucket/key"])
def test_an_address_of_no_file_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=f"covid: '{address}' is not an address of a file"):
        remote_file("covid", address)


def test_a_path_is_an_address_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts at the current folder."""
    monkeypatch.chdir(tmp_path)
    assert remote_file("covid", "a b.json").url == (tmp_path / "a b.json").as_uri()
    assert str(remote_file("covid", "http://u:p@host/a?key=1")) == "covid: http://host/a"
