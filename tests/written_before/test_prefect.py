"""Blocks and deployments that 1.0.0 and 1.1.0 saved in Prefect go on working.

`blocks.json` has the documents that `blocks/make_blocks.py` saved, those of this project's own
types with the schema of that version; `$ref` names a block that another one refers to.
`deployments.json` has what the scripts in `deployments/` applied: each flow with its entrypoint
and the defaults of its form, and each deployment with its parameters and schedules.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow, get_client
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    BlockDocumentCreate,
    BlockSchemaCreate,
)
from prefect.exceptions import ObjectNotFound
from prefect.filesystems import GitHub
from prefect.infrastructure.container import DockerContainer
from prefect.infrastructure.process import Process
from prefect.utilities.importtools import import_object
from prefect_aws import AwsCredentials
from prefect_aws.s3 import S3Bucket
from prefect_sqlalchemy import SqlAlchemyConnector

import docker_deploy
import github_deploy
import local_deploy
import work_pool_deploy
from core.storage.bucket import FolderBucket
from core.storage.s3 import S3Store
from monthly.warehouses.duckdb import DuckDBFile
from orchestration.block_registry import opened_bucket, opened_postgres, opened_warehouse
from specs import all_specs
from targets import name_of, taken_by

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

HERE = Path(__file__).parent
FLOWS = HERE.parents[1]
TARGETS = (
    docker_deploy.TARGET,
    github_deploy.TARGET,
    local_deploy.TARGET,
    work_pool_deploy.TARGET,
)
CLASSES: dict[str, Any] = {
    "aws-credentials": AwsCredentials,
    "custom-webhook": CustomWebhookNotificationBlock,
    "docker-container": DockerContainer,
    "github": GitHub,
    "process": Process,
    "s3-bucket": S3Bucket,
    "sqlalchemy-connector": SqlAlchemyConnector,
}


@pytest.fixture(params=["1_0_0", "1_1_0"])
def by(request: pytest.FixtureRequest) -> Path:
    """Return the folder of what a version wrote."""
    return HERE / f"by_{request.param}"


# ---- blocks


@pytest.fixture
def saved(by: Path, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Save the documents of a version, with its folders in this test's; return their data."""
    text = (by / "blocks.json").read_text()
    for folder in ("/home/you/flows", "/opt/prefect/data"):
        text = text.replace(folder, str(tmp_path))
    records = json.loads(text)
    asyncio.run(_delete(records))  # documents that other tests have saved under these names
    try:
        asyncio.run(_save(records))
        yield {name_of_block(record): record["data"] for record in records}
    finally:
        asyncio.run(_delete(records))


def name_of_block(record: dict[str, Any]) -> str:
    """Return the name as flows take it."""
    return f"{record['type']}/{record['name']}"


async def _save(records: list[dict[str, Any]]) -> None:
    ids: dict[str, Any] = {}
    async with get_client() as client:
        for record in records:
            kind, schema = await _registered(client, record)
            data = {name: _with_id(value, ids) for name, value in record["data"].items()}
            document = await client.create_block_document(
                BlockDocumentCreate(
                    name=record["name"], data=data, block_type_id=kind, block_schema_id=schema
                )
            )
            ids[name_of_block(record)] = document.id


def _with_id(value: Any, ids: dict[str, Any]) -> Any:
    """Return the value, with references to other documents as Prefect writes them."""
    refers = isinstance(value, dict) and "$ref" in value
    return {"$ref": {"block_document_id": str(ids[value["$ref"]])}} if refers else value


async def _registered(client: PrefectClient, record: dict[str, Any]) -> tuple[Any, Any]:
    """Return the ids of type and schema; the project's own types have that version's schema."""
    if record["type"] in CLASSES:
        found = CLASSES[record["type"]]
        await found.register_type_and_schema(client=client)
        return found._block_type_id, found._block_schema_id
    fields = record["fields"]
    own = import_object(f"orchestration.embedded_blocks.{fields['title']}")
    await own.register_type_and_schema(client=client)  # as the next start of a flow does
    kind = await client.read_block_type_by_slug(record["type"])
    schema = await client.create_block_schema(
        BlockSchemaCreate(fields=fields, block_type_id=kind.id, capabilities=record["capabilities"])
    )
    return kind.id, schema.id


