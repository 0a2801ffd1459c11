"""Texts arrive in PostgreSQL as published, whatever the encoding of the database or the client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.postgres import Database, new_database
from fakes.stacks import NOTHING
from fakes.three_warehouses import Place, postgres_place
from monthly.datasets import DATASETS, VARIABLE
from monthly.figures import Figures
from monthly.month import Month
from monthly.verify.checking import Request, verify
from monthly.verify.findings import Judgement
from monthly.warehouses.postgres_connection import postgres_at
from postgres_server import Server

#: In Latin-2, Č (0xC8) comes after Ž (0xAE), as it does not by code point.
NAMES = ["Řež", "Žatec", "Čáslav"]
DECLARATION = """
title = "Stations of Česko"
publisher = "Nobody"
first_month = "2020-01"
[columns.name]
type = "string"
description = "Jméno."
"""
IN = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING"


@pytest.fixture(autouse=True)
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declare a dataset of names."""
    (tmp_path / "declared").mkdir()
    (tmp_path / "declared" / "towns.toml").write_text(DECLARATION, "utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "declared"))


@pytest.fixture(params=["UTF8", "LATIN2", "SQL_ASCII"])
def encoded(
    request: pytest.FixtureRequest, postgres_server: tuple[Server, int]
) -> Iterator[Database]:
    """Create a database of another encoding."""
    name = f"in_{request.param.lower()}"
    with new_database(*postgres_server, name, f"{IN} '{request.param}'") as found:
        yield found


def published(place: Place) -> Month:
    march = Month("towns", 2020, 3)
    place.publish(march, "name\n" + "".join(f"{name}\n" for name in NAMES))
    return march


def names_in(database: Database) -> set[str]:
    with closing(database.connect()) as db, db.cursor() as sql:
        db.set_client_encoding("UTF8")
        sql.execute("SELECT name FROM towns")
        return {name for (name,) in sql}


def test_texts_are_the_same_in_a_database_of_another_encoding(
    encoded: Database, tmp_path: Path
) -> None:
    """Their length and order, too, are those of UTF-8, with which `verify` compares them."""
    place = postgres_place(encoded, tmp_path)
    march = published(place)
    assert names_in(encoded) == set(NAMES)
    found = place.warehouse.figures("towns", DATASETS["towns"].columns)[march]
    size = sum(len(name.encode()) for name in NAMES)
    assert found.columns["name"] == Figures(3, "Čáslav", "Žatec", size)
    (verdict,) = verify(Request("towns", place.bucket, place.warehouse, NOTHING))
    assert (verdict.month, verdict.judgement) == (march, Judgement.GOOD)


@pytest.mark.parametrize("where", ["database", "environment", "block"])
def test_texts_are_the_same_for_a_client_of_another_encoding(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """PostgreSQL takes the bytes of a COPY to be in the encoding that the client names."""
    place = postgres_place(database, tmp_path)
    if where == "database":
        database.query(f"ALTER DATABASE {database.name} SET client_encoding = 'LATIN1'")
    elif where == "environment":
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    else:
        args = {"client_encoding": "LATIN1"}
        place = replace(place, warehouse=postgres_at(database.url, args))
    try:
        published(place)
        assert names_in(database) == set(NAMES)
    finally:
        database.query(f"ALTER DATABASE {database.name} RESET client_encoding")
