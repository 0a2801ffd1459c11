"""Code in a bucket: uploaded whole, fetched by the blocks of Prefect, and run by an agent."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from settings import PROJECT, Settings

import pytest
from pydantic.v1 import SecretStr

import bucket_deploy
import make_process_blocks
import targets
from block_specs import main as save
from bucket_deploy import path_of, remove_older, target_of, uploaded
from core.errors import UsageError
from core.storage.bucket import FolderBucket
from fakes import preloaded
from fakes import s3 as fake_s3
from fakes.agent import started_and_ended
from fakes.google import Google
from fakes.s3 import S3
from orchestration import block_kinds
from orchestration.exit_codes import ExitCode
from project_code import ProjectCode
from specs import all_specs
from test_cli import _prefect_settings

NOTHING = Settings({}, Path("/home/you/flows/.env"))


@pytest.fixture(params=["s3", "s3 folder", "gcs", "gcs folder"])
def block(request: pytest.FixtureRequest) -> Any:
    """Return the block of an empty bucket, with or without a folder."""
    folder = "zoom" if "folder" in request.param else ""
    return _s3(request, folder) if "s3" in request.param else _gcs(request, folder)


def _s3(request: pytest.FixtureRequest, folder: str) -> Any:
    server: S3 = request.getfixturevalue("s3")
    server.new_bucket("code-of-flows")
    return fake_s3.block(server.url, "code-of-flows", folder)


def _gcs(request: pytest.FixtureRequest, folder: str) -> Any:
    from prefect_gcp import GcpCredentials
    from prefect_gcp.cloud_storage import GcsBucket

    google: Google = request.getfixturevalue("google")
    google.storage.shows_buckets = True  # the block queries the bucket before it fetches
    return GcsBucket(bucket="taxi", bucket_folder=folder, gcp_credentials=GcpCredentials())


def store_of(block: Any) -> Any:
    kind = block_kinds.BUCKETS[block.get_block_type_slug()]
    return kind.opened(block)


def code(folder: Path, **files: str) -> ProjectCode:
    """Return the code of a project with modules of these names."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "flows").mkdir(parents=True)
    (folder / ".prefectignore").write_text(".env\n")
    (folder / ".env").write_text("PASSWORD=no")
    for name, text in files.items():
        (folder / "flows" / f"{name}.py").write_text(text)
    return ProjectCode.read(folder, NOTHING)


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def fetched(block: Any, folder: str, to: Path) -> dict[str, str]:
    """Return the files that a run finds in its folder, after the call that a run makes."""
    to.mkdir(parents=True)
    block.get_directory(from_path=path_of(folder, block), local_path=str(to))
    return tree(to)


def test_a_run_fetches_what_was_uploaded_last(block: Any, tmp_path: Path) -> None:
    """It has new modules and no removed ones, and writes nothing outside its folder."""
    store = store_of(block)
    first = uploaded(code(tmp_path / "project", verify="1", old="1"), store)
    assert fetched(block, first, tmp_path / "run" / "1") == {
        ".prefectignore": ".env\n",
        "flows/verify.py": "1",
        "flows/old.py": "1",
    }
    second = uploaded(code(tmp_path / "project", verify="2", new="2"), store)
    assert fetched(block, second, tmp_path / "run" / "2") == {
        ".prefectignore": ".env\n",
        "flows/verify.py": "2",
        "flows/new.py": "2",
    }
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["1", "2"]


def test_the_previous_upload_stays_and_older_ones_are_removed(block: Any, tmp_path: Path) -> None:
    """A run that starts while a new version is uploaded fetches the previous one."""
    store = store_of(block)
    store.write("data/green/month.parquet", b"month", None)
    folders = []
    for version in "123":
        found = code(tmp_path / "project", verify=version)
        folders.append(uploaded(found, store))
        removed = remove_older(found, store)
    assert removed == 1
    there = [bool(store.files(f"{folder}/flows")) for folder in folders]
    assert there == [False, True, True]
    lists = {f"code/{found.name}" for found in store.files("code/uploads")}
    assert lists == {f"{folder}.json" for folder in folders[1:]}
    assert store.read("data/green/month.parquet").data == b"month"


def test_code_that_was_uploaded_before_is_the_last_upload_again(block: Any, tmp_path: Path) -> None:
    """Applied twice, it changes nothing; after an undone change, it is the previous upload."""
    store, folders = store_of(block), []
    for version in ("1", "1", "2", "1", "3"):
        found = code(tmp_path / "project", verify=version)
        folders.append(uploaded(found, store))
        remove_older(found, store)
    assert folders[0] == folders[1] == folders[3]
    there = [bool(store.files(f"{folder}/flows")) for folder in folders]
    assert there == [True, True, False, True, True]


