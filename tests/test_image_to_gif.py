"""A GIF as people make it: on threads and Dask, in folders and buckets, and after a kill."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import image_to_gif as flow_file
from core.errors import UsageError
from fakes import preloaded
from fakes.agent import run_by_agent
from fakes.commands import killed_while_downloading, run, start, wait
from fakes.dask_clusters import dask_processes, hasty_connections
from fakes.google import Google
from fakes.image_file import image_file, picture, pixels
from fakes.in_process import Commands
from fakes.real_data import real_file
from fakes.s3 import S3, block
from fakes.web import Fault, Page, Web
from orchestration import graph
from test_cli import PROJECT, environment
from test_flows import listing
from test_google_flows import BUCKET as GCS
from test_google_flows import blocks

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

__all__ = ["blocks", "environment"]  # fixtures

COUNT = 5
FRAMES = [f"frame_{number:02}.gif" for number in range(COUNT)]
DOTS = [pixels(picture(number))[0] for number in range(COUNT)]
MADE = {"image-data.img", "clip.gif", *FRAMES}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def server() -> Iterator[Web]:
    """Serve the image file."""
    with Web() as served:
        served.serve("/all.img", Page(image_file(COUNT), etag='"one"'))
        yield served


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    quick = flow_file.download.with_options(retry_delay_seconds=0)
    monkeypatch.setattr(flow_file, "download", quick)


def make(server: Web, **options: Any) -> Any:
    call: Any = flow_file.image_to_gif
    url = server.url("/all.img")
    return call(**({"url": url, "engine": "threads"} | options), return_state=True)


def made_in(folder: Path) -> set[str]:
    """Return the folder's files without lock files."""
    return {name for name in listing(folder) if name != ".lock"}


def reason(state: Any) -> str:
    assert state.is_failed()
    return str(state.result(raise_on_failure=False))


def states_of(task: str, since: Any) -> list[tuple[str, str]]:
    """Return type and name of the states of all runs of a task that a flow run started."""
    from prefect import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    async def read() -> Any:
        async with get_client() as client:
            parents = FlowRunFilter.parse_obj({"start_time": {"after_": since}})
            return await client.read_task_runs(flow_run_filter=parents)

    runs = asyncio.run(read())
    return [(r.state_type.value, r.state_name) for r in runs if r.name.startswith(task)]


def test_an_image_file_becomes_frames_and_a_gif(server: Web, here: Path) -> None:
    """All files are in the current folder, with frames in order and every pixel correct."""
    state = make(server)
    assert state.name == "Completed"
    assert made_in(here) == MADE
    assert [(here / name).read_bytes() for name in FRAMES] == [picture(n) for n in range(COUNT)]
    assert pixels((here / "clip.gif").read_bytes()) == DOTS
    assert state.result().frames == COUNT


def test_twice_downloads_once_and_changes_nothing(server: Web, here: Path) -> None:
    """The download ends as Skipped; the later tasks still run."""
    import pendulum

    make(server)
    before, stamps = listing(here), [(here / name).stat().st_mtime_ns for name in FRAMES]
    since = pendulum.now("UTC")
    state = make(server)
    assert (state.name, state.type.value) == ("Skipped", "COMPLETED")
    assert listing(here) == before
    assert [(here / name).stat().st_mtime_ns for name in FRAMES] == stamps
    assert len(server.requests) == 1
    assert states_of("download", since) == [("COMPLETED", "Skipped")]
    assert states_of("write", since) == [("COMPLETED", "Completed")] * COUNT


def test_a_lost_frame_is_written_again(server: Web, here: Path) -> None:
    make(server)
    (here / FRAMES[2]).unlink()
    make(server)
    assert made_in(here) == MADE


def test_a_transient_error_is_retried_twice(server: Web, here: Path, no_waiting: None) -> None:
    """After a 503 and an interruption halfway, the rest is downloaded."""
    assert (flow_file.download.retries, flow_file.download.retry_delay_seconds) == (2, 0)
    server.fail(Fault(Page(b"", 503)))
    server.fail(Fault(after=50))
    assert make(server).name == "Completed"
    assert [r.headers.get("range") for r in server.requests] == [None, None, "bytes=50-"]


def test_retries_are_ten_seconds_apart() -> None:
    assert (flow_file.download.retries, flow_file.download.retry_delay_seconds) == (2, 10)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Page(b"", 404), "there is no such file"),
        (Page(b"<html>moved</html>"), "is a web page"),
        (Page(b""), "is empty"),
    ],
)
def test_a_permanent_error_is_not_retried(server: Web, here: Path, answer: Page, said: str) -> None:
    """Nothing is left in the folder."""
    server.serve("/all.img", answer)
    assert said in reason(make(server))
    assert len(server.requests) == 1
    assert made_in(here) == set()


