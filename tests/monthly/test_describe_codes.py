"""Drafts of columns of whole numbers that are codes, whose leading zeros a number would lose."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from fakes.drafts import Drafted, draft, values

KEPT = "Text, as codes of this name may have leading zeros; here, all have {} digits."
OTHERWISE = 'If other months have leading zeros, keep them with type = "string".'


def drafted(folder: Path, name: str, codes: Iterable[object]) -> Drafted:
    rows = [f"2020-01-{n % 28 + 1:02},{code}" for n, code in enumerate(codes)]
    return draft(folder, {"t-2020-01.csv": "\n".join([f"day,{name}", *rows, ""])})


@pytest.mark.parametrize(
    "name",
    [
        *("zip", "ZIP", "zipcode", "ZipCode", "ZIP Code", "Incident Zip", "zip5", "MODZCTA"),
        *("postal_code", "PostalCode", "code_postal", "codigo_postal", "postcode", "PLZ"),
        *(
            "Postleitzahl",
            "postnummer",
            "fips",
            "FIPS_CODE",
            "county_fips",
            "STATEFP",
            "COUNTYFP10",
        ),
        *("TRACTCE20", "BLKGRPCE", "GEOID20", "WBAN", "code_insee", "UPC", "gtin", "phone_number"),
    ],
)
def test_codes_of_post_and_census_are_text(tmp_path: Path, name: str) -> None:
    """A month with leading zeros then loads as published; a number would lose them in silence."""
    found = drafted(tmp_path, name, [10001, 11697, 10453])
    (column,) = found.types.keys() - {"day"}
    assert found.types[column] == "string"
    assert f"# {KEPT.format(5)}\n" in found.text
    file = tmp_path / "t-2020-02.csv"
    file.write_text(f"day,{name}\n2020-02-01,00501\n")
    assert values(found.loaded(file, "2020-02"), column) == ["00501"]


@pytest.mark.parametrize("codes", [[501, 10001], [0, 10001], [1, 2]])
def test_codes_that_lost_their_zeros_stay_numbers_with_a_comment(
    tmp_path: Path, codes: list[int]
) -> None:
    found = drafted(tmp_path, "zip", codes)
    assert found.types["zip"] == "int64"
    assert f"# Without leading zeros here. {OTHERWISE}\n" in found.text


@pytest.mark.parametrize(
    "name", ["station_id", "id_station", "Station ID", "country_code", "route_no", "CodStation"]
)
def test_keys_of_the_same_width_are_numbers_with_a_comment(tmp_path: Path, name: str) -> None:
    found = drafted(tmp_path, name, [315, 479, 315, 822])
    assert "int64" in found.types.values()
    assert f"# All have 3 digits. {OTHERWISE}\n" in found.text


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("station_id", [72, 315, 822, 315]),  # of different widths
        ("station_id", [315, 315]),  # the same in all rows
        ("trip_id", range(4_711, 4_741)),  # rows that are numbered
        ("vendor_id", [1, 2, 1, 2]),
        ("month_code", [10, 11, 10]),
        ("amount", [315, 479, 822]),
        ("zip_count", [31_500, 47_900, 82_200]),
        ("phone_calls", [315, 479, 822]),
        ("temperature", [-10, 12, 15]),
        ("code_changes", [31, 15, 22]),
        ("year", [2020, 2020, 2019]),
        ("gas_price", [315, 479, 822]),
        ("COD", [315, 479, 822]),  # chemical oxygen demand
        ("escape", [315, 479, 822]),
    ],
)
def test_plain_numbers_have_no_comment(tmp_path: Path, name: str, numbers: Iterable[int]) -> None:
    found = drafted(tmp_path, name, numbers)
    assert found.types[name.lower()] == "int64"
    assert "leading zeros" not in found.text


def test_all_files_decide_whether_codes_have_the_same_width(tmp_path: Path) -> None:
    files = {
        "t-2020-01.csv": "day,zip\n2020-01-01,10001\n",
        "t-2020-02.csv": "day,zip\n2020-02-01,501\n",
    }
    found = draft(tmp_path, files)
    assert found.types["zip"] == "int64"
    assert OTHERWISE in found.text


def test_what_means_null_elsewhere_is_null_in_codes(tmp_path: Path) -> None:
    """They stay text, and NA is not one of them."""
    found = drafted(tmp_path, "zip", [10001, "NA", 11697])
    assert found.types["zip"] == "string"
    assert values(found.loaded(tmp_path / "t-2020-01.csv", "2020-01"), "zip") == [
        *("10001", None, "11697"),
    ]
