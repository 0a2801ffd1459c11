"""Jobs of a cluster: their manifests, how they end, and which requests an agent may send."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from settings import SettingError, Settings

import kubernetes_validate
import pytest
import requests
import yaml
from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

import kubernetes_deploy
import kubernetes_pool_deploy
import make_kubernetes_block
from fakes.docker_engine import wait_until
from fakes.kubernetes import TOKEN, Kubernetes
from fakes.kubernetes.cluster import VERSION
from fakes.kubernetes.documented import objects, rules
from fakes.kubernetes.node import as_process
from make_docker_block import JSON_LOG

ENV = {
    "KUBERNETES_IMAGE": "registry.example.org/zoom-flows:1",
    "KUBERNETES_NAMESPACE": "trips",
    "KUBERNETES_REQUESTS": "cpu=2, memory=1Gi",
    "KUBERNETES_SECRETS": "trips",
    "KUBERNETES_SECRET_KEYS": "POSTGRES_PASSWORD=postgres/password",
    "KUBERNETES_VOLUME": "months",
}
SCRIPTS = {"agent": kubernetes_deploy, "worker": kubernetes_pool_deploy}
ELSEWHERE = "TRIPS_BUCKET=s3-bucket/zoom-s3\nTRIPS_WAREHOUSE=bigquery-warehouse/zoom-bq\n"
NAPS = "import time; print('begun', flush=True); time.sleep(60)"


def settings(**values: str) -> Settings:
    return Settings({**ENV, **values}, Path("/home/you/flows/.env"))


def job(command: list[str] | None = None) -> Any:
    """Return the block, with a command in place of Prefect's own if one is given."""
    found = kubernetes_deploy.job_of(settings())
    return found.copy(update={"command": command}) if command else found


def python(text: str) -> list[str]:
    return ["python", "-c", text]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubernetes]:
    """Yield a cluster that allows what docs/kubernetes.md does, and has the secrets of ENV."""
    with Kubernetes(tmp_path, rules(), as_process) as found:
        found.cluster.secrets |= {"trips": {"TOKEN": "t-0"}, "postgres": {"password": "pw-0"}}
        # The client reads KUBECONFIG when it is imported.
        place = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
        monkeypatch.setattr(place, found.environment()["KUBECONFIG"])
        yield found


def env_file(folder: Path, text: str = "", **values: str) -> str:
    lines = [f"{name}={value}\n" for name, value in {**ENV, **values}.items()]
    (folder / "env").write_text("".join(lines) + text)
    return str(folder / "env")


@pytest.mark.parametrize("by", SCRIPTS)
def test_a_dry_run_shows_a_job_that_kubernetes_accepts(
    by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has image, resources, secrets by name and the volume; it needs no server or cluster."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    own = {"KUBERNETES_SERVICE_ACCOUNT": "loader", "KUBERNETES_IMAGE_PULL_POLICY": "Always"}
    assert SCRIPTS[by].main(["--dry-run", "--env", env_file(tmp_path, **own)]) == 0
    text, deployments = capsys.readouterr().out.split("\n\n", 1)
    shown = yaml.safe_load(text)
    pod = shown["spec"]["template"]["spec"]
    if by == "worker":  # Prefect's workers refuse a job without them; Kubernetes drops them
        assert [pod.pop(field) for field in ("parallelism", "completions")] == [1, 1]
    kubernetes_validate.validate(shown, VERSION, strict=True)
    (container,) = pod["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (ENV["KUBERNETES_IMAGE"], "Always")
    assert container["args"] == ["python", "-m", "prefect.engine"]
    assert (pod["serviceAccountName"], pod["restartPolicy"]) == ("loader", "Never")
    assert (shown["spec"]["backoffLimit"], shown["spec"]["ttlSecondsAfterFinished"]) == (0, 86_400)
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "1Gi"},
        "limits": {"memory": "2Gi"},
    }
    assert container["envFrom"] == [{"secretRef": {"name": "trips"}}]
    reference = {"secretKeyRef": {"name": "postgres", "key": "password"}}
    assert {"name": "POSTGRES_PASSWORD", "valueFrom": reference} in container["env"]
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "months"}}
    assert pod["volumes"] == [claim]
    assert shown["metadata"]["namespace"] == "trips"
    assert f"etl-parent-flow/{SCRIPTS[by].TARGET.name}-green\n" in deployments


def test_a_worker_gets_the_command_of_the_agents_job() -> None:
    """Prefect's own would start a second Prefect in the container."""
    variables = kubernetes_pool_deploy.variables_of(job())
    assert variables["command"] == "python -m prefect.engine"


