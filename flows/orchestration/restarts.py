"""Runs that take the place of lost ones."""

from __future__ import annotations

import logging
from http import HTTPStatus

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError

from orchestration.api_answers import reason_of

#: Tag of a run started in place of a lost one. It is not started a third time: a run that crashes
#: its machine would do so forever, and its schedule starts a new run anyway.
AGAIN = "again"
#: Statuses for a deployment that was deleted, or that does not accept the parameters of the run.
NOT_ACCEPTED = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_LOG = logging.getLogger("trips")


async def start_again(client: PrefectClient, run: FlowRun) -> bool:
    """Start a lost run again, once, if it came from a deployment.

    Returns:
        Whether it was started; if its deployment refuses it, a line of the log says why.

    Raises:
        TripsError: something other than Prefect's API answered, such as a proxy in front of it.
    """
    if run.deployment_id is None or AGAIN in run.tags:
        return False
    try:
        await client.create_flow_run_from_deployment(
            run.deployment_id,
            parameters=run.parameters,
            tags=[*run.tags, AGAIN],
            idempotency_key=f"{AGAIN}-{run.id}",  # idempotent if found twice
        )
    except PrefectHTTPStatusError as error:
        if error.response.status_code not in NOT_ACCEPTED:
            raise
        _LOG.warning(
            "%s was not started again: its deployment is gone or does not accept its parameters "
            "any more (%s); apply the deployment again, then start the run",
            *(run.name, reason_of(error)),
        )
        return False
    return True
