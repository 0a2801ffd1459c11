"""Drafts of declarations from files with publishers' oddities."""

from __future__ import annotations

import datetime as dt
import gzip
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import BadFile, NotPublished, UsageError
from fakes.drafts import Drafted, draft, draft_of, values
from monthly.declaration import Span

DAYS = [dt.date(2020, 1, day) for day in range(1, 32)]


def days(*lines: str, head: str = "day,n") -> str:
    """Return a file with a line for each day of January 2020, with {d} and {i} filled in."""
    rows = [line.format(d=day, i=i) for i, day in enumerate(DAYS) for line in lines]
    return "\n".join([head, *rows, ""])


def loads(found: Drafted, name: str = "t-2020-01.csv", month: str = "2020-01") -> pa.Table:
    return found.loaded(found.path.parent / name, month)


def test_types_are_those_of_all_rows_not_of_the_first(tmp_path: Path) -> None:
    """Only the last value of each column decides its type."""
    lines = ["day,whole,real,code,id,word,flag", *["2020-01-05,1,2,3,4,5,true"] * 9_000]
    text = "\n".join([*lines, "2020-01-06,2,2.5,007,A4,x,FALSE", ""])
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.types == {
        "day": "date",
        "whole": "int64",
        "real": "float64",
        "code": "string",
        "id": "string",
        "word": "string",
        "flag": "boolean",
    }
    table = loads(found)
    assert len(table) == 9_001
    assert [table[name][-1].as_py() for name in found.types] == [
        *(dt.date(2020, 1, 6), 2, 2.5, "007", "A4", "x", False),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("187274E857401066", "string"),  # a ride id, infinite as a number
        ("4E2", "string"),
        ("12345678901234567890", "string"),
        ("01.10", "string"),  # an industry, not a number
        ("1.5e-3", "float64"),
        ("1e+06", "float64"),
        ("-7", "int64"),
        ("+7", "int64"),
        ("5.0", "float64"),
        ("1E400", "string"),
    ],
)
def test_a_text_becomes_a_number_only_if_no_digit_is_lost(
    tmp_path: Path, text: str, kind: str
) -> None:
    """Identifiers that look like numbers stay as they are."""
    found = draft(tmp_path, {"t-2020-01.csv": f"day,x\n2020-01-05,1\n2020-01-06,{text}\n"})
    assert found.types["x"] == kind
    assert values(loads(found), "x")[1] == (text if kind == "string" else float(text))


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    """The number of columns decides, although texts contain the other separators."""
    head = separator.join(["day", "n", "text"])
    line = separator.join(["{d}", "{i}", '"a,b;c|d"'])
    found = draft(tmp_path, {"t-2020-01.csv": days(line, head=head)})
    assert (found.declared.text.separator or ",") == separator
    assert values(loads(found), "text") == ["a,b;c|d"] * 31


def test_decimal_commas_are_not_separators(tmp_path: Path) -> None:
    """They would split most rows, but not all, into a text and a number."""
    rows = [f"0{i % 2} Here;all;2020M01;{['..', f'1{i:02},{i:03}'][i % 4 > 0]}" for i in range(40)]
    found = draft(tmp_path, {"t-2020-01.csv": "\n".join(["Place;Group;Period;Sum", *rows, ""])})
    assert [*found.types] == ["place", "group", "period", "sum"]
    assert len(loads(found)) == 40


def test_decimal_commas_and_points_between_thousands(tmp_path: Path) -> None:
    """The whole file has one mark, and its encoding is kept during the survey of numbers."""
    text = days("{d};{i},5;1.{i:03},25;1.234", head="day;small;Groß €;whole")
    found = draft(tmp_path, {"t-2020-01.csv": text.encode("windows-1252")})
    assert found.declared.text.decimal == ","
    assert found.types == {"day": "date", "small": "float64", "gross": "float64", "whole": "int64"}
    table = loads(found)
    assert values(table, "small") == [i + 0.5 for i in range(31)]
    assert values(table, "gross") == [1000 + i + 0.25 for i in range(31)]
    assert values(table, "whole") == [1234] * 31


def test_commas_between_thousands(tmp_path: Path) -> None:
    """Nothing decides whether the commas are decimal, and the draft says so."""
    text = days('{d},"1,{i:03}"', "{d},{i}")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.declared.text.decimal == "."
    said = "The comma in '1,000' may mean decimals or thousands: thousands are assumed."
    assert said in found.text
    assert values(loads(found), "n")[:4] == [1000, 0, 1001, 1]


@pytest.mark.parametrize("first", ["n/a", "-", "closed", "<5", "**", "T", "Infinity"])
@pytest.mark.parametrize("head", ["day,v", "day,place,v", "at,v"])
def test_a_first_row_without_a_number_is_no_header(head: str, first: str, tmp_path: Path) -> None:
    """Such as the first of January; a day says that the line is a row."""
    rows = [f"{day}{' 10:00' * head.startswith('at')}{',Here' * ('place' in head)}" for day in DAYS]
    text = "\n".join([head, f"{rows[0]},{first}", *(f"{row},5.5" for row in rows[1:]), ""])
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert [*found.columns] == head.split(",")
    assert (found.declared.text.header, found.declared.text.lines_before_header) == ([], 0)


@pytest.mark.parametrize("first", ["n/a", "-", "NA", "..."])
def test_a_first_row_that_lacks_its_numbers_is_no_header(first: str, tmp_path: Path) -> None:
    rows = "".join(f"Place {n},{n}.5\n" for n in range(30))
    found = draft(tmp_path, {"t-2020-01.csv": f"place,v\nHere,{first}\n{rows}"})
    assert [*found.columns] == ["place", "v"]
    assert found.declared.text.nulls == [first]


