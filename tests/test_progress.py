"""A download reports its progress: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Task, TaskID

from orchestration import progress
from orchestration.progress import counted_months, shown_progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that stands still unless the test moves it."""
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_the_log_has_a_line_every_few_seconds(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """A line has megabytes and share; a quick download has no line."""
    logger = logging.getLogger("download")
    with caplog.at_level(logging.INFO), shown_progress("green 2020-10", logger) as tell:
        tell(1_000_000, 4_000_000)
        clock[0] += progress.LOG_SECONDS
        tell(3_000_000, 4_000_000)
        tell(3_500_000, 4_000_000)
        clock[0] += progress.LOG_SECONDS
        tell(3_600_000, None)
    assert caplog.messages == ["green 2020-10: 3.0 MB (75%)", "green 2020-10: 3.6 MB"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Yield the stream that a terminal receives."""
    sent = io.StringIO()
    shown = Console(file=sent, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "console", lambda: shown)
    monkeypatch.setattr(progress, "is_terminal", lambda: True)
    progress._screen.cache_clear()
    yield sent
    progress._screen.cache_clear()


def test_a_terminal_has_a_bar_for_each_download(
    terminal: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    """Several downloads share one display, and the log has nothing."""
    log = logging.getLogger("download")
    with (
        caplog.at_level(logging.INFO),
        shown_progress("green 2020-10", log) as tell,
        shown_progress("green 2020-11", log) as tell_other,
    ):
        tell(1_000_000, 2_000_000)
        tell_other(3_000_000, None)
        progress._screen()._live.refresh()
    assert "green 2020-10" in terminal.getvalue()
    assert "1.0/2.0 MB" in terminal.getvalue()
    assert "3.0/? MB" in terminal.getvalue()
    assert not caplog.messages


def test_a_terminal_has_one_line_of_months_beside_the_downloads(terminal: io.StringIO) -> None:
    with counted_months(4) as count, shown_progress("green", logging.getLogger("download")):
        count.add(is_failed=False)
        count.add(is_failed=True)
        progress._screen()._live.refresh()
    assert "2 of 4 done, 1 failed, 2 left" in terminal.getvalue()
    assert not progress._screen()._live.is_started
    assert not progress._screen().months.tasks


def test_a_single_month_has_no_line_of_months(terminal: io.StringIO) -> None:
    with counted_months(1) as count:
        count.add(is_failed=False)
        assert not progress._screen()._live.is_started
    assert terminal.getvalue() == ""


def test_months_are_counted_without_a_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The counts appear in lines of the log."""
    with counted_months(2) as count:
        count.add(is_failed=False)
        assert str(count) == "1 of 2 months"
        count.add(is_failed=True)
        assert str(count) == "2 of 2 months, 1 failed"
    assert capsys.readouterr() == ("", "")


def test_the_rate_is_that_of_the_months_done() -> None:
    """Two of six months in a minute leave two more minutes."""
    task = Task(TaskID(0), "months", 6, 2, _get_time=lambda: 60.0)
    task.start_time = 0.0
    assert progress._Pace().render(task).plain == "2.0 a minute, 0:02:00 remaining"
