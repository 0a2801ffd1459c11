"""Which column of a draft has the time of the rows, if several or none lie in the file's month."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.drafts import Drafted, draft

BIRTHS = [f"{1940 + n % 60}-{n % 12 + 1:02}-{n % 28 + 1:02}" for n in range(100)]
CONTRACTS = [f"{2008 + n % 12}-{n % 12 + 1:02}-{n % 28 + 1:02}" for n in range(100)]
EVENTS = [f"2020-01-{n % 31 + 1:02}" for n in range(100)]


def drafted(folder: Path, **columns: list[str]) -> Drafted:
    lines = [",".join(row) for row in zip(*columns.values())]
    return draft(
        folder,
        {"t-2020-01.csv": "\n".join([",".join([*columns, "n"]), *(f"{x},1" for x in lines), ""])},
    )


@pytest.mark.parametrize(
    ("name", "earlier"),
    [("birth_date", BIRTHS), ("contract_date", CONTRACTS)],
    ids=["birth", "contract"],
)
@pytest.mark.parametrize("lacking", [0, 15, 40])
def test_the_time_is_in_the_month_even_if_some_rows_lack_it(
    name: str, earlier: list[str], lacking: int, tmp_path: Path
) -> None:
    """A column that all rows have says nothing of the month if its times are years apart."""
    events = [*EVENTS[:-lacking], *[""] * lacking] if lacking else EVENTS
    found = drafted(tmp_path, **{name: earlier, "event": events})
    assert found.declared.roles.time == "event"
    assert found.declared.limits.outside == 0.5
    said = f"# The time of the rows, as '{name}' is mostly outside the month.\n"
    assert (said in found.text) == (lacking > 0)


def test_history_is_no_time_if_another_column_is_nearer_the_month(tmp_path: Path) -> None:
    """A few contracts are of the month, and most events of the one before."""
    contracts = [*CONTRACTS[:-1], "2020-01-07"]
    events = [*EVENTS[:40], *(day.replace("2020-01", "2019-12") for day in EVENTS[40:])]
    found = drafted(tmp_path, contract_start=contracts, happened=events)
    assert found.declared.roles.time == "happened"


@pytest.mark.parametrize(
    ("name", "days", "why"),
    [
        ("birth_date", BIRTHS, "Dates of birth"),
        ("DateOfBirth", [*BIRTHS[:-9], *EVENTS[:9]], "Dates of birth"),
        ("ends_on", [day.replace("19", "20") for day in BIRTHS], "None is within a year of its"),
        ("since", [day.replace("201", "200") for day in CONTRACTS], "None is within a year of its"),
    ],
    ids=["birth", "birth in the month", "end", "start"],
)
def test_times_far_from_the_month_are_not_the_time_of_the_rows(
    name: str, days: list[str], why: str, tmp_path: Path
) -> None:
    """No limit is opened for them; nothing else tells the month."""
    found = drafted(tmp_path, **{name: days})
    assert found.declared.roles.time == ""
    assert found.declared.limits.outside == 0.5
    assert f"# {why}" in found.text
    assert (
        "# No column has the time of its rows: nothing tells whether a file is of its m"
        in found.text
    )


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("birth_date", EVENTS),
        ("birth_date", [day.replace("2020-01", "2019-12") for day in EVENTS]),
        ("contract_date", CONTRACTS),
        ("day", [f"{2012 + n // 12}-{n % 12 + 1:02}-01" for n in range(97)]),
    ],
    ids=["births of the month", "births of another", "contracts", "series"],
)
def test_times_near_the_month_are_the_time_of_the_rows(
    name: str, days: list[str], tmp_path: Path
) -> None:
    """A register of births, a list that goes back years, and a series that each file repeats."""
    assert drafted(tmp_path, **{name: days}).declared.roles.time == name