@pytest.mark.parametrize("encoding", ["windows-1252", "latin-1", "utf-8-sig", "utf-16"])
def test_the_encoding_is_that_of_the_whole_file(tmp_path: Path, encoding: str) -> None:
    """Names and values arrive as published; only Windows-1252 has € and “."""
    mark = "\x85" if encoding == "latin-1" else "“"
    last = "2020-01-31;Straße;\x81\n" if encoding == "latin-1" else ""
    text = days("{d};Königsallee " + mark + ";{i}", head="Tag;Straße;Größe (m²)") + last
    found = draft(tmp_path, {"t-2020-01.csv": text.encode(encoding)})
    assert list(found.columns) == ["tag", "strasse", "grosse_m2"]
    assert found.columns["strasse"].aliases == ["Straße"]
    assert values(loads(found), "strasse")[0] == f"Königsallee {mark}"
    declared = found.declared.text.encoding
    assert declared == (encoding if encoding in ("windows-1252", "latin-1") else None)


def test_lines_before_the_header(tmp_path: Path) -> None:
    """They may have two fields each, be blank, or be padded with separators by a spreadsheet."""
    notes = 'Station,"MONTREAL"\nLatitude,45.5\n\nReport,,\n,,\n'
    text = notes + days("{d},{i},x", head="Date,Value,Note")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.declared.text.lines_before_header == 5
    assert found.types == {"date": "date", "value": "int64", "note": "string"}
    assert values(loads(found), "value") == [*range(31)]


def test_a_line_of_units_under_the_header(tmp_path: Path) -> None:
    """The draft names the fields itself, so the line can be skipped."""
    text = days("{d};{i},5;{i}", head="Zeit;Wasser;Wind\n;°C;km/h")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.declared.text.header == ["zeit", "wasser", "wind"]
    assert values(loads(found), "wasser") == [i + 0.5 for i in range(31)]


def test_no_header(tmp_path: Path) -> None:
    """House prices are published like this: quoted, with times at midnight and empty fields."""
    line = '"{{0A{i:02}}}","1{i:02}000","{d} 00:00","SW1A 1AA","","LONDON"'
    text = days(line, head="").lstrip("\n")
    found = draft(tmp_path, {"pp-2020-01.csv": text})
    assert found.declared.text.header == [f"column_{n}" for n in range(1, 7)]
    assert found.declared.roles.time == "column_3"
    table = loads(found, "pp-2020-01.csv")
    assert values(table, "column_2") == [100_000 + i * 1000 for i in range(31)]
    assert values(table, "column_3") == [dt.datetime(2020, 1, day) for day in range(1, 32)]


def test_no_header_and_a_separator_at_the_end_of_each_line(tmp_path: Path) -> None:
    """The field behind it has neither a name nor a value, so it is left out."""
    rows = "".join(f"2020;{{0}};{day};1.5;\n" for day in range(1, 29))
    files = {f"t-2020-0{month}.csv": rows.format(f"0{month}") for month in (1, 2)}
    found = draft(tmp_path, files)
    assert found.declared.text.header == ["column_1", "column_2", "column_3", "column_4"]
    assert [*found.columns] == found.declared.text.header
    assert len(found.loaded(tmp_path / "t-2020-02.csv", "2020-02")) == 28


def test_indistinguishable_names(tmp_path: Path) -> None:
    """A name is repeated, names differ only in punctuation, and one has no letters."""
    text = days("{d},A,{i},B,1,2,x", head="day,flag,value,flag,a b,A-B,%")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    names = ["day", "flag", "value", "flag_2", "a_b", "a_b_2", "column_7"]
    assert found.declared.text.header == names
    table = loads(found)
    assert values(table, "flag") == ["A"] * 31
    assert values(table, "flag_2") == ["B"] * 31
    assert values(table, "a_b_2") == [2] * 31


def test_an_announced_separator(tmp_path: Path) -> None:
    """Excel writes a line sep=; before the header."""
    found = draft(tmp_path, {"t-2020-01.csv": "sep=;\r\n" + days("{d};{i}", head="day;n")})
    assert values(loads(found), "n") == [*range(31)]


def test_the_numbers_of_rows_are_left_out(tmp_path: Path) -> None:
    """Pandas writes it like this: without a name, before a comma or a tab."""
    text = days("{i}\t{d}\tx", head="\tday\ttext")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert list(found.columns) == ["day", "text"]
    assert "Column '' is left out: it has no name." in found.text
    assert values(loads(found), "day") == DAYS


def test_fields_beyond_the_header(tmp_path: Path) -> None:
    """Flights have a comma at the end of each line, and 109 columns."""
    names = ",".join(f'"Div{n}Airport"' for n in range(108))
    text = days("{d}" + "," * 108 + ",", head=f'"FlightDate",{names},')
    found = draft(tmp_path, {"On_Time_2020_1.csv": text})
    assert len(found.columns) == 109
    assert found.columns["div7_airport"].description == "Div7Airport"
    assert found.declared.sources["files"] == f"{tmp_path.as_uri()}/On_Time_{{year}}_{{month}}.csv"
    assert values(loads(found, "On_Time_2020_1.csv"), "flight_date") == DAYS


def test_short_rows(tmp_path: Path) -> None:
    """Their last fields are empty."""
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},{i},x", "{d}", head="day,n,text")})
    assert found.declared.text.short_rows
    assert values(loads(found), "n")[:4] == [0, None, 1, None]


