"""The catalog as people run it: text, page, JSON and metrics."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import catalog as flow_file
from fakes.in_process import Commands
from test_flows import publish, source

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

DATASET = {
    "dataset",
    "title",
    "first_month",
    "newest_month",
    "months_behind",
    "gaps",
    "rows",
    "rows_rejected",
    "bytes",
    "converted_at",
    "loaded_at",
    "counts",
    "fault",
    "months",
}
MONTH = {
    "month",
    "mark",
    "rows",
    "rows_rejected",
    "bytes",
    "url",
    "generated",
    "converted_at",
    "corrections",
    "pinned_at",
    "held",
    "in_warehouse",
    "loaded_at",
    "stale",
    "fault",
}


def page() -> str:
    """Return the artifact of the newest run."""
    from prefect import get_client
    from prefect.client.schemas.filters import ArtifactCollectionFilter

    async def newest() -> Any:
        async with get_client() as client:
            which = ArtifactCollectionFilter.parse_obj({"key": {"any_": ["catalog"]}})
            (found,) = await client.read_latest_artifacts(artifact_filter=which)
            return found.data

    return str(asyncio.run(newest()))


def test_a_person_sees_a_table_a_grid_and_the_faults(place: Path, command: Commands) -> None:
    """Text, UI page, JSON and metrics show the same months."""
    from parameterized_flow import etl_parent_flow

    for month in ("2020-10", "2020-12"):
        publish(place, month, ["1", "2"])
    load: Any = etl_parent_flow
    load("green", months="2020-10,2020-12", source=source(place), report=False)
    (place / "bucket/ledger/green/green_tripdata_2021-01.json").write_text("broken")
    show = partial(command, flow_file.catalog, show=flow_file.shown, record=flow_file.record)
    said = show("--metrics", str(place / "catalog.prom"))
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[2].split()[:6] == ["green", "3", "2020-10", "2021-01", "4", "0"]
    assert "1 missing, 1 unreadable" in lines[2]
    assert "yellow" not in said.out
    assert ["2020", "+", ".", "+"] in [line.split() for line in lines]
    assert ["2021", "!"] in [line.split() for line in lines]
    assert lines[-1].startswith("green 2021-01: unreadable: ")
    assert "| 2020 |" in page()
    text = (place / "catalog.prom").read_text()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    assert {s.value for s in samples if s.name == "monthly_files_rows"} == {4.0}
    assert {s.labels["warehouse"] for s in samples} == {str(place / "trips.duckdb")}

    found = json.loads(show("--json").out)
    assert (found["exit_code"], found["bucket"]) == (0, str(place / "bucket"))
    (green,) = found["datasets"]
    assert set(green) == DATASET
    assert all(set(month) == MONTH for month in green["months"])
    assert [(m["month"], m["mark"], m["in_warehouse"]) for m in green["months"]] == [
        ("2020-10", "good", True),
        ("2020-12", "good", True),
        ("2021-01", "unreadable", False),
    ]
    assert (green["gaps"], green["rows"]) == (["2020-11"], 4)

    every = json.loads(show("--json", "--all", "--warehouse", "").out)
    assert {"yellow", "fhv"} < {each["dataset"] for each in every["datasets"]}
    assert every["warehouse"] is None
    one = json.loads(show("--json", "--color", "yellow").out)
    assert [(each["dataset"], each["months"]) for each in one["datasets"]] == [("yellow", [])]


def test_it_is_deployed_and_runs_by_itself_once_somebody_turns_it_on() -> None:
    """The deployment uses the places that .env names, and the flow's description."""
    from specs import all_specs

    (spec,) = [spec for spec in all_specs() if spec.loaded() is flow_file.catalog]
    assert spec.places == ("bucket", "warehouse")
    assert spec.schedule
    assert not spec.active
    assert spec.description().startswith("Show what is stored: ")


def test_dbt_gets_the_datasets_that_have_months(place: Path, command: Commands) -> None:
    from parameterized_flow import etl_parent_flow

    publish(place, "2020-10", ["1", "2"])
    load: Any = etl_parent_flow
    load("green", months="2020-10", source=source(place), report=False)
    said = command(flow_file.catalog, "--dbt", str(place / "models"))
    assert said.code == 0
    assert "dbt: " in said.log
    assert {path.name for path in (place / "models").iterdir()} == {
        *("sources.yml", "zoomcamp.yml", "green_tripdata.sql")
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dbt", "models", "--warehouse", ""], "dbt reads a warehouse"),
        (["--dbt", __file__], "is a file; name a folder"),
    ],
)
def test_dbt_needs_a_folder_and_a_warehouse(
    options: list[str], message: str, place: Path, command: Commands
) -> None:
    said = command(flow_file.catalog, *options)
    assert said.code == 2
    assert message in said.err


def test_a_folder_is_refused_as_metrics_file(place: Path, command: Commands) -> None:
    said = command(flow_file.catalog, "--metrics", str(place))
    assert said.code == 2
    assert "is a folder; name a file in it" in said.err
    assert not (place / "bucket").exists()