def test_a_deployment_that_fails_removes_no_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The deployments that were applied before still fetch theirs."""
    store, ends = (
        FolderBucket(tmp_path / "bucket"),
        [ExitCode.DONE, ExitCode.FAILED, ExitCode.FAILED],
    )

    def deploy(target: Any, options: Any, prepare: Callable[[Any], Any]) -> ExitCode:
        prepare(target)
        return ends.pop(0)

    monkeypatch.setattr(bucket_deploy, "deploy", deploy)
    monkeypatch.setattr(bucket_deploy, "open_bucket", lambda reference: store)
    monkeypatch.setattr(bucket_deploy, "loaded", lambda reference: None)
    monkeypatch.setattr(bucket_deploy, "PROJECT", tmp_path / "project")
    for version, code_of in (("1", 0), ("2", 1), ("3", 1)):
        code(tmp_path / "project", verify=version)
        options = ["--storage", "s3-bucket/any", "--env", os.devnull]
        assert bucket_deploy.main(options) == code_of
    assert len(store.files("code/uploads")) == 3
    assert "removed" not in capsys.readouterr().out


def test_what_a_killed_upload_left_is_removed(block: Any, tmp_path: Path) -> None:
    """The list of its files is uploaded before the first file."""

    class Killed(Exception):
        pass

    class Killing:
        """A bucket whose process is killed at the second file."""

        def __init__(self) -> None:
            self.files = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def upload(self, path: Path, key: str) -> None:
            self.files += 1
            if self.files == 2:
                raise Killed
            store.upload(path, key)

    store = store_of(block)
    half = code(tmp_path / "project", verify="1")
    with pytest.raises(Killed):
        uploaded(half, Killing())  # type: ignore[arg-type] # the part of a bucket in use
    assert [f.name for f in store.files(f"code/{half.digest}")] == [".prefectignore"]
    for version in "23":
        found = code(tmp_path / "project", verify=version)
        uploaded(found, store)
        remove_older(found, store)
    assert store.files(f"code/{half.digest}") == []


@pytest.mark.parametrize(
    ("storage", "given"),
    [
        ("", "no bucket is named"),
        ("local-bucket/zoom", "local-bucket/zoom is not a bucket"),
        ("s3-bucket/", "s3-bucket/ is not a bucket"),
    ],
)
def test_a_place_that_agents_cannot_fetch_code_from_is_refused(storage: str, given: str) -> None:
    with pytest.raises(UsageError) as refused:
        target_of(storage)
    assert str(refused.value) == (
        f"{given} that agents can fetch code from; name one: --storage s3-bucket/NAME or "
        "gcs-bucket/NAME"
    )


def test_a_dry_run_says_what_would_be_uploaded_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket is that of TRIPS_BUCKET, unless an option names another."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    env = tmp_path / "env"
    env.write_text("TRIPS_BUCKET=gcs-bucket/zoom-gcs\n")
    found = code(tmp_path / "project", verify="1")
    monkeypatch.setattr(bucket_deploy, "PROJECT", found.root)
    assert bucket_deploy.main(["--dry-run", "--env", str(env)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"2 files, 6 bytes to gcs-bucket/zoom-gcs/code/{found.digest}, not uploaded"
    assert "  runs in     process/zoom-fetched, from gcs-bucket/zoom-gcs" in lines
    assert "  work queue  default-agent-pool/bucket" in lines
    assert bucket_deploy.main(["--dry-run", "--env", os.devnull]) == 2
    assert "--storage s3-bucket/NAME" in capsys.readouterr().err
    options = ["--storage", "s3-bucket/mine", "--dry-run", "--env"]
    for file, months in ((str(env), "gcs-bucket/zoom-gcs"), (os.devnull, "s3-bucket/mine")):
        assert bucket_deploy.main([*options, file]) == 0
        said = capsys.readouterr().out
        assert f" to s3-bucket/mine/code/{found.digest}, not uploaded" in said
        assert f"months=due source=tlc bucket={months}" in said


# ---- with a real agent


@pytest.fixture(params=["s3-bucket/zoom-s3", "gcs-bucket/zoom-gcs"])
def storage(
    request: pytest.FixtureRequest, prefect_server: None, tmp_path: Path
) -> tuple[str, Any]:
    """Save the block of a bucket and that of the processes; return the first."""
    name: str = request.param
    block = (_s3 if "s3" in name else _gcs)(request, "zoom")
    if "s3" in name:
        block.credentials.save("code-creds", overwrite=True)
    block.save(name.partition("/")[2], overwrite=True)
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "data").mkdir()
        patch.setenv("TRIPS_DATA", str(tmp_path / "data"))
        assert save([make_process_blocks.SPEC], ["--env", os.devnull]) == 0
    return name, block


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of this project, with a secret."""
    copy = tmp_path / "project"
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "flows", copy / "flows", ignore=without)
    shutil.copyfile(PROJECT / ".prefectignore", copy / ".prefectignore")
    (copy / ".env").write_text("POSTGRES_PASSWORD=not-to-be-uploaded")
    return copy


def change(project: Path, word: str) -> None:
    """Make a flow write a word when it is loaded."""
    flow = project / "flows/etl_web_to_gcs.py"
    text = flow.read_text().partition("\nimport os, pathlib\n")[0]
    said = f"pathlib.Path(os.environ['TRIPS_DATA'], 'said').write_text('{word}')"
    flow.write_text(f"{text}\nimport os, pathlib\n{said}\n")


