"""Row groups as people rewrite them: a flow, its command, an agent, and real Dask workers."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.agent import run_by_agent
from fakes.commands import run, start
from fakes.dask_clusters import dask_processes, hasty_connections
from fakes.google import Google
from fakes.parquet_files import groups, publish
from fakes.preloaded import Process, Started
from fakes.s3 import S3, block
from monthly import datasets
from test_cli import environment as environment

T = TypeVar("T")

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

FILE = "check_for_files.py"
JANUARY, FEBRUARY = "fhvhv_tripdata_2021-01.parquet", "fhvhv_tripdata_2021-02.parquet"
#: A cluster within this process, for tests that are not about the cluster.
INSIDE = {
    "cluster": "distributed.LocalCluster",
    "cluster_options": '{"processes": false, "n_workers": 1, "dashboard_address": "127.0.0.1:0"}',
}


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """Publish two files."""
    publish(tmp_path / "web", 1)
    publish(tmp_path / "web", 2)
    return tmp_path / "web"


def check(**parameters: Any) -> Any:
    from check_for_files import check_for_files

    call: Any = check_for_files
    parameters = {"rows_per_group": 1_000, **INSIDE} | parameters
    return call(**parameters, return_state=True)


def statuses(state: Any) -> dict[str, str]:
    return {line.name: line.status for line in state.result(raise_on_failure=False)}


def test_files_are_rewritten_once(place: Path, web: Path) -> None:
    """The second run ends as Skipped."""
    first = check(source=str(web))
    assert (first.name, first.message) == ("Completed", "2 rewritten")
    sink = place / "bucket/row-groups/fhvhv"
    assert groups(sink / JANUARY) == [1_000, 1_000, 1_000]
    assert pq.read_table(sink / JANUARY).equals(pq.read_table(web / JANUARY))
    before = {p: p.stat().st_mtime_ns for p in place.rglob("*")}
    second = check(source=str(web))
    assert (second.name, second.type.value) == ("Skipped", "COMPLETED")
    assert second.message.endswith("nothing to do for 2 files")
    assert {p: p.stat().st_mtime_ns for p in place.rglob("*")} == before


def test_no_cluster_is_started_for_nothing(place: Path, web: Path) -> None:
    """Without work, an unreachable cluster does not matter."""
    check(source=str(web))
    state = check(source=str(web), cluster="no_such.Cluster", cluster_options="")
    assert state.name == "Skipped"
    (place / "empty").mkdir()
    nothing = {"source": str(place / "empty"), "cluster": "no_such.Cluster"}
    assert check(**nothing, skip_missing=True).name == "Skipped"


def test_intents_mean_the_first_file_or_all(place: Path, web: Path) -> None:
    assert statuses(check(source=str(web), intent="test_subset")) == {JANUARY: "rewritten"}
    assert statuses(check(source=str(web))) == {JANUARY: "unchanged", FEBRUARY: "rewritten"}
    state = check(source=str(web), intent="reprocess", rows_per_group=600)
    assert set(statuses(state).values()) == {"rewritten"}
    assert groups(place / "bucket/row-groups/fhvhv" / JANUARY) == [600] * 5


def test_an_unknown_intent_is_refused(place: Path, web: Path) -> None:
    state = check(source=str(web), intent="everything")
    assert state.is_failed()
    assert "test_subset" in str(state.result(raise_on_failure=False))
    assert not (place / "bucket").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rows_per_group": 0}, "rows_per_group 0 is less than 1; write 1 or more"),
        (
            {"rows_per_group": 67_108_865},
            "rows_per_group 67108865 is more than a row group can have; write 67108864 or less",
        ),
        ({"days": -1}, "days -1 is negative"),
        ({"sink": "row-groups"}, "'row-groups' is not a place for files; write local-bucket/NAME/"),
        ({"source": "/no/such/folder"}, "/no/such/folder is not a folder on this machine"),
        ({"cluster": "near"}, "cluster 'near' is not valid: leave it empty, or write the address"),
        ({"cluster_options": "[4]"}, "cluster_options '[4]' is not a JSON object"),
        ({"cluster_options": "{4}"}, "cluster_options '{4}' is not a JSON object"),
        ({"cluster": "tcp://127.0.0.1:1"}, "is already running and takes no cluster_options"),
        ({"cluster": "no_such.Cluster"}, "cluster 'no_such.Cluster' cannot be imported"),
        ({"cluster": "distributed.Clustre"}, "cluster 'distributed.Clustre' cannot be imported"),
        (
            {"cluster_options": '{"x_y": 1, "dashboard_address": "127.0.0.1:0"}'},
            "unexpected keyword argument 'x_y'",
        ),
        (
            {"cluster": "", "cluster_options": '{"n_workers": "a"}'},
            "n_workers 'a' is not a whole number",
        ),
        (
            {"cluster": "", "cluster_options": '{"n_workers": 0}'},
            "n_workers 0 is too few; write 1 or more",
        ),
    ],
)
def test_an_invalid_parameter_is_named(
    place: Path, web: Path, wrong: dict[str, Any], said: str
) -> None:
    """The error names the value and a valid one; nothing is written."""
    state = check(**{"source": str(web)} | wrong)
    assert state.is_failed()
    assert said in str(state.result(raise_on_failure=False))
    assert not (place / "bucket").exists()


def test_a_file_where_the_sink_must_be_is_named(place: Path, web: Path) -> None:
    state = check(source=str(web), sink=str(web / JANUARY / "uniform"))
    assert state.is_failed()
    said = str(state.result(raise_on_failure=False))
    assert f"{web / JANUARY} is a file, so there can be no folder" in said


def test_one_bad_file_does_not_stop_the_others_and_is_named(place: Path, web: Path) -> None:
    (web / JANUARY).write_bytes(b"PAR1 is not all it takes")
    state = check(source=str(web))
    assert state.is_failed()
    assert state.message.startswith(f"1 of 2 files failed: {JANUARY}: {JANUARY} is damaged Parquet")
    assert statuses(state) == {JANUARY: "failed", FEBRUARY: "rewritten"}


def test_a_bucket_that_is_away_for_a_moment_is_asked_again(
    place: Path, web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transient failure on a worker does not fail the file."""
    import check_for_files as flow_file
    from core.errors import Unavailable
    from row_groups import cluster

    real, asked = cluster.rewrite_on, []

    def away_at_first(client: Any, job: Any) -> Any:
        asked.append(job.file.name)
        if len(asked) == 1:
            raise Unavailable("the bucket answered 503")
        return real(client, job)

    quick = flow_file.rewrite.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(flow_file, "rewrite", quick)
    monkeypatch.setattr(cluster, "rewrite_on", away_at_first)
    state = check(source=str(web), intent="test_subset")
    assert statuses(state) == {JANUARY: "rewritten"}
    assert asked == [JANUARY, JANUARY]


