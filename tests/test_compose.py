"""compose.yaml's setup before it saves blocks, run in a shell without an engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).absolute().parents[1]
KEY = '{\n  "type": "service_account"\n}'


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """Return a folder with the project mounted, and a `python` that prints its variables."""
    (tmp_path / "project/keys").mkdir(parents=True)
    (tmp_path / "project/keys/taxi.json").write_text(f"{KEY}\n")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s: %s\\n" "$1" "$GCP_SERVICE_ACCOUNT"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "told"),
    [("keys/taxi.json", KEY), (KEY, KEY), ("", ""), ("/home/you/taxi.json", "/home/you/taxi.json")],
    ids=["file", "text", "none", "elsewhere"],
)
def test_a_key_of_google_that_is_a_file_reaches_the_blocks_as_text(
    container: Path, value: str, told: str
) -> None:
    """The key's path is relative to the mounted project; a path without a file is refused."""
    setup = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]["setup"]
    assert ".:/opt/prefect/project:ro" in setup["volumes"]
    ended = subprocess.run(
        [word.replace("$$", "$") for word in setup["command"]],
        env={"PATH": f"{container}{os.pathsep}{os.environ['PATH']}", "GCP_SERVICE_ACCOUNT": value},
        cwd=container,
        capture_output=True,
        text=True,
        check=False,
    )
    scripts = ("blocks/make_blocks.py", "deployments/docker_deploy.py")
    assert ended.stdout == "".join(f"{script}: {told}\n" for script in scripts), ended.stderr


@pytest.mark.parametrize(
    ("log", "settings"),
    [("", ""), ("text", ""), ("json", "/opt/prefect/flows/orchestration/logging.yml")],
)
def test_the_agent_logs_json_if_the_flows_do(container: Path, log: str, settings: str) -> None:
    """It does so by Prefect's own variable, which the processes that it starts inherit."""
    agent = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]["agent"]
    assert agent["environment"]["TRIPS_LOG"] == "${TRIPS_LOG:-}"
    prefect = container / "prefect"
    prefect.write_text('#!/bin/sh\nprintf "%s:%s" "$*" "$PREFECT_LOGGING_SETTINGS_PATH"\n')
    prefect.chmod(0o755)
    ended = subprocess.run(
        [word.replace("$$", "$") for word in agent["command"]],
        env={"PATH": f"{container}{os.pathsep}{os.environ['PATH']}", "TRIPS_LOG": log},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"agent start -p default-agent-pool -q docker:{settings}"
