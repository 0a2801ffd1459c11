"""The datasets, each declared in `datasets/NAME.toml` or in a folder of the user's."""

from __future__ import annotations

import difflib
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from core.errors import UsageError
from monthly.columns import FILE_MONTH, Column, Kind, Span
from monthly.dataset import Dataset, year_month
from monthly.declaration import Column as Declared
from monthly.declaration import Declaration
from monthly.declaration import Span as DeclaredSpan
from monthly.toml_lines import line_at, lines_of, tomllib

if TYPE_CHECKING:
    from monthly.declaration_shape import Fault

_HERE = Path(__file__).parents[1] / "datasets"
#: The archive that has this code, if Dask sent it to a worker; it has all declarations.
_ARCHIVE = next((folder for folder in _HERE.parents if folder.is_file()), None)
#: The declarations that the project ships.
SHIPPED = _HERE if _ARCHIVE is None else _ARCHIVE.with_suffix("") / "datasets"
#: UTF-8, with or without the mark that Windows editors write.
_ENCODING = "utf-8-sig"
#: The variable that names the folder of the user's declarations.
VARIABLE = "TRIPS_DATASETS"


class Datasets(Mapping[str, Dataset]):
    """The datasets by name, each read on first use."""

    def __getitem__(self, name: str) -> Dataset:
        """Return a dataset.

        Raises:
            KeyError: no dataset has this name.
            UsageError: its declaration is invalid, or another declares the same table.
        """
        found = _dataset(self._paths()[name])
        _refuse_same_table(found.path, os.environ.get(VARIABLE, ""))
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths())

    def __len__(self) -> int:
        return len(self._paths())

    def __contains__(self, name: object) -> bool:
        return name in self._paths()

    def _paths(self) -> dict[str, Path]:
        found = _paths_of(os.environ.get(VARIABLE, ""))
        return found | _DRAFTS if _DRAFTS else found


DATASETS: Mapping[str, Dataset] = Datasets()
_DRAFTS: dict[str, Path] = {}


@contextmanager
def drafted(path: Path) -> Iterator[Dataset]:
    """Use a declaration from elsewhere, even if another one has the same name.

    Raises:
        UsageError: the declaration is invalid.
    """
    found = read_dataset(path)
    before = _DRAFTS.get(found.name)
    _DRAFTS[found.name] = path
    try:
        yield found
    finally:
        del _DRAFTS[found.name]
        if before:
            _DRAFTS[found.name] = before


def dataset(name: str) -> Dataset:
    """Return the dataset with this name.

    Raises:
        UsageError: there is none, or its declaration is invalid.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name.lower(), list(DATASETS), 1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(
            f"dataset {name!r} is not one of {', '.join(DATASETS)}{guess}; "
            f"declare it in a file {name}.toml, in {SHIPPED} or in the folder that {VARIABLE} names"
        )
    return DATASETS[name]


def declaration_files() -> list[Path]:
    """Return the files of all declarations, valid or not."""
    return [*_paths_of(os.environ.get(VARIABLE, "")).values()]


@cache
def _paths_of(own: str) -> dict[str, Path]:
    """Return the files of all declarations: the shipped ones, then the user's."""
    if _ARCHIVE:
        _unpack(_ARCHIVE)
        own = ""
    shipped = {name: SHIPPED / f"{name}.toml" for name in ("yellow", "green", "fhv", "fhvhv")}
    found = shipped | {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    if not own:
        return found
    folder = Path(own).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"{VARIABLE} is {own}, which is not a folder; name one, or unset it")
    for path in sorted(folder.glob("*.toml")):
        if path.stem in found:
            raise UsageError(
                f"{path} and {found[path.stem]} declare the same dataset; rename one of them"
            )
        found[path.stem] = path
    return found


def _unpack(archive: Path) -> None:
    """Extract the declarations of an archive next to it."""
    with zipfile.ZipFile(archive) as packed:
        declarations = [name for name in packed.namelist() if name.startswith("datasets/")]
        packed.extractall(archive.with_suffix(""), declarations)


