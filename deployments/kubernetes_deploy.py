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
from orchestration.exit_codes import ExitCode
from specs import DeploymentSpec, all_specs
from targets import Target, apply, deploy, loaded, parameters_of, parser

TARGET = Target(
    name="kubernetes-flow",
    queue="kubernetes",
    infrastructure="prefect.infrastructure.KubernetesJob/zoom-kubernetes",
    bucket="local-bucket/zoom-volume",
    warehouse="duckdb-warehouse/zoom-volume",
    path="/opt/prefect",  # where the Dockerfile puts the project
    in_containers=True,
)
_EMBEDDED = ("local-bucket", "duckdb-warehouse")


def job_of(settings: Settings) -> Any:
    """Return the block as make_kubernetes_block.py saves it, without a server."""
    if missing := make_kubernetes_block.SPEC.missing(settings):
        raise settings.wrong(" and ".join(missing), "must have a value")
    _, job = next(make_kubernetes_block.blocks(settings))
    return job


def refuse_lost_months(job: Any, target: Target, settings: Settings) -> None:
    """Raise if months would be stored on the disk of a job, and lost with it.

    Raises:
        SettingError: the job has no volume.
    """
    if job.job["spec"]["template"]["spec"].get("volumes"):
        return
    names = {"bucket": "TRIPS_BUCKET", "warehouse": "TRIPS_WAREHOUSE"}
    used = {name: value for row in all_specs() for name, value in _places(row, target, settings)}
    lost = [names[name] for name in names if used.get(name, "").startswith(_EMBEDDED)]
    if lost:
        raise settings.wrong(
            " and ".join(lost),
            "would be on the disk of each job, and lost with it; name a bucket and a warehouse "
            "elsewhere, or a KUBERNETES_VOLUME",
        )


def _places(row: DeploymentSpec, target: Target, settings: Settings) -> list[tuple[str, str]]:
    found = parameters_of(row, target, settings)
    return [(name, str(found[name])) for name in row.places]


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

    def checked(target: Target) -> Target:
        """Return the target if its jobs keep their months."""
        refuse_lost_months(loaded(target.infrastructure), target, settings)
        return target

    try:
        if options.dry_run:
            job = job_of(settings)
            refuse_lost_months(job, target, settings)
            print(yaml.safe_dump(shown(job), sort_keys=False))
        return deploy(target, options, apply_one, checked)
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
