"""The file of settings: which one applies, and what is said if it cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from settings import PROJECT, Settings

import pytest

import local_deploy
from block_specs import main as save
from core.errors import UsageError
from fakes import own_dataset
from orchestration import variables
from targets import main as deploy
from test_cli import _prefect_settings

pytestmark = pytest.mark.flow

#: Commands that read the file, and whether an option names it, not a variable.
COMMANDS = {
    "deployments by option": ("deployments/local_deploy.py", True),
    "deployments by variable": ("deployments/local_deploy.py", False),
    "blocks": ("blocks/make_process_blocks.py", True),
    "flow": ("flows/verify.py", False),
    "describe": ("flows/describe.py", False),
}


def run(script: str, file: str, option: bool, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a file that is named by --env or by TRIPS_ENV_FILE."""
    given = ["--env", file] if option else []
    named = {} if option else {"TRIPS_ENV_FILE": file}
    command = [sys.executable, str(PROJECT / script), *given, *words]
    return subprocess.run(
        command, env=os.environ | named, capture_output=True, text=True, check=False
    )


def options_of(script: str) -> list[str]:
    return ["x.csv", "--name", "x"] if script.endswith("describe.py") else []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_named_file_that_does_not_exist_is_refused(name: str, tmp_path: Path) -> None:
    """As an empty one, it would point every deployment to the defaults."""
    script, option = COMMANDS[name]
    missing = tmp_path / "prod.emv"
    done = run(script, str(missing), option, *options_of(script))
    said = f"Error: {missing} is not a file; correct TRIPS_ENV_FILE or --env\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@pytest.mark.parametrize("name", ["blocks", "describe"])
def test_a_file_in_another_encoding_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    script, option = COMMANDS[name]
    file = tmp_path / "env"
    file.write_bytes("TRIPS_BUCKET=./a\nPOSTGRES_PASSWORD=café\n".encode("latin-1"))
    done = run(script, str(file), option, *options_of(script))
    said = f"Error: {file}, line 2: not UTF-8; save the file as UTF-8\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@pytest.mark.parametrize(
    ("main", "what"), [(save, []), (deploy, local_deploy.TARGET)], ids=["blocks", "deployments"]
)
def test_an_empty_name_is_refused(main: Any, what: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It is that of a variable which the shell does not know."""
    with pytest.raises(SystemExit) as ended:
        main(what, ["--env", ""])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "Error: argument --env: names no file\n"


def test_a_file_that_the_system_cannot_open_is_refused() -> None:
    with pytest.raises(UsageError, match=r"n+ cannot be read \(File name too long\)"):
        Settings.read(Path("/", "n" * 300))


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^{tmp_path} is not a file"):
        Settings.read(tmp_path)


def test_a_process_of_prefect_shows_the_error_with_the_run(tmp_path: Path) -> None:
    """There the import of the flow fails; an exit would hide the reason."""
    folder = str(PROJECT / "flows")
    code = f"import sys; sys.path.append({folder!r}); import orchestration.prefect_home"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TRIPS_ENV_FILE": "absent.env"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"core.errors.UsageError: {tmp_path / 'absent.env'} is not a file; "
    assert done.stderr.splitlines()[-1].startswith(said)


def test_child_processes_find_the_file_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIPS_ENV_FILE", "prod.env")
    monkeypatch.setattr(variables, "FILE", Path("prod.env"))
    variables.share_early()
    assert os.environ["TRIPS_ENV_FILE"] == str(tmp_path / "prod.env")


@pytest.mark.slow
def test_the_option_decides_alone(prefect_server: None, tmp_path: Path) -> None:
    """No variable of the file that applies without the option is used; a pipe is read once."""
    own_dataset.declare(tmp_path, "https://example.org/tram-{year}-{month:02}.csv")
    usual = tmp_path / "usual"
    usual.write_text(f"TRIPS_DATASETS={tmp_path / 'absent'}\nTRIPS_LOG=yaml\n")
    reader, writer = os.pipe()
    os.write(writer, f"TRIPS_DATASETS={tmp_path}\nTRIPS_BUCKET=./mine\n".encode())
    os.close(writer)
    script = str(PROJECT / "deployments" / "local_deploy.py")
    done = subprocess.run(
        [sys.executable, script, "--dry-run", f"--env=/dev/fd/{reader}"],
        env=os.environ | _prefect_settings() | {"TRIPS_ENV_FILE": str(usual)},
        pass_fds=[reader],
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(reader)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"etl-parent-flow/local-flow-{own_dataset.NAME}\n" in done.stdout
    assert "bucket=./mine" in done.stdout
