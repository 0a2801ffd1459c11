"""Save the block of the Kubernetes job that runs a deployment, and the data on its volume."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from settings import Settings

from prefect.infrastructure import KubernetesJob
from prefect.infrastructure.kubernetes import KubernetesImagePullPolicy
from prefect.utilities.pydantic import JsonPatch

import flow_variables
from block_specs import Blocks, BlockSpec, main
from make_docker_block import DATA, JSON_LOG, check_volume, volume_blocks

#: The name of a namespace (an RFC 1123 label), and that of other objects, such as secrets (a DNS
#: subdomain), as Kubernetes checks them.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_AMOUNT = re.compile(r"(cpu|memory|ephemeral-storage)=[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_REFERENCE = re.compile(rf"[A-Za-z_]\w*={_NAME.pattern}/[-._A-Za-z0-9]+")
_POLICIES = [policy.value for policy in KubernetesImagePullPolicy]
#: The user of the Dockerfile, who must not become root.
_USER = 1000
#: Seconds that Kubernetes keeps the job and the log of an ended run.
_KEPT = 86_400
#: Fields that Prefect's manifest has in the pod, where Kubernetes has no such fields.
_MISPLACED = ("parallelism", "completions")


def blocks(settings: Settings) -> Blocks:
    """Yield the job, and the bucket and warehouse on its volume if it has one."""
    policy = settings.get("KUBERNETES_IMAGE_PULL_POLICY", "IfNotPresent")
    if policy not in _POLICIES:
        raise settings.wrong(
            "KUBERNETES_IMAGE_PULL_POLICY", f"is {policy!r}, not one of {', '.join(_POLICIES)}"
        )
    # Deprecated in favor of Prefect 3's workers, but Prefect 2 agents still run this block.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        job = KubernetesJob(
            image=settings.image("KUBERNETES_IMAGE"),
            image_pull_policy=KubernetesImagePullPolicy(policy),
            namespace=settings.matching("KUBERNETES_NAMESPACE", _LABEL, "default"),
            service_account_name=settings.matching("KUBERNETES_SERVICE_ACCOUNT", _NAME) or None,
            env=_environment(settings),
            # Prefect's default command starts a second Prefect there, just to cancel the first.
            command=["python", "-m", "prefect.engine"],
            job=_manifest(settings),
            customizations=JsonPatch(
                [{"op": "remove", "path": f"/spec/template/spec/{f}"} for f in _MISPLACED]
            ),
            finished_job_ttl=_KEPT,
            # As with processes: a killed agent must not take the run's output with it.
            stream_output=False,
        )
    yield "zoom-kubernetes", job
    if job.job["spec"]["template"]["spec"]["volumes"]:
        yield from volume_blocks()


def _environment(settings: Settings) -> dict[str, str | None]:
    # Without it, the agent's own PREFECT_HOME would apply in the container.
    own: dict[str, str | None] = {"PREFECT_HOME": "/opt/prefect/home"}
    own |= JSON_LOG if settings.get("TRIPS_LOG") == "json" else {}
    own |= flow_variables.variables(settings)
    # An agent hands on its own PREFECT_API_KEY, which anybody who may read jobs would see.
    return own | {reference["name"]: None for reference in _references(settings)}


def _manifest(settings: Settings) -> dict[str, Any]:
    """Return the job without what the block adds: image, command, namespace and environment."""
    volume = settings.matching("KUBERNETES_VOLUME", _NAME)
    secrets = settings.parts("KUBERNETES_SECRETS", _NAME)
    container = {
        "name": "prefect-job",
        "env": list(_references(settings)),
        "envFrom": [{"secretRef": {"name": name}} for name in secrets],
        "resources": _resources(settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "data", "mountPath": DATA}] if volume else [],
    }
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": volume}}
    pod = {
        **dict.fromkeys(_MISPLACED, 1),  # the block refuses a manifest without them
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "fsGroup": _USER,  # it may write to the volume
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [claim] if volume else [],
    }
    # Kubernetes would restart a failed run six times, each time from the beginning.
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"labels": {}}, "spec": spec}


def _resources(settings: Settings) -> dict[str, dict[str, str]]:
    requests = settings.parts("KUBERNETES_REQUESTS", _AMOUNT, "cpu=500m,memory=512Mi")
    limits = settings.parts("KUBERNETES_LIMITS", _AMOUNT, "memory=2Gi")
    named = {"requests": requests, "limits": limits}
    return {kind: dict(part.split("=") for part in parts) for kind, parts in named.items()}


def _references(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the variables whose values are keys of secrets; no value passes through Prefect."""
    for part in settings.parts("KUBERNETES_SECRET_KEYS", _REFERENCE):
        variable, _, place = part.partition("=")
        secret, _, key = place.partition("/")
        yield {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def check(block: KubernetesJob) -> str:
    """Ask the cluster for the jobs of the namespace, as an agent does."""
    block._configure_kubernetes_library_client()
    with block.get_batch_client() as client:
        found = client.list_namespaced_job(block.namespace, limit=1, _request_timeout=10)
    return f"the cluster answers; namespace {block.namespace} has {len(found.items) or 'no'} jobs"


SPEC = BlockSpec(
    ("KUBERNETES_IMAGE",),
    blocks,
    {
        "kubernetes-job/zoom-kubernetes": check,
        "local-bucket/zoom-volume": check_volume,
        "duckdb-warehouse/zoom-volume": check_volume,
    },
)

if __name__ == "__main__":
    sys.exit(main([SPEC]))