def test_a_frame_that_is_not_an_image_is_named_by_its_number(server: Web, here: Path) -> None:
    """The other frames are written; the GIF is not."""
    parts = [picture(0), b"no image", picture(2)]
    server.serve("/all.img", b"\n\n\n\n".join(parts))
    said = reason(make(server))
    assert f"{here}/image-data.img: frame 1, 8 bytes from" in said
    assert "is not an image" in said
    assert made_in(here) == {"image-data.img", "frame_00.gif", "frame_02.gif"}


def test_a_file_without_frames_is_refused(server: Web) -> None:
    server.serve("/all.img", b"\n\n\n\n")
    assert "is empty" in reason(make(server))


def test_a_gif_over_its_own_image_file_is_refused(server: Web, here: Path) -> None:
    """The next run would take the GIF for the image file, so nothing is downloaded."""
    said = reason(make(server, file="clip.gif", gif="./clip.gif"))
    assert "'./clip.gif' would replace the file that it is made of" in said
    assert not [*here.iterdir()]


@pytest.mark.parametrize("names", [{"file": "frame_01.gif"}, {"gif": "frame_100.gif"}])
def test_a_name_that_a_frame_has_is_refused(server: Web, here: Path, names: dict[str, str]) -> None:
    """A frame would replace the only copy of the images, or be replaced by the GIF."""
    said = reason(make(server, **names))
    assert f"a frame would replace {min(names.values())!r}" in said
    assert not [*here.iterdir()]


def test_a_frame_name_elsewhere_is_free(server: Web, here: Path) -> None:
    """The frames lie next to the GIF."""
    assert make(server, file="images/frame_00.gif", gif="made/clip.gif").is_completed()
    assert pixels((here / "made/clip.gif").read_bytes()) == DOTS


def test_frames_that_another_run_replaced_are_not_put_together(
    server: Web, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs write their frames into one folder under the same names."""
    combine = flow_file.combine.fn

    def late(frames: Any, gif: Any) -> Any:
        (here / FRAMES[1]).write_bytes(picture(99))  # by a run of another image file
        return combine(frames, gif)

    monkeypatch.setattr(flow_file.combine, "fn", late)
    said = reason(make(server))
    assert f"{FRAMES[1]} was changed by another run" in said
    assert not (here / "clip.gif").exists()


@pytest.mark.parametrize("bucket", ["", "local-bucket/zoom"])
def test_frames_of_an_earlier_gif_with_more_of_them_stay_and_are_named(
    server: Web, place: Path, here: Path, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be the user's own files, or those of another GIF."""
    folder = place / "bucket" if bucket else here
    make(server, bucket=bucket)
    assert "not of this GIF" not in caplog.text
    server.serve("/all.img", image_file(COUNT - 2))
    (folder / "image-data.img").unlink()
    assert make(server, bucket=bucket).result().frames == COUNT - 2
    assert made_in(folder) == MADE
    (warning,) = [line for line in caplog.messages if "not of this GIF" in line]
    assert warning.startswith(f"{folder / FRAMES[COUNT - 2]} is not of this GIF, which has 3 frame")


def test_an_invalid_address_is_refused_before_anything_is_written(here: Path) -> None:
    call: Any = flow_file.image_to_gif
    state = call(url="ftp://host/all.img", engine="threads", return_state=True)
    assert "'ftp://host/all.img' is not an address of a file" in reason(state)
    assert made_in(here) == set()


@pytest.mark.parametrize(
    ("options", "said"),
    [({"workers": 0}, "workers 0 is too few"), ({"cluster": "host"}, "cluster 'host' is no")],
)
def test_an_impossible_cluster_is_refused(server: Web, options: dict[str, Any], said: str) -> None:
    assert said in reason(make(server, engine="dask", **options))
    assert not server.requests


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "ftp://host/all.img"}, "is not an address of a file"),
        ({"file": "clip.gif"}, "would replace the file that it is made of"),
        ({"file": "frame_01.gif"}, "a frame would replace"),
        ({"gif": "/"}, "'/' is not a file name"),
    ],
    ids=["address", "same file", "frame", "no name"],
)
def test_an_impossible_file_is_refused_before_a_cluster_starts(
    server: Web, options: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_file, "dask_runner", lambda *_: pytest.fail("a cluster starts"))
    assert said in reason(make(server, engine="dask", **options))


