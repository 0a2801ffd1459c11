"""Tables of declared datasets in all three warehouses: types, names, texts and their changes."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import SchemaError
from fakes.entries import published_download
from fakes.postgres import Database
from fakes.stacks import NOTHING
from fakes.three_warehouses import KINDS, Place, duckdb_place, place_of
from monthly.columns import KEPT
from monthly.convert.readings import Rules
from monthly.convert.rows import Rows
from monthly.datasets import DATASETS, VARIABLE
from monthly.dropping import drop_month, find_remains
from monthly.figures import Figures
from monthly.ledger import entry_key
from monthly.month import Month
from monthly.plan import Status, plan_month
from monthly.schema_change import schema_change
from monthly.verify.checking import Request, verify
from monthly.verify.findings import WAREHOUSE_FAULTS, FaultKind
from monthly.warehouses import LoadedMonth
from monthly.warehouses.bigquery import BigQuery
from monthly.warehouses.duckdb import DuckDBFile

MARCH, APRIL = (2020, 3), (2020, 4)
Declare = Callable[..., None]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a bucket and an empty warehouse of each kind."""
    return place_of(request.param, request, tmp_path)


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Return a function that declares a dataset, or replaces its declaration."""

    def declared(name: str, columns: str, title: str = "'A title.'", rest: str = "") -> None:
        folder = tmp_path / f"declared {len(list(tmp_path.glob('declared *')))}"
        folder.mkdir()
        head = f"title = {title}\npublisher = 'P'\nfirst_month = '2020-01'\n{rest}\n"
        (folder / f"{name}.toml").write_text(head + columns, "utf-8")
        monkeypatch.setenv(VARIABLE, str(folder))

    return declared


def column(name: str, kind: str, about: str = "'About.'", rest: str = "") -> str:
    """Return one column of a declaration."""
    return f"[columns.{name}]\ntype = '{kind}'\ndescription = {about}\n{rest}\n"


def of(name: str, months: tuple[int, int] = MARCH) -> Month:
    return Month(name, *months)


# ---- values

ENDS = {
    "whole": ("int64", ["-9223372036854775808", "9223372036854775807", ""]),
    "double": ("float64", ["1.7976931348623157e308", "-0.1", ""]),
    "word": ("string", ['"it\'s; ""so"" \\N %s {}"', "Ж\U0001f695", ""]),
    "moment": ("timestamp", ["2020-03-01 00:00:00.000001", "2020-03-31 23:59:59.999999", ""]),
    "day": ("date", ["1900-02-28", "9999-12-31", ""]),
    "truth": ("boolean", ["true", "false", ""]),
    "cents": ("decimal(10,2)", ["-99999999.99", "0.10", ""]),
    "most": ("decimal(38,9)", ["99999999999999999999999999999.999999999", "-0.000000001", ""]),
    "fine": ("decimal(18,15)", ["-999.999999999999999", "0.000000000000001", ""]),
}
READ: dict[str, Callable[[str], Any]] = {
    "int64": int,
    "float64": float,
    "string": lambda text: text.strip('"').replace('""', '"'),
    "timestamp": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "boolean": lambda text: text == "true",
}


def test_every_type_arrives_to_the_last_digit(place: Place, declare: Declare) -> None:
    """Values include the ends of each type, and nulls."""
    declare("ends", "".join(column(name, kind) for name, (kind, _) in ENDS.items()))
    header = ",".join(ENDS)
    lines = [",".join(row) for row in zip(*(texts for _, texts in ENDS.values()))]
    # An empty line would be skipped, so the row of nulls has its separators.
    place.publish(of("ends"), "\n".join([header, *lines]) + "\n")
    names = ", ".join(f'"{name}"' for name in ENDS)
    found = place.ask(f"SELECT {names} FROM {place.table('ends')} ORDER BY whole NULLS LAST")
    expected = [
        tuple(
            READ.get(kind, Decimal)(texts[row]) if texts[row] else None
            for kind, texts in ENDS.values()
        )
        for row in range(3)
    ]
    assert found == expected


# ---- names


def test_a_table_of_many_columns_is_verified(place: Place, declare: Declare) -> None:
    """PostgreSQL returns at most 1,664 values in a row, and each column has four figures."""
    names = [f"c{n}" for n in range(420)]
    declare("wide", "".join(column(name, "int64") for name in names))
    march = of("wide")
    place.publish(march, f"{','.join(names)}\n{','.join(str(n) for n in range(420))}\n")
    (verdict,) = verify(Request("wide", place.bucket, place.warehouse, NOTHING), [march])
    assert not verdict.faults
    figures = place.warehouse.figures("wide", DATASETS["wide"].columns)[march]
    assert figures.rows == 1
    assert figures.columns["c419"] == Figures(1, 419, 419, 419)


def test_a_table_that_is_declared_again_is_not_intact(place: Place, declare: Declare) -> None:
    """Its rows are those of the object before, however many the other table got since."""
    columns = column("n", "int64")
    declare("rides", columns, rest="table = 'one'")
    month = of("rides")
    place.publish(month, "n\n1\n2\n")
    declare("rides", columns, rest="table = 'two'")
    entry = place.publish(month, "n\n3\n4\n")
    for table in ("one", "two"):
        declare("rides", columns, rest=f"table = '{table}'")
        held = place.warehouse.loaded_month(month)
        is_there = table == "two"
        assert held
        assert held.is_intact(entry.object_sha256, "w") == is_there
        assert place.warehouse.loaded("rides").keys() == ({month} if is_there else set())
    declare("rides", columns, rest="table = 'one'")
    place.load(month, entry)
    assert place.ask(f"SELECT n FROM {place.table('rides')} ORDER BY n") == [(3,), (4,)]
    assert place.warehouse.loaded_month(month) == LoadedMonth(entry.object_sha256, 2, 2)
    assert place.warehouse.loaded("rides") == {month: entry.object_sha256}


@pytest.mark.parametrize("kind", ["DuckDB", "Postgres"])
def test_a_month_in_a_table_declared_before_is_found_there_and_dropped(
    kind: str, request: pytest.FixtureRequest, declare: Declare, tmp_path: Path
) -> None:
    """The load of another month into the table that is declared now changes nothing about it."""
    place, columns = place_of(kind, request, tmp_path), column("n", "int64")
    declare("rides", columns, rest="table = 'one'")
    march, april = of("rides"), of("rides", APRIL)
    for month in (march, april):
        place.publish(month, "n\n1\n2\n")
    declare("rides", columns, rest="table = 'two'")
    place.publish(april, "n\n3\n")
    asked = Request("rides", place.bucket, place.warehouse, NOTHING)
    found = {each.month: each.faults for each in verify(asked)}
    (fault,) = found[march]
    assert fault.kind is FaultKind.ROWS_MISSING
    assert fault.what == "it has the rows in table one, not in the one that is declared now"
    assert found[april] == ()
    remains = find_remains(march, place.bucket, place.warehouse)
    assert (remains.rows, remains.is_remembered) == (2, True)
    drop_month(remains, place.bucket, place.warehouse)
    assert not find_remains(march, place.bucket, place.warehouse).is_there
    assert place.ask("SELECT file_month FROM one") == [(dt.date(2020, 4, 1),)] * 2
    assert place.ask("SELECT n FROM two") == [(3,)]


@pytest.mark.parametrize("kind", ["DuckDB", "Postgres"])
def test_no_rows_are_dropped_from_a_table_that_another_dataset_declares_now(
    kind: str,
    request: pytest.FixtureRequest,
    declare: Declare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, columns = place_of(kind, request, tmp_path), column("n", "int64")
    declare("rides", columns, rest="table = 'one'")
    month = of("rides")
    place.publish(month, "n\n1\n")
    declare("trips", columns, rest="table = 'one'")
    place.publish(of("trips"), "n\n2\n")
    both = tmp_path / "both"
    shutil.copytree(os.environ[VARIABLE], both)
    text = "title = 'T'\npublisher = 'P'\nfirst_month = '2020-01'\n"
    (both / "rides.toml").write_text(text + columns, "utf-8")
    monkeypatch.setenv(VARIABLE, str(both))
    remains = find_remains(month, place.bucket, place.warehouse)
    assert (remains.rows, remains.is_remembered) == (0, True)
    drop_month(remains, place.bucket, place.warehouse)
    assert place.ask("SELECT n FROM one") == [(2,)]
    assert place.warehouse.loaded("rides") == {}


@pytest.mark.parametrize("kind", ["DuckDB", "Postgres"])
def test_no_rows_are_dropped_that_another_dataset_has_loaded_since(
    kind: str, request: pytest.FixtureRequest, declare: Declare, tmp_path: Path
) -> None:
    """The ledger of the warehouse knows it, though its declaration may be on another machine."""
    place, columns = place_of(kind, request, tmp_path), column("n", "int64")
    declare("rides", columns, rest="table = 'one'")
    place.publish(of("rides"), "n\n1\n")
    declare("trips", columns, rest="table = 'one'")
    place.publish(of("trips"), "n\n2\n")
    declare("rides", columns, rest="table = 'two'")
    remains = find_remains(of("rides"), place.bucket, place.warehouse)
    assert (remains.rows, remains.is_remembered) == (0, True)
    drop_month(remains, place.bucket, place.warehouse)
    assert place.ask("SELECT n FROM one") == [(2,)]


def test_a_table_declared_again_is_not_verified_by_the_rows_that_it_had_before(
    place: Place, declare: Declare
) -> None:
    """They are the same rows, but a load put them there before it put the month elsewhere."""
    columns = column("n", "int64")
    for table in ("one", "two"):
        declare("rides", columns, rest=f"table = '{table}'")
        place.publish(of("rides"), "n\n1\n2\n")
    declare("rides", columns, rest="table = 'one'")
    asked = Request("rides", place.bucket, place.warehouse, NOTHING)
    (verdict,) = verify(asked)
    held = place.warehouse.loaded_month(of("rides"))
    assert held
    assert held.difference("w")
    assert [fault.kind in WAREHOUSE_FAULTS for fault in verdict.faults] == [True]


RESERVED = ("order", "user", "Group", "TABLE", "select", "end", "rowid", "month", "Ledger")


@pytest.mark.parametrize("table", ["order", "Group", "SELECT", "user", "T" * 40])
def test_names_may_be_reserved_words_of_any_case(
    place: Place, declare: Declare, table: str
) -> None:
    """This covers load, replace, count, compare and drop."""
    columns = "".join(column(name, "int64") for name in RESERVED)
    declare("analyze", columns, rest=f"table = '{table}'")
    march, april = of("analyze"), of("analyze", APRIL)
    header, line = ",".join(RESERVED), ",".join(str(n) for n in range(len(RESERVED)))
    place.publish(march, f"{header}\n{line}\n")
    entry = place.publish(april, f"{header}\n{line}\n{line}\n")
    again = place.publish(march, f"{header}\n{line}\n{line}\n{line}\n")
    names = ", ".join(f'"{name}"' for name in RESERVED)
    assert place.ask(f"SELECT DISTINCT {names} FROM {place.table('analyze')}") == [
        tuple(range(len(RESERVED)))
    ]
    warehouse = place.warehouse
    assert warehouse.loaded("analyze") == {march: again.object_sha256, april: entry.object_sha256}
    assert (warehouse.rows(march), warehouse.rows(april)) == (3, 2)
    assert warehouse.loaded_month(march) == LoadedMonth(again.object_sha256, 3, 3)
    assert warehouse.refusal("analyze") is None
    warehouse.drop(march)
    assert warehouse.loaded("analyze") == {april: entry.object_sha256}
    assert (warehouse.rows(march), warehouse.rows(april)) == (0, 2)


# ---- texts

HOSTILE = (
    "'; DROP TABLE victim; --",
    '"; DROP TABLE "victim"; --',
    "`; DROP TABLE `victim`; --",
    "\\'; DROP TABLE victim; --",
    "%s %(dataset)s %% %",
    "{} {0} {table} {{",
    "$1 ? :name @table",
    "\\n \\0 \\u0000 \\x00 E'\\\\'",
    "/* -- */ $$ $a$",
    "<script>alert(1)</script>",
    "NULL",
    "\U0001f695 Ж ‮",
    "x" * 1000,
    "'" * 1000,
)


def toml(text: str) -> str:
    """Return a text as TOML writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_descriptions_are_text_whatever_they_say(place: Place, declare: Declare) -> None:
    """They reach the catalog verbatim with both kinds of load, and none is executed."""
    hostile = "".join(column(f"c{n}", "int64", toml(text)) for n, text in enumerate(HOSTILE))
    for title in (HOSTILE[0], HOSTILE[3], HOSTILE[4], HOSTILE[-1]):
        declare("victim", column("a", "int64", toml(title)) + hostile, toml(title))
        place.publish(of("victim"), "a\n1\n")
        about, columns = place.comments("victim")
        assert about == title
        expected = {"a": title} | {f"c{n}": text for n, text in enumerate(HOSTILE)}
        del columns["file_month"]
        assert columns == expected
    assert place.ask(f"SELECT a FROM {place.table('victim')}") == [(1,)]


