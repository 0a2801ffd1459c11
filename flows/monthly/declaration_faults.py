"""All errors in a declaration of the right shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from string import Formatter
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.download import secrets
from monthly.columns import NUMBERS, fold, is_reserved
from monthly.convert.published_values import NULLS
from monthly.convert.time_formats import UnknownFormat, pattern_of
from monthly.declaration import NAME, Column, Declaration
from monthly.declaration_shape import Fault, near
from monthly.gates.thresholds import contradictions
from monthly.toml_lines import Path

#: Fields that an address may have.
FIELDS = ("color", "dataset", "year", "month", "year_month", "last_day")
_KINDS: Mapping[str, Collection[str]] = {
    "time": ("timestamp", "date"),
    "end": ("timestamp",),
    **dict.fromkeys(("amount", "price", "distance", "latitude", "longitude"), NUMBERS),
}
#: Tables of a warehouse besides those of the datasets.
LEDGERS = ("loaded_months", "rejected_rows")
_OF_DATABASES = ("pg_", "duckdb_", "sqlite_", "pragma_", "information_schema")
#: Postgres partitions: of a month, its replacement, and one that somebody detached.
_PARTITION = re.compile(r"\w+_\d{4}_\d\d(_new|_detached\w*)?")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")


def faults_of_meaning(name: str, declared: Declaration) -> Iterator[Fault]:
    """Yield the values that contradict each other or refer to something that does not exist."""
    yield from _names(name, declared)
    yield from _table(declared.table or name)
    if declared.text.line_breaks and not declared.text.quotes:
        message = "is for texts in quotes, and quotes = false says that there are none; remove one"
        yield Fault(("text", "line_breaks"), message)
    yield from _aliases(declared)
    for key, column in declared.columns.items():
        for fault in _column(declared, key, column):
            yield Fault(("columns", key, *fault.path), fault.message)
    yield from _roles(declared)
    for key, source in declared.sources.items():
        if key == "sample" or not re.fullmatch(r"[\w-]+", key):
            yield Fault(("sources", key), "is not a name that a source can have; choose another")
        for message in _source(source):
            yield Fault(("sources", key), message)
    yield from _zones(declared)
    yield from _extent(declared)
    for gate, message in contradictions(declared.gates):
        yield Fault(("gates", gate), message)


def _names(name: str, declared: Declaration) -> Iterator[Fault]:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        message = f"the file's name {name!r} names the dataset: lower-case letters, digits, _"
        yield Fault((), message)
    lower = Counter(key.lower() for key in declared.columns)
    for key in declared.columns:
        if not re.fullmatch(NAME, key):
            message = (
                "is not a column name: write letters, digits and underscores, not a digit first, "
                "63 at most, and the published name under aliases"
            )
            yield Fault(("columns", key), message)
        elif key.lower() == "file_month":
            yield Fault(("columns", key), "is the column that every dataset gets; choose another")
        elif lower[key.lower()] > 1:
            yield Fault(("columns", key), "differs from another column only in its case")
        elif is_reserved(key):
            message = "is a name that Postgres or BigQuery keeps for itself; choose another"
            yield Fault(("columns", key), message)
    if not declared.columns:
        yield Fault(("columns",), "is empty; declare a column as [columns.NAME]")


def _table(name: str) -> Iterator[Fault]:
    if name.lower() in LEDGERS:
        yield Fault(("table",), f"is {name!r}, the ledger of a warehouse; choose another name")
    elif name.lower().startswith(_OF_DATABASES):
        begins = ", ".join(_OF_DATABASES)
        yield Fault(("table",), f"is {name!r}; databases keep the names that begin with {begins}")
    elif _PARTITION.fullmatch(name):
        message = f"is {name!r}, which can be a month of another table; leave out the month"
        yield Fault(("table",), message)


def _aliases(declared: Declaration) -> Iterator[Fault]:
    owners: dict[str, str] = {}
    kept = {column.keep_text for column in declared.columns.values()}
    for key, column in declared.columns.items():
        for alias in column.aliases if key in kept or column.join else (key, *column.aliases):
            if not fold(alias):
                message = f"{alias!r} has no letter or digit to be known by"
                yield Fault(("columns", key, "aliases"), message)
            owner = owners.setdefault(fold(alias), key)
            if owner != key:
                message = f"{alias!r} is a name of {owner}, too; a name means one column"
                yield Fault(("columns", key, "aliases"), message)


def _column(declared: Declaration, key: str, column: Column) -> Iterator[Fault]:
    """Yield the faults of a column, with paths relative to it."""
    if any(key == other.keep_text for name, other in declared.columns.items() if name != key):
        yield from _kept(column)
        return
    yield from _codes(column)
    yield from _without_effect(declared, column)
    if column.keep_text:
        yield from _keeping(declared, key, column)
    yield from _of_type(declared, column)
    if len(column.join) == 1:
        yield Fault(("join",), "names one column; write two or more, or use aliases")
    if column.join and column.aliases:
        message = "are names in the file, where this column has none; name its parts under join"
        yield Fault(("aliases",), message)
    span = column.required
    if span and span.since and span.until and span.since > span.until:
        yield Fault(("required",), f"ends in {span.until} before it begins in {span.since}")


def _of_type(declared: Declaration, column: Column) -> Iterator[Fault]:
    """Yield the faults of a column's type, and the options that are for another."""
    digits = [int(text) for text in re.findall(r"\d+", column.type)]
    if column.type.startswith("decimal") and digits[0] < digits[1]:
        yield Fault(("type",), f"is {column.type}; of {digits[0]} digits, {digits[1]} are too many")
    if column.flag and column.type != "string":
        yield Fault(("flag",), f"is for a string column, not {column.type}")
    if column.formats and column.type not in ("timestamp", "date"):
        yield Fault(("formats",), f"are for times, not {column.type}")
    if column.zone and column.type != "timestamp":
        yield Fault(("zone",), f"is for timestamps, not {column.type}")
    for text in column.formats:
        try:
            pattern_of(text, declared.interval)
        except UnknownFormat as error:
            yield Fault(("formats",), str(error))


