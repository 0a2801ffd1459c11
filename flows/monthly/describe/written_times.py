"""Finds the formats of a written time, by its form alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monthly.convert.month_names import NUMBER_OF
from monthly.convert.time_formats import halves_of

#: Names of months, the longest first.
MONTH = f"(?:{'|'.join(sorted(NUMBER_OF, reverse=True))})"
#: Dates and their formats, with {s} for the separator; several where the order is ambiguous.
_DATES: Sequence[tuple[str, tuple[str, ...]]] = (
    (r"\d{4}(?P<s>[-/.])\d{1,2}(?P=s)\d{1,2}", ("%Y{s}%m{s}%d",)),
    (r"\d{1,2}(?P<s>[-/. ])\d{1,2}(?P=s)\d{4}", ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y")),
    (r"\d{1,2}(?P<s>[-/.])\d{1,2}(?P=s)\d{2}", ("%d{s}%m{s}%y", "%m{s}%d{s}%y", "%y{s}%m{s}%d")),
    (rf"\d{{1,2}}(?P<s>[-/. ]){MONTH}\.?(?P=s)\d{{4}}", ("%d{s}%b{s}%Y",)),
    (rf"\d{{1,2}}(?P<s>[-/. ]){MONTH}\.?(?P=s)\d{{2}}", ("%d{s}%b{s}%y",)),
    (rf"(?P<s>)\d{{1,2}}\. {MONTH} \d{{4}}", ("%d. %b %Y",)),
    (rf"\d{{4}}(?P<s>[-/. ]){MONTH}(?P=s)\d{{1,2}}", ("%Y{s}%b{s}%d",)),
    (rf"(?P<s>){MONTH}\.? \d{{1,2}}, \d{{4}}", ("%b %d, %Y",)),
    (rf"(?P<s>){MONTH}\.? \d{{1,2}} \d{{4}}", ("%b %d %Y",)),
    (r"(?P<s>)\d{8}(?=[ T])", ("%Y%m%d",)),
)
#: Months, which have no time of day.
_MONTHS: Sequence[tuple[str, tuple[str, ...]]] = (
    (r"\d{4}(?P<s>[-/.])\d{1,2}", ("%Y{s}%m",)),
    (r"\d{1,2}(?P<s>[-/])\d{4}", ("%m{s}%Y",)),
    (rf"{MONTH}\.?(?P<s>[-/ ])\d{{4}}", ("%b{s}%Y",)),
    (rf"{MONTH}\.?(?P<s>[-/ ])\d{{2}}", ("%b{s}%y",)),
    (rf"\d{{4}}(?P<s>[-/ ]){MONTH}\.?", ("%Y{s}%b",)),
    *(
        quarter
        for letter in "QT"  # trimestre
        for quarter in (
            (rf"\d{{4}}(?P<s>[-/. ]?){letter}[1-4]", (f"%Y{{s}}{letter}%q",)),
            (rf"{letter}[1-4](?P<s>[-/. ]?)\d{{4}}", (f"{letter}%q{{s}}%Y",)),
            (rf"[1-4]{letter}(?P<s>[-/. ]?)\d{{4}}", (f"%q{letter}{{s}}%Y",)),
        )
    ),
    (r"\d{4}(?P<s>)M(?:0[1-9]|1[0-2])", ("%YM%m",)),
    (r"[1-4](?P<s>)\. Quartal \d{4}", ("%q. Quartal %Y",)),
)
_CLOCK = re.compile(
    r"(?P<t>T|,? {1,2})(?:(?P<m>\d{1,2}:\d{2})(?P<sec>:\d{2})?(?P<f>[.,]\d{1,9})?"
    r"|\d{1,2}(?P<dots>\.\d{2}\.\d{2})(?P<of_dots>\.\d{1,9})?|\d{1,2}(?P<h>h)\d{2}"
    r"|(?P<bare>\d{4}(?P<two>\d{2})?)|\d{1,2})"
    r"(?P<p> ?[AaPp]\.?[Mm]\.?)?"
    r"(?P<z> ?(?:Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}))?"
    r"(?P<name> ?(?P<open>\()?(?:UTC|GMT|E[SD]T|P[SD]T|CES?T|EES?T|WES?T)(?(open)\)))?"
)
#: As Java writes a zone after its offset; the format has it literally.
_ZONE_IN_BRACKETS = re.compile(r"\[[A-Za-z]+(/[A-Za-z_]+)+\]$")
_DAY_OF_WEEK = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?(?P<s>,? )", re.IGNORECASE)
#: What separates the times of an interval in one text.
_BETWEEN = (" - ", " \u2013 ", " to ", "/")


def formats_of(text: str) -> tuple[str, ...]:
    """Return the formats that fit a text; empty if it is not a time."""
    if zone := _ZONE_IN_BRACKETS.search(text):
        return tuple(f"{each}{zone[0]}" for each in formats_of(text[: zone.start()]))
    if day := _DAY_OF_WEEK.match(text):
        formats = formats_of(text[day.end() :])
        return tuple(f"%a{day['s']}{each}" for each in formats)
    for pattern, formats in _DATES:
        match = re.match(pattern, text, re.IGNORECASE)
        if match and (clock := clock_of(text[match.end() :])) is not None:
            return tuple(f.format(s=match["s"]) + clock for f in formats)
    for pattern, formats in _MONTHS:
        if match := re.fullmatch(pattern, text, re.IGNORECASE):
            return tuple(f.format(s=match["s"]) for f in formats)
    return _formats_of_interval(text)


def _formats_of_interval(text: str) -> tuple[str, ...]:
    """Return the formats of two times of day in one text; empty if it is not such a text.

    Two dates do not count: the end of a period of arbitrary length must not get lost.
    """
    for between in _BETWEEN:
        start, found, end = text.partition(between)
        if not found:
            continue
        starts, clock = formats_of(start), (clock_of(f" {end}") or "").strip()
        ends = formats_of(end) or (clock,) * len(starts)
        formats = tuple(map(between.join, zip(starts, ends)))
        if formats and all("%M" in each and len(halves_of(each)) > 1 for each in formats):
            return formats
    return ()


def clock_of(text: str) -> str | None:
    """Return the format of what follows a date; None if it is not a time of day."""
    if not text:
        return ""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    half = match["p"] or ""
    clock = "%I" if half else "%H"
    clock += ".%M.%S" if match["dots"] else "h%M" if match["h"] else ""
    clock += ":%M" if match["m"] else "%M" if match["bare"] else ""
    clock += ":%S" if match["sec"] else "%S" if match["two"] else ""
    fraction = match["f"] or match["of_dots"]
    clock += f"{fraction[0]}%f" if fraction else ""
    clock += f"{' ' if half.startswith(' ') else ''}%p" if half else ""
    if found := match["z"]:
        clock += " %z" if found.startswith(" ") else "%z"
    return match["t"] + clock + re.sub("[A-Z]+", "%Z", match["name"] or "")
