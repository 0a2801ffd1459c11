"""Rewriting of Parquet files into uniform row groups: plan, rewrite, and ledger.

Plain Python without Prefect, so that a Dask worker can run it. Types, buckets, scratch folders
and errors come from `monthly` and `core`.
"""

import os

import core  # noqa: F401 - chooses an allocator before Arrow is imported

# Dask reads this on import; otherwise its workers would flood the log of each run.
os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
