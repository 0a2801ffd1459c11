"""The catalog: what the bucket and the warehouse contain, by dataset and month.

python flows/catalog.py
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from core.errors import UsageError
from core.storage.bucket import Bucket
from monthly.catalog.contents import Catalog, DatasetLine
from monthly.catalog.dbt import write_dbt
from monthly.catalog.metrics import write_metrics
from monthly.catalog.reading import read_catalog
from monthly.catalog.record import catalog_record
from monthly.catalog.words import catalog_markdown, catalog_text
from monthly.datasets import DATASETS
from monthly.month import Color
from monthly.warehouses import Warehouse
from orchestration import cli
from orchestration.artifacts import show_catalog
from orchestration.block_registry import BUCKET, WAREHOUSE, folder_of, opened_places
from orchestration.flow_results import plain_failures
from orchestration.notifications import NOTICES
from orchestration.paths import lasting
from orchestration.retries import RETRIES
from orchestration.stages import stage


@task(name="read", **RETRIES)
@stage
def read(
    bucket: Bucket, warehouse: Warehouse | None, datasets: list[str], today: dt.date
) -> list[DatasetLine]:
    """List the bucket and the warehouse, and read the ledger entries."""
    return read_catalog(bucket, warehouse, datasets, today)


@flow(name="catalog", flow_run_name="catalog", **NOTICES)
@plain_failures
def catalog(
    color: Color | None = None,
    bucket: str = BUCKET,
    warehouse: str = WAREHOUSE,
    all: bool = False,
    metrics: str = "",
    dbt: str = "",
) -> State[Catalog]:
    """Show what is stored: months, rows, gaps, corrections, and how fresh each dataset is.

    Each dataset has a grid with years down and months across. The run reads listings and ledger
    entries; it reads no data and writes nothing to bucket or warehouse.

    Args:
        color: Dataset, by the name of its declaration; empty for all that have months.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
        warehouse: Block of the warehouse, as TYPE/NAME, or a DuckDB file; empty for the bucket
            alone.
        all: Also show datasets without months.
        metrics: File to write metrics to, in Prometheus's text format; empty for none.
        dbt: Folder to write dbt's sources to, and views under the names of the published files;
            empty for none.
    """
    file, models = _metrics_file(metrics), _dbt_folder(dbt, warehouse)
    store, target = opened_places(bucket, warehouse)
    now = dt.datetime.now(dt.timezone.utc)
    lines = read(store, target, [color] if color else list(DATASETS), now.date())
    shown = tuple(line for line in lines if line.months or line.fault or all or color)
    found = Catalog(folder_of(store), target.name() if target else "", now, shown)
    show_catalog(catalog_markdown(found))
    if file:
        write_metrics(found, file)
        get_run_logger().info("metrics: %s", file)
    if models and target:
        there = [DATASETS[line.dataset] for line in shown if not line.fault]
        for path in write_dbt(models, there, target):
            get_run_logger().info("dbt: %s", path)
    return Completed(message=f"datasets: {len(shown)}, months: {found.months}", data=found)


def _metrics_file(name: str) -> Path | None:
    """Return the path of the metrics, None for none.

    Raises:
        UsageError: it is a folder, or would be lost with the folder that a deployment runs in.
    """
    if not name:
        return None
    path = lasting(name)
    if path.is_dir():
        raise UsageError(f"metrics {path} is a folder; name a file in it, such as catalog.prom")
    return path


def _dbt_folder(name: str, warehouse: str) -> Path | None:
    """Return the path of the folder for dbt's files; None if none is named.

    Raises:
        UsageError: no warehouse is given, the path is a file, or the folder would be lost with the
            one that a deployment runs in.
    """
    if not name:
        return None
    path = lasting(name)
    if not warehouse:
        raise UsageError("dbt reads a warehouse; name one along with the folder for its sources")
    if path.is_file():
        raise UsageError(f"dbt {path} is a file; name a folder, such as models/staging")
    return path


def shown(found: Any) -> str:
    """Return the result as text."""
    return catalog_text(found)


def record(found: Any) -> dict[str, Any]:
    """Return the result as fields of a JSON object."""
    return catalog_record(found)


if __name__ == "__main__":
    cli.run(catalog, shown, record=record)
