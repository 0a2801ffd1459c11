"""Specs of blocks, and the command that saves them or checks their connections."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from settings import SettingError, Settings, add_env_option

import httpx
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL

from core.errors import TripsError, UsageError
from orchestration.embedded_api import tune_embedded_api
from orchestration.exit_codes import ExitCode
from orchestration.one_line_parser import OneLineParser
from orchestration.prefect_server import refuse_silent_server

#: Named blocks. Each is saved before the next is made, so that the next can refer to it.
Blocks = Iterator[tuple[str, Block]]


@dataclass(frozen=True)
class BlockSpec:
    """The recipe for the blocks of one script.

    Attributes:
        needs: required variables; without them there is nothing to make. NAME in one stands for
            any name.
        blocks: makes the blocks from the settings.
        checks: for each block that `blocks` can make, by type and name, a function that connects
            with the block and describes in a few words what answered; any error it raises is the
            reason for the failure. TYPE/NAME is for all blocks of a type.
        after: called with the document id of the last block once that is saved.
    """

    needs: tuple[str, ...]
    blocks: Callable[[Settings], Blocks]
    checks: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    after: Callable[[UUID], str] | None = None

    def missing(self, settings: Settings) -> list[str]:
        """Return the required variables that have no value."""
        return [name for name in self.needs if not settings.has(name)]

    def check_of(self, reference: str) -> Callable[[Any], str]:
        """Return the function that connects with a block."""
        every = f"{reference.partition('/')[0]}/NAME"
        return self.checks.get(reference) or self.checks[every]


def main(specs: Sequence[BlockSpec], arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the command of a script: save all its blocks, or report what they lack.

    Returns:
        FAILED if a block could not be made, or did not connect with --check; USAGE if Prefect's
        server does not answer.
    """
    options = _options(arguments)
    settings = Settings.read(options.env)
    if not options.check and not server_answers():
        return ExitCode.USAGE
    if options.check:
        went_well = [line for spec in specs for line in _checked(spec, settings)]
    else:
        went_well = [_saved(spec, settings) for spec in specs]  # saves all, whatever fails
    return ExitCode.DONE if all(went_well) else ExitCode.FAILED


def main_of_all(specs: Sequence[BlockSpec], arguments: Sequence[str] | None = None) -> ExitCode:
    """Run `main` for the specs whose variables are set, and name the variables of the others."""
    settings = Settings.read(_options(arguments).env)
    for spec in specs:
        if missing := spec.missing(settings):
            print(f"left out, not set: {', '.join(missing)}")
    return main([spec for spec in specs if not spec.missing(settings)], arguments)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(description="Save blocks with the values of a .env file.")
    parser.add_argument("--check", action="store_true", help="connect, and save nothing")
    add_env_option(parser)
    return parser.parse_args(arguments)


def _saved(spec: BlockSpec, settings: Settings) -> bool:
    document: UUID | None = None
    try:
        for name, block in _made(spec, settings):
            document = cast(UUID, block.save(name, overwrite=True))  # not a coroutine here
            print(f"saved {_reference(name, block)}")
        if spec.after and document:
            print(spec.after(document))
    except (SettingError, TripsError) as error:
        print(f"Error: {_line(settings, error)}", file=sys.stderr)
        return False
    except httpx.HTTPError as error:
        print(f"Error: {no_answer(_line(settings, error))}", file=sys.stderr)
        return False
    return True


def _checked(spec: BlockSpec, settings: Settings) -> Iterator[bool]:
    try:
        for name, block in _made(spec, settings):
            reference = _reference(name, block)
            yield _answers(reference, spec.check_of(reference), block, settings)
    except SettingError as error:
        print(f"no: {_line(settings, error)}")
        yield False


def _answers(reference: str, check: Callable[[Any], str], block: Block, settings: Settings) -> bool:
    try:
        said = check(block)
    except Exception as error:  # whatever a client raises is the answer
        print(f"no  {reference}: {_line(settings, error)}")
        return False
    print(f"ok  {reference}: {settings.hidden(said)}")
    return True


def _made(spec: BlockSpec, settings: Settings) -> Blocks:
    """Yield the blocks of a spec.

    Raises:
        SettingError: a variable is missing, or the block rejects its value.
    """
    if missing := spec.missing(settings):
        raise settings.wrong(" and ".join(missing), "must have a value")
    try:
        yield from spec.blocks(settings)
    except ValueError as error:  # raised by pydantic and by the clients' own parsers
        names = " or ".join(spec.needs)
        raise settings.wrong(names, f"cannot be used: {_line(settings, error)}") from error


def server_answers() -> bool:
    """Return whether Prefect's server answers or is not needed; print an error line if not.

    If it is not needed, later calls wait while another process, such as the server of `make serve`,
    writes to Prefect's database.
    """
    try:
        refuse_silent_server()
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return False
    tune_embedded_api()
    return True


def no_answer(said: str) -> str:
    """Return advice for a Prefect server that does not answer, or answers unexpectedly."""
    server = PREFECT_API_URL.value() or "no PREFECT_API_URL"
    return (
        f"{server}: {said}; start Prefect's server there, or export the PREFECT_API_URL of one "
        "that runs"
    )


def _reference(name: str, block: Any) -> str:
    return f"{block.get_block_type_slug()}/{name}"


def _line(settings: Settings, error: Exception) -> str:
    """Return an error as one line, with secrets masked."""
    return " ".join(settings.hidden(str(error) or type(error).__name__).split())
