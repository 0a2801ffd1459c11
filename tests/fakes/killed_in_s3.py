"""Bring one month into an S3 bucket, and kill this process (SIGKILL) at one of its effects.

killed_in_s3.py EFFECT WHEN URL BUCKET SOURCE FOLDER

EFFECT is `upload` of the object or `write` of the ledger entry, WHEN before or after it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from core.storage.s3 import S3Store
from fakes.s3 import block
from monthly.convert.to_parquet import convert
from monthly.ledger import keep
from monthly.month import Month
from monthly.plan import plan_month
from monthly.sources import download

effect, when, url, bucket, source, folder = sys.argv[1:]
does = getattr(S3Store, effect)


def killed(*arguments: Any) -> None:
    """Never returns."""
    if when == "after":
        does(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)


setattr(S3Store, effect, killed)
month, store = Month("green", 2020, 10), S3Store.of(block(url, bucket))
plan = plan_month(month, source, store)
assert plan.published is not None
found = download(plan.published, Path(folder))
keep(store, month, found, convert(month, found.path, Path(folder)), plan.entry_version)