def test_a_cluster_that_does_not_answer_is_named(server: Web) -> None:
    with hasty_connections():
        said = reason(make(server, engine="dask", cluster="tcp://127.0.0.1:1"))
    assert said.startswith("cluster tcp://127.0.0.1:1 cannot be used: ")


def test_a_bucket_takes_all_of_it(server: Web, place: Path, here: Path) -> None:
    """Image file, frames and GIF are stored under the given keys; the folder stays empty."""
    options = {"bucket": "local-bucket/zoom", "file": "in/all.img", "gif": "out/clip.gif"}
    assert make(server, **options).name == "Completed"
    expected = {"in/all.img", "out/clip.gif", *(f"out/{name}" for name in FRAMES)}
    assert made_in(place / "bucket") == expected
    assert made_in(here) == set()
    assert make(server, **options).name == "Skipped"
    assert len(server.requests) == 1


def test_s3_has_the_same_bytes(server: Web, here: Path, s3: S3) -> None:
    make(server)
    objects = s3.new_bucket("images")
    bucket = block(s3.url, objects.name)
    bucket.credentials.save("image-creds", overwrite=True)
    bucket.save("images", overwrite=True)
    assert make(server, bucket="s3-bucket/images").result().where == "s3://images/clip.gif"
    assert objects.listing() == {name: (here / name).read_bytes() for name in MADE}


def test_google_has_the_same_bytes(server: Web, here: Path, google: Google, blocks: None) -> None:
    make(server)
    assert make(server, bucket=GCS).name == "Completed"
    objects = google.storage.objects("taxi")
    assert {name: found.path.read_bytes() for name, found in objects.items()} == {
        f"zoom/{name}": (here / name).read_bytes() for name in MADE
    }


def test_what_travels_between_tasks_is_small() -> None:
    """A frame is passed on as three numbers, a place as two texts."""
    import cloudpickle

    from gif.frames import split
    from gif.locations import Location

    frames = split(image_file(COUNT))
    assert all(len(cloudpickle.dumps(f)) < 500 for f in [*frames, Location.of("", "clip.gif")])


def test_the_graph_is_drawn_without_running_anything(server: Web, here: Path) -> None:
    """The graph has four nodes in a row; nothing is requested or written except the drawing."""
    if not shutil.which("dot"):
        pytest.skip("Graphviz's dot is not on the PATH")
    graph.draw(flow_file.frames_to_gif, here / "out.svg")
    text = (here / "out.svg").read_text()
    edges = [f"{a}&#45;0&#45;&gt;{b}&#45;0" for a, b in EDGES]
    assert text.startswith("<?xml")
    assert all(edge in text for edge in edges)
    assert text.count('class="edge"') == len(edges)
    assert made_in(here) == {"out.svg"}


EDGES = (("download", "split"), ("split", "write_frame"), ("write_frame", "combine"))


