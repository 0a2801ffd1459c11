"""A declaration is changed after months were converted: the plan knows which would differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import SchemaError
from fakes.entries import entry_of
from monthly import datasets
from monthly.dataset import LAYOUT
from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.month import Month
from monthly.sample import version_of
from monthly.schema_change import are_read_alike, schema_change
from monthly.warehouses.table_columns import refuse_outdated
from orchestration.wording import on_command_line

HEAD = 'title = "T"\npublisher = "P"\nfirst_month = "2020-01"\n'
TEXT = """
member = "a*.csv"
separator = ";"
encoding = "latin-1"
lines_before_header = 1
header = ["total", "price", "day", "clock"]
short_rows = true
quotes = false
"""
NO_DRIFT: Mapping[str, list[str]] = {"renamed": [], "unknown": [], "missing": []}
Declare = Callable[..., None]


def column(name: str, *aliases: str, rest: str = "") -> str:
    return (
        f'[columns.{name}]\ntype = "float64"\ndescription = "D."\naliases = {[*aliases]}\n{rest}\n'
    )


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Return a function that declares the dataset `rides`, or replaces its declaration."""
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))

    def declared(columns: str, text: str = "") -> None:
        (tmp_path / "rides.toml").write_text(f"{HEAD}[text]\n{text}\n{columns}", "utf-8")
        datasets.forget()

    return declared


def converted(**drift: list[str]) -> Entry:
    """Return the entry of a month that was converted under the present declaration."""
    return entry_of(
        Month("rides", 2020, 3),
        signatures=DATASETS["rides"].signatures,
        drift={**NO_DRIFT, **drift},
    )


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("member", '"*.csv"'),
        ("separator", '","'),
        ("encoding", '"utf-8"'),
        ("lines_before_header", "2"),
        ("header", '["price", "total", "day", "clock"]'),
        ("short_rows", "false"),
        ("quotes", "true"),
    ],
)
def test_another_layout_of_the_files_changes_the_months(
    key: str, other: str, declare: Declare
) -> None:
    """A setting that is corrected, and one that was not there before."""
    columns = column("total") + column("price")
    lines = [line for line in TEXT.splitlines() if not line.startswith(f"{key} ")]
    for before in (TEXT, "\n".join(lines)):
        declare(columns, before)
        entry = converted()
        assert schema_change(entry) == ""
        after = [*lines, f"{key} = {other}"] if before == TEXT else TEXT.splitlines()
        declare(columns, "\n".join(after))
        assert schema_change(entry).startswith("the declaration changed: [text] ")
        assert entry.schema_version == DATASETS["rides"].schema_version
        assert not are_read_alike(entry, converted())


def test_a_month_from_before_1_10_is_not_changed_by_the_upgrade(declare: Declare) -> None:
    """Its entry does not say how its file was laid out."""
    declare(column("total"), TEXT)
    now = converted()
    before = replace(now, signatures={n: s for n, s in now.signatures.items() if n != LAYOUT})
    assert schema_change(before) == ""
    assert are_read_alike(before, now)


def test_a_month_from_before_1_11_is_not_changed_by_the_upgrade(declare: Declare) -> None:
    """A declaration that says nothing of quotes has the signature that 1.10 gave it."""
    declare(column("total"), 'separator = ";"\nlines_before_header = 1')
    as_before = json.dumps(["", ";", None, 1, False]).encode()
    signature = DATASETS["rides"].signatures[LAYOUT]
    assert signature == hashlib.sha256(as_before).hexdigest()[:8]
    version = version_of("rides")
    declare(column("total"), 'separator = ";"\nlines_before_header = 1\nquotes = true')
    assert DATASETS["rides"].signatures[LAYOUT] == signature
    assert version_of("rides") == version


def test_an_option_that_had_no_effect_is_removed_without_changing_the_months(
    declare: Declare,
) -> None:
    """Until 1.12, the column that keeps the texts of another could be a flag."""
    kind = column("kind", rest='codes = { "A" = 1 }\nkeep_text = "text"').replace(
        "float64", "int64"
    )
    declare(kind + '[columns.text]\ntype = "string"\ndescription = "D."\n')
    now = converted()
    flag = json.dumps([[], [], None, True, [], [], ""]).encode()
    flagged = f"string/{hashlib.sha256(flag).hexdigest()[:8]}"
    assert schema_change(replace(now, signatures={**now.signatures, "text": flagged})) == ""
    joined = json.dumps([[], [], None, False, ["a", "b"], [], ""]).encode()
    other = f"string/{hashlib.sha256(joined).hexdigest()[:8]}"
    changed = schema_change(replace(now, signatures={**now.signatures, "text": other}))
    assert changed == f"the declaration changed: text {other} -> string"


