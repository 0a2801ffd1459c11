"""A plan's price is estimated from the ledger's months, in words and as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.download.remote_file import RemoteFile
from core.storage.bucket import FolderBucket
from fakes.entries import converted_of, download_of, entry_of
from monthly.ledger import Entry, keep, read_entry
from monthly.ledger_notes import note_load
from monthly.month import Month
from monthly.plan import Plan, Status
from monthly.price import Estimate, Price, expected_rows, places_of, price_of
from monthly.price_words import PlannedMonths, price_lines, price_text, public_price
from monthly.result import MonthResult, table
from monthly.warehouses.bigquery_bytes import Billed
from monthly.warehouses.space import Space

SECONDS = {"download": 1.0, "conversion": 2.0, "upload": 0.5, "load": 4.0}


def past(month: int, size: int = 1_000_000, seconds: dict[str, float] = SECONDS) -> Entry:
    """Return a month of the ledger, with an object a tenth as large and 20,000 rows."""
    which = Month("green", 2020, month)
    sizes = {"source_size": size, "object_size": size // 10, "rows_written": 20_000}
    return entry_of(which, **sizes, seconds=seconds)


def new(month: int, size: int | None, **fields: Any) -> Plan:
    which = Month("green", 2021, month)
    published = RemoteFile(which, "https://h/file.csv.gz", size)
    return Plan(which, Status.NEW, "not in the ledger", published, **fields)


def priced(plans: Sequence[Plan], history: Sequence[Entry], workers: int = 2) -> Price:
    return price_of(plans, history, workers, places_of(Path("/s"), object(), None))


def test_bytes_to_download_are_summed_and_unknown_ones_counted() -> None:
    price = priced([new(1, 300), new(2, 700), new(3, None)], [])
    assert (price.download, price.unknown) == (1000, 1)
    assert price_lines(price)[0] == "to download: 1,000 bytes, and 1 of 3 months of unknown size"


def test_a_month_that_only_the_warehouse_lacks_is_not_downloaded() -> None:
    kept = new(1, 2_000_000, entry=past(1), bucket_plan=new(1, 2_000_000))
    assert kept.to_download == 0
    price = priced([kept], [past(12)])
    assert price.download == 0
    assert price.seconds == {"load": Estimate(8.0, 8.0)}


@pytest.mark.parametrize(
    ("status", "url", "bytes_"),
    [
        (Status.NEW, "https://h/x", 5),
        (Status.CHANGED, "https://h/x", 5),
        (Status.UNCHANGED, "https://h/x", 0),
        (Status.PINNED, "https://h/x", 0),
        (Status.NEW, "sample:///x?rows=5", 0),
    ],
)
def test_only_published_months_with_work_are_downloaded(
    status: Status, url: str, bytes_: int
) -> None:
    month = Month("green", 2021, 1)
    assert Plan(month, status, "", RemoteFile(month, url, 5)).to_download == bytes_


def test_without_history_there_is_no_time_and_it_says_so() -> None:
    price = priced([new(1, 300)], [past(1, seconds={})])
    assert price.total_seconds is None
    assert price_lines(price)[1] == ("time: unknown: the ledger has no timings of such months yet")


def test_a_short_history_gives_a_range() -> None:
    slow = {**SECONDS, "conversion": 6.0}
    price = priced([new(1, 3_000_000)], [past(1), past(2, seconds=slow)], workers=1)
    assert price.seconds["conversion"] == Estimate(6.0, 18.0)
    assert price.seconds["download"] == Estimate(3.0, 3.0)
    assert price.total_seconds == Estimate(22.5, 34.5)
    assert price_lines(price)[1] == (
        "time: 22 s to 34 s, 1 month at a time (download about 3.0 s, conversion 6.0 s to 18 s, "
        "upload about 1.5 s, load about 12 s of work, from 2 months of the ledger)"
    )


def test_a_long_history_gives_its_median() -> None:
    taken = [1.0, 9.0, 2.0, 3.0, 80.0]
    history = [past(n, seconds={"load": each}) for n, each in enumerate(taken, 1)]
    price = priced([new(1, 2_000_000)], history)
    assert price.seconds == {"load": Estimate(6.0, 6.0)}
    assert (
        "; without download and conversion and upload, whose speed is unknown)"
        in (price_lines(price)[1])
    )


def test_months_at_a_time_share_the_work() -> None:
    plans = [new(n, 1_000_000) for n in (1, 2, 3)]
    total = priced(plans, [past(1)], workers=2).total_seconds
    assert total == Estimate(3 * 7.5 / 2, 3 * 7.5 / 2)
    assert priced(plans, [past(1)], workers=8).total_seconds == Estimate(7.5, 7.5)


def test_generated_months_are_estimated_by_generated_ones_alone() -> None:
    month = Month("green", 2021, 1)
    made = Plan(month, Status.NEW, "", RemoteFile(month, "sample:///x?rows=5"))
    sample = entry_of(
        Month("green", 2020, 1), url="sample:///x?rows=5", source_size=500, seconds={"load": 2.0}
    )
    price = priced([made], [past(1), sample])
    assert (price.download, price.unknown, price.history) == (0, 0, 1)
    assert price.seconds == {"load": Estimate(2.0, 2.0)}


# ---- disk


def needs(price: Price) -> dict[str, Estimate | None]:
    return {need.place: need.size for need in price.needs}


def test_disk_is_estimated_from_the_ledger_and_the_warehouse(tmp_path: Path) -> None:
    changed = new(3, 4_000_000, entry=past(3))
    plans = [new(1, 1_000_000), new(2, 2_000_000), changed]
    places = places_of(tmp_path, FolderBucket(tmp_path), Space(50.0, tmp_path))
    price = price_of(plans, [past(1)], 2, places)
    # The two largest, with their objects, and the object of the one that is replaced.
    scratch = 4_400_000 + 100_000 + 2_200_000
    assert needs(price) == {
        "scratch": Estimate(scratch, scratch),
        "bucket": Estimate(700_000, 700_000),
        "warehouse": Estimate(7 * 20_000 * 50, 7 * 20_000 * 50),
    }
    assert price_lines(price)[2] == (
        "disk: scratch about 6.7 MB, bucket about 0.7 MB, warehouse about 7.0 MB"
    )
    assert price.warnings == ()


def test_disk_space_without_a_history_is_unknown(tmp_path: Path) -> None:
    price = price_of([new(1, 300)], [], 2, places_of(tmp_path, object(), Space()))
    assert needs(price) == {"scratch": None, "bucket": None, "warehouse": None}
    assert price_lines(price)[2] == "disk: scratch unknown, bucket unknown, warehouse unknown"


def test_a_run_that_will_not_fit_is_warned_of_once_for_each_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_200_000))
    places = places_of(tmp_path / "scratch", FolderBucket(tmp_path / "bucket"), None)
    fits = price_of([new(1, 1_000_000)], [past(1)], 2, places)
    assert fits.warnings == ()  # 1.1 MB of scratch and 0.1 MB of bucket
    (warning,) = price_of([new(1, 2_000_000)], [past(1)], 2, places).warnings
    assert warning == (
        f"scratch and bucket may take 2 MB in {tmp_path}/scratch and {tmp_path}/bucket, where "
        "1 MB are free; make room, name another folder (TRIPS_SCRATCH or TRIPS_DATA), or run "
        "fewer months"
    )


# ---- BigQuery, words and JSON


def test_rows_are_expected_from_published_months() -> None:
    assert expected_rows([new(1, 500_000), new(2, None)], [past(1)]) == {
        Month("green", 2021, 1): 10_000.0
    }


def test_json_has_what_the_words_say(tmp_path: Path) -> None:
    places = places_of(tmp_path, object(), Space())
    price = price_of([new(1, 1_000_000), new(2, None)], [past(1)], 1, places)
    queries = Billed(verify=20_971_520, reports=10_485_760, tried=1, computed=0)
    price = Price(**{**vars(price), "queries": queries})
    record = public_price(price)
    assert json.loads(json.dumps(record)) == record
    assert record == {
        "months": 2,
        "bytes_to_download": 1_000_000,
        "months_of_unknown_size": 1,
        "workers": 1,
        "months_of_history": 1,
        "seconds": [7.5, 7.5],
        "seconds_of_work": {stage: [each, each] for stage, each in SECONDS.items()},
        "disk": {
            "scratch": [1_100_000, 1_100_000],
            "bucket": [100_000, 100_000],
            "warehouse": None,
        },
        "bigquery": {"verify": 20_971_520, "reports": 10_485_760, "tried": 1, "computed": 0},
        "warnings": [],
    }
    assert price_lines(price)[3] == (
        "BigQuery: verify.py would bill 21.0 MB, the reports 10.5 MB (1 month from a dry run)"
    )


def test_the_table_of_a_plan_has_what_is_to_be_downloaded() -> None:
    months = [Month("green", 2021, n) for n in (1, 2, 3)]
    lines = [
        MonthResult(months[0], Status.NEW, to_download=1234567),
        MonthResult(months[1], Status.CHANGED, to_download=None),
        MonthResult(months[2], Status.UNCHANGED),
    ]
    head, _, *rows = table(lines, lambda message, _: message).splitlines()
    assert head.split("  ")[-2:] == ["to download", "where"]
    assert [row.split()[-2] for row in rows] == ["1,234,567", "unknown", "-"]


def test_months_that_ran_have_no_price() -> None:
    assert list(price_text([])) == []
    assert list(price_text(PlannedMonths.of([], None))) == []


# ---- where the speeds come from


def test_the_ledger_has_the_seconds_of_each_stage(tmp_path: Path) -> None:
    bucket, month = FolderBucket(tmp_path / "bucket"), Month("green", 2021, 1)
    download = download_of(month, tmp_path)
    download = type(download)(**{**vars(download), "seconds": 1.5})
    converted = converted_of(month, tmp_path / "scratch")
    converted = type(converted)(**{**vars(converted), "seconds": 0.25})
    entry = keep(bucket, month, download, converted, None)
    assert entry.seconds.keys() == {"download", "conversion", "upload"}
    assert (entry.seconds["download"], entry.seconds["conversion"]) == (1.5, 0.25)
    note_load(bucket, month, entry, 2.00049)
    assert read_entry(bucket, month)[0] == type(entry)(
        **{**vars(entry), "seconds": {**entry.seconds, "load": 2.0}}
    )


def test_the_load_of_an_object_that_was_replaced_meanwhile_is_not_noted(tmp_path: Path) -> None:
    bucket, month = FolderBucket(tmp_path / "bucket"), Month("green", 2021, 1)
    converted = converted_of(month, tmp_path / "scratch")
    entry = keep(bucket, month, download_of(month, tmp_path), converted, None)
    other = type(entry)(**{**vars(entry), "object_sha256": "0" * 64})
    assert not note_load(bucket, month, other, 2.0)
    assert read_entry(bucket, month)[0] == entry
    assert note_load(bucket, month, entry, 2.0)


def test_a_resumed_download_has_no_seconds(tmp_path: Path) -> None:
    bucket, month = FolderBucket(tmp_path / "bucket"), Month("green", 2021, 1)
    converted = converted_of(month, tmp_path / "scratch")
    entry = keep(bucket, month, download_of(month, tmp_path), converted, None)
    assert "download" not in entry.seconds


def test_a_month_whose_entry_was_rebuilt_tells_no_sizes(tmp_path: Path) -> None:
    """`verify` rebuilds it from the object, so the size of the published file is unknown."""
    places = places_of(tmp_path / "scratch", FolderBucket(tmp_path / "bucket"), Space(100.0))
    plans = [new(1, 2_000_000)]
    alone = price_of(plans, [past(1)], 2, places)
    both = price_of(plans, [past(1), past(2, size=0)], 2, places)
    assert (needs(both), both.seconds) == (needs(alone), alone.seconds)
    assert needs(price_of(plans, [past(2, size=0)], 2, places)) == {
        "scratch": None,
        "bucket": None,
        "warehouse": None,
    }


def test_a_place_of_unknown_size_is_not_named_as_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    unknown = Space(None, tmp_path / "warehouse")
    places = places_of(tmp_path / "scratch", object(), unknown)
    (warning,) = price_of([new(1, 2_000_000)], [past(1)], 2, places).warnings
    assert warning.startswith(f"scratch may take 2 MB in {tmp_path}/scratch, where 0 MB are free")
