"""A draft comments on values that it does not interpret, and some files are refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from core.errors import BadFile, UsageError
from fakes.drafts import draft, values

MARCH = [dt.date(2021, 3, day) for day in range(1, 32)]
#: 2021-03-01 as a spreadsheet stores it, days after 1899-12-30.
SERIAL = 44_256


def table(head: str, line: str) -> str:
    """Return a file with a row for each day of March 2021: {d} the day, {n} its number from 0."""
    return "\n".join([head, *(line.format(d=day, n=n) for n, day in enumerate(MARCH)), ""])


def comments(text: str) -> str:
    """Return the comments of a draft, on one line."""
    return " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))


@pytest.mark.parametrize(
    ("name", "number", "line", "are_told"),
    [
        ("date", "{}", "{s}", True),
        ("when", "{}.5", "{s}.5", True),  # all are in the month of the file
        ("fecha", "{}", "{s}", True),
        ("price", "{}", "{m}", False),  # 45000 is 2023-03-15, which has no evidence
    ],
)
def test_days_of_a_spreadsheet_get_a_comment(
    tmp_path: Path, name: str, number: str, line: str, are_told: bool
) -> None:
    """The numbers stay numbers; the comment has the dates that they would be."""
    rows = [line.format(s=SERIAL + n, m=45_000 + n) for n in range(31)]
    text = "\n".join([f"{name},n", *(f"{row},{n}" for n, row in enumerate(rows)), ""])
    found = draft(tmp_path, {"t-2021-03.csv": text})
    assert found.types[name] in ("int64", "float64")
    told = f"{number.format(SERIAL)} is 2021-03-01 and {number.format(SERIAL + 30)} 2021-03-31"
    assert (told in comments(found.text)) is are_told
    assert ("No format reads them" in comments(found.text)) is are_told


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("01-MAR-21 08.30.00.000000 AM", "%d-%b-%y %I.%M.%S.%f %p"),
        ("01-MAR-21 08.30.00.123456000 AM", "%d-%b-%y %I.%M.%S.%f %p"),
        ("01-MAR-2021 08.30.00", "%d-%b-%Y %H.%M.%S"),
        ("2021-03-01 08h30", "%Y-%m-%d %Hh%M"),
    ],
)
def test_clocks_with_dots_or_an_h(tmp_path: Path, text: str, written: str) -> None:
    """Oracle and French files write them like this."""
    found = draft(tmp_path, {"t-2021-03.csv": f"at,n\n{text},1\n"})
    assert found.columns["at"].formats == [written]
    (time,) = values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "at")
    fraction = 123_456 if "123456" in text else 0
    assert time == dt.datetime(2021, 3, 1, 8, 30, 0, fraction)


@pytest.mark.parametrize("weekday", ["", "Monday, "])
@pytest.mark.parametrize("clock", ["", " 10:30"])
def test_dates_that_the_separator_splits_are_refused(
    tmp_path: Path, clock: str, weekday: str
) -> None:
    """Every later name would belong to the next field."""
    text = table("day,n", f"{weekday}{{d:%B %d, %Y}}{clock},{{n}}")
    said = f"March 01, 2021{clock}' in column '.*'; quote them, or"
    with pytest.raises(UsageError, match=said):
        draft(tmp_path, {"t-2021-03.csv": text})


@pytest.mark.parametrize("head", ["Day,Year,n", ""])
def test_a_day_and_its_year_in_two_columns_are_joined(tmp_path: Path, head: str) -> None:
    """Nothing is shifted if each has a name, or no field has one."""
    text = table(head, "{d:%B %d},{d:%Y},{n}").removeprefix("\n")
    found = draft(tmp_path, {"t-2021-03.csv": text})
    assert found.columns["date"].formats == ["%b %d %Y"]
    assert values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "date") == MARCH


@pytest.mark.parametrize("units", ["UTC,degC,m/s", "YYYY-MM-DD,[°C],kn", "20d,14n,14n"])
def test_a_full_line_of_units_is_not_the_header(tmp_path: Path, units: str) -> None:
    """The line is not a row either."""
    text = table(f"when,temp,wind\n{units}", "{d},{n}.5,{n}")
    found = draft(tmp_path, {"t-2021-03.csv": text})
    assert found.declared.text.header == ["when", "temp", "wind"]
    loaded = found.loaded(tmp_path / "t-2021-03.csv", "2021-03")
    assert values(loaded, "when") == MARCH
    assert values(loaded, "temp") == [n + 0.5 for n in range(31)]


def test_a_second_line_of_names_is_in_a_comment(tmp_path: Path) -> None:
    """Either could be the header."""
    text = table("Alpha,Beta,Gamma\nwhen,north,south", "{d},{n}.5,{n}")
    found = draft(tmp_path, {"t-2021-03.csv": text})
    assert [*found.types] == ["when", "north", "south"]
    assert "the second is taken, the first is 'Alpha,Beta,Gamma'" in comments(found.text)


def test_the_clock_of_something_else_is_not_joined_with_the_date(tmp_path: Path) -> None:
    """The hour of the strongest gust is not that of the row."""
    text = table("day,rain,Time of maximum gust", "{d},{n},10:30")
    found = draft(tmp_path, {"t-2021-03.csv": text})
    assert not any(column.join for column in found.columns.values())
    assert found.declared.roles.time == "day"


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("period", "{d:%Y%m}", "%Y%m"),
        ("Period", "{d:%Y.%m}", "%Y.%m"),
        ("ymd", "{d:%Y%m%d}", "%Y%m%d"),
    ],
)
def test_numbers_are_months_if_the_name_says_so(
    tmp_path: Path, name: str, text: str, written: str
) -> None:
    """2021.03 as a number would be 2021.03, and 2020.10 would be 2020.1."""
    found = draft(tmp_path, {"t-2021-03.csv": table(f"{name},n", f"{text},{{n}}")})
    assert (found.types[name.lower()], found.columns[name.lower()].formats) == ("date", [written])


def test_numbers_that_are_all_dates_get_a_comment(tmp_path: Path) -> None:
    """The name of the column does not say what they are."""
    found = draft(tmp_path, {"t-2021-03.csv": table("code,n", "{d:%Y%m%d},{n}")})
    assert found.types["code"] == "int64"
    assert "may be dates from 2021-03-01 to 2021-03-31" in comments(found.text)
    assert 'formats = ["%Y%m%d"]' in comments(found.text)


def test_a_number_that_may_mean_no_value_gets_a_comment(tmp_path: Path) -> None:
    """It stays a number, because it may be one."""
    text = table("day,temp", "{d},{n}.5") + "2021-03-31,-999\n"
    found = draft(tmp_path, {"t-2021-03.csv": text})
    assert "If -999 means no value" in comments(found.text)


def test_first_days_of_months_decide_between_day_and_month(tmp_path: Path) -> None:
    """A series of years has one time a month, not twelve in each January; the draft says so."""
    rows = [f"01/{n % 12 + 1:02}/{2019 + n // 12},{n}" for n in range(36)]
    found = draft(tmp_path, {"t-2021-12.csv": "\n".join(["day,n", *rows, ""])})
    assert found.columns["day"].formats == ["%d/%m/%Y"]
    assert "%d/%m/%Y, which makes them one a month, is assumed" in comments(found.text)


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp949", "대여일자"), ("shift_jis", "年月日"), ("cp1251", "дата")]
)
def test_letters_that_are_not_western_are_refused(tmp_path: Path, encoding: str, name: str) -> None:
    """As Latin-1 they would load as other letters."""
    data = table(f"{name},n", "{d},{n}").encode(encoding)
    with pytest.raises(BadFile, match=r"neither UTF-8 nor Western European.*save it as UTF-8"):
        draft(tmp_path, {"t-2021-03.csv": data})


def test_capital_letters_with_accents_are_western(tmp_path: Path) -> None:
    """Portuguese has two of them in a row."""
    text = table("day,place", "{d},CONCEIÇÃO DA APARIÇÃO")
    found = draft(tmp_path, {"t-2021-03.csv": text.encode("latin-1")})
    assert found.declared.text.encoding == "windows-1252"


def test_several_files_of_each_month_are_one_source(tmp_path: Path) -> None:
    """Publishers split months like this, for example by region."""
    names = [f"2021-03-{place}-street.csv" for place in ("avon", "kent")]
    found = draft(tmp_path, {name: table("day,n", "{d},{n}") for name in names})
    (source,) = found.declared.sources.values()
    assert [Path(address).name for address in source] == [
        "{year_month}-avon-street.csv",
        "{year_month}-kent-street.csv",
    ]


def test_months_with_other_names_are_another_source(tmp_path: Path) -> None:
    """The draft says that a run has to name it."""
    files = {"t-2021-03.csv": table("day,n", "{d},{n}"), "u-2021-02.csv": "day,n\n2021-02-03,1\n"}
    found = draft(tmp_path, files)
    sources = {name: Path(str(url)).name for name, url in found.declared.sources.items()}
    assert sources == {"files": "t-{year_month}.csv", "files_2": "u-{year_month}.csv"}
    assert "Runs use the first source; name another one for" in comments(found.text)


def test_points_that_may_separate_thousands_get_a_comment(tmp_path: Path) -> None:
    """The file has semicolons and no other decimal mark."""
    found = draft(tmp_path, {"t-2021-03.csv": table("day;n", "{d};1{n}.125")})
    assert "The point in '10.125' may mean decimals or thousands" in comments(found.text)


@pytest.mark.parametrize(
    ("row", "said", "loaded"),
    [
        ("1,{n:03};48.5", "comma in '1,000', column 'rate', separates thousands", (1010, 48.5)),
        ("1,5;48.{n:03}", "point in '48.000', column 'height', separates thousands", (1.5, 48010)),
        ("1,5;48.5{n}", "'1,5' has a different decimal mark", ("1,5", 48.51)),
    ],
)
def test_numbers_for_which_other_columns_decide_the_mark_get_a_comment(
    tmp_path: Path, row: str, said: str, loaded: tuple[object, object]
) -> None:
    """One decimal mark holds for the whole file, and a column may have another."""
    found = draft(tmp_path, {"t-2021-03.csv": table("day;rate;height", "{d};" + row)})
    assert said in comments(found.text)
    rows = found.loaded(tmp_path / "t-2021-03.csv", "2021-03")
    assert (values(rows, "rate")[10], values(rows, "height")[10]) == loaded


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("0.0014264317279573083", False),
        ("0.3333333333333333", False),
        ("1.23456789012345678", True),
    ],
)
def test_digits_that_a_float_does_not_keep_get_a_comment(
    tmp_path: Path, text: str, is_told: bool
) -> None:
    """Zeros after the point are not among them."""
    found = draft(tmp_path, {"t-2021-03.csv": table("day,n", "{d}," + text)})
    assert ("more digits than float64 keeps" in comments(found.text)) is is_told


def test_a_draft_that_does_not_load_its_file_says_so(tmp_path: Path) -> None:
    """Most lines have a quote that quotes nothing, such as for inches, and one quotes a field."""
    text = table("day\tsize", '{d}\t{n}" pipe') + '2021-03-31\t"pipe\tor tube"\n'
    found = draft(tmp_path, {"t-2021-03.tsv": text.replace('1" pipe', "pipe")})
    assert "The draft does not load t-2021-03.tsv: own 2021-03:" in comments(found.text)


def test_a_dataset_can_be_drafted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its declaration may already be among the user's."""
    own = tmp_path / "own"
    own.mkdir()
    first = draft(tmp_path, {"t-2021-03.csv": table("day,n", "{d},{n}")})
    (own / "own.toml").write_text(first.text, "utf-8")
    monkeypatch.setenv("TRIPS_DATASETS", str(own))
    again = draft(tmp_path, {"t-2021-03.csv": table("day,n", "{d},{n}.5")})
    assert again.types["n"] == "float64"


