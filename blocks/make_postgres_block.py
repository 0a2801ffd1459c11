"""Save the block of a Postgres database, `sqlalchemy-connector/zoom-postgres`."""

from __future__ import annotations

import sys

from settings import Settings

from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

from block_specs import Blocks, BlockSpec, main


def blocks(settings: Settings) -> Blocks:
    """Yield the connector, built from components: it rejects some URLs that Postgres accepts."""
    port = settings.get("POSTGRES_PORT", "5432")
    if not port.isdecimal() or int(port) > 65535:
        raise settings.wrong("POSTGRES_PORT", f"is {port!r}, which is not a port")
    components = ConnectionComponents(
        driver=SyncDriver.POSTGRESQL_PSYCOPG2,
        host=settings.get("POSTGRES_HOST", "127.0.0.1"),
        port=port,
        database=settings.required("POSTGRES_DB"),
        username=settings.required("POSTGRES_USER"),
        password=settings.required("POSTGRES_PASSWORD"),
    )
    yield (
        "zoom-postgres",
        SqlAlchemyConnector(connection_info=components, connect_args={"connect_timeout": 10}),
    )


def check(block: SqlAlchemyConnector) -> str:
    """Ask the server for its version."""
    with block:
        (version,) = block.fetch_one("SHOW server_version")
    return f"Postgres {version}"


SPEC = BlockSpec(
    ("POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"),
    blocks,
    {"sqlalchemy-connector/zoom-postgres": check},
)

if __name__ == "__main__":
    sys.exit(main([SPEC]))
