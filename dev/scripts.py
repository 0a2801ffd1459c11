"""Run scripts of the project one after another in one process, which imports Prefect once.

python dev/scripts.py blocks/make_blocks.py deployments/local_deploy.py
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main(scripts: list[str]) -> None:
    """Run each script as Python would; exit as the first one that fails."""
    for script in scripts:
        sys.argv = [script]
        sys.path[0] = str(Path(script).absolute().parent)
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                print(f"{script} failed", file=sys.stderr)
                raise


if __name__ == "__main__":
    main(sys.argv[1:])