def test_an_empty_description_counts_as_none(place: Place, declare: Declare) -> None:
    """The next load changes nothing either."""
    declare("plain", column("a", "int64", "''"), "''")
    for _ in range(2):
        place.publish(of("plain"), "a\n1\n")
    about, columns = place.comments("plain")
    assert (about or "", columns["a"] or "") == ("", "")


# ---- columns that nothing declares

KEEP = "new_columns = 'keep'"
PUBLISHED = "a,Dew Point (°C),extra\n1,-3.50,007\n"


def test_a_users_default_does_not_fill_a_column_that_the_month_lacks(
    place: Place, declare: Declare
) -> None:
    """The text of a column that is declared now is null in its months, once they are converted."""
    if isinstance(place.warehouse, BigQuery):
        pytest.skip("the stand-in knows no defaults")
    change = place.warehouse.query if isinstance(place.warehouse, DuckDBFile) else place.ask
    table = "ALTER TABLE kept ALTER"
    declare("kept", column("a", "int64"), rest=KEEP)
    march, april, may = of("kept"), of("kept", APRIL), of("kept", (2020, 5))
    place.publish(march, "a,fee,mood\n1,7,bad\n")
    for name in ("fee", "mood"):
        change(f"{table} {name} SET DEFAULT 'mine'")
    place.publish(april, "a\n2\n")
    declare("kept", column("a", "int64") + column("fee", "int64"), rest=KEEP)
    place.publish(may, "a,fee\n3,9\n")
    change(f"{table} fee_as_text SET DEFAULT 'mine'")
    for _ in range(2):
        place.publish(march, "a,fee,mood\n1,7,bad\n")
        place.publish(may, "a,fee\n3,9\n")
    rows = f"SELECT a, fee, fee_as_text, mood FROM {place.table('kept')} ORDER BY a"
    assert place.ask(rows) == [(1, 7, None, "bad"), (2, None, None, None), (3, 9, None, None)]


