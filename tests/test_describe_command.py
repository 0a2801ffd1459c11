"""The command that drafts declarations."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import describe
from core.download.http import VERSION
from fakes.humble import humble
from fakes.web import Fault, Web
from orchestration import variables


def command(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Run the command with these options; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["describe.py", *options])
    return describe.main()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "t-2020-01.csv"
    path.write_text("day,n\n2020-01-05,1\n")
    return path


def test_the_draft_alone_is_on_stdout(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Output can be redirected, because everything else goes to stderr."""
    assert command(monkeypatch, str(published), "--name", "own") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("# Drafted from:")
    assert "[columns.day]" in shown.out
    assert shown.err.splitlines()[-1].endswith("the values of 2 columns compared, all equal")


def test_a_draft_that_does_not_load_its_file_is_written_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most lines have a quote that quotes nothing, such as for inches, and one quotes a field."""
    file, output = tmp_path / "t-2020-01.tsv", tmp_path / "own.toml"
    rows = [f"2020-01-{day:02}\t{day}{' in' if day == 1 else chr(34)}\n" for day in range(1, 29)]
    quoted = '2020-01-29\t"pipe\tor tube"\n'
    file.write_text("day\tsize\n" + "".join(rows) + quoted)
    assert command(monkeypatch, str(file), "--name", "own", "-o", str(output)) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-2:] == [
        f"written: {output}",
        "Error: the draft does not load t-2020-01.tsv; correct it as its comments say",
    ]
    assert "# The draft does not load t-2020-01.tsv: " in output.read_text()


def test_ctrl_c_ends_it_without_a_traceback_or_a_file(tmp_path: Path) -> None:
    """The download hangs in the middle; a folder for it is then there, and is removed."""
    body, temporary = b"day,n\n" + b"2020-01-05,1\n" * 10_000, tmp_path / "temporary"
    temporary.mkdir()
    with Web() as web:
        url = web.serve("/t-2020-01.csv", body)
        web.fail(Fault())  # the request before the download succeeds
        web.fail(Fault(after=len(body) // 2, hang=True))
        process = subprocess.Popen(
            [sys.executable, "flows/describe.py", url, "--name", "own"],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"TMPDIR": str(temporary)},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        while not list(temporary.glob("describe-*/**/t-2020-01.csv*")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (-signal.SIGINT, "")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "{} is a folder; name a file, such as {}/own.toml"),
        ("none/own.toml", "{}/none is not a folder; create it, or name a file in another one"),
    ],
)
def test_an_impossible_output_is_refused_before_the_published_file_is_read(
    output: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Reading a large file takes minutes. Here it is missing, which would be a different error."""
    options = ("none.csv", "--name", "own", "--force", "-o", str(tmp_path / output))
    with pytest.raises(SystemExit) as raised:
        command(monkeypatch, *options)
    assert raised.value.code == 2
    assert capsys.readouterr().err == f"Error: {said.format(tmp_path, tmp_path)}\n"


@pytest.mark.parametrize(
    ("mode", "output", "said"),
    [
        (0o555, "own.toml", "write {}/own.toml; correct the permissions, or name another file"),
        (0o000, "own.toml", "write {}/own.toml; correct the permissions, or name another file"),
        (0o000, "in/own.toml", "enter {}; correct the permissions, or name another"),
    ],
)
def test_an_output_that_this_user_may_not_write_is_refused_at_once(
    tmp_path: Path, mode: int, output: str, said: str
) -> None:
    """Not after the published file was read, here a missing one; nor with a traceback."""
    closed = tmp_path / "closed"
    (closed / "in").mkdir(parents=True)
    closed.chmod(mode)
    target = closed / output
    words = (sys.executable, describe.__file__, "none.csv", "--name", "own", "-o", str(target))
    done = subprocess.run(humble(*words), capture_output=True, text=True)
    closed.chmod(0o755)
    expected = f"Error: this user may not {said.format(closed)}\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_a_file_is_replaced_only_by_force(
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An existing declaration may have been edited, so it is kept."""
    target = tmp_path / "own.toml"
    options = (str(published), "--name", "own", "-o", str(target))
    assert command(monkeypatch, *options) == 0
    assert capsys.readouterr().out == ""
    target.write_text("edited")
    with pytest.raises(SystemExit) as raised:
        command(monkeypatch, *options)
    assert raised.value.code == 2
    assert f"{target} exists; add --force to replace it" in capsys.readouterr().err
    assert target.read_text() == "edited"
    assert command(monkeypatch, *options, "--force") == 0
    assert target.read_text().startswith("# Drafted from:")


def test_a_draft_that_cannot_be_written_in_full_leaves_the_file_as_it_was(
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A declaration that somebody edited is not lost on a full disk; a link to it stays one."""
    target, link = tmp_path / "edited.toml", tmp_path / "own.toml"
    target.write_text("edited")
    link.symlink_to(target)
    options = (str(published), "--name", "own", "-o", str(link), "--force")
    write = Path.write_text

    def cut(path: Path, text: str, *rest: str) -> int:
        write(path, text[:20], *rest)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", cut)
        assert command(monkeypatch, *options) == 1
    assert "Error: [Errno 28] No space left on device" in capsys.readouterr().err
    assert target.read_text() == "edited"
    assert {path.name for path in tmp_path.iterdir()} == {target.name, link.name, published.name}
    assert command(monkeypatch, *options) == 0
    assert link.is_symlink()
    assert target.read_text().startswith("# Drafted from:")


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["nowhere-2020-01.csv", "--name", "own"], 1, "Error: nowhere-2020-01.csv: "),
        (["ftp://host/t.csv", "--name", "own"], 2, "Error: ftp://host/t.csv: "),
    ],
)
def test_an_unreadable_file_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    error: str,
) -> None:
    """The exit code is 1 for a file and 2 for a usage error."""
    assert command(monkeypatch, *options) == code
    shown = capsys.readouterr().err
    assert shown.startswith(error)
    assert shown.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["t.csv"], ["t.csv", "--name", "own", "--nmae", "x"]])
