"""The scripts that save blocks: what they save, what they require, and what they never print."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from settings import SECRETS, Settings

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect import get_client
from prefect.blocks.core import Block
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.schemas.filters import (
    FlowRunNotificationPolicyFilter,
    FlowRunNotificationPolicyFilterIsActive,
)
from pydantic.v1 import SecretStr

import make_blocks
import make_docker_block
import make_embedded_blocks
import make_gcp_blocks
import make_github_block
import make_kubernetes_block
import make_notification
import make_postgres_block
import make_process_blocks
import make_s3_block
import make_secret_blocks
from block_specs import BlockSpec, _reference, main, main_of_all
from fakes import preloaded
from fakes.google import Google
from fakes.postgres import Database
from fakes.preloaded import PREFECT
from fakes.s3 import REGION, S3
from fakes.web import Page, Web
from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket
from test_cli import _prefect_settings

pytestmark = pytest.mark.flow

PROJECT = Path(__file__).absolute().parents[2]
NAMES = re.findall(r"^(\w+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)
PASSWORD, TOKEN, AWS_SECRET = "pa$${x}ss w0rd#1", "ghp_t0ken", "aws/s3cret+key"
WEBHOOK = "https://chat.example.org/hooks/s3cret-path"
Run = Callable[..., tuple[int, str, str]]


@cache
def private_key() -> str:
    """Return one key for all accounts, because generating one takes long."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return pem.decode()