async def _delete(records: list[dict[str, Any]]) -> None:
    async with get_client() as client:
        for record in reversed(records):
            with suppress(ObjectNotFound):
                block = await client.read_block_document_by_name(record["name"], record["type"])
                await client.delete_block_document(block.id)


def loaded(name: str) -> Any:
    """Return a saved block of one of Prefect's types."""
    kind, _, document = name.partition("/")
    return CLASSES[kind].load(document)


def test_flows_open_older_blocks(saved: dict[str, Any], tmp_path: Path) -> None:
    for name in ("local-bucket/zoom", "local-bucket/zoom-volume"):
        opened = opened_bucket(name)
        assert (opened.used, opened.origin) == (
            FolderBucket(Path(saved[name]["folder"])),
            "saved block",
        )
    for name in ("duckdb-warehouse/zoom", "duckdb-warehouse/zoom-volume"):
        assert opened_warehouse(name).used == DuckDBFile(Path(saved[name]["path"]), "1GB")
    assert isinstance(opened_bucket("s3-bucket/zoom-s3").used, S3Store)
    info = saved["sqlalchemy-connector/zoom-postgres"]["connection_info"]
    place = f"{info['host']}:{info['port']}/{info['database']}"
    assert opened_postgres("sqlalchemy-connector/zoom-postgres").used.name() == place


def test_agents_and_notifications_load_older_blocks(saved: dict[str, Any]) -> None:
    assert loaded("docker-container/zoom-docker").image == "zoom-flows:1"
    assert loaded("github/zoom-github").repository == "https://github.com/you/flows"
    for name in ("process/zoom-local", "process/zoom-fetched"):
        assert loaded(name).env == saved[name]["env"]
    notify = loaded("custom-webhook/zoom-notify")
    assert notify.secrets.get_secret_value() == saved["custom-webhook/zoom-notify"]["secrets"]


# ---- deployments


@pytest.fixture
def applied(by: Path) -> dict[str, Any]:
    """Return the deployments of a version."""
    found: dict[str, Any] = json.loads((by / "deployments.json").read_text())
    assert found["flows"]
    assert found["deployments"]
    return found


def flow_at(entrypoint: str) -> Flow[..., Any]:
    """Return the flow that an agent would load."""
    path, _, name = entrypoint.partition(":")
    assert (FLOWS / path).is_file()
    flow: Flow[..., Any] = import_object(f"{Path(path).stem}.{name}")
    return flow


def test_entrypoints_lead_to_the_flows_of_the_same_names(applied: dict[str, Any]) -> None:
    for name, flow in applied["flows"].items():
        assert flow_at(flow["entrypoint"]).name == name


def test_flows_accept_what_older_forms_send(applied: dict[str, Any]) -> None:
    """The UI sends the defaults that were saved with a deployment."""
    for flow in applied["flows"].values():
        found = flow_at(flow["entrypoint"]).validate_parameters(flow["defaults"])
        assert found.keys() == flow["defaults"].keys()


def test_flows_accept_the_parameters_of_each_deployment(applied: dict[str, Any]) -> None:
    """A scheduled run has only those."""
    for deployment in applied["deployments"]:
        flow = applied["flows"][deployment["name"].partition("/")[0]]
        flow_at(flow["entrypoint"]).validate_parameters(deployment["parameters"])


def test_deployments_are_applied_under_the_same_names(applied: dict[str, Any]) -> None:
    """Applying them again replaces each one; another name would run its schedule twice."""
    today = {
        name_of(spec, target)
        for target in TARGETS
        for spec in all_specs()
        if taken_by(spec, target)
    }
    assert {deployment["name"] for deployment in applied["deployments"]} <= today
