"""Secrets in addresses, written as {secret.NAME}.

An address keeps the field wherever it is stored, logged or passed on. Only requests contain the
value, which is looked up when the request is sent.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable
from typing import ClassVar
from urllib.parse import quote, urlsplit

from core.errors import UsageError
from core.redaction import redacted

#: The variable of a secret; NAME stands for its name, in capitals and with _ for -.
VARIABLE = "TRIPS_SECRET_NAME"
FIELD = re.compile(r"(?<!\{)\{secret\.([a-z0-9][a-z0-9-]*)\}(?!\})")
FORM = "{secret.NAME}, with a name of lower-case letters, digits and dashes"

#: Returns the value of a secret that no variable has, or None.
Store = Callable[[str], "str | None"]


class _Stores:
    """The store searched after the environment, and the values found so far."""

    other: Store = staticmethod(lambda name: None)
    found: ClassVar[set[str]] = set()


def look_up_in(store: Store) -> None:
    """Search another store for secrets that no variable has, for the rest of the process."""
    _Stores.other = staticmethod(store)


def names_in(address: str) -> list[str]:
    """Return the names of the secrets in an address."""
    return FIELD.findall(address)


def variable_of(name: str) -> str:
    """Return the variable of a secret, with its name in place of NAME."""
    return VARIABLE.replace("NAME", name.upper().replace("-", "_"))


def value_of(name: str) -> str:
    """Return the value of a secret, from the environment or else from the other store.

    Raises:
        UsageError: it has no value, or one that an address cannot contain.
    """
    value = os.environ.get(variable_of(name)) or _Stores.other(name)
    if not value:
        raise UsageError(
            f"the secret {name} has no value",
            f"set {variable_of(name)} in .env or in the environment",
            f"save the block secret/{name}, as blocks/make_secret_blocks.py does",
        )
    if not value.isprintable() or " " in value:
        raise UsageError(
            f"the secret {name} has a space or a line break, which an address cannot contain; "
            f"correct {variable_of(name)} or the block secret/{name}"
        )
    _Stores.found.add(value)
    return value


def filled(address: str) -> str:
    """Return an address for a request, with the values of its secrets.

    User and password are percent-encoded; elsewhere the value is inserted as is, such as a whole
    signed query.
    """
    if not names_in(address):
        return address
    user = urlsplit(address).netloc.rpartition("@")[0]
    encoded = FIELD.sub(lambda found: quote(value_of(found[1]), safe=""), user)
    address = address.replace(f"//{user}@", f"//{encoded}@", 1) if user else address
    return FIELD.sub(lambda found: value_of(found[1]), address)


def remember(values: Iterable[str]) -> None:
    """Note further secrets of this process, such as those of a block, to mask them in logs."""
    _Stores.found.update(value for value in values if value)


def known_values() -> set[str]:
    """Return the values of all secrets that this process has or has used."""
    prefix = VARIABLE.removesuffix("NAME")
    return _Stores.found | {v for name, v in os.environ.items() if name.startswith(prefix) and v}


def masked(record: logging.LogRecord) -> bool:
    """Mask the secrets in a line that a library logs: a filter for its logger."""
    record.msg, record.args = redacted(record.getMessage(), known_values()), ()
    return True
