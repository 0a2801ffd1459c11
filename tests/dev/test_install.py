"""Packages are installed with uv, under pip's settings, or with pip."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import install

LISTED = """\
:env:.find-links='/wheels'
:env:.timeout='180'
global.cert='/etc/ssl/own.crt'
global.extra-index-url='\\nhttps://a/simple\\nhttps://b/simple'
global.find-links='/old/wheels'
global.index-url='https://mirror/simple'
install.index-url='https://nearer/simple'
wheel.index-url='https://other/simple'
"""
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}


def test_uv_gets_the_settings_of_pip() -> None:
    """As with pip, a variable overrides section `install`, which overrides `global`."""
    assert install.as_uv(LISTED) == {
        "SSL_CERT_FILE": "/etc/ssl/own.crt",
        "UV_DEFAULT_INDEX": "https://nearer/simple",
        "UV_FIND_LINKS": "/wheels",
        "UV_INDEX": "https://a/simple https://b/simple",
    }


def test_own_settings_of_uv_take_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip/simple")
    assert install.uv_environment(os.environ)["UV_DEFAULT_INDEX"] == "https://pip/simple"
    own = {**os.environ, "UV_DEFAULT_INDEX": "https://uv/simple"}
    assert install.uv_environment(own)["UV_DEFAULT_INDEX"] == "https://uv/simple"


def empty_wheel(folder: Path) -> Path:
    """Write a wheel of a package `one` without modules."""
    wheel = folder / "one-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as files:
        about = "Metadata-Version: 2.1\nName: one\nVersion: 1\n"
        files.writestr("one-1.dist-info/METADATA", about)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        files.writestr("one-1.dist-info/WHEEL", tags)
        files.writestr("one-1.dist-info/RECORD", "")
    return wheel


@pytest.mark.slow
def test_pip_installs_where_uv_cannot_be_had(tmp_path: Path) -> None:
    """Without an index, uv cannot be installed; pip still installs a local wheel."""
    wheel = empty_wheel(tmp_path)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True)
    done = subprocess.run(
        [tmp_path / "v/bin/python", install.__file__, wheel],
        env=os.environ | NO_INDEX,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith("uv could not install it; falling back to pip")
    assert list((tmp_path / "v").glob("lib/*/site-packages/one-1.dist-info"))
