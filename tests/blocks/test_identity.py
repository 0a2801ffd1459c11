"""Google and S3 without a key: by the machine's own identity, here and in containers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from settings import SettingError, Settings

import pytest

import identity
import make_docker_block
import make_gcp_blocks
import make_s3_block
from block_specs import main
from fakes.google import PROJECT, Google
from fakes.google.tokens import ACCOUNT, AUDIENCE, EXCHANGED, IMPERSONATED, LOCAL, SUBJECT_TOKEN
from fakes.s3 import KEY, REGION, S3, SECRET
from make_s3_block import blocks as s3_blocks

from core.storage.s3 import S3Store  # isort: skip - settings puts flows/ on the path

pytestmark = pytest.mark.flow

IMPERSONATION = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
ROLE = "arn:aws:iam::123456789012:role/taxi"
OF_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN")


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the developer's own identity."""
    for name in (*OF_AWS, "GCP_SERVICE_ACCOUNT", "GCP_PROJECT", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


def workload(google: Google, folder: Path, **more: str) -> dict[str, Any]:
    """Return a file of workload identity federation, as gcloud writes it."""
    (folder / "token").write_text(SUBJECT_TOKEN)
    return {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google.url}/v1/token",
        "credential_source": {"file": str(folder / "token")},
        **more,
    }


def impersonated_workload(google: Google, folder: Path) -> dict[str, Any]:
    """Return the same for a pool that acts as a service account."""
    url = f"{google.url}{IMPERSONATION}"
    return workload(google, folder, service_account_impersonation_url=url)


def impersonated(google: Google, folder: Path) -> dict[str, Any]:
    """Return what `gcloud auth application-default login --impersonate-service-account` writes."""
    source = json.loads(Path(google.environment()["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    return {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": f"https://iamcredentials.googleapis.com{IMPERSONATION}",
        "source_credentials": {**source, "quota_project_id": None},
        "delegates": [],
    }


@pytest.mark.parametrize(
    ("write", "token"),
    [(workload, EXCHANGED), (impersonated_workload, IMPERSONATED), (impersonated, IMPERSONATED)],
)
def test_google_without_a_key_is_reached_by_the_machines_own_credentials(
    google: Google,
    tmp_path: Path,
    write: Callable[[Google, Path], dict[str, Any]],
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """This covers workload identity, with and without a service account, and impersonation."""
    # The one address that google-auth does not take from the file.
    monkeypatch.setattr(
        "google.auth.iam._IAM_ENDPOINT",
        f"{google.url}/v1/projects/-/serviceAccounts/{{}}:generateAccessToken",
    )
    file = tmp_path / "adc.json"
    file.write_text(json.dumps(write(google, tmp_path)))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    env = tmp_path / ".env"
    env.write_text(f"GCS_BUCKET=taxi\nGCP_PROJECT={PROJECT}\n")
    assert main([make_gcp_blocks.SPEC], ["--env", str(env), "--check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"ok  gcp-credentials/zoom-gcp-creds: a token for project {PROJECT}",
        "ok  gcs-bucket/zoom-gcs: gs://taxi can be listed",
        f"ok  bigquery-warehouse/zoom-bq: project {PROJECT} can be listed",
    ]
    sent = [r.headers["authorization"] for r in google.requests if r.method == "GET"]
    assert set(sent) == {f"Bearer {token}"}


def test_application_default_credentials_of_a_person_need_no_variable(
    google: Google, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gcloud auth application-default login` writes them; the project is that of the quota."""
    env = tmp_path / ".env"
    env.write_text("GCS_BUCKET=taxi\n")
    assert main([make_gcp_blocks.SPEC], ["--env", str(env), "--check"]) == 0
    assert f"a token for project {PROJECT}" in capsys.readouterr().out
    sent = {r.headers["authorization"] for r in google.requests if r.method == "GET"}
    assert sent == {f"Bearer {LOCAL}"}


def test_a_machine_without_credentials_is_told_which_ways_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is one line, with the variable of a key and the command for other credentials."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    env = tmp_path / ".env"
    env.write_text("GCS_BUCKET=taxi\n")
    assert main([make_gcp_blocks.SPEC], ["--env", str(env), "--check"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("no: GCP_SERVICE_ACCOUNT is not set, and this machine has no")
    assert "gcloud auth application-default login" in line


def s3_settings(s3: S3, **more: str) -> Settings:
    values = {"S3_BUCKET": "by-role", "S3_ENDPOINT_URL": s3.url, "AWS_REGION": REGION}
    return Settings(values | more, Path(".env"))


def write_and_read(settings: Settings) -> Any:
    """Store an object with the blocks of the settings; return the credentials in use."""
    credentials: Any
    bucket: Any
    (_, credentials), (_, bucket) = s3_blocks(settings)
    store = S3Store.of(bucket)
    store.write("ledger/x", b"{}", None)
    assert store.read("ledger/x") is not None
    return credentials.get_boto3_session().get_credentials()


def test_s3_is_reached_by_a_role_and_a_token_of_the_machine(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Kubernetes (IRSA) and in CI, boto3 assumes the role; no key is set anywhere."""
    s3.new_bucket("by-role")
    (tmp_path / "token").write_text(SUBJECT_TOKEN)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3.url)
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    found = write_and_read(s3_settings(s3))
    assert found.method == "assume-role-with-web-identity"
    assert found.get_frozen_credentials().token


def test_s3_is_reached_by_a_profile_that_assumes_a_role(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block has only the profile's name; the machine's file has the role."""
    s3.new_bucket("by-role")
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    (tmp_path / "config").write_text(
        f"[profile taxi]\nrole_arn = {ROLE}\nsource_profile = base\nregion = {REGION}\n"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    found = write_and_read(s3_settings(s3, AWS_PROFILE="taxi"))
    assert found.method == "assume-role"


def test_a_profile_together_with_a_key_is_refused(s3: S3) -> None:
    """It would not be clear which of them reaches the bucket."""
    both = {"AWS_PROFILE": "taxi", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}
    with pytest.raises(SettingError, match="AWS_PROFILE is set, and so is AWS_ACCESS_KEY_ID"):
        list(make_s3_block.blocks(s3_settings(s3, **both)))


def test_containers_get_the_files_of_the_identity_read_only(google: Google, tmp_path: Path) -> None:
    """Credentials, and the folders of tokens, which are renewed, keep their paths."""
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "adc.json").write_text(json.dumps(workload(google, tokens)))
    (tmp_path / "config").write_text("[profile taxi]\n")
    given = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "adc.json"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tokens / "token"),
        "AWS_ROLE_ARN": ROLE,
    }
    settings = Settings({**given, "DOCKER_IMAGE": "flows:1"}, Path(".env"))
    container: Any
    (_, container), *_ = make_docker_block.blocks(settings)
    mounted = [tmp_path / "adc.json", tokens, tmp_path / "config"]
    assert container.volumes[1:] == [f"{path}:{path}:ro" for path in mounted]
    assert container.env.items() >= given.items()


@pytest.mark.parametrize("value", ["adc.json", "/no/such/file.json"])
def test_a_file_that_cannot_be_mounted_is_refused(value: str) -> None:
    """It is missing, or its path is relative and would name another file in a container."""
    settings = Settings({"GOOGLE_APPLICATION_CREDENTIALS": value}, Path(".env"))
    with pytest.raises(SettingError, match="is not the absolute path of a file"):
        identity.volumes(settings)
