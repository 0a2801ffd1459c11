"""What docs/kubernetes.md gives a cluster: the objects of its YAML, and the rules of its roles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).absolute().parents[3] / "docs" / "kubernetes.md"


def objects() -> list[dict[str, Any]]:
    """The objects of the page, in its order."""
    texts = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [found for text in texts for found in yaml.safe_load_all(text)]


def rules() -> list[dict[str, Any]]:
    """The rules of all roles."""
    roles = [found for found in objects() if found["kind"] in ("Role", "ClusterRole")]
    return [rule for role in roles for rule in role["rules"]]
