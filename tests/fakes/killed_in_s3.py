"""Bring a month into an S3 bucket, and kill the process (SIGKILL) at one of its effects.

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
    """Bring the month up to an effect: `upload`, `write` or `copy` of an object.

    Args:
        job: `url` of the S3 server, `bucket`, `source`, `effect`, the start of the object's `key`,
            and `when`: kill before or after the effect.
    """
    does = getattr(S3Store, job["effect"])

    def killed(*arguments: Any) -> Any:
        is_it = any(str(each).startswith(job["key"]) for each in arguments)
        if not is_it or job["when"] == "after":
            done = does(*arguments)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(S3Store, job["effect"], killed)
    bring(job["source"], store(job["url"], job["bucket"]))


if __name__ == "__main__":
    serve(bring_and_be_killed)
