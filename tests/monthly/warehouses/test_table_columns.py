"""Changes that a load makes to a table's columns, decided without a warehouse."""

from __future__ import annotations

import pytest

from monthly.columns import KEPT as START
from monthly.columns import Column, kept_column
from monthly.warehouses.table_columns import Changes, TableColumn, changes_of

KEPT = kept_column("fee", "Fee")
FEE = Column("fee", "int64", "The fee.")


def test_kept_text_moves_to_a_free_name() -> None:
    """A name that the table or the load uses, in any case, is taken."""
    table = {
        "fee": TableColumn("fee", "text", KEPT.about),
        "Fee_As_Text": TableColumn("", "text", ""),
    }
    month = (FEE, Column("fee_as_text_2", "string", ""))
    changes = changes_of(month, {"fee": table["fee"]}, table, lambda column: column.type)
    (aside,) = changes.replaced.values()
    assert changes.replaced == {FEE: aside}
    assert (aside.name, aside.kind) == ("fee_as_text_3", "string")
    assert changes.described == (aside, month[1], FEE)


def test_a_long_name_stays_within_63_characters() -> None:
    """PostgreSQL would truncate it."""
    long = Column("f" * 60, "int64", "")
    found = TableColumn(long.name, "text", KEPT.about)
    changes = changes_of((long,), {long.name: found}, {long.name}, lambda column: column.type)
    assert [aside.name for aside in changes.replaced.values()] == ["f" * 50 + "_as_text"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("Dew Point", "dew_point"),
        ("a b.c-d", "a_b c.d"),
        ("l'été\xa0froid", "L'été froid"),
        ('it\'s "so" \\', 'it\'s "so" \\'),
    ],
)
def test_a_kept_column_may_change_its_case_and_gaps(was: str, now: str) -> None:
    changes = changes_of_kept(kept_column("name", was).about, now)
    assert (changes.mixed, changes.described) == ({}, ())


def test_a_description_from_before_1_9_2_has_the_start_of_a_long_name() -> None:
    there = f"{START} {'n' * 100!r}."
    assert not changes_of_kept(there, "n" * 120).mixed
    assert changes_of_kept(there, "n" * 99 + "m").mixed


def test_a_description_that_a_user_wrote_names_no_published_column() -> None:
    assert not changes_of_kept(f"{START} of the fees.", "Fee").mixed


def changes_of_kept(about: str, published: str) -> Changes:
    """Compare a table's column of this description with one kept under the same name."""
    found = {"name": TableColumn("name", "string", about)}
    return changes_of((kept_column("name", published),), found, found, lambda column: column.type)