def test_without_graphviz_the_graph_says_what_to_install(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(UsageError, match=r"dot is not on the PATH; install it"):
        graph.draw(flow_file.frames_to_gif, here / "out.svg")
    with pytest.raises(UsageError, match=r"drawn as svg, png, pdf, not as 'out.gif'"):
        graph.draw(flow_file.frames_to_gif, here / "out.gif")
    assert made_in(here) == set()


def test_the_command_draws_the_graph_or_says_why_not(
    command: Commands, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Graphviz it prints one line, with exit code 2."""
    monkeypatch.setenv("PATH", str(tmp_path))
    drawn = flow_file.frames_to_gif
    found = command(flow_file.image_to_gif, "--graph", "out.svg", drawn=drawn)
    assert found.code == 2
    assert found.err.strip().splitlines()[-1].startswith("Error: a graph is drawn by Graphviz")
    assert made_in(here) == set()


@pytest.mark.slow
def test_killed_while_downloading_it_goes_on_where_it_stopped(
    environment: dict[str, str], server: Web, here: Path
) -> None:
    """After SIGKILL with part of the file downloaded, the next run fetches only the rest."""
    large = image_file(COUNT) + b"\n" * 400_000
    server.serve("/all.img", Page(large, etag='"one"'))
    server.fail(Fault(after=len(large) // 2, hang=True))
    options = ("image_to_gif.py", "--engine", "threads", "--url", server.url("/all.img"))
    arrived = killed_while_downloading(environment, options)
    assert made_in(here) == set()
    again = run(environment, *options)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"written: clip.gif, {COUNT} frames, ")
    assert [r.headers.get("range") for r in server.requests] == [None, f"bytes={arrived}-"]
    assert made_in(here) == MADE


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 4, COUNT + 2])
def test_killed_before_a_write_the_next_run_completes(
    environment: dict[str, str], server: Web, here: Path, number: int
) -> None:
    """Image file, frames and GIF: what exists is complete, and in the end all exist once."""
    options = ["--engine", "threads", "--url", server.url("/all.img")]
    script = PROJECT / "tests/fakes/killed_while_writing.py"
    path = os.pathsep.join([str(PROJECT / "flows"), str(PROJECT / "tests")])
    killed = preloaded.run(
        [
            sys.executable,
            str(script),
            f"{number}",
            str(PROJECT / "flows/image_to_gif.py"),
            *options,
        ],
        environment | {"PYTHONPATH": path},
    )
    assert killed.returncode == -signal.SIGKILL
    left = {name: data for name, data in listing(here).items() if not name.startswith(".")}
    assert set(left) < MADE
    assert run(environment, "image_to_gif.py", *options).returncode == 0
    assert left.items() <= listing(here).items()
    assert made_in(here) == MADE


@pytest.mark.slow
def test_on_dask_it_survives_the_kill_of_a_worker(
    environment: dict[str, str], server: Web, here: Path
) -> None:
    """After SIGKILL to one of two workers between frames, all frames are there, in order."""
    count = 40
    server.serve("/all.img", image_file(count))
    options = ("image_to_gif.py", "--engine", "dask", "--url", server.url("/all.img"))
    with (here.parent / "log").open("wb") as log_file:
        process = start(environment, options, log_file)
    wait(lambda: (here / "image-data.img").exists(), process)
    workers = dask_processes(psutil.Process(process.pid))
    assert len(workers) == 2
    wait(lambda: len(list(here.glob("frame_*"))) > 2, process)
    workers[0].kill()
    assert len(list(here.glob("frame_*"))) < count
    assert process.wait() == 0
    log = (here.parent / "log").read_text()
    assert "Restarting worker" in log
    assert "arge" not in log.replace("charge", "")  # Dask warns of large graphs and objects
    dots = [pixels(picture(number))[0] for number in range(count)]
    assert pixels((here / "clip.gif").read_bytes()) == dots
    assert len(list(here.glob("frame_*"))) == count


@pytest.mark.slow
def test_on_a_cluster_that_runs_already(
    environment: dict[str, str], server: Web, here: Path
) -> None:
    """The cluster is used by its address and keeps running."""
    from distributed import Client, LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call] # Dask's own
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        with Client(cluster) as client:  # type: ignore[no-untyped-call] # Dask's own
            client.run(_know, str(PROJECT / "flows"), environment)
        address = cluster.scheduler_address
        options = ["--cluster", address, "--url", server.url("/all.img")]
        found = run(environment, "image_to_gif.py", *options)
        assert found.returncode == 0, found.stderr
        assert cluster.status.name == "running"
    assert made_in(here) == MADE


@pytest.mark.slow
def test_from_a_deployment_by_an_agent(environment: dict[str, str], server: Web) -> None:
    """The agent runs it in a copy of the project; bucket and GIF stay."""
    parameters = {"url": server.url("/all.img"), "bucket": "local-bucket/zoom", "workers": 1}
    ended = run_by_agent(flow_file.image_to_gif, "image_to_gif.py", parameters, environment)
    assert ended.state_name == "Completed", ended.state
    assert made_in(Path(environment["TRIPS_DATA"], "bucket")) == MADE


@pytest.mark.slow
def test_a_deployment_refuses_files_that_would_be_lost(
    environment: dict[str, str], server: Web
) -> None:
    """The error comes before anything is downloaded."""
    parameters = {"url": server.url("/all.img"), "engine": "threads"}
    ended = run_by_agent(flow_file.image_to_gif, "image_to_gif.py", parameters, environment)
    assert ended.state is not None
    assert "'image-data.img' would be lost" in str(ended.state.message)
    assert not server.requests


@pytest.mark.real
def test_the_real_file_goes_through_the_flow(here: Path) -> None:
    """The file has 27 frames of 500x375."""
    call: Any = flow_file.image_to_gif
    url = real_file("image/all-images.img").as_uri()
    state = call(url=url, engine="threads", return_state=True)
    assert state.result().frames == 27
    assert len(pixels((here / "clip.gif").read_bytes())) == 27
    assert {f"frame_{number:02}.gif" for number in range(27)} < made_in(here)


def _know(flows: str, variables: dict[str, str]) -> None:
    """Give workers the environment of this test's flows and Prefect, as a person would."""
    sys.path.append(flows)
    os.environ.update(variables)
