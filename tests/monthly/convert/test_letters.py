"""The encoding of a CSV file is that of its names and rows, whatever the declaration says."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.errors import SchemaError
from monthly import datasets
from monthly.convert import letters, rows
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


def test_names_of_one_header_may_be_in_two_encodings(tmp_path: Path) -> None:
    """Each name is read by itself."""
    data = "day,Größe,".encode() + "Café".encode("latin-1") + b"\n2020-03-01,1 m,x\n"
    found = read(tmp_path, data, f'new_columns = "keep"\n{DAY}{SIZE}')
    assert (column(found, "size"), column(found, "Caf_")) == (["1 m"], ["x"])
    assert "Café" in pq.read_schema(found.path).field("Caf_").metadata[b"description"].decode()


def test_an_alias_may_have_the_escapes_that_errors_had_before(tmp_path: Path) -> None:
    """They were the only way to declare such a name before 1.10."""
    data = "day,Größe\n2020-03-01,1 m\n".encode("latin-1")
    found = read(tmp_path, data, DAY + SIZE.replace("Größe", r"Gr\\xf6\\xdfe"))
    assert column(found, "size") == ["1 m"]


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


# ---- a declared encoding


NAMED = DAY + '[columns.city]\ntype = "string"\ndescription = "City."\n'
LINES = [f"2020-03-{day:02},São Paulo\n" for day in range(1, 32)]


def declaring(encoding: str, columns: str = NAMED) -> str:
    return f'[text]\nencoding = "{encoding}"\n{columns}'


@pytest.mark.parametrize("declared", ["latin-1", "windows-1252"])
@pytest.mark.parametrize(
    ("encoding", "notes"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ("encoded as utf-8 with a byte order mark",)),
        ("utf-16", ()),
    ],
)
def test_a_file_shows_another_encoding_than_the_declared_one(
    tmp_path: Path, declared: str, encoding: str, notes: tuple[str, ...]
) -> None:
    data = "".join(["day,city\n", *LINES]).encode(encoding)
    found = read(tmp_path, data, declaring(declared))
    assert column(found, "city") == ["São Paulo"] * 31
    own = "utf-16-le" if encoding == "utf-16" else "utf-8"
    assert found.drift["read"] == (f"encoded as {own}, although {declared} is declared", *notes)


def test_names_alone_show_it(tmp_path: Path) -> None:
    data = "day,Größe\n2020-03-01,1\n".encode()
    found = read(tmp_path, data, declaring("latin-1", DAY + SIZE))
    assert column(found, "size") == ["1"]


def test_a_mark_decides_if_all_else_is_ascii(tmp_path: Path) -> None:
    found = read(tmp_path, b"\xef\xbb\xbfday,city\n2020-03-01,Rio\n", declaring("latin-1"))
    assert column(found, "city") == ["Rio"]


def test_a_damaged_line_in_a_hundred_is_rejected_in_utf_8(tmp_path: Path) -> None:
    """It is the first one, and does not settle the encoding of the others."""
    rows = [b"2020-03-01,x\n".replace(b"x", b"S\xe3o"), *(line.encode() for line in LINES * 4)]
    data = b"".join([b"day,city\n", *rows])
    found = read(tmp_path, data, declaring("latin-1"), max_reject_share=0.1)
    assert (found.rows_read, found.rows_rejected) == (125, 1)
    assert {*column(found, "city")} == {"São Paulo"}


@pytest.mark.parametrize(
    ("texts", "encoding"),
    [
        # The two characters beyond ASCII are one letter of the phonetic alphabet in UTF-8.
        (["CAF\u00c9\u2019S", "Rio"], "windows-1252"),
        (["São Paulo", "SÃ£o Paulo"], "latin-1"),
        (["SÃ£o Paulo", "São Paulo", "São Luís", "Maranhão", "Belém"], "latin-1"),
    ],
    ids=["by chance", "one of two", "one of many"],
)
def test_a_declared_encoding_stays_if_the_file_does_not_contradict_it(
    tmp_path: Path, texts: list[str], encoding: str
) -> None:
    lines = [f"2020-03-01,{text}\n" for text in texts]
    found = read(tmp_path, "".join(["day,city\n", *lines]).encode(encoding), declaring(encoding))
    assert column(found, "city") == texts
    assert found.drift["read"] == (f"encoded as {encoding}",)


def test_each_table_of_an_archive_shows_its_own(tmp_path: Path) -> None:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", f"day,city\n{LINES[0]}".encode("latin-1"))
        archive.writestr("b.csv", f"day,city\n{LINES[1]}".encode())
    declared = declaring("latin-1").replace("[text]", '[text]\nmember = "*.csv"')
    assert column(read(tmp_path, path.read_bytes(), declared), "city") == ["São Paulo"] * 2


def test_a_file_in_its_declared_encoding_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a survey nor a search through the whole file is needed."""
    seen: list[int] = []
    add = letters.Letters.add

    def counted(self: letters.Letters, data: bytes) -> None:
        seen.append(len(data))
        add(self, data)

    monkeypatch.setattr(letters.Letters, "add", counted)
    monkeypatch.setattr(rows, "survey", None)
    data = "".join(["day,city\n", *LINES * 1_000]).encode("latin-1")
    assert read(tmp_path, data, declaring("latin-1")).rows_written == 31_000
    assert sum(seen) < len(data) / 5
