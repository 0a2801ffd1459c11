"""Requests to a web server: their User-Agent, their limits, and conditional requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.download import hosts
from core.download.http import VERSION, Http, refuse_wrong_settings, user_agent
from core.download.partial import PartFile, Validators
from core.download.remote_file import RemoteFile
from core.errors import SourceError, Unreachable, UsageError
from fakes.web import Fault, Page, Web

ROOT = Path(__file__).parents[3]
KNOWN: dict[str, Any] = {
    "size": 3,
    "etag": '"one"',
    "last_modified": "Tue, 05 Jan 2021 10:00:00 GMT",
}


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as server:
        yield server


def agents(web: Web) -> set[str]:
    return {request.headers["user-agent"] for request in web.requests}


def test_requests_name_the_project_its_version_and_its_address(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_CONTACT", "https://example.org/taxi")
    wanted = RemoteFile("a file", web.serve("/x", b"abc"))
    Http().look(wanted)
    Http().fetch(wanted, PartFile(tmp_path / "x.part"), lambda done, total: None)
    assert agents(web) == {f"nyc-taxi-flows/{VERSION} (+https://example.org/taxi)"}


def test_requests_without_an_address_name_the_project(web: Web) -> None:
    Http().look(RemoteFile("a file", web.serve("/x", b"abc")))
    assert agents(web) == {f"nyc-taxi-flows/{VERSION}"}


@pytest.mark.parametrize(
    "contact", ["José <jose@example.org>", "me@josé.org", "a\nX-Other: b", "the taxi team", "me@x"]
)
def test_a_contact_that_is_not_an_address_is_refused(
    contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before the first request and by it; another try would not help."""
    monkeypatch.setenv("TRIPS_CONTACT", contact)
    for ask in (refuse_wrong_settings, partial(Http().look, RemoteFile("a file", "https://h/f"))):
        with pytest.raises(UsageError, match=r"TRIPS_CONTACT .* web or e-mail address in ASCII"):
            ask()


