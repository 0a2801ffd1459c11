"""dbt's sources and views; in the slow tests dbt itself reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import StorageError
from fakes.entries import entry_of
from fakes.postgres import Database
from monthly.catalog.dbt import dbt_files, published_name, write_dbt
from monthly.columns import Column
from monthly.convert.to_parquet import convert
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.sample import write_sample
from monthly.warehouses import Warehouse
from monthly.warehouses.duckdb import DuckDBFile
from monthly.warehouses.postgres_connection import postgres_at

#: Python of dbt's environment, which the Makefile creates from dev/readers-requirements.txt.
PYTHON = Path(sys.prefix, "readers", "bin", "python")
#: Runs dbt commands one after another in one process, which imports dbt once.
_COMMANDS = """
import json, sys
from dbt.cli.main import dbtRunner
for command in json.loads(sys.argv[1]):
    ended = dbtRunner().invoke(["--no-version-check", *command, "--profiles-dir", "."])
    if not ended.success:
        sys.exit(f"dbt {command} failed: {ended.exception}")
"""
TAXIS = [DATASETS["yellow"], DATASETS["green"]]
MONTHS = (Month("yellow", 2012, 3), Month("yellow", 2021, 1), Month("green", 2021, 1))
ROWS = 500
#: As in the zoomcamp's project: the source and its tables, and unquoted columns.
STAGING = """
with trips as (
    select *, row_number() over (partition by vendorid, {pickup}) as rn
    from {{{{ source('staging', '{table}') }}}}
    where vendorid is not null
)
select
    cast(vendorid as integer) as vendorid,
    cast(ratecodeid as integer) as ratecodeid,
    cast(pulocationid as integer) as pickup_locationid,
    cast({pickup} as timestamp) as pickup_datetime,
    store_and_fwd_flag,
    cast(total_amount as numeric) as total_amount,
    cast(payment_type as integer) as payment_type
from trips
where rn = 1
"""
PICKUPS = {"yellow_tripdata": "tpep_pickup_datetime", "green_tripdata": "lpep_pickup_datetime"}


def sources(files: Mapping[str, str], name: str = "sources.yml") -> dict[str, Any]:
    """Return the tables of a file by name."""
    (source,) = yaml.safe_load(files[name])["sources"]
    return {table["name"]: table for table in source["tables"]} | {"": source}


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBFile:
    return DuckDBFile(tmp_path / "trips.duckdb")


def test_a_source_has_the_columns_and_descriptions_of_the_declaration(
    warehouse: DuckDBFile,
) -> None:
    found = sources(dbt_files(TAXIS, warehouse))
    assert found[""]["schema"] == "main"
    assert [*found] == ["yellow_trips", "green_trips", "loaded_months", ""]
    columns = {column["name"]: column for column in found["yellow_trips"]["columns"]}
    assert [*columns] == [column.name for column in DATASETS["yellow"].columns]
    assert columns["trip_distance"]["description"] == "Distance by the taximeter, miles."
    assert columns["file_month"]["data_tests"] == ["not_null"]


def test_codes_are_tested_where_the_published_text_shows_that_they_apply(
    warehouse: DuckDBFile,
) -> None:
    columns = sources(dbt_files(TAXIS, warehouse))["yellow_trips"]["columns"]
    (test,) = next(c["data_tests"] for c in columns if c["name"] == "payment_type")
    assert test["accepted_values"] == {
        "arguments": {"values": [1, 2, 3, 4, 5, 6], "quote": False},
        "config": {"where": "payment_type_name is not null"},
    }


@pytest.mark.parametrize("value", ["driver's", "a\\b", "{{ a }}"])
def test_codes_that_sql_would_have_to_escape_are_not_tested(
    warehouse: DuckDBFile, value: str
) -> None:
    flag = Column("flag", "string", "", codes={"Y": "yes", "D": value})
    plain = Column("other", "string", "", codes={"Y": "yes"})
    dataset = replace(DATASETS["green"], columns=(flag, plain))
    columns = sources(dbt_files([dataset], warehouse))["green_trips"]["columns"]
    assert ["data_tests" in column for column in columns] == [False, True]


def test_only_published_names_that_differ_from_the_table_get_a_view(warehouse: DuckDBFile) -> None:
    assert published_name(DATASETS["yellow"]) == "yellow_tripdata"
    own = DATASETS["yellow"].declared.model_copy(update={"file": "yellow_trips_{year_month}"})
    assert published_name(replace(DATASETS["yellow"], declared=own)) == ""
    files = dbt_files(TAXIS, warehouse)
    assert {*files} == {
        *("sources.yml", "zoomcamp.yml", "yellow_tripdata.sql", "green_tripdata.sql")
    }
    assert [*sources(files, "zoomcamp.yml")] == ["yellow_tripdata", "green_tripdata", ""]


@pytest.mark.parametrize("file", ["green_tripdata", "Green_TripData", "green_trips"])
def test_a_name_that_is_taken_gets_no_view(warehouse: DuckDBFile, file: str) -> None:
    """A view has the rows of one dataset, and dbt would drop a table to make room for it."""
    declared = DATASETS["yellow"].declared.model_copy(update={"file": f"{file}_{{year_month}}"})
    yellow = replace(DATASETS["yellow"], declared=declared)
    files = dbt_files([yellow, DATASETS["green"]], warehouse)
    views = {name.lower() for name in files if name.endswith(".sql")}
    assert views == ({"green_tripdata.sql"} if file == "green_trips" else set())


def test_a_view_may_have_a_column_named_by_a_word_of_sql(warehouse: DuckDBFile) -> None:
    """BigQuery takes such a word as a name only if it is quoted, even after AS."""
    dataset = replace(DATASETS["green"], columns=(Column("Order", "string", ""),))
    view = dbt_files([dataset], warehouse)["green_tripdata.sql"]
    assert '{{ adapter.quote("Order") }} as {{ adapter.quote("order") }}\n' in view


def test_a_description_is_no_template(warehouse: DuckDBFile) -> None:
    hostile = DATASETS["green"].declared.model_copy(
        update={"title": "{{ env_var('HOME') }} {% raw %}"}
    )
    (table, *_) = sources(
        dbt_files([replace(DATASETS["green"], declared=hostile)], warehouse)
    ).values()
    rendered = table["description"].replace("{{ '{' }}", "<")
    assert rendered.startswith("<< env_var")
    assert "<% raw %}" in rendered


def test_files_are_replaced_and_a_folder_that_cannot_be_written_is_named(
    warehouse: DuckDBFile, tmp_path: Path
) -> None:
    first = write_dbt(tmp_path / "models", TAXIS, warehouse)
    assert write_dbt(tmp_path / "models", TAXIS, warehouse) == first
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == sorted(
        path.name for path in first
    )
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        write_dbt(tmp_path / "file" / "models", TAXIS, warehouse)


def test_two_runs_that_write_at_once_do_not_share_a_file(
    warehouse: DuckDBFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one writes its files while the first has filled, but not moved, its first one."""
    write, first = Path.write_text, True

    def written(path: Path, *text: str, **options: str) -> int:
        nonlocal first
        count = write(path, *text, **options)
        if first:
            first = False
            write_dbt(tmp_path / "models", TAXIS, warehouse)
        return count

    monkeypatch.setattr(Path, "write_text", written)
    paths = write_dbt(tmp_path / "models", TAXIS, warehouse)
    assert sorted((tmp_path / "models").iterdir()) == sorted(paths)


