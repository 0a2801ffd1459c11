"""Deploy the flows as processes that fetch their code from a GitHub repository for each run.

python deployments/github_deploy.py --dry-run
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "blocks"))

from targets import Target, main

TARGET = Target(
    name="github-flow",
    queue="local",
    infrastructure="prefect.infrastructure.Process/zoom-fetched",
    storage="prefect.filesystems.GitHub/zoom-github",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
