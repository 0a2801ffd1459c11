"""Draft declarations, and load the files that they were drafted from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from monthly.convert.readings import Rules
from monthly.convert.to_parquet import convert
from monthly.dataset import Dataset
from monthly.datasets import drafted
from monthly.declaration import Column, Declaration
from monthly.describe import describe
from monthly.month import Month

NAME = "own"


@dataclass(frozen=True)
class Drafted:
    """A draft: its text, and the lines that were printed about it."""

    text: str
    path: Path
    told: list[str]

    @property
    def declared(self) -> Declaration:
        """Return the draft as a declaration."""
        with self.dataset() as found:
            return found.declared

    @property
    def columns(self) -> dict[str, Column]:
        """Return its columns."""
        return self.declared.columns

    @property
    def types(self) -> dict[str, str]:
        """Return the types of its columns."""
        return {name: column.type for name, column in self.columns.items()}

    @contextmanager
    def dataset(self) -> Iterator[Dataset]:
        """Add the draft to the datasets."""
        with drafted(self.path) as found:
            yield found

    def loaded(self, file: Path, year_month: str) -> pa.Table:
        """Load a file as the draft does, with the default rules."""
        folder = self.path.parent / f"loaded-{file.name}"
        folder.mkdir()
        year, month = map(int, year_month.split("-"))
        with self.dataset():
            limit = self.declared.limits
            rules = Rules(max_reject_share=limit.rejected, max_outside_share=limit.outside)
            found = convert(Month(NAME, year, month), file, folder, rules)
        assert found.rows_read == found.rows_written + found.rows_rejected
        return pq.read_table(found.path)


def draft_of(*files: Path, folder: Path) -> Drafted:
    """Draft a dataset from files."""
    told: list[str] = []
    text = describe([str(file) for file in files], NAME, told.append).text
    path = folder / f"{NAME}.toml"
    path.write_text(text, "utf-8")
    return Drafted(text, path, told)


def draft(folder: Path, files: Mapping[str, str | bytes]) -> Drafted:
    """Draft a dataset from files with these names and contents."""
    paths = []
    for name, content in files.items():
        paths.append(folder / name)
        data = content if isinstance(content, bytes) else content.encode()
        paths[-1].write_bytes(data)
    return draft_of(*paths, folder=folder)


def values(table: pa.Table, name: str) -> list[Any]:
    """Return the values of a column."""
    return list(table[name].to_pylist())
