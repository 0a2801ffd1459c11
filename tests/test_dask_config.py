"""Settings of Dask that tests change leave its other settings as they were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_hasty_connections_keep_the_defaults_of_dask() -> None:
    """Also where nothing has imported its packages before."""
    script = (
        "from fakes.dask_config import hasty_connections\n"
        "with hasty_connections():\n"
        "    import distributed\n"
        "distributed.Security()\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, check=True)