@cache
def _dataset(path: Path) -> Dataset:
    return read_dataset(path)


@cache
def _refuse_same_table(path: Path, own: str) -> None:
    table = _dataset(path).table
    for other in _paths_of(own).values():
        if other.stem == path.stem:  # itself, or what a draft of this name would replace
            continue
        if _table_in(other).lower() == table.lower():
            raise UsageError(
                f"{path} and {other} both load the table {table}; declare another table in one"
            )


def others_table(name: str, table: str) -> bool:
    """Return whether a dataset other than `name` declares this table."""
    paths = _paths_of(os.environ.get(VARIABLE, "")).values()
    return any(p.stem != name and _table_in(p).lower() == table.lower() for p in paths)


@cache
def _table_in(path: Path) -> str:
    """Return the table that a declaration names, else the name of its file.

    The rest of the declaration is not checked here; an error in it is raised on use.
    """
    try:
        return str(tomllib.loads(path.read_text(_ENCODING)).get("table") or path.stem)
    except (OSError, ValueError):
        return path.stem


def read_dataset(path: Path) -> Dataset:
    """Return the dataset of a declaration.

    Raises:
        UsageError: the declaration is invalid; the message lists all faults by line.
    """
    try:
        text = path.read_text(_ENCODING)
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line} is not UTF-8; save the file as UTF-8") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    try:
        declared = Declaration.model_validate(raw)
    except ValidationError as error:
        from monthly.declaration_shape import faults_of_shape

        raise _wrong(path, text, [*faults_of_shape(raw, error)]) from error
    from monthly.declaration_faults import faults_of_meaning

    if faults := [*faults_of_meaning(path.stem, declared)]:
        raise _wrong(path, text, faults)
    return Dataset(path.stem, declared, path, _columns(declared))


def _wrong(path: Path, text: str, faults: list[Fault]) -> UsageError:
    lines = lines_of(text)
    told = sorted({(line_at(lines, f.path), _key(f.path), f.message) for f in faults})
    said = [f"{path}, line {line}: {key} {message}".rstrip() for line, key, message in told]
    return UsageError("\n".join(said))


def _key(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)


def _columns(declared: Declaration) -> tuple[Column, ...]:
    kept = {c.keep_text for c in declared.columns.values()}
    side = declared.interval
    own = [_column(name, c, name in kept, side) for name, c in declared.columns.items()]
    return (*own, FILE_MONTH)


def _column(name: str, declared: Declared, derived: bool, side: Literal["start", "end"]) -> Column:
    kind, _, digits = declared.type.partition("(")
    codes = {text.strip().upper(): value for text, value in declared.codes.items()}
    without = {text.strip().upper(): None for text in declared.without_code}
    whole, _, scale = digits.rstrip(")").partition(",")
    kinds: Mapping[str, Kind] = {
        name: name
        for name in ("int64", "float64", "string", "timestamp", "date", "boolean", "decimal")
    }
    return Column(
        name=name,
        kind=kinds[kind],
        about=declared.description,
        aliases=tuple(declared.aliases),
        required=_span(declared.required),
        codes={**codes, **without} or None,
        keeps_text_in=declared.keep_text or None,
        derived=derived,
        sparse=declared.may_be_empty or declared.flag,
        flag=declared.flag,
        joined=tuple(declared.join),
        formats=tuple(declared.formats),
        side=side,
        zone=declared.zone,
        rejected=frozenset(text.strip() for text in declared.reject),
        digits=(int(whole), int(scale)) if digits else (38, 9),
    )


def _span(declared: DeclaredSpan | None) -> Span | None:
    if declared is None:
        return None
    ends = [year_month(text) if text else None for text in (declared.since, declared.until)]
    return Span(*ends)


def forget() -> None:
    """Clear the cached declarations, after a folder of them has changed."""
    _paths_of.cache_clear()
    _dataset.cache_clear()
    _table_in.cache_clear()
    _refuse_same_table.cache_clear()
