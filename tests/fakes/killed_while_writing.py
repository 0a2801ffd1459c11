"""Run a flow file as a command, and kill this process (SIGKILL) before a write to a bucket.

killed_while_writing.py NUMBER FLOW_FILE OPTIONS...; NUMBER counts writes from 1.
"""

from __future__ import annotations

import itertools
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

from core.storage.bucket import FolderBucket

number, flow_file = int(sys.argv[1]), sys.argv[2]
writes, real = itertools.count(1), FolderBucket.upload


def upload(self: FolderBucket, path: Path, key: str) -> Any:
    """Upload, unless this is the write that must not happen."""
    if next(writes) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, path, key)


FolderBucket.upload = upload  # type: ignore[method-assign]
sys.argv = sys.argv[2:]
runpy.run_path(flow_file, run_name="__main__")