def test_notes_after_the_last_row(tmp_path: Path) -> None:
    """They are rejected and do not turn the first column into text."""
    found = draft(
        tmp_path, {"t-2020-01.csv": days("{d},{i},x", head="day,n,text") + "\nSource: us\n"}
    )
    assert found.types["day"] == "date"
    assert found.declared.limits.rejected == 0.04  # one of 32 lines, rounded up
    assert "t-2020-01.csv ends in notes, which are rejected: 1 lines." in found.text
    assert len(loads(found)) == 31


def test_texts_for_no_value(tmp_path: Path) -> None:
    """They are nulls among numbers and times, but not in a column of texts."""
    text = days("{d},{i},NA,NA", "n/e,-,1.5,snow", head="day,n,x,weather")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.declared.text.nulls == ["-", "NA", "n/e"]
    assert "Also where they stand in a text column." in found.text
    table = loads(found)
    assert values(table, "n")[:2] == [0, None]
    assert values(table, "x")[:2] == [None, 1.5]


def test_a_text_for_no_value_stays_in_a_column_of_texts(tmp_path: Path) -> None:
    """NA is Namibia, or weather that was not observed."""
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},NA", "{d},DE", head="day,country")})
    assert found.declared.text.nulls == []
    assert values(loads(found), "country")[:2] == ["NA", "DE"]


def test_numbers_but_for_a_few_texts_are_named(tmp_path: Path) -> None:
    """The column stays text, so no value is lost; the draft says how to change it."""
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},{i}") + "2020-01-31,trace\n"})
    assert found.types["n"] == "string"
    assert "All are numbers but 'trace'" in found.text


TIMES = {
    "{d:%d/%m/%Y} 05:06": ("%d/%m/%Y %H:%M", dt.time(5, 6)),
    "{d:%m/%d/%Y} 5:06:07 PM": ("%m/%d/%Y %I:%M:%S %p", dt.time(17, 6, 7)),
    "{d:%d.%m.%y} 05:06": ("%d.%m.%y %H:%M", dt.time(5, 6)),
    "{d:%d-%b-%Y} 05:06": ("%d-%b-%Y %H:%M", dt.time(5, 6)),
    '"{d:%b %d, %Y} 05:06"': ("%b %d, %Y %H:%M", dt.time(5, 6)),
    "{d:%Y/%m/%d} 05": ("%Y/%m/%d %H", dt.time(5)),
    "{d:%Y%m%d} 05:06": ("%Y%m%d %H:%M", dt.time(5, 6)),
    "{d} 05:06:07.1234": ("", dt.time(5, 6, 7, 123400)),
    "{d}T05:06:07": ("", dt.time(5, 6, 7)),
}


@pytest.mark.parametrize(("text", "written"), TIMES.items())
def test_how_times_are_written(tmp_path: Path, text: str, written: tuple[str, dt.time]) -> None:
    """The draft has the format that puts all of them into the month; ISO times need none."""
    found = draft(tmp_path, {"t-2020-01.csv": days(f"{text},{{i}}", head="at,n")})
    assert found.columns["at"].type == "timestamp"
    assert found.columns["at"].formats == [written[0]] * bool(written[0])
    assert found.declared.roles.time == "at"
    assert values(loads(found), "at") == [dt.datetime.combine(day, written[1]) for day in DAYS]


@pytest.mark.parametrize(
    ("text", "formats"),
    [("{d:%d.%m.%Y}", ["%d.%m.%Y"]), ("{d:%Y%m%d}", ["%Y%m%d"]), ("{d}", [])],
)
def test_dates(tmp_path: Path, text: str, formats: list[str]) -> None:
    """Eight digits are a date only if the column's name says so."""
    found = draft(tmp_path, {"t-2020-01.csv": days(f"{text},20200101", head="sale_date,n")})
    assert (found.types["sale_date"], found.types["n"]) == ("date", "int64")
    assert found.columns["sale_date"].formats == formats
    assert values(loads(found), "sale_date") == DAYS


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("2020-01", "%Y-%m"),
        ("01/2020", "%m/%Y"),
        ("enero 2020", "%b %Y"),
        ("JÄN 20", "%b %y"),
        ("2020 Q1", "%Y Q%q"),
    ],
)
def test_a_month_alone(tmp_path: Path, text: str, fmt: str) -> None:
    """Street-crime files have no other time."""
    found = draft(tmp_path, {"t-2020-01.csv": f"Month,Type\n{text},Theft\n{text},Drugs\n"})
    assert found.columns["month"].formats == [fmt]
    assert values(loads(found), "month") == [dt.date(2020, 1, 1)] * 2


def test_day_and_month_are_settled_by_the_month_of_the_file(tmp_path: Path) -> None:
    """Every day could be a month; the file's name decides."""
    text = "day,n\n" + "".join(f"0{n}/05/2020,{n}\n" for n in range(1, 10))
    found = draft(tmp_path, {"t-2020-05.csv": text})
    assert found.columns["day"].formats == ["%d/%m/%Y"]
    assert values(loads(found, "t-2020-05.csv", "2020-05"), "day")[0] == dt.date(2020, 5, 1)


def test_what_nothing_decides_is_said(tmp_path: Path) -> None:
    """5 May is 5 May either way."""
    found = draft(tmp_path, {"t-2020-05.csv": "day,n\n" + "05/05/2020,1\n" * 3})
    assert "Nothing in the file decides between %d/%m/%Y and %m/%d/%Y." in found.text