def service_account(token_uri: str) -> dict[str, str]:
    """Return a service-account key in Google's format, of an account that does not exist."""
    return {
        "type": "service_account",
        "project_id": "zoom-project",
        "private_key_id": "1",
        "private_key": private_key(),
        "client_email": "zoom@zoom-project.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the developer's own variables from the environment."""
    for name in (*NAMES, "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def nobody() -> Iterator[int]:
    """Yield a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


@pytest.fixture
def values(tmp_path: Path, nobody: int) -> dict[str, str]:
    """Return a value for each required variable; no server answers at any address."""
    away = f"http://127.0.0.1:{nobody}"
    key = tmp_path / "key.json"
    key.write_text(json.dumps(service_account(f"{away}/token")))
    return {
        "TRIPS_DATA": str(tmp_path / "data"),
        "GCP_SERVICE_ACCOUNT": str(key),
        "GCS_BUCKET": "zoom-gcs-bucket",
        "S3_BUCKET": "zoom-s3-bucket",
        "S3_FOLDER": "taxi",
        "S3_ENDPOINT_URL": away,
        "AWS_ACCESS_KEY_ID": "AKIAZOOM",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_REGION": REGION,
        "POSTGRES_PORT": str(nobody),
        "POSTGRES_DB": "ny_taxi",
        "POSTGRES_USER": "root",
        "POSTGRES_PASSWORD": PASSWORD,
        "DOCKER_IMAGE": "127.0.0.1:5000/zoom-flows:1",
        "KUBERNETES_IMAGE": "127.0.0.1:5000/zoom-flows:1",
        "KUBERNETES_VOLUME": "months",
        "GITHUB_STORAGE_REPOSITORY": f"{away.replace('http', 'https')}/you/flows",
        "GITHUB_STORAGE_REFERENCE": "main",
        "GITHUB_STORAGE_TOKEN": TOKEN,
        "NOTIFY_WEBHOOK_URL": WEBHOOK,
    }


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a script with a .env file; return its exit code, output and errors."""

    def ran(spec: BlockSpec, values: Mapping[str, str], *options: str) -> tuple[int, str, str]:
        code = main([spec], ["--env", str(env_file(tmp_path, values)), *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def env_file(folder: Path, values: Mapping[str, str]) -> Path:
    path = folder / ".env"
    path.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
    return path


def load(reference: str) -> Any:
    """Load a block as a flow does."""
    return Block.load(reference)


def saved(run: Run, spec: BlockSpec, values: Mapping[str, str]) -> list[Any]:
    """Return the blocks that a script says it saved; running it twice gives the same result."""
    first, second = run(spec, values), run(spec, values)
    assert first == second
    code, out, err = first
    assert (code, err) == (0, "")
    references = re.findall(r"^saved (\S+)$", out, re.MULTILINE)
    assert references
    return [load(reference) for reference in references]


@pytest.fixture
def forgotten(prefect_server: None) -> Iterator[None]:
    """Remove the saved embedded blocks at the end, because other tests must find none."""
    yield
    embedded: tuple[Any, ...] = (LocalBucket, DuckDBWarehouse)  # coroutines only in async code
    for found in embedded:
        found.delete("zoom")


SERVER = pytest.mark.usefixtures("prefect_server")
EMBEDDED = pytest.mark.usefixtures("forgotten")


@pytest.mark.parametrize("spec", make_blocks.SPECS, ids=lambda spec: next(iter(spec.checks)))
def test_a_script_has_a_check_for_each_of_its_blocks_and_no_other(
    spec: BlockSpec, values: dict[str, str]
) -> None:
    """The reference takes the list of blocks from these checks."""
    webhooks = (WEBHOOK, "https://hooks.slack.com/services/T000/B000/s3cret")
    values |= {"TRIPS_SECRET_NAME": "s3cret-value"}
    found = [Settings(values | {"NOTIFY_WEBHOOK_URL": url}, Path(".env")) for url in webhooks]
    made = [_reference(*pair) for settings in found for pair in spec.blocks(settings)]
    assert {each.replace("secret/name", "secret/NAME") for each in made} == set(spec.checks)


@SERVER
def test_the_blocks_of_google_refer_to_their_credentials(run: Run, values: dict[str, str]) -> None:
    """The key's path is absolute; the bucket's folder ends in a slash, as Prefect requires."""
    values |= {"GCS_FOLDER": "taxi"}
    credentials, bucket, warehouse = saved(run, make_gcp_blocks.SPEC, values)
    assert str(credentials.service_account_file) == values["GCP_SERVICE_ACCOUNT"]
    assert (bucket.bucket, bucket.bucket_folder) == ("zoom-gcs-bucket", "taxi/")
    assert bucket.gcp_credentials.service_account_file == credentials.service_account_file
    assert warehouse.gcp_credentials.project == "zoom-project"
    assert load("gcs-bucket/zoom-gcs").bucket == "zoom-gcs-bucket"
    assert load("bigquery-warehouse/zoom-bq").gcp_credentials.project == "zoom-project"


@SERVER
def test_a_key_in_the_variable_itself_travels_with_the_block(
    run: Run, values: dict[str, str], tmp_path: Path
) -> None:
    """So it also works on machines without the key file."""
    key = Path(values["GCP_SERVICE_ACCOUNT"]).read_text()
    (credentials, *_) = saved(run, make_gcp_blocks.SPEC, values | {"GCP_SERVICE_ACCOUNT": key})
    assert credentials.service_account_file is None
    assert credentials.service_account_info.get_secret_value() == json.loads(key)


@SERVER
def test_each_secret_of_a_source_is_a_block_of_its_name(run: Run) -> None:
    """The block has the name that the source uses; the value is never printed."""
    values = {"TRIPS_SECRET_PORTAL_KEY": PASSWORD, "TRIPS_SECRET_SAS": TOKEN}
    key, sas = saved(run, make_secret_blocks.SPEC, values)
    assert load("secret/portal-key").get() == key.get() == PASSWORD
    assert load("secret/sas").get() == sas.get() == TOKEN
    code, out, _ = run(make_secret_blocks.SPEC, values, "--check")
    assert (code, out) == (0, "ok  secret/portal-key: has a value\nok  secret/sas: has a value\n")


@SERVER
def test_the_block_of_s3_refers_to_its_credentials(run: Run, values: dict[str, str]) -> None:
    """The credentials have the key, region and endpoint; the bucket block has bucket and folder."""
    credentials, bucket = saved(run, make_s3_block.SPEC, values)
    assert credentials.aws_secret_access_key.get_secret_value() == AWS_SECRET
    assert bucket.credentials.aws_client_parameters.endpoint_url == values["S3_ENDPOINT_URL"]
    assert (bucket.bucket_name, bucket.bucket_folder) == ("zoom-s3-bucket", "taxi")
    assert (
        bucket.credentials.aws_access_key_id
        == load("aws-credentials/zoom-aws-creds").dict()["aws_access_key_id"]
    )


@SERVER
def test_the_block_of_postgres_connects_with_psycopg2(run: Run, values: dict[str, str]) -> None:
    """The password has characters that a URL must escape."""
    (connector,) = saved(run, make_postgres_block.SPEC, values | {"POSTGRES_HOST": "db.local"})
    url = connector.connection_info.create_url()
    assert (url.drivername, url.host, url.port) == (
        "postgresql+psycopg2",
        "db.local",
        int(values["POSTGRES_PORT"]),
    )
    assert (url.database, url.username, url.password) == ("ny_taxi", "root", PASSWORD)


@SERVER
def test_the_block_of_docker_has_its_own_prefect_home(run: Run, values: dict[str, str]) -> None:
    """Its pull policy finds a local image, and its data is on a volume."""
    container, bucket, warehouse = saved(run, make_docker_block.SPEC, values)
    assert container.image == values["DOCKER_IMAGE"]
    assert container.image_pull_policy.value == "IF_NOT_PRESENT"
    assert container.env == {"PREFECT_HOME": "/opt/prefect/home"}
    (volume,) = container.volumes
    assert bucket.folder.startswith(volume.partition(":")[2] + "/")
    assert warehouse.path.startswith(volume.partition(":")[2] + "/")
    assert not container.auto_remove  # or its exit code would be lost


def test_a_container_is_what_its_variables_say() -> None:
    """In compose.yaml, TRIPS_DATASETS is a folder of another container."""
    values = {
        "DOCKER_IMAGE": "flows:1",
        "DOCKER_IMAGE_PULL_POLICY": "ALWAYS",
        "DOCKER_NETWORK": "taxi",
        "DOCKER_PREFECT_HOME": "/home/taxi",
        "DOCKER_DATASETS": "/srv/declared",
        "TRIPS_DATASETS": "/elsewhere",
        "TRIPS_LOG": "json",
    }
    container: Any = next(make_docker_block.blocks(Settings(values, Path(".env"))))[1]
    assert container.image_pull_policy.value == "ALWAYS"
    assert container.networks == ["taxi"]
    assert container.volumes[1:] == ["/srv/declared:/opt/prefect/datasets:ro"]
    # The agent's default command would start a second Prefect.
    assert container.command == ["python", "-m", "prefect.engine"]
    assert container.env == {
        "PREFECT_HOME": "/home/taxi",
        "TRIPS_DATASETS": "/opt/prefect/datasets",
        "TRIPS_LOG": "json",
        "PREFECT_LOGGING_SETTINGS_PATH": "/opt/prefect/flows/orchestration/logging.yml",
        "PYTHONPATH": "/opt/prefect/flows",
    }


@SERVER
def test_the_blocks_of_processes_run_here_and_in_a_temporary_folder(
    run: Run, tmp_path: Path
) -> None:
    """Both use the same absolute data folder."""
    here, fetched = saved(run, make_process_blocks.SPEC, {"TRIPS_DATA": str(tmp_path / "data")})
    assert (here.working_dir, fetched.working_dir) == (str(PROJECT), None)
    data = {"TRIPS_DATA": str(tmp_path / "data")}
    assert here.env == data | {"TRIPS_ENV_FILE": str(tmp_path / ".env")}  # which named it
    assert fetched.env == data | {"TRIPS_ENV_FILE": None}
    assert not here.stream_output


def test_folders_of_processes_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent starts them elsewhere. They do not write to its output, which may end first."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    values = {"TRIPS_DATA": "~/taxi", "TRIPS_DATASETS": "declared"}
    folders = {"TRIPS_DATA": f"{tmp_path}/home/taxi", "TRIPS_DATASETS": f"{tmp_path}/declared"}
    own_file = {"zoom-local": {}, "zoom-fetched": {"TRIPS_ENV_FILE": None}}
    for name, block in make_process_blocks.blocks(Settings(values, Path(".env"))):
        process: Any = block
        assert process.env == folders | own_file[name]
        assert not process.stream_output


def environments(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the environments of the blocks in which deployments run."""
    settings = Settings({"DOCKER_IMAGE": "f:1", "KUBERNETES_IMAGE": "f:1", **values}, Path(".env"))
    scripts = (make_process_blocks, make_docker_block, make_kubernetes_block)
    made: list[tuple[str, Any]] = [pair for script in scripts for pair in script.blocks(settings)]
    return {name: block.env for name, block in made if hasattr(block, "env")}


def test_a_process_in_the_project_finds_its_data_as_a_flow_by_hand() -> None:
    """TRIPS_DATA would outweigh a saved `local-bucket/zoom`; fetched code has no lasting folder."""
    found = environments({})
    assert found["zoom-local"] == {}
    assert found["zoom-fetched"] == {"TRIPS_DATA": str(PROJECT / "data"), "TRIPS_ENV_FILE": None}


def test_a_named_settings_file_holds_for_runs_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would read .env; fetched code has the values in its block, and no such file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIPS_ENV_FILE", "prod.env")
    named = Path("prod.env")
    named.touch()
    found = {n: b.env for n, b in make_process_blocks.blocks(Settings({}, named))}  # type: ignore[attr-defined] # a Process
    assert found["zoom-local"] == {"TRIPS_ENV_FILE": str(tmp_path / "prod.env")}
    assert found["zoom-fetched"]["TRIPS_ENV_FILE"] is None


#: Variables of flows that mean the same on every machine, with a value.
OF_FLOWS = {
    "TRIPS_SOURCE": "tlc",
    "TRIPS_THREADS": "2",
    "TRIPS_MONTHS_PER_MINUTE": "3",
    "TRIPS_HOST_REQUESTS": "4",
    "TRIPS_CONTACT": "taxi@example.org",
    "TRIPS_BQ_DATASET": "prod",
    "TRIPS_BQ_LOCATION": "EU",
    "TRIPS_BQ_MAX_BYTES": "5",
}


@pytest.mark.parametrize("name", ["zoom-fetched", "zoom-docker", "zoom-kubernetes"])
def test_variables_of_flows_reach_runs_that_have_no_env_file(name: str) -> None:
    """A schedule would load into another BigQuery dataset than a run by hand."""
    own = {"TRIPS_SCRATCH": "/scratch", "TRIPS_CA_FILE": "/ca.pem", "TRIPS_SECRET_SAS": "s1gned"}
    added = environments(OF_FLOWS | own)[name].items() - environments({})[name].items()
    assert dict(added) == OF_FLOWS


def test_a_variable_from_a_secret_of_the_cluster_outweighs_the_env_file() -> None:
    """The block must not hold another value for it."""
    keys = {"KUBERNETES_SECRET_KEYS": "TRIPS_BQ_DATASET=trips/dataset"}
    assert environments(OF_FLOWS | keys)["zoom-kubernetes"]["TRIPS_BQ_DATASET"] is None


@pytest.mark.parametrize(
    ("source", "passed"),
    [
        ("sample:2000", True),
        ("https://example.org/{year}-{month:02}.csv + https://example.org/b.csv", True),
        ("https://example.org/{year}.csv?sig={secret.sas}", True),
        ("https://example.org/{year}.csv?sig=s1gned", False),
        ("https://me:pa55w@example.org/{year}.csv", False),
        ("https://example.org/a.csv + https://pa55w@example.org/b.csv", False),
        ("file:///srv/{year}.csv", False),
        ("./published/{year}.csv", False),
        ("published/{year}.csv", False),
    ],
)
def test_a_source_with_a_secret_or_of_this_machine_is_not_passed_on(
    source: str, passed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left out is reported, without its value."""
    found = environments({"TRIPS_SOURCE": source})
    for name in ("zoom-fetched", "zoom-docker", "zoom-kubernetes"):
        assert found[name].get("TRIPS_SOURCE") == (source if passed else None)
    said = capsys.readouterr().err
    assert said.count("TRIPS_SOURCE is not passed on to deployed runs: ") == (0 if passed else 3)
    assert source not in said


def test_a_process_in_a_folder_without_the_flows_is_refused(tmp_path: Path) -> None:
    process: Any = next(make_process_blocks.blocks(Settings({}, Path(".env"))))[1]
    assert make_process_blocks.check(process).startswith(f"runs in {PROJECT}, data in ")
    process.working_dir = tmp_path
    with pytest.raises(FileNotFoundError, match="has no flows/"):
        make_process_blocks.check(process)


def test_secrets_of_sources_and_each_line_of_a_key_are_hidden() -> None:
    values = {"TRIPS_SECRET_SAS": "s1gned", "GCP_SERVICE_ACCOUNT": "first line\nsecond line"}
    text = "refused s1gned and second line"
    assert Settings(values, Path(".env")).hidden(text) == "refused *** and ***"


@SERVER
def test_declarations_of_the_user_reach_processes_and_containers(run: Run, tmp_path: Path) -> None:
    """Fetched code has no .env, and a container cannot see the folder."""
    own = {"TRIPS_DATASETS": str(tmp_path)}
    for process in saved(run, make_process_blocks.SPEC, own):
        assert process.env["TRIPS_DATASETS"] == str(tmp_path)
    container, *_ = saved(run, make_docker_block.SPEC, own | {"DOCKER_IMAGE": "flows:1"})
    there = container.env["TRIPS_DATASETS"]
    assert container.volumes[1:] == [f"{tmp_path}:{there}:ro"]


@SERVER
def test_the_block_of_the_repository(run: Run, values: dict[str, str]) -> None:
    """It has the reference and the token."""
    (repository,) = saved(run, make_github_block.SPEC, values)
    assert repository.repository == values["GITHUB_STORAGE_REPOSITORY"]
    assert repository.reference == "main"
    assert repository.access_token.get_secret_value() == TOKEN


@EMBEDDED
def test_the_embedded_blocks_have_absolute_paths(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds even for a relative folder; flows open them like any other block."""
    monkeypatch.chdir(tmp_path)
    bucket, warehouse = saved(run, make_embedded_blocks.SPEC, {"TRIPS_DATA": "here"})
    assert bucket.folder == str(tmp_path / "here" / "bucket")
    assert warehouse.path == str(tmp_path / "here" / "trips.duckdb")


@SERVER
def test_failed_and_crashed_runs_notify_once(run: Run, values: dict[str, str]) -> None:
    """Running the script again leaves a single policy; the block keeps the URL as a secret."""

    async def policies() -> list[Any]:
        active = FlowRunNotificationPolicyFilter(
            is_active=FlowRunNotificationPolicyFilterIsActive(eq_=True)
        )
        async with get_client() as client:
            return list(await client.read_flow_run_notification_policies(active))

    (webhook,) = saved(run, make_notification.SPEC, values)
    mine = [p for p in asyncio.run(policies()) if p.block_document_id == webhook._block_document_id]
    assert [policy.state_names for policy in mine] == [["Crashed"]]
    assert WEBHOOK not in str(webhook)
    request = webhook._build_request_args("of green 2020-10", "Failed")
    assert request["url"] == WEBHOOK
    assert request["json"] == {"text": "Failed\nof green 2020-10"}


@SERVER
def test_each_block_has_one_policy_even_if_somebody_disabled_it(run: Run) -> None:
    """A policy of another block, such as one of the user's, does not count as the script's."""
    slack: Any = SlackWebhook(url=SecretStr("https://hooks.slack.com/services/T000/B000/s3cret"))
    own: UUID = slack.save("my-own", overwrite=True)

    async def with_a_policy() -> None:
        async with get_client() as client:
            await client.create_flow_run_notification_policy(own, state_names=["Crashed"])

    asyncio.run(with_a_policy())
    (block,) = saved(run, make_notification.SPEC, {"NOTIFY_WEBHOOK_URL": WEBHOOK})
    ids = {block._block_document_id, own}

    async def disabled() -> list[tuple[Any, bool]]:
        either = FlowRunNotificationPolicyFilterIsActive(eq_=None)
        which = FlowRunNotificationPolicyFilter(is_active=either)
        async with get_client() as client:
            for policy in await client.read_flow_run_notification_policies(which):
                path = f"/flow_run_notification_policies/{policy.id}"
                await client._client.patch(path, json={"is_active": False})
            await make_notification._tell(block._block_document_id)
            found = await client.read_flow_run_notification_policies(which)
            await asyncio.gather(
                *(client.delete_flow_run_notification_policy(policy.id) for policy in found)
            )
            return [(p.block_document_id, p.is_active) for p in found if p.block_document_id in ids]

    assert sorted(asyncio.run(disabled())) == sorted((each, False) for each in ids)


@SERVER
def test_the_block_of_a_new_address_replaces_that_of_the_old_one(run: Run) -> None:
    """Runs and the server would otherwise notify Slack and the other service from then on."""

    async def notified() -> set[UUID]:
        either = FlowRunNotificationPolicyFilterIsActive(eq_=None)
        which = FlowRunNotificationPolicyFilter(is_active=either)
        async with get_client() as client:
            found = await client.read_flow_run_notification_policies(which)
            return {policy.block_document_id for policy in found}

    slack = "https://hooks.slack.com/services/T000/B000/s3cret"
    ever = set()
    for url in (WEBHOOK, slack, WEBHOOK, WEBHOOK):
        (block,) = saved(run, make_notification.SPEC, {"NOTIFY_WEBHOOK_URL": url})
        other = SlackWebhook if url == WEBHOOK else CustomWebhookNotificationBlock
        with pytest.raises(ValueError, match="Unable to find block document named zoom-notify"):
            other.load("zoom-notify")  # type: ignore[unused-coroutine] # none outside flows
        ever.add(block._block_document_id)
        assert asyncio.run(notified()) & ever == {block._block_document_id}


@SERVER
def test_slack_has_its_own_block(run: Run) -> None:
    """The host of the URL selects it."""
    url = "https://hooks.slack.com/services/T000/B000/s3cret"
    (block,) = saved(run, make_notification.SPEC, {"NOTIFY_WEBHOOK_URL": url})
    assert block.get_block_type_slug() == "slack-webhook"
    assert block.url.get_secret_value() == url


@EMBEDDED
def test_all_that_have_values_are_saved_and_no_secret_is_shown(
    values: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The other blocks are listed with the variables that they lack."""
    del values["POSTGRES_DB"]
    key = Path(values["GCP_SERVICE_ACCOUNT"]).read_text()
    values["GCP_SERVICE_ACCOUNT"] = key
    options = ["--env", str(env_file(tmp_path, values))]
    assert main_of_all(make_blocks.SPECS, options) == 0
    out, err = capfd.readouterr()
    assert "left out, not set: POSTGRES_DB\n" in out
    assert re.findall(r"^saved (\S+)$", out, re.MULTILINE) == [
        "local-bucket/zoom",
        "duckdb-warehouse/zoom",
        "process/zoom-local",
        "process/zoom-fetched",
        "gcp-credentials/zoom-gcp-creds",
        "gcs-bucket/zoom-gcs",
        "bigquery-warehouse/zoom-bq",
        "aws-credentials/zoom-aws-creds",
        "s3-bucket/zoom-s3",
        "docker-container/zoom-docker",
        "local-bucket/zoom-volume",
        "duckdb-warehouse/zoom-volume",
        "kubernetes-job/zoom-kubernetes",
        "local-bucket/zoom-volume",
        "duckdb-warehouse/zoom-volume",
        "github/zoom-github",
        "custom-webhook/zoom-notify",
    ]
    private = json.loads(key)["private_key"].splitlines()[1]
    for secret in (PASSWORD, TOKEN, AWS_SECRET, WEBHOOK, private):
        assert secret not in out + err


@EMBEDDED
def test_one_that_cannot_be_saved_does_not_keep_the_others(
    values: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Google's key file is missing; later blocks are saved, and the exit code is 1."""
    values = {name: values[name] for name in ("GCS_BUCKET", "S3_BUCKET")}
    values |= {"GCP_SERVICE_ACCOUNT": "/no/such/key.json", "TRIPS_DATA": str(tmp_path / "data")}
    assert main_of_all(make_blocks.SPECS, ["--env", str(env_file(tmp_path, values))]) == 1
    out, err = capfd.readouterr()
    assert "GCP_SERVICE_ACCOUNT is neither a file on this machine" in err
    assert "saved s3-bucket/zoom-s3\n" in out


@pytest.mark.parametrize(
    ("spec", "name"),
    [(spec, name) for spec in make_blocks.SPECS for name in spec.needs],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("option", [(), ("--check",)], ids=["save", "check"])
def test_a_missing_value_is_named_with_where_to_set_it(
    run: Run, values: dict[str, str], spec: BlockSpec, name: str, option: tuple[str, ...]
) -> None:
    """The script prints one line and exits with 1 before saving anything."""
    code, out, err = run(spec, values | {name: ""}, *option)
    (line,) = (out + err).splitlines()
    assert code == 1
    assert re.match(rf"(Error|no): {name} must have a value; set it in \S+/\.env or in", line)


MALFORMED = [
    (make_gcp_blocks, "GCP_SERVICE_ACCOUNT", "/no/such/key.json", "nor the JSON of a key"),
    (make_gcp_blocks, "GCP_SERVICE_ACCOUNT", '{"type": "service_acc', "cannot be used"),
    (make_gcp_blocks, "GCP_SERVICE_ACCOUNT", '{"type": "service_account"}', "cannot be used"),
    (make_gcp_blocks, "GCS_BUCKET", "gs://my-taxi", "is 'gs://my-taxi', but must be the bucket's"),
    (make_s3_block, "S3_BUCKET", "my-taxi/trips", "is 'my-taxi/trips', but must be the bucket's"),
    (make_s3_block, "S3_ENDPOINT_URL", "minio:9000", "is not an address"),
    (make_s3_block, "AWS_SECRET_ACCESS_KEY", "", "is not set, but the other one is"),
    (make_postgres_block, "POSTGRES_PORT", "5432x", "is '5432x', which is not a port"),
    (make_postgres_block, "POSTGRES_PORT", "70000", "is '70000', which is not a port"),
    (make_docker_block, "DOCKER_IMAGE", "host:5000/flows", "has no tag"),
    (make_docker_block, "DOCKER_IMAGE", "flows:latest", "has no tag other than latest"),
    (make_docker_block, "DOCKER_DATA", "data/volume", "neither a name nor an absolute folder"),
    (make_docker_block, "DOCKER_DATASETS", "datasets", "which is not an absolute folder"),
    (make_docker_block, "DOCKER_IMAGE_PULL_POLICY", "SOMETIMES", "IF_NOT_PRESENT, ALWAYS, NEVER"),
    (make_github_block, "GITHUB_STORAGE_REPOSITORY", "you/flows", "is not an address"),
    (make_notification, "NOTIFY_WEBHOOK_URL", "hooks.slack.com/services/x", "is not an address"),
]


@pytest.mark.parametrize(("script", "name", "value", "why"), MALFORMED)
def test_a_malformed_value_is_named_with_where_to_set_it(
    run: Run, values: dict[str, str], script: Any, name: str, value: str, why: str
) -> None:
    """The script prints one line and exits with 1; all other values are valid."""
    code, out, err = run(script.SPEC, values | {name: value}, "--check")
    line = (out + err).splitlines()[-1]
    assert code == 1
    assert line.startswith("no: ")
    assert name in line
    assert why in line


def test_the_environment_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unset or empty variable falls back to the file; dollar signs are not expanded."""
    monkeypatch.setenv("POSTGRES_DB", "from the environment")
    monkeypatch.setenv("POSTGRES_PASSWORD", "")
    file = env_file(tmp_path, {"POSTGRES_DB": "from the file", "POSTGRES_PASSWORD": PASSWORD})
    found = Settings.read(file)
    assert found.get("POSTGRES_DB") == "from the environment"
    assert found.get("POSTGRES_PASSWORD") == PASSWORD
    assert found.get("POSTGRES_HOST", "somewhere") == "somewhere"


def test_a_check_of_s3_reads_from_the_bucket(run: Run, values: dict[str, str], s3: S3) -> None:
    """It prints `ok`; for a missing bucket it prints the reason and exits with 1."""
    s3.new_bucket("zoom-s3-bucket")
    there = values | {"S3_ENDPOINT_URL": s3.url}
    code, out, _ = run(make_s3_block.SPEC, there, "--check")
    assert code == 0
    assert "ok  s3-bucket/zoom-s3: s3://zoom-s3-bucket/taxi/ can be read" in out
    code, out, _ = run(make_s3_block.SPEC, there | {"S3_BUCKET": "no-bucket"}, "--check")
    assert code == 1
    assert re.search(r"^no  s3-bucket/zoom-s3: .*there is no such bucket", out, re.MULTILINE)


def test_a_check_of_google_gets_a_token_and_lists_bucket_and_project(
    run: Run, values: dict[str, str], google: Google
) -> None:
    """It prints `ok` three times; for a missing bucket it prints the reason and exits with 1."""
    key = Path(values["GCP_SERVICE_ACCOUNT"])
    key.write_text(json.dumps(service_account(f"{google.url}/token")))
    there = values | {"GCS_BUCKET": "taxi"}
    code, out, err = run(make_gcp_blocks.SPEC, there, "--check")
    assert out.splitlines() == [
        "ok  gcp-credentials/zoom-gcp-creds: a token for project zoom-project",
        "ok  gcs-bucket/zoom-gcs: gs://taxi can be listed",
        "ok  bigquery-warehouse/zoom-bq: project zoom-project can be listed",
    ]
    assert (code, err) == (0, "")
    asked = [(request.method, request.path) for request in google.requests]
    assert ("POST", "/token") in asked
    assert {method for method, path in asked if path != "/token"} == {"GET"}  # nothing is created
    code, out, _ = run(make_gcp_blocks.SPEC, there | {"GCS_BUCKET": "no-bucket"}, "--check")
    assert code == 1
    assert re.search(r"^no  gcs-bucket/zoom-gcs: .*bucket does not exist", out, re.MULTILINE)


def test_a_check_of_postgres_asks_for_its_version(
    run: Run, values: dict[str, str], database: Database
) -> None:
    """It prints the server's version; a wrong password prints the reason and exits with 1."""
    info = database.block().connection_info
    there = values | {
        "POSTGRES_HOST": info.host,
        "POSTGRES_PORT": info.port,
        "POSTGRES_DB": database.name,
        "POSTGRES_USER": info.username,
        "POSTGRES_PASSWORD": info.password.get_secret_value(),
    }
    ((version,),) = database.query("SELECT current_setting('server_version')")
    code, out, err = run(make_postgres_block.SPEC, there, "--check")
    assert out == f"ok  sqlalchemy-connector/zoom-postgres: Postgres {version}\n"
    assert (code, err) == (0, "")
    code, out, _ = run(make_postgres_block.SPEC, there | {"POSTGRES_PASSWORD": "no"}, "--check")
    assert code == 1
    assert "password authentication failed" in out


CONNECTING = {
    "gcp-credentials/zoom-gcp-creds": make_gcp_blocks,
    "gcs-bucket/zoom-gcs": make_gcp_blocks,
    "bigquery-warehouse/zoom-bq": make_gcp_blocks,
    "s3-bucket/zoom-s3": make_s3_block,
    "sqlalchemy-connector/zoom-postgres": make_postgres_block,
    "docker-container/zoom-docker": make_docker_block,
    "github/zoom-github": make_github_block,
    "custom-webhook/zoom-notify": make_notification,
}


@pytest.mark.parametrize("reference", CONNECTING)
def test_a_check_without_an_answer_fails_with_the_reason(
    run: Run,
    values: dict[str, str],
    nobody: int,
    monkeypatch: pytest.MonkeyPatch,
    s3_at_once: None,
    reference: str,
) -> None:
    """Each block gets one line without secrets; the exit code is 1, and there is no traceback."""
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{nobody}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    values |= {"NOTIFY_WEBHOOK_URL": f"http://127.0.0.1:{nobody}/s3cret-path"}
    code, out, err = run(CONNECTING[reference].SPEC, values, "--check")
    (line,) = [line for line in out.splitlines() if reference in line]
    assert (code, err) == (1, "")
    assert line.startswith("no  ")
    assert re.search(r"refused|connect", line, re.IGNORECASE)
    for secret in (PASSWORD, TOKEN, AWS_SECRET, "s3cret-path"):
        assert secret not in out


def test_a_check_of_the_repository_finds_its_reference(
    run: Run, values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advertisement is the example of git's protocol; another reference is not found."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    refs = (
        "001e# service=git-upload-pack\n00000155"
        "7217a7c7e582c46cec22a130adf4b9d7d950fba0 refs/heads/main\0multi_ack thin-pack\n"
        "003d7217a7c7e582c46cec22a130adf4b9d7d950fba0 refs/tags/v1\n0000"
    )
    with Web() as web:
        url = web.serve("/you/flows/info/refs?service=git-upload-pack", Page(refs.encode()))
        values |= {
            "GITHUB_STORAGE_REPOSITORY": url.partition("/info")[0],
            "GITHUB_STORAGE_TOKEN": "",
        }
        spec = make_github_block.SPEC
        for reference, code in (("main", 0), ("v1", 0), ("gone", 1)):
            asked = values | {"GITHUB_STORAGE_REFERENCE": reference}
            assert run(spec, asked, "--check")[0] == code, reference


def test_a_check_of_a_webhook_sends_no_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sends one HEAD request and nothing else."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as web:
        url = web.serve("/hook", b"")
        code, out, _ = run(make_notification.SPEC, {"NOTIFY_WEBHOOK_URL": url}, "--check")
        assert (code, [request.method for request in web.requests]) == (0, ["HEAD"])
    assert "no message was sent" in out


def test_a_check_of_the_embedded_blocks_makes_nothing(run: Run, tmp_path: Path) -> None:
    """The check only tests whether it could create them."""
    values = {"TRIPS_DATA": str(tmp_path / "data")}
    code, out, _ = run(make_embedded_blocks.SPEC, values, "--check")
    assert (code, len(re.findall("^ok  ", out, re.MULTILINE))) == (0, 2)
    assert not (tmp_path / "data").exists()


@given(secret=st.from_regex(r"[!-&(-~]{4,20}[0-9]{6}", fullmatch=True))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_secret_is_ever_printed(secret: str, tmp_path_factory: Any) -> None:
    """This covers secrets that are accepted, refused, or repeated in the client's error."""
    folder = tmp_path_factory.mktemp("env")
    file = env_file(folder, dict.fromkeys(SECRETS, secret))
    said = Settings.read(file).hidden(f"refused {secret}: {secret!r}")
    assert secret not in said
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        specs = [spec for spec in make_blocks.SPECS if spec.needs]
        for spec in specs:
            main([spec], ["--env", str(file)])  # no block has all that it needs, so all are refused
    assert written.getvalue().count("\n") == len(specs)
    assert secret not in written.getvalue()


def test_the_command_of_a_script_ends_in_one_line(tmp_path: Path) -> None:
    """Run as a real command, it prints no traceback and no Prefect warning, and exits with 1."""
    found = subprocess.run(
        [sys.executable, "blocks/make_docker_block.py", "--env", str(env_file(tmp_path, {}))],
        env=os.environ | {"PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.startswith("Error: DOCKER_IMAGE must have a value")
    assert found.stderr.count("\n") == 1


def _fork(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"PYTHONWARNINGS": "ignore"} | environment
    return preloaded.run(words, settings, cwd=PROJECT)


@pytest.mark.slow
@EMBEDDED
def test_the_command_saves_and_prefect_registers_our_own_blocks(tmp_path: Path) -> None:
    """They are saved in the Prefect database that the environment names."""
    env, data = str(env_file(tmp_path, {})), str(tmp_path / "data")
    settings = _prefect_settings()
    made = _fork(sys.executable, "blocks/make_blocks.py", "--env", env, TRIPS_DATA=data, **settings)
    assert made.returncode == 0, made.stderr
    assert load("local-bucket/zoom").folder == f"{data}/bucket"
    register = ("block", "register", "--module", "orchestration.embedded_blocks")
    registered = _fork(*PREFECT, *register, PYTHONPATH="flows", **settings)
    assert registered.returncode == 0, registered.stderr
    assert "Successfully registered 2 blocks" in registered.stdout
