"""What is deployed, when it runs, and that applying it twice changes nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import nullcontext, redirect_stderr
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from settings import SettingError, Settings

import pendulum
import pytest
from prefect import get_client
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

import docker_deploy
import github_deploy
import kubernetes_deploy
import kubernetes_pool_deploy
import local_deploy
import make_docker_block
import make_github_block
import make_kubernetes_block
import make_process_blocks
import targets
import work_pool_deploy
from block_specs import main as save
from fakes import own_dataset, preloaded
from lost_places import refuse_lost_places
from orchestration.embedded_blocks import LocalBucket
from postgres_server import free_port
from saved_blocks import loaded
from specs import DeploymentSpec, all_specs
from targets import AGENTS, BESIDE, Target, main, make_pool, name_of, places_of, taken_by
from test_cli import PROJECT, _prefect_settings

pytestmark = pytest.mark.flow

TARGETS = {
    "docker": docker_deploy.TARGET,
    "local": local_deploy.TARGET,
    "github": github_deploy.TARGET,
    "work pool": work_pool_deploy.TARGET,
    "kubernetes": kubernetes_deploy.TARGET,
    "kubernetes pool": kubernetes_pool_deploy.TARGET,
}
APPLY = {"work pool": work_pool_deploy.apply, "kubernetes pool": kubernetes_pool_deploy.apply}
README = (PROJECT / "docs" / "deploy.md").read_text()
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a .env file that names an image and a repository; the environment is empty."""
    return env_in(tmp_path, monkeypatch)


