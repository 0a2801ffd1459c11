"""Finds the tables in a zip archive: one next to a readme, or several parts of one."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from core.download.checks import kind_of
from core.download.text_stream import is_table, reading, tables_in, unpacked

#: The header of a table ends within these bytes.
_HEAD_BYTES = 1 << 14
_TABLE = re.compile(r"\.(csv|tsv|txt|dat)(\.gz)?$", re.IGNORECASE)
_NOTE = re.compile(r"readme|license|licence|metadata|metadaten|dictionary", re.IGNORECASE)


def member_of(what: str, path: Path) -> str:
    """Return a pattern for the tables in an archive that belong together; empty for a single one.

    Raises:
        BadFile: the archive is damaged, or its tables differ.
    """
    if kind_of(path) != "zip":
        return ""
    with reading(what, path, lambda: zipfile.ZipFile(path)) as archive:
        names = [info.filename for info in archive.infolist() if is_table(info)]
    tables = [name for name in names if _TABLE.search(name) and not _NOTE.search(name)]
    if len(names) > 1 and tables and len({_first_line(what, path, name) for name in tables}) == 1:
        return _pattern(tables, [name for name in names if name not in tables])
    tables_in(what, path)  # raise unless there is exactly one
    return ""


def _first_line(what: str, path: Path, name: str) -> bytes:
    with unpacked(what, path, name) as stream:
        return reading(what, path, partial(stream.read, _HEAD_BYTES)).partition(b"\n")[0].strip()


def _pattern(tables: Sequence[str], others: Sequence[str]) -> str:
    """Return a pattern that matches only the tables: a name without its numbers, if shared."""
    for pattern in (re.sub(r"\d+", "*", tables[0]), f"*{Path(tables[0]).suffix}"):
        fits = [name for name in (*tables, *others) if fnmatchcase(name, pattern)]
        if fits == [*tables]:
            return pattern
    return tables[0] if len(tables) == 1 else "*"
