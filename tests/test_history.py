"""The flow `history` as people run it: corrections, restorations, pins and notifications."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.in_process import Commands
from monthly.history import MonthHistory, history_record, history_table
from test_flows import bring, bring_all, listing, publish, totals
from test_notices import Webhook, webhook

__all__ = ["webhook"]  # a fixture
pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

OCTOBER = "2020-10"
EDITIONS = "editions/green/green_tripdata_2020-10"


def run_history(months: str = OCTOBER, **options: Any) -> Any:
    from history import history

    call: Any = history
    return call("green", 2020, months, **options, return_state=True)


def corrected(place: Path, load: Callable[[Path, Any], Any] = bring) -> str:
    """Load October and its correction; return the first edition."""
    month = 10 if load is bring else "10"
    publish(place, OCTOBER, ["10.5", "4"])
    load(place, month)
    publish(place, OCTOBER, ["10.5", "5", "6"])
    assert load(place, month).name == "Completed"
    (path,) = (place / "bucket" / EDITIONS).glob("*.parquet")
    return path.stem


def test_the_parent_run_notifies_of_a_correction_once(place: Path, webhook: Webhook) -> None:
    """It reports rows before and after, and the sums; a first load is not a correction."""
    first = corrected(place, bring_all)
    (message,) = webhook.messages
    head, line, *_ = message.splitlines()
    assert head == "etl-parent-flow green 2020: 10: 1 month corrected"
    assert line.startswith("green 2020-10: size ")
    assert "2 -> 3 rows, 2 added, 1 removed: 100.0% changed" in line
    assert "total_amount 14.50 -> 21.50" in line
    assert f"edition {first} kept" in line


def test_a_run_without_a_parent_notifies_of_a_correction(place: Path, webhook: Webhook) -> None:
    """A pinned month is not replaced, and a restoration does not count as a correction."""
    publish(place, OCTOBER, ["1"])
    bring(place, 10)
    assert run_history(pin=True).is_completed()
    publish(place, OCTOBER, ["1", "2"])
    state = bring(place, 10, force=True)
    assert (state.name, state.result().status) == ("Pinned", "pinned")
    assert "run history with unpin=True to let runs replace it" in state.message
    assert bring_all(place, "10", warehouse="").name == "Skipped"
    assert run_history(unpin=True).is_completed()
    assert bring(place, 10, keep_editions=0).name == "Completed"
    (message,) = webhook.messages
    assert message.startswith("etl-web-to-gcs green 2020-10: 1 month corrected\n")
    assert "no edition kept" in message
    assert not (place / "bucket" / EDITIONS).exists()


def test_an_edition_is_restored_into_bucket_and_warehouse_and_stays(
    place: Path, webhook: Webhook
) -> None:
    """The report is restored too; no run replaces the month, and nothing counts as a correction."""
    first = corrected(place, bring_all)
    webhook.messages.clear()
    edition = listing(place / "bucket")[f"{EDITIONS}/{first}.parquet"]
    (history,) = run_history(restore=first[:5]).result()
    assert isinstance(history, MonthHistory)
    assert history.entry
    assert history.entry.pinned
    assert totals(place) == {OCTOBER: (2, 14.5)}
    assert listing(place / "bucket")["data/green/green_tripdata_2020-10.parquet"] == edition
    report = place / "bucket/data/green/green_tripdata_2020-10.report.html"
    page = report.read_text(encoding="utf-8")
    assert "History" in page
    assert f"edition {first} restored" in page
    (line,) = bring_all(place, "10", force=True).result()
    assert (line.status, line.rows_written) == ("pinned", 2)
    assert webhook.messages == []


def test_a_repair_removes_no_edition_that_a_run_was_asked_to_keep(place: Path) -> None:
    """Green declares one edition; the repair fetches a correction of the object that is gone."""
    from verify import verify

    for number in range(4):
        publish(place, OCTOBER, [str(number)])
        bring(place, 10, keep_editions=3)
    before = listing(place / "bucket" / EDITIONS)
    assert len(before) == 6  # objects and entries
    publish(place, OCTOBER, ["5"])
    (place / "bucket/data/green/green_tripdata_2020-10.parquet").unlink()
    call: Any = verify
    bucket = str(place / "bucket")
    state = call("green", 2020, "10", bucket, "", repair=True, return_state=True)
    assert state.name == "Repaired"
    assert listing(place / "bucket" / EDITIONS) == before


def test_the_command_prints_a_line_for_each_edition(place: Path, command: Commands) -> None:
    first = corrected(place)
    from history import history

    options = ["--color", "green", "--months", OCTOBER]
    said = command(history, *options, show=history_table)
    assert said.code == 0
    head, _, loaded, correction, _, why = said.out.splitlines()
    columns = ("month", "when", "rows", "added", "removed", "unchanged", "edition", "state")
    assert head.split() == [*columns]
    assert loaded.split() == ["green", OCTOBER, "2", first, "kept"]
    assert correction.split()[4:-2] == ["2", "->", "3", "2", "1", "1"]
    assert correction.endswith("current")
    assert why.startswith("green 2020-10: ")
    assert "size " in why
    assert "total_amount 14.50 -> 21.50" in why
    printed = command(history, *options, "--json", show=history_table, record=history_record)
    (month,) = json.loads(printed.out)["months"]
    assert (month["month"], month["editions"], month["pinned"]) == ("green 2020-10", [first], None)
    assert [revision["rows_added"] for revision in month["history"]] == [2]


def test_an_impossible_request_is_an_error_in_one_line(place: Path, command: Commands) -> None:
    from history import history

    publish(place, OCTOBER, ["1"])
    bring(place, 10)
    before = listing(place / "bucket")
    for said, *options in (
        ("'ffff' matches no edition; none is kept", "--restore", "ffff"),
        ("unpin contradicts pin; leave one of them out", "--pin", "--unpin"),
        ("edition ffff belongs to one month", "--restore", "ffff", "--months", "2020-10:2020-11"),
        ("green 2020-11 is not in the bucket", "--pin", "--months", "2020-11"),
        ("green 2020-11 is not in the bucket", "--pin", "--months", "2020-10:2020-11"),
        ("green: keep_editions -1 is below 0", "--keep-editions", "-1"),
    ):
        ended = command(history, "--color", "green", "--months", OCTOBER, *options)
        assert ended.code in (1, 2)
        assert said in ended.err
        assert len(ended.err.splitlines()) <= 2
        assert listing(place / "bucket") == before


def test_no_month_is_pinned_or_unpinned_unless_all_can_be(place: Path) -> None:
    """An object that is damaged cannot be pinned; a month that is not there cannot be unpinned."""
    for month in (OCTOBER, "2020-11"):
        publish(place, month, ["1"])
        bring(place, int(month[-2:]))
    damaged = place / "bucket" / "data" / "green" / "green_tripdata_2020-11.parquet"
    damaged.write_bytes(b"damaged")
    before = listing(place / "bucket")
    state = run_history("2020-10:2020-11", pin=True)
    assert f"green 2020-11: {damaged} is gone or not the object" in state.message
    assert listing(place / "bucket") == before
    assert run_history(pin=True).is_completed()
    before = listing(place / "bucket")
    state = run_history("2020-10:2020-12", unpin=True)
    assert "green 2020-12 is not in the bucket" in state.message
    assert listing(place / "bucket") == before


class _Loaded:
    """The part of Postgres that pinning uses, with October alone."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.pinned: list[str] = []

    def name(self) -> str:
        return "the database"

    def entry(self, month: object) -> object:
        self.reads.append(str(month))
        return SimpleNamespace(history=(), pinned="") if str(month)[-2:] == "10" else None

    def pin(self, month: object, pinned: str) -> None:
        self.pinned.append(str(month))


