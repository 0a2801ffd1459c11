"""The months of a parent run and the engine that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.dask.cluster_spec import ClusterSpec
from core.errors import Remedy, UsageError
from engines.start_limit import start_limit
from monthly.plan import Plan

Name = Literal["threads", "dask", "agents"]
#: Months at a time: two keep two cores busy.
WORKERS = 2


@dataclass(frozen=True)
class EngineConfig:
    """Configuration of the engine that runs months.

    Attributes:
        name: threads, dask or agents.
        workers: months at a time: threads, processes of a local Dask cluster, or runs in flight.
        cluster: address of a Dask scheduler, or import path of a cluster class.
        cluster_options: arguments of that class, as JSON or as a dictionary.
        deployment: deployment of the parent flow, which agents run for each month; empty to
            find it.
    """

    name: Name = "threads"
    workers: int = WORKERS
    cluster: str = ""
    cluster_options: str | dict[str, Any] = "{}"
    deployment: str = ""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers {self.workers} is too few; write 1 or more")
        _ = self.spec, start_limit()  # refuse invalid ones before anything is planned
        self._refuse_options_of_others()

    def _refuse_options_of_others(self) -> None:
        """Refuse options of another engine: months would run elsewhere than intended."""
        for option, value, engine in (
            ("cluster", self.cluster, "dask"),
            ("cluster_options", self.spec.options, "dask"),
            ("deployment", self.deployment, "agents"),
        ):
            if value and self.name != engine:
                raise UsageError(
                    f"{option} {value!r} is for the engine {engine}, and this one is {self.name}",
                    f"leave {option} out",
                    Remedy("engine", engine),
                )

    @property
    def spec(self) -> ClusterSpec:
        """Return the Dask cluster.

        Raises:
            UsageError: the cluster or its options are invalid.
        """
        return ClusterSpec.of(self.cluster, self.cluster_options)


@dataclass(frozen=True)
class RunPlan:
    """Months that are new, changed or without a report, and how to run them.

    Attributes:
        plans: plans of the months, each with something to do.
        options: parameters of `etl_web_to_gcs` besides the month.
        warehouse: warehouse block; empty for the bucket alone.
        report: whether to draw each month's report once it is loaded, or if it is missing.
    """

    plans: Sequence[Plan]
    options: dict[str, Any]
    warehouse: str
    report: bool = True
