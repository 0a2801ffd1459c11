"""Changes that a load makes to a table's columns, decided without a warehouse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.entries import entry_of
from monthly.columns import KEPT as START
from monthly.columns import Column, kept_column
from monthly.month import Month
from monthly.warehouses.table_columns import Changes, TableColumn, changes_of, texts_aside

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


def test_a_declared_column_of_another_type_is_wrong_and_not_moved_aside() -> None:
    found = {"fee": TableColumn("fee", "text", "The fee.")}
    changes = changes_of((FEE,), found, found, lambda column: column.type)
    assert changes.wrong == ("fee is text, not int64",)
    assert (changes.added, changes.replaced, changes.mixed) == ((), {}, {})


def test_a_column_that_is_declared_no_more_is_described_as_kept() -> None:
    """One that was kept before keeps its description."""
    fee = replace(KEPT, about=f"{KEPT.about} Since 2020-03.")
    for about, described in (("The fee.", (fee,)), (KEPT.about, ()), (fee.about, ())):
        found = {"fee": TableColumn("fee", "string", about)}
        changes = changes_of((fee,), found, found, lambda column: column.type)
        assert (changes.described, changes.wrong) == (described, ())


def test_the_kept_texts_of_a_month_go_to_the_column_beside_the_declared_one() -> None:
    """A declared column takes precedence over that name."""
    entry = entry_of(Month("green", 2020, 10), drift={"kept": ["Fee", "tip"]})
    texts = Column("tip", "string", "")
    (fee,) = texts_aside((FEE, texts), entry).items()
    assert (fee[0], fee[1].name, fee[1].kind) == ("Fee", "fee_as_text", "string")
    taken = Column("FEE_as_text", "float64", "")
    assert texts_aside((FEE, texts, taken), entry) == {}


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
