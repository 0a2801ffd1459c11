"""Looks up secrets of sources in the environment, `.env`, or Prefect's blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from prefect import get_run_logger
from prefect.blocks.core import Block
from prefect.blocks.system import Secret

from core import redaction
from core.download import secrets
from core.download.http import refuse_wrong_settings
from core.redaction import typed_secrets
from monthly.sources import secrets_in, typed_in
from orchestration import variables

#: Imported by every flow that reads a source.
variables.share_secrets()


def in_block(name: str) -> str | None:
    """Return the value of the block `secret/NAME`, or None if there is none."""
    try:
        block = cast(Secret, Secret.load(name))  # a coroutine only in an async function
    except ValueError:  # Prefect raises it if no such block is saved
        return None
    return str(block.value.get_secret_value())


secrets.look_up_in(in_block)


def remember_block(block: Block) -> None:
    """Note the passwords and keys of a block, so that no line of the log shows them."""
    secrets.remember(_secrets_of(block.dict()))


def _secrets_of(value: Any) -> Iterator[str]:
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
        yield from _with_password(value) if isinstance(value, str) else _texts_of(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets_of(each)


def _with_password(value: str) -> Iterator[str]:
    """Yield a secret and, if it is an address, its password, which may be shown on its own."""
    yield from (value, *redaction.secrets_of({"": value}))


def _texts_of(value: Any) -> Iterator[str]:
    """Yield the texts of a secret that has several, such as the key of a service account."""
    for each in value.values() if isinstance(value, Mapping) else ():
        yield from [each, *each.splitlines()] if isinstance(each, str) else ()


def check_source(source: str, dataset: str) -> None:
    """Warn about literal secrets in a source, before any of its months is planned.

    Raises:
        UsageError: a secret that the source refers to has no value, or a setting of requests is
            invalid.
    """
    _check("source", secrets_in(source, dataset), typed_in(source, dataset))


def check_url(url: str) -> None:
    """Warn about literal secrets in the parameter `url`; see `check_source`."""
    _check("url", secrets.names_in(url), typed_secrets(url))


def _check(parameter: str, named: list[str], typed: list[str]) -> None:
    refuse_wrong_settings()
    for name in named:
        secrets.value_of(name)
    if typed:
        get_run_logger().warning("%s", _warning(parameter, typed))


def _warning(parameter: str, typed: list[str]) -> str:
    return (
        f"the {parameter} contains a secret ({', '.join(typed)}), which Prefect stores with the "
        "run's parameters and shows in the UI; write {secret.NAME} in its place, and put its value "
        f"into {secrets.VARIABLE} in .env or into the block secret/NAME "
        "(blocks/make_secret_blocks.py)"
    )
