"""Joins times that span several columns: date and clock, or year, month and day."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import partial

from monthly.convert.month_names import NUMBER_OF
from monthly.describe.columns import Drafted, Proposal
from monthly.describe.naming import is_birth, words_of
from monthly.describe.toml_text import as_toml, bare
from monthly.describe.verdicts import Verdict
from monthly.describe.written_times import MONTH

#: Zone names that %Z in a format accepts.
ZONE_NAMES = frozenset(
    ["UTC", "GMT", "CET", "CEST", "EET", "EEST", "WET", "WEST", "EST", "EDT", "PST", "PDT"]
)
_DAY = 86_400_000_000  # microseconds
_CLOCK = re.compile("%[HI]")
_DATE_WORDS = re.compile(r"(^|_)(fecha|date|datum|day|dia|data|tag|jour|dt)(_|$)")
#: A clock that is not next to the date belongs to it only if its name says nothing else.
_CLOCK_NAME = re.compile(
    r"(local_?|utc_?|start_?)?(time|hour|hora|heures?|horaires?|uhrzeit|zeit|stunde|ora|tid)(_utc)?s?"
)
_DAY_OF_MONTH = re.compile(rf" ?{MONTH} \d{{1,2}}", re.IGNORECASE)
#: Hours and minutes in four digits, in a column that is named after them.
_COMPACT_CLOCK = re.compile(r"([01]\d|2[0-3])[0-5]\d|2400")
_COMPACT_NAME = re.compile(r"(^|_)(hhmm|time|hour|hora|heure|uhrzeit)(_|$)")
_YEAR = re.compile(r" ?(19|20)\d\d( .*)?")
_APART = {
    "%Y": r"year|anio|ano|annee|jahr|yyyy",
    "%m": r"month|mes|mois|monat|mm",
    "%d": r"day|dia|jour|tag|dd|day_?of_?month",
    "%H": r"hour|hora|heure|stunde|(?<![a-z])hh(?![a-z])",
}
_DIGITS = re.compile(r"\d{1,4}")
#: The lowest and highest number of each part.
_ENDS = {"%Y": (1900, 2100), "%m": (1, 12), "%d": (1, 31), "%H": (0, 24)}


def joined(columns: Sequence[Drafted]) -> list[Drafted]:
    """Return the columns and those joined from several of them; parts stay in the list."""
    found = [*columns]
    for date, clock in _pairs(columns):
        whole = _of_date_and_clock(date, clock, {c.name for c in found})
        found.insert(found.index(date), whole)
        date.is_part = _is_within(date, whole) and date.known == clock.known
        clock.is_part = _is_within(clock, whole) and clock.known <= date.known
    for day, year in itertools.pairwise(columns):
        if is_day_of_year(day, year):
            whole = _of_day_and_year(day, year, {c.name for c in found})
            found.insert(found.index(day), whole)
            day.is_part = _is_within(day, whole)
    has_time = any(c.verdict.times and not is_birth(c.name) for c in found)
    if not has_time and (apart := _apart(columns)):
        found.insert(0, apart)
    return found


def _is_within(part: Drafted, whole: Drafted) -> bool:
    """Return whether each file with a part has the joined column, and the part has one name."""
    return part.seen.keys() <= whole.seen.keys() and not part.aliases


def propose_zones(columns: Sequence[Drafted]) -> None:
    """Propose an instant joined from a date, a clock and a zone name."""
    for place, zone in enumerate(columns):
        clocks = [c for c in columns[:place] if _is_clock(c)]
        dates = [c for c in columns[:place] if _is_date(c)]
        if has_zone_names(zone) and clocks and dates:
            date, clock = dates[-1], clocks[-1]
            parts = as_toml([date.published, clock.published, zone.published])
            day = (date.verdict.formats or ("%Y-%m-%d",))[0]
            formats = as_toml([f"{day} {text} %Z" for text in _clock_formats(clock)])
            why = (
                "Names of zones, which distinguish hours that occur twice. To keep instants in the "
                "dataset's time_zone, write:"
            )
            lines = (
                *("[columns.instant]", 'type = "timestamp"', 'description = "Instant"'),
                *(f"join = {parts}", f"formats = {formats}"),
            )
            zone.proposals = [Proposal(why, lines)]
            return


def has_zone_names(column: Drafted) -> bool:
    """Return whether all texts of a column are names of time zones."""
    texts = {text for values in column.seen.values() for text in values.distinct}
    return bool(texts) and texts <= ZONE_NAMES


def _clock_formats(clock: Drafted) -> list[str]:
    if _is_compact_clock(clock):
        return ["%H%M"]
    formats = {text for values in clock.seen.values() for text in values.times.clock_formats}
    return sorted(formats or {"%H"})


def _pairs(columns: Sequence[Drafted]) -> list[tuple[Drafted, Drafted]]:
    """Return dates and their clocks, the surest first, unless a column has both."""
    dates = [c for c in columns if _is_date(c) and not any(_has_both(each, c) for each in columns)]
    clocks = [c for c in columns if _is_clock(c)]
    found: list[tuple[Drafted, Drafted]] = []
    for belong in (_are_alike, partial(_are_next, columns)):
        for date in dates:
            used = {column.name for pair in found for column in pair}
            free = [c for c in clocks if c.name not in used and c.seen.keys() & date.seen.keys()]
            if date.name not in used:
                found += [(date, clock) for clock in free if belong(date, clock)][:1]
    used = {column.name for pair in found for column in pair}
    alone = [clock for clock in clocks if clock.name not in used]
    if len(alone) == 1 and _CLOCK_NAME.fullmatch(alone[0].name):
        free = [c for c in dates if c.name not in used and not is_birth(c.name)]
        free = [c for c in free if c.seen.keys() & alone[0].seen.keys()]
        found += [(date, alone[0]) for date in free if len(free) == 1]
        if len(free) > 1:
            alone[0].proposals.append(_proposed(free, alone[0], {c.name for c in columns}))
    return found


def _are_alike(date: Drafted, clock: Drafted) -> bool:
    return words_of(clock.published) == words_of(date.published)


def _are_next(columns: Sequence[Drafted], date: Drafted, clock: Drafted) -> bool:
    """Return whether a clock stands right after a date, which is not one of birth."""
    names = [column.name for column in columns]
    return names.index(clock.name) == names.index(date.name) + 1 and not is_birth(date.name)


def _proposed(dates: Sequence[Drafted], clock: Drafted, taken: set[str]) -> Proposal:
    """Propose to join a clock to one of several dates; nothing tells which."""
    named = " or ".join(repr(bare(date.published, 60)) for date in dates)
    why = f"Perhaps the time of day of {named}. To join it to the last of them, write:"
    whole = _of_date_and_clock(dates[-1], clock, taken)
    formats = [f"formats = {as_toml([*whole.verdict.formats])}"] if whole.verdict.formats else []
    lines = (
        *(f"[columns.{whole.name}]", 'type = "timestamp"'),
        f"description = {as_toml(bare(whole.published))}",
        *(f"join = {as_toml([bare(name) for name in whole.join])}", *formats),
    )
    return Proposal(why, lines)


def _is_date(column: Drafted) -> bool:
    formats = column.verdict.formats
    return column.verdict.type == "date" and all("%d" in text for text in formats)


def _is_clock(column: Drafted) -> bool:
    if column.verdict.is_clock or _is_compact_clock(column):
        return True
    ranges = [values.numbers.range["point"] for values in column.seen.values()]
    is_hour = column.verdict.type == "int64" and re.search(_APART["%H"], column.name)
    return bool(is_hour) and all(r.low >= 0 and r.high <= 24 for r in ranges)


def _is_compact_clock(column: Drafted) -> bool:
    """Return whether a column has times of day such as 0905, all with leading zeros."""
    texts = [text for values in column.seen.values() for text in values.distinct]
    is_named = column.verdict.type == "string" and _COMPACT_NAME.search(column.name)
    return bool(is_named and texts) and all(map(_COMPACT_CLOCK.fullmatch, texts))


def _has_both(column: Drafted, date: Drafted) -> bool:
    """Return whether a column has the same days as another, plus the time of day."""
    if column.verdict.type != "timestamp" or column.seen.keys() != date.seen.keys():
        return False
    pairs = zip(column.verdict.times, date.verdict.times)
    return all(_day(a.low) == b.low and _day(a.high) == b.high for a, b in pairs)


def _day(time: int | None) -> int | None:
    return None if time is None else time - time % _DAY


def _of_date_and_clock(date: Drafted, clock: Drafted, taken: set[str]) -> Drafted:
    clocks = _clock_formats(clock)
    dates = date.verdict.formats
    rest = _DATE_WORDS.sub("_", date.name).strip("_")
    name = f"{rest}_at" if rest else "date_time"
    shared = date.seen.keys() & clock.seen.keys()
    return Drafted(
        name=name if name not in taken else f"{date.name}_{clock.name}",
        published=f"{date.published} and {clock.published}",
        seen={n: values for n, values in date.seen.items() if n in shared},
        places={},
        verdict=Verdict(
            "timestamp",
            tuple(f"{each} {text}" for each in dates for text in clocks),
            times=tuple(times for n, times in date.times.items() if n in shared),
            rejected=date.verdict.rejected | clock.verdict.rejected,
        ),
        parts=[date, clock],
        ends_interval=_ends_at_24(clock),
    )


def is_day_of_year(day: Drafted, year: Drafted) -> bool:
    """Return whether a column has days such as `March 01`, and another one their years."""
    days = [text for values in day.seen.values() for text in values.distinct]
    years = [text for values in year.seen.values() for text in values.distinct]
    is_whole = day.known == year.known and all(len(text.strip()) == 4 for text in years)
    return is_whole and day.seen.keys() == year.seen.keys() and is_split_date(days, years)


def is_split_date(days: Sequence[str], years: Sequence[str]) -> bool:
    """Return whether texts are days such as `March 01`, and others years, with or without clock."""
    if not days or not years:
        return False
    return all(map(_DAY_OF_MONTH.fullmatch, days)) and all(map(_YEAR.fullmatch, years))


def _of_day_and_year(day: Drafted, year: Drafted, taken: set[str]) -> Drafted:
    name = "date" if "date" not in taken else f"{day.name}_{year.name}"
    both, kind = f"{day.published} and {year.published}", Verdict("date", ("%b %d %Y",))
    return Drafted(name, both, day.seen, {}, kind, parts=[day, year])


def _ends_at_24(clock: Drafted) -> bool:
    """Return whether hours run to 24 and so mark the end of an interval."""
    ranges = [values.numbers.range["point"].high for values in clock.seen.values()]
    texts = [text for values in clock.seen.values() for text in values.distinct]
    return 24 in ranges or any(text == "2400" or text.startswith("24:") for text in texts)


def _apart(columns: Sequence[Drafted]) -> Drafted | None:
    """Return a time joined from year, month and, if present, day and hour."""
    found: dict[str, Drafted] = {}
    for part, names in _APART.items():
        for column in columns:
            if re.fullmatch(f"(co_)?({names})", column.name) and _format_of_part(part, column):
                found.setdefault(part, column)
    if not {"%Y", "%m"} <= found.keys():
        return None
    shared = found["%Y"].seen.keys() & found["%m"].seen.keys()
    parts = [
        *itertools.takewhile(
            lambda part: part in found and found[part].seen.keys() >= shared, _APART
        )
    ]
    if not shared:
        return None
    formats = (" ".join(_format_of_part(part, found[part]) for part in parts),)
    name = "date" if all(column.name != "date" for column in columns) else "date_of_parts"
    used = [found[part] for part in parts]
    return Drafted(
        name=name,
        published=" ".join(column.published for column in used),
        seen={n: values for n, values in used[0].seen.items() if n in shared},
        places={},
        verdict=Verdict("timestamp" if "%H" in parts else "date", formats),
        parts=used,
    )


def _format_of_part(part: str, column: Drafted) -> str:
    """Return how a column writes a part of a time; empty if it has anything else."""
    seen = [values for values in column.seen.values() if values.known]
    texts = {text.strip() for values in seen for text in values.distinct}
    if part == "%m" and texts and all(text.strip(".").lower() in NUMBER_OF for text in texts):
        return "%b"
    ranges = [r for v in seen for r in (v.numbers.range["point"], v.range) if r.low <= r.high]
    ends = [end for r in ranges for end in (r.low, r.high)]
    if column.verdict.kind != "int64" and all(map(_DIGITS.fullmatch, texts)):
        ends += map(int, texts)  # with leading zeros
    elif column.verdict.kind != "int64":
        return ""
    low, high = _ENDS[part]
    return part if ends and low <= min(ends) and max(ends) <= high else ""
