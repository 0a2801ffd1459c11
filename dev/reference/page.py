"""Assemble the page, and write its sections on commands and exit codes."""

from __future__ import annotations

import re
from pathlib import Path

from orchestration.exit_codes import ExitCode
from reference import blocks, deployments, flows
from reference.markdown import code, table

PROJECT = Path(__file__).absolute().parents[2]
FILE = PROJECT / "docs" / "reference.md"

_INTRODUCTION = """\
# Reference

Look up parameters, deployments, blocks, variables, commands and exit codes. `make reference`
generates this page from the code. In a terminal, a command describes its own parameters:

    .venv/bin/python flows/etl_web_to_gcs.py --help
"""
_EXIT_CODES = """\
Of every command in `flows/`, `blocks/` and `deployments/`. `make` itself exits with 2 if the
command that it runs fails, whatever that command's code.
"""
#: Makefile targets that people do not run themselves.
_INTERNAL = {"python-version"}


def page() -> str:
    """Return docs/reference.md."""
    sections = {
        "Flows": flows.section(),
        "Deployments": deployments.section(),
        "Blocks": blocks.section(),
        "Variables": blocks.variables(),
        "Commands": _commands((PROJECT / "Makefile").read_text()),
        "Exit codes": _exit_codes(),
    }
    return "\n".join([_INTRODUCTION, *(f"## {name}\n\n{text}" for name, text in sections.items())])


def _commands(makefile: str) -> str:
    """Describe the targets by the comments at the top of the Makefile.

    Raises:
        KeyError: a target has no comment.
    """
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    about = dict(re.findall(r"^# make ([\w-]+) +(.*)$", makefile, re.MULTILINE))
    targets = [name for name in phony.split() if name not in _INTERNAL]
    return table(("command", "what it does"), [(code(f"make {t}"), about[t]) for t in targets])


def _exit_codes() -> str:
    rows = [(str(found.value), found.meaning) for found in ExitCode]
    return f"{_EXIT_CODES}\n{table(('code', 'meaning'), rows)}"
