"""The names of numbered places such as TLC's taxi zones, from a table in the bucket."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence

from core.errors import SchemaError
from core.storage.bucket import Bucket
from monthly.columns import fold

#: The columns of TLC's "Taxi Zone Lookup Table (CSV)" as published, except `service_zone`. They
#: match regardless of case, since some copies of the table have them in lower case.
_COLUMNS = ("LocationID", "Borough", "Zone")
#: Texts for the unknown zones 264 and 265; they are strings, not missing values.
_NOTHING = ("Unknown", "N/A")


def place_names(bucket: Bucket, key: str) -> Mapping[int, str]:
    """Return names such as `Upper East Side South, Manhattan`; empty if there is no table.

    Args:
        bucket: the bucket.
        key: the declared key of the table; empty for none.

    Raises:
        SchemaError: the object is not such a table.
    """
    stored = bucket.read(key) if key else None
    if stored is None:
        return {}
    try:
        return _parse(stored.data.decode("utf-8-sig"))
    except (ValueError, csv.Error) as error:
        raise SchemaError(
            f"{bucket.uri(key)} is not a table of places as TLC publishes it for taxi zones "
            f"({error}); replace or remove it"
        ) from error


def _parse(text: str) -> dict[int, str]:
    rows = csv.DictReader(text.splitlines())
    published = {fold(name): name for name in rows.fieldnames or ()}
    if missing := [name for name in _COLUMNS if fold(name) not in published]:
        raise ValueError(f"it has no column {', '.join(missing)}")
    names = [published[fold(name)] for name in _COLUMNS]
    return dict(_place([row[name] for name in names], rows.line_num) for row in rows)


def _place(row: Sequence[str | None], line: int) -> tuple[int, str]:
    number, borough, zone = row
    if number is None or borough is None or zone is None:
        raise ValueError(f"line {line} has too few fields")
    return int(number), _name(zone, borough)


def _name(zone: str, borough: str) -> str:
    """Return zone and borough, or whichever is known."""
    known = dict.fromkeys(part for part in (zone, borough) if part not in _NOTHING)
    return ", ".join(known) or "Unknown"
