"""Row groups have equal sizes for any batches, and readers get texts, not dictionaries."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import parallel_parquet
from core.errors import AccountingError, BadFile
from core.parquet import damage_named, open_file, write_row_groups

NUMBERS = pa.schema([("number", pa.int64())])


def batches(*sizes: int) -> list[pa.RecordBatch]:
    """Return batches of these sizes that count from 0."""
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    return [
        pa.record_batch([pa.array(range(start, start + size))], NUMBERS)
        for start, size in zip(starts, sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((), []),
        ((10,), [10]),
        ((10, 10), [10, 10]),
        ((3, 3, 3, 3), [10, 2]),
        ((35,), [10, 10, 10, 5]),
        ((1, 28, 0, 1), [10, 10, 10]),
    ],
)
def test_row_groups_have_equal_sizes_and_all_rows_in_order(
    tmp_path: Path, sizes: tuple[int, ...], expected: list[int]
) -> None:
    path = tmp_path / "numbers.parquet"
    write_row_groups(path, NUMBERS, batches(*sizes), 10)
    with open_file(path) as file:
        groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        assert groups == expected
        assert file.read()["number"].to_pylist() == [*range(sum(sizes))]


def columns(rows: int) -> pa.Table:
    """Return rows of every type of a month, with nulls and texts of several pages."""
    start = dt.datetime(2020, 1, 31, 23)
    kinds = {
        "vendor": pa.array([n % 3 or None for n in range(rows)], pa.int64()),
        "at": pa.array([start + n * dt.timedelta(seconds=7) for n in range(rows)]),
        "miles": pa.array([(n - 90) / 7 for n in range(rows)]),
        "flag": pa.array(["NYœ"[n % 3] for n in range(rows)]).dictionary_encode(),
        "note": pa.array([f"trip {n} " * 20 for n in range(rows)]),
        "is_shared": pa.array([n % 2 == 0 for n in range(rows)]),
        "file_month": pa.array([dt.date(2020, 2, 1)] * rows),
        "extra": pa.array([None] * rows, pa.float64()),
    }
    return pa.table({**kinds, **{f"fee_{n}": kinds["miles"] for n in range(12)}})


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encode row groups of any size on several threads."""
    monkeypatch.setattr(parallel_parquet, "_FEWEST_ROWS", 0)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("threads", [2, 3, 4, 16])
@pytest.mark.parametrize(("rows", "rows_per_group"), [(12_345, 5_000), (400, 20), (1, 10), (0, 5)])
def test_threads_write_the_same_bytes_as_pyarrow(
    tmp_path: Path, threads: int, rows: int, rows_per_group: int
) -> None:
    """PyArrow's own writer, on one thread, is the model; footers of 15 groups have longer lists."""
    table = columns(rows)
    written = []
    for number in (1, threads):
        path = tmp_path / f"{number}.parquet"
        write_row_groups(path, table.schema, table.to_batches(3_000), rows_per_group, number)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert pq.read_table(tmp_path / f"{threads}.parquet").num_rows == rows


def test_a_last_row_group_of_a_few_rows_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is encoded as a whole; the columns of the others are shared among the threads."""
    monkeypatch.setattr(parallel_parquet, "_FEWEST_ROWS", 500)
    table = columns(1_200)
    for threads in (1, 3):
        path = tmp_path / f"{threads}.parquet"
        write_row_groups(path, table.schema, table.to_batches(), 500, threads)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()


@pytest.mark.usefixtures("small_groups")
def test_columns_that_lost_rows_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pq.ParquetWriter.write_table

    def forgetful(parquet: pq.ParquetWriter, group: pa.Table, row_group_size: int) -> None:
        real(parquet, group.slice("note" in group.column_names), row_group_size)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", forgetful)
    table = columns(100)
    with pytest.raises(AccountingError, match="columns of a row group lost rows"):
        write_row_groups(tmp_path / "t.parquet", table.schema, table.to_batches(), 50, 2)


@pytest.mark.usefixtures("small_groups")
def test_two_columns_on_four_threads(tmp_path: Path) -> None:
    """There are fewer columns than threads."""
    table = columns(100).select(["flag", "note"])
    write_row_groups(tmp_path / "t.parquet", table.schema, table.to_batches(), 40, 4)
    texts = pa.schema([("flag", pa.string()), ("note", pa.string())])
    for found in (pq.read_table(tmp_path / "t.parquet"), duckdb_reads(tmp_path / "t.parquet")):
        assert found.cast(texts).equals(table.cast(texts))


def duckdb_reads(path: Path) -> pa.Table:
    """Return a file as another reader than Arrow sees it."""
    with duckdb.connect() as connection:
        return connection.read_parquet(str(path)).to_arrow_table()


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("threads", [1, 2])
def test_error_of_an_encoder_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_row_groups(tmp_path / "t.parquet", NUMBERS, batches(10), 10, threads)


@pytest.mark.usefixtures("small_groups")
def test_error_of_the_rows_leaves_no_footer(tmp_path: Path) -> None:
    """Half a file cannot be taken for a whole one."""
    path = tmp_path / "t.parquet"
    with pytest.raises(ZeroDivisionError):
        write_row_groups(path, NUMBERS, (batches(10 // n)[0] for n in (1, 0)), 10, 2)
    with pytest.raises(BadFile, match="damaged"), damage_named("t.parquet"):
        open_file(path)


def test_dictionaries_of_texts_are_read_back_as_texts(tmp_path: Path) -> None:
    """Each batch has its own dictionary."""
    kind = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("base", kind)])
    parts = [
        pa.record_batch([pa.array(texts).cast(kind)], schema) for texts in (["a", "b"], ["c", "a"])
    ]
    write_row_groups(tmp_path / "t.parquet", schema, parts, 4)
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.schema.types == [pa.string()]
    assert table["base"].to_pylist() == ["a", "b", "c", "a"]
    with open_file(tmp_path / "t.parquet", ["base"]) as file:
        assert pa.types.is_dictionary(file.schema_arrow.field("base").type)


def test_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and no more")
    with (
        pytest.raises(BadFile, match=r"^green 2020-10: t\.parquet is damaged .*; get it again$"),
        damage_named("green 2020-10: t.parquet"),
    ):
        open_file(path)


def test_refusal_of_the_disk_is_not_taken_for_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), damage_named("t.parquet"):
        open_file(tmp_path / "t.parquet")


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("threads", [1, 2])
def test_file_on_a_full_disk_is_closed_while_the_error_is_in_use(threads: int) -> None:
    """Otherwise its space stays taken after it is deleted."""
    full = Path("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as raised:
        write_row_groups(full, NUMBERS, batches(10), 10, threads)
    assert full not in open_files(), raised.traceback


def open_files() -> set[Path]:
    """Return the files that this process has open."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # such as the one that lists this folder
            found.add(descriptor.readlink())
    return found


def test_values_that_repeat_get_a_dictionary_and_others_none(tmp_path: Path) -> None:
    rows = 10_000
    table = pa.table({"key": range(rows), "place": [n % 7 for n in range(rows)]})
    write_row_groups(tmp_path / "file", table.schema, table.to_batches(), rows)
    group = pq.read_metadata(tmp_path / "file").row_group(0)
    assert [group.column(n).has_dictionary_page for n in range(2)] == [False, True]
    assert pq.read_table(tmp_path / "file").equals(table)