def test_undeclared_columns_are_kept_as_text(place: Place, declare: Declare) -> None:
    """The comment has the published name; months without the column have nulls."""
    declare("kept", column("a", "int64"), rest=KEEP)
    entry = place.publish(of("kept"), PUBLISHED)
    place.publish(of("kept", APRIL), "a\n2\n")
    dew, extra = entry.drift["kept"]
    rows = f'SELECT a, "{dew}", "{extra}" FROM {place.table("kept")} ORDER BY a'
    assert place.ask(rows) == [(1, "-3.50", "007"), (2, None, None)]
    _, columns = place.comments("kept")
    assert columns[dew] == f"{KEPT} 'Dew Point (°C)'."
    assert extra == "extra"


def test_a_kept_column_gets_a_name_that_every_warehouse_takes(
    place: Place, declare: Declare
) -> None:
    """The names are reserved, too long, or have other characters or none."""
    names = ["xmin", "_PARTITIONTIME", "file_month", "order", "1st", "n" * 90, "a.b", "a b", "°"]
    declare("kept", column("a", "int64"), rest=KEEP)
    line = ",".join(str(number) for number in range(len(names)))
    entry = place.publish(of("kept"), f"a,{','.join(names)}\n7,{line}\n")
    assert list(entry.kept.values()) == names
    columns = ", ".join(f'"{name}"' for name in entry.kept)
    found = place.ask(f"SELECT {columns} FROM {place.table('kept')}")
    assert found == [tuple(str(number) for number in range(len(names)))]
    place.publish(of("kept"), f"a,{','.join(names)}\n7,{line}\n")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int64", 7), ("string", "007"), ("boolean", None), ("decimal(9,3)", Decimal(7))],
)
def test_a_kept_column_can_be_declared_with_any_type(
    place: Place, declare: Declare, kind: str, value: object
) -> None:
    """The plan converts its months again; the table keeps the text of the others meanwhile."""
    text = PUBLISHED if value is not None else PUBLISHED.replace("007", "")
    declare("kept", column("a", "int64"), rest=KEEP)
    march, april = of("kept"), of("kept", APRIL)
    old = place.publish(march, text)
    other = place.publish(april, text.replace("\n1", "\n2"))
    declare("kept", column("a", "int64") + column("extra", kind, "'Now.'"), rest=KEEP)
    assert place.warehouse.refusal("kept") is None
    published = place.folder / f"{march}.csv"
    planned = plan_month(march, str(published), place.bucket)
    assert planned.status is Status.CHANGED
    assert planned.reason == "the declaration changed: extra is declared now" + (
        ""
        if kind == "string"
        else f" as {kind} (the table keeps its text in another column for each month until that "
        "is converted again)"
    )
    if kind != "string":
        with pytest.raises(
            SchemaError, match=f"converted before .*extra is string, not {kind[:5]}"
        ):
            place.load(march, old)
    place.publish(march, text)
    rows = f"SELECT a, extra FROM {place.table('kept')} ORDER BY a"
    assert place.ask(rows) == [(1, value), (2, value if kind == "string" else None)]
    if kind != "string":
        kept = f"SELECT a, extra_as_text FROM {place.table('kept')} ORDER BY a"
        assert place.ask(kept) == [(1, None), (2, "007" if value is not None else None)]
        assert place.comments("kept")[1]["extra_as_text"] == (
            f"{KEPT} 'extra', in months not converted since it was declared."
        )
        checked = verify(Request("kept", place.bucket, place.warehouse, NOTHING), [april])
        assert checked[0].kinds - {FaultKind.TOUCHED} == {FaultKind.OUTDATED}
    assert place.comments("kept")[1]["extra"] == "Now."
    assert place.comments("kept")[1][old.drift["kept"][0]].startswith(KEPT)
    place.publish(april, text.replace("\n1", "\n2"))
    assert place.ask(rows) == [(1, value), (2, value)]
    assert other.object_sha256 not in place.warehouse.loaded("kept").values()


