"""A download that trickles ends as one that broke off."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from core.download import http, pace
from core.download.http import Http
from core.download.partial import PartFile
from core.download.remote_file import RemoteFile
from core.errors import Unreachable
from fakes.web import Page, Web


def each(seconds: float) -> Iterator[float]:
    """Yield the times of a clock that advances by this many seconds with each reading."""
    now = 0.0
    while True:
        yield now
        now += seconds


def fetched(web: Web, part: PartFile, body: bytes) -> bytes:
    url = web.serve("/x", Page(body, etag='"one"'))
    return Http().fetch(RemoteFile("a file", url), part, lambda *_: None).path.read_bytes()


def test_a_download_that_trickles_breaks_off_and_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    part, body = PartFile(tmp_path / "x.part"), b"a" * 1_000_000
    with Web() as web:
        with monkeypatch.context() as slow:
            clock = partial(next, each(301.0))
            slow.setattr(pace, "LEAST_BYTES", len(body))
            slow.setattr(http, "steady", partial(pace.steady, clock=clock))
            with pytest.raises(Unreachable, match=r"broke off after \d+ of 1000000 bytes"):
                fetched(web, part, body)
        assert fetched(web, part, body) == body
        assert web.requests[-1].headers["range"].startswith("bytes=")


def test_the_last_bytes_may_be_late() -> None:
    assert [*pace.steady([b"a"], partial(next, each(301.0)))] == [b"a"]


@pytest.mark.parametrize(
    ("chunk", "seconds"), [(b"a" * 1024, 60.0), (b"a" * 18, 1.0), (b"a", 0.01)]
)
def test_a_slow_download_goes_on(chunk: bytes, seconds: float) -> None:
    chunks = [chunk] * 1_000
    assert [*pace.steady(chunks, partial(next, each(seconds)))] == chunks
