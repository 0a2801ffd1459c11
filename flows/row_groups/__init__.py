"""Parquet files rewritten into uniform row groups: which, how, and what is remembered of it.

Plain Python without Prefect, which a Dask worker can run. Types, buckets, scratch folders
and errors are those of `trips`.
"""

import os

# Dask reads it when it is imported; its workers would write a screen of lines into each run.
os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
