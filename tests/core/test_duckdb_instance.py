"""One DuckDB instance serves all uses of a process, and reads files as they are."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.duckdb_instance import instance


def test_a_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    """A month that is converted again has the same path, and may have the same size."""
    path = tmp_path / "month.parquet"
    read = []
    for value in (1, 2):
        pq.write_table(pa.table({"a": [value]}), path)
        with instance().cursor() as db:
            read += db.execute(
                "SELECT count(*), min(a) FROM read_parquet(?)", [str(path)]
            ).fetchall()
    assert read == [(1, 1), (1, 2)]
