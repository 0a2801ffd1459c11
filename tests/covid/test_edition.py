"""An edition is read whole or refused with the reason; countries are found as people write them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import covid.edition
from core.errors import BadFile, SchemaError, UsageError
from covid.edition import find_country, number, read_edition
from fakes.editions import CODES, SMALL, edition, record
from fakes.real_data import answers, real_file

COUNTRIES = [record(name, 2020, 3, 1, 0) for name in CODES]


def read(folder: Path, data: bytes) -> Any:
    path = folder / "edition.json"
    path.write_bytes(data)
    return read_edition(path, "covid: http://here/json/")


def test_plain_and_gzipped_editions_are_read_alike(tmp_path: Path) -> None:
    """A server may send either, whatever the request accepts."""
    plain = read(tmp_path, SMALL)
    assert plain == json.loads(SMALL)["records"]
    assert read(tmp_path, gzip.compress(SMALL)) == plain


@pytest.mark.parametrize("published", [SMALL, gzip.compress(SMALL, mtime=0)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_edition_cut_short_is_refused(tmp_path: Path, published: bytes, share: float) -> None:
    """It is refused at any cut, compressed or not; the message says how the file begins."""
    with pytest.raises(BadFile, match=r"^covid: http://here/json/, which begins with b") as said:
        read(tmp_path, published[: int(share * len(published))])
    assert "is not complete JSON" in str(said.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"<!doctype html><title>Moved</title>", "is a web page"),
        (b"<?xml version='1.0'?><Error/>", "is an XML document"),
        (b"day,month,cases\n1,3,5\n", "is not complete JSON"),
        (b"\xff\xfe{}", "is not complete JSON"),
        (b'{"error": "come back later"}', "JSON without a list of records"),
        (b'{"records": []}', "JSON without a list of records"),
        (b"[1, 2]", "JSON without a list of records"),
        (b"[" * 100_000, "is not complete JSON"),
        (b'{"records": [3]}', "record 1 has no 'countriesAndTerritories'"),
    ],
)
def test_a_file_that_is_not_an_edition_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    """The error says what the file has instead."""
    with pytest.raises(BadFile) as found:
        read(tmp_path, data)
    assert said in str(found.value)


@pytest.mark.parametrize("sent", [bytes, gzip.compress])
def test_a_file_larger_than_any_edition_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: Callable[[bytes], bytes]
) -> None:
    """It is not read to its end: a few megabytes of gzip can expand to more than memory."""
    monkeypatch.setattr(covid.edition, "_MOST_BYTES", len(SMALL))
    assert read(tmp_path, sent(SMALL))
    with pytest.raises(BadFile, match=r"here/json/ has more than [0-9,]+ bytes of JSON"):
        read(tmp_path, sent(SMALL + b" "))


def test_weekly_edition_is_refused_by_the_field_that_it_lacks(tmp_path: Path) -> None:
    """In December 2020 ECDC changed to weeks, which cannot be summed by month."""
    weekly = {"dateRep": "04/01/2021", "year_week": "2020-53", "cases_weekly": 1}
    weekly |= {"deaths_weekly": 0, "countriesAndTerritories": "Germany"}
    with pytest.raises(BadFile, match=r"record 1 has no 'year' .*year_week.* daily edition"):
        read(tmp_path, edition([weekly]))


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Germany", "Germany"),
        ("germany", "Germany"),
        ("DEU", "Germany"),
        ("United Kingdom", "United_Kingdom"),
        ("uk", "United_Kingdom"),
        ("NA", "Namibia"),
        ("Namibia", "Namibia"),
    ],
)
def test_country_is_found_by_name_and_by_code(asked: str, name: str) -> None:
    """Case, blanks and underscores are ignored."""
    assert find_country(COUNTRIES, asked) == name


@pytest.mark.parametrize("asked", ["Germoney", "", "N/", "Atlantis"])
def test_unknown_country_lists_the_closest_names(asked: str) -> None:
    """The intended name is among them."""
    with pytest.raises(UsageError, match=r"is not in this edition; the closest of its 5 names: "):
        find_country(COUNTRIES, asked)


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        ({"Czechia": "CZ", "Czech_Republic": "CZ"}, "CZ"),
        ({"Czechia": "CZ", "Czech_Republic": "CZ"}, "Czechia"),
        ({"Germany": "DE", "germany ": ""}, "Germany"),
        ({"Germany": "DE", "Germany\xa0": "DE"}, "DE"),
        ({"Germany": "DE", "Germany\n": ""}, "Germany"),
        ({"Germany": "DE", "\x1b[31m": "DE"}, "Germany"),
    ],
)
def test_a_country_under_two_names_is_refused(names: dict[str, str], asked: str) -> None:
    """The sums of either name would lack the days of the other."""
    records = [
        record("Germany", 2020, 3, 1, 0) | {"countriesAndTerritories": n, "geoId": g}
        for n, g in names.items()
    ]
    one, other = sorted(names)
    with pytest.raises(SchemaError) as said:
        find_country(records, asked)
    assert f"one country under 2 names, {one!r} and {other!r}" in str(said.value)


def test_days_without_a_name_are_not_left_out() -> None:
    nameless = record("Germany", 2020, 4, 1, 0) | {"countriesAndTerritories": None}
    with pytest.raises(SchemaError, match="one country under 2 names, '' and 'Germany'"):
        find_country([*COUNTRIES, nameless], "DE")


def test_a_country_is_compared_by_the_codes_of_all_its_days() -> None:
    """Some days may lack their code."""
    days = [record("Germany", 2020, 3, day, 0) for day in (1, 2, 3)]
    days[1] |= {"countriesAndTerritories": "Deutschland"}
    days[2] |= {"geoId": ""}
    with pytest.raises(SchemaError, match="one country under 2 names, 'Deutschland' and 'Germany'"):
        find_country(days, "Germany")


@pytest.mark.parametrize("name", [None, ["x"], "", "a\nb", "\x1b[31m", "\ud800"])
def test_what_is_not_a_name_is_refused_and_never_proposed(name: Any) -> None:
    records = [record("Germany", 2020, 3, 1, 0) | {"countriesAndTerritories": name}]
    shown = name if isinstance(name, str) else ""
    with pytest.raises(SchemaError) as said:
        find_country(records, "DE")
    assert f"names the country {shown!r}, which cannot be printed" in str(said.value)
    with pytest.raises(UsageError, match=r"the closest of its 6 names: Germany, [A-Z]"):
        find_country([*COUNTRIES, *records], "Germny")


def test_a_name_with_a_non_breaking_space_is_found_by_its_code() -> None:
    lucia = record("Germany", 2020, 3, 1, 0)
    lucia |= {"countriesAndTerritories": "Saint\xa0Lucia", "geoId": "LC"}
    assert find_country([*COUNTRIES, lucia], "LC") == "Saint\xa0Lucia"


def test_the_closest_name_comes_first() -> None:
    with pytest.raises(UsageError, match="names: Germany, "):
        find_country(COUNTRIES, "Germny")


@pytest.mark.parametrize(
    ("value", "whole"),
    [(5, 5), ("5", 5), ("05", 5), (-209, -209), ("-9", -9), (5.0, 5), ("7.0", 7), (" 3 ", 3)],
)
def test_number_or_text_is_the_same_number(value: Any, whole: int) -> None:
    assert number(record("Germany", 2020, 3, value, 0), "cases") == whole


@pytest.mark.parametrize("value", [None, ""])
def test_no_value_is_null(value: Any) -> None:
    assert number(record("Germany", 2020, 3, value, 0), "cases") is None


@pytest.mark.parametrize(
    "value", ["N/A", 1.5, "1.5", True, [], "1_0", float("nan"), "1e3", "9" * 5000]
)
def test_a_value_that_is_not_a_whole_number_is_named_with_its_day(value: Any) -> None:
    with pytest.raises(SchemaError, match=r"^Germany, 01/3/2020: cases .* is not a whole number"):
        number(record("Germany", 2020, 3, value, 0), "cases")


@pytest.mark.real
@pytest.mark.parametrize("name", ["2020-04-23.json", "2020-09-07.json.gz"])
def test_real_editions_are_read_whole(name: str) -> None:
    """The counts are those of an independent tool."""
    file = f"covid/casedistribution_{name}"
    records = read_edition(real_file(file), name)
    assert len(records) == answers(file)["rows"]
    assert len({r["countriesAndTerritories"] for r in records}) == answers(file)["countries"]


@pytest.mark.real
def test_real_edition_cut_in_a_text_is_refused() -> None:
    path = real_file("bad/casedistribution_2020-12-14.truncated.json")
    with pytest.raises(BadFile, match="is not complete JSON: Unterminated string"):
        read_edition(path, path.name)