def test_kept_columns_that_differ_in_case_are_one_or_two(place: Place, declare: Declare) -> None:
    """They come from two months; Postgres then has two columns, the others one."""
    declare("kept", column("a", "int64"), rest=KEEP)
    place.publish(of("kept"), "a,Extra\n1,x\n")
    place.publish(of("kept", APRIL), "a,extra\n2,y\n")
    names = [name for name in place.comments("kept")[1] if name.lower() == "extra"]
    both = " , ".join(f'"{name}"' for name in names)
    found = place.ask(f"SELECT coalesce({both}, NULL) FROM {place.table('kept')} ORDER BY a")
    assert found == [("x",), ("y",)]


def test_undeclared_columns_whose_names_a_table_cannot_tell_apart_are_not_mixed(
    place: Place, declare: Declare
) -> None:
    """The second is refused until it is declared; nothing is changed before."""
    declare("kept", column("a", "int64"), rest=KEEP)
    march, april = of("kept"), of("kept", APRIL)
    place.publish(march, "a,Größe\n1,7\n")
    entry = place.bring(april, "a,Grüße\n2,hello\n")
    with pytest.raises(SchemaError) as raised:
        place.load(april, entry)
    assert str(raised.value).startswith("kept 2020-04: table ")
    assert "; declare 'Grüße' in " in str(raised.value)
    assert "(Gr__e is 'Größe', and the file has 'Grüße')" in str(raised.value)
    assert place.ask(f'SELECT a, "Gr__e" FROM {place.table("kept")}') == [(1, "7")]
    assert place.warehouse.rows(april) == 0
    declare(
        "kept",
        column("a", "int64") + column("greeting", "string", rest="aliases = ['Grüße']"),
        rest=KEEP,
    )
    planned = plan_month(april, str(place.folder / f"{april}.csv"), place.bucket)
    assert planned.reason == "the declaration changed: Grüße is declared now"
    place.publish(april, "a,Grüße\n2,hello\n")
    place.publish(march, "a,Größe\n1,8\n")
    rows = f'SELECT a, "Gr__e", greeting FROM {place.table("kept")} ORDER BY a'
    assert place.ask(rows) == [(1, "8", None), (2, None, "hello")]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("Change (%)", "Change ($)"),
        ("価格,番号", "番号,価格"),
        ("%", "$"),
        (f"{'n' * 120}1", f"{'n' * 120}2"),
    ],
    ids=["signs", "order", "signs alone", "long"],
)
def test_kept_columns_are_told_apart_by_their_published_names(
    first: str, then: str, declare: Declare, tmp_path: Path
) -> None:
    """Each pair has one name in a table."""
    place = duckdb_place(tmp_path)
    declare("kept", column("a", "int64"), rest=KEEP)
    line = "1" + ",x" * len(first.split(","))
    place.publish(of("kept"), f"a,{first}\n{line}\n")
    entry = place.bring(of("kept", APRIL), f"a,{then}\n{line}\n")
    with pytest.raises(SchemaError, match="would mix undeclared columns"):
        place.load(of("kept", APRIL), entry)


