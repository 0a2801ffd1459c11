"""Output of a command: text for people on stdout, or with `--json` one JSON object.

This module does not import Prefect, which takes seconds: a usage error should not wait for it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any, NoReturn

from core.errors import TripsError, UsageError
from orchestration.exit_codes import ExitCode
from orchestration.json_log import say
from orchestration.wording import advice_on_command_line, on_command_line

OPTION = "--json"


@dataclass(frozen=True)
class Failure:
    """Why a command failed, worded for the command line.

    Attributes:
        message: the reason and what to do.
        code: the exit code.
        error: name of the class of the error; empty if each month or file has its own.
        remedies: what helps, one sentence each.
        pages: parts of the documentation about it.
    """

    message: str
    code: ExitCode = ExitCode.FAILED
    error: str = ""
    remedies: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: TripsError) -> Failure:
        """Return the failure for an error; a usage error if a parameter caused it."""
        said = on_command_line(error.message, error.remedies)
        remedies = tuple(advice_on_command_line(each) for each in error.remedies)
        if isinstance(error, UsageError):
            return cls(said, ExitCode.USAGE, type(error).__name__, remedies)
        pages = (error.page,) if error.page else ()
        return cls(said, ExitCode.FAILED, type(error).__name__, remedies, pages)

    def tell(self) -> None:
        """Print the reason on stderr, then the pages that help."""
        say(f"Error: {self.message}", logging.ERROR, error=self.error or None)
        for page in self.pages:
            say(f"Help: {page}")


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether a command prints JSON; --help always prints text."""
    return OPTION in arguments and "--help" not in arguments


def refuse(error: UsageError) -> NoReturn:
    """End a command that has not started: one line on stderr, and JSON on stdout if asked for."""
    failure = Failure.of(error)
    failure.tell()
    if wants_json(sys.argv[1:]):
        print_json(None, failure, {})
    sys.exit(failure.code)


def print_json(state: str | None, failure: Failure | None, result: Mapping[str, Any]) -> None:
    """Print how a command ended, and its result, as one JSON object.

    Args:
        state: name of the flow run's state; None if it did not start.
        failure: why the command failed, or None.
        result: what the flow returned, by kind: `months`, `files`.
    """
    record = {
        "exit_code": int(failure.code if failure else ExitCode.DONE),
        "state": state,
        "error": _error(failure) if failure else None,
    }
    print(json.dumps(record | {**result}, indent=2, allow_nan=False), flush=True)


def _error(failure: Failure) -> dict[str, Any]:
    return {
        "class": failure.error or None,
        "message": failure.message,
        "remedies": [*failure.remedies],
        "help": [*failure.pages],
    }


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Redirect everything that this process and its children print to stderr, within the block."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
