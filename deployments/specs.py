"""Specs of all deployments, shared by all targets."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import settings  # noqa: F401 - puts flows/ on the path

from prefect import Flow
from prefect.client.schemas.schedules import CronSchedule

from core.errors import UsageError
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from schedules import CATALOG_DAILY, COVID_DAILY, ROW_GROUPS, TIDY, VERIFY_WEEKLY


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
        active: whether the schedule runs as soon as it is deployed; else somebody turns it on.
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
    active: bool = True
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


def _due(dataset: Dataset) -> DeploymentSpec:
    """Return the deployment of a dataset with a schedule: months that are new or changed."""
    schedule = dataset.declared.schedule
    assert schedule is not None  # noqa: S101 - only such datasets are asked
    try:
        times = CronSchedule(cron=schedule.cron, timezone=schedule.zone)
    except ValueError as error:  # the declaration has checked the line and the zone
        raise UsageError(
            f"{dataset.name}: Prefect does not know the time zone {schedule.zone!r} of the "
            "schedule; write an older name of it, such as Europe/Kiev for Europe/Kyiv, or use "
            "Python 3.12 or newer, with newer time zones"
        ) from error
    when = f"on the schedule {schedule.cron} of {schedule.zone}"
    return DeploymentSpec(
        "parameterized_flow:etl_parent_flow",
        variant="" if dataset.name == "yellow" else f"-{dataset.name}",
        parameters={"color": dataset.name, "months": "due", "source": schedule.source},
        places=_BOTH,
        schedule=times,
        active=schedule.active,
        about=f"{dataset.declared.title}: months that are new or changed, {when}.",
    )


def all_specs() -> tuple[DeploymentSpec, ...]:
    """Return the specs of all deployments.

    Raises:
        UsageError: a declaration is invalid, or Prefect does not know its time zone.
    """
    due = (_due(dataset) for dataset in DATASETS.values() if dataset.declared.schedule)
    return (*_SINGLE_MONTHS, *due, *_OTHERS)


_SINGLE_MONTHS = (
    DeploymentSpec("etl_web_to_gcs:etl_web_to_gcs", places=("bucket",)),
    DeploymentSpec("etl_gcs_to_bq:etl_gcs_to_bq", places=_BOTH),
    DeploymentSpec("ingest_data:ingest_data"),
)
_OTHERS = (
    DeploymentSpec(
        "covid_monthly:covid_monthly",
        places=("bucket",),
        schedule=COVID_DAILY,
        active=False,
        tag="covid",
    ),
    DeploymentSpec("image_to_gif:image_to_gif", places=("bucket",), tag="images"),
    DeploymentSpec("month_report:month_report", places=("bucket",)),
    DeploymentSpec("history:history", places=_BOTH),
    DeploymentSpec("drop_months:drop_months", places=_BOTH, tag="upkeep"),
    DeploymentSpec(
        "catalog:catalog", places=_BOTH, schedule=CATALOG_DAILY, active=False, tag="upkeep"
    ),
    DeploymentSpec(
        "verify:verify",
        parameters={"read_data": "10%"},
        places=_BOTH,
        schedule=VERIFY_WEEKLY,
        tag="upkeep",
    ),
    DeploymentSpec(
        "check_for_files:check_for_files",
        parameters={"skip_missing": True},  # its months may not be published yet
        folders={"source": "data/fhvhv", "sink": "row-groups/fhvhv"},
        schedule=ROW_GROUPS,
    ),
    DeploymentSpec("tidy_runs:tidy_runs", schedule=TIDY, beside_agent=True, tag="upkeep"),
)
