"""Finds deployments of datasets that no declaration schedules any more."""

from __future__ import annotations

from collections.abc import Collection

import settings  # noqa: F401 - puts flows/ on the path

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
)
from prefect.client.schemas.responses import DeploymentResponse

#: The flow that loads the due months of a dataset.
_FLOW = "etl-parent-flow"
#: As many as the API returns at once.
_PAGE = 200


async def still_scheduled(target: str, applied: Collection[str]) -> list[str]:
    """Return the deployments of a target that run on a schedule but were not applied.

    Args:
        target: the name of the target, with which the names of its deployments begin.
        applied: what was applied, as `flow/deployment`.
    """
    flow = FlowFilter(name=FlowFilterName(any_=[_FLOW]))
    like = DeploymentFilter(name=DeploymentFilterName(like_=target))  # anywhere in the name
    found: list[DeploymentResponse] = []
    async with get_client() as client:
        while page := await client.read_deployments(
            flow_filter=flow, deployment_filter=like, limit=_PAGE, offset=len(found)
        ):
            found += page
    active = [each.name for each in found if any(s.active for s in each.schedules)]
    ours = [name for name in active if name == target or name.startswith(f"{target}-")]
    return sorted({f"{_FLOW}/{name}" for name in ours} - {*applied})
