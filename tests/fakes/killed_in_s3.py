"""Brings a month into a bucket of S3, and kills its process (SIGKILL) at one of its effects.

A module for `fakes.forks.Forks`.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from core.storage.s3 import S3Store
from fakes.forks import serve
from fakes.one_month import bring
from fakes.s3 import store


def bring_and_be_killed(job: dict[str, Any]) -> None:
    """Bring the month, until the effect: `upload` of an object, or `write` of the ledger entry.

    Args:
        job: `url` of the S3, `bucket`, `source`, `effect`, and `when`: before or after it.
    """
    does = getattr(S3Store, job["effect"])

    def killed(*arguments: Any) -> None:
        if job["when"] == "after":
            does(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(S3Store, job["effect"], killed)
    bring(job["source"], store(job["url"], job["bucket"]))


if __name__ == "__main__":
    serve(bring_and_be_killed)
