"""Run the project's own PostgreSQL server, and save the block that points flows to it.

python dev/local_postgres.py          # start it, save the block, print how to connect
python dev/local_postgres.py --stop
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "flows"))

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

import typer

from core.disk import room_for
from core.errors import StorageError, TripsError, UsageError
from orchestration.block_registry import DATA, POSTGRES
from orchestration.prefect_server import refuse_silent_server
from postgres_server import DATABASE, HOST, USER, Server, free_port, places

FOLDER = DATA.absolute() / "postgres"
PASSWORD = FOLDER / "password"
PORT = 5432


def main(stop: bool = False) -> None:
    """Start the project's PostgreSQL server, or stop it; the data stays."""
    try:
        print(_stop() if stop else _start())
    except TripsError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from error


def _start() -> str:
    refuse_silent_server()  # where the block is saved
    with room_for("PostgreSQL's password", FOLDER, "TRIPS_DATA"):
        server = Server(FOLDER / "cluster", _password())
    running = server.is_running()
    if not running:
        server.start(_port())
    _save(server)
    return _how_to_connect(server.port(), "has been running" if running else "runs")


def _stop() -> str:
    server = Server(FOLDER / "cluster", "")
    if not server.is_running():
        return "PostgreSQL is not running"
    server.stop()
    return f"PostgreSQL has stopped; its months stay in {_shown(FOLDER)}"


def _password() -> str:
    """Return the password, created on first use in a file that only its owner can read."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(PASSWORD, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return PASSWORD.read_text().strip()
    if (FOLDER / "cluster" / "PG_VERSION").exists():
        PASSWORD.unlink()
        raise StorageError(
            f"{PASSWORD} is gone; put it back, or remove {FOLDER} to start from scratch"
        )
    with os.fdopen(file, "w") as opened:
        opened.write(secrets.token_urlsafe())
    return PASSWORD.read_text()


def _port() -> int:
    """Return PostgreSQL's default port, or a free one if that is taken."""
    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            ours.bind((HOST, PORT))
        except OSError:
            return free_port()
        return PORT


def _save(server: Server) -> None:
    # Imported here, because Prefect's blocks take two seconds, which --stop need not wait.
    warnings.simplefilter("ignore")  # Prefect's own, as it creates its database
    from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

    name = POSTGRES.partition("/")[2]
    _refuse_another(SqlAlchemyConnector, name)
    components = ConnectionComponents(
        driver=SyncDriver.POSTGRESQL_PSYCOPG2,
        username=USER,
        password=server.password,
        host=HOST,
        port=str(server.port()),
        database=DATABASE,
    )
    SqlAlchemyConnector(connection_info=components).save(name, overwrite=True)


def _refuse_another(connector: type, name: str) -> None:
    """Refuse to overwrite a block that points to another database.

    Raises:
        UsageError: the saved block points elsewhere.
    """
    try:
        found = connector.load(name).connection_info  # type: ignore[attr-defined] # a Block
    except ValueError:
        return  # no such block
    there = (getattr(found, "host", None), getattr(found, "database", None))
    if there != (HOST, DATABASE):
        raise UsageError(
            f"block {POSTGRES} points to {there[0]}/{there[1]}, not to this server; "
            "rename or delete that block, then run again"
        )


def _how_to_connect(port: int, state: str) -> str:
    password = _shown(PASSWORD)
    return f"""PostgreSQL {state} on {HOST}:{port}: database {DATABASE}, user {USER}
Block:    {POSTGRES}
Password: in {password}, for you alone
Data:     {_shown(FOLDER)}/cluster, with server.log
Query:    PGPASSWORD=$(cat {password}) {_psql()} -h {HOST} -p {port} -U {USER} {DATABASE}"""


def _psql() -> str:
    """Return the path of psql: the machine's, or the one shipped with the server."""
    if shutil.which("psql"):
        return "psql"
    return next((_shown(p / "psql") for p in places() if (p / "psql").is_file()), "psql")


def _shown(path: Path) -> str:
    """Return a path relative to the current folder, if it is inside."""
    return str(path).replace(f"{Path.cwd()}{os.sep}", "")


if __name__ == "__main__":
    typer.run(main)