@pytest.mark.slow
def test_dbt_builds_the_zoomcamps_models_on_duckdb(warehouse: DuckDBFile, tmp_path: Path) -> None:
    profile = {"type": "duckdb", "path": str(warehouse.path), "schema": "main", "threads": 1}
    assert_builds(warehouse, tmp_path, profile)


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["public", "My-Taxi"])
def test_dbt_builds_the_zoomcamps_models_on_postgres(
    database: Database, tmp_path: Path, schema: str
) -> None:
    """The schema may need quotes."""
    url = database.url
    database.query(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    warehouse = postgres_at(url, {"options": f'-csearch_path="{schema}"'})
    profile = {
        **{"type": "postgres", "host": url.host, "port": url.port, "dbname": url.database},
        **{"user": url.username, "password": url.password, "schema": schema, "threads": 2},
    }
    try:
        assert_builds(warehouse, tmp_path, profile)
    finally:
        if schema != "public":
            database.query(f'DROP SCHEMA "{schema}" CASCADE')


def assert_builds(warehouse: Warehouse, tmp_path: Path, profile: dict[str, Any]) -> None:
    """Load months, then let dbt build the models, test the sources and check their freshness."""
    for month in MONTHS:
        loaded(warehouse, month, tmp_path)
    project = tmp_path / "project"
    write_dbt(project / "models" / "trips", TAXIS, warehouse)
    staging = project / "models" / "staging"
    staging.mkdir()
    for table, pickup in PICKUPS.items():
        (staging / f"stg_{table}.sql").write_text(STAGING.format(table=table, pickup=pickup))
    made = {"name": "zoom", "profile": "zoom", "version": "1.0.0"}
    (project / "dbt_project.yml").write_text(yaml.safe_dump(made))
    profiles = {"zoom": {"target": "dev", "outputs": {"dev": profile}}}
    (project / "profiles.yml").write_text(yaml.safe_dump(profiles))
    dbt(project, ["run", "--select", "path:models/trips"], ["build"], ["source", "freshness"])
    built = statuses(project, "run_results")
    assert {node: status for node, status in built.items() if status != "success"} == {
        node: "pass" for node, status in built.items() if status == "pass"
    }
    assert built["model.zoom.stg_yellow_tripdata"] == "success"
    assert [n for n in built if "accepted_values" in n], "no code was tested"
    assert {*statuses(project, "sources").values()} == {"pass"}


def loaded(warehouse: Warehouse, month: Month, folder: Path) -> None:
    """Convert a generated month and load it."""
    source = folder / f"{month.stem}.csv.gz"
    write_sample(month, source, ROWS)
    found = convert(month, source, folder)
    entry = entry_of(month, rows_written=found.rows_written, object_sha256=found.sha256)
    assert warehouse.load(month, entry, found.path) == found.rows_written


def dbt(project: Path, *commands: list[str]) -> None:
    """Run dbt commands in a project."""
    quiet = os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [PYTHON, "-c", _COMMANDS, json.dumps(commands)],
        cwd=project,
        env=quiet,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def statuses(project: Path, results: str) -> dict[str, str]:
    """Return the status of each node in one of dbt's result files."""
    found: Sequence[dict[str, str]] = json.loads(
        (project / "target" / f"{results}.json").read_text()
    )["results"]
    return {result["unique_id"]: result["status"] for result in found}
