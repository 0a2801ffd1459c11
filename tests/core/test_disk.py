"""A refusal by the disk is named with its place and the free space; other errors stay unchanged."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.disk import files_under, free_space, room_for
from core.errors import StorageError

FULL = " MB are free there; make room, or name another folder (TRIPS_DATA)"
FORBIDDEN = "not write there: correct its permissions, or name another folder (TRIPS_DATA)"
GONE = "that folder is missing: create it and run again, or name another folder (TRIPS_DATA)"
A_FOLDER = "where a file must be: move it away, or name another folder (TRIPS_DATA)"
TOO_LONG = "choose a shorter name, or name another folder (TRIPS_DATA)"
IN_THE_WAY = "folder must be: move it away, or name another folder (TRIPS_DATA)"


@pytest.mark.parametrize(
    ("code", "way_out"),
    [
        (errno.ENOSPC, FULL),
        (errno.EDQUOT, FULL),
        (errno.EROFS, FORBIDDEN),
        (errno.EACCES, FORBIDDEN),
        (errno.ENOTDIR, IN_THE_WAY),
        (errno.EEXIST, IN_THE_WAY),
        (errno.ENOENT, GONE),
        (errno.EISDIR, A_FOLDER),
        (errno.ENAMETOOLONG, TOO_LONG),
    ],
)
def test_refusal_names_file_folder_reason_and_way_out(
    tmp_path: Path, code: int, way_out: str
) -> None:
    folder = tmp_path / "not" / "there"
    cause = OSError(code, "the reason")
    space = room_for("file of yellow 2021-01", folder, "TRIPS_DATA")
    with pytest.raises(StorageError) as caught, space:
        raise cause
    said = str(caught.value)
    assert said.startswith(f"cannot keep file of yellow 2021-01 in {folder}: ")
    assert "the reason" in said
    assert said.endswith(way_out)
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "gone"), TimeoutError(), ValueError("no")]
)
def test_other_errors_stay_what_they_are(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, room_for("file", tmp_path):
        raise error
    assert caught.value is error


def test_free_space_is_that_of_the_nearest_folder_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> object:
        asked.append(path)
        return shutil._ntuple_diskusage(10**12, 0, 1_234_400_000)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert free_space(tmp_path / "not" / "there") == "1,234 MB are free"
    assert asked == [tmp_path]


def test_free_space_of_this_disk_is_a_number() -> None:
    assert re.fullmatch(r"[\d,]+ MB are free", free_space(Path()))


def test_the_files_under_a_folder(tmp_path: Path) -> None:
    """They come in order, those in subfolders included."""
    (tmp_path / "b/deep").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("c", "b/deep/x", "a"):
        (tmp_path / name).touch()
    assert files_under(tmp_path) == [tmp_path / "a", tmp_path / "b/deep/x", tmp_path / "c"]
    with pytest.raises(FileNotFoundError):
        files_under(tmp_path / "typo")


def test_a_folder_that_is_removed_meanwhile_has_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are still found."""
    root, listed = tmp_path / "root", os.scandir
    for name in ("goes", "stays"):
        (root / name).mkdir(parents=True)
        (root / name / "file").touch()

    def scandir(place: str) -> Any:
        if place == str(root / "goes"):
            Path(place).rename(tmp_path / "gone")
        return listed(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert files_under(root) == [root / "stays" / "file"]
    assert (tmp_path / "gone").exists()
