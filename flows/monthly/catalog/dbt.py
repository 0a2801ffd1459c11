"""The warehouse as dbt sees it: its tables as sources, and views under the publisher's names.

https://docs.getdbt.com/reference/source-properties
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from core.disk import replacing, room_for
from monthly.columns import FILE_MONTH, Column
from monthly.dataset import Dataset
from monthly.warehouses import LEDGER, Warehouse

#: The source of the tables, and the source under which the zoomcamp's dbt project expects them.
SOURCE, ZOOMCAMP_SOURCE = "monthly_files", "staging"
#: A dataset that is published monthly and was not loaded for this long is late.
_LATE_DAYS = 45
_PLAIN_NAME = re.compile("[a-z_][a-z0-9_]*")
_MADE = "made by flows/catalog.py from the declarations; changes are lost"


def write_dbt(folder: Path, datasets: Sequence[Dataset], warehouse: Warehouse) -> list[Path]:
    """Write the files of `dbt_files`; each replaces the one before atomically.

    Returns:
        The paths of the files.

    Raises:
        StorageError: the folder cannot be written, its disk is full, or the warehouse failed.
    """
    paths = []
    for name, text in dbt_files(datasets, warehouse).items():
        with room_for(name, folder, "dbt's files"):
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(folder / name, folder / f".{name}.part") as part:
                part.write_text(text, encoding="utf-8")
        paths.append(folder / name)
    return paths


def dbt_files(datasets: Sequence[Dataset], warehouse: Warehouse) -> dict[str, str]:
    """Return the text of each file by name: the sources, and a view for each published name."""
    viewed = {name: dataset for dataset in datasets if (name := published_name(dataset))}
    tables = [_table(dataset, warehouse) for dataset in datasets]
    files = {"sources.yml": _source(SOURCE, warehouse.schema(), [*tables, _ledger()])}
    if viewed:
        views = [
            {"name": name, "description": _plain(d.declared.title)} for name, d in viewed.items()
        ]
        files["zoomcamp.yml"] = _source(ZOOMCAMP_SOURCE, "{{ target.schema }}", views)
    return files | {f"{name}.sql": _view(dataset) for name, dataset in viewed.items()}


def published_name(dataset: Dataset) -> str:
    """Return the name of the published files, such as `yellow_tripdata`; empty if none differs."""
    name = dataset.declared.file.format(dataset=dataset.name, year_month="").strip("_-.")
    return "" if name in (dataset.table, dataset.name) else name


def _source(name: str, schema: str, tables: list[dict[str, Any]]) -> str:
    document = {"version": 2, "sources": [{"name": name, "schema": schema, "tables": tables}]}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return f"# {_MADE}.\n{text}"


def _table(dataset: Dataset, warehouse: Warehouse) -> dict[str, Any]:
    """Return a table with its columns; the ledger says how fresh it is."""
    declared, ledger = dataset.declared, f"{warehouse.schema()}.{LEDGER}"
    # The name of a declaration has no quote.
    newest = f"select {warehouse.newest_load} from {ledger} where dataset = '{dataset.name}'"  # noqa: S608
    late = {"warn_after": {"count": _LATE_DAYS, "period": "day"}}
    return {
        "name": dataset.table,
        "description": _plain(f"{declared.title}, published by {declared.publisher}"),
        "config": {"freshness": late, "loaded_at_query": newest},
        "columns": [_column(column) for column in dataset.columns],
    }


def _column(column: Column) -> dict[str, Any]:
    tests = [*_tests(column)]
    named = {"name": column.name, "quote": True, "description": _plain(column.about)}
    return named | ({"data_tests": tests} if tests else {})


def _tests(column: Column) -> Iterator[Any]:
    """Yield what holds in every row that was loaded.

    Numbers are kept whether or not they are declared, so where the published text is kept too,
    only rows that had one can be tested; elsewhere another number is a warning.
    """
    if column.name == FILE_MONTH.name:
        yield "not_null"
    values = sorted({v for v in (column.codes or {}).values() if v is not None}, key=str)
    config = {} if column.kind == "string" else {"severity": "warn"}
    # dbt has no quotes for a name here that suit every warehouse.
    if column.keeps_text_in and _PLAIN_NAME.fullmatch(column.keeps_text_in):
        config = {"where": f"{column.keeps_text_in} is not null"}
    if values:
        arguments = {"values": values, "quote": column.kind == "string"}
        yield {"accepted_values": {"arguments": arguments} | ({"config": config} if config else {})}


def _ledger() -> dict[str, Any]:
    about = "The loaded months: for each dataset and month its rows, its source and its object."
    return {"name": LEDGER, "description": about}


def _view(dataset: Dataset) -> str:
    """Return a model with lower-case names, which the zoomcamp's models expect."""
    columns = ",\n    ".join(
        f"{_quoted(column.name)} as {_lower(column.name)}" for column in dataset.columns
    )
    return (
        f"-- {_MADE}.\n"
        "{{ config(materialized='view') }}\n\n"
        f"select\n    {columns}\n"
        f"from {{{{ source('{SOURCE}', '{dataset.table}') }}}}\n"
    )


def _lower(name: str) -> str:
    name = name.lower()
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _quoted(name: str) -> str:
    return f"{{{{ adapter.quote({json.dumps(name)}) }}}}"


def _plain(text: str) -> str:
    """Return a text that dbt does not take for a template."""
    return text.replace("{", "{{ '{' }}")