def test_date_and_clock_in_two_columns(tmp_path: Path) -> None:
    """They become one time; both pairs are matched by name, not by position."""
    head = "bici,fecha_retiro,fecha_arribo,hora_retiro,hora_arribo"
    found = draft(tmp_path, {"t-2020-01.csv": days("007,{d},{d},05:06:07,05:59:00.25", head=head)})
    assert list(found.columns) == ["bici", "retiro_at", "arribo_at"]
    assert found.columns["arribo_at"].join == ["fecha_arribo", "hora_arribo"]
    assert found.declared.roles.model_dump(exclude_defaults=True) == {
        "time": "retiro_at",
        "end": "arribo_at",
    }
    assert values(loads(found), "arribo_at")[2] == dt.datetime(2020, 1, 3, 5, 59, 0, 250_000)


@pytest.mark.parametrize("head", ["Datum;Stunde;Preis", "Fecha;Hora;Precio"])
def test_hours_from_1_to_24(tmp_path: Path, head: str) -> None:
    """They mark the end of an interval; the last is at the start of the next month."""
    lines = [f"{{d:%d.%m.%Y}};{hour};{hour},5" for hour in range(1, 25)]
    found = draft(tmp_path, {"t-2020-01.csv": days(*lines, head=head)})
    assert found.declared.interval == "end"
    at = values(loads(found), found.declared.roles.time)
    assert (at[0], at[-1]) == (dt.datetime(2020, 1, 1, 1), dt.datetime(2020, 2, 1))


def test_the_end_of_an_interval(tmp_path: Path) -> None:
    """The last time is the start of the next month, and no row has the start of this one."""
    hours = [dt.datetime(2020, 1, 1) + dt.timedelta(hours=n) for n in range(1, 745)]
    text = "until,mw\n" + "".join(f"{hour},1\n" for hour in hours)
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.declared.interval == "end"
    assert values(loads(found), "until") == hours


@pytest.mark.parametrize(
    ("name", "text", "formats", "at"),
    [
        ("mess_datum", "2020010523", ["%Y%m%d%H"], "2020-01-05 23:00"),
        ("datedeces", "20200105", ["%Y%m%d"], "2020-01-05"),
        ("updated_at", "1578265200", ["%s"], "2020-01-05 23:00"),
        ("timestamp", "1578265200250", ["%s%f"], "2020-01-05 23:00:00.250"),
        ("bike_number", "1578265200", [], None),
        ("zip_code", "20200105", [], None),
    ],
)
def test_whole_numbers_are_times_if_their_name_says_so(
    tmp_path: Path, name: str, text: str, formats: list[str], at: str | None
) -> None:
    found = draft(tmp_path, {"t-2020-01.csv": f"{name},n\n{text},1\n"})
    assert found.columns[name].formats == formats
    (value,) = values(loads(found), name)
    if at is None:
        assert str(value) == text
    else:
        kind = dt.date if found.types[name] == "date" else dt.datetime
        assert value == kind.fromisoformat(at)


def test_keys_with_a_point_are_text(tmp_path: Path) -> None:
    """As floats, 5382.10 and 5382.1 would be equal."""
    text = days("{d},{i}.10,{i}.10", head="day,start_station_id,price")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert (found.types["start_station_id"], found.types["price"]) == ("string", "float64")
    assert values(loads(found), "start_station_id")[3] == "3.10"


def test_a_repeated_header_is_not_a_row(tmp_path: Path) -> None:
    """It is rejected, and the columns have the types of the other rows."""
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},{i}") + days("{d},{i}")})
    assert found.types == {"day": "date", "n": "int64"}
    assert "has its header again between the rows" in found.text
    assert values(loads(found), "n") == [*range(31)] * 2


@pytest.mark.parametrize("text", ["$1,200.50", "7 %", "12.5%", "-€3", "US$ 4", "10,5 €"])
def test_numbers_with_a_unit_stay_text_and_are_reported(tmp_path: Path, text: str) -> None:
    found = draft(tmp_path, {"t-2020-01.csv": days(f'{{d}},"{text}"')})
    assert found.types["n"] == "string"
    assert f"# Numbers with a unit, such as '{text}'" in found.text
    assert values(loads(found), "n") == [text] * 31


def test_lines_that_end_in_carriage_returns_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="carriage returns alone; save it with line feeds"):
        draft(tmp_path, {"t-2020-01.csv": days("{d},{i}").replace("\n", "\r")})


def test_midnight_as_24_00_is_the_next_day(tmp_path: Path) -> None:
    found = draft(tmp_path, {"t-2020-01.csv": days("{d} 24:00,{i}")})
    assert values(loads(found), "day")[-1] == dt.datetime(2020, 2, 1)


def test_a_line_of_units_with_gaps_is_not_a_row(tmp_path: Path) -> None:
    text = days("{d},{i}.5").replace("\n", "\n,°C\n", 1)
    table = loads(draft(tmp_path, {"t-2020-01.csv": text}))
    assert values(table, "n") == [i + 0.5 for i in range(31)]


def test_a_workbook_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t-2020-01.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            archive.writestr(name, "<x/>")
    with pytest.raises(BadFile, match="is an Excel workbook; save its sheet as CSV"):
        draft_of(path, folder=tmp_path)


def test_the_order_of_day_and_month_is_that_of_the_other_columns(tmp_path: Path) -> None:
    """This applies to a column without a day after the 12th."""
    text = days("{d:%m/%d/%Y},03/08/2022 03:41:19 PM", head="date,updated_on")
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.columns["updated_on"].formats == ["%m/%d/%Y %I:%M:%S %p"]
    assert values(loads(found), "updated_on")[0] == dt.datetime(2022, 3, 8, 15, 41, 19)
    assert "Nothing in the file decides" not in found.text