def _codes(column: Column) -> Iterator[Fault]:
    texts = [*column.codes, *column.without_code]
    kinds = {"int64": int, "string": str, "boolean": bool}
    wanted = kinds.get(column.type)
    if texts and wanted is None:
        yield Fault(("codes",), f"are for int64, string and boolean columns, not {column.type}")
        return
    for text, value in column.codes.items():
        if type(value) is not wanted:
            expected = f"{column.type}, as the column"
            yield Fault(("codes", text), f"is {value!r}; write a value of {expected}")
    for text, count in Counter(t.strip().upper() for t in texts).items():
        if count > 1:
            yield Fault(("codes",), f"have {text!r} twice; case does not tell codes apart")


def _without_effect(declared: Declaration, column: Column) -> Iterator[Fault]:
    """Yield the texts that are read as no value before they could be rejected."""
    for text in column.reject:
        if text.strip() in (*declared.text.nulls, *NULLS[1:]):
            message = f"has {text!r}, which means no value; write '' for rows without a value"
            yield Fault(("reject",), message)


def _kept(column: Column) -> Iterator[Fault]:
    """Yield the options of a column that no file has; they would have no effect."""
    for option, value in column:
        if value and option not in ("type", "description"):
            yield Fault((option,), "is for a column of the file; this one keeps texts of another")


def _keeping(declared: Declaration, key: str, column: Column) -> Iterator[Fault]:
    """Yield the faults of a column whose published text is kept in another."""
    keeper, path = declared.columns.get(column.keep_text), ("keep_text",)
    named = f"is {column.keep_text!r}, which"
    if keeper is None or keeper.type != "string":
        guess = near(column.keep_text, declared.columns)
        yield Fault(path, f"{named} is not a string column{guess}; declare it")
    elif keeper is column:
        yield Fault(path, f"{named} is the column itself; declare another string column")
    for other, each in declared.columns.items():
        if other == key:
            break
        if each.keep_text == column.keep_text:
            yield Fault(path, f"{named} keeps the texts of {other}; declare another string column")
    if not (column.codes or column.without_code):
        yield Fault(path, "keeps the texts of codes, and there are none; declare codes")


def _roles(declared: Declaration) -> Iterator[Fault]:
    for role, key in declared.roles.model_dump().items():
        path, column = ("roles", role), declared.columns.get(key)
        if not key:
            continue
        if column is None:
            guess = near(key, declared.columns)
            yield Fault(path, f"is {key!r}, which is not a declared column{guess}")
        elif column.type.partition("(")[0] not in _KINDS.get(role, (column.type,)):
            kinds = " or ".join(_KINDS[role])
            yield Fault(path, f"is {key!r}, a column of type {column.type}; it must be {kinds}")
    roles = declared.roles
    if roles.end and not roles.time:
        yield Fault(("roles", "end"), "needs a time, too; declare roles.time")
    if bool(roles.latitude) != bool(roles.longitude):
        yield Fault(("roles",), "have one of latitude and longitude; declare both or neither")


def _source(source: str | list[str]) -> Iterator[str]:
    for template in [source] if isinstance(source, str) else source:
        template = secrets.FIELD.sub("", template)
        try:
            fields = [(field, spec or "") for _, field, spec, _ in Formatter().parse(template)]
        except ValueError as error:
            yield f"{template!r} is not a template: {error}"
            continue
        for field, spec in fields:
            if field is not None and (field not in FIELDS or not re.fullmatch(r"0?\d?d?", spec)):
                shown = f"{{{field}{':' if spec else ''}{spec}}}"
                yield f"has the field {shown}{near(field, FIELDS)}; there are {', '.join(FIELDS)}"
    if not source:
        yield "has no address"


def _zones(declared: Declaration) -> Iterator[Fault]:
    zones: dict[Path, str] = {("time_zone",): declared.time_zone}
    zones |= {("columns", key, "zone"): c.zone for key, c in declared.columns.items()}
    if declared.schedule:
        zones["schedule", "zone"] = declared.schedule.zone
        yield from _cron(declared.schedule.cron)
        source = declared.schedule.source
        if source and source not in declared.sources:
            message = f"is {source!r}, which is not declared{near(source, declared.sources)}"
            yield Fault(("schedule", "source"), message)
    for path, zone in zones.items():
        if zone and not is_zone(zone) and not (path[0] == "columns" and _OFFSET.fullmatch(zone)):
            yield Fault(
                path, f"is {zone!r}, which is not a time zone; write one like Europe/Berlin"
            )
    for key, column in declared.columns.items():
        if column.zone and not declared.time_zone:
            message = "needs time_zone, too: the zone in which the times are kept"
            yield Fault(("columns", key, "zone"), message)


def _cron(line: str) -> Iterator[Fault]:
    # Imported here because only schedules need it; Prefect installs it.
    from croniter import croniter

    if len(line.split()) != 5 or not croniter.is_valid(line):
        yield Fault(("schedule", "cron"), f"is {line!r}, which is not a cron line of five fields")


def is_zone(name: str) -> bool:
    """Return whether a time zone exists."""
    try:
        return bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _extent(declared: Declaration) -> Iterator[Fault]:
    extent = declared.map
    if extent and not (extent.west < extent.east and extent.south < extent.north):
        yield Fault(("map",), "has no extent: west must be less than east, south than north")
