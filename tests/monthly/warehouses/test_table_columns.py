"""Changes that a load makes to a table's columns, decided without a warehouse."""

from __future__ import annotations

from monthly.columns import Column, kept_column
from monthly.warehouses.table_columns import Found, changes_of

KEPT = kept_column("fee", "Fee")
FEE = Column("fee", "int64", "The fee.")


def test_kept_text_moves_to_a_free_name() -> None:
    """A name that the table or the load uses, in any case, is taken."""
    table = {"fee": Found("fee", "text", KEPT.about), "Fee_As_Text": Found("", "text", "")}
    month = (FEE, Column("fee_as_text_2", "string", ""))
    changes = changes_of(month, {"fee": table["fee"]}, table, lambda column: column.type)
    (aside,) = changes.replaced.values()
    assert changes.replaced == {FEE: aside}
    assert (aside.name, aside.kind) == ("fee_as_text_3", "string")
    assert changes.described == (aside, month[1], FEE)


def test_a_long_name_stays_within_63_characters() -> None:
    """PostgreSQL would truncate it."""
    long = Column("f" * 60, "int64", "")
    found = Found(long.name, "text", KEPT.about)
    changes = changes_of((long,), {long.name: found}, {long.name}, lambda column: column.type)
    assert [aside.name for aside in changes.replaced.values()] == ["f" * 50 + "_as_text"]