def test_from_s3_to_google(place: Path, web: Path, s3: S3, google: Google) -> None:
    """Files go through saved blocks and their folders; the second run has nothing to do."""
    from prefect_gcp import GcpCredentials
    from prefect_gcp.cloud_storage import GcsBucket

    objects = s3.new_bucket("for-hire")
    objects.put(f"tlc/trip-data/{JANUARY}", (web / JANUARY).read_bytes())
    saved = block(s3.url, "for-hire", "tlc")
    saved.credentials.save("for-hire", overwrite=True)
    saved.save("for-hire", overwrite=True)
    GcsBucket(bucket="taxi", gcp_credentials=GcpCredentials()).save("for-hire", overwrite=True)
    places = {"source": "s3-bucket/for-hire/trip-data", "sink": "gcs-bucket/for-hire/even"}
    assert statuses(check(**places)) == {JANUARY: "rewritten"}
    assert set(google.storage.objects("taxi")) == {
        f"even/{JANUARY}",
        f"even/_ledger/{JANUARY.removesuffix('.parquet')}.json",
    }
    assert groups(google.storage.file_of(f"gs://taxi/even/{JANUARY}")) == [1_000] * 3
    assert check(**places).name == "Skipped"


# ---- Dask workers, which take seconds to start


def found_when(look: Callable[[], T | None], process: Started) -> T:
    """Return what a condition finds while the process runs, as soon as it finds it."""
    while process.poll() is None:
        if found := look():
            return found
        time.sleep(0.005)
    pytest.fail(f"the process ended with exit code {process.returncode} before it was there")


