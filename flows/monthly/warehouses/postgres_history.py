"""The history of months in PostgreSQL: the months near one, and what replacing it changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from monthly.columns import FILE_MONTH
from monthly.convert.row_changes import RowChanges
from monthly.corrections import revision, role_columns, totals_of
from monthly.figures import as_json
from monthly.gates.history import nearest
from monthly.ledger import Entry
from monthly.month import Month
from monthly.revision import Revision
from monthly.schema_change import are_read_alike
from monthly.warehouses import LEDGER, stored_entry
from monthly.warehouses.postgres_ledger import checksums, entry_in, loaded_month_in
from monthly.warehouses.postgres_tables import columns_of, count_rows, partition_of
from monthly.warehouses.table_columns import TableColumn, quoted

#: A row counts as shared as often as both tables have it.
_CHANGES = """
SELECT coalesce(sum(greatest(here - there, 0)), 0), coalesce(sum(greatest(there - here, 0)), 0),
  coalesce(sum(least(here, there)), 0)
FROM (SELECT sum(here) AS here, sum(1 - here) AS there FROM (
  SELECT hashtextextended(row({columns})::text, 0) AS hash, 1 AS here FROM {new} UNION ALL
  SELECT hashtextextended(row({columns})::text, 0), 0 FROM {old}) AS both_tables
  GROUP BY hash) AS hashes
"""


def entries_near(sql: Cursor, month: Month) -> list[Entry]:
    """Return the ledger entries of the months nearest to a month."""
    days = [each.first_day for each in nearest(month, checksums(sql, month.dataset))]
    sql.execute(
        f"SELECT entry FROM {LEDGER} WHERE dataset = %s AND file_month = ANY (%s)",
        [month.dataset, days],
    )
    return [entry for (stored,) in sql.fetchall() if (entry := stored_entry(stored))]


def rows_changed_in(
    sql: Cursor, month: Month, new: str, before: Entry, names: Sequence[str]
) -> RowChanges | None:
    """Return how the rows of a new table differ from the month's; None if they cannot be compared.

    Args:
        sql: cursor of the transaction that replaces the month.
        month: the month.
        new: the table that is to replace the month's partition.
        before: the month's entry.
        names: columns of the new published file.
    """
    old = partition_of(month)
    loaded = loaded_month_in(sql, month)
    if loaded is None or loaded.elsewhere or count_rows(sql, month) != before.rows_written:
        return None  # something else changed it, or its partition is gone or in another table
    absent = {*before.drift.get("missing", ()), FILE_MONTH.name}
    there = columns_of(sql, old)
    both = [there[name] for name in names if name in there and name not in absent]
    if not both:
        return None
    columns = ", ".join(map(_value, both))
    sql.execute(_CHANGES.format(columns=columns, new=quoted(new), old=quoted(old)))
    return RowChanges(*map(int, sql.fetchone()))


def _value(column: TableColumn) -> str:
    """Return SQL for a value to compare, in which minus zero is zero."""
    name = quoted(column.name)
    return f"{name} + 0" if column.type == "double precision" else name


def with_history(
    sql: Cursor, month: Month, new: str, entry: Entry, names: Sequence[str], reason: str
) -> tuple[Entry, Revision | None]:
    """Return a new entry with the month's history, and what it changes (None if nothing).

    Args:
        sql: cursor of the transaction that replaces the month.
        month: the month.
        new: the table that is to replace the month's partition.
        entry: the new entry.
        names: columns of the new published file.
        reason: why the month is replaced.
    """
    before = entry_in(sql, month, garbled_too=True)
    if before is None:
        return entry, None
    if before.source_sha256 == entry.source_sha256 and are_read_alike(before, entry):
        return replace(entry, history=before.history), None
    changes = rows_changed_in(sql, month, new, before, names)
    change = _revision(sql, month, before, entry, changes, reason)
    return replace(entry, history=(*before.history, change)), change


def _revision(
    sql: Cursor, month: Month, before: Entry, after: Entry, changes: RowChanges | None, reason: str
) -> Revision:
    names = role_columns(month.dataset)
    was = _totals(sql, partition_of(month), names) if changes and not before.columns else None
    totals = totals_of(before, None) if was is None else was, totals_of(after, None)
    return revision(before, after, reason, changes, totals)


def _totals(sql: Cursor, table: str, names: Sequence[str]) -> dict[str, float | int | str]:
    """Return the sums of columns, for a month that was loaded before 1.3."""
    there = [name for name in names if name in columns_of(sql, table)]
    sums = ", ".join(f"sum({quoted(name)})" for name in there)
    if not there:
        return {}
    sql.execute(f"SELECT {sums} FROM {quoted(table)}")
    found = zip(there, sql.fetchone())
    # JSON has neither NaN nor infinity.
    return {n: as_json(total) for n, total in found if total is not None and math.isfinite(total)}
