"""Headers of wide tables, which have a column for each year or month."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.drafts import draft, values


def table(*heads: str, rows: int = 30, row: str = "R{n},{n},{m}.5") -> str:
    lines = [row.format(n=n, m=n + 1) for n in range(rows)]
    return "\n".join([*heads, *lines, ""])


@pytest.mark.parametrize(
    "heads",
    [
        ["region,2019,2020"],
        ["geo\\time,2019-11,2019-12"],
        ["Land,11/2019,12/2019"],
        ["place,2019M11,2019M12"],
        ["place,2019-Q1,2019-Q2"],
        ["place,2019-12-31,2020-01-31"],
        ["place,1/22/20,1/23/20"],
        ["Prices by region,,", "region,2019,2020"],
    ],
)
def test_years_and_months_are_names_of_columns(tmp_path: Path, heads: list[str]) -> None:
    """The first row is a row, the numbers are numbers, and the draft says what comes next."""
    found = draft(tmp_path, {"t-2020-12.csv": table(*heads)})
    assert not found.declared.text.header
    assert [*found.types.values()] == ["string", "int64", "float64"]
    loaded = found.loaded(tmp_path / "t-2020-12.csv", "2020-12")
    one, other = (values(loaded, name) for name in [*found.types][1:])
    assert (one, other) == ([*range(30)], [n + 1.5 for n in range(30)])
    assert "is a wide table: 2 of its columns" in found.text


def test_a_code_beside_the_years_does_not_hide_the_header(tmp_path: Path) -> None:
    """Its name is a word above numbers."""
    text = table("code,region,2019,2020", row="{n},R{n},{n},{m}")
    found = draft(tmp_path, {"t-2020-12.csv": text})
    assert [*found.types] == ["code", "region", "column_2019", "column_2020"]


@pytest.mark.parametrize("row", ["R{n},2019,2020", "R{n},2019,{n}", "{n},2019-11,{n}"])
def test_years_in_the_rows_are_values(tmp_path: Path, row: str) -> None:
    """The first line has such values like the others."""
    found = draft(tmp_path, {"t-2020-12.csv": table(row=row)})
    assert len(found.declared.text.header) == 3
    assert "wide" not in found.text