def test_both_ends_of_an_interval_in_one_column(tmp_path: Path) -> None:
    """The start is kept; where summer time ends, two rows share one."""
    hours = [dt.datetime(2020, 10, 1) + dt.timedelta(hours=n) for n in range(31 * 24)]
    hours.insert(hours.index(dt.datetime(2020, 10, 25, 3)), dt.datetime(2020, 10, 25, 2))
    ends = [*hours[1:], dt.datetime(2020, 11, 1)]
    rows = [
        f"{start:%d.%m.%Y %H:%M} - {end:%d.%m.%Y %H:%M};{n},5\n"
        for n, (start, end) in enumerate(zip(hours, ends))
    ]
    found = draft(tmp_path, {"t-2020-10.csv": "MTU (CET/CEST);price\n" + "".join(rows)})
    assert found.columns["mtu_cet_cest"].formats == ["%d.%m.%Y %H:%M - %d.%m.%Y %H:%M"]
    assert "# The start of an interval; " in found.text
    assert found.declared.time_zone == "Europe/Berlin"
    table = loads(found, "t-2020-10.csv", "2020-10")
    assert values(table, "mtu_cet_cest") == hours
    assert values(table, "price") == [n + 0.5 for n in range(745)]


def test_year_month_and_day_apart(tmp_path: Path) -> None:
    """They become a date, and also stay as columns."""
    found = draft(
        tmp_path, {"t-2020-01.csv": days("{d:%Y},{d.month},{d.day}", head="anio,mes,dia")}
    )
    assert found.columns["date"].join == ["anio", "mes", "dia"]
    table = loads(found)
    assert values(table, "date") == DAYS
    assert values(table, "dia") == [*range(1, 32)]


@pytest.mark.parametrize(
    ("parts", "formats"),
    [("2020,Jänner,{d.day}", ["%Y %b %d"]), ("2020,M01,{d.day}", []), ("2020,01,{i}", [])],
)
def test_parts_of_a_date_are_joined_as_they_are_written(
    tmp_path: Path, parts: str, formats: list[str]
) -> None:
    """Names of months are joined, but neither M01 nor day 0."""
    found = draft(tmp_path, {"t-2020-01.csv": days(parts, head="Jahr,Monat,Tag")})
    if parts.endswith("{i}"):
        assert found.columns["date"].join == ["Jahr", "Monat"]
    elif formats:
        assert found.columns["date"].formats == formats
        assert values(loads(found), "date") == DAYS
    else:
        assert "date" not in found.columns


def test_times_in_utc(tmp_path: Path) -> None:
    """Each value may say so, or the column's name."""
    found = draft(tmp_path, {"t-2020-01.csv": days("{d}T05:00:00Z,{i}", head="at,n")})
    assert (found.declared.time_zone, found.columns["at"].formats) == (
        "UTC",
        ["%Y-%m-%dT%H:%M:%S%z"],
    )
    assert values(loads(found), "at")[0] == dt.datetime(2020, 1, 1, 5)
    text = days("{d} 05:00,{i}", head="DateTime(UTC),n")
    assert draft(tmp_path, {"u-2020-01.csv": text}).declared.time_zone == "UTC"


def test_offsets_name_a_zone_that_has_them(tmp_path: Path) -> None:
    """Summer time begins on 29 March 2020, so the times stay as written."""
    days_of_march = [dt.date(2020, 3, day) for day in range(1, 32)]
    rows = [f"{day}T05:00:00+0{1 + (day.day >= 29)}:00,1" for day in days_of_march]
    found = draft(tmp_path, {"t-2020-03.csv": "\n".join(["at,n", *rows, ""])})
    assert found.declared.time_zone == "Europe/Berlin"
    assert {at.hour for at in values(loads(found, "t-2020-03.csv", "2020-03"), "at")} == {5}


@pytest.mark.parametrize("minutes", [15, 60])
def test_a_repeated_hour_proposes_a_zone(tmp_path: Path, minutes: int) -> None:
    """The zone is a comment, because the file does not state it; all rows are kept."""
    start = dt.datetime(2020, 10, 1, tzinfo=dt.timezone.utc) - dt.timedelta(hours=2)
    steps = (31 * 24 + 1) * 60 // minutes
    zone = dt.timezone(dt.timedelta(hours=2)), dt.timezone(dt.timedelta(hours=1))
    change = dt.datetime(2020, 10, 25, 1, tzinfo=dt.timezone.utc)
    instants = [start + dt.timedelta(minutes=minutes * n) for n in range(steps)]
    clock = [instant.astimezone(zone[instant >= change]) for instant in instants]
    text = "at,zone,mw\n" + "".join(f"{at:%Y-%m-%d %H:%M},CET,1\n" for at in clock)
    found = draft(tmp_path, {"t-2020-10.csv": text})
    assert '# time_zone = "Europe/Berlin" # 2020-10-25 02:00:00 occurs twice' in found.text
    assert len(loads(found, "t-2020-10.csv", "2020-10")) == steps


def test_roles_that_are_plain(tmp_path: Path) -> None:
    """Names and values decide: 200 is not a latitude."""
    head = (
        "ended_at,started_at,start_station,start_lat,start_lng,lat,trip_distance,price,total_amount"
    )
    line = "{d} 06:00,{d} 05:00,Pier {i},40.5,-74.25,200.5,1.5,3.5,4.5"
    found = draft(tmp_path, {"t-2020-01.csv": days(line, head=head)})
    assert found.declared.roles.model_dump(exclude_defaults=True) == {
        "time": "started_at",
        "end": "ended_at",
        "place": "start_station",
        "latitude": "start_lat",
        "longitude": "start_lng",
        "distance": "trip_distance",
        "amount": "total_amount",
    }


