"""Make editions in the shape of ECDC's daily JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Names and codes as ECDC writes them; some readers take Namibia's code, NA, for null.
CODES: Mapping[str, tuple[str, str]] = {
    "Germany": ("DE", "DEU"),
    "Namibia": ("NA", "NAM"),
    "United_Kingdom": ("UK", "GBR"),
    "Cases_on_an_international_conveyance_Japan": ("JPG11668", "N/A"),
    "Wallis_and_Futuna": ("", ""),
}


def record(
    country: str, year: Any, month: Any, cases: Any, deaths: Any, day: str = "01"
) -> dict[str, Any]:
    """Return one country and day, with values unchanged."""
    geo, code = CODES[country]
    return {
        "dateRep": f"{day}/{month}/{year}",
        "day": day,
        "month": month,
        "year": year,
        "cases": cases,
        "deaths": deaths,
        "countriesAndTerritories": country,
        "geoId": geo,
        "countryterritoryCode": code,
        "continentExp": "Other",
    }


def edition(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the published bytes."""
    return json.dumps({"records": list(records)}, indent=1).encode()


#: Two months of Germany, newest day first as in ECDC's files, with other countries in between.
SMALL = edition(
    [
        record("Germany", "2020", "4", "7", "2", day="02"),
        record("Germany", "2020", "4", "-3", "0"),
        record("Namibia", "2020", "4", "5", "1"),
        record("Germany", 2020, "03", 10, 1),
    ]
)
SMALL_CSV = b"year_month,cases,deaths\n2020_03,10,1\n2020_04,4,2\n"