@pytest.mark.parametrize(
    ("months", "reads", "pinned"),
    [
        ("2020-10", ["green 2020-10"], ["green 2020-10"]),
        ("2020-10:2020-11", ["green 2020-10", "green 2020-11"], []),
    ],
    ids=["one", "several"],
)
def test_months_of_a_database_are_checked_first_only_if_there_are_several(
    monkeypatch: pytest.MonkeyPatch, months: str, reads: list[str], pinned: list[str]
) -> None:
    """To pin one month checks it anyway."""
    import history

    database = _Loaded()
    opened = SimpleNamespace(used=database)
    monkeypatch.setattr(history, "opened_postgres", lambda *_: opened)
    monkeypatch.setattr(history, "tell_places", lambda *_: None)
    monkeypatch.setattr(history, "show_history", lambda *_: None)
    state = run_history(months, bucket="", warehouse="sqlalchemy/any", pin=True)
    assert (database.reads, database.pinned) == (reads, pinned)
    assert state.is_completed() is bool(pinned)


@pytest.mark.parametrize("warehouse", ["duckdb-warehouse/zoom", "my.duckdb", ""])
def test_without_a_bucket_only_postgres_has_months(command: Commands, warehouse: str) -> None:
    """The error names both ways out."""
    from history import history

    said = command(history, "--months", "2020-10", "--bucket", "", "--warehouse", warehouse)
    assert (said.code, said.err) == (
        2,
        f"Error: warehouse {warehouse!r} is not a block of Postgres; write "
        "sqlalchemy-connector/NAME, or name the bucket if you use another warehouse\n",
    )


def test_a_month_that_was_never_loaded_has_no_history(place: Path) -> None:
    (history,) = run_history("2020-11").result()
    assert (history.entry, history.editions) == (None, ())


def test_dropping_removes_editions_and_says_so(place: Path) -> None:
    from drop_months import drop_months

    first = corrected(place)
    call: Any = drop_months
    (line,) = call("green", 2020, OCTOBER, return_state=True).result()
    assert line.reason == f"0 rows, 2 objects, editions {first}"
    call("green", 2020, OCTOBER, yes=True, return_state=True)
    assert listing(place / "bucket").keys() <= {".lock"}
