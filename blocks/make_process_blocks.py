"""Save the blocks of the processes that run deployments without Docker."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from settings import PROJECT, Settings

from prefect.infrastructure import Process

import flow_variables
from block_specs import Blocks, BlockSpec, main

_ENV_FILE = "TRIPS_ENV_FILE"


def blocks(settings: Settings) -> Blocks:
    """Yield a process in this folder, and one in a temporary folder with fetched code."""
    data = settings.get("TRIPS_DATA")
    env = _absolute({"TRIPS_DATA": data, "TRIPS_DATASETS": settings.get("TRIPS_DATASETS")})
    # Fetched code has no .env, and its own folder is a temporary one.
    default = {"TRIPS_DATA": str(PROJECT / "data")}
    fetched = default | env | flow_variables.variables(settings) | {_ENV_FILE: None}
    if os.environ.get(_ENV_FILE) and settings.file.is_file():  # named, and no pipe
        env[_ENV_FILE] = str(settings.file.absolute())
    # Deprecated in favor of Prefect 3's workers, but Prefect 2 agents still run this block.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Output is not streamed to the agent: if the agent is killed, a run that goes on would
        # fail at its next line with a broken pipe. The UI shows the lines on the run's page.
        # Without a folder an agent copies the project into a temporary one, and removes it later.
        yield "zoom-local", Process(working_dir=PROJECT, env=env, stream_output=False)
        yield "zoom-fetched", Process(env=fetched, stream_output=False)


def _absolute(paths: dict[str, str]) -> dict[str, str | None]:
    """Return the paths that are set, for processes with another current folder."""
    return {n: str(Path(path).expanduser().absolute()) for n, path in paths.items() if path}


def check(block: Process) -> str:
    """Check that the folder exists and has flows/."""
    folder = block.working_dir
    if folder and not Path(folder, "flows").is_dir():
        raise FileNotFoundError(f"{folder} has no flows/")
    data = block.env.get("TRIPS_DATA") or "local-bucket/zoom and duckdb-warehouse/zoom"
    return f"runs in {folder or 'a temporary folder'}, data in {data}"


SPEC = BlockSpec((), blocks, {"process/zoom-local": check, "process/zoom-fetched": check})

if __name__ == "__main__":
    sys.exit(main([SPEC]))
