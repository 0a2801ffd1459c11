"""Runs that take the place of lost ones."""

from __future__ import annotations

import logging
from http import HTTPStatus

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError

#: Tag of a run started in place of a lost one. It is not started a third time: a run that crashes
#: its machine would do so forever, and its schedule starts a new run anyway.
AGAIN = "again"
#: Answers of a deployment that was deleted, or applied again without the parameters of the run.
_NOT_AGAIN = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
_LOG = logging.getLogger("trips")


async def start_again(client: PrefectClient, run: FlowRun) -> bool:
    """Start a lost run again, once, if it came from a deployment.

    Returns:
        Whether it was started; if its deployment refuses it, a line of the log says why.
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
        if error.response.status_code not in _NOT_AGAIN:
            raise
        _LOG.warning(
            "%s was not started again: its deployment is gone or does not accept its parameters "
            "any more (%s); apply the deployment again, then start the run",
            *(run.name, error.response.json().get("detail")),
        )
        return False
    return True