def test_the_objects_of_the_page_are_valid() -> None:
    """They are the roles, the agent, and the job that a dry run shows."""
    found = objects()
    for thing in found:
        kubernetes_validate.validate(thing, VERSION, strict=True)
    assert {"Job", "Role", "ClusterRole", "Deployment"} <= {thing["kind"] for thing in found}


def test_the_job_of_the_page_is_the_one_of_its_settings() -> None:
    """Only the variables that Prefect adds and the end of its name are left out."""
    (shown,) = [thing for thing in objects() if thing["kind"] == "Job"]
    values = {name: ENV[name] for name in ("KUBERNETES_IMAGE", "KUBERNETES_NAMESPACE")}
    values["KUBERNETES_SECRETS"] = "trips"
    made = kubernetes_deploy.job_of(Settings(values, Path(".env"))).build_job()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    for thing, name in ((container, "env"), (container, "volumeMounts")):
        del thing[name]
    assert made["spec"]["template"]["spec"].pop("volumes") == []
    for thing in (made, shown):
        del thing["metadata"]["generateName"]
    assert made == shown


def test_jobs_log_json_where_flows_do() -> None:
    """They do from their first line on, like containers of the Docker block, from both scripts."""
    made = kubernetes_deploy.job_of(settings(TRIPS_LOG="json"))
    assert made.env.items() >= JSON_LOG.items()
    assert kubernetes_pool_deploy.variables_of(made)["env"] == made.env
    assert not job().env.keys() & JSON_LOG.keys()


