"""Write the section on deployments: what is deployed, on which schedule, and the targets."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import bucket_deploy
import docker_deploy
import github_deploy
import kubernetes_deploy
import kubernetes_pool_deploy
import local_deploy
import work_pool_deploy
from reference.markdown import code, one_line, table
from saved_blocks import short_reference
from specs import DeploymentSpec, all_specs
from targets import Target, taken_by

#: One for each target.
SCRIPTS = (
    local_deploy,
    docker_deploy,
    github_deploy,
    bucket_deploy,
    work_pool_deploy,
    kubernetes_deploy,
    kubernetes_pool_deploy,
)
_DEPLOYMENTS = """\
Each script in `deployments/` applies these deployments to one target, whose name completes theirs:
`etl-parent-flow/…-green` becomes `etl-parent-flow/local-flow-green`. [Deploy and
schedule](deploy.md) says how. Buckets and warehouses are those of `TRIPS_BUCKET` and
`TRIPS_WAREHOUSE`, or else the target's; any other parameter keeps the flow's default.
"""
_TARGETS = "The targets:\n"


def section() -> str:
    """Describe the deployments and their targets."""
    head = ("deployment", "description", "schedule", "parameters")
    deployments = table(head, map(_deployment, all_specs()))
    targets = table(("script", "names", "queue", "runs in", "default blocks"), map(_row, SCRIPTS))
    return "\n".join([_DEPLOYMENTS, deployments, _TARGETS, targets])


def _deployment(spec: DeploymentSpec) -> tuple[str, str, str, str]:
    name = code(f"{spec.loaded().name}/…{spec.variant}")
    schedule = spec.schedule
    off = "" if spec.active else ", off until turned on"
    when = f"{code(schedule.cron)} {schedule.timezone}{off}" if schedule else "none"
    folders = {name: f"BUCKET/{folder}" for name, folder in spec.folders.items()}
    own = {**spec.parameters, **folders}
    parameters = ", ".join(code(f"{name}={value}") for name, value in own.items())
    about = one_line(spec.description().split("\n\n")[0])
    return name, f"{about} {_missing(spec)}".strip(), when, parameters or "none"


def _missing(spec: DeploymentSpec) -> str:
    names = [code(found.TARGET.name) for found in SCRIPTS if not taken_by(spec, found.TARGET)]
    return f"Not as {', '.join(names)}." if names else ""


def _row(script: ModuleType) -> tuple[str, str, str, str, str]:
    target: Target = script.TARGET
    return (
        code(Path(script.__file__ or "").name),
        code(f"…/{target.name}"),
        code(f"{target.pool.name}/{target.queue}"),
        code(short_reference(target.infrastructure)),
        f"{code(target.bucket)}, {code(target.warehouse)}",
    )
