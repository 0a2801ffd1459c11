"""Declarations: what is refused, with which message, and the shipped ones and their schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from core.errors import UsageError
from dataset_schema import FILE, schema
from monthly import datasets
from monthly.datasets import DATASETS, SHIPPED, VARIABLE, dataset, read_dataset
from monthly.toml_lines import lines_of, tomllib

GOOD = """\
title = "Spot prices"
publisher = "An exchange"
first_month = "2020-01"
time_zone = "Europe/Berlin"
[roles]
time = "at"
amount = "price"
[columns.at]
type = "timestamp"
description = "When."
[columns.price]
type = "float64"
description = "Price."
"""
#: What is replaced, by what, the line that the error names, and its message.
FAULTS = {
    "no title": ('title = "Spot prices"\n', "", 1, "title is missing; write what the dataset is"),
    "key misspelt": ("publisher", "publsher", 2, "publsher is not a key here, did you mean publi"),
    "month 13": ("2020-01", "2020-13", 3, "first_month is '2020-13'; write the first published"),
    "a date": ('"2020-01"', "2020-01-01", 3, "first_month is datetime.date(2020, 1, 1); write"),
    "no TOML": ('"2020-01"', "2020-01", 3, "Expected newline"),
    "zone": ("Europe/Berlin", "Europe/Berln", 4, "time_zone is 'Europe/Berln', which is not a"),
    "type": ("float64", "flaot64", 12, "columns.price.type is 'flaot64'; write int64, float64"),
    "type meant": ("float64", "flaot64", 12, "did you mean float64?"),
    "digits": ("float64", "decimal(50,2)", 12, "columns.price.type is 'decimal(50,2)'; write"),
    "scale": ("float64", "decimal(5,9)", 12, "of 5 digits, 9 are too many"),
    "role of no column": ('"price"', '"prise"', 7, "not a declared column, did you mean price?"),
    "role misspelt": ("amount =", "amuont =", 7, "roles.amuont is not a key here, did you mean am"),
    "amount is a time": ('"price"', '"at"', 7, "a column of type timestamp; it must be int64 or"),
    "time is a number": ('"at"', '"price"', 6, "it must be timestamp or date"),
    "description is a number": ('"Price."', "5", 13, "columns.price.description is 5; write what"),
    "line break": ('"Price."', '"a\\nb"', 13, "columns.price.description is 'a\\nb'; write"),
    "case": ("columns.price", "columns.At", 11, "differs from another column only in its case"),
    "name": ("columns.price", 'columns."pri-ce"', 11, "columns.pri-ce is not a column name: write"),
    "reserved": (
        "columns.price",
        "columns.file_month",
        11,
        "is the column that every dataset gets",
    ),
    "twice": ("columns.price", "columns.at", 11, "Cannot declare"),
    "no list": ('"Price."', '"x"\naliases = "p"', 14, "columns.price.aliases is 'p'; write names"),
    "alias": ('"Price."', '"x"\naliases = ["A t"]', 14, "'A t' is a name of at, too"),
    "no letter": ('"Price."', '"x"\naliases = ["--"]', 14, "'--' has no letter or digit"),
    "required": ('"Price."', '"x"\nrequired = "yes"', 14, "required is 'yes'; write true or false"),
    "since": (
        '"Price."',
        '"x"\nrequired = { since = "2020-5" }',
        14,
        "since is '2020-5'; write fir",
    ),
    "until": (
        '"Price."',
        '"x"\nrequired = { since = "2021-05", until = "2020-01" }',
        14,
        "ends in 2020-01 before it begins in 2021-05",
    ),
    "codes": (
        '"Price."',
        '"x"\n[columns.price.codes]\nA = 1',
        14,
        "codes are for int64, string and",
    ),
    "code": (
        '"float64"\n',
        '"int64"\ncodes = { A = "a" }\n',
        13,
        "columns.price.codes.A is 'a'; write a value of int64, as the column",
    ),
    "code twice": (
        '"float64"\n',
        '"int64"\ncodes = { A = 1, a = 2 }\n',
        13,
        "have 'A' twice; case does not tell codes apart",
    ),
    "keeper": ('"Price."', '"x"\nkeep_text = "no"', 14, "is 'no', which is not a string column"),
    "keeper of codes": (
        '"Price."',
        '"x"\n[columns.kind]\ntype = "int64"\ndescription = "x"\ncodes = { A = 1 }\n'
        'keep_text = "text"\n[columns.text]\ntype = "string"\ndescription = "x"\n'
        'codes = { A = "Z" }',
        22,
        "codes is for a column of the file; this one keeps texts of another",
    ),
    "quarter": ('"When."', '"x"\nformats = ["%Y-%m Q%q"]', 11, "has a quarter and a month"),
    "reject": ('"Price."', '"x"\nreject = ["NULL"]', 14, "'NULL', which means no value; write ''"),
    "rejects": ('"Price."', '"x"\nreject = "Total"', 14, "reject is 'Total'; write published"),
    "flag": ('"Price."', '"x"\nflag = true', 14, "flag is for a string column, not float64"),
    "format": ('"When."', '"x"\nformats = ["%Q"]', 11, "'%Q' has '%Q'; the directives are %Y"),
    "no month": ('"When."', '"x"\nformats = ["%d %H"]', 11, "has no year or no month"),
    "format of a number": (
        '"Price."',
        '"x"\nformats = ["%Y-%m"]',
        14,
        "are for times, not float64",
    ),
    "join": ('"When."', '"x"\njoin = ["day"]', 11, "join names one column; write two or more"),
    "aliases of a join": (
        '"When."',
        '"x"\njoin = ["day", "hour"]\naliases = ["moment"]',
        12,
        "aliases are names in the file, where this column has none; name its parts under join",
    ),
    "offset": ('"When."', '"x"\nzone = "+25:00"', 11, "zone is '+25:00', which is not a time zone"),
    "separator": (
        "[roles]",
        '[text]\nseparator = ":"\n[roles]',
        6,
        "separator is ':'; write the ch",
    ),
    "line breaks without quotes": (
        "[roles]",
        "[text]\nquotes = false\nline_breaks = true\n[roles]",
        7,
        "text.line_breaks is for texts in quotes, and quotes = false says that there are none",
    ),
    "2.0 lines": (
        "[roles]",
        "[text]\nlines_before_header = 2.0\n[roles]",
        6,
        "is 2.0; write lines",
    ),
    "field": ("[roles]", '[sources]\nweb = "https://h/{yaer}"\n[roles]', 6, "did you mean year?"),
    "template": ("[roles]", '[sources]\nweb = "https://h/{year"\n[roles]', 6, "is not a template"),
    "attribute": ("[roles]", '[sources]\nweb = "https://h/{year.real}"\n[roles]', 6, "{year.real}"),
    "source": (
        "[roles]",
        "[sources]\nweb = 5\n[roles]",
        6,
        "sources.web is 5; write a table of name",
    ),
    "sample": (
        "[roles]",
        '[sources]\nsample = "https://h"\n[roles]',
        6,
        "is not a name that a sou",
    ),
    "cron": ("[roles]", '[schedule]\ncron = "every day"\n[roles]', 6, "is not a cron line of five"),
    "share": (
        "[roles]",
        "[limits]\nrejected = 5\n[roles]",
        6,
        "limits.rejected is 5; write rows that",
    ),
    "map": (
        "[roles]",
        "[map]\nwest = 5\neast = 4\nsouth = 1\nnorth = 2\n[roles]",
        5,
        "has no exten",
    ),
    "half a map": ("[roles]", "[map]\nwest = 5\n[roles]", 5, "map.east is missing; write degrees"),
    "bracket": ("[roles]", "[roles", 5, "Expected ']'"),
    "table": (
        "[roles]",
        'table = "my table"\n[roles]',
        5,
        "table is 'my table'; write the table in",
    ),
    "long table": ("[roles]", f'table = "{"t" * 41}"\n[roles]', 5, "underscores, 40 at most"),
    "ledger": ("[roles]", 'table = "Loaded_Months"\n[roles]', 5, "the ledger of a warehouse; choo"),
    "catalog": ("[roles]", 'table = "pg_class"\n[roles]', 5, "databases keep the names that begin"),
    "a month's table": (
        "[roles]",
        'table = "trips_2020_01"\n[roles]',
        5,
        "is 'trips_2020_01', which can be a month of another table",
    ),
    "a new month's": ("[roles]", 'table = "t_2020_01_new"\n[roles]', 5, "a month of another table"),
    "system column": (
        "columns.price",
        "columns.xmin",
        11,
        "a name that Postgres or BigQuery keeps",
    ),
    "pseudo column": ("columns.price", "columns._PartitionTime", 11, "Postgres or BigQuery keeps"),
    "path": (
        "[roles]",
        'file = "../{year_month}"\n[roles]',
        5,
        "file is '../{year_month}'; write the",
    ),
    "script": (
        "[roles]",
        'homepage = "javascript:alert(1)"\n[roles]',
        5,
        "homepage is 'javascript:",
    ),
    "choice": ("[roles]", 'new_columns = "kepe"\n[roles]', 5, "did you mean keep?"),
}


def written(folder: Path, text: str, name: str = "prices") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("what", FAULTS)
def test_a_wrong_declaration_is_refused_with_its_line_and_the_expected_value(
    what: str, tmp_path: Path
) -> None:
    old, new, line, said = FAULTS[what]
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        read_dataset(path)
    assert any(
        told.startswith(str(path)) and f"line {line}" in told and said in told
        for told in str(caught.value).splitlines()
    ), str(caught.value)


#: A coded column, and the one that keeps its texts.
CODED = """\
[columns.kind]
type = "int64"
description = "Kind."
codes = { A = 1 }
keep_text = "text"
[columns.text]
type = "string"
description = "Kind, as published."
"""


@pytest.mark.parametrize(
    "option",
    [
        'aliases = ["sort"]',
        "required = true",
        'required = { since = "2020-02" }',
        "may_be_empty = true",
        'codes = { A = "Z" }',
        'without_code = ["B"]',
        'reject = ["Total"]',
        'keep_text = "other"',
        "flag = true",
        'join = ["day", "hour"]',
        'formats = ["%Y-%m"]',
        'zone = "UTC"',
    ],
)
def test_a_column_that_keeps_texts_of_another_has_no_options(option: str, tmp_path: Path) -> None:
    """They would have no effect, as it is not read from a file; or an effect on another column."""
    other = CODED.partition("[columns.text]")[2].replace("Kind", "Other")
    with pytest.raises(UsageError) as caught:
        read_dataset(written(tmp_path, f"{GOOD}{CODED}{option}\n[columns.other]{other}"))
    key = option.partition(" ")[0]
    refused = f"line 22: columns.text.{key} is for a column of the file; this one keeps texts of an"
    assert refused in str(caught.value)
    assert len(read_dataset(written(tmp_path, f"{GOOD}{CODED}[columns.other]{other}")).columns) == 6


def test_a_column_keeps_the_texts_of_one_other_column(tmp_path: Path) -> None:
    """Of two that are in a file, it would have the texts of the last alone."""
    second = CODED.partition("[columns.text]")[0].replace("columns.kind", "columns.sort")
    with pytest.raises(UsageError, match=r"line 26: .*sort\.keep_text is 'text', which keeps"):
        read_dataset(written(tmp_path, f"{GOOD}{CODED}{second}"))
    itself = CODED.replace('"int64"', '"string"').replace("A = 1", 'A = "B"')
    with pytest.raises(UsageError, match=r"line 18: .*kind\.keep_text is 'kind', which is the"):
        read_dataset(written(tmp_path, GOOD + itself.replace('"text"', '"kind"')))


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("float64", "number").replace("2020-01", "2020").replace("title", "titel")
    with pytest.raises(UsageError) as caught:
        read_dataset(written(tmp_path, text))
    keys = [line.split(": ")[1].split()[0] for line in str(caught.value).splitlines()]
    assert keys == ["titel", "title", "first_month", "columns.price.type"]


def test_a_declaration_is_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    """Windows editors write the mark; in another encoding the first wrong line is named."""
    path = written(tmp_path, GOOD)
    expected = read_dataset(path).schema
    path.write_text(GOOD, "utf-8-sig")
    assert read_dataset(path).schema == expected
    path.write_bytes(GOOD.replace('"Price."', '"Précio."').encode("latin-1"))
    with pytest.raises(UsageError, match=r"prices\.toml, line 13 is not UTF-8; save the file"):
        read_dataset(path)


def test_a_file_whose_name_is_not_a_dataset_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'My-Prices' names the dataset: lower-case letters"):
        read_dataset(written(tmp_path, GOOD, "My-Prices"))


def test_a_folder_of_the_users_own_adds_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, GOOD)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert {"yellow", "prices"} <= {*DATASETS}
    assert DATASETS["prices"].schema.names == ["at", "price", "file_month"]
    assert DATASETS["prices"].table == "prices"


def test_a_wrong_declaration_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "title = 5\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert dataset("green").table == "green_trips"
    with pytest.raises(UsageError, match=r"prices\.toml, line 1: title is 5"):
        dataset("prices")


def test_a_dataset_cannot_be_declared_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, GOOD, "green")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match=r"green\.toml and .*green\.toml declare the same"):
        list(DATASETS)


@pytest.mark.parametrize("table", ["Prices", "green_TRIPS"])
def test_two_datasets_cannot_have_the_same_table(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names both files; other datasets are not affected."""
    written(tmp_path, GOOD)
    written(tmp_path, GOOD.replace("[roles]", f"table = '{table}'\n[roles]"), "others")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    other = {"Prices": "prices", "green_TRIPS": "green"}[table]
    for name, twin in (("others", other), (other, "others")):
        with pytest.raises(UsageError, match=rf"{name}\.toml and .*{twin}\.toml both load the tab"):
            dataset(name)
    assert dataset("yellow").table == "yellow_trips"


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"TRIPS_DATASETS is .*none, which is not a folder"):
        list(DATASETS)


