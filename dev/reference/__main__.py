"""Write docs/reference.md.

python dev/reference
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[2]


def main() -> None:
    """Generate the page with no settings in place, and write it."""
    for name in [name for name in os.environ if name.startswith("TRIPS_")]:
        del os.environ[name]
    os.environ["TRIPS_ENV_FILE"] = os.devnull
    sys.path[:0] = [str(PROJECT / folder) for folder in ("dev", "blocks", "deployments", "flows")]
    # Only now, because flows read their defaults from the environment at import time.
    from reference.page import FILE, page

    FILE.write_text(page())


if __name__ == "__main__":
    main()
