"""Prefect's home: the project's own, for `make`, the flows as commands, and `prefect` itself.

Import it before Prefect, which reads its settings on import. `dev/share_home.py` makes the
`prefect` command of an environment do the same.
"""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[2]
HOME = PROJECT / "data" / "prefect"
#: Variables that select another home, or another profile than that of the home.
_CHOSEN = ("PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")


def use_project_home() -> None:
    """Set PREFECT_HOME to the project's, unless the user has chosen a home or a profile."""
    if "prefect" in sys.modules:  # in a process of an agent or a worker, it is already set
        return
    _turn_telemetry_off()
    if not any(os.environ.get(name) for name in _CHOSEN) and not _has_profile():
        os.environ["PREFECT_HOME"] = str(HOME)
    if home := os.environ.get("PREFECT_HOME"):
        # Prefect creates its home, but not the parent folders. A command that needs the home
        # refuses to run without it.
        with suppress(OSError, RuntimeError):
            Path(home).expanduser().parent.mkdir(parents=True, exist_ok=True)


def _turn_telemetry_off() -> None:
    if os.environ.get("DO_NOT_TRACK", "0").lower() not in ("", "0", "false"):
        os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def _has_profile() -> bool:
    """Return whether the active profile of the user's home sets anything, as a login does."""
    try:
        text = Path.home().joinpath(".prefect", "profiles.toml").read_text(encoding="utf-8")
    except (OSError, RuntimeError):  # no file, or no home
        return False
    active = re.search(r"""^active\s*=\s*["'](.+?)["']""", text, re.MULTILINE)
    name = re.escape(active[1]) if active else "default"
    section = re.search(rf"""^\[profiles\.["']?{name}["']?\]\s*$([^\[]*)""", text, re.MULTILINE)
    return bool(section and re.search(r"^\s*\w+\s*=", section[1], re.MULTILINE))


def _refuse_other_python() -> None:
    """Exit with one line if Prefect is not installed: a traceback would suggest no fix."""
    if find_spec("prefect") is None:
        command = " ".join([".venv/bin/python", *sys.argv])
        say = f"Error: {sys.executable} has no Prefect; make run, then: {command}"
        print(say, file=sys.stderr)
        sys.exit(2)


def _refuse_usage_errors() -> None:
    """Exit with one line if a flow file is run as a command with wrong parameters."""
    command = Path(getattr(sys.modules["__main__"], "__file__", None) or "").absolute()
    if command.parent == PROJECT / "flows":
        from orchestration.early_checks import refuse_early  # not in `prefect` and its workers

        refuse_early(command.name, sys.argv[1:])


def _end_command_quietly() -> None:
    """Let Ctrl-C end a file of flows/ without a traceback while it still imports Prefect."""
    # Imported here: this file also runs on its own, at each start of an interpreter.
    from multiprocessing import parent_process

    from orchestration.interrupts import end_quietly

    # A worker process of Dask has the command's arguments too.
    if Path(sys.argv[0]).absolute().parent == PROJECT / "flows" and not parent_process():
        end_quietly()


def _register_no_blocks() -> None:
    """Keep a command's API from importing every installed block package, which takes 1.5 s.

    Saving a block registers its type, and a server registers all types on startup.
    """
    for name in ("API_BLOCKS_REGISTER_ON_START", "MEMOIZE_BLOCK_AUTO_REGISTRATION"):
        os.environ.setdefault(f"PREFECT_{name}", "false")


def _refuse_unusable_env_file() -> None:
    """Exit with one line if `.env` cannot be read, or TRIPS_ENV_FILE names a missing file."""
    # Not at the top, as below.
    from core.errors import UsageError
    from orchestration.output import refuse
    from orchestration.variables import in_file

    try:
        in_file()
    except UsageError as error:
        if not _is_own_command():
            raise  # a process of Prefect's own shows the error with the run
        refuse(error)


def _is_own_command() -> bool:
    main = getattr(sys.modules["__main__"], "__file__", None) or ""
    return Path(main).absolute().parent.parent == PROJECT


def _share_declarations() -> None:
    """Export the folder of declarations and the log format from `.env`.

    Parameters read the declarations on import; child processes inherit the log format.
    """
    # Not at the top: an interpreter without the requirements first gets a message that says so.
    from core.errors import UsageError
    from orchestration.output import refuse
    from orchestration.variables import refuse_unknown_log, share_early

    share_early()
    if not _is_own_command():
        return  # a process of Prefect's own shows the error with the run
    try:
        from core.download.http import refuse_wrong_settings
        from monthly.datasets import declaration_files

        refuse_unknown_log()
        refuse_wrong_settings()
        declaration_files()
    except UsageError as error:
        refuse(error)


def _refuse_unknown_time_zone() -> None:
    """Exit with one line if Prefect's import would fail for the zone in TZ."""
    # Not at the top, as above.
    from core.errors import UsageError
    from orchestration.output import refuse
    from orchestration.time_zone import refuse_unknown_time_zone

    try:
        refuse_unknown_time_zone()
    except UsageError as error:
        refuse(error)


def _import_prefect() -> None:
    """Import Prefect without garbage collections, which take a fifth of a command's startup."""
    collects = gc.isenabled()
    gc.disable()
    import prefect  # noqa: F401 - not at the top: the settings above come first

    if collects:
        gc.enable()


def freeze_objects() -> None:
    """Exempt existing objects from garbage collection, which takes a second at exit alone.

    Do nothing once DuckDB is imported: it would report its own objects as leaked.
    """
    if "_duckdb" not in sys.modules:
        gc.freeze()


def _share_network() -> None:
    """Pass the settings of certificates and proxies to every client, before any is imported."""
    # Not at the top, as above.
    from core.errors import UsageError
    from orchestration.network import share_network
    from orchestration.output import refuse

    try:
        share_network()
    except UsageError as error:
        refuse(error)


# Not under another name, at the startup of an interpreter such as pip's or a server's.
if __name__ == "orchestration.prefect_home":
    _refuse_other_python()
    _end_command_quietly()
    _refuse_unusable_env_file()
    _share_network()
    _share_declarations()
    if "prefect" not in sys.modules:
        _refuse_usage_errors()
        _refuse_unknown_time_zone()
        _register_no_blocks()
use_project_home()
if __name__ == "orchestration.prefect_home":
    if "prefect" not in sys.modules:
        _import_prefect()
    freeze_objects()
    atexit.register(freeze_objects)
