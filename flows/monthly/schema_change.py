"""Changes to a declaration since a month was converted."""

from __future__ import annotations

from monthly.columns import Column, fold
from monthly.dataset import Dataset
from monthly.datasets import DATASETS
from monthly.ledger import Entry


def schema_change(entry: Entry) -> str:
    """Return why this month would be converted differently now; empty if it would not."""
    dataset = DATASETS[entry.dataset]
    if entry.schema_version == dataset.schema_version:
        return ""
    if not entry.signatures:
        return _legacy_change(entry, dataset)
    changed = [
        f"{name} {old} -> {new}"
        for name, new in dataset.signatures.items()
        if (old := entry.signatures.get(name, new)) != new
    ]
    gone = entry.signatures.keys() - dataset.signatures.keys() - {*entry.drift.get("missing", ())}
    changed += [f"{name} was removed" for name in sorted(gone)]
    changed += _newly_known(entry, dataset)
    return f"the declaration changed: {', '.join(changed)}" if changed else ""


def _newly_known(entry: Entry, dataset: Dataset) -> list[str]:
    """Return what changed for each column of the file that was undeclared when it was converted."""
    undeclared = [*entry.drift.get("unknown", ()), *entry.kept.values()]
    known = {**dataset.parts, **dataset.known_names}
    found = [(name, known[fold(name)]) for name in undeclared if fold(name) in known]
    return [
        f"{name} is declared now{_replacement(column) if column.name in entry.kept else ''}"
        for name, column in found
    ]


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
