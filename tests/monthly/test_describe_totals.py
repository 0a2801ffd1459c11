"""A draft rejects the totals of a published table, or proposes to reject them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from fakes.drafts import Drafted, draft, values

MARCH = [dt.date(2021, 3, day) for day in range(1, 32)]
#: The sum of the numbers 1 to 31.
SUM = 496


def drafted(folder: Path, *last: str, head: str = "day;n", row: str = "{d};{n}") -> Drafted:
    """Draft a file with a row for each day of March 2021, and some last lines."""
    rows = [row.format(d=day, n=day.day) for day in MARCH]
    return draft(folder, {"t-2021-03.csv": "\n".join([head, *rows, *last, ""])})


def comments(found: Drafted) -> str:
    return " ".join(line[2:] for line in found.text.splitlines() if line.startswith("# "))


@pytest.mark.parametrize(
    "word", ["Total", "TOTAL:", "Summe", "Insgesamt", "Average", "Grand total", "Ensemble"]
)
def test_the_total_of_a_column_of_days_is_rejected(tmp_path: Path, word: str) -> None:
    """The days stay days, the draft names the word, and the limit of rejects stays as it was."""
    found = drafted(tmp_path, f"{word};{SUM}")
    assert found.columns["day"].reject == [word]
    assert found.declared.roles.time == "day"
    assert "[limits]" not in found.text
    assert f"Rows of '{word}' are rejected" in comments(found)
    assert any("writes 31, rejects 1; the values of 2 columns" in line for line in found.told)
    assert values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "day") == MARCH


def test_the_total_of_a_joined_time_is_rejected(tmp_path: Path) -> None:
    """The clock of a total is empty."""
    found = drafted(tmp_path, f"Total;;{SUM}", head="day;time;n", row="{d};10:00;{n}")
    times = values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "date_time")
    assert times == [dt.datetime.combine(day, dt.time(10)) for day in MARCH]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (
            f"Total;{SUM}",
            "Rows of 'Total' may be totals or notes ('n' is the sum of the rows above)",
        ),
        ("Total;1", "Rows of 'Total' may be totals or notes, which"),
    ],
)
def test_a_total_in_a_column_of_names_loads_and_is_told(
    tmp_path: Path, last: str, said: str
) -> None:
    """A name may be anything; whether the numbers are sums is evidence."""
    found = drafted(tmp_path, last, head="place;n", row="place {n};{n}")
    assert said in comments(found)
    assert 'reject = ["Total"]' in comments(found)
    assert values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "place")[-1] == "Total"


def test_totals_between_the_rows_of_a_few_names_are_told(tmp_path: Path) -> None:
    """Each day has its own."""
    text = "day;place;n\n" + "".join(f"{d};A;1\n{d};B;2\n{d};Total;3\n" for d in MARCH)
    found = draft(tmp_path, {"t-2021-03.csv": text + "2021-03-31;A;1\n"})
    assert "Rows of 'Total' may be totals or notes, which" in comments(found)


@pytest.mark.parametrize(("number", "is_told"), [(SUM, True), (7, False)])
def test_a_last_row_without_a_day_is_told_if_it_has_the_sum(
    tmp_path: Path, number: int, is_told: bool
) -> None:
    """It loads all the same."""
    found = drafted(tmp_path, f";{number}")
    assert ('reject = [""]' in comments(found)) is is_told
    days = values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "day")
    assert days == [*MARCH, None]


def test_a_total_in_several_columns_is_told_once(tmp_path: Path) -> None:
    """One of them suffices to reject the row."""
    found = drafted(tmp_path, f"TOTAL;TOTAL;{SUM}", head="code;name;n", row="c{n};name {n};{n}")
    assert found.text.count('reject = ["TOTAL"]') == 1


def test_words_that_are_no_totals_are_left_alone(tmp_path: Path) -> None:
    """Total Wine is a shop, and a mean among categories a statistic."""
    text = "day;shop;what;n\n" + "".join(f"{d};Total Wine;Mean;1\n{d};B;Max;2\n" for d in MARCH)
    assert "reject" not in draft(tmp_path, {"t-2021-03.csv": text}).text


def test_a_note_that_fills_a_row_is_rejected_from_a_column_of_days(tmp_path: Path) -> None:
    """Spreadsheets write the separators of a note, too."""
    found = drafted(tmp_path, ";;", "Source: an office;;", head="day;n;x", row="{d};{n};a")
    assert found.columns["day"].reject == ["Source: an office"]
    days = values(found.loaded(tmp_path / "t-2021-03.csv", "2021-03"), "day")
    assert days == [*MARCH, None]


def test_a_note_that_fills_a_row_of_texts_is_told(tmp_path: Path) -> None:
    """Sparse rows are not notes: other rows lack the same values."""
    found = drafted(tmp_path, "Source: us;;", head="place;n;x", row="place {n};{n};a")
    assert "Rows of 'Source: us' may be totals or notes" in comments(found)
    sparse = drafted(tmp_path, "B;;", "C;7;a", "D;;", head="place;n;x", row="place {n};{n};a")
    assert "reject" not in sparse.text


def test_lines_of_comments_are_rejected(tmp_path: Path) -> None:
    """They do not make every row a short one."""
    found = drafted(tmp_path, "# gap", "2021-03-31;7;b", head="day;n;x", row="{d};{n};a")
    assert (found.types["day"], found.declared.text.short_rows) == ("date", False)
    assert "has comments, which are rejected: 1 lines." in comments(found)
