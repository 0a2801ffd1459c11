"""An upload has the files that `.prefectignore` does not exclude, and never a secret."""

from __future__ import annotations

from pathlib import Path

from settings import PROJECT, Settings

import pytest
from prefect.utilities.filesystem import filter_files

from core.errors import UsageError
from project_code import ProjectCode

NOTHING = Settings({}, Path("/home/you/flows/.env"))
STAYS_BEHIND = (
    ".git/config",
    ".hypothesis/unicode_data/16.0.0/charmap.json.gz",
    ".env",
    ".env.production",
    "google.pem",
    "deep/own.key",
    ".venv/bin/python",
    "data/bucket/data/green/green_tripdata_2020-01.parquet",
    "flows/__pycache__/verify.cpython-311.pyc",
    "tests/test_flows.py",
)
GOES = (".env.example", ".prefectignore", "flows/verify.py", "flows/datasets/green.toml")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with the files above, and the ignore file of this one."""
    for name in (*STAYS_BEHIND, *GOES):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / ".prefectignore").write_bytes((PROJECT / ".prefectignore").read_bytes())
    return tmp_path


def test_secrets_and_data_stay_behind(project: Path) -> None:
    assert ProjectCode.read(project, NOTHING).files == GOES_SORTED


GOES_SORTED = tuple(sorted(GOES))


def test_the_files_are_those_that_prefect_uploads(project: Path) -> None:
    """`prefect deployment build` chooses its files with `filter_files`."""
    patterns = (project / ".prefectignore").read_text().splitlines()
    theirs = filter_files(str(project), patterns, include_dirs=False)
    assert set(ProjectCode.read(project, NOTHING).files) == theirs


PEM = "-----BEGIN {kind} KEY-----\nMIIEvQ\n"
AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": AWS,
    "TRIPS_SECRET_SAS": "sv=1&s1gned-by-hand",
    "PREFECT_API_KEY": "pnu_0123456789abcdef",
    "HTTPS_PROXY": "http://me:pr0xy-pass-of-mine@proxy.example.com:8080",
}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (PEM.format(kind="PRIVATE"), "a private key"),
        (PEM.format(kind="RSA PRIVATE"), "a private key"),
        ('{"type": "service_account", "private_key": "x"}', "a private key"),
        (f"secret = '{AWS}'", "the value of AWS_SECRET_ACCESS_KEY"),
        ("web = 'https://h/f?sv=1&s1gned-by-hand'", "the value of TRIPS_SECRET_SAS"),
        ("key = 'pnu_0123456789abcdef'", "the value of PREFECT_API_KEY"),
        ("proxy = 'me:pr0xy-pass-of-mine'", "the value of HTTPS_PROXY"),
    ],
)
def test_a_file_that_contains_a_secret_is_refused(project: Path, text: str, what: str) -> None:
    """The file is named, and its secret is not shown."""
    (project / "notes.txt").write_text(text)
    settings = Settings(SECRETS, NOTHING.file)
    with pytest.raises(UsageError) as refused:
        ProjectCode.read(project, settings)
    assert str(refused.value) == (
        f"notes.txt contains {what} and would be uploaded; add it to .prefectignore, or move it "
        "out of the project"
    )


def test_a_short_password_may_be_a_word_of_the_code(project: Path) -> None:
    settings = Settings({"POSTGRES_PASSWORD": "verify"}, NOTHING.file)
    assert ProjectCode.read(project, settings).files == GOES_SORTED


def test_nothing_is_read_without_an_ignore_file(project: Path) -> None:
    (project / ".prefectignore").unlink()
    with pytest.raises(UsageError, match="secrets and data would be uploaded"):
        ProjectCode.read(project, NOTHING)


@pytest.mark.parametrize("change", ["a byte", "a name", "a file"])
def test_every_change_has_another_digest(project: Path, change: str) -> None:
    before = ProjectCode.read(project, NOTHING).digest
    assert ProjectCode.read(project, NOTHING).digest == before
    path = project / "flows/verify.py"
    if change == "a byte":
        path.write_text(path.read_text() + ".")
    elif change == "a name":
        path.rename(path.with_name("verify2.py"))
    else:
        path.with_name("new.py").touch()
    assert ProjectCode.read(project, NOTHING).digest != before


def test_this_project_can_be_uploaded() -> None:
    """None of its files looks like a secret; the flows are among them."""
    files = ProjectCode.read(PROJECT, NOTHING).files
    assert {"flows/parameterized_flow.py", "flows/datasets/green.toml"} <= set(files)
    assert not [
        name
        for name in files
        if name.startswith(("tests/", "data/", ".venv/", ".git"))
        and name not in (".gitignore", ".github/workflows/ci.yml")
    ]
