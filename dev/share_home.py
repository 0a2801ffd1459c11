"""Make this environment's `prefect` command use the project's Prefect home, like the flows.

Its processes start faster, too.

python dev/share_home.py
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[1]
#: Code that Python runs at startup. It does nothing if PREFECT_HOME is set and its parent folder
#: exists, or if the project has moved. Prefect creates its home, but not the folders above it.
_LINE = (
    "import os; p = {path!r}; h = os.path.dirname(os.environ.get('PREFECT_HOME', '')); "
    "os.path.isdir(os.path.expanduser(h)) or not os.path.exists(p) or "
    'exec(\'with open(p) as f: exec(compile(f.read(), p, "exec"), '
    '{{"__name__": "started", "__file__": p}})\')\n'
)
#: The same for Prefect's own processes: agents, runs, servers. They import a million objects that
#: they keep; scanning those for garbage takes a sixth of the CPU time of their start, and a second
#: at their exit. With DuckDB imported, the scan at exit stays: otherwise DuckDB reports its own
#: objects as leaked.
_COLLECT = (
    "import atexit, gc, os, sys; any(os.path.basename(word).startswith('prefect') "
    "for word in sys.orig_argv[1:]) and (gc.set_threshold(50_000), "
    "atexit.register(lambda gc=gc, sys=sys: '_duckdb' in sys.modules or gc.freeze()))\n"
)


def main() -> None:
    """Write the lines to a .pth file in the environment's site-packages."""
    file = Path(sysconfig.get_path("purelib"), "prefect_home.pth")
    file.write_text(lines())


def lines() -> str:
    """Return the code for this project."""
    path = PROJECT / "flows" / "orchestration" / "prefect_home.py"
    return _LINE.format(path=str(path)) + _COLLECT


if __name__ == "__main__":
    main()
