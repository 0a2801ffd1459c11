"""One edition of ECDC's daily cases: a JSON file with a record for each country and day.

ECDC, "Data on the geographic distribution of COVID-19 cases worldwide", describes the fields.
Early editions write every value as text and months without a leading zero; later ones use numbers.
"""

from __future__ import annotations

import difflib
import gzip
import json
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from core.download.checks import impostor, kind_of
from core.errors import BadFile, SchemaError, UsageError

#: ECDC's URL of the current edition.
URL = "https://opendata.ecdc.europa.eu/covid19/casedistribution/json/"
#: Fields that identify a country; the first is ECDC's name for it.
COUNTRY, *CODES = "countriesAndTerritories", "geoId", "countryterritoryCode"
YEAR, MONTH, DAY = "year", "month", "day"
CASES, DEATHS = "cases", "deaths"

_HEAD_BYTES = 4096
#: Three times the last daily editions, of 62,000 records and 460 bytes each. JSON is read as a
#: whole: gzip that expands to gigabytes would fill the memory.
_MOST_BYTES = 100_000_000
#: A longer number would exceed any count of people, and the chart could not show it.
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,15}(\.0*)?\s*")
_NEAREST = 5

Record = Mapping[str, Any]


def check_edition(path: Path, name: str) -> None:
    """Raise an error unless the file is a complete edition; see `read_edition`."""
    read_edition(path, name)


def read_edition(path: Path, name: str) -> Sequence[Record]:
    """Return all records of an edition, plain or gzipped.

    Args:
        path: path of the file.
        name: name of the file in error messages.

    Raises:
        BadFile: the file is truncated, too large, not JSON, or JSON of something else.
    """
    try:
        found = json.loads(_bytes_of(path, name))
    # Brackets that are nested too deep raise a RecursionError.
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError, RecursionError) as error:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        wrong = impostor(head) or f"is not complete JSON: {error}; run again to download it afresh"
        raise BadFile(f"{name}, which begins with {head[:40]!r}, {wrong}") from error
    return _records(found, name)


def _bytes_of(path: Path, name: str) -> bytes:
    opened = gzip.open if kind_of(path) == "csv.gz" else open
    with opened(path, "rb") as file:
        data: bytes = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise BadFile(
            f"{name} has more than {_MOST_BYTES:,} bytes of JSON, and no daily edition has; "
            "give the address of a daily edition"
        )
    return data


def _records(found: Any, name: str) -> Sequence[Record]:
    records = found.get("records") if isinstance(found, dict) else None
    if not isinstance(records, list) or not records:
        raise BadFile(
            f"{name} is JSON without a list of records ({json.dumps(found)[:60]!r}); "
            "open its address to see what the publisher sends"
        )
    needed = (COUNTRY, YEAR, MONTH, CASES, DEATHS)
    for number, record in enumerate(records, 1):
        missing = [f for f in needed if not isinstance(record, dict) or f not in record]
        if missing:
            raise BadFile(
                f"{name}: record {number} has no {missing[0]!r} ({json.dumps(record)[:200]}); "
                "give the address of a daily edition"
            )
    return records


def find_country(records: Iterable[Record], asked: str) -> str:
    """Return ECDC's name for a country.

    Args:
        records: records of an edition.
        asked: the name, case-insensitive and with spaces or underscores, or one of its codes:
            `United Kingdom`, `UK`, `GBR`. `NA` is Namibia.

    Raises:
        UsageError: the edition has no such country; the message lists the closest names.
        SchemaError: it has the country under several names, each with some of the days, or under
            one that cannot be printed.
    """
    named = {(_name(r), *(_plain(str(r.get(code) or "")) for code in CODES)) for r in records}
    wanted = _plain(asked)
    found = {each for each in named if _plain(each[0]) == wanted}
    found = found or {each for each in named if wanted and wanted in each[1:]}
    if found:
        return _only_name(found, named)
    names = {name for name, *_ in named}
    raise UsageError(
        f"country {asked!r} is not in this edition; the closest of its {len(names)} names: "
        f"{', '.join(_closest(asked, filter(_is_clean, names)))}"
    )


def _name(record: Record) -> str:
    """Return the country's name in a record; empty if that is not a text."""
    name = record[COUNTRY]
    return name if isinstance(name, str) else ""


def _only_name(found: Set[Sequence[str]], named: Set[Sequence[str]]) -> str:
    """Return the one name of a country that was found by a name or a code.

    Raises:
        SchemaError: the country has another name, too: the sums would lack the days under that
            name; or its name cannot be printed.
    """
    plain = {_plain(name) for name, *_ in found}
    geo = {each[1] for each in found if each[1]}
    names = sorted({each[0] for each in named if _plain(each[0]) in plain or each[1] in geo})
    if len(names) > 1:
        raise SchemaError(
            f"this edition has one country under {len(names)} names, "
            f"{' and '.join(map(repr, names))}; give another edition's url"
        )
    if not _is_clean(names[0]):
        raise SchemaError(
            f"this edition names the country {names[0]!r}, which cannot be printed; "
            "give another edition's url"
        )
    return names[0]


def _is_clean(name: str) -> bool:
    """Return whether a name can be shown; blanks that do not break a line can."""
    return bool(name) and unicodedata.normalize("NFKC", name).isprintable()


def _closest(asked: str, names: Iterable[str]) -> Sequence[str]:
    by_plain = {_plain(name): name for name in names}
    near = difflib.get_close_matches(_plain(asked), by_plain, _NEAREST, cutoff=0.0)
    return [by_plain[name] for name in near]


def _plain(text: str) -> str:
    return text.strip().casefold().replace(" ", "_")


def number(record: Record, field: str) -> int | None:
    """Return a value, written as number or as text, as an integer; None if it is empty.

    Raises:
        SchemaError: the value is not an integer.
    """
    value = record[field]
    if value is None or value == "":
        return None
    if not isinstance(value, bool) and _WHOLE.fullmatch(str(value)):
        return int(str(value).partition(".")[0])
    where = f"{record[COUNTRY]}, {record.get('dateRep', 'a day without date')}"
    raise SchemaError(
        f"{where}: {field} {value!r} is not a whole number; give another edition's url"
    )