def workers_at_it(
    process: Process, scratch: Path, but: int = 0
) -> Callable[[], list[psutil.Process]]:
    """Return a run's Dask workers, except a lost one, once one of them writes a rewritten file."""

    def look() -> list[psutil.Process]:
        begun = list(scratch.glob("*/rewritten/*.parquet"))
        workers = dask_processes(psutil.Process(process.pid)) if begun else []
        return [worker for worker in workers if worker.pid != but]

    return look


def options(web: Path, *more: str) -> tuple[str, ...]:
    return ("--source", str(web), "--rows-per-group", "1000", *more)


@pytest.fixture
def slow_web(tmp_path: Path) -> Path:
    """Serve a file slowly enough for a kill during the download."""
    publish(tmp_path / "slow", 1, 1_000_000, (300_000, 40_000))
    return tmp_path / "slow"


@pytest.mark.cluster
def test_a_run_leaves_no_process_behind_whether_done_or_failed(place: Path, web: Path) -> None:
    us = psutil.Process()
    (web / FEBRUARY).write_bytes(b"broken")
    assert dask_processes(us) == []
    state = check(source=str(web), cluster="", cluster_options='{"n_workers": 2}')
    assert statuses(state) == {JANUARY: "rewritten", FEBRUARY: "failed"}
    assert dask_processes(us) == []
    state = check(source=str(web), cluster="", cluster_options='{"no_such": 2}')
    assert state.is_failed()
    assert dask_processes(us) == []


@pytest.fixture
def address(place: Path) -> Iterator[str]:
    """Run a scheduler and a worker in another folder, without this project's code."""
    dask = Path(sys.executable).with_name("dask")
    told = place / "scheduler.json"
    here = ["--host", "127.0.0.1", "--scheduler-file", str(told)]
    quiet: dict[str, Any] = {"cwd": place, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen([dask, "scheduler", "--port", "0", "--no-dashboard", *here], **quiet) as s,
        subprocess.Popen([dask, "worker", "--no-dashboard", *here], **quiet) as worker,
    ):
        try:
            yield found_when(lambda: address_in(told), s)
            assert (s.poll(), worker.poll()) == (None, None)
        finally:
            worker.terminate()
            s.terminate()


@pytest.mark.cluster
def test_a_cluster_at_an_address_is_sent_the_code_and_stays(
    place: Path, web: Path, address: str
) -> None:
    inside = {"cluster": address, "cluster_options": ""}
    assert set(statuses(check(source=str(web), **inside)).values()) == {"rewritten"}
    assert set(statuses(check(source=str(web), intent="reprocess", **inside)).values()) == {
        "rewritten"
    }


RIDES = """title = "Rides"
publisher = "A bike system"
first_month = "2018-01"
sources.web = "https://example.org/rides-{year}{month:02}.csv"
roles.time = "started_at"

[columns.started_at]
type = "timestamp"
description = "When the ride began."
"""
METERS = """
[columns.meters]
type = "%s"
description = "How far it went."
"""


