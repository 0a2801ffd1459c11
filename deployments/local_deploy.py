"""Deploy the flows as processes in this folder, with the packages installed here.

python deployments/local_deploy.py --dry-run
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "blocks"))

from settings import PROJECT

from targets import Target, main

TARGET = Target(
    name="local-flow",
    queue="local",
    infrastructure="prefect.infrastructure.Process/zoom-local",
    path=str(PROJECT),
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
