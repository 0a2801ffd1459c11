"""Metrics, read by Prometheus' own parser."""

from __future__ import annotations

import datetime as dt
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.errors import StorageError
from fakes.entries import entry_of
from monthly.catalog.contents import Catalog, DatasetLine, MonthLine
from monthly.catalog.metrics import METRICS, metrics_text, write_metrics
from monthly.month import Month

MADE = dt.datetime(2021, 6, 1, 12, tzinfo=dt.timezone.utc)
ODD = 'C:\\taxi\n"zoom" {of=us}'


def catalog(bucket: str = "/bucket", rows: int = 7) -> Catalog:
    """Return two months of green with a gap, and yellow without months."""
    months = tuple(
        MonthLine(
            month,
            entry_of(month, rows_written=rows, rows_rejected=1, object_size=20),
            is_loaded=True,
        )
        for month in (Month("green", 2021, 1), Month("green", 2021, 3))
    )
    lines = (DatasetLine("green", months, behind=2), DatasetLine("yellow"))
    return Catalog(bucket, "trips.duckdb", MADE, lines)


def samples(text: str) -> dict[tuple[str, str], float]:
    """Return name and dataset of each sample, as the parser reads them."""
    return {
        (sample.name.removeprefix("monthly_files_"), sample.labels.get("dataset", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_figure_is_a_gauge_with_help_and_a_sample_for_each_dataset() -> None:
    families = [*text_string_to_metric_families(metrics_text(catalog()))]
    assert len(families) == len(METRICS) + 1
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation.endswith(".") for family in families)
    found = samples(metrics_text(catalog()))
    assert found["months", "green"] == 2
    assert found["months", "yellow"] == 0
    assert found["rows", "green"] == 14
    assert found["rejected_rows", "green"] == 2
    assert found["bytes", "green"] == 40
    assert found["missing_months", "green"] == 1
    assert found["months_behind", "green"] == 2
    march = dt.datetime(2021, 3, 1, tzinfo=dt.timezone.utc).timestamp()
    assert found["newest_month_timestamp_seconds", "green"] == march
    converted = dt.datetime(2021, 2, 1, tzinfo=dt.timezone.utc).timestamp()
    assert found["last_conversion_timestamp_seconds", "green"] == converted
    assert found["catalog_timestamp_seconds", ""] == MADE.timestamp()
    # A dataset without months has no newest month, and none in 1970 either.
    assert ("newest_month_timestamp_seconds", "yellow") not in found


def test_labels_keep_any_text() -> None:
    """A bucket's name may have backslashes, quotes and line breaks."""
    families = text_string_to_metric_families(metrics_text(catalog(bucket=ODD)))
    buckets = {sample.labels["bucket"] for family in families for sample in family.samples}
    assert buckets == {ODD}


def test_the_file_is_replaced_whole_and_anybody_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node exporter runs as another user; a reader sees the old file or the new one."""
    path, stop, seen = tmp_path / "node" / "catalog.prom", threading.Event(), set[str]()
    write_metrics(catalog(), path)

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    before = os.umask(0o077)
    try:
        reader.start()
        for rows in range(20):
            write_metrics(catalog(rows=rows), path)
    finally:
        stop.set()
        reader.join()
        os.umask(before)
    allowed = {metrics_text(catalog(rows=rows)) for rows in range(20)}
    assert seen <= allowed
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["catalog.prom"]


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalog.prom"
    write_metrics(catalog(), path)

    def full(self: Path, target: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match=r"cannot keep catalog\.prom in .*metrics"):
        write_metrics(catalog(rows=9), path)
    assert path.read_text() == metrics_text(catalog())
    assert [each.name for each in tmp_path.iterdir()] == ["catalog.prom"]