def test_a_wrong_option_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        command(monkeypatch, *options)
    assert raised.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Error: ")
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["t.csv", "--nmae", "own"], "no such option: --nmae; did you mean --name?"),
        (["--nmae=own"], "no such option: --nmae; did you mean --name?"),
        (["t.csv", "--quiet", "own", "--name", "own"], "no such option: --quiet"),
        (["t.csv", "-x"], "no such option: -x"),
        (["t.csv", "--forc", "-oown.toml"], "the following arguments are required: --name"),
        (["--", "--nmae"], "the following arguments are required: --name"),
    ],
)
def test_an_option_that_does_not_exist_is_named_before_one_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    with pytest.raises(SystemExit) as raised:
        command(monkeypatch, *options)
    assert raised.value.code == 2
    assert capsys.readouterr().err == f"Error: {said}\n"


@pytest.mark.parametrize("name", ["Own", "1st", "a-b", ""])
def test_a_name_that_no_dataset_may_have(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The name is refused before anything is downloaded."""
    with pytest.raises(SystemExit) as raised:
        command(monkeypatch, "nowhere.csv", "--name", name)
    assert raised.value.code == 2
    assert "is not a name: lower-case letters, digits and _" in capsys.readouterr().err


def test_a_url_is_fetched(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its month becomes a field of the source, and its host the publisher."""
    with Web() as web:
        url = web.serve("/2020/t-202001.csv", published.read_bytes())
        assert command(monkeypatch, url, "--name", "own") == 0
        shown = capsys.readouterr().out
    assert f'web = "{web.url("/2020/t-{year}{month:02}.csv")}"' in shown
    assert 'publisher = "127.0.0.1"' in shown


def test_a_literal_secret_is_in_no_message_and_the_draft_points_it_out(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Declarations are shared, and uploaded with the code."""
    with Web() as web:
        url = web.serve("/t-202001.csv?sig=s1gned", published.read_bytes())
        url = url.replace("//", "//me:p@ssword@")
        assert command(monkeypatch, url, "--name", "own") == 0
        shown = capsys.readouterr()
        assert command(monkeypatch, url.replace("t-", "u-"), "--name", "own") == 1
    said = shown.err + capsys.readouterr().err
    assert "answered 404" in said
    assert not [secret for secret in ("p@ss", "ssword", "s1gned") if secret in said]
    told = [line for line in shown.out.splitlines() if "{secret.NAME}" in line]
    assert [line.partition(":")[0] for line in told] == [
        f"# The address has a secret ({name})" for name in ("password", "sig")
    ]


def test_requests_to_publishers_are_those_of_flows(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The settings in .env apply too."""
    monkeypatch.setenv("TRIPS_CONTACT", "")  # or nothing would unset what the command sets
    monkeypatch.delenv("TRIPS_CONTACT")
    monkeypatch.setitem(variables._IN_FILE, "TRIPS_CONTACT", "https://example.org/taxi")
    with Web() as web:
        url = web.serve("/t-202001.csv", published.read_bytes())
        assert command(monkeypatch, url, "--name", "own") == 0
        agents = {request.headers["user-agent"] for request in web.requests}
    assert agents == {f"nyc-taxi-flows/{VERSION} (+https://example.org/taxi)"}
