"""Run flows as commands within this process, without starting another Python."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Said:
    """The end of a command.

    Attributes:
        code: exit code.
        out: its standard output.
        err: its standard error, without the log.
        log: messages of the log, one a line.
    """

    code: int
    out: str
    err: str
    log: str


@dataclass(frozen=True)
class Commands:
    """Runs flows as commands."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture

    def __call__(self, flow: Any, *options: str, **front: Any) -> Said:
        """Run a flow with command-line options; `front` is what its file adds to the parser."""
        from orchestration import cli

        self.caplog.clear()
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["flow.py", *options])
        with pytest.raises(SystemExit) as ended, _formatters_kept():
            cli.run(flow, **front)
        printed = self.capsys.readouterr()
        messages = "\n".join(self.caplog.messages)
        return Said(int(ended.value.code or 0), printed.out, printed.err, messages)


@contextmanager
def _formatters_kept() -> Iterator[None]:
    """Restore the log's formatters and filters, which a command changes."""
    handlers = [*logging.getLogger().handlers, *logging.getLogger("prefect").handlers]
    before = [(handler.formatter, [*handler.filters]) for handler in handlers]
    try:
        yield
    finally:
        for handler, (formatter, filters) in zip(handlers, before):
            handler.setFormatter(formatter)
            handler.filters[:] = filters
