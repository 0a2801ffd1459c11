"""Deploy the flows as Kubernetes jobs that an agent creates.

python deployments/kubernetes_deploy.py --dry-run
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "blocks"))

from settings import SettingError, Settings

import yaml

import make_kubernetes_block
from core.errors import UsageError
from lost_places import refuse_lost_places
from orchestration.exit_codes import ExitCode
from targets import Target, apply, deploy, parser, places_of

TARGET = Target(
    name="kubernetes-flow",
    queue="kubernetes",
    infrastructure="prefect.infrastructure.KubernetesJob/zoom-kubernetes",
    bucket="local-bucket/zoom-volume",
    warehouse="duckdb-warehouse/zoom-volume",
    path="/opt/prefect",  # where the Dockerfile puts the project
    in_containers=True,
)


def job_of(settings: Settings) -> Any:
    """Return the block as make_kubernetes_block.py saves it, without a server."""
    if missing := make_kubernetes_block.SPEC.missing(settings):
        raise settings.wrong(" and ".join(missing), "must have a value")
    _, job = next(make_kubernetes_block.blocks(settings))
    return job


def main_of(
    target: Target,
    shown: Callable[[Any], Any],
    arguments: Sequence[str] | None = None,
    apply_one: Callable[..., None] = apply,
) -> ExitCode:
    """Run the command of a script that deploys to Kubernetes.

    Args:
        target: where the deployments run.
        shown: makes the manifest that `--dry-run` prints from the block.
        arguments: command-line arguments; by default those of the process.
        apply_one: applies one row.
    """
    options = parser().parse_args(arguments)
    settings = Settings.read(options.env)
    try:
        if options.dry_run:
            job = job_of(settings)
            refuse_lost_places(job, places_of(target, settings), settings)
            print(yaml.safe_dump(shown(job), sort_keys=False))
        return deploy(target, options, apply_one)
    except (SettingError, UsageError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return ExitCode.USAGE


def manifest(job: Any) -> Any:
    """Return the job that an agent creates, without the run's labels and Prefect's variables."""
    return job.build_job()


def main(arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the command; `--dry-run` prints the manifest of the jobs first."""
    return main_of(TARGET, manifest, arguments)


if __name__ == "__main__":
    sys.exit(main())