@pytest.mark.parametrize(("text", "is_told"), [("styczeń 2020,luty 2020", True), ("A1,B2", False)])
def test_months_whose_names_are_not_read_are_told(tmp_path: Path, text: str, is_told: bool) -> None:
    """Slavic names contradict each other: listopad is October in Croatian, November in Polish."""
    rows = "\n".join(f"{each},1" for each in text.split(","))
    found = draft(tmp_path, {"t-2021-03.csv": f"period,n\n{rows}\n"})
    assert found.types["period"] == "string"
    assert ("no format reads them, and they stay text" in comments(found.text)) is is_told


@pytest.mark.parametrize(
    ("name", "texts", "said"),
    [
        ("week", ["2021-W09", "2021-W10"], "Weeks, such as '2021-W09', which no format reads"),
        ("at", ["2021-03-01T10:00:00.1234567Z"], "that are finer than the microseconds of a times"),
        ("balance", ["1,000", "(2,000)"], "Numbers with a unit, such as '(2,000)'"),
        ("balance", ["7.50", "8.50-"], "Numbers with a unit, such as '8.50-'"),
        ("balance", ["7.50", "\u22128.50"], "Numbers with a unit, such as '\u22128.50'"),
        ("montant", ["1\u00a0234,50\u00a0€", "2\u202f000 €"], "Numbers with a unit, such as '1"),
        ("ts", ["1614556800.125", "1614556801.5"], 'formats = ["%s.%f"]'),
        ("seen", ["1614556800", "1614556801"], 'formats = ["%s"]; the times are UTC'),
        ("seen", ["1614556800125", "1614556801000"], 'formats = ["%s%f"]; the times are UTC'),
    ],
)
def test_a_comment_says_why_a_column_has_no_better_type(
    tmp_path: Path, name: str, texts: list[str], said: str
) -> None:
    """The values stay as they are."""
    rows = "\n".join(f'"{text}",1' for text in texts)
    found = draft(tmp_path, {"t-2021-03.csv": f"{name},n\n{rows}\n"})
    assert said in comments(found.text)
    loaded = values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), name)
    assert loaded == ([float(t) for t in texts] if name in ("ts", "seen") else texts)
