"""Held months in flows, in cloud storage, and on the direct way into Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import Held, StillHeld, StorageError
from core.storage.bucket import Bucket, FolderBucket
from fakes.entries import converted_of, entry_of, published_download
from fakes.gated_month import bring as bring_gated
from fakes.google.places import open_store
from fakes.in_process import Commands
from fakes.one_month import MONTH, OBJECT
from fakes.one_month import publish as publish_yellow
from fakes.postgres import Database
from fakes.s3 import S3, block
from monthly.convert.readings import Rules
from monthly.convert.rows import Rows
from monthly.dropping import drop_month, find_remains
from monthly.gates.aside import held_error, read_aside
from monthly.gates.correction import correction_in
from monthly.gates.policy import Policy
from monthly.gates.verdict import verdict
from monthly.ledger import entry_key, object_key
from monthly.month import Month
from monthly.plan import Plan, Status
from monthly.report import held
from monthly.result import Outcome, failed_month, from_record, to_record
from monthly.shortfall import shortfall
from orchestration import gate_tasks
from test_flows import bring, bring_all, listing, publish, source, totals

flows = pytest.mark.usefixtures("prefect_server")
OLD = [f"{number}.5" for number in range(20)]
NEW = [f"{number}.75" for number in range(20)]
OCTOBER = Month("green", 2020, 10)


def test_a_page_that_does_not_fit_on_the_disk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing to /dev/full fails as on a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    converted = converted_of(MONTH, tmp_path / "converted")
    converted.path.with_suffix(".report.html").symlink_to("/dev/full")
    monkeypatch.setattr(held, "held_page", lambda *_: "<html>")
    bucket, entry = FolderBucket(tmp_path / "bucket"), entry_of(MONTH)
    named = f"cannot keep month.report.html of {MONTH} in {converted.path.parent}: .*No space left"
    with pytest.raises(StorageError, match=named):
        gate_tasks.hold.fn(Plan(MONTH, Status.CHANGED, ""), entry, converted, bucket, [])
    assert not listing(tmp_path / "bucket")


@pytest.mark.flow
@flows
def test_a_held_month_fails_by_name_and_the_others_are_loaded(place: Path) -> None:
    publish(place, "2020-10", OLD)
    assert bring_all(place, "10", gates="hold").is_completed()
    publish(place, "2020-10", NEW)
    publish(place, "2020-11", OLD)
    before = listing(place / "bucket")
    state = bring_all(place, "10,11", gates="hold")
    assert (state.type.value, state.name) == ("FAILED", "HELD")
    assert state.message.startswith(
        "1 of 2 months held: green 2020-10: a correction that changes 100.0% of the rows "
        "(20 rows added and 20 of 20 removed); changed holds above 0.25; its report is "
    )
    assert state.message.endswith("run again with accept=True to load it anyway")
    october, november = state.result(raise_on_failure=False)
    assert (october.status, october.error) == (Outcome.HELD, "Held")
    assert november.status is Outcome.LOADED
    assert totals(place) == {"2020-10": (20, 200.0), "2020-11": (20, 200.0)}
    after = listing(place / "bucket")
    assert {key: after[key] for key in before} == before
    page = (place / "bucket/held/green/green_tripdata_2020-10.report.html").read_text()
    found = page.index("a correction that changes 100.0% of the rows")
    assert page.index("This month is held") < found < page.index("data:image/png")

    again = bring(place, 10, gates="hold")
    assert (again.type.value, again.name) == ("FAILED", "HELD")
    assert isinstance(again.result(raise_on_failure=False), StillHeld)
    assert bring_all(place, "10", plan=True, gates="hold").result()[0].status.value == "HELD"

    assert bring_all(place, "10,11", accept=True, gates="hold").is_completed()
    assert totals(place) == {"2020-10": (20, 205.0), "2020-11": (20, 200.0)}
    assert not list((place / "bucket/held/green").iterdir())


def test_a_command_says_that_a_month_is_held(place: Path, command: Commands) -> None:
    from parameterized_flow import etl_parent_flow

    months = ["--color", "green", "--months", "2020-10", "--source", source(place), "--no-report"]
    publish(place, "2020-10", OLD)
    assert command(etl_parent_flow, *months).code == 0
    publish(place, "2020-10", [*OLD[:17], *NEW[17:]])
    warned = command(etl_parent_flow, *months)
    assert warned.code == 0
    assert "green 2020-10: warning: a correction that changes 15.0% of the rows" in warned.out
    publish(place, "2020-10", NEW)
    held = command(etl_parent_flow, *months)
    assert held.code == 1
    assert "green 2020-10  held" in held.out
    assert "run again with --accept to load it anyway" in held.out
    assert "Error: 1 of 1 months held\nHelp: docs/troubleshooting.md#held\n" in held.err
    refused = command(etl_parent_flow, *months, "--thresholds", '{"rows": {"hold": 1}}')
    assert refused.code == 2
    assert "thresholds: rows does not exist; did you mean rows_rise?" in refused.err


def test_a_held_month_comes_back_from_another_process_as_one() -> None:
    line = failed_month(MONTH, held_error(MONTH, [], "s3://taxi/held/report.html"))
    assert (line.status, line.error, line.is_failed) == (Outcome.HELD, "Held", False)
    there = from_record(json.loads(json.dumps(to_record(line))))
    assert there == line
    assert there.is_held
    failed = failed_month(OCTOBER, StillHeld("x")), failed_month(OCTOBER, Held("y"))
    assert [each.is_news for each in failed] == [False, True]
    assert shortfall([line, *failed]) == "3 of 3 months held"


def open_folder(request: pytest.FixtureRequest, folder: Path) -> Bucket:
    return FolderBucket(folder / "bucket")


def open_s3(request: pytest.FixtureRequest, folder: Path) -> Bucket:
    from core.storage.s3 import S3Store

    s3: S3 = request.getfixturevalue("s3")
    return S3Store.of(block(s3.url, s3.new_bucket("gates").name))


def open_google(request: pytest.FixtureRequest, folder: Path) -> Bucket:
    request.getfixturevalue("google")
    return open_store()


@pytest.mark.parametrize("opened", [open_folder, open_s3, open_google])
def test_a_month_is_held_accepted_and_dropped_in_every_store(
    opened: Callable[[pytest.FixtureRequest, Path], Bucket],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    bucket, published = opened(request, tmp_path), tmp_path / "web" / "yellow.csv.gz"
    publish_yellow(published, range(200), bad=1)
    assert bring_gated(published, bucket) == "loaded"
    before = bucket.info(OBJECT), bucket.read(entry_key(MONTH))
    publish_yellow(published, range(500, 700), bad=1)
    assert bring_gated(published, bucket) == "held"
    assert bring_gated(published, bucket) == "still held"
    assert (bucket.info(OBJECT), bucket.read(entry_key(MONTH))) == before
    aside = read_aside(bucket, MONTH)
    assert [key.rpartition(".")[2] for key in aside.keys] == ["parquet", "csv", "html", "json"]
    assert aside.held is not None
    assert bucket.etag(aside.held.entry.object_key)
    assert {*aside.keys} < {*find_remains(MONTH, bucket, None).keys}
    assert bring_gated(published, bucket, Policy(accept=True)) == "loaded"
    assert read_aside(bucket, MONTH).keys == ()
    publish_yellow(published, range(200))
    assert bring_gated(published, bucket) == "held"
    drop_month(find_remains(MONTH, bucket, None), bucket, None)
    assert read_aside(bucket, MONTH).keys == ()
    assert bucket.info(object_key(MONTH)) is None


def ingest(database: Database, published: Path, policy: Policy) -> list[str]:
    """Ingest a month into the database, or hold it; return what was unusual."""
    warehouse = database.warehouse()
    month = Month("yellow", int(published.parent.name[:4]), int(published.parent.name[5:]))
    odd: list[str] = []

    before = warehouse.entry(month)

    def judge(entry: Any, revision: Any) -> None:
        correction = correction_in(before, entry, revision)
        found = verdict(entry, warehouse.history(month), policy, correction)
        odd.extend(each.gate for each in found)
        if any(each.is_held for each in found):
            raise held_error(month, found)

    rules = Rules(max_outside_share=1.0)
    with Rows(month, published, published.parent, rules) as rows:
        warehouse.ingest(rows, published_download(month, published), judge=judge)
    return odd


def test_a_month_straight_into_postgres_is_judged_before_it_is_swapped_in(
    database: Database, tmp_path: Path
) -> None:
    """It is judged by the database's ledger, and by the rows that a correction changes."""
    counted = "SELECT count(*)::int, sum(total_amount)::int FROM yellow_trips"
    paths = [tmp_path / f"2020-{number}" / "yellow.csv.gz" for number in (10, 11, 12)]
    for path in paths:
        publish_yellow(path, [10_000] * 100 + [20_000] * 100)
        assert ingest(database, path, Policy()) == []
    new = tmp_path / "2021-01" / "yellow.csv.gz"
    publish_yellow(new, [10_000] * 801)
    with pytest.raises(Held, match=r"rows 801, 4\.005 times the maximum .* nothing of it"):
        ingest(database, new, Policy())
    publish_yellow(paths[1], [10_000] * 130 + [20_000] * 70)
    assert ingest(database, paths[1], Policy()) == ["changed"]  # 30 of 200 rows: a warning
    publish_yellow(paths[1], [10_000] * 10 + [20_000] * 190)
    with pytest.raises(Held, match=r"60\.0% of the rows \(120 rows added and 120 of 200 removed"):
        ingest(database, paths[1], Policy())
    assert database.query(counted) == [(600, 87_000)]
    assert ingest(database, paths[1], Policy(accept=True)) == ["changed"]
    assert database.query(counted) == [(600, 99_000)]
