"""Row groups have equal sizes for any batches, and readers get texts, not dictionaries."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import BadFile
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


def test_file_on_a_full_disk_is_closed_while_the_error_is_in_use() -> None:
    """Otherwise its space stays taken after it is deleted."""
    full = Path("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as raised:
        write_row_groups(full, NUMBERS, batches(10), 10)
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