@pytest.mark.slow
@pytest.mark.parametrize("by", SCRIPTS)
def test_a_dry_run_in_a_separate_process_prints_no_warnings(by: str, tmp_path: Path) -> None:
    """Prefect and its Kubernetes package warn unless the script suppresses that."""
    words = [sys.executable, str(SCRIPTS[by].__file__), "--dry-run", "--env", env_file(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("apiVersion: batch/v1\n")
    assert done.stderr == ""


@pytest.mark.parametrize("by", SCRIPTS)
def test_months_that_would_be_lost_with_their_job_are_refused(
    by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a volume, bucket and warehouse must be elsewhere."""
    file = env_file(tmp_path, KUBERNETES_VOLUME="")
    assert SCRIPTS[by].main(["--dry-run", "--env", file]) == 2
    said = capsys.readouterr().err
    assert "TRIPS_BUCKET and TRIPS_WAREHOUSE would be on the disk of each job" in said
    file = env_file(tmp_path, ELSEWHERE, KUBERNETES_VOLUME="")
    assert SCRIPTS[by].main(["--dry-run", "--env", file]) == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KUBERNETES_IMAGE", "zoom-flows:latest"),
        ("KUBERNETES_NAMESPACE", "My Trips"),
        ("KUBERNETES_REQUESTS", "cpu=lots"),
        ("KUBERNETES_LIMITS", "2Gi"),
        ("KUBERNETES_NAMESPACE", "my.trips"),
        ("KUBERNETES_SECRETS", "trips,Trips"),
        ("KUBERNETES_SECRETS", "trips..prod"),
        ("KUBERNETES_SECRETS", "trips."),
        ("KUBERNETES_SECRET_KEYS", "POSTGRES_PASSWORD=.postgres/password"),
        ("KUBERNETES_SECRET_KEYS", "POSTGRES_PASSWORD=postgres"),
        ("KUBERNETES_IMAGE_PULL_POLICY", "NEVER"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=variable) as refused:
        kubernetes_deploy.job_of(settings(**{variable: value}))
    assert value.rpartition(",")[2] in str(refused.value)


def test_the_names_of_secrets_volumes_and_accounts_may_have_dots() -> None:
    """Kubernetes allows them, and accepts the job."""
    values = {
        "KUBERNETES_SECRETS": "trips.prod, 0.a-b",
        "KUBERNETES_SECRET_KEYS": "PASSWORD=db.trips.prod/tls.crt",
        "KUBERNETES_VOLUME": "months.prod",
        "KUBERNETES_SERVICE_ACCOUNT": "taxi.prod",
    }
    made = kubernetes_deploy.job_of(settings(**values)).build_job()
    kubernetes_validate.validate(made, VERSION, strict=True)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert [each["secretRef"]["name"] for each in container["envFrom"]] == ["trips.prod", "0.a-b"]
    reference = {"secretKeyRef": {"name": "db.trips.prod", "key": "tls.crt"}}
    assert {"name": "PASSWORD", "valueFrom": reference} in container["env"]


def test_an_api_key_is_not_written_into_a_job_if_a_secret_has_it() -> None:
    """An agent passes on its own settings; this one comes from the cluster."""
    reference = {"KUBERNETES_SECRET_KEYS": "PREFECT_API_KEY=prefect/key"}
    with temporary_settings(
        {PREFECT_API_KEY: "pnu_of_the_agent", PREFECT_API_URL: "https://x/api"}
    ):
        made = str(kubernetes_deploy.job_of(settings(**reference)).build_job())
    assert "https://x/api" in made
    assert "pnu_of_the_agent" not in made
    assert "'secretKeyRef': {'name': 'prefect', 'key': 'key'}" in made


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_of_a_job_is_that_of_its_container(cluster: Kubernetes, code: int) -> None:
    """The container has its secrets; no request needs more than the page allows."""
    text = "import os, sys; print(os.environ['TOKEN'], os.environ['POSTGRES_PASSWORD']); sys.exit"
    result = job(python(f"{text}({code})")).run()
    assert result.status_code == code
    where, _, name = result.identifier.rpartition(":")
    assert where == "uid-of-the-cluster:trips"
    assert b"".join(cluster.cluster.log(f"{name}-pod")) == b"t-0 pw-0\n"
    sent = str(cluster.cluster.created)
    assert "t-0" not in sent
    assert "pw-0" not in sent
    assert cluster.refused == []


def test_output_is_streamed_if_asked_for(
    cluster: Kubernetes, capsys: pytest.CaptureFixture[str]
) -> None:
    block = job(python("print('of the container')")).copy(update={"stream_output": True})
    assert block.run().status_code == 0
    assert "of the container" in capsys.readouterr().out


def begun(cluster: Kubernetes, block: Any) -> tuple[str, Callable[[], Any]]:
    """Start a job that does not end; return its name, and a function that waits for its result."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(block.run())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until("the block watches its job", lambda: "watch jobs" in cluster.calls, 30)

    def result() -> Any:
        thread.join(30)
        return found[0]

    return cluster.cluster.running()[0], result


def test_a_cancelled_job_is_deleted_with_its_pod(cluster: Kubernetes) -> None:
    """An agent deletes it by the id that Prefect keeps for the run."""
    block = job(python(NAPS))
    name, result = begun(cluster, block)
    asyncio.run(block.kill(f"uid-of-the-cluster:trips:{name}", grace_seconds=5))
    assert result().status_code == -1
    assert cluster.cluster.pods(name)["items"] == []
    assert cluster.cluster.running() == []


def test_the_job_of_a_drained_node_has_failed(cluster: Kubernetes) -> None:
    name, result = begun(cluster, job(python(NAPS)))
    cluster.cluster.evict(name, drained=True)
    assert result().status_code == -1


def test_an_evicted_pod_without_a_status_ends_the_watch(cluster: Kubernetes) -> None:
    """Prefect expects a container's status, so only tidy_runs finds this run."""
    name, result = begun(cluster, job(python(NAPS)))
    cluster.cluster.evict(name, drained=False)
    assert isinstance(result(), TypeError)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/apis/batch/v1/namespaces/trips/cronjobs", 501),
        ("GET", "/api/v1/namespaces/trips/secrets/trips", 501),
        ("GET", "/apis/batch/v1/namespaces/trips/jobs?limit=1&pretty=true", 501),
        ("GET", "/apis/batch/v1/namespaces/trips/jobs/absent", 404),
    ],
)
def test_the_stand_in_refuses_requests_that_prefect_does_not_need(
    cluster: Kubernetes, method: str, path: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.request(method, cluster.url + path, headers=headers, timeout=10)
    assert answer.status_code == status
    assert len(cluster.refused) == 1
    assert requests.request(method, cluster.url + path, timeout=10).status_code in (401, 501)


@pytest.mark.parametrize("field", ["imagePullPolicies", "image"])
def test_the_stand_in_refuses_an_object_that_kubernetes_would_refuse(
    cluster: Kubernetes, field: str
) -> None:
    """The object has an unknown field or a wrong type."""
    made = job().build_job()
    made["spec"]["template"]["spec"]["containers"][0][field] = 7
    answer = requests.post(
        f"{cluster.url}/apis/batch/v1/namespaces/trips/jobs",
        json=made,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=30,
    )
    assert answer.status_code == 422


def test_a_role_that_may_not_delete_jobs_is_refused(tmp_path: Path) -> None:
    weak = [{**rule, "verbs": [v for v in rule["verbs"] if v != "delete"]} for rule in rules()]
    with Kubernetes(tmp_path, weak, as_process) as found:
        answer = requests.delete(
            f"{found.url}/apis/batch/v1/namespaces/trips/jobs/x",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
    assert answer.status_code == 403


def test_the_check_asks_the_cluster(cluster: Kubernetes) -> None:
    assert make_kubernetes_block.check(job()) == "the cluster answers; namespace trips has no jobs"