def test_a_rebuilt_entry_has_the_published_names_of_kept_columns(
    declare: Declare, tmp_path: Path
) -> None:
    """Its month loads like that of the lost one."""
    place = duckdb_place(tmp_path)
    declare("kept", column("a", "int64"), rest=KEEP)
    march = of("kept")
    entry = place.publish(march, "a,Größe,fee,l'été \\ °\n1,7,8,9\n")
    place.bucket.delete(entry_key(march))
    assert isinstance(place.warehouse, DuckDBFile)
    place.warehouse.query("DELETE FROM loaded_months")
    request = Request("kept", place.bucket, place.warehouse, NOTHING)
    (verdict,) = verify(request, [march])
    assert verdict.entry is not None
    assert verdict.entry.kept == entry.kept
    assert place.load(march, verdict.entry) == 1


def test_a_direct_load_keeps_columns_and_replaces_them(
    database: Database, declare: Declare, tmp_path: Path
) -> None:
    """It does so like a load from the bucket; decimals, dates and truth values are exact."""
    text = PUBLISHED.replace("\n", ",12345678901234567890.123,2020-03-01,false\n")
    text = text.replace(",12345678901234567890.123,2020-03-01,false", ",n,d,t", 1)
    kinds = {"a": "int64", "n": "decimal(30,3)", "d": "date", "t": "boolean"}
    columns = "".join(column(name, kind) for name, kind in kinds.items())
    path = tmp_path / "kept.csv"
    path.write_text(text, "utf-8")
    expected = (1, Decimal("12345678901234567890.123"), dt.date(2020, 3, 1), False)
    for kind, value in (("", "007"), ("int64", 7)):
        declare("kept", columns + (column("extra", kind) if kind else ""), rest=KEEP)
        month = of("kept")
        with Rows(month, path, tmp_path, Rules()) as rows:
            entry = database.warehouse().ingest(rows, published_download(month, path))
            database.query("UPDATE loaded_months SET object_sha256 = 'of before'")
        assert ("extra" in entry.kept) is not bool(kind)
        assert database.query("SELECT a, n, d, t, extra FROM kept") == [(*expected, value)]
        about = "SELECT col_description('kept'::regclass, attnum) FROM pg_attribute WHERE attname"
        ((found,),) = database.query(f"{about} = 'extra' AND attrelid = 'kept'::regclass")
        assert found == ("About." if kind else f"{KEPT} 'extra'.")


