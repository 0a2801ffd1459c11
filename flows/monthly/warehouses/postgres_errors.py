"""PostgreSQL's errors as errors of this project that say what to do, and who blocks a session."""

from __future__ import annotations

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from core.errors import Busy, StorageError, Unavailable

#: Transient errors: a lost connection (08), a server that starts or stops (57P), too many
#: connections, a deadlock, a serialization failure. A client-side error, such as a refused
#: connection, has no code.
_PASSING = ("08", "57P", "53300", "40P01", "40001")
#: Messages of permanent errors that reach the client without a code.
_REFUSED = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "pg_hba.conf",
    "invalid dsn",
    "does not support SSL",
    "certificate verify failed",
)


def meant(what: str, label: str, error: psycopg2.Error) -> StorageError:
    """Return the project's error for an error of PostgreSQL or its client.

    Args:
        what: the month or dataset concerned.
        label: name of the database.
        error: as the client raised it.
    """
    said = " ".join(str(error).split())
    if error.pgcode == "55P03":
        return Busy(
            f"{what}: {label} has been in use by other queries or loads for too long ({said}); "
            "no month was changed; end them, then run again"
        )
    refused = any(words in said for words in _REFUSED)
    if (error.pgcode or "08").startswith(_PASSING) and not refused:
        return Unavailable(
            f"{what}: {label} does not answer ({said}); no month was changed; "
            "check that the server is running, then run again"
        )
    way_out = "correct what it names, in the block or in the database, then run again"
    if "must be owner of table loaded_months" in said:
        way_out = "load a month once as its owner, which adds what this version needs"
    elif "must be owner" in said:
        way_out = (
            "run as the role that owns it, or give it to one of which this role is a member "
            "(ALTER TABLE … OWNER TO …)"
        )
    return StorageError(f"{what}: {label} refused ({said}); no month was changed; {way_out}")


def blockers(sql: Cursor, pid: int) -> str | None:
    """Return the sessions that block a session, or None."""
    sql.execute(
        "SELECT pid, usename, application_name, state FROM pg_stat_activity "
        "WHERE pid = ANY (pg_blocking_pids(%s))",
        [pid],
    )
    found = "; ".join(
        f"session {p} of {user or '?'}, {program or '?'}, {state or '?'}"
        for p, user, program, state in sql
    )
    return found or None
