"""Write the JSON schema of declarations, with which editors complete and check them.

python dev/dataset_schema.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(PROJECT / "flows"))

from monthly.declaration import Declaration  # noqa: E402 - flows/ is on the path now

FILE = PROJECT / "flows" / "datasets" / "schema.json"


def schema() -> str:
    """Return the schema as text."""
    return json.dumps(Declaration.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema(), encoding="utf-8")
