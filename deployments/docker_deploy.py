"""Deploy the flows as Docker containers, started by an agent on a machine with a Docker engine.

python deployments/docker_deploy.py --dry-run
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "blocks"))

from targets import Target, main

TARGET = Target(
    name="docker-flow",
    queue="docker",
    infrastructure="prefect.infrastructure.DockerContainer/zoom-docker",
    bucket="local-bucket/zoom-volume",
    warehouse="duckdb-warehouse/zoom-volume",
    path="/opt/prefect",  # where the Dockerfile puts the project
    in_containers=True,
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
