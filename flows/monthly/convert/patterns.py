"""Regular expressions over Arrow strings, fast for a handful as for a hundred thousand.

Arrow compiles the expression on every call, which dominates for few texts, such as those of a
piece that is halved to find a bad row.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Flags = npt.NDArray[np.bool_]
#: Number of texts up to which Python's `re` is faster.
FEW = 200


def matching(texts: pa.Array, pattern: str) -> Flags:
    """Flag the texts that contain a match; nulls do not."""
    if len(texts) <= FEW:
        search = _compiled(pattern).search
        return np.array([t is not None and bool(search(t)) for t in texts.to_pylist()], bool)
    found = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    return flags_of(found)


def flags_of(values: pa.Array) -> Flags:
    """Return the booleans of an array without nulls."""
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)


def parts_of(texts: pa.Array, pattern: str) -> tuple[Flags, dict[str, pa.Array]]:
    """Flag the texts that match; also return their named groups, empty where one did not match."""
    if len(texts) > FEW:
        found = pc.extract_regex(texts, pattern)
        known = found.drop_null()
        flags = flags_of(found.is_valid())
        return flags, {field.name: known.field(i) for i, field in enumerate(found.type)}
    expression = _compiled(pattern)
    matches = [expression.search(text) for text in texts.to_pylist()]
    groups = [match.groupdict("") for match in matches if match]
    return np.array([bool(match) for match in matches], bool), {
        name: pa.array([group[name] for group in groups], pa.string())
        for name in expression.groupindex
    }


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # As in RE2, \d is an ASCII digit, and a code point is written with braces.
    return re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", _escaped, pattern), re.ASCII)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{int(match[1], 16):04x}"