def test_an_unknown_dataset_is_named_with_the_closest_one() -> None:
    with pytest.raises(UsageError, match=r"'gren' is not one of .* \(did you mean green\?\)"):
        dataset("gren")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_declaration_fits_the_schema_that_editors_check_it_by(path: Path) -> None:
    checker = Draft202012Validator(json.loads(FILE.read_text()))
    assert not [error.message for error in checker.iter_errors(tomllib.loads(path.read_text()))]
    assert path.read_text().startswith("#:schema ./schema.json\n")


def test_the_shipped_schema_is_that_of_the_models() -> None:
    assert FILE.read_text() == schema(), "run python dev/dataset_schema.py"


@pytest.mark.parametrize("name", ["yellow", "green", "fhv", "fhvhv"])
def test_an_unchanged_declaration_equals_the_schema_versions_of_old_ledgers(name: str) -> None:
    legacy = DATASETS[name].declared.legacy
    assert legacy is not None
    assert legacy.equals == DATASETS[name].schema_version


def test_a_description_makes_no_new_schema_version(tmp_path: Path) -> None:
    one = read_dataset(written(tmp_path, GOOD))
    said = read_dataset(written(tmp_path, GOOD.replace("Price.", "The price, EUR.")))
    typed = read_dataset(written(tmp_path, GOOD.replace("float64", "decimal(10,2)")))
    assert one.schema_version == said.schema_version != typed.schema_version


def test_lines_are_counted_past_long_texts_and_lists() -> None:
    text = 'a = """\nb = 1\n"""\nc = [\n  "[x]", # ]\n  2,\n]\n[t."x.y"]\nd = 1\n'
    text += "[[e]]\nf = 1\n[[e]]\nf = 2\n"
    assert lines_of(text) == {
        ("a",): 1,
        ("c",): 4,
        ("t", "x.y"): 8,
        ("t", "x.y", "d"): 9,
        ("e", 0): 10,
        ("e", 0, "f"): 11,
        ("e", 1): 12,
        ("e", 1, "f"): 13,
    }


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    """Clear the caches: a declaration is read, and a folder listed, once a process."""
    datasets.forget()