@pytest.mark.parametrize(
    ("name", "column"),
    [("Betrag (EUR)", "betrag_eur"), ("importe_neto", "importe_neto"), ("Prix TTC", "prix_ttc")],
)
def test_an_amount_has_its_role_whatever_follows_its_name(
    tmp_path: Path, name: str, column: str
) -> None:
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},{i}.5", head=f"day,{name}")})
    assert found.declared.roles.amount == column


USERS = ("Subscriber", "Subscriber", "Customer"), ("member", "member", "casual")


def eras() -> dict[str, str]:
    """Return files of a bike system before and after its columns were renamed."""
    old = ["trip_id,starttime,stoptime,from_station_id,from station name,bikeid,usertype"]
    new = ["ride_id,started_at,ended_at,start_station_id,start_station_name,member_casual"]
    for n in range(90):
        day, was, became = n // 3 + 1, USERS[0][n % 3], USERS[1][n % 3]
        times = f"12/{day}/2019 0:04,12/{day}/2019 0:14"
        old.append(f"{n},{times},{n % 7},Pier {n % 7},{n % 5},{was}")
        times = f"2020-04-{day:02} 10:00:01,2020-04-{day:02} 10:00:02"
        new.append(f"A{n:07X},{times},JC{n % 7},Pier {n % 7},{became}")
    return {
        "Trips_2019-12.csv": "\n".join([*old, ""]),
        "202004-trips.csv": "\n".join([*new, ""]),
    }


def test_proposed_codes_are_one_line(tmp_path: Path) -> None:
    """A comment that wraps them could not be uncommented."""
    words = [f"a text of some length, number {n}" for n in range(6)]
    old = "".join(f'2019-12-{n + 1:02},"{word}"\n' for n, word in enumerate(words))
    new = "".join(f"2020-04-{n + 1:02},{n}x\n" for n in range(6))
    files = {"t-2019-12.csv": f"day,kind\n{old * 3}", "t-2020-04.csv": f"day,member\n{new * 3}"}
    codes = [line for line in draft(tmp_path, files).text.splitlines() if "codes = " in line]
    assert [word for word in words if word not in "".join(codes)] == []
    assert [line[-1] for line in codes] == ["}"]


def test_columns_of_two_eras_are_one(tmp_path: Path) -> None:
    """Names and values must match: bike is not ride, and other codes are only proposed."""
    found = draft(tmp_path, eras())
    columns = found.columns
    assert columns["started_at"].aliases == ["starttime"]
    assert columns["ended_at"].aliases == ["stoptime"]
    assert columns["start_station_name"].aliases == ["from station name"]
    assert {"bikeid", "ride_id", "usertype", "member_casual"} <= columns.keys()
    assert '# codes = { Subscriber = "member", Customer = "casual" }' in found.text
    spans = {name: c.required and c.required.model_dump() for name, c in columns.items()}
    assert spans["ride_id"] == {"since": "2020-04", "until": ""}
    assert spans["bikeid"] == {"since": "", "until": "2019-12"}
    assert spans["started_at"] == {"since": "", "until": ""}
    old = loads(found, "Trips_2019-12.csv", "2019-12")
    assert values(old, "started_at")[0] == dt.datetime(2019, 12, 1, 0, 4)
    assert values(loads(found, "202004-trips.csv", "2020-04"), "started_at")[0] == dt.datetime(
        2020, 4, 1, 10, 0, 1
    )


def test_a_column_is_text_if_it_is_text_in_one_era(tmp_path: Path) -> None:
    """Numbers of an older era stay as written."""
    files = {f"t-2020-0{n}.csv": f"day,id\n2020-0{n}-01,{v}\n" for n, v in ((1, "31"), (2, "JC1"))}
    found = draft(tmp_path, files)
    assert found.types["id"] == "string"
    assert values(loads(found), "id") == ["31"]


def test_parquet_types(tmp_path: Path) -> None:
    """Decimals, dates and zones are kept; types that no table can hold are left out with a note."""
    table = pa.table(
        {
            "at": pa.array(
                [dt.datetime(2020, 1, 1, 5, tzinfo=dt.timezone.utc)],
                pa.timestamp("us", "Europe/Berlin"),
            ),
            "day": pa.array([dt.date(2020, 1, 1)]),
            "money": pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
            "zip": pa.array(["10115"]),
            "Was It": pa.array([True]),
            "tags": pa.array([["a"]]),
            "raw": pa.array([b"text"]),
        }
    )
    pq.write_table(table, tmp_path / "t-2020-01.parquet")
    found = draft_of(tmp_path / "t-2020-01.parquet", folder=tmp_path)
    assert found.types == {
        "at": "timestamp",
        "day": "date",
        "money": "decimal(10,2)",
        "zip": "string",
        "was_it": "boolean",
        "raw": "string",
    }
    assert found.declared.time_zone == "Europe/Berlin"
    assert "Column 'tags' is left out: a table has no type list" in found.text
    row = loads(found, "t-2020-01.parquet").to_pylist()[0]
    assert row == {
        "at": dt.datetime(2020, 1, 1, 6),
        "day": dt.date(2020, 1, 1),
        "money": Decimal("1.25"),
        "zip": "10115",
        "was_it": True,
        "raw": "text",
        "file_month": dt.date(2020, 1, 1),
    }


