"""Install packages into this environment, with uv, or with pip where uv fails.

python dev/install.py -r requirements.txt
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

CONSTRAINTS = Path(__file__).absolute().parents[1] / "constraints.txt"
_PIP = (sys.executable, "-m", "pip")
#: uv's variables for pip's settings, which uv does not read, with the separators of their values.
_AS_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
#: Sections of pip's settings; each takes precedence over those before it.
_SECTIONS = ("global", "install", ":env:")


def main(wanted: Sequence[str]) -> int:
    """Install what the arguments name; return the exit code."""
    pinned = [*wanted, "-c", str(CONSTRAINTS)]
    if not _with_uv(pinned):
        print(
            "uv could not install it; falling back to pip, which takes a minute longer",
            file=sys.stderr,
        )
        return subprocess.run([*_PIP, "install", "--quiet", *pinned], check=False).returncode
    return 0


def _with_uv(pinned: Sequence[str]) -> bool:
    # uv is several times as fast as pip, even if it has to be installed first.
    got = [*_PIP, "install", "--quiet", "uv", "-c", str(CONSTRAINTS)]
    # As pip does: otherwise each start compiles again where PYTHONDONTWRITEBYTECODE is set.
    options = ["install", "--quiet", "--compile-bytecode"]
    uv = [str(Path(sys.executable).with_name("uv")), "pip", *options]
    if subprocess.run(got, capture_output=True, check=False).returncode:
        return False
    command = [*uv, "--python", sys.executable, *pinned]
    done = subprocess.run(command, env=uv_environment(os.environ), check=False)
    return done.returncode == 0


def uv_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with pip's settings under uv's names; uv's own take precedence."""
    done = subprocess.run([*_PIP, "config", "list"], capture_output=True, text=True, check=True)
    settings = as_uv(done.stdout)
    if "UV_INDEX" in settings:  # like pip, take the best version of all indexes
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return settings | dict(environment)


def as_uv(listed: str) -> dict[str, str]:
    """Return uv's variables for the settings that `pip config list` printed."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if key in _AS_UV and section in found:
            variable, between = _AS_UV[key]
            found[section][variable] = between.join(ast.literal_eval(value).split())
    return {name: value for section in _SECTIONS for name, value in found[section].items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
