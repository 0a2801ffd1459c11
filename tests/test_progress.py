"""A download tells how far it is: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from orchestration import progress
from orchestration.progress import shown_progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still unless the test moves it."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])  # type: ignore[attr-defined]
    return now


def test_the_log_has_a_line_every_few_seconds(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """With megabytes and share; nothing for a download that is quicker."""
    logger = logging.getLogger("download")
    with caplog.at_level(logging.INFO), shown_progress("green 2020-10", logger) as tell:
        tell(1_000_000, 4_000_000)
        clock[0] += progress.LOG_SECONDS
        tell(3_000_000, 4_000_000)
        tell(3_500_000, 4_000_000)
        clock[0] += progress.LOG_SECONDS
        tell(3_600_000, None)
    assert caplog.messages == ["green 2020-10: 3.0 MB (75%)", "green 2020-10: 3.6 MB"]


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the log has nothing."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with shown_progress("green 2020-10", logging.getLogger("download")) as tell:
        tell(1, 2)
        tell(2, 2)