def env_in(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    for name in ("TRIPS_BUCKET", "TRIPS_WAREHOUSE", "DOCKER_IMAGE", "GITHUB_STORAGE_REPOSITORY"):
        patch.delenv(name, raising=False)
    file = folder / "env"
    file.write_text(
        "DOCKER_IMAGE=flows:1\nKUBERNETES_IMAGE=flows:1\nKUBERNETES_VOLUME=months\n"
        "GITHUB_STORAGE_REPOSITORY=https://github.com/you/flows\n"
    )
    return file


@pytest.fixture(scope="module")
def saved(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Save the blocks of the targets; return the .env file that they were saved from."""
    specs = [make_docker_block.SPEC, make_process_blocks.SPEC, make_github_block.SPEC]
    specs.append(make_kubernetes_block.SPEC)
    with pytest.MonkeyPatch.context() as patch:
        file = env_in(tmp_path_factory.mktemp("env"), patch)
        assert save(specs, ["--env", str(file)]) == 0
        yield file


@pytest.fixture(scope="module")
def applied(saved: Path) -> Callable[..., list[str]]:
    """Return a function that applies a target once per module, and returns each stderr."""

    @cache
    def apply(name: str, times: int = 1) -> list[str]:
        said = [io.StringIO() for _ in range(times)]
        for stderr in said:
            with redirect_stderr(stderr):
                how = filter(None, [APPLY.get(name)])
                assert main(TARGETS[name], ["--env", str(saved)], *how) == 0
        return [stderr.getvalue() for stderr in said]

    return apply


def deployment(name: str) -> Any:
    async def read() -> Any:
        async with get_client() as client:
            return await client.read_deployment_by_name(name)

    return asyncio.run(read())


def work_pool(name: str) -> Any:
    async def read() -> Any:
        async with get_client() as client:
            return await client.read_work_pool(name)

    return asyncio.run(read())


@pytest.mark.parametrize("name", TARGETS)
def test_a_dry_run_names_all_that_would_be_applied_and_asks_nobody(
    name: str, env: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints flow, block, queue, schedule and parameters without a server or blocks."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert main(TARGETS[name], ["--dry-run", "--env", str(env)]) == 0
    printed = capsys.readouterr().out
    target: Target = TARGETS[name]
    assert f"etl-parent-flow/{target.name}-green\n" in printed
    assert "15 19 * * 1-5 America/New_York" in printed
    assert f"{target.pool.name}/{target.queue}" in printed
    assert f"months=due source=tlc bucket={target.bucket} warehouse={target.warehouse}" in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_every_row_is_applied_with_what_the_dry_run_says(
    name: str, applied: Callable[..., list[str]]
) -> None:
    """Each deployment keeps one schedule, and changes made in the UI are reverted."""
    target = TARGETS[name]
    for said in applied(name, times=2):
        # The tests' Prefect has a database and no server.
        assert said.startswith("PREFECT_API_URL is not set: these are in")
    for row in all_specs():
        if not (taken := taken_by(row, target)):
            continue
        found = deployment(name_of(row, taken))
        assert [(s.schedule, s.active) for s in found.schedules] == schedules_of(row)
        assert (found.work_pool_name, found.work_queue_name) == (target.pool.name, target.queue)
        assert (found.path or None, found.entrypoint) == (taken.path, row.entrypoint())
        assert found.enforce_parameter_schema
        assert found.tags == [row.tag]
        assert found.description
        assert found.parameters == parameters_in(row, target)
        if target.pool == AGENTS:
            infrastructure = loaded(taken.infrastructure)._block_document_id
            assert found.infrastructure_document_id == infrastructure


def schedules_of(row: DeploymentSpec) -> list[tuple[Any, bool]]:
    return [(row.schedule, row.active)] if row.schedule else []


def parameters_in(row: DeploymentSpec, target: Target) -> dict[str, Any]:
    """Return the parameters with the blocks of a target; the environment names no others."""
    places = {place: getattr(target, place) for place in row.places}
    folders = {name: f"{target.bucket}/{folder}" for name, folder in row.folders.items()}
    return {**row.parameters, **places, **folders}


@pytest.mark.parametrize("name", ["local", "work pool"])
def test_what_was_changed_in_the_ui_is_reverted(
    name: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a second schedule would run the months twice."""
    (row,) = (spec for spec in all_specs() if spec.flow == "verify:verify")
    monkeypatch.setattr(targets, "all_specs", lambda: (row,))
    target, how = TARGETS[name], filter(None, [APPLY.get(name)])
    apply = [*how]
    assert main(target, ["--env", str(saved)], *apply) == 0
    found = deployment(name_of(row, target))
    variables = found.job_variables

    async def change() -> None:
        async with get_client() as client:
            found.parameters, found.tags = {"read_data": "100%"}, ["mine"]
            found.job_variables = {"env": {"TRIPS_DATA": "/elsewhere"}}
            await client.update_deployment(found)
            (schedule,) = (await client.read_deployment(found.id)).schedules
            await client.update_deployment_schedule(found.id, schedule.id, active=False)
            await client.create_deployment_schedules(found.id, [(DUE["green"].schedule, True)])

    asyncio.run(change())
    assert len(deployment(name_of(row, target)).schedules) == 2
    assert main(target, ["--env", str(saved)], *apply) == 0
    again = deployment(name_of(row, target))
    assert again.id == found.id
    assert [(s.schedule, s.active) for s in again.schedules] == schedules_of(row)
    assert again.job_variables == variables
    assert (again.parameters, again.tags) == (parameters_in(row, target), [row.tag])


def test_no_schedule_fetches_editions_that_ended(applied: Callable[..., list[str]]) -> None:
    """ECDC's last daily edition is of December 2020: every run without another URL would fail."""
    applied("local")
    (schedule,) = deployment("covid-monthly/local-flow").schedules
    assert not schedule.active


@pytest.mark.parametrize(
    ("active", "shown"), [("", ", off until turned on"), ("active = true\n", "")]
)
def test_a_users_dataset_has_the_schedule_that_it_declares(
    active: str,
    shown: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_dataset.declare(tmp_path, "https://example.org/tram-{year}-{month:02}.csv")
    with (tmp_path / f"{own_dataset.NAME}.toml").open("a") as declaration:
        declaration.write(active)
    monkeypatch.setenv("TRIPS_DATASETS", str(tmp_path))
    assert main(TARGETS["local"], ["--dry-run", "--env", os.devnull]) == 0
    parts = capsys.readouterr().out.split("\n\n")
    (found,) = (p for p in parts if p.startswith(f"etl-parent-flow/local-flow-{own_dataset.NAME}"))
    assert f"  schedule    {own_dataset.CRON} {own_dataset.ZONE}{shown}\n" in found
    assert f"color={own_dataset.NAME} months=due " in found


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("local", f"process/zoom-local, from {PROJECT}"),
        ("docker", f"process/zoom-local, from {PROJECT}"),
        ("kubernetes", f"process/zoom-local, from {PROJECT}"),
        ("github", "process/zoom-fetched, from github/zoom-github"),
        ("work pool", ""),
        ("kubernetes pool", ""),
    ],
)
def test_lost_runs_are_looked_for_beside_the_agent(
    name: str, where: str, env: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run in a container sees no other runs, and a container pool has only containers."""
    assert main(TARGETS[name], ["--dry-run", "--env", str(env)]) == 0
    shown = capsys.readouterr().out.split("\n\n")
    found = [each for each in shown if each.startswith(f"tidy-runs/{TARGETS[name].name}\n")]
    assert [f"  runs in     {where}\n" in each for each in found] == ([True] if where else [])


#: A number out of bounds, and the bound.
OUT_OF_BOUNDS: list[tuple[str, str, Any, str]] = [
    ("etl-web-to-gcs", "month", 13, "maximum of 12"),
    ("etl-web-to-gcs", "year", 0, "minimum of 1"),
    ("etl-gcs-to-bq", "month", 0, "minimum of 1"),
    ("ingest-data", "max_reject_share", 1.5, "maximum of 1"),
    ("month-report", "month", 13, "maximum of 12"),
    ("etl-parent-flow", "workers", 0, "minimum of 1"),
    ("etl-parent-flow", "due_months", 0, "minimum of 1"),
    ("etl-parent-flow", "months", [1, 13], "maximum of 12"),
    ("tidy-runs", "silent_minutes", 0, "minimum of 1"),
    ("image-to-gif", "workers", 0, "minimum of 1"),
    ("check-for-files", "days", -1, "minimum of 0"),
    ("check-for-files", "rows_per_group", 0, "minimum of 1"),
    ("check-for-files", "rows_per_group", 67_108_865, "maximum of 67108864"),
]


async def run_of(name: str, parameters: dict[str, Any]) -> None:
    async with get_client() as client:
        found = await client.read_deployment_by_name(name)
        await client.create_flow_run_from_deployment(found.id, parameters=parameters)


def test_a_number_out_of_bounds_makes_no_run(applied: Callable[..., list[str]]) -> None:
    """Like an unknown color, it is refused with the parameter and its bound."""
    applied("local")
    for flow, parameter, value, bound in OUT_OF_BOUNDS:
        with pytest.raises(PrefectHTTPStatusError) as refused:
            asyncio.run(run_of(f"{flow}/local-flow", {parameter: value}))
        assert refused.value.response.status_code == 409
        said = refused.value.response.json()["detail"]
        assert f"field '{parameter}" in said
        assert bound in said


@pytest.fixture
def first_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply one row of the table: all rows of a pool have the same job variables."""
    monkeypatch.setattr(targets, "all_specs", lambda: all_specs()[:1])


def test_the_pool_of_workers_takes_the_image_and_the_volume_of_the_block(
    applied: Callable[..., list[str]], first_row: None
) -> None:
    """The work pool's job variables describe the same container."""
    applied("work pool")
    assert work_pool("zoom-docker").type == "docker"
    job = deployment("etl-web-to-gcs/pool-flow").job_variables
    assert job["image"] == "flows:1"
    assert job["volumes"] == ["zoom-data:/opt/prefect/data"]
    assert job["image_pull_policy"] == "IfNotPresent"


@pytest.mark.parametrize(
    ("policy", "of_workers"),
    [("IF_NOT_PRESENT", "IfNotPresent"), ("ALWAYS", "Always"), ("NEVER", "Never")],
)
def test_a_worker_starts_the_container_that_an_agent_would(
    policy: str, of_workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "DOCKER_IMAGE": "flows:1",
        "DOCKER_IMAGE_PULL_POLICY": policy,
        "DOCKER_NETWORK": "taxi",
        "DOCKER_DATA": "/srv/taxi",
        "DOCKER_DATASETS": "/srv/declared",
    }
    _, block = next(make_docker_block.blocks(Settings(values, Path(".env"))))
    monkeypatch.setattr(work_pool_deploy, "loaded", lambda reference: block)
    assert work_pool_deploy._container(work_pool_deploy.TARGET) == {
        "image": "flows:1",
        "image_pull_policy": of_workers,
        "env": {"PREFECT_HOME": "/opt/prefect/home", "TRIPS_DATASETS": "/opt/prefect/datasets"},
        "volumes": ["/srv/taxi:/opt/prefect/data", "/srv/declared:/opt/prefect/datasets:ro"],
        "networks": ["taxi"],
    }


def test_the_pool_of_kubernetes_takes_the_job_of_the_block(
    applied: Callable[..., list[str]], first_row: None
) -> None:
    """What is in .env is in the deployment, not in the pool, which is made once."""
    applied("kubernetes pool")
    pool = work_pool("zoom-kubernetes")
    assert pool.type == "kubernetes"
    assert "flows:1" not in str(pool.base_job_template)
    job = deployment("etl-web-to-gcs/kubernetes-pool-flow").job_variables
    assert (job["image"], job["backoff_limit"]) == ("flows:1", 0)
    assert job["resources"]["limits"] == {"memory": "2Gi"}


@pytest.mark.parametrize("script", [kubernetes_deploy, kubernetes_pool_deploy])
def test_months_that_jobs_would_lose_are_refused_before_anything_is_applied(
    script: Any,
    saved: Path,
    first_row: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The saved block decides: it has no volume, whatever .env says now."""
    job = kubernetes_deploy.job_of(Settings({"KUBERNETES_IMAGE": "f:1"}, Path(".env")))
    monkeypatch.setenv("KUBERNETES_VOLUME", "months")
    with monkeypatch.context() as patch:
        patch.setattr(targets, "loaded", lambda _: job)
        assert script.main(["--env", str(saved)]) == 2
    said = capsys.readouterr()
    assert "TRIPS_BUCKET and TRIPS_WAREHOUSE would be on the disk of each job" in said.err
    assert "applied" not in said.out
    monkeypatch.setenv("TRIPS_BUCKET", "s3-bucket/zoom-s3")
    monkeypatch.setenv("TRIPS_WAREHOUSE", "bigquery-warehouse/zoom-bq")
    refuse_lost_places(job, places_of(script.TARGET, Settings.read(saved)), Settings.read(saved))
    assert script.main(["--env", str(saved)]) == 0
    assert "applied etl-web-to-gcs/" in capsys.readouterr().out


PATHS = [
    ("./taxi", "./taxi.duckdb", "TRIPS_BUCKET and TRIPS_WAREHOUSE"),
    ("~/taxi", "data/trips.duckdb", "TRIPS_BUCKET"),
    ("/opt/prefect/data-of-mine", "/opt/prefect/data/trips.duckdb", "TRIPS_BUCKET"),
    ("/opt/prefect/data/../taxi", "bigquery-warehouse/zoom-bq", "TRIPS_BUCKET"),
    ("./data/taxi", "/tmp/taxi.duckdb", "TRIPS_WAREHOUSE"),
    ("./data/taxi", "/opt/prefect/data/trips.duckdb", ""),
    ("local-bucket/zoom-volume", "duckdb-warehouse/zoom-volume", ""),
]


@pytest.mark.parametrize(("bucket", "warehouse", "lost"), PATHS)
@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_place_on_the_disk_of_a_container_is_refused(
    kind: str, bucket: str, warehouse: str, lost: str
) -> None:
    """It would be removed after the run; one on a volume is kept."""
    values = {"DOCKER_IMAGE": "f:1", "KUBERNETES_IMAGE": "f:1", "KUBERNETES_VOLUME": "months"}
    settings = Settings(values, Path(".env"))
    scripts: dict[str, Any] = {"docker": make_docker_block, "kubernetes": make_kubernetes_block}
    _, block = next(scripts[kind].blocks(settings))
    places = {"TRIPS_BUCKET": bucket, "TRIPS_WAREHOUSE": warehouse}
    with pytest.raises(SettingError) if lost else nullcontext() as refused:
        refuse_lost_places(block, places, settings)
    if refused:
        what = "job" if kind == "kubernetes" else "container"
        said = f"{lost} would be on the disk of each {what}, and lost with it; "
        assert str(refused.value).startswith(said)
        assert "or a path below /opt/prefect/data; set it in" in str(refused.value)


@pytest.mark.parametrize(
    ("volumes", "lost"),
    [(["taxi:/srv/taxi"], False), (["C:\\taxi:/srv:rw"], False), (["/taxi:/srv/taxi:ro"], True)],
)
def test_a_volume_that_was_added_to_the_block_keeps_months(volumes: list[str], lost: bool) -> None:
    """Somebody may have edited the block in the UI."""
    settings = Settings({"DOCKER_IMAGE": "f:1"}, Path(".env"))
    block: Any = next(make_docker_block.blocks(settings))[1]
    block.volumes += volumes
    with pytest.raises(SettingError) if lost else nullcontext():
        refuse_lost_places(block, {"TRIPS_BUCKET": "/srv/taxi"}, settings)


@pytest.mark.parametrize("place", ["./taxi", "local-bucket/zoom-volume"])
def test_a_job_without_a_volume_keeps_nothing(place: str) -> None:
    settings = Settings({"KUBERNETES_IMAGE": "f:1"}, Path(".env"))
    job = kubernetes_deploy.job_of(settings)
    with pytest.raises(SettingError, match="elsewhere, or a KUBERNETES_VOLUME; set it in"):
        refuse_lost_places(job, {"TRIPS_BUCKET": place}, settings)


@pytest.mark.parametrize("below", ["", "/green"])
@pytest.mark.parametrize(("folder", "code"), [("/srv/taxi", 2), ("/opt/prefect/data/mine", 0)])
def test_a_saved_block_of_a_folder_is_judged_by_its_path(
    folder: str,
    code: int,
    below: str,
    saved: Path,
    first_row: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder of the machine that saved it is on the disk of a container like any other."""
    save_block: Any = LocalBucket(folder=folder).save
    save_block("nas", overwrite=True)
    monkeypatch.setenv("TRIPS_BUCKET", f"local-bucket/nas{below}")
    assert main(TARGETS["docker"], ["--env", str(saved)]) == code
    assert ("TRIPS_BUCKET would be on the disk" in capsys.readouterr().err) == bool(code)


@pytest.mark.parametrize("name", ["docker", "work pool"])
def test_places_that_containers_would_lose_are_refused_before_anything_is_applied(
    name: str, saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_BUCKET", "~/taxi")
    assert main(TARGETS[name], ["--env", str(saved)], *filter(None, [APPLY.get(name)])) == 2
    said = capsys.readouterr()
    assert said.err.startswith("Error: TRIPS_BUCKET would be on the disk of each container, ")
    assert said.out == ""


def test_a_deployment_that_is_no_longer_declared_is_named(
    saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its schedule would go on in silence; others of a similar name are left alone."""
    target = replace(TARGETS["local"], name="left-flow")
    others = [replace(target, name=name) for name in ("left-flower", "my-left-flow")]
    due, options = [DUE["yellow"], DUE["green"]], ["--env", str(saved)]
    monkeypatch.setattr(targets, "all_specs", lambda: due)
    for each in (*others, target):
        assert main(each, options) == 0
    assert "still scheduled" not in capsys.readouterr().out
    monkeypatch.setattr(targets, "all_specs", lambda: due[:1])
    assert main(target, options) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert line == (
        "etl-parent-flow/left-flow-green is still scheduled, although no declaration here says "
        "so; to remove it: prefect deployment delete etl-parent-flow/left-flow-green"
    )
    monkeypatch.setattr(targets, "all_specs", lambda: due[1:])
    assert main(target, options) == 0
    assert "\netl-parent-flow/left-flow is still scheduled" in capsys.readouterr().out


def test_the_blocks_of_the_environment_override_those_of_the_target(
    env: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are TRIPS_BUCKET and TRIPS_WAREHOUSE."""
    monkeypatch.setenv("TRIPS_BUCKET", "gcs-bucket/zoom-gcs")
    monkeypatch.setenv("TRIPS_WAREHOUSE", "bigquery-warehouse/zoom-bq")
    main(docker_deploy.TARGET, ["--dry-run", "--env", str(env)])
    printed = capsys.readouterr().out
    assert "bucket=gcs-bucket/zoom-gcs warehouse=bigquery-warehouse/zoom-bq" in printed
    assert "zoom-volume" not in printed


@pytest.mark.parametrize("variable", ["TRIPS_BUCKET", "TRIPS_WAREHOUSE"])
def test_an_address_in_place_of_a_block_is_refused_and_not_shown(
    variable: str, env: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be a parameter of each deployment, with its password."""
    monkeypatch.setenv(variable, "postgresql://me:pa55w@db/taxi")
    assert main(docker_deploy.TARGET, ["--dry-run", "--env", str(env)]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"Error: {variable} is an address, not a block such as ")
    assert "pa55w" not in printed.out + printed.err


@pytest.mark.slow
def test_the_classic_command_of_the_readme_applies_a_deployment(
    saved: Path, tmp_path: Path
) -> None:
    """It runs as written, in a new process; the file that it also writes is moved away."""
    asyncio.run(make_pool(AGENTS))
    found = re.search(
        r"^    \.venv/bin/prefect (deployment build (?:.*\\\n)+.*--apply)$", README, re.M
    )
    assert found
    options = shlex.split(found[1].replace("\\\n", " "))
    done = preloaded.run(
        [*preloaded.PREFECT, *options, "-o", str(tmp_path / "it.yaml")],
        os.environ | _prefect_settings() | {"PYTHONWARNINGS": "ignore"},
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    applied = deployment("etl-parent-flow/my-flow")
    assert applied.parameters.items() >= {"color": "fhv", "months": "due"}.items()
    assert (applied.work_pool_name, applied.work_queue_name) == ("default-agent-pool", "local")
    assert (applied.path, applied.entrypoint) == (
        str(PROJECT),
        "flows/parameterized_flow.py:etl_parent_flow",
    )
    (scheduled,) = applied.schedules
    assert (scheduled.schedule.cron, scheduled.schedule.timezone) == (
        "30 19 * * 1-5",
        "America/New_York",
    )
    assert applied.infrastructure_document_id == loaded(BESIDE)._block_document_id


def test_a_block_that_is_not_saved_is_named(
    env: Path, prefect_server: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says where it comes from, and hides Prefect's own error."""
    pool = AGENTS.copy(update={"name": "zoom-unused"})
    target = Target("x", "x", "prefect.infrastructure.Process/zoom-absent", pool=pool)
    assert main(target, ["--env", str(env)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "zoom-absent" in line
    assert line.endswith(" Save it first: python blocks/make_process_blocks.py")
    with pytest.raises(ObjectNotFound):
        work_pool("zoom-unused")


@pytest.mark.parametrize("script", ["block", "deployment"])
def test_a_server_that_does_not_answer_is_named_with_what_to_do(
    env: Path, prefect_server: None, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    """The address is that of the environment."""
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    with temporary_settings({PREFECT_API_URL: api}):
        if script == "block":
            code = save([make_process_blocks.SPEC], ["--env", str(env)])
        else:
            code = main(TARGETS["local"], ["--env", str(env)])
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: Prefect's server at {api} does not answer (")
    assert f"; start it (make serve PORT={port}), or run without one: prefect config unset" in line


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_an_invalid_declaration_is_an_error_that_names_its_line(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It need not be that of the deployment."""
    (tmp_path / "rides.toml").write_text('title = "Rides"\n')
    monkeypatch.setenv("TRIPS_DATASETS", str(tmp_path))
    assert main(TARGETS[name], ["--dry-run", "--env", os.devnull]) == 2
    assert f"Error: {tmp_path / 'rides.toml'}, line 1: " in (said := capsys.readouterr().err)
    assert "publisher is missing" in said


def test_a_time_zone_that_prefect_does_not_know_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On Python 3.10 and 3.11 its list is of 2020, without Europe/Kyiv."""
    known = tuple(spec.schedule.timezone for spec in all_specs() if spec.schedule)
    own_dataset.declare(tmp_path, "https://example.org/tram-{year}-{month:02}.csv")
    monkeypatch.setenv("TRIPS_DATASETS", str(tmp_path))
    monkeypatch.setattr(pendulum.tz, "timezones", known)
    assert main(TARGETS["local"], ["--dry-run", "--env", os.devnull]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"Error: {own_dataset.NAME}: Prefect does not know the time zone {own_dataset.ZONE!r}"
    )


DUE = {
    spec.parameters["color"]: spec for spec in all_specs() if spec.parameters.get("months") == "due"
}


@pytest.mark.parametrize("schedule", [DUE["yellow"].schedule, DUE["green"].schedule])
@pytest.mark.parametrize("clocks_change", [dt.date(2026, 3, 8), dt.date(2026, 11, 1)])
def test_months_are_looked_for_once_each_weekday_evening_of_new_york(
    schedule: Any, clocks_change: dt.date
) -> None:
    """This holds in summer, in winter, and in the weeks in which the clocks change."""
    first = clocks_change - dt.timedelta(days=7)
    local = asyncio.run(_dates(schedule, first))
    days = [first + dt.timedelta(days=n) for n in range(14)]
    assert [time.date() for time in local] == [day for day in days if day.weekday() < 5]
    assert {time.hour for time in local} == {19}


async def _dates(schedule: Any, first: dt.date) -> list[dt.datetime]:
    from prefect.server.schemas.schedules import CronSchedule

    start = pendulum.datetime(first.year, first.month, first.day, tz=schedule.timezone)
    server = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    dates = await server.get_dates(n=10, start=start)
    return [dt.datetime.fromtimestamp(date.timestamp(), NEW_YORK) for date in dates]
