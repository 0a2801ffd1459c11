"""Save the blocks of the processes that run deployments without Docker."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from settings import PROJECT, Settings

from prefect.infrastructure import Process

from block_specs import Blocks, BlockSpec, main


def blocks(settings: Settings) -> Blocks:
    """Yield a process in this folder, and one in a temporary folder with fetched code."""
    # No bucket or warehouse block is saved for these: both processes use the same data folder as
    # a flow that is started by hand.
    data = Path(settings.get("TRIPS_DATA", str(PROJECT / "data"))).expanduser().absolute()
    env: dict[str, str | None] = {"TRIPS_DATA": str(data)}
    if own := settings.get("TRIPS_DATASETS"):  # fetched code has no .env
        env["TRIPS_DATASETS"] = str(Path(own).expanduser().absolute())
    # Deprecated in favor of Prefect 3's workers, but Prefect 2 agents still run this block.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Output is not streamed to the agent: if the agent is killed, a run that goes on would
        # fail at its next line with a broken pipe. The UI shows the lines on the run's page.
        # Without a folder an agent copies the project into a temporary one, and removes it later.
        yield "zoom-local", Process(working_dir=PROJECT, env=env, stream_output=False)
        yield "zoom-fetched", Process(env=env, stream_output=False)


def check(block: Process) -> str:
    """Check that the folder exists and has flows/."""
    folder = block.working_dir
    if folder and not Path(folder, "flows").is_dir():
        raise FileNotFoundError(f"{folder} has no flows/")
    return f"runs in {folder or 'a temporary folder'}, data in {block.env['TRIPS_DATA']}"


SPEC = BlockSpec((), blocks, {"process/zoom-local": check, "process/zoom-fetched": check})

if __name__ == "__main__":
    sys.exit(main([SPEC]))