def test_months_of_parquet_files_have_no_layout(declare: Declare) -> None:
    """What `[text]` says of lines and fields does not apply to them."""
    declare(column("total"), TEXT)
    rides = DATASETS["rides"]
    assert rides.signatures_of("csv") == rides.signatures_of("csv.gz") == rides.signatures
    of_parquet = replace(converted(), signatures=rides.signatures_of("parquet"))
    declare(column("total"), TEXT.replace('";"', '","'))
    assert schema_change(of_parquet) == ""
    now = replace(converted(), signatures=DATASETS["rides"].signatures_of("parquet"))
    assert are_read_alike(of_parquet, now)
    declare(column("total", rest='codes = { "A" = 1 }').replace("float64", "int64"), TEXT)
    assert schema_change(of_parquet).startswith("the declaration changed: total ")


def test_an_alias_that_moves_changes_the_months_whose_files_have_it(declare: Declare) -> None:
    declare(column("total", "Fare", "Sum") + column("price"))
    with_it = converted(renamed=["Fare -> total", "PRICE -> price"])
    without = converted(renamed=["Sum -> total"])
    declare(column("total", "Sum") + column("price", "fare"))
    assert schema_change(with_it) == "the declaration changed: Fare is now price, not total"
    assert schema_change(without) == ""
    assert not are_read_alike(with_it, converted(renamed=["Fare -> price", "PRICE -> price"]))
    declare(column("total", "Sum") + column("price"))
    assert schema_change(with_it) == "the declaration changed: Fare is now undeclared, not total"
    assert schema_change(without) == ""


def test_an_alias_that_is_new_changes_the_months_whose_files_have_it(declare: Declare) -> None:
    """It was left out, or kept as text, although its column was declared."""
    declare(column("total"))
    dropped, lacks = converted(unknown=["Größe"]), converted(unknown=["Grüße"])
    kept = converted(kept=["Gr__e"], renamed=["Größe -> Gr__e"])
    declare(column("total", "größe"))
    for entry in (dropped, kept):
        assert schema_change(entry) == "the declaration changed: Größe is declared now"
    assert schema_change(lacks) == ""


def test_parts_of_joined_columns_are_no_columns(declare: Declare) -> None:
    joined = column("at", rest='join = ["day", "clock"]').replace("float64", "timestamp")
    declare(joined.replace("aliases = []\n", ""))
    assert schema_change(converted(renamed=["Day -> day", "CLOCK -> clock"])) == ""


@pytest.mark.parametrize("dataset", ["yellow", "green", "fhv", "fhvhv"])
def test_every_shipped_alias_is_that_of_its_column(dataset: str) -> None:
    known = DATASETS[dataset]
    renamed = [f"{alias.upper()} -> {c.name}" for c in known.columns for alias in c.aliases]
    drift = {**NO_DRIFT, "renamed": renamed}
    month = Month(dataset, *known.first_month)
    assert schema_change(entry_of(month, signatures=known.signatures, drift=drift)) == ""


@pytest.mark.parametrize(
    ("pinned", "said"),
    [
        ("", "run flows/etl_web_to_gcs.py with --force for it"),
        (
            "2021-02-01T00:00:00+00:00",
            "run flows/history.py with --unpin and load it again, as no run converts a pinned "
            "month",
        ),
    ],
    ids=["not pinned", "pinned"],
)
def test_an_object_of_another_type_is_refused_with_what_helps(pinned: str, said: str) -> None:
    """A forced run skips a pinned month."""
    green = Month("green", 2020, 10)
    known = {**DATASETS["green"].signatures, "trip_distance": "string/"}
    entry = entry_of(green, signatures=known, pinned=pinned)
    with pytest.raises(SchemaError) as caught:
        refuse_outdated(green, DATASETS["green"], entry)
    text = on_command_line(caught.value.message, caught.value.remedies)
    assert text.endswith(f"changed (trip_distance is string, not float64); {said}")
