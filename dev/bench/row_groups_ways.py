"""Make row groups uniform in one way, alone in its process.

python dev/bench/row_groups_ways.py WAY SOURCE TARGET_FOLDER

Prints seconds of work, peak memory in MB and rows as JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "flows"))

import ways

#: The default of check_for_files.py.
ROWS_PER_GROUP = 700_000


def read(source: Path, target: Path) -> Callable[[], int]:
    """Read the file all at once on all cores, which is the floor."""
    import pyarrow.parquet as pq

    return lambda: int(pq.read_table(source).num_rows)


def pandas(source: Path, target: Path) -> Callable[[], int]:
    """Read and write a pandas frame."""
    import pandas as pd

    def work() -> int:
        frame = pd.read_parquet(source)
        frame.to_parquet(target / "pandas.parquet", row_group_size=ROWS_PER_GROUP)
        return len(frame)

    return work


def dask(source: Path, target: Path) -> Callable[[], int]:
    """Rewrite with dask.dataframe on its threads; it keeps the file in one partition."""
    import dask.dataframe as dd
    import pyarrow.parquet as pq

    def work() -> int:
        dd.read_parquet(source).to_parquet(target / "dask", row_group_size=ROWS_PER_GROUP)
        return sum(pq.read_metadata(path).num_rows for path in (target / "dask").glob("*.parquet"))

    return work


def ours(source: Path, target: Path) -> Callable[[], int]:
    """Rewrite as this project does, with declared types and counted rows."""
    from row_groups.rewrite import rewrite

    return lambda: rewrite(source, target / source.name, ROWS_PER_GROUP).rows


if __name__ == "__main__":
    ways.main({way.__name__: way for way in (read, pandas, dask, ours)})
