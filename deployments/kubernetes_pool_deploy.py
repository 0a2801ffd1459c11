"""Deploy the flows to a Kubernetes work pool, for workers, which replace agents in Prefect.

python deployments/kubernetes_pool_deploy.py --dry-run
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "blocks"))

from settings import Settings

from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import apply_values

with warnings.catch_warnings():
    # Prefect and this package have a block of the same name for a cluster's configuration.
    warnings.simplefilter("ignore", UserWarning)
    from prefect_kubernetes.worker import KubernetesWorker

from kubernetes_deploy import TARGET as AGENTS
from kubernetes_deploy import main_of
from orchestration.exit_codes import ExitCode
from saved_blocks import loaded
from specs import DeploymentSpec
from targets import Target
from work_pool_deploy import apply_to_pool

#: Variables that Prefect's template lacks, each with its path in the manifest.
_OWN = {
    "backoff_limit": ("spec", "backoffLimit"),
    "pod_security": ("spec", "template", "spec", "securityContext"),
    "volumes": ("spec", "template", "spec", "volumes"),
    "resources": ("spec", "template", "spec", "containers", 0, "resources"),
    "security": ("spec", "template", "spec", "containers", 0, "securityContext"),
    "secrets": ("spec", "template", "spec", "containers", 0, "envFrom"),
    # Prefect puts the variables of the run before these.
    "secret_keys": ("spec", "template", "spec", "containers", 0, "env"),
    "volume_mounts": ("spec", "template", "spec", "containers", 0, "volumeMounts"),
}


def template() -> dict[str, Any]:
    """Return Prefect's job template, with a variable for each setting of the agents' block.

    The pool is created once; values from `.env` go into the variables of each deployment.
    """
    found: dict[str, Any] = copy.deepcopy(KubernetesWorker.get_default_base_job_template())
    for name, place in _OWN.items():
        found["variables"]["properties"][name] = {"title": name}
        part: Any = found["job_configuration"]["job_manifest"]
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = f"{{{{ {name} }}}}"
    return found


TARGET = replace(
    AGENTS,
    name="kubernetes-pool-flow",
    pool=WorkPoolCreate(
        name="zoom-kubernetes",
        type=KubernetesWorker.type,
        description="Deployments run as jobs of a Kubernetes cluster by workers.",
        base_job_template=template(),
    ),
    queue="default",
)


def variables_of(job: Any) -> dict[str, Any]:
    """Convert the Kubernetes block to the job variables of a work pool."""
    own = {}
    for name, place in _OWN.items():
        part: Any = job.job
        for key in place:
            part = part[key]
        own[name] = part
    return {
        "image": job.image,
        "image_pull_policy": job.image_pull_policy.value,
        "namespace": job.namespace,
        "service_account_name": job.service_account_name,
        "finished_job_ttl": job.finished_job_ttl,
        "stream_output": job.stream_output,
        "command": " ".join(job.command),
        "env": job.env,
        **own,
    }


def apply(row: DeploymentSpec, target: Target, settings: Settings) -> None:
    """Create or replace the deployment, including its schedule."""
    apply_to_pool(row, target, settings, variables_of(loaded(target.infrastructure)))


def manifest(job: Any) -> dict[str, Any]:
    """Return the job that a worker creates, without the run's name, labels and variables."""
    form = template()["job_configuration"]["job_manifest"]
    values = {"name": "prefect-job", "labels": {}, **variables_of(job)}
    found: Any = apply_values(form, values, remove_notset=True)
    # Workers split the command themselves.
    found["spec"]["template"]["spec"]["containers"][0]["args"] = job.command
    return dict(found)


def main(arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the command; `--dry-run` prints the manifest of the jobs first."""
    return main_of(TARGET, manifest, arguments, apply)


if __name__ == "__main__":
    sys.exit(main())