@pytest.fixture
def deploy(
    storage: tuple[str, Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Deploy the copy, whose flow writes a word when it is loaded."""
    monkeypatch.setattr(bucket_deploy, "PROJECT", project)
    monkeypatch.setattr(targets, "all_specs", lambda: all_specs()[:1])

    def apply(word: str) -> None:
        change(project, word)
        assert bucket_deploy.main(["--storage", storage[0], "--env", os.devnull]) == 0

    return apply


def run_by_agent(name: str, folder: Path, **parameters: Any) -> Any:
    """Start a run as the UI does, and let an agent run it; return the run once it has ended."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRIPS_", "PYTHONP"))}
    environment |= _prefect_settings() | {"PYTHONWARNINGS": "ignore"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return started_and_ended(name, parameters, "bucket", environment)


@pytest.mark.cluster
@pytest.mark.flow
def test_an_agent_without_the_project_runs_the_code_that_was_uploaded_last(
    deploy: Callable[[str], None], storage: tuple[str, Any], tmp_path: Path
) -> None:
    """The agent's folder is empty and stays so; the month is in the bucket of the code."""
    folder = tmp_path / "agent"
    folder.mkdir()
    store = store_of(storage[1])
    for month, word in ((1, "first"), (2, "second")):
        deploy(word)
        name = "etl-web-to-gcs/bucket-flow"
        run = run_by_agent(name, folder, source="sample:500", year=2021, month=month)
        assert run.state.name == "Completed", run.state.message
        assert (tmp_path / "data" / "said").read_text() == word
        assert store.info(f"data/yellow/yellow_tripdata_2021-0{month}.parquet")
    assert list(folder.iterdir()) == []
    uploads = [found.name for found in store.files("code/uploads")]
    assert len(uploads) == 2
    assert b'".env"' not in b"".join(store.read(f"code/uploads/{name}").data for name in uploads)


# ---- the classic command, with a project of one flow: it uploads file by file

CLASSIC = """
import os
from pathlib import Path
from prefect import flow
from words.said import WORD

@flow
def classic():
    Path(os.environ["TRIPS_DATA"], "said").write_text(WORD)
"""


def save_older_block(s3: S3) -> None:
    """Save Prefect's own block of a bucket, whose service AWS_ENDPOINT_URL names."""
    from prefect import filesystems

    s3.new_bucket("code-of-flows")
    block: Any = filesystems.S3(
        bucket_path="code-of-flows/classic",
        aws_access_key_id=SecretStr(fake_s3.KEY),
        aws_secret_access_key=SecretStr(fake_s3.SECRET),
    )
    block.save("prefect-s3-storage", overwrite=True)


@pytest.mark.cluster
@pytest.mark.flow
def test_the_classic_command_uploads_what_a_run_fetches(
    s3: S3,
    prefect_server: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command is `prefect deployment build -sb`, as in docs/deploy.md."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("TRIPS_DATA", str(tmp_path / "data"))
    for name in ("data", "agent", "project/flows/words"):
        (tmp_path / name).mkdir(parents=True)
    project = tmp_path / "project"
    shutil.copyfile(PROJECT / ".prefectignore", project / ".prefectignore")
    (project / ".env").write_text("POSTGRES_PASSWORD=not-to-be-uploaded")
    (project / "flows/classic.py").write_text(CLASSIC)
    save_older_block(s3)
    assert save([make_process_blocks.SPEC], ["--env", os.devnull]) == 0
    asyncio.run(targets.make_pool(targets.AGENTS))
    for word in ("first", "second"):
        (project / "flows/words/said.py").write_text(f"WORD = '{word}'")
        _build(project)
        run = run_by_agent("classic/s3-flow", tmp_path / "agent")
        assert run.state.name == "Completed", run.state.message
        assert (tmp_path / "data" / "said").read_text() == word
    keys = s3.client().list_objects_v2(Bucket="code-of-flows")["Contents"]
    left_by_prefect = {"classic/classic-deployment.yaml"}
    assert {key["Key"] for key in keys} - left_by_prefect == {
        f"classic/{name}" for name in (".prefectignore", "flows/classic.py", "flows/words/said.py")
    }


def _build(project: Path) -> None:
    """Run the command of docs/deploy.md for another flow, in a folder."""
    (found,) = re.findall(
        r"^    \.venv/bin/prefect (deployment build (?:.*\\\n)+.*-sb s3/.*--apply)$",
        (PROJECT / "docs/deploy.md").read_text(),
        re.MULTILINE,
    )
    other = {"flows/parameterized_flow.py:etl_parent_flow": "flows/classic.py:classic"}
    words = [other.get(word, word) for word in shlex.split(found.replace("\\\n", " "))]
    environment = os.environ | _prefect_settings() | {"PYTHONWARNINGS": "ignore"}
    done = preloaded.run([*preloaded.PREFECT, *words], environment, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
