"""Files on this machine are copied, and what cannot be read is told from what cannot be kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.download.fetch import fetch
from core.download.remote_file import remote_file
from core.errors import Unreachable


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason=f"{sys.platform} has no such file")
def test_a_file_that_fails_to_be_read_is_not_a_full_disk(tmp_path: Path) -> None:
    """As on a network share that went away; the first page of a process cannot be read either."""
    wanted = remote_file("a file", "/proc/self/mem")
    with pytest.raises(Unreachable) as caught:
        fetch(wanted, tmp_path / "kept", lambda path, name: None)
    assert caught.value.message == (
        "a file: file:///proc/self/mem cannot be read: [Errno 5] Input/output error; try again "
        "later"
    )
    assert not (tmp_path / "kept").exists()
