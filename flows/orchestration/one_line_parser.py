"""A parser for the options of scripts that are not flows."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, NoReturn

from core.errors import UsageError
from orchestration.output import refuse


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option as flows do: in one line, without the usage, and with exit code 2."""

    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments, and keep them for an error."""
        self._given = sys.argv[1:] if args is None else [*args]
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """End the command; an unknown option takes precedence, as it may have caused the error."""
        refuse(UsageError(next(self._faults(), message)))

    def _faults(self) -> Iterator[str]:
        """Yield a message for each unknown option, with the option that it resembles."""
        known = [*self._option_string_actions]
        for text in takewhile(lambda text: text != "--", self._given):
            option = text.partition("=")[0]
            short, spelled_out = text[:2], [name for name in known if name.startswith(option)]
            if option[:1] == "-" != option and short not in known and not spelled_out:
                near = difflib.get_close_matches(option, known, 1)
                guess = f"; did you mean {near[0]}?" if near else ""
                yield f"no such option: {option}{guess}"
