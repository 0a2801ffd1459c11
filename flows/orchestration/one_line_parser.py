"""A parser for the options of scripts that are not flows."""

from __future__ import annotations

import argparse
from typing import NoReturn

from core.errors import UsageError
from orchestration.output import refuse


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option as flows do: in one line, without the usage, and with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """End the command with the error."""
        refuse(UsageError(message))