# ---- a declaration that changes


def test_a_correction_is_not_compared_with_rows_of_another_table(
    database: Database, declare: Declare, tmp_path: Path
) -> None:
    """The table that is declared again has the rows of an older file, of as many rows."""
    path = tmp_path / "rides.csv"
    for number, table in enumerate(["one", "two", "one"]):
        declare("rides", column("n", "int64"), rest=f"table = '{table}'")
        path.write_text(f"n\n{number}\n", "utf-8")
        with Rows(of("rides"), path, tmp_path, Rules()) as rows:
            entry = database.warehouse().ingest(rows, published_download(of("rides"), path))
    assert [change.rows_added for change in entry.history] == [None, None]
    assert database.query("SELECT n FROM one") == [(2,)]


def test_another_type_is_refused_before_anything_is_replaced(
    place: Place, declare: Declare
) -> None:
    """The plan reports it too; the message has a remedy, and the month is unchanged."""
    declare("typed", column("a", "int64") + column("b", "string"))
    march = of("typed")
    entry = place.publish(march, "a,b\n1,x\n")
    assert place.warehouse.refusal("typed") is None
    declare("typed", column("a", "float64") + column("b", "string", "'Other.'"))
    new = place.bring(march, "a,b\n1.5,x\n2.5,y\n")
    refusal = place.warehouse.refusal("typed")
    assert refusal
    with pytest.raises(SchemaError) as raised:
        place.load(march, new)
    assert str(raised.value) == f"typed 2020-03: {refusal}"
    assert "typed has other types than " in refusal.message
    assert "typed.toml declares (a is " in refusal.message
    assert "declare these types, or" in str(refusal)
    assert place.ask(f"SELECT a, b FROM {place.table('typed')}") == [(1, "x")]
    assert place.comments("typed")[1]["b"] == "About."
    assert place.warehouse.loaded("typed") == {march: entry.object_sha256}


