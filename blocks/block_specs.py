"""Save blocks from settings, or check that what they connect to answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from settings import ENV_FILE, SettingError, Settings

import httpx
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL

from core.errors import UsageError
from orchestration.prefect_server import refuse_silent_server

#: Blocks by name. Each is saved before the next one is made, so that the next can refer to it.
Blocks = Iterator[tuple[str, Block]]


@dataclass(frozen=True)
class BlockSpec:
    """How the blocks of one script are made.

    Attributes:
        needs: variables without which there is nothing to make.
        blocks: makes them from the settings.
        checks: by name of a block, what connects with it and says in a few words what answered;
            any error it raises is the reason why nothing did.
        after: what follows when the last block is saved, told the id of its document.
    """

    needs: tuple[str, ...]
    blocks: Callable[[Settings], Blocks]
    checks: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    after: Callable[[UUID], str] | None = None

    def missing(self, settings: Settings) -> list[str]:
        """The needed variables that have no value."""
        return [name for name in self.needs if not settings.get(name)]


def main(specs: Sequence[BlockSpec], arguments: Sequence[str] | None = None) -> int:
    """The command of a script, which makes all its blocks or says what they lack.

    Returns:
        The exit code: 1 if a block could not be made, or with --check did not connect.
    """
    options = _options(arguments)
    settings = Settings.read(options.env)
    if not options.check and not server_answers():
        return 2
    if options.check:
        went_well = [line for spec in specs for line in _checked(spec, settings)]
    else:
        went_well = [_saved(spec, settings) for spec in specs]  # one says nothing of others
    return 0 if all(went_well) else 1


def main_of_all(specs: Sequence[BlockSpec], arguments: Sequence[str] | None = None) -> int:
    """As `main`, but what lacks its variables is named and left out."""
    settings = Settings.read(_options(arguments).env)
    for spec in specs:
        if missing := spec.missing(settings):
            print(f"left out, not set: {', '.join(missing)}")
    return main([spec for spec in specs if not spec.missing(settings)], arguments)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Save blocks with the values of a .env file.")
    parser.add_argument("--check", action="store_true", help="connect, and save nothing")
    parser.add_argument("--env", type=Path, default=ENV_FILE, help="the file; %(default)s")
    return parser.parse_args(arguments)


def _saved(spec: BlockSpec, settings: Settings) -> bool:
    document: UUID | None = None
    try:
        for name, block in _made(spec, settings):
            document = cast(UUID, block.save(name, overwrite=True))  # no coroutine outside flows
            print(f"saved {_reference(name, block)}")
        if spec.after and document:
            print(spec.after(document))
    except SettingError as error:
        print(f"Error: {_line(settings, error)}", file=sys.stderr)
        return False
    except httpx.HTTPError as error:
        print(f"Error: {no_answer(_line(settings, error))}", file=sys.stderr)
        return False
    return True


def _checked(spec: BlockSpec, settings: Settings) -> Iterator[bool]:
    try:
        for name, block in _made(spec, settings):
            yield _answers(_reference(name, block), spec.checks[name], block, settings)
    except SettingError as error:
        print(f"no: {_line(settings, error)}")
        yield False


def _answers(reference: str, check: Callable[[Any], str], block: Block, settings: Settings) -> bool:
    try:
        said = check(block)
    except Exception as error:  # whatever a client raises is the reason that is asked for
        print(f"no  {reference}: {_line(settings, error)}")
        return False
    print(f"ok  {reference}: {settings.hidden(said)}")
    return True


def _made(spec: BlockSpec, settings: Settings) -> Blocks:
    """The blocks of a spec.

    Raises:
        SettingError: a variable is missing, or the block does not take its value.
    """
    if missing := spec.missing(settings):
        raise settings.wrong(" and ".join(missing), "must have a value")
    try:
        yield from spec.blocks(settings)
    except ValueError as error:  # pydantic's, and those of the clients' own parsers
        names = " or ".join(spec.needs)
        raise settings.wrong(names, f"cannot be used: {_line(settings, error)}") from error


def server_answers() -> bool:
    """Tell whether Prefect's server answers, or none is needed; an error line says why not."""
    try:
        refuse_silent_server()
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return False
    return True


def no_answer(said: str) -> str:
    """What to do when Prefect's server says nothing, or something that was not expected."""
    server = PREFECT_API_URL.value() or "no PREFECT_API_URL"
    return (
        f"{server}: {said}; start Prefect's server there, or export the PREFECT_API_URL of one "
        "that runs"
    )


def _reference(name: str, block: Any) -> str:
    return f"{block.get_block_type_slug()}/{name}"


def _line(settings: Settings, error: Exception) -> str:
    """An error in one line without what is secret."""
    return " ".join(settings.hidden(str(error) or type(error).__name__).split())