@pytest.mark.cluster
def test_a_running_cluster_uses_the_declarations_of_each_run(
    place: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask keeps the modules of the first run, and with them its declarations."""
    monkeypatch.setenv("TRIPS_DATASETS", str(place))
    name, declared = "rides_2024-05.parquet", place / "rides.toml"
    pq.write_table(
        pa.table({"started_at": [dt.datetime(2024, 5, 1)], "meters": [7]}), place / "web" / name
    )

    def rewritten(declaration: str) -> Any:
        declared.write_text(declaration)
        datasets._dataset.cache_clear()
        cluster = {"cluster": address, "cluster_options": "", "intent": "reprocess"}
        return check(source=str(place / "web"), sink=str(place), pattern="rides_*", **cluster)

    unknown = rewritten(RIDES)
    assert "unknown column 'meters'" in str(unknown.message)
    for kind, arrow in (("int64", pa.int64()), ("float64", pa.float64()), ("int64", pa.int64())):
        assert statuses(rewritten(RIDES + METERS % kind)) == {name: "rewritten"}
        assert pq.read_schema(place / name).field("meters").type == arrow


def address_in(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["address"])
    except (FileNotFoundError, ValueError):
        return None


@pytest.mark.cluster
def test_a_cluster_that_is_not_there_is_named(place: Path, web: Path) -> None:
    with hasty_connections():
        state = check(source=str(web), cluster="tcp://127.0.0.1:1", cluster_options="")
    said = str(state.result(raise_on_failure=False))
    assert "cluster tcp://127.0.0.1:1 cannot be used" in said
    assert "see that it runs and can be reached" in said


@pytest.mark.cluster
def test_the_work_of_a_killed_worker_is_done_by_another(
    environment: dict[str, str], slow_web: Path, tmp_path: Path, scratch: Path
) -> None:
    """After SIGKILL during a write, the same run completes, with every row once."""
    arguments = ("--cluster-options", '{"n_workers": 1}')
    said, log = tmp_path / "said", tmp_path / "log"
    with said.open("wb") as out, log.open("wb") as err:
        process = start(environment, (FILE, *options(slow_web, *arguments)), err, out)
    (victim,) = found_when(workers_at_it(process, scratch), process)
    victim.kill()
    (other,) = found_when(workers_at_it(process, scratch, but=victim.pid), process)
    assert process.wait() == 0, log.read_text()
    assert f"{JANUARY}  rewritten  1,000,000" in said.read_text()
    assert psutil.wait_procs([victim, other], timeout=60)[1] == []
    assert_whole(slow_web, tmp_path)
    assert {p.suffix for p in scratch.iterdir()} == {".lock"}


@pytest.mark.cluster
def test_after_a_killed_run_nothing_runs_and_the_next_one_completes(
    environment: dict[str, str], slow_web: Path, tmp_path: Path, scratch: Path
) -> None:
    """SIGKILL ends the workers too; the next run completes, and the one after is Skipped."""
    process = start(environment, (FILE, *options(slow_web)))
    workers = found_when(workers_at_it(process, scratch), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    assert not (tmp_path / "data/bucket/row-groups/fhvhv/_ledger").exists()
    again = run(environment, FILE, *options(slow_web))
    assert again.returncode == 0, again.stderr
    assert f"{JANUARY}  rewritten  1,000,000" in again.stdout
    assert_whole(slow_web, tmp_path)
    assert {p.suffix for p in scratch.iterdir()} == {".lock"}
    third = run(environment, FILE, *options(slow_web))
    assert f"{JANUARY}  unchanged  1,000,000" in third.stdout


def assert_whole(web: Path, root: Path) -> None:
    """Check that the sink's file has the rows of the source, in groups of a thousand."""
    sink = root / "data/bucket/row-groups/fhvhv" / JANUARY
    assert set(groups(sink)) == {1_000}
    assert pq.read_table(sink).equals(pq.read_table(web / JANUARY))


@pytest.mark.cluster
def test_an_agent_runs_it_from_a_deployment(
    environment: dict[str, str], web: Path, tmp_path: Path
) -> None:
    """It runs in the agent's temporary copy of the project; a second run has nothing to do."""
    from check_for_files import check_for_files

    parameters = {"source": str(web), "rows_per_group": 1_000}
    first = run_by_agent(check_for_files, FILE, parameters, environment)
    assert first.state
    assert (first.state.name, first.state.message) == ("Completed", "2 rewritten")
    assert groups(tmp_path / "data/bucket/row-groups/fhvhv" / FEBRUARY) == [1_000] * 3
    second = run_by_agent(check_for_files, FILE, parameters, environment)
    assert second.state
    assert second.state.name == "Skipped"