def test_an_object_from_before_a_column_was_declared_loads_with_nulls(
    place: Place, declare: Declare
) -> None:
    """This covers the old table and a new one; the description is the current one."""
    declare("grown", column("a", "int64"))
    march, april = of("grown"), of("grown", APRIL)
    old = place.publish(march, "a\n1\n")
    declare("grown", column("a", "int64", "'Better.'") + column("b", "decimal(5,1)"), "'New.'")
    assert place.load(march, old) == 1
    place.publish(april, "a,b\n2,0.5\n")
    rows = f"SELECT a, b FROM {place.table('grown')} ORDER BY a"
    assert place.ask(rows) == [(1, None), (2, Decimal("0.5"))]
    about, columns = place.comments("grown")
    assert (about, columns["a"]) == ("New.", "Better.")


def test_an_object_with_a_column_that_is_declared_no_more_loads_without_it(
    place: Place, declare: Declare
) -> None:
    """A new table lacks the column; an existing one keeps it."""
    both = column("a", "int64") + column("gone", "int64")
    declare("shrunk", both)
    march, april = of("shrunk"), of("shrunk", APRIL)
    old, other = place.bring(march, "a\n1\n"), place.bring(april, "a\n2\n")
    declare("shrunk", column("a", "int64"))
    assert place.load(march, old) == 1
    assert sorted(place.comments("shrunk")[1]) == ["a", "file_month"]
    declare("shrunk", both)
    place.load(april, other)
    declare("shrunk", column("a", "int64"))
    place.load(march, old)
    rows = f"SELECT a, gone FROM {place.table('shrunk')} ORDER BY a"
    assert place.ask(rows) == [(1, None), (2, None)]


