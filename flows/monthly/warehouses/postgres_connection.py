"""Connections to PostgreSQL: psycopg2 from a SQLAlchemy URL."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import psycopg2
from sqlalchemy.engine import URL

from core.errors import UsageError
from monthly.warehouses.postgres import Postgres

#: Detect within about two minutes a server that disappeared silently.
_DEFAULTS: Mapping[str, object] = {
    "connect_timeout": 10,
    "keepalives_idle": 60,
    "keepalives_interval": 15,
    "keepalives_count": 4,
    "application_name": "trips",
}
#: The texts of a COPY are UTF-8, whatever the encoding of the database, a role or a block.
_FIXED: Mapping[str, object] = {"client_encoding": "UTF8"}


def postgres_at(url: URL, connect_args: Mapping[str, Any]) -> Postgres:
    """Return the database of a URL.

    Args:
        url: URL with any PostgreSQL driver.
        connect_args: additional arguments of `psycopg2.connect`; they take precedence, except over
            the encoding.

    Raises:
        UsageError: the URL names another kind of database.
    """
    if url.get_backend_name() != "postgresql":
        raise UsageError(
            f"the block points to {url.get_backend_name()}, which is not a warehouse here; "
            "make one with the driver postgresql+psycopg2"
        )
    url = url.set(drivername="postgresql+psycopg2")
    _, found = url.get_dialect()().create_connect_args(url)
    label = f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or url.username}"
    options = {**_DEFAULTS, **found, **connect_args, **_FIXED}
    return Postgres(label, partial(psycopg2.connect, **options))
