"""A conversion as a whole: no row lost, nothing left behind, and an error where it is pointless."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.checksums import sha256_of
from core.errors import AccountingError, BadFile, Remedy, SchemaError, TooManyRejects, UsageError
from fakes.tlc_facts import Facts, write_sample
from fakes.trip_files import (
    FHV,
    FHV_HEADER,
    PAYMENT_CODES,
    YELLOW,
    YELLOW_HEADER,
    YELLOW_LINE,
    Outcome,
    canonical,
    converted,
    converted_file,
    fhv_file,
    fhv_row,
)
from monthly.convert import csv_file, csv_lines, pieces
from monthly.convert import rows as conversion_rows
from monthly.convert import to_parquet as conversion
from monthly.convert.pieces import Piece, Salvage, salvage
from monthly.month import Month

FLOWS = Path(conversion.__file__).parents[2]
#: Each change of a header, a spelling or a type; by dataset, first month of the era.
ERAS = {
    "yellow": "2009-01 2010-02 2010-04 2011-01 2014-01 2015-01 2015-07 2016-07 2017-01 2019-01 "
    "2021-08 2023-02 2025-01",
    "green": "2013-08 2014-01 2015-01 2016-01 2016-07 2017-01 2019-01 2021-08 2025-01",
    "fhv": "2015-01 2017-01 2017-07 2018-01 2019-01 2020-01 2021-08",
    "fhvhv": "2019-02 2021-08 2025-01",
}
MONTHS = [
    Month(dataset, int(text[:4]), int(text[5:]))
    for dataset, texts in ERAS.items()
    for text in texts.split()
]


# ---- every era


@pytest.mark.parametrize("ending", [".csv.gz", ".parquet"])
@pytest.mark.parametrize("month", MONTHS, ids=str)
def test_a_month_of_every_era_is_converted_to_what_was_put_into_it(
    month: Month, ending: str, tmp_path: Path
) -> None:
    source = tmp_path / f"published{ending}"
    facts = write_sample(month, source, 300)
    outcome = converted_file(source, tmp_path / "out", month)
    quality = outcome.result.quality
    assert outcome.result.rows_rejected == 0
    assert (quality.rows, quality.duplicates) == (facts.rows, facts.duplicates)
    assert quality.outside_month == facts.out_of_month > 0
    assert quality.end_before_time == facts.dropoff_before_pickup
    assert quality.zero_distance == facts.zero_distance
    assert quality.negative_amount == facts.negative_totals
    assert round(quality.amount * 100) == (facts.total_cents or 0)
    assert payments(outcome) == expected_payments(facts)
    left_out = {"Dispatching_base_num"} if "Dispatching_base_number" in facts.nulls else set()
    assert all(facts.nulls[name] == facts.rows for name in left_out)
    expected = {name: count for name, count in facts.nulls.items() if name not in left_out}
    assert {n: c for n, c in nulls(outcome, facts).items() if n not in left_out} == expected


def payments(outcome: Outcome) -> Counter[int | None]:
    names = outcome.table.schema.names
    return Counter(outcome.column("payment_type") if "payment_type" in names else ())


def expected_payments(facts: Facts) -> Counter[int | None]:
    found: Counter[int | None] = Counter()
    for code, count in (facts.payment_types or {}).items():
        found[PAYMENT_CODES[code] if isinstance(code, str) else code] += count
    return found


def nulls(outcome: Outcome, facts: Facts) -> dict[str, int]:
    """Return the nulls by published name; a vendor without a number counts as its text."""
    table, dataset = outcome.table, outcome.result.month.dataset
    found = {}
    for published in facts.nulls:
        if published == "__index_level_0__":
            found[published] = 0
            continue
        name = canonical(dataset, published, table.schema)
        texts = table["vendor_name"].null_count if published.startswith("vendor_") else None
        found[published] = table[name].null_count if texts is None else texts
    return found


def test_the_same_month_packed_or_not_is_the_same_table(tmp_path: Path) -> None:
    month, tables = Month("yellow", 2020, 6), []
    for ending in (".csv", ".csv.gz"):
        write_sample(month, tmp_path / f"published{ending}", 500)
        source = tmp_path / f"published{ending}"
        tables.append(converted_file(source, tmp_path / f"out{ending}", month).table)
    assert tables[0].equals(tables[1])


def test_what_differs_from_the_canonical_names_is_noted(tmp_path: Path) -> None:
    data = fhv_file(3).replace(b"Pickup_DateTime", b"Pickup_date").replace(b"\n", b",1\n")
    drift = converted(tmp_path, data.replace(b",1\n", b",Mood\n", 1), strict=False).result.drift
    assert set(drift["renamed"]) == {
        "Dispatching_base_num -> dispatching_base_num",
        "Pickup_date -> pickup_datetime",
        "DropOff_datetime -> dropOff_datetime",
    }
    assert drift["unknown"] == ("Mood",)
    assert drift["missing"] == ("SR_Flag", "Affiliated_base_number")


# ---- columns that should not be there, or should


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (f"{FHV_HEADER},Mood", "unknown column 'Mood'; declare it in flows/datasets/fhv.toml"),
        (
            FHV_HEADER.replace("Pickup_DateTime", "Mood"),
            "unknown column 'Mood', and no column pickup_datetime; declare it in "
            "flows/datasets/fhv.toml, as an alias of pickup_datetime if that column was renamed",
        ),
        (FHV_HEADER.replace("Pickup_DateTime,", ""), "has no column pickup_datetime"),
    ],
)
def test_a_strict_conversion_refuses_a_header_that_drifted_and_a_lenient_one_notes_it(
    header: str, said: str, tmp_path: Path
) -> None:
    fields = {"Dispatching_base_num": "B1", "DropOff_datetime": "2017-01-01 11:00:00"}
    fields |= {"Pickup_DateTime": "2017-01-01 10:00:00"}
    data = "\n".join([header, ",".join(fields.get(n, "7") for n in header.split(","))])
    with pytest.raises(SchemaError, match=f"fhv 2017-01: .*{said}") as refused:
        converted(tmp_path, data)
    (remedy,) = (each for each in refused.value.remedies if isinstance(each, Remedy))
    assert (remedy.parameter, remedy.value) == ("strict", False)
    outcome = converted(tmp_path, data, strict=False, max_outside_share=1.0)
    assert outcome.column("PUlocationID") == [7]
    assert ("Pickup_DateTime" in header) == (outcome.table["pickup_datetime"].null_count == 0)


def test_two_columns_that_mean_the_same_are_refused_even_leniently(tmp_path: Path) -> None:
    data = "\n".join([f"{YELLOW_HEADER},Airport_fee,airport_fee", f"{YELLOW_LINE},1,2"])
    for strict in (True, False):
        with pytest.raises(SchemaError, match="'Airport_fee' and 'airport_fee' both mean airport_"):
            converted(tmp_path, data, YELLOW, strict=strict)


# ---- the threshold


@pytest.mark.parametrize(
    ("bad", "share", "fails"),
    [
        (0, 0.0, False),
        (1, 0.0, True),
        (28, 0.29, False),
        (29, 0.29, False),
        (30, 0.29, True),
        (100, 1.0, False),
    ],
)
def test_a_month_fails_when_more_than_the_share_is_rejected(
    bad: int, share: float, fails: bool, tmp_path: Path
) -> None:
    data = fhv_file(100, {2 + n: "x" for n in range(bad)})
    if fails:
        said = rf"fhv 2017-01: {bad} of 100 rows in all.*{share:.2%}.*line 2: 1 fields where 5"
        with pytest.raises(TooManyRejects, match=said):
            converted(tmp_path, data, max_reject_share=share)
        assert not [*tmp_path.glob("*/out/*")]
    else:
        assert converted(tmp_path, data, max_reject_share=share).result.rows_rejected == bad


def test_a_thousandth_of_the_rows_may_be_bad_if_nobody_says_otherwise(tmp_path: Path) -> None:
    assert converted(tmp_path, fhv_file(1_000, {500: "x"})).rejected_lines == [500]
    with pytest.raises(TooManyRejects, match="2 of 1000 rows"):
        converted(tmp_path, fhv_file(1_000, {500: "x", 501: "x"}))


@pytest.mark.parametrize("share", [-0.1, 1.1, 5.0, float("nan")])
def test_an_invalid_share_is_refused(share: float, tmp_path: Path) -> None:
    """5 is refused, not read as 5 %; as a share, it would accept everything."""
    with pytest.raises(UsageError, match=rf"fhv 2017-01: max_reject_share {share} is not a share"):
        converted(tmp_path, fhv_file(3), max_reject_share=share)


@pytest.mark.parametrize("one_piece", [True, False])
def test_a_hopeless_file_is_given_up_early(
    one_piece: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "HOPELESS_REJECTS", 20)
    if not one_piece:
        monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1_000)
    rejected: list[int] = []
    reject = csv_lines.Lines.reject

    def counted(lines: csv_lines.Lines, reason: str) -> pieces.Reject:
        rejected.append(lines.first)
        return reject(lines, reason)

    monkeypatch.setattr(csv_lines.Lines, "reject", counted)
    data = fhv_file(10_000).replace(b"2017-01-01", b"x", -1)
    with pytest.raises(TooManyRejects, match="rows so far could not be converted"):
        converted(tmp_path, data, max_reject_share=0.3)
    assert 20 < len(rejected) < 500


def test_a_bad_stretch_that_the_rest_makes_up_for_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "HOPELESS_REJECTS", 20)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1_000)
    bad = dict.fromkeys(range(500, 540), "x")
    outcome = converted(tmp_path, fhv_file(1_000, bad), max_reject_share=0.04)
    assert outcome.rejected_lines == [*bad]


# ---- what is left behind


def test_row_groups_are_full_but_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "ROW_GROUP_ROWS", 100)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 777)
    outcome = converted(tmp_path, fhv_file(1_050, {77: "x"}), max_reject_share=1.0)
    metadata = pq.read_metadata(outcome.result.path)
    groups = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert groups == [100] * 10 + [49]
    assert outcome.column("dispatching_base_num") == [
        fhv_row(n)[0] for n in range(2, 1_052) if n != 77
    ]


def test_the_result_names_size_and_checksum_of_the_parquet_file(tmp_path: Path) -> None:
    result = converted(tmp_path, fhv_file(5)).result
    data = result.path.read_bytes()
    assert (result.size, result.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert result.path.name == "fhv_tripdata_2017-01.parquet"


def test_file_month_is_the_month_of_the_file_in_every_row(tmp_path: Path) -> None:
    outcome = converted(
        tmp_path, fhv_file(3).replace(b"2017-01-01", b"2008-12-31"), max_outside_share=1.0
    )
    assert [str(day) for day in outcome.column("file_month")] == ["2017-01-01"] * 3
    assert outcome.result.quality.outside_month == 3


def test_a_converted_file_is_converted_again_to_the_same_rows(tmp_path: Path) -> None:
    first = converted(tmp_path, fhv_file(20)).table
    pq.write_table(first.drop(["file_month"]), tmp_path / "again")
    assert converted_file(tmp_path / "again", tmp_path / "out", FHV).table.equals(first)


def test_a_file_is_not_overwritten_by_its_own_conversion(tmp_path: Path) -> None:
    path = tmp_path / "fhv_tripdata_2017-01.parquet"
    path.write_bytes(fhv_file(3))
    with pytest.raises(UsageError, match="would be overwritten"):
        conversion.convert(FHV, path, tmp_path)
    assert path.read_bytes() == fhv_file(3)


FAILURES: dict[str, tuple[bytes, type[Exception]]] = {
    "damaged": (gzip.compress(fhv_file(30_000), 1)[:-9], BadFile),
    "hopeless": (fhv_file(3_000).replace(b"2017-01-01", b"x"), TooManyRejects),
    "too many": (fhv_file(3_000, {2_500 + n: "x" for n in range(10)}), TooManyRejects),
}


@pytest.mark.parametrize("what", FAILURES)
def test_after_an_error_no_file_is_left_and_no_thread_runs(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "ROW_GROUP_ROWS", 100)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(pieces, "HOPELESS_REJECTS", 100)
    before = set(threading.enumerate())
    data, error = FAILURES[what]
    with pytest.raises(error):
        converted(tmp_path, data)
    assert set(threading.enumerate()) <= before
    assert [path.name for path in tmp_path.glob("*/out/*")] == []


@pytest.mark.parametrize("last", [False, True])
def test_an_error_while_writing_is_raised_even_if_it_comes_last(
    last: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 2_000)
    monkeypatch.setattr(conversion, "ROW_GROUP_ROWS", 40)
    write, before = pq.ParquetWriter.write_table, set(threading.enumerate())
    fatal = fhv_row(101 if last else 2)[0]

    def failing(parquet: pq.ParquetWriter, group: pa.Table, row_group_size: int) -> None:
        if fatal in group["dispatching_base_num"].to_pylist():
            raise OSError("the disk is gone")
        write(parquet, group, row_group_size)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        converted(tmp_path, fhv_file(100))
    assert not [*tmp_path.glob("*/out/*")]
    assert set(threading.enumerate()) <= before


def test_rows_that_get_lost_on_the_way_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda *_, **__: None)
    with pytest.raises(AccountingError, match="fhv 2017-01: 10 rows read, but 0 written and 0 rej"):
        converted(tmp_path, fhv_file(10))


def test_an_older_result_stays_when_its_successor_fails(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(fhv_file(5))
    bad.write_bytes(fhv_file(5).replace(b"B0", b"B0,"))
    first = conversion.convert(FHV, good, tmp_path)
    with pytest.raises(TooManyRejects):
        conversion.convert(FHV, bad, tmp_path)
    assert sha256_of(first.path) == first.sha256
    assert {path.name for path in tmp_path.iterdir()} == {"good", "bad", first.path.name}


def test_a_batch_is_never_seen_out_of_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and rejects keep the file's order, whichever parser finishes first."""
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 500)
    turn = threading.Event()

    def late_first(piece: Piece, share: float) -> Salvage:
        found = salvage(piece, share)
        if piece.first == 2:
            assert turn.wait(10)
        else:
            turn.set()
        return found

    monkeypatch.setattr(conversion_rows, "salvage", late_first)
    bad = {3: "x", 30: "y"}
    outcome = converted(tmp_path, fhv_file(60, bad), max_reject_share=1.0)
    assert outcome.column("dispatching_base_num") == [
        fhv_row(n)[0] for n in range(2, 62) if n not in bad
    ]
    assert outcome.rejected_lines == [3, 30]


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
@pytest.mark.parametrize("ending", [".csv.gz", ".parquet"])
def test_converting_does_not_import_pandas(ending: str, tmp_path: Path) -> None:
    source, month = tmp_path / f"published{ending}", Month("yellow", 2012, 3)
    write_sample(month, source, 200)
    script = (
        "import sys; from pathlib import Path; from monthly.convert.to_parquet import convert;"
        "from monthly.month import Month;"
        f"convert(Month('yellow', 2012, 3), Path({str(source)!r}), Path({str(tmp_path)!r}));"
        "print('pandas' in sys.modules, 'pyarrow' in sys.modules)"
    )
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, cwd=FLOWS, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_number_of_threads_changes_no_row(
    tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPS_THREADS", threads)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1_000)
    data = fhv_file(500)
    done = converted(tmp_path, data)
    published = [line.split(",")[0] for line in data.decode().splitlines()[1:]]
    assert done.table["dispatching_base_num"].to_pylist() == published