def test_a_column_kept_under_another_name_is_converted_again_once_declared(
    declare: Declare, tmp_path: Path
) -> None:
    """The plan recognizes it by its published name, in any script."""
    place = duckdb_place(tmp_path)
    declare("kept", column("a", "int64"), rest=KEEP)
    month, text = of("kept"), "a,Übertemperatur\n1,2.5\n"
    place.publish(month, text)
    declare(
        "kept",
        column("a", "int64") + column("t", "float64", rest="aliases = ['übertemperatur']"),
        rest=KEEP,
    )
    planned = plan_month(month, str(tmp_path / f"{month}.csv"), place.bucket)
    assert planned.reason == "the declaration changed: Übertemperatur is declared now"
    place.publish(month, text)
    assert place.ask(f"SELECT t FROM {place.table('kept')}") == [(2.5,)]


# ---- a name that means another column


@pytest.mark.parametrize(
    ("head", "wrong", "right", "text"),
    [
        ("", "aliases = ['fare']", "aliases = ['price']", "fare,price\n1,2\n"),
        ("text.header", "['total', 'price']", "['price', 'total']", "1,2\n"),
    ],
    ids=["alias", "header"],
)
def test_a_month_is_converted_again_once_its_names_mean_other_columns(
    head: str, wrong: str, right: str, text: str, declare: Declare, tmp_path: Path
) -> None:
    place = duckdb_place(tmp_path)
    for said in (wrong, right):
        rest = "new_columns = 'drop'\n" + (f"{head} = {said}" if head else "")
        declare("moved", column("total", "int64", rest="" if head else said), rest=rest)
        month = of("moved")
        if said == right:
            planned = plan_month(month, str(tmp_path / f"{month}.csv"), place.bucket)
            assert planned.reason.startswith("the declaration changed: ")
        entry = place.publish(month, text)
        assert schema_change(entry) == ""
    assert place.ask(f"SELECT total FROM {place.table('moved')}") == [(2,)]


def test_a_direct_load_records_what_a_moved_alias_changes(
    database: Database, declare: Declare, tmp_path: Path
) -> None:
    """The file is the same, its rows are not; the same declaration changes nothing."""
    path = tmp_path / "moved.csv"
    path.write_text("fare,other\n1,2\n")
    entries = []
    for alias in ("fare", "fare", "other"):
        rest = f"aliases = ['{alias}']"
        declare("moved", column("total", "int64", rest=rest), rest="new_columns = 'drop'")
        with Rows(of("moved"), path, tmp_path, Rules()) as rows:
            download = published_download(of("moved"), path)
            entries.append(database.warehouse().ingest(rows, download))
    assert [len(entry.history) for entry in entries] == [0, 0, 1]
    assert (entries[2].history[0].rows_added, entries[2].history[0].rows_removed) == (1, 1)
