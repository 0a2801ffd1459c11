"""Specs of all deployments, shared by the targets (Docker, local, GitHub, pool)."""

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
    """One deployment, independent of the target.

    Attributes:
        flow: module in flows/ and function.
        variant: suffix of the name, where a flow is deployed more than once.
        parameters: values that differ from the flow's own defaults.
        places: parameters set to the block that .env or the target names.
        folders: parameters set to a folder of the bucket, prefixed with the bucket's block.
        schedule: when it runs automatically.
        about: text that precedes the flow's own description.
        beside_agent: whether it always runs as a process on the agent's machine, whatever the
            target, because it inspects what else runs there.
        tag: for filtering in the UI. Its runs have it too, whatever their parameters.
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
        """Import and return the flow."""
        module, function = self.flow.split(":")
        found: Flow[..., Any] = getattr(import_module(module), function)
        return found

    def entrypoint(self) -> str:
        """Return the flow's entrypoint, relative to the project's root."""
        module, function = self.flow.split(":")
        return f"flows/{module}.py:{function}"

    def description(self) -> str:
        """Return the description for the deployment's page in the UI."""
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
        parameters={"skip_missing": True},  # its months may not be published yet
        folders={"source": "data/fhvhv", "sink": "row-groups/fhvhv"},
        schedule=ROW_GROUPS,
    ),
    DeploymentSpec("tidy_runs:tidy_runs", schedule=TIDY, beside_agent=True, tag="upkeep"),
)