@pytest.mark.parametrize("contact", ["", "me@example.org", "http://intranet/taxi"])
def test_a_contact_is_optional_and_may_be_an_e_mail_address(
    contact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_CONTACT", contact)
    refuse_wrong_settings()
    assert contact in user_agent()


def test_a_wrong_limit_of_requests_is_refused_before_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIPS_HOST_REQUESTS", "many")
    with pytest.raises(UsageError, match="TRIPS_HOST_REQUESTS 'many'"):
        refuse_wrong_settings()


def test_a_partial_download_on_the_disk_has_no_secret_of_its_address(
    web: Web, tmp_path: Path
) -> None:
    """It still resumes if the address is the same."""
    url = web.serve("/x?sig=s1gned", Page(b"abcdef", etag='"one"')).replace("//", "//me:pa55w@")
    part = PartFile(tmp_path / "x.part")
    part.begin(Validators(url, '"one"', None))
    with part.path.open("ab") as file:
        file.write(b"abc")
    noted = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [secret for secret in (b"s1gned", b"pa55w") if secret in noted]
    assert part.begun(url.replace("s1gned", "another")) is None
    found = Http().fetch(RemoteFile("a file", url), part, lambda done, total: None)
    assert (found.url, found.path.read_bytes()) == (url, b"abcdef")
    assert web.requests[-1].headers["range"] == "bytes=3-"


def test_an_etag_that_is_not_ascii_is_not_sent_back(web: Web) -> None:
    """A response's headers are read as Latin-1; those of a request must be ASCII."""
    url = web.serve("/x", b"abc")
    assert Http().look(RemoteFile("a file", url, **KNOWN | {"etag": '"é"'})).size == 3
    assert "if-none-match" not in web.requests[-1].headers
    assert Validators(url, '"é"', KNOWN["last_modified"]).validator == KNOWN["last_modified"]


def test_the_version_is_the_latest_release() -> None:
    released = re.findall(r"^## (\d[\d.]*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == VERSION


def test_each_request_of_a_redirect_takes_a_turn_at_its_own_host(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = hosts.request_slot

    def noted(host: str) -> object:
        asked.append(host)
        return real(host)

    monkeypatch.setattr("core.download.http.request_slot", noted)
    there = web.serve("/there", b"abc").replace("127.0.0.1", "localhost")
    found = Http().look(RemoteFile("a file", web.redirect("/here", there)))
    assert found.size == 3
    assert asked == ["127.0.0.1", "localhost"]


@pytest.mark.parametrize("host", ["a..b", "..", ".", "a" * 64, "xn--a"])
def test_a_redirect_to_an_impossible_host_leads_nowhere(
    host: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request would end in a traceback, and its slot be a file outside their folder."""
    monkeypatch.setenv("TRIPS_SCRATCH", str(tmp_path))
    with pytest.raises(SourceError, match=r"/here leads to no file: "):
        Http().look(RemoteFile("a file", web.redirect("/here", f"http://{host}/there")))
    (folder,) = tmp_path.iterdir()
    assert [each.name for each in folder.iterdir()] == ["127.0.0.1"]


def test_a_failure_while_the_body_arrives_is_not_taken_for_a_redirect(
    web: Web, tmp_path: Path
) -> None:
    def fail(done: int, total: int | None) -> None:
        raise UnicodeError("of our own")

    wanted = RemoteFile("a file", web.serve("/x", b"abc"))
    with pytest.raises(UnicodeError, match="of our own"):
        Http().fetch(wanted, PartFile(tmp_path / "x.part"), fail)


@pytest.mark.parametrize("there", ["", "?file=1"])
def test_a_redirect_to_a_host_without_a_path_is_followed(there: str, web: Web) -> None:
    url = web.serve(f"/{there}", b"abc")
    moved = web.redirect("/here", url.replace("/?", "?").removesuffix("/"))
    assert Http().look(RemoteFile("a file", moved)).size == 3


def test_a_redirect_that_is_refused_does_not_show_its_query(web: Web) -> None:
    """It may have the secret of the address that redirects."""
    moved = web.redirect("/here", "http://a..b/there?page=v4lue")
    with pytest.raises(SourceError, match=r"impossible host 'a\.\.b'") as raised:
        Http().look(RemoteFile("a file", moved))
    assert "v4lue" not in str(raised.value)


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(web: Web) -> None:
    url = web.serve("/x", Page(b"", 503, headers={"Retry-After": "30"}))
    with pytest.raises(Unreachable, match=r"503 .*try again later \(Retry-After: 30\)"):
        Http().look(RemoteFile("a file", url))
    assert 29 < hosts._pause(hosts._folder("127.0.0.1")) <= 30


def test_a_file_that_is_the_same_is_answered_without_its_description(web: Web) -> None:
    page = Page(b"abc", etag='"one"')
    known = RemoteFile("a file", web.serve("/x", page), **KNOWN)
    assert Http().look(known) == known
    assert [(r.method, r.headers["if-none-match"]) for r in web.requests] == [("HEAD", '"one"')]


def test_a_file_that_has_changed_is_described_as_it_is_now(web: Web) -> None:
    page = Page(b"abcd", etag='"two"')
    known = RemoteFile("a file", web.serve("/x", page), **KNOWN)
    found = Http().look(known)
    assert (found.size, found.etag, found.last_modified) == (4, '"two"', None)


@pytest.mark.parametrize("status", [403, 404, 405, 501])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_only_a_get_finds_is_published(web: Web, status: int, ranges: bool) -> None:
    page = Page(b"abc", etag='"one"', head=False, no_head=status, ranges=ranges)
    found = Http().look(RemoteFile("a file", web.serve("/x", page)))
    assert (found.size, found.etag) == (3, '"one"')


def test_a_length_of_0_in_answer_to_head_is_not_believed(web: Web) -> None:
    """Some services send it for any file, which then seems to have changed in each plan."""
    url = web.serve("/x", b"abc")
    web.fail(Fault(Page(b"")))
    assert Http().look(RemoteFile("a file", url)).size == 3
    assert [request.method for request in web.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("takes", [True, False])
def test_where_head_is_refused_the_request_for_one_byte_is_conditional(
    web: Web, takes: bool
) -> None:
    page = Page(b"abc", etag='"one"', head=False, conditions=takes)
    known = RemoteFile("a file", web.serve("/x", page), **KNOWN)
    found = Http().look(known)
    assert (found.size, found.etag) == (3, '"one"')
    assert found.last_modified == (KNOWN["last_modified"] if takes else None)
    assert web.requests[-1].headers["if-none-match"] == '"one"'


def test_a_file_of_unknown_etag_is_not_asked_for_by_its_time(web: Web) -> None:
    """The server would answer that an older file in its place is unchanged."""
    known = RemoteFile("a file", web.serve("/x", b"abc"), **KNOWN | {"etag": None})
    Http().look(known)
    assert not {"if-none-match", "if-modified-since"} & web.requests[0].headers.keys()


def test_not_modified_in_answer_to_an_unconditional_request_is_refused(web: Web) -> None:
    wanted = RemoteFile("a file", web.serve("/x", Page(b"", 304)))
    with pytest.raises(SourceError, match="304 Not Modified"):
        Http().look(wanted)
