"""flows/verify.py as a command and as a flow, with each kind of bucket and warehouse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import stacks
from fakes.google import Google
from fakes.in_process import Commands
from fakes.postgres import Database
from fakes.s3 import S3, block
from fakes.stacks import OCTOBER, Stack
from monthly.ledger import report_key

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


def verify_with(stack: Stack, bucket: str, warehouse: str, **options: Any) -> Any:
    from verify import verify

    places = {"color": "green", "bucket": bucket, "warehouse": warehouse}
    call: Any = verify
    return call(**places, **options, return_state=True)


def test_a_command_verifies_shows_and_repairs(
    tmp_path: Path, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 0 if all is good, else 1; the table names month, fault and repair."""
    from verify import record, shown, verify

    monkeypatch.chdir(tmp_path)
    places = ("--color", "green", "--bucket", "./bucket", "--warehouse", "./trips.duckdb")
    with stacks.local(tmp_path) as stack:
        stack.fill()
        said = command(verify, *places, show=shown)
        assert said.code == 0
        assert said.out.splitlines()[2].split()[:3] == ["green", "2020-10", "good"]
        stacks.object_deleted(stack)
        stacks.rows_deleted(stack)
        told = command(verify, *places, "--repair", "--plan", show=shown)
        assert told.code == 1
        assert "object missing: bucket/data/green/" in told.out
        assert "fetch again, then reload from the bucket, then redraw the report" in told.out
        assert told.err.splitlines()[-1] == "Error: 1 good, 1 faulty of 2 months"
        assert len(stack.faults()) == 2
        done = command(verify, *places, "--repair", "--json", record=record)
        months = json.loads(done.out)["months"]
        assert done.code == 0
        assert [month["repaired"] for month in months] == [True, False]
        assert [month["verdict"] for month in months] == ["good", "good"]
        assert stack.faults() == []
        assert b"<html" in stack.get(report_key(OCTOBER)).lower()


def test_a_failed_check_ends_with_code_2(tmp_path: Path, command: Commands) -> None:
    from verify import shown, verify

    with stacks.local(tmp_path) as stack:
        stack.fill()
    (tmp_path / "trips.duckdb").write_bytes(b"not a database" * 1000)
    bucket, warehouse = str(tmp_path / "bucket"), str(tmp_path / "trips.duckdb")
    places = ("--color", "green", "--bucket", bucket, "--warehouse", warehouse)
    said = command(verify, *places, show=shown)
    assert said.code == 2
    assert "not checked" in said.out
    assert "cannot be opened" in said.out
    assert "Error: 2 not checked of 2 months" in said.err.splitlines()


def test_months_without_a_dataset_are_refused(command: Commands) -> None:
    from verify import verify

    said = command(verify, "--months", "2020-01")
    assert said.code == 2
    assert "months needs one dataset" in said.err


def test_a_flow_repairs_s3_and_postgres(s3: S3, database: Database, tmp_path: Path) -> None:
    with stacks.s3_and_postgres(tmp_path, s3, database) as stack:
        stack.fill()
        found = block(s3.url, "verified")
        found.credentials.save("verified", overwrite=True)
        found.save("verified", overwrite=True)
        database.block().save("verified", overwrite=True)
        stacks.entry_deleted(stack)
        stacks.partition_detached(stack)
        places = ("s3-bucket/verified", "sqlalchemy-connector/verified")
        assert verify_with(stack, *places).name == "Faulty"
        assert verify_with(stack, *places, repair=True).name == "Repaired"
        assert verify_with(stack, *places, read_data="100%").name == "Verified"


def test_a_flow_repairs_cloud_storage_and_bigquery(google: Google, tmp_path: Path) -> None:
    from prefect_gcp import GcpCredentials
    from prefect_gcp.bigquery import BigQueryWarehouse
    from prefect_gcp.cloud_storage import GcsBucket

    with stacks.of_google(tmp_path, google) as stack:
        stack.fill()
        account = GcpCredentials()
        blocks: list[Any] = [
            GcsBucket(bucket="taxi", bucket_folder="zoom", gcp_credentials=account),
            BigQueryWarehouse(gcp_credentials=account),
        ]
        for each in blocks:
            each.save("verified", overwrite=True)
        stacks.object_of_november(stack)
        stacks.value_changed(stack)
        places = ("gcs-bucket/verified", "bigquery-warehouse/verified")
        assert verify_with(stack, *places).name == "Faulty"
        assert verify_with(stack, *places, repair=True).name == "Repaired"
        assert verify_with(stack, *places, read_data="100%").name == "Verified"
