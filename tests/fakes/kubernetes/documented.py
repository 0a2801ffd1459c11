"""The Kubernetes objects in the YAML of docs/kubernetes.md, and the rules of their roles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).absolute().parents[3] / "docs" / "kubernetes.md"


def objects() -> list[dict[str, Any]]:
    """Return the objects of the page, in order."""
    texts = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [found for text in texts for found in yaml.safe_load_all(text)]


def rules() -> list[dict[str, Any]]:
    """Return the rules of all roles."""
    roles = [found for found in objects() if found["kind"] in ("Role", "ClusterRole")]
    return [rule for role in roles for rule in role["rules"]]
