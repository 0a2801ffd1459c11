"""What is deployed, one spec a deployment. Each target (Docker, local, GitHub, pool) takes all."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import settings  # noqa: F401 - puts flows/ on the path

from prefect import Flow
from prefect.client.schemas.schedules import CronSchedule

from schedules import COVID_DAILY, GREEN_DUE, ROW_GROUPS, TIDY, YELLOW_DUE


@dataclass(frozen=True)
class DeploymentSpec:
    """One deployment, whatever target it takes.

    Attributes:
        flow: module in flows/ and function.
        variant: what its name ends in, where a flow is deployed more than once.
        parameters: those that differ from the flow's own defaults.
        places: parameters that take the block that the target, or .env, says.
        folders: parameters that take a folder of the bucket, which that block is put before.
        schedule: when it runs by itself.
        about: what precedes the flow's own description.
        beside_agent: whether it runs as a process of the agent's machine whatever the target,
            because it looks at what else runs there.
        tag: to find it by in the UI. Its runs have it too, whatever parameters they are given.
    """

    flow: str
    variant: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)
    schedule: CronSchedule | None = None
    about: str = ""
    beside_agent: bool = False
    tag: str = "trips"

    def loaded(self) -> Flow[..., Any]:
        """The flow itself."""
        module, function = self.flow.split(":")
        found: Flow[..., Any] = getattr(import_module(module), function)
        return found

    def entrypoint(self) -> str:
        """Where the flow is, from the project's root."""
        module, function = self.flow.split(":")
        return f"flows/{module}.py:{function}"

    def description(self) -> str:
        """For the page of the deployment in the UI."""
        flows_own = inspect.cleandoc(self.loaded().fn.__doc__ or "").split("\n\nArgs:")[0]
        return f"{self.about}\n\n{flows_own}".strip()


_BOTH = ("bucket", "warehouse")
_DUE = {"months": "due", "source": "tlc"}

SPECS = (
    DeploymentSpec("etl_web_to_gcs:etl_web_to_gcs", places=("bucket",)),
    DeploymentSpec("etl_gcs_to_bq:etl_gcs_to_bq", places=_BOTH),
    DeploymentSpec("ingest_data:ingest_data"),
    DeploymentSpec(
        "parameterized_flow:etl_parent_flow",
        parameters={"color": "yellow", **_DUE},
        places=_BOTH,
        schedule=YELLOW_DUE,
        about="Yellow months that are new or changed, weekdays at 19:00 of New York.",
    ),
    DeploymentSpec(
        "parameterized_flow:etl_parent_flow",
        variant="-green",
        parameters={"color": "green", **_DUE},
        places=_BOTH,
        schedule=GREEN_DUE,
        about="Green months that are new or changed, weekdays at 19:15 of New York.",
    ),
    DeploymentSpec(
        "covid_monthly:covid_monthly", places=("bucket",), schedule=COVID_DAILY, tag="covid"
    ),
    DeploymentSpec("image_to_gif:image_to_gif", places=("bucket",), tag="images"),
    DeploymentSpec("month_report:month_report", places=("bucket",)),
    DeploymentSpec("drop_months:drop_months", places=_BOTH, tag="upkeep"),
    DeploymentSpec(
        "check_for_files:check_for_files",
        parameters={"skip_missing": True},  # its months may be yet to come
        folders={"source": "data/fhvhv", "sink": "row-groups/fhvhv"},
        schedule=ROW_GROUPS,
    ),
    DeploymentSpec("tidy_runs:tidy_runs", schedule=TIDY, beside_agent=True, tag="upkeep"),
)
