"""Bring one month into an S3 bucket, and kill this process (SIGKILL) before the ledger entry.

killed_before_the_ledger.py URL BUCKET SOURCE FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from doubles.s3 import block
from trips.convert import convert
from trips.ledger import keep
from trips.months import Month
from trips.plan import plan_month
from trips.sources import download
from trips.stores.s3 import S3Store


class Killed(S3Store):
    """A bucket whose user is killed in place of a conditional write."""

    def write(self, key: str, data: bytes, replacing: str | None) -> None:
        """Never returns."""
        os.kill(os.getpid(), signal.SIGKILL)


url, bucket, source, folder = sys.argv[1:]
month, store = Month("green", 2020, 10), Killed.of(block(url, bucket))
plan = plan_month(month, source, store)
assert plan.published is not None
found = download(plan.published, Path(folder))
keep(store, month, found, convert(month, found.path, Path(folder)), plan.entry_version)
