"""Writes values and comments as TOML."""

from __future__ import annotations

import json
import re
import textwrap

#: Characters that TOML strings, comments or declarations do not allow.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_WIDTH = 98


def as_toml(value: object) -> str:
    """Return a value as TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {as_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def bare(text: str, longest: int = 1000) -> str:
    """Return a text without line breaks and control characters, shortened if necessary."""
    plain = " ".join(_CONTROLS.sub(" ", text).split())
    return plain if len(plain) <= longest else f"{plain[: longest - 3]}..."


def comment(text: str) -> str:
    """Return a text as comment lines."""
    return "\n".join(f"# {line}" for line in textwrap.wrap(bare(text, 2000), _WIDTH - 2))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else as_toml(key)
