"""Settings and where they come from.

The precedence is the same everywhere: parameter, environment, .env, saved block, default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from core.download.hosts import REQUESTS
from core.errors import UsageError

PROJECT = Path(__file__).absolute().parents[2]


@dataclass(frozen=True)
class Variable:
    """A variable that flows read from the environment, or else from .env.

    Attributes:
        name: its name.
        default: what applies if it has no value; empty if `help` says what does.
        help: its description in docs/reference.md.
    """

    name: str
    default: str
    help: str


SOURCE = Variable(
    "TRIPS_SOURCE",
    "",
    "Source of every flow that does not name one. By default it is the first that the dataset "
    "declares, `dtc` for TLC's.",
)
DATASETS = Variable(
    "TRIPS_DATASETS",
    "",
    "Folder of declarations of your own datasets, besides those in `flows/datasets`.",
)
BUCKET = Variable(
    "TRIPS_BUCKET", "local-bucket/zoom", "Bucket: a block, or a folder as `./folder`."
)
WAREHOUSE = Variable(
    "TRIPS_WAREHOUSE", "duckdb-warehouse/zoom", "Warehouse: a block, or a file as `./my.duckdb`."
)
BQ_DATASET = Variable(
    "TRIPS_BQ_DATASET",
    "trips_data_all",
    "BigQuery dataset. The first load creates it if the account may.",
)
BQ_LOCATION = Variable(
    "TRIPS_BQ_LOCATION",
    "",
    "Location in which that dataset is created, such as `EU` or `europe-west1`. It must be "
    "compatible with the bucket's. By default Google chooses `US`.",
)
DATA = Variable(
    "TRIPS_DATA",
    str(PROJECT / "data"),
    "Folder of the embedded bucket and warehouse. It overrides their saved blocks.",
)
SCRATCH = Variable(
    "TRIPS_SCRATCH",
    "",
    "Folder where months are downloaded and converted, with room for twice the largest file. By "
    "default it is `trips-scratch-UID` in the system's temporary folder.",
)
THREADS = Variable(
    "TRIPS_THREADS",
    "",
    "Threads shared by the months converted in one process. By default, the number of cores.",
)
MONTHS_PER_MINUTE = Variable(
    "TRIPS_MONTHS_PER_MINUTE",
    "",
    "Most months that a parent run starts per minute, such as `5`, for a Prefect API with a limit "
    "on requests: see [Prefect Cloud](prefect-cloud.md). By default there is no limit.",
)
LOG = Variable(
    "TRIPS_LOG",
    "",
    "Format of the log: `json` for one JSON object per line. By default, `text`.",
)
SECRET = Variable(
    "TRIPS_SECRET_NAME",
    "",
    "Value of a secret that a source writes as `{secret.name}`; one variable for each, with its "
    "name in capitals, and `_` for `-`. Without it, the block `secret/name`.",
)
HOST_REQUESTS = Variable(
    "TRIPS_HOST_REQUESTS",
    str(REQUESTS),
    "Requests to one publisher's host, at a time and per second, by all flows of this user on this "
    "machine: see [Network](network.md).",
)
CONTACT = Variable(
    "TRIPS_CONTACT",
    "",
    "Web or e-mail address in the User-Agent of requests, so that publishers can reach you.",
)
CA_FILE = Variable(
    "TRIPS_CA_FILE",
    "",
    "File of PEM certificates that every client trusts instead of its own list: see "
    "[Network](network.md). By default, each client uses its own.",
)
BQ_MAX_BYTES = Variable(
    "TRIPS_BQ_MAX_BYTES",
    "",
    "Most bytes that one BigQuery query may bill, such as `1000000000`; one that would bill more "
    "fails before it runs. By default there is no limit.",
)
ENVIRONMENT_FILE = Variable(
    "TRIPS_ENV_FILE",
    str(PROJECT / ".env"),
    "File to read in place of `.env`; it must exist.",
)
VARIABLES = (
    SOURCE,
    BUCKET,
    WAREHOUSE,
    BQ_DATASET,
    BQ_LOCATION,
    BQ_MAX_BYTES,
    DATASETS,
    DATA,
    SCRATCH,
    THREADS,
    MONTHS_PER_MINUTE,
    LOG,
    SECRET,
    HOST_REQUESTS,
    CONTACT,
    CA_FILE,
    ENVIRONMENT_FILE,
)


def read_file(file: Path, named: bool) -> dict[str, str | None]:
    """Return the variables of a file such as `.env`, which may be missing unless it was named.

    Raises:
        UsageError: it cannot be read, or it was named and is missing.
    """
    try:
        # Not is_file: /dev/null and the pipe of a shell's <(...) serve, too.
        if named and (not file.exists() or file.is_dir()):
            raise UsageError(
                f"{file.absolute()} is not a file; correct {ENVIRONMENT_FILE.name} or --env"
            )
        # Without interpolation: a password may contain a dollar sign.
        return dotenv_values(file, interpolate=False)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}, line {line}: not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); make it readable") from error


FILE = Path(os.environ.get(ENVIRONMENT_FILE.name) or ENVIRONMENT_FILE.default)
_IN_FILE: dict[str, str | None] = {}
#: Why the file cannot be used. Printing an error already takes these settings.
_FAULT: UsageError | None = None
try:
    _IN_FILE = read_file(FILE, named=bool(os.environ.get(ENVIRONMENT_FILE.name)))
except UsageError as unusable:
    _FAULT = unusable


def in_file() -> dict[str, str | None]:
    """Return the variables of FILE, which is read only once: it may be a pipe.

    Raises:
        UsageError: the file cannot be read, or TRIPS_ENV_FILE names a missing one.
    """
    if _FAULT:
        raise _FAULT
    return _IN_FILE


@dataclass(frozen=True)
class Setting:
    """A value that a run uses.

    Attributes:
        value: the value as text.
        origin: where it is set, for display.
        overrides: the setting with another value that it takes precedence over; empty if none.
    """

    value: str
    origin: str = "default"
    overrides: str = ""

    @property
    def is_default(self) -> bool:
        """Return whether the value is the default."""
        return self.origin == "default"

    def __str__(self) -> str:
        """Return the value, its origin, and what it overrides."""
        return f"{self.value} ({self.why})"

    @property
    def why(self) -> str:
        """Return the origin, and what it overrides."""
        return f"{self.origin}, overrides {self.overrides}" if self.overrides else self.origin


def setting(variable: Variable) -> Setting:
    """Return the value from the environment, else .env; empty means unset, as in `.env.example`."""
    found = [
        Setting(value, f"{variable.name} in {where}")
        for where, value in (
            ("the environment", os.environ.get(variable.name)),
            (FILE.name, _IN_FILE.get(variable.name)),
        )
        if value
    ]
    if not found:
        return Setting(variable.default)
    over = found[1].origin if len({each.value for each in found}) > 1 else ""
    return Setting(found[0].value, found[0].origin, over)


def parameter(value: str, known: Setting) -> Setting:
    """Return the setting of a parameter whose default is another setting."""
    if value == known.value:
        return known
    return Setting(value, "parameter", "" if known.is_default else known.origin)


def refuse_unknown_log() -> None:
    """Refuse an unknown format of the log.

    Raises:
        UsageError: TRIPS_LOG is neither text nor json.
    """
    found = setting(LOG)
    if found.value not in ("", "text", "json"):
        raise UsageError(f"{LOG.name}: {found} is not a format of the log; write text or json")


def share_with_library(variable: Variable) -> None:
    """Export a variable that only .env sets to the library and the child processes of this run."""
    found = setting(variable)
    if found.value and not found.is_default:
        os.environ[variable.name] = found.value


def share_early() -> None:
    """Export what applies before a flow is imported, or that the library below flows reads."""
    for variable in (DATASETS, LOG, SCRATCH, THREADS, HOST_REQUESTS, CONTACT):
        share_with_library(variable)
    if os.environ.get(ENVIRONMENT_FILE.name):
        # Child processes may have another folder as their current one.
        os.environ[ENVIRONMENT_FILE.name] = str(FILE.absolute())


def share_secrets() -> None:
    """Export the secrets that only .env has, as `share_with_library` does."""
    prefix = SECRET.name.removesuffix("NAME")
    for name, value in _IN_FILE.items():
        if name.startswith(prefix) and value:
            os.environ[name] = os.environ.get(name) or value
