"""Rows of every era of headers, read by this project and by DuckDB's own casts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.trip_files import canonical, converted, converted_table
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.sample.tlc.eras import _CSV as ERAS

NOTHING = ["", "NULL", "null", "None", "NaN", "nan", "NaT", "<NA>", "\\N"]
CELLS = {
    "int64": ["7", "0", "1.0", " 12 ", "2e2", "-3", "007", "0x1F", "1.5", "x", *NOTHING],
    "float64": ["7", "2.5", ".5", "-0.01", "1e-3", "2.6299999999999999", "0x1", "x", *NOTHING],
    "string": ["B02884", "N", "*", "Caf\u00e9", "1.0", "NA", *NOTHING],
    "timestamp": ["2015-01-05 10:00:00", "2015-01-05T10:00", "2015-02-30 10:00:00", "x", *NOTHING],
}
CELLS["flag"] = [cell for cell in CELLS["string"] if cell != "1.0"]  # which is 1, see values.md
SQL = {"int64": "DOUBLE", "float64": "DOUBLE", "timestamp": "TIMESTAMP", "string": "VARCHAR"}
SQL["flag"] = "VARCHAR"
MONTHS = [Month(name, *era.first) for name, eras in ERAS.items() for era in eras]


def header_of(month: Month) -> list[tuple[str, str, str]]:
    """Return the published name, canonical name and type of an era's columns, without codes."""
    schema = DATASETS[month.dataset].schema
    (era,) = [era for era in ERAS[month.dataset] if era.first == (month.year, month.month)]
    names = [(name, canonical(month.dataset, name, schema)) for name in era.names]
    columns = [c for c in DATASETS[month.dataset].columns if c.codes is None]
    kinds = {c.name: "flag" if c.flag else c.kind for c in columns}
    found = [(name, column, kinds[column]) for name, column in names if column in kinds]
    # Where two names lead to one column, published files leave the second empty; it is left out.
    first = {column: name for name, column, _ in reversed(found)}
    return [each for each in found if first[each[1]] == each[0]]


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a DuckDB without an optimizer, which would cost more than a query of ten rows."""
    with duckdb.connect() as connection:
        connection.execute("PRAGMA disable_optimizer")
        yield connection


def expected(
    oracle: duckdb.DuckDBPyConnection, path: Path, header: list[tuple[str, str, str]]
) -> list[tuple[object, ...]]:
    """Return the rows that DuckDB can cast, with its values."""
    nothing = ", ".join(f"'{text}'" for text in NOTHING)
    cells, good = [], ["true"]
    for place, (_, _, kind) in enumerate(header):
        text = f"c{place}" if kind in ("string", "flag") else f"trim(c{place})"
        known = f"CASE WHEN {text} IN ({nothing}) THEN NULL ELSE {text} END"
        cell = f"TRY_CAST({known} AS {SQL[kind]})"
        good.append(f"({cell} IS NULL) = ({known} IS NULL)")
        if kind == "int64":
            good.append(f"coalesce({cell} = floor({cell}), true)")
        cells.append(cell)
    names = [f"c{place}" for place in range(len(header))]
    query = (
        f"SELECT {', '.join(cells)} FROM read_csv(?, delim=',', quote='\"', escape='\"', skip=1, "
        f"header=false, nullstr='none of these', auto_detect=false, "
        f"columns={dict.fromkeys(names, 'VARCHAR')}) WHERE {' AND '.join(good)}"
    )
    return oracle.execute(query, [str(path)]).fetchall()


@pytest.mark.parametrize("month", MONTHS, ids=str)
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_rows_of_an_era_are_what_duckdb_reads_in_csv_and_in_parquet(
    month: Month, data: st.DataObject, tmp_path: Path, oracle: duckdb.DuckDBPyConnection
) -> None:
    header = header_of(month)
    row = st.tuples(*(st.sampled_from(CELLS[kind]) for _, _, kind in header))
    rows = data.draw(st.lists(row, min_size=1, max_size=12))
    names = [name for name, _, _ in header]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([names, *rows])
    (tmp_path / "oracle.csv").write_text(out.getvalue())
    options = {"strict": False, "max_reject_share": 1.0, "max_outside_share": 1.0}
    found = converted(tmp_path, out.getvalue(), month, **options)
    columns = [column for _, column, _ in header]
    meant = expected(oracle, tmp_path / "oracle.csv", header)
    assert found.rows(*columns) == meant
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
    parquet = converted_table(tmp_path, table, month, **options)
    assert parquet.table.equals(found.table)
    assert [why for _, why, _ in parquet.rejects] == [why for _, why, _ in found.rejects]
