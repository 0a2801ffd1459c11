"""Changes to a declaration since a month was converted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from monthly.columns import Column, fold
from monthly.dataset import LAYOUT, Dataset
from monthly.datasets import DATASETS
from monthly.ledger import Entry


def schema_change(entry: Entry) -> str:
    """Return why this month would be converted differently now; empty if it would not."""
    dataset = DATASETS[entry.dataset]
    if not entry.signatures and entry.schema_version != dataset.schema_version:
        return _legacy_change(entry, dataset)
    flagged = {c.name: replace(c, flag=True).signature for c in dataset.columns if c.derived}
    changed = [
        f"{name} {old} -> {new}"
        for name, new in dataset.signatures.items()
        if (old := entry.signatures.get(name, new)) not in (new, flagged.get(name))
    ]
    gone = entry.signatures.keys() - dataset.signatures.keys() - {*entry.drift.get("missing", ())}
    changed += [f"{name} was removed" for name in sorted(gone)]
    known = {**dataset.parts, **dataset.known_names}
    changed += [*_newly_known(entry, known), *_moved(entry, dataset, known)]
    return f"the declaration changed: {', '.join(changed)}" if changed else ""


def are_read_alike(before: Entry, after: Entry) -> bool:
    """Return whether two entries of one published file were converted by the same declaration."""
    # An entry from before 1.10, or of a Parquet file, has no layout.
    layouts = {each.signatures.get(LAYOUT) for each in (before, after)} - {None}
    was, now = (
        {name: text for name, text in each.signatures.items() if name != LAYOUT}
        for each in (before, after)
    )
    is_renamed_alike = before.drift.get("renamed") == after.drift.get("renamed")
    return was == now and len(layouts) < 2 and is_renamed_alike


def _newly_known(entry: Entry, known: Mapping[str, Column]) -> Iterator[str]:
    """Yield what changed for each column of the file that was undeclared when it was converted."""
    for name in (*entry.drift.get("unknown", ()), *entry.kept.values()):
        if column := known.get(fold(name)):
            replaced = _replacement(column) if column.name in entry.kept else ""
            yield f"{name} is declared now{replaced}"


def _moved(entry: Entry, dataset: Dataset, known: Mapping[str, Column]) -> Iterator[str]:
    """Yield what changed for each published name that meant another column then."""
    for text in entry.drift.get("renamed", ()):
        published, _, name = text.rpartition(" -> ")
        column = known.get(fold(published))
        is_column = name in dataset.signatures and name not in entry.kept
        if is_column and name != (now := column.name if column else "undeclared"):
            yield f"{published} is now {now}, not {name}"


def _replacement(column: Column) -> str:
    """Return what declaring a kept column does to the table; empty if its type stays."""
    if column.kind == "string":
        return ""
    return (
        f" as {column.type} (the table keeps its text in another column for each month until that "
        "is converted again)"
    )


def _legacy_change(entry: Entry, dataset: Dataset) -> str:
    """Return the change since a schema version numbered by hand; empty if there is none."""
    legacy, renamed = dataset.declared.legacy, entry.drift.get("renamed", ())
    change = f"schema version {entry.schema_version} -> {dataset.schema_version}"
    if legacy is None or entry.schema_version not in legacy.versions:
        return change
    outdated = any(
        drift in renamed and entry.schema_version < since
        for drift, since in legacy.outdated.items()
    )
    return change if outdated or legacy.equals != dataset.schema_version else ""
