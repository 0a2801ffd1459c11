"""Passes the variables of flows on to runs that do not read this project's .env."""

from __future__ import annotations

import re
import sys

from settings import Settings

from core.download.remote_file import AND, without_secrets

#: Those that mean the same on every machine. Bucket and warehouse are parameters of deployments.
_VARIABLES = (
    "TRIPS_SOURCE",
    "TRIPS_THREADS",
    "TRIPS_MONTHS_PER_MINUTE",
    "TRIPS_HOST_REQUESTS",
    "TRIPS_CONTACT",
    "TRIPS_BQ_DATASET",
    "TRIPS_BQ_LOCATION",
    "TRIPS_BQ_MAX_BYTES",
)
#: A source that is a name, such as tlc or sample:2000, or published on the web.
_ANYWHERE = re.compile(r"[\w-]+(:\d+)?|https?://.*", re.IGNORECASE)


def variables(settings: Settings) -> dict[str, str | None]:
    """Return the variables that have a value; report a source that cannot be passed on."""
    found = {name: value for name in _VARIABLES if (value := settings.get(name))}
    source = found.get("TRIPS_SOURCE", "")
    if source and not _may_be_passed_on(source):
        del found["TRIPS_SOURCE"]
        print(
            "TRIPS_SOURCE is not passed on to deployed runs: it is a path on this machine, or its "
            "address may contain a secret; name the source in the declaration or as a parameter",
            file=sys.stderr,
        )
    return {**found}


def _may_be_passed_on(source: str) -> bool:
    """Return whether other machines have the source, and anybody may see it."""
    everywhere = all(_ANYWHERE.fullmatch(part.strip()) for part in source.split(AND))
    return everywhere and without_secrets(source) == source