def test_whole_numbers_beyond_64_bits_are_decimals(tmp_path: Path) -> None:
    table = pa.table({"day": DAYS[:1], "key": pa.array([2**64 - 1], pa.uint64())})
    pq.write_table(table, tmp_path / "t-2020-01.parquet")
    found = draft_of(tmp_path / "t-2020-01.parquet", folder=tmp_path)
    assert found.types["key"] == "decimal(20,0)"
    assert values(loads(found, "t-2020-01.parquet"), "key") == [Decimal(2**64 - 1)]


def test_parquet_columns_that_a_table_cannot_have_are_left_out(tmp_path: Path) -> None:
    """GeoParquet stores geometries as bytes; the draft gives the reason for each column."""
    table = pa.table(
        {
            "day": pa.array(DAYS),
            "geometry": pa.array([b"\x01\xff"] * 31),
            "half": pa.array([0.5] * 31, pa.float16()),
            " ": pa.array([1] * 31),
        }
    )
    pq.write_table(table, tmp_path / "t-2020-01.parquet")
    found = draft_of(tmp_path / "t-2020-01.parquet", folder=tmp_path)
    assert found.types == {"day": "date", "half": "float64"}
    assert "Column 'geometry' is left out: a table has no type binary." in found.text
    assert "Column ' ' is left out: it has no name." in found.text
    assert values(loads(found, "t-2020-01.parquet"), "half") == [0.5] * 31


def test_parquet_and_text_of_two_eras(tmp_path: Path) -> None:
    """Whole floats of pandas, and times with and without a type, become one type."""
    (tmp_path / "t-2020-01.csv").write_text("at,riders\n2020-01-02 05:06:07,3\n2020-01-02 05:06,\n")
    at = pa.array([dt.datetime(2020, 2, 1), dt.datetime(2020, 2, 2)], pa.timestamp("ns"))
    pq.write_table(pa.table({"at": at, "riders": [2.0, None]}), tmp_path / "t-2020-02.parquet")
    found = draft_of(tmp_path / "t-2020-01.csv", tmp_path / "t-2020-02.parquet", folder=tmp_path)
    assert found.types == {"at": "timestamp", "riders": "int64"}
    assert values(loads(found), "riders") == [3, None]
    assert values(loads(found, "t-2020-02.parquet", "2020-02"), "riders") == [2, None]


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_compressed_files(tmp_path: Path, kind: str) -> None:
    """They are compressed as publishers package them."""
    name, text = f"t-2020-01.csv.{kind}", days("{d},{i}")
    if kind == "gz":
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    else:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("t.csv", text)
    found = draft_of(tmp_path / name, folder=tmp_path)
    assert values(loads(found, name), "n") == [*range(31)]


@pytest.mark.parametrize(
    ("members", "pattern"),
    [
        (["On_Time_2020_1.csv", "readme.html"], "On_Time_*_*.csv"),
        (["202001-trips_1.csv", "202001-trips_2.csv", "__MACOSX/._1.csv"], "*-trips_*.csv"),
        (["a.csv", "b.csv", "notes.pdf"], "*.csv"),
    ],
)
def test_tables_in_an_archive(tmp_path: Path, members: list[str], pattern: str) -> None:
    """The archive has one table and a note, or several parts; the draft reads all of them."""
    with zipfile.ZipFile(tmp_path / "t-2020-01.zip", "w") as archive:
        for name in members:
            is_table = name.endswith(".csv") and "/" not in name
            archive.writestr(name, days("{d},{i}") if is_table else "\0note")
    found = draft_of(tmp_path / "t-2020-01.zip", folder=tmp_path)
    assert found.declared.text.member == pattern
    tables = sum(name.endswith(".csv") and "/" not in name for name in members)
    assert values(loads(found, "t-2020-01.zip"), "n") == [*range(31)] * tables


def test_tables_of_an_archive_that_differ(tmp_path: Path) -> None:
    """A dataset has one header."""
    with zipfile.ZipFile(tmp_path / "t-2020-01.zip", "w") as archive:
        archive.writestr("a.csv", days("{d},{i}"))
        archive.writestr("b.csv", "x,y\n1,2\n")
    with pytest.raises(BadFile, match=r"2 files \('a.csv', 'b.csv'\); one table is read"):
        draft_of(tmp_path / "t-2020-01.zip", folder=tmp_path)


def test_the_month_of_a_file_is_that_of_its_times(tmp_path: Path) -> None:
    """They decide if its name has no month."""
    found = draft(tmp_path, {"latest.csv": days("{d},{i}")})
    assert found.declared.first_month == "2020-01"
    assert "The month is not in" in found.text
    assert len(loads(found, "latest.csv")) == 31


@pytest.mark.parametrize(
    "name",
    ["t_2020-01-01_2020-02-01.csv", "t_2019-12_2020-01.csv", "t_2020-01_published_2020-03.csv"],
)
def test_of_several_months_in_a_name_the_times_decide(name: str, tmp_path: Path) -> None:
    """Such as the start and the end of a month, or the month of publication."""
    found = draft(tmp_path, {name: days("{d},{i}")})
    assert found.declared.first_month == "2020-01"
    assert found.declared.limits.outside == 0.5
    (other,) = {"2020-02", "2019-12", "2020-03"} & {name[i : i + 7] for i in range(len(name))}
    assert f"# {other} stays the same in every month's address: no field writes it.\n" in found.text


