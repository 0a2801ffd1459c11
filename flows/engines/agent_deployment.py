"""The deployment whose runs load the months on agents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowFilter
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import deployment as own
from prefect.settings import PREFECT_API_URL

from core.errors import Advice, Remedy, UsageError
from engines.run_plan import RunPlan
from monthly.month import Month
from orchestration.api_answers import reason_of
from orchestration.restarts import NOT_ACCEPTED

FLOW = "etl-parent-flow"


async def chosen_deployment(client: PrefectClient, name: str) -> str:
    """Return the named deployment, else that of this run, else the only one there is.

    Raises:
        UsageError: there is no such deployment, or there are several.
    """
    if name and not name.startswith(f"{FLOW}/"):
        raise UsageError(f"deployment {name!r} does not belong to {FLOW}; write {FLOW}/NAME")
    found = await client.read_deployments(
        flow_filter=FlowFilter.parse_obj({"name": {"any_": [FLOW]}}),
    )
    names = {deployment.id: f"{FLOW}/{deployment.name}" for deployment in found}
    if name in names.values():
        return name
    if not name and own.id and UUID(own.id) in names:
        return names[UUID(own.id)]
    if not name and len(names) == 1:
        return names.popitem()[1]
    what = f"there is no deployment {name!r}" if name else "no deployment was named"
    server = PREFECT_API_URL.value() or "not set, so none runs"
    there: list[Advice] = [Remedy("deployment", each) for each in sorted(names.values())]
    raise UsageError(
        f"{what} (PREFECT_API_URL, the server of agents, is {server})",
        *(there or ["apply deployments/local_deploy.py"]),
    )


def parameters_of(month: Month, work: RunPlan) -> dict[str, Any]:
    """Return the parameters that vary by month or run; the deployment sets the rest."""
    return {
        **work.options,
        "report": work.report,
        "color": month.dataset,
        "months": month.year_month,
        "warehouse": work.warehouse,
        "plan": False,
        "engine": "threads",
        "cluster": "",
        "cluster_options": {},
        "deployment": "",
    }


@contextmanager
def refusals_named(deployment: str) -> Iterator[None]:
    """Convert the server's error for a deployment that is gone or refuses the parameters."""
    try:
        yield
    except (ObjectNotFound, PrefectHTTPStatusError) as error:
        answer: Any = error.http_exc if isinstance(error, ObjectNotFound) else error
        if answer.response.status_code not in NOT_ACCEPTED:
            raise
        raise UsageError(
            f"{deployment} does not accept this run ({reason_of(answer)}); if it is gone, or was "
            "applied before a dataset was declared or the code was changed, apply it again: "
            "python deployments/local_deploy.py, or the script of its target"
        ) from error
