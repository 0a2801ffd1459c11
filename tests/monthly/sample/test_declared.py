"""A month generated from a declaration is one that the declaration reads."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from core.errors import UsageError
from monthly.convert.to_parquet import Converted, convert
from monthly.month import Month
from monthly.sample import declared, default_rows, version_of, write_sample
from monthly.sources import look

HEAD = 'title = "t"\npublisher = "p"\nfirst_month = "2015-01"\n'


def column(name: str, kind: str, *more: str) -> str:
    return "\n".join([f"[columns.{name}]", f'type = "{kind}"', 'description = "d"', *more, ""])


TIME = column("at", "timestamp", "required = true")
ROLE = '[roles]\ntime = "at"\n'
#: Declarations, by the peculiarity of their files.
SHAPES = {
    "plain": ROLE + TIME + column("n", "int64") + column("ok", "boolean"),
    "semicolons": '[text]\nseparator = ";"\ndecimal = ","\nnulls = ["n/a", "-"]\n'
    + ROLE
    + TIME
    + column("amount", "decimal(12,3)")
    + column("share", "float64"),
    "commas twice": '[text]\nseparator = ","\ndecimal = ","\n'
    + ROLE
    + TIME
    + column("x", "float64"),
    "latin-1": '[text]\nencoding = "latin-1"\nlines_before_header = 3\n'
    + ROLE
    + TIME
    + column("name", "string", 'aliases = ["Größe [m²]"]'),
    "utf-16": '[text]\nencoding = "utf-16"\nseparator = "\\t"\n'
    + ROLE
    + TIME
    + column("a", "string"),
    "no header": 'new_columns = "drop"\n[text]\nheader = ["at", "unread", "B"]\n'
    + ROLE
    + TIME
    + column("b", "date")
    + column("c", "string"),
    "codes": ROLE
    + TIME
    + column("kind", "int64", 'keep_text = "kind_text"', 'without_code = ["Sonst, \\"so\\""]')
    + '[columns.kind.codes]\n"A; B" = 1\nC = 2\n'
    + column("who", "string")
    + "[columns.who.codes]\nSubscriber = 'member'\n"
    + column("is_new", "boolean")
    + "[columns.is_new.codes]\nJa = true\nNein = false\n"
    + column("stored", "string", "flag = true", "required = true")
    + column("kind_text", "string"),
    "parts": ROLE.replace("[roles]\n", '[roles]\nend = "until"\n')
    + column("at", "timestamp", 'join = ["Day", "Time"]', 'formats = ["%d.%m.%y %I:%M %p"]')
    + column("until", "timestamp", 'join = ["End", "Until"]')
    + column("names", "string", 'join = ["First", "Middle", "Last"]')
    + column("twelve", "timestamp", 'join = ["D", "T", "Half"]')
    + column("id", "string"),
    "part that is a column": ROLE
    + column("day", "date", 'aliases = ["Datum"]')
    + column("at", "timestamp", 'join = ["Datum", "Uhrzeit"]')
    + column("n", "int64"),
    "months": ROLE + column("at", "date", 'formats = ["%Y-%m"]') + column("id", "string"),
    "days": ROLE + column("at", "date") + column("price", "decimal(38,9)"),
    "no time": column("name", "string") + column("share", "float64"),
    "days of the week": ROLE
    + column("at", "timestamp", "formats = ['%a, %d %b %Y %H:%M:%S']")
    + column("seen", "date", "formats = ['%A %d %B %Y']"),
    "named months": ROLE
    + column("at", "timestamp", "formats = ['%d %B, %Y %H:%M:%S.%f']")
    + column("seen", "timestamp", "formats = ['%b %d %Y']"),
    "end of minutes": 'interval = "end"\n' + ROLE + TIME + column("n", "int64"),
    "end of hours": 'interval = "end"\n'
    + ROLE
    + column("at", "timestamp", "formats = ['%Y%m%d%H']")
    + column("id", "string"),
    "both ends of hours": 'interval = "end"\n'
    + ROLE
    + column("at", "timestamp", "formats = ['%d.%m.%Y %H:%M - %d.%m.%Y %H:%M']")
    + column("id", "string"),
    "start of hours": ROLE
    + column("at", "timestamp", "formats = ['%d.%m.%Y %H:%M - %H:%M']")
    + column("id", "string"),
    "end of days": 'interval = "end"\n' + ROLE + column("at", "date") + column("id", "string"),
    "end of months": 'interval = "end"\n'
    + ROLE
    + column("at", "date", 'formats = ["%m/%Y"]')
    + column("id", "string"),
    "zone": 'time_zone = "Europe/Berlin"\n'
    + ROLE
    + column("at", "timestamp", 'zone = "UTC"')
    + column("there", "timestamp", 'zone = "America/New_York"')
    + column("fixed", "timestamp", 'zone = "+05:30"'),
    "offset": 'time_zone = "America/New_York"\n'
    + ROLE
    + column("at", "timestamp", "formats = ['%Y-%m-%dT%H:%M:%S%z']")
    + column("z", "timestamp", "formats = ['%Y-%m-%d %H:%M:%S %Z']"),
    "seconds since 1970": 'time_zone = "America/New_York"\n'
    + ROLE
    + column("at", "timestamp", "formats = ['%s']")
    + column("seen", "timestamp", "formats = ['%s%f']"),
    "numbers": ROLE.replace("[roles]\n", '[roles]\namount = "a"\ndistance = "far"\nend = "b"\n')
    + "[bounds]\namount = -5.0\nhours = 0.5\nspeed = 30.0\ndistance = 4.0\n"
    + TIME
    + column("b", "timestamp")
    + column("a", "decimal(2,1)")
    + column("far", "float64")
    + column("tiny", "decimal(3,3)")
    + column("long", "decimal(38,30)"),
    "places": '[roles]\ntime = "at"\nplace = "p"\nlatitude = "y"\nlongitude = "x"\n'
    + "[map]\nwest = -74.1\neast = -73.7\nsouth = -40.9\nnorth = -40.5\n"
    + TIME
    + column("p", "int64")
    + column("x", "float64")
    + column("y", "decimal(9,6)"),
    "hostile names": ROLE
    + TIME
    + column("a", "string", r'aliases = ["<b>,\"x\"; $1$ `|` {0}"]')
    + column("b", "string", 'aliases = ["{json"]'),
}


Declare: TypeAlias = Callable[[str], str]


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Return a function that declares a dataset by what follows the common keys."""
    monkeypatch.setenv("TRIPS_DATASETS", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()

    def declare(text: str) -> str:
        (tmp_path / "own/own.toml").write_text(HEAD + text, "utf-8")
        return "own"

    return declare


def converted(month: Month, folder: Path, rows: int) -> Converted:
    path = folder / f"{month.stem}.csv.gz"
    write_sample(month, path, rows)
    out = folder / f"out-{month.stem}"
    out.mkdir()
    return convert(month, path, out)


@pytest.mark.parametrize("shape", SHAPES, ids=[name.replace(" ", "-") for name in SHAPES])
@pytest.mark.parametrize("year_month", ["2020-03", "2020-10"])
def test_each_row_is_read_in_the_month_and_no_two_are_equal(
    shape: str, year_month: str, declare: Declare, tmp_path: Path
) -> None:
    """March and October have the changes of the clock, on both sides of the Atlantic."""
    name = declare(SHAPES[shape])
    year, month = map(int, year_month.split("-"))
    found = converted(Month(name, year, month), tmp_path, 300)
    quality = found.quality
    assert (found.rows_read, found.rows_written, found.rows_rejected) == (300, 300, 0)
    assert (quality.outside_month, quality.duplicates) == (0, 0)
    assert quality.end_before_time == quality.implausible_speed == quality.implausible_amount == 0
    assert quality.implausible_distance == quality.implausible_duration == 0


def read(month: Month, folder: Path, rows: int = 50) -> list[list[str]]:
    """Return the lines of a sample as the csv module reads them."""
    path = folder / "sample.csv"
    write_sample(month, path, rows)
    return [*csv.reader(io.StringIO(path.read_text("utf-8"), newline=""))]


ERAS = (
    ROLE
    + column("at", "timestamp", 'aliases = ["Start date", "starttime"]')
    + column("ride_id", "string", 'required = { since = "2021-02" }')
    + column("seconds", "int64", 'required = { since = "2015-06", until = "2021-01" }')
)


@pytest.mark.parametrize(
    ("year", "month", "header"),
    [
        (2015, 5, ["starttime"]),
        (2015, 6, ["Start date", "seconds"]),
        (2021, 1, ["Start date", "seconds"]),
        (2021, 2, ["at", "ride_id"]),
    ],
)
def test_a_month_has_the_columns_of_its_era(
    year: int, month: int, header: list[str], declare: Declare, tmp_path: Path
) -> None:
    """In an older era a column has its older name."""
    assert read(Month(declare(ERAS), year, month), tmp_path)[0] == header


def test_values_have_the_shape_that_is_declared(declare: Declare, tmp_path: Path) -> None:
    text = '[text]\nnulls = ["n/a"]\n' + ROLE + column("at", "timestamp", 'join = ["D", "T"]')
    text += column("kind", "int64") + "[columns.kind.codes]\nCASH = 1\nCard = 2\n"
    text += column("price", "decimal(8,3)") + column("ok", "boolean", "required = true")
    header, *rows = read(Month(declare(text), 2020, 5), tmp_path, 500)
    assert header == ["D", "T", "kind", "price", "ok"]
    assert {len(row[0]) for row in rows} == {10}
    assert {len(row[1]) for row in rows} == {8}
    assert {row[2] for row in rows} == {"CASH", "Card", "", "n/a"}
    assert {row[3].partition(".")[2].isdigit() for row in rows if row[3] not in ("", "n/a")} == {
        True
    }
    assert {row[4] for row in rows} == {"true", "false"}


def test_names_that_mean_more_to_a_reader_are_one_field_each(
    declare: Declare, tmp_path: Path
) -> None:
    header = read(Month(declare(SHAPES["hostile names"]), 2020, 5), tmp_path)[0]
    assert header == ["at", '<b>,"x"; $1$ `|` {0}', "{json"]


def test_a_file_may_begin_with_other_lines(declare: Declare, tmp_path: Path) -> None:
    write_sample(Month(declare(SHAPES["latin-1"]), 2020, 5), tmp_path / "sample.csv.gz", 5)
    lines = gzip.decompress((tmp_path / "sample.csv.gz").read_bytes()).decode("latin-1")
    assert lines.split("\n")[2:4] == ["Generated, line 3", "at,Größe [m²]"]


def test_a_sample_is_the_same_each_time(declare: Declare, tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.csv.gz" for n in (1, 2)]
    month = Month(declare(SHAPES["plain"]), 2020, 5)
    for path in paths:
        write_sample(month, path, 100)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_another_declaration_is_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description does not count, because it is not in the file."""
    texts = {
        "one": SHAPES["plain"],
        "two": SHAPES["plain"].replace('description = "d"', 'description = "e"'),
        "three": SHAPES["plain"].replace("boolean", "date"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(HEAD + text)
    monkeypatch.setenv("TRIPS_DATASETS", str(tmp_path))
    one, two, three = map(version_of, texts)
    assert one == two != three
    assert look("sample", Month("one", 2020, 5)).etag == f"sample-{one}-10000"
    assert (default_rows("one"), default_rows("green")) == (10_000, 50_000)
    assert version_of("green") == "1"


def test_a_chunk_ends_without_a_seam(
    declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = Month(declare(SHAPES["plain"]), 2020, 5)
    monkeypatch.setattr(declared, "CHUNK", 100)
    found = converted(month, tmp_path, 250)
    assert (found.rows_written, found.quality.duplicates) == (250, 0)
    times = [row[0] for row in read(month, tmp_path, 250)[1:]]
    assert times == sorted(times)


def test_no_row_is_only_a_header(declare: Declare, tmp_path: Path) -> None:
    assert read(Month(declare(SHAPES["plain"]), 2020, 5), tmp_path, 0) == [["at", "n", "ok"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[text]\nencoding = "latin-1"\n' + column("a", "string", 'aliases = ["€ uro"]'),
            r"own 2020-05: '€' of the declaration cannot be written in latin-1; correct",
        ),
        (
            column("a", "timestamp", 'join = ["D", "T"]', 'formats = ["%Y-%m"]'),
            r"own 2020-05: values of a have no 1 spaces between the columns that it joins",
        ),
    ],
    ids=["encoding", "join"],
)
def test_a_declaration_that_no_file_can_fit_is_named(
    text: str, message: str, declare: Declare, tmp_path: Path
) -> None:
    month = Month(declare(text), 2020, 5)
    with pytest.raises(UsageError, match=message):
        write_sample(month, tmp_path / "sample.csv", 5)
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_another_ending_is_refused(declare: Declare, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a file ending in \.csv\.gz, \.csv"):
        write_sample(Month(declare(SHAPES["plain"]), 2020, 5), tmp_path / "sample.parquet", 5)
