"""A table of months, and the quality page of one."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from core.errors import BadFile, Remedy
from fakes.entries import entry_of
from monthly.month import Month
from monthly.result import (
    MonthResult,
    Outcome,
    failed_month,
    from_record,
    quality_markdown,
    result_of,
    table,
    table_artifact,
    to_record,
)
from orchestration.wording import in_ui, on_command_line

MONTH = Month("yellow", 2021, 1)
LOADED = MonthResult(
    MONTH, Outcome.LOADED, "", 1_369_769, 1_369_765, 4, 21_000_000, 3.14, "/bucket/object"
)
FAILED = failed_month(
    Month("yellow", 2021, 2), BadFile("yellow 2021-02: it broke", "fix it", Remedy("force", True))
)


def test_line_of_a_month_has_the_counts_of_its_entry() -> None:
    entry = entry_of(MONTH, rows_read=10, rows_written=8, rows_rejected=2, object_size=99)
    line = result_of(MONTH, Outcome.LOADED, "why", entry, "where")
    assert line == MonthResult(MONTH, Outcome.LOADED, "why", 10, 8, 2, 99, 0.0, "where")


def test_line_of_a_month_without_an_entry_has_none() -> None:
    assert result_of(MONTH, Outcome.FAILED, "why", None, "where") == MonthResult(
        MONTH, Outcome.FAILED, "why"
    )


def test_table_shows_each_month_under_its_columns() -> None:
    head, rule, loaded, failed, blank, reason = table([LOADED, FAILED], on_command_line).split("\n")
    assert head.split() == ["month", "status", "read", "written", "rejected", *_LAST]
    assert set(rule) == {"-", " "}
    counts = ["1,369,769", "1,369,765", "4", "21,000,000", "3.1"]
    assert loaded.split() == ["yellow", "2021-01", "loaded", *counts, "/bucket/object"]
    assert failed.split() == ["yellow", "2021-02", "failed", *"----", "0.0", "-"]
    assert blank == ""
    assert reason == "yellow 2021-02: failed: it broke; fix it, or run again with --force"
    assert head.index("status") == loaded.index("loaded") == failed.index("failed")
    assert head.index("read") + len("read") == loaded.index("1,369,769") + len("1,369,769")


_LAST = ["bytes", "seconds", "where"]


def test_table_without_reasons_ends_with_its_last_month() -> None:
    assert table([LOADED], on_command_line).split("\n")[-1].endswith("/bucket/object")
    assert len(table([LOADED], on_command_line).split("\n")) == 3


def test_table_of_no_month_is_its_head() -> None:
    assert table([], on_command_line).split()[:2] == ["month", "status"]


def test_artifact_has_a_row_a_month_of_json_types() -> None:
    rows = table_artifact([LOADED, FAILED], in_ui)
    assert json.loads(json.dumps(rows)) == rows
    assert [row["month"] for row in rows] == ["yellow 2021-01", "yellow 2021-02"]
    assert rows[0]["written"] == "1,369,765"
    assert rows[1]["reason"] == "it broke; fix it, or run again with force=True"


def test_a_result_comes_back_from_its_record_as_it_was() -> None:
    """It goes through JSON, as the agents' runs store it."""
    for line in (LOADED, FAILED, replace(LOADED, warning="no report", generated=True)):
        assert from_record(json.loads(json.dumps(to_record(line)))) == line


def test_a_record_of_another_version_is_read_as_far_as_it_is_known() -> None:
    record = to_record(LOADED)
    del record["generated"]
    assert from_record(record | {"later": 1}) == LOADED


def test_quality_says_what_was_read_written_and_rejected_and_from_where() -> None:
    entry = entry_of(MONTH, rows_read=2_000, rows_written=1_998, rows_rejected=2)
    text = quality_markdown(entry, "/bucket/object")
    assert text.startswith("# yellow 2021-01\n")
    assert "2,000 rows read = 1,998 written + 2 rejected" in text
    assert "`/bucket/object`, from `https://h/file.csv.gz`" in text


def test_quality_shows_each_figure_and_the_share_of_nulls() -> None:
    quality = {"rows": 8, "nulls": {"airport_fee": 2}, "zero_distance": 1_234, "total": 98765.5}
    text = quality_markdown(entry_of(MONTH, rows_written=8, quality=quality), "w")
    assert "| zero distance | 1,234 |" in text
    assert "| total | 98,765.5 |" in text
    assert "| `airport_fee` | 2 | 25.0% |" in text
    assert "| rows |" not in text.split("## Nulls")[0].split("|---|---:|")[1]


def test_quality_lists_nulls_in_the_order_of_the_columns_or_says_that_there_are_none() -> None:
    """A ledger entry that was read from its bucket has them in alphabetical order."""
    nulls = {"airport_fee": 2, "kept": 3, "VendorID": 1, "mta_tax": 4}
    quality = {"rows": 8, "nulls": nulls}
    text = quality_markdown(entry_of(MONTH, rows_written=8, quality=quality), "w")
    listed = re.findall(r"\| `(\w+)` \|", text)
    assert listed == ["VendorID", "mta_tax", "airport_fee", "kept"]
    none = quality_markdown(entry_of(MONTH, quality={"rows": 8, "nulls": {}}), "w")
    assert "## Nulls\n\n- none\n" in none


def test_quality_names_columns_that_differ_or_says_that_none_does() -> None:
    drift = {"renamed": ["Trip_Distance -> trip_distance"], "unknown": [], "missing": ["a", "b"]}
    text = quality_markdown(entry_of(MONTH, drift=drift), "w")
    assert r"- renamed: Trip\_Distance -\> trip\_distance" "\n- missing: a, b" in text
    assert "unknown" not in text
    same = quality_markdown(entry_of(MONTH, drift={"renamed": [], "missing": []}), "w")
    assert same.endswith("- none")


def test_quality_of_a_month_whose_rows_were_all_rejected_can_be_shown() -> None:
    entry = entry_of(MONTH, rows_read=1, rows_written=0, quality={"rows": 0, "nulls": {}})
    assert "1 rows read = 0 written + 1 rejected" in quality_markdown(entry, "w")
