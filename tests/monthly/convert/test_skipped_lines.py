"""A file whose lines before the rows are not those for which a header was declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SchemaError
from fakes.drafts import Drafted, draft, values

#: Hours of March 2024, below a line of units.
NAMES, UNITS = "Datum;PM10;NO2", ";µg/m³;µg/m³"
ROWS = "".join(f"{day:02}.03.2024;1,{day:02};2,{day:02}\n" for day in range(1, 32))


@pytest.fixture
def found(tmp_path: Path) -> Drafted:
    """Draft a declaration that skips the names and the units, and names the fields itself."""
    drafted = draft(tmp_path, {"t-2024-03.csv": f"{NAMES}\n{UNITS}\n{ROWS}"})
    assert drafted.declared.text.header == ["datum", "pm10", "no2"]
    assert drafted.declared.text.lines_before_header == 2
    return drafted


def _error(found: Drafted, folder: Path, text: str) -> str:
    file = folder / "u-2024-03.csv"
    file.write_text(text)
    with pytest.raises(SchemaError) as raised:
        found.loaded(file, "2024-03")
    return str(raised.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (f"Datum;NO2;PM10\n{UNITS}", "'PM10' as field 3, where the declared header has 'no2'"),
        (f"Datum;PM10;PM2.5;NO2\n{UNITS};", "'NO2' as field 4, where the declared header has none"),
    ],
    ids=["moved", "inserted"],
)
def test_columns_in_another_order_are_refused(
    lines: str, said: str, found: Drafted, tmp_path: Path
) -> None:
    """Their values would be those of other columns."""
    error = _error(found, tmp_path, f"{lines}\n{ROWS}")
    assert f"line 1 of u-2024-03.csv has {said}; correct the header in" in error


def test_a_row_where_the_units_were_is_refused(found: Drafted, tmp_path: Path) -> None:
    """It would be lost."""
    error = _error(found, tmp_path, f"{NAMES}\n{ROWS}")
    assert "line 2 of u-2024-03.csv is declared to come before the rows, but is a row" in error
    assert "'01.03.2024' is a time; correct lines_before_header in" in error


@pytest.mark.parametrize("end", ["", ";"], ids=["plain", "separator last"])
@pytest.mark.parametrize("month", ["03.2024", "Mar 2024"], ids=["digits", "name"])
def test_a_row_is_recognized_however_it_is_written(month: str, end: str, tmp_path: Path) -> None:
    """Its time is read as the column's, whether or not lines end in a separator."""
    dates = [f"{day:02}.{month}" if month[0] == "0" else f"Mar {day}, 2024" for day in range(1, 32)]
    rows = "".join(f"{date};1,5;2,5{end}\n" for date in dates)
    found = draft(tmp_path, {"t-2024-03.csv": f"{NAMES}{end}\n{UNITS}{end}\n{rows}"})
    assert found.declared.text.lines_before_header == 2
    error = _error(found, tmp_path, f"{NAMES}{end}\n{rows}")
    assert f"is a row: {dates[0]!r} is a time" in error


@pytest.mark.parametrize(
    "line", ["01.03.2024 - 31.03.2024;;", "2024-04-01 exported;;", "2024;2024;2024"]
)
def test_a_line_of_a_preamble_is_no_row(line: str, found: Drafted, tmp_path: Path) -> None:
    """Spreadsheets write all their separators into each line."""
    file = tmp_path / "u-2024-03.csv"
    file.write_text(f"{NAMES}\n{line}\n{ROWS}")
    assert len(found.loaded(file, "2024-03")) == 31


def test_a_line_that_lacks_a_name_is_not_compared(found: Drafted, tmp_path: Path) -> None:
    """The declared header may name the field that the line leaves out."""
    file = tmp_path / "u-2024-03.csv"
    file.write_text(f"Datum;NO2\n{UNITS}\n{ROWS}")
    assert len(found.loaded(file, "2024-03")) == 31


def test_columns_that_are_declared_in_another_order_load(found: Drafted, tmp_path: Path) -> None:
    """The file is wrong, and the way out that the error names is taken."""
    text = found.text.replace('"pm10", "no2"]', '"second", "third"]')
    text = text.replace('description = "pm10"', 'description = "pm10"\naliases = ["third"]')
    text = text.replace('description = "no2"', 'description = "no2"\naliases = ["second"]')
    found.path.write_text(text)
    rows = found.loaded(tmp_path / "t-2024-03.csv", "2024-03")
    assert (values(rows, "pm10")[0], values(rows, "no2")[0]) == (2.01, 1.01)


def test_other_names_of_the_fields_are_no_contradiction(tmp_path: Path) -> None:
    """Of two equal names, the second gets another one."""
    rows = "".join(f"{day:02}.03.2024;{day};x\n" for day in range(1, 32))
    found = draft(tmp_path, {"t-2024-03.csv": f"Tag 2024;Wert;Wert\n{rows}"})
    assert found.declared.text.header == ["tag_2024", "wert", "wert_2"]
    assert len(found.loaded(tmp_path / "t-2024-03.csv", "2024-03")) == 31