def test_a_column_that_some_files_of_a_month_lack_is_not_required(tmp_path: Path) -> None:
    """A month may be split, but not into files of different columns, which are two sources."""
    north, south = days("{d},{i}"), days("{d},{i},x", head="day,n,extra")
    later = {
        f"{name}-2020-02.csv": text.replace("2020-01", "2020-02").partition("2020-02-30")[0]
        for name, text in (("north", north), ("south", south))
    }
    one = draft(tmp_path, {"north-2020-01.csv": north, "south-2020-01.csv": south})
    two = draft(tmp_path, {"north-2020-01.csv": north, "south-2020-01.csv": south, **later})
    newer = draft(tmp_path, {"north-2020-01.csv": north, **later})
    for found in (one, two, newer):
        assert found.columns["extra"].required is None
        assert found.columns["n"].required == Span()
        assert all(isinstance(source, str) for source in found.declared.sources.values())
    assert "# No month can be loaded from several of them: their columns or formats d" in two.text
    since = draft(
        tmp_path, {"north-2020-01.csv": north, "south-2020-02.csv": later["south-2020-02.csv"]}
    )
    assert since.columns["extra"].required == Span(since="2020-02")


def test_two_formats_of_a_month_are_two_sources(tmp_path: Path) -> None:
    """A month is loaded from one of them."""
    pq.write_table(pa.table({"day": DAYS, "n": [*range(31)]}), tmp_path / "t-2020-01.parquet")
    (tmp_path / "t-2020-01.csv").write_text(days("{d},{i}"))
    found = draft_of(*sorted(tmp_path.glob("t-*")), folder=tmp_path)
    assert len(found.declared.sources) == 2
    assert "# No month can be loaded from several of them" in found.text


def test_times_outside_the_month(tmp_path: Path) -> None:
    """A month's file may list earlier events; the draft allows them."""
    found = draft(tmp_path, {"t-2020-03.csv": days("{d},{i}")})
    assert found.declared.limits.outside == 1.0
    assert len(loads(found, "t-2020-03.csv", "2020-03")) == 31


def test_hostile_names_and_values(tmp_path: Path) -> None:
    """They cannot end a text, a comment or a line of the draft."""
    head = 'day,"x""] = 1",file_month,123,"\'; DROP TABLE t; --",<script>,日本,{{year}}'
    found = draft(tmp_path, {"t-2020-01.csv": days('{d},a # "b"\x1b[31m,1,2,3,4,5,6', head=head)})
    assert list(found.columns) == [
        *("day", "x_1", "file_month_published", "column_123", "drop_table_t", "script"),
        *("column_7", "year"),
    ]
    assert "\x1b" not in found.text
    assert values(loads(found), "x_1") == ['a # "b"\x1b[31m'] * 31


def test_the_output(tmp_path: Path) -> None:
    """The output names each file, then the result."""
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},{i}")})
    assert found.told == [
        "t-2020-01.csv: 31 rows, 2 columns",
        "t-2020-01.csv: the draft reads 31 rows, writes 31, rejects 0; "
        "the values of 2 columns compared, all equal",
    ]


def test_unreadable_lines_are_reported(tmp_path: Path) -> None:
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},x") + '2020-01-31,"a\n'})
    assert "rejects 1" in found.told[1]
    assert found.told[2].startswith("t-2020-01.csv: rejected: line 33,an unmatched quote")
    assert len(loads(found)) == 31


def test_texts_with_line_breaks_are_declared(tmp_path: Path) -> None:
    """This holds far below the first lines, too."""
    text = days(*["{d},x"] * 3_000) + '2020-01-31,"a\nb"\n'
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert found.declared.text.line_breaks
    table = loads(found)
    assert (len(table), values(table, "n")[-1]) == (93_001, "a\nb")


def test_rows_with_line_breaks_may_be_short(tmp_path: Path) -> None:
    rows = "".join(f'{day},"a\nb"{",1" if day.day % 3 else ""}\n' for day in DAYS)
    found = draft(tmp_path, {"t-2020-01.csv": f"day,note,n\n{rows}"})
    assert (found.declared.text.line_breaks, found.declared.text.short_rows) == (True, True)
    assert values(loads(found), "n") == [1 if day.day % 3 else None for day in DAYS]


def test_a_line_break_in_a_name_of_the_header(tmp_path: Path) -> None:
    found = draft(tmp_path, {"t-2020-01.csv": days("{d},{i}", head='day,"power\n(kW)"')})
    assert values(loads(found), "power_kw") == [*range(31)]


def test_files_that_one_declaration_cannot_hold(tmp_path: Path) -> None:
    """Different lines before the header cannot be declared."""
    files = {"t-2020-01.csv": days("{d},{i}"), "t-2020-02.csv": "Notes,\n\n" + days("{d},{i}")}
    with pytest.raises(UsageError, match=r"t-2020-01\.csv has 0 lines before the rows, .* 2; one"):
        draft(tmp_path, files)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "is empty"),
        (b"<html>", "is a web page"),
        (b"day,n\n", r"^t-2020-01.csv has a header but no rows"),
        (gzip.compress(b"day,n\n" * 1000)[:-9], "is cut short or damaged"),
    ],
    ids=["empty", "page", "header", "gzip"],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, error: str) -> None:
    """The reason is a single line."""
    with pytest.raises(BadFile, match=error):
        draft(tmp_path, {"t-2020-01.csv": content})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The error names similar ones."""
    (tmp_path / "t-2020-01.csv").write_text(days("{d},{i}"))
    with pytest.raises(NotPublished, match=r"has no t-2020-02\.csv, but t-2020-01\.csv"):
        draft_of(tmp_path / "t-2020-02.csv", folder=tmp_path)
