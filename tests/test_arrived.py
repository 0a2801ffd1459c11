"""Months that ran elsewhere are looked for in bucket and warehouse, with retries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import Held, Unavailable
from core.storage.bucket import FolderBucket
from engines import verify_results
from fakes import entries
from monthly.ledger import entry_key, write_entry
from monthly.month import Month
from monthly.result import MonthResult, Outcome, failed_month
from monthly.warehouses.duckdb import DuckDBFile
from test_flows import bring_all, publish
from test_notices import Webhook, webhook

__all__ = ["webhook"]  # a fixture

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

Outage = Callable[[Any, str, int], list[int]]


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    """Make the next requests of a kind fail; the list holds how many are left to fail."""

    def begin(asked: Any, name: str, times: int) -> list[int]:
        answer, left = getattr(asked, name), [times]

        def failing(*arguments: Any) -> Any:
            if left[0]:
                left[0] -= 1
                raise Unavailable("it does not answer; run again")
            return answer(*arguments)

        monkeypatch.setattr(asked, name, failing)
        return left

    return begin


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """Run months here as agents would, then do what is in the list."""
    import engines
    from engines import verify_results as arrived
    from engines.concurrency import side_by_side
    from engines.month import jobs_of

    then: list[Callable[[], Any]] = []

    def run_all(work: Any, engine: Any, tell: Any) -> Any:
        lines = side_by_side(jobs_of(work), engine.workers)
        for act in then:
            act()
        return lines

    monkeypatch.setattr(engines, "run_on_agents", run_all)
    for name in ("arrived", "loaded_months"):
        task = getattr(arrived, name)
        quick = task.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
        monkeypatch.setattr(arrived, name, quick)
    return then


@pytest.mark.parametrize(("asked", "name"), [(FolderBucket, "read"), (DuckDBFile, "loaded")])
def test_an_outage_that_passes_fails_no_month_that_has_arrived(
    place: Path, elsewhere: list[Callable[[], Any]], outage: Outage, asked: Any, name: str
) -> None:
    """Bucket and warehouse are asked again, as in planning."""
    left: list[list[int]] = []
    elsewhere.append(lambda: left.append(outage(asked, name, 1)))
    publish(place, "2020-10", ["1.5"])
    state = bring_all(place, "10", engine="agents", report=False)
    assert left == [[0]]
    assert state.name == "Completed", state.message
    assert [line.status for line in state.result()] == ["loaded"]


def test_a_correction_is_reported_with_what_it_changed(
    place: Path, elsewhere: list[Callable[[], Any]], webhook: Webhook
) -> None:
    """Its own run, in another process, leaves the notification to the parent run."""
    publish(place, "2020-10", ["1.5"])
    assert bring_all(place, "10", engine="agents", report=False).name == "Completed"
    publish(place, "2020-10", ["1.5", "2"])
    (line,) = bring_all(place, "10", engine="agents", report=False).result()
    assert (line.revision.rows_before, line.revision.rows_after) == (1, 2)
    assert line.kept_edition
    (message,) = webhook.messages
    assert message.startswith("etl-parent-flow green 2020: 10: 1 month corrected\n")


def test_a_lasting_outage_is_reported_for_the_month(
    place: Path, elsewhere: list[Callable[[], Any]], outage: Outage
) -> None:
    """The month fails after four attempts, and the run ends as with any failed month."""
    elsewhere.append(lambda: outage(FolderBucket, "read", 8))
    publish(place, "2020-10", ["1.5"])
    state = bring_all(place, "10", engine="agents", report=False)
    assert state.message == "1 of 1 months failed: green 2020-10: it does not answer; run again"


def test_a_fault_of_one_month_is_not_reported_for_the_others(
    place: Path, elsewhere: list[Callable[[], Any]]
) -> None:
    """An unreadable ledger entry affects only its own month."""
    publish(place, "2020-10", ["1.5"])
    publish(place, "2020-11", ["1.5"])
    elsewhere.append(lambda: damage(FolderBucket(place / "bucket"), Month("green", 2020, 10)))
    state = bring_all(place, "10:11", engine="agents", report=False)
    assert state.message.startswith("1 of 2 months failed: green 2020-10: ")


OCTOBER = Month("green", 2020, 10)
SHA = entries.entry_of(OCTOBER).loaded_sha256


@pytest.mark.parametrize(
    ("there", "loaded", "missing"),
    [
        (True, {OCTOBER: SHA}, ""),
        (True, None, ""),  # into the bucket alone
        (False, {OCTOBER: SHA}, "{bucket}/data/green/green_tripdata_2020-10.parquet"),
        (True, {}, "trips.duckdb"),
        (True, {OCTOBER: "0" * 64}, "trips.duckdb"),
    ],
)
def test_a_month_that_another_machine_ran_must_be_here(
    tmp_path: Path, there: bool, loaded: dict[Month, str] | None, missing: str
) -> None:
    """In the bucket, and in the warehouse the object of that bucket."""
    bucket = FolderBucket(tmp_path)
    if there:
        write_entry(bucket, OCTOBER, entries.entry_of(OCTOBER), None)
    line = MonthResult(OCTOBER, Outcome.LOADED, seconds=1.5, warning="odd")
    where = "" if loaded is None else " -> trips.duckdb"
    found = verify_results._arrived(line, bucket, loaded, where)
    if missing:
        assert found.is_failed
        assert (
            f"was run (loaded), but is not in {missing.format(bucket=tmp_path)}; " in found.reason
        )
    else:
        assert (found.status, found.seconds, found.warning) == (Outcome.LOADED, 1.5, "odd")
        assert (found.rows_read, found.rows_written, found.rows_rejected) == (4, 3, 1)
        assert found.where.endswith(f"green_tripdata_2020-10.parquet{where}")


def test_a_month_that_failed_elsewhere_is_not_looked_for(tmp_path: Path) -> None:
    """The counts of its ledger entry are those of an earlier run."""
    bucket = FolderBucket(tmp_path)
    write_entry(bucket, OCTOBER, entries.entry_of(OCTOBER), None)
    errors = (Held("x"), Unavailable("it is gone"))
    lines = [failed_month(OCTOBER, error) for error in errors]
    assert verify_results.all_arrived(lines, bucket, None) == lines


def damage(bucket: FolderBucket, month: Month) -> None:
    stored = bucket.read(entry_key(month))
    assert stored is not None
    bucket.write(entry_key(month), b"{", stored.version)


def test_a_report_that_is_asked_for_survives_an_outage_too(
    place: Path, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report's first request, for the ledger entry, is retried."""
    import month_report

    publish(place, "2020-10", ["1.5"])
    bring_all(place, "10", report=False)
    quick = month_report.plan.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(month_report, "plan", quick)
    left = outage(FolderBucket, "read", 1)
    call: Any = month_report.month_report
    state = call("green", 2020, 10, return_state=True)
    assert left == [0]
    assert state.is_completed(), state.message
