"""Words errors and their remedies: as options on the command line, as parameters in the UI."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from core.errors import Advice, Remedy, TripsError


def on_command_line(message: str, remedies: Sequence[Advice]) -> str:
    """Return a message with its remedies as options: `run again with --no-strict`."""
    return _sentence(message, remedies, _option, "flows/{}.py".format)


def advice_on_command_line(advice: Advice) -> str:
    """Return one remedy as a sentence of its own: `run again with --no-strict`."""
    return on_command_line("", [advice]).removeprefix("; ")


def in_ui(message: str, remedies: Sequence[Advice]) -> str:
    """Return a message with its remedies as parameters: `run again with strict=False`."""
    return _sentence(message, remedies, _assignment, lambda flow: flow.replace("_", "-"))


def words_in_ui(error: TripsError) -> str:
    """Return an error as worded in the UI."""
    return in_ui(error.message, error.remedies)


def _sentence(
    message: str,
    remedies: Sequence[Advice],
    setting: Callable[[Remedy], str],
    name: Callable[[str], str],
) -> str:
    advice = [
        each if isinstance(each, str) else _advice(each, before, setting, name)
        for before, each in zip(["", *remedies], remedies)
    ]
    if not advice:
        return message
    return f"{message}; {', or '.join(filter(None, [', '.join(advice[:-1]), advice[-1]]))}"


def _advice(
    remedy: Remedy,
    before: Advice,
    setting: Callable[[Remedy], str],
    name: Callable[[str], str],
) -> str:
    """Return the advice for one remedy, shorter if the previous one is about the same flow."""
    is_said = isinstance(before, Remedy) and before.flow == remedy.flow
    verb = "" if is_said else f"run {name(remedy.flow) if remedy.flow else 'again'} "
    return f"{verb}with {setting(remedy)} {remedy.effect}".rstrip()


def _option(remedy: Remedy) -> str:
    name = remedy.parameter.replace("_", "-")
    if isinstance(remedy.value, bool):
        return f"--{name}" if remedy.value else f"--no-{name}"
    return f"--{name} {shlex.quote(_text(remedy.value))}"


def _assignment(remedy: Remedy) -> str:
    return f"{remedy.parameter}={_text(remedy.value)}"


def _text(value: bool | float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
