"""Finds months in file addresses, and turns the addresses into templates."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping
from functools import partial
from urllib.parse import unquote

from core.download.remote_file import file_name
from core.download.secrets import FIELD

YearMonth = tuple[int, int]

_YEAR, _MONTH = r"(?P<y>(?:19|20)\d\d)", r"(?P<m>0[1-9]|1[0-2])"
#: Year and month as written in addresses, the most distinctive first.
_WRITTEN = (
    rf"(?<!\d){_YEAR}(?P<s>[-_./]?){_MONTH}(?!\d)",
    # Not the day of a date and the year of the next one.
    rf"(?<!\d){_MONTH}(?P<s>[-_.]?){_YEAR}(?!\d|[-_./](0[1-9]|1[0-2])(?!\d))",
)
_DAY = r"(?P<d>0[1-9]|[12]\d|3[01])"
_DAYS = (
    (rf"(?<!\d){_YEAR}{_MONTH}{_DAY}(?!\d)", "{{year}}{{month:02}}{d}"),
    (rf"(?<!\d){_MONTH}{_DAY}{_YEAR}(?!\d)", "{{month:02}}{d}{{year}}"),
    (rf"(?<!\d){_DAY}{_MONTH}{_YEAR}(?!\d)", "{d}{{month:02}}{{year}}"),
)
#: A day beside the fields of its month: 2020-10-31, 31.10.2020, 10312020.
_DAY_AFTER = re.compile(r"(?P<before>\{year_month\}-|\{month:02\}[-_.]?)(?P<d>\d\d)(?!\d)")
_DAY_BEFORE = re.compile(r"(?P<before>(?<!\d))(?P<d>\d\d)(?=[-_.]?\{month:02\})")


def month_in(address: str) -> YearMonth | None:
    """Return the last month in an address, preferably in its file name; None if there is none."""
    return next(iter(months_in(address)[-1:]), None)


def months_in(address: str) -> list[YearMonth]:
    """Return the months in the file name of an address, or in the whole if that has none."""
    name = file_name(address)
    places = [(text, pattern) for text in (name, unquote(address)) for pattern in _WRITTEN]
    for text, pattern in (*places, (name, _DAYS[0][0])):
        if found := [(int(m["y"]), int(m["m"])) for m in re.finditer(pattern, text)]:
            return found
    return []


def template_of(address: str, month: YearMonth) -> str:
    """Return an address with its month replaced by fields; empty if it does not contain it."""
    text = address.replace("{", "{{").replace("}", "}}")
    text = re.sub(r"\{(\{secret\.[a-z0-9-]+\})\}", r"\1", text)
    for pattern in _WRITTEN:
        text = re.sub(pattern, partial(_fields, month), text)
    for pattern, fields in _DAYS:
        text = re.sub(pattern, partial(_day_fields, month, fields), text)
    for day in (_DAY_AFTER, _DAY_BEFORE):
        text = day.sub(partial(_last_day_field, month), text)
    if "{year" not in text:
        text = _apart(text, month)
    named = [part for part in ("{year", "{month") if part in text]
    return text if "{year_month}" in text or len(named) == 2 else ""


def templates(addresses: Mapping[str, YearMonth]) -> list[str]:
    """Return the distinct templates that produce all addresses, newest first."""
    newest = sorted(addresses, key=lambda address: addresses[address], reverse=True)
    found: list[str] = []
    for address in newest:
        year, month = addresses[address]
        if not any(filled(template, year, month) == address for template in found):
            found.append(template_of(address, (year, month)))
    return [template for template in found if template]


def filled(template: str, year: int, month: int) -> str:
    """Return the address of a month."""
    template = FIELD.sub(r"{\g<0>}", template)
    fields = {"year": year, "month": month, "year_month": f"{year:04}-{month:02}"}
    return template.format(**fields, last_day=calendar.monthrange(year, month)[1])


def late_days(template: str) -> Iterable[str]:
    """Return the days in a template that some months lack."""
    days = (m["d"] for pattern in (_DAY_AFTER, _DAY_BEFORE) for m in pattern.finditer(template))
    return [day for day in days if 28 < int(day) <= 31]


def fixed_months(template: str) -> list[str]:
    """Return the months and days in a template that are the same in every month's address."""
    patterns = (*_WRITTEN, *(pattern for pattern, _ in _DAYS))
    return [match[0] for pattern in patterns for match in re.finditer(pattern, template)]


def _fields(month: YearMonth, match: re.Match[str]) -> str:
    if (int(match["y"]), int(match["m"])) != month:
        return match[0]
    if match.start("m") < match.start("y"):
        return f"{{month:02}}{match['s']}{{year}}"
    return "{year_month}" if match["s"] == "-" else f"{{year}}{match['s']}{{month:02}}"


def _day_fields(month: YearMonth, fields: str, match: re.Match[str]) -> str:
    is_it = (int(match["y"]), int(match["m"])) == month
    return fields.format(d=match["d"]) if is_it else match[0]


def _last_day_field(month: YearMonth, match: re.Match[str]) -> str:
    is_last = int(match["d"]) == calendar.monthrange(*month)[1]
    return f"{match['before']}{{last_day}}" if is_last else match[0]


def _apart(text: str, month: YearMonth) -> str:
    """Replace a year and a month that follows it separately."""
    year = rf"(?<!\d){month[0]}(?!\d)"
    for number, field in ((f"{month[1]:02}", "{month:02}"), (str(month[1]), "{month}")):
        match = re.search(rf"{year}.*?(?<!\d)({number})(?!\d)", text)
        if match:
            text = text[: match.start(1)] + field + text[match.end(1) :]
            return re.sub(year, "{year}", text)
    return text
