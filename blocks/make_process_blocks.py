"""Save the blocks of the processes that deployments run in without Docker."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from settings import PROJECT, Settings

from prefect.infrastructure import Process

from block_specs import Blocks, BlockSpec, main


def blocks(settings: Settings) -> Blocks:
    """One that runs in this folder, and one in a temporary folder with what was fetched there."""
    # The embedded bucket and warehouse are not saved for it: both processes look where a flow
    # that is started by hand does.
    data = Path(settings.get("TRIPS_DATA", str(PROJECT / "data"))).expanduser().absolute()
    env: dict[str, str | None] = {"TRIPS_DATA": str(data)}
    # Prefect 3 has workers in its place; agents of Prefect 2 run this block as they always did.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Output is not streamed to the agent: when that is killed, a run that goes on would end
        # at its next line for want of a reader. The lines are on the run's page in the UI.
        # Without a folder an agent copies the project into a temporary one, and removes that.
        yield "zoom-local", Process(working_dir=PROJECT, env=env, stream_output=False)
        yield "zoom-fetched", Process(env=env, stream_output=False)


def check(block: Process) -> str:
    """Whether its folder is there."""
    folder = block.working_dir
    if folder and not Path(folder, "flows").is_dir():
        raise FileNotFoundError(f"{folder} has no flows/")
    return f"runs in {folder or 'a temporary folder'}, data in {block.env['TRIPS_DATA']}"


SPEC = BlockSpec((), blocks, {"zoom-local": check, "zoom-fetched": check})

if __name__ == "__main__":
    sys.exit(main([SPEC]))
