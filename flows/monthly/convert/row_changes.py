"""The rows that two editions of a month share, found in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.disk import room_for
from core.parquet import open_file
from monthly.convert.arrays import floats_of
from monthly.convert.duplicates import row_hashes
from monthly.convert.hash_file import Hashes, HashFile

#: Hashes of one edition compared at a time: 2 MiB, whatever the size of the month.
HASHES_AT_A_TIME = 1 << 18
_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class RowChanges:
    """How the rows of a month's new edition differ from those of the old one.

    Attributes:
        added: rows that only the new one has; duplicate rows count individually.
        removed: rows that only the old one has.
        unchanged: rows that both have.
    """

    added: int
    removed: int
    unchanged: int


def compare(old: Path, new: Path, columns: Sequence[str], folder: Path) -> RowChanges:
    """Compare the rows of two Parquet files by their hashes, regardless of their order.

    Null equals null, NaN equals NaN, and minus zero equals zero. Columns whose type changed are
    compared as floats if both types are numeric, otherwise as text.

    Args:
        old: the Parquet file of the old edition.
        new: that of the new one.
        columns: names of the columns to compare, which both files have; if there are none, no
            row is unchanged.
        folder: the folder for temporary files.
    """
    if not columns:
        before, after = (pq.read_metadata(path).num_rows for path in (old, new))
        return RowChanges(after, before, 0)
    with ExitStack() as opened:
        opened.enter_context(room_for(f"the row hashes of {new.name}", folder))
        types = _common_types(old, new, columns)
        hashes = [
            opened.enter_context(HashFile(folder / f"{edition}.hashes"))
            for edition in ("old", "new")
        ]
        for path, file in zip((old, new), hashes):
            for some in _hashes(path, types):
                file.add(some)
            file.finish()
        unchanged = _shared(*hashes)
        before, after = (file.count for file in hashes)
    return RowChanges(after - unchanged, before - unchanged, unchanged)


def _common_types(old: Path, new: Path, columns: Sequence[str]) -> dict[str, pa.DataType]:
    before, after = pq.read_schema(old), pq.read_schema(new)
    return {n: _common_type(before.field(n).type, after.field(n).type) for n in columns}


def _common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type in which values of two types are compared."""
    if one == other:
        return one
    return pa.float64() if _is_number(one) and _is_number(other) else pa.string()


def _is_number(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(is_kind(kind) for is_kind in kinds)


def _hashes(path: Path, types: Mapping[str, pa.DataType]) -> Iterator[Hashes]:
    with open_file(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(types), use_threads=False):
            columns = [_comparable(batch[name], kind) for name, kind in types.items()]
            yield row_hashes(pa.RecordBatch.from_arrays(columns, list(types)))


def _comparable(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if values.type == kind:
        return values
    return floats_of(values) if kind == pa.float64() else values.cast(kind, safe=False)


def _shared(old: HashFile, new: HashFile) -> int:
    """Count the hashes that both files have, each as often as both have it."""
    bits = (max(old.count, new.count) // HASHES_AT_A_TIME).bit_length()
    return sum(_shared_in(old.part(p, bits), new.part(p, bits)) for p in range(1 << bits))


def _shared_in(old: Hashes, new: Hashes) -> int:
    before, times_before = np.unique(old, return_counts=True)
    after, times_after = np.unique(new, return_counts=True)
    _, old_at, new_at = np.intersect1d(before, after, assume_unique=True, return_indices=True)
    return int(np.minimum(times_before[old_at], times_after[new_at]).sum())
