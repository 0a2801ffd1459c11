"""Make this environment's `prefect` command use the project's Prefect home, like the flows.

python dev/share_home.py
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[1]
#: Code that Python runs at startup; does nothing if a home is set or the project has moved.
_LINE = (
    "import os; p = {path!r}; 'PREFECT_HOME' in os.environ or not os.path.exists(p) or "
    "exec(compile(open(p).read(), p, 'exec'), {{'__name__': 'started', '__file__': p}})\n"
)


def main() -> None:
    """Write the line to a .pth file in the environment's site-packages."""
    file = Path(sysconfig.get_path("purelib"), "prefect_home.pth")
    file.write_text(_LINE.format(path=str(PROJECT / "flows" / "orchestration" / "prefect_home.py")))


if __name__ == "__main__":
    main()
