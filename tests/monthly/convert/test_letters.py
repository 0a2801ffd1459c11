"""The encoding of a CSV file is that of its names and rows, whatever the declaration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.errors import SchemaError
from monthly import datasets
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import Converted, convert
from monthly.month import Month

HEAD = 'title = "Cities"\npublisher = "An office"\nfirst_month = "2020-01"\n'
DAY = '[columns.day]\ntype = "date"\ndescription = "Day."\n'
SIZE = '[columns.size]\ntype = "string"\ndescription = "Size."\naliases = ["Größe"]\n'


@pytest.fixture(autouse=True)
def folder_of_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets").mkdir()
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path / "datasets"))


def read(folder: Path, data: bytes, declared: str, **rules: Any) -> Converted:
    """Convert a file of the dataset `cities`."""
    (folder / "datasets" / "cities.toml").write_text(HEAD + declared, "utf-8")
    datasets.forget()
    (folder / "cities.csv").write_bytes(data)
    target = folder / "converted"
    target.mkdir(exist_ok=True)
    return convert(Month("cities", 2020, 3), folder / "cities.csv", target, Rules(**rules))


def column(found: Converted, name: str) -> list[Any]:
    return list(pq.read_table(found.path)[name].to_pylist())


# ---- names


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("Größe", "latin-1"), ("Größe Š", "windows-1252"), ("Größe\x81 Ý", "latin-1")],
    ids=["latin-1", "windows-1252", "undefined in windows-1252"],
)
@pytest.mark.parametrize("new_columns", ["fail", "drop", "keep"])
def test_names_have_their_own_letters(
    tmp_path: Path, name: str, encoding: str, new_columns: str
) -> None:
    """The rows are ASCII, so that the names alone show the encoding."""
    data = f"day;{name}\n2020-03-01;1 m\n".encode(encoding)
    alias = name.replace("\x81", "")
    declared = f'new_columns = "{new_columns}"\n{DAY}{SIZE.replace("Größe", alias)}'
    found = read(tmp_path, data, declared)
    assert column(found, "size") == ["1 m"]
    assert found.drift["read"] == (
        f"names encoded as {encoding}",
        "fields separated by semicolons",
    )


def test_an_unknown_name_is_named_in_its_own_letters(tmp_path: Path) -> None:
    data = "day;Größe\n2020-03-01;1\n".encode("latin-1")
    with pytest.raises(SchemaError, match="unknown column 'Größe'"):
        read(tmp_path, data, DAY)
    kept = read(tmp_path, data, 'new_columns = "keep"\n' + DAY)
    field = pq.read_schema(kept.path).field(kept.drift["kept"][0])
    assert field.metadata[b"description"].decode() == (
        "Undeclared; as published in the column 'Größe'."
    )


@pytest.mark.parametrize(("name", "encoding"), [("Größe", "latin-1"), ("Größe Š", "windows-1252")])
def test_names_and_rows_have_one_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    """Only the names have a character that Latin-1 lacks."""
    data = f"day;{name}\n2020-03-01;größer\n".encode(encoding)
    found = read(tmp_path, data, DAY + SIZE.replace("Größe", name))
    assert column(found, "size") == ["größer"]
    assert found.drift["read"][0] == f"encoded as {encoding}"


def test_names_in_latin_1_above_rows_in_utf_8_are_read_as_each_is_written(tmp_path: Path) -> None:
    data = "day;Größe\n".encode("latin-1") + "2020-03-01;größer\n".encode()
    found = read(tmp_path, data, DAY + SIZE)
    assert column(found, "size") == ["größer"]
    assert found.drift["read"][0] == "names encoded as latin-1"
