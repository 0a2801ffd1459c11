"""Artifacts of a run and their keys; the tests of the UI look at their pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes.entries import entry_of
from monthly.month import Month
from monthly.result import MonthResult, Outcome
from orchestration import artifacts

ENTRY = entry_of(Month("green", 2020, 10))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the artifacts that are made contain, by their keys."""
    found: dict[str, Any] = {}

    def create(kind: object, what: object, *, key: str, **more: object) -> None:
        found[key] = what

    monkeypatch.setattr(artifacts, "_create", create)
    return found


@pytest.mark.parametrize(
    ("link", "more"),
    [
        ("https://h/green.report.html", ["green-2020-10-report-link"]),
        ("http://h/green.report.html", ["green-2020-10-report-link"]),
        ("file:///bucket/green.report.html", []),  # browsers do not open it
        ("gs://bucket/green.report.html", []),
        ("", []),
    ],
)
def test_a_report_has_a_link_if_the_ui_can_open_it(
    made: dict[str, Any], link: str, more: list[str]
) -> None:
    artifacts.show_report(ENTRY, "# Report", link)
    assert made == {"green-2020-10-report": "# Report"} | dict.fromkeys(more, link)


def test_keys_have_no_underscores(made: dict[str, Any]) -> None:
    """Prefect refuses them, and a dataset's name may have some."""
    artifacts.show_report(replace(ENTRY, dataset="tram_rides"), "# Report", "")
    assert [*made] == ["tram-rides-2020-10-report"]


def test_the_table_of_a_run_has_all_its_months(made: dict[str, Any]) -> None:
    months = [Month("green", 2020, number) for number in (10, 11)]
    artifacts.show_months([MonthResult(month, Outcome.LOADED) for month in months], "two months")
    assert [row["month"] for row in made["months"]] == ["green 2020-10", "green 2020-11"]
