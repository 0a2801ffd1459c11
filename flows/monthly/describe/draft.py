"""The draft of a declaration, before it is written as TOML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import UsageError
from monthly.columns import fold
from monthly.convert.readings import Mark
from monthly.describe.addresses import YearMonth
from monthly.describe.columns import Drafted, columns_of, is_left_out
from monthly.describe.joins import is_split_date, joined, propose_zones
from monthly.describe.layout import TextLayout
from monthly.describe.marks import mark_of
from monthly.describe.months import month_of
from monthly.describe.published import Published, plain_quotes
from monthly.describe.recognized_texts import is_period
from monthly.describe.roles import note_time, roles_of
from monthly.describe.total_rows import propose_rejects
from monthly.describe.values import Values
from monthly.describe.zone_names import (
    note_bare_times,
    propose_other_zones,
    proposed_zones,
    zone_doubts,
    zones_of,
)

_NO_LAYOUT = TextLayout("utf-8", ",", 0, 0, (), 0, False)


@dataclass
class Draft:
    """The draft of a declaration.

    Attributes:
        name: the dataset.
        files: the files, oldest first.
        months: their months.
        columns: the columns, including parts of joined ones.
        mark: the decimal mark.
        is_mark_declared: whether the mark must be declared.
        header: the names of the fields, if the draft names them.
        roles: the column of each role.
        time_zone: the zone of the times, if known.
        interval: whether times are the start or end of intervals.
        outside: whether most times of a file are outside its month, or missing.
        rejected: the largest share of unreadable rows in any file.
        notes: what is uncertain about the dataset.
        proposals: lines of TOML to consider.
    """

    name: str
    files: Sequence[Published]
    months: Sequence[YearMonth]
    columns: Sequence[Drafted]
    mark: Mark
    is_mark_declared: bool
    header: Sequence[str]
    roles: Mapping[str, Drafted]
    time_zone: str
    interval: str
    outside: bool = False
    rejected: float = 0.0
    notes: list[str] = field(default_factory=list)
    proposals: list[str] = field(default_factory=list)

    @property
    def layouts(self) -> list[TextLayout]:
        """Return the layouts of the text files."""
        return [file.layout for file in self.files if file.layout]

    @property
    def nulls(self) -> list[str]:
        """Return the texts that mean null."""
        return sorted({text for c in self.columns for text in c.verdict.nulls})

    @property
    def left_out(self) -> list[Values]:
        """Return the published columns that have values but cannot be declared."""
        if self.header:
            return []
        return [v for file in self.files for v in file.columns if v.known and is_left_out(v)]

    @property
    def lines(self) -> int:
        """Return the lines before the header, or before the first row if the draft names fields."""
        return max((x.skipped if self.header else x.lines for x in self.layouts), default=0)


def draft_of(name: str, files: Sequence[Published]) -> Draft:
    """Return the draft of a dataset.

    Raises:
        UsageError: no single declaration fits all files.
    """
    ordered = sorted(((month_of(file), file.address, file) for file in files), key=lambda f: f[:2])
    months, files = [month for month, _, _ in ordered], [file for _, _, file in ordered]
    by_place = any(map(_needs_names, files))
    _refuse_apart(files, by_place)
    for file in files:
        _refuse_split_dates(file)
    mark, is_declared, notes = mark_of(files)
    published = columns_of(files, months, mark, by_place)
    propose_zones(published)
    propose_rejects(published, files, mark)
    columns = joined(published)
    roles = roles_of(columns, months, mark)
    note_time(columns, months, roles.get("time"))
    zones = zones_of(columns, roles)
    draft = Draft(
        name,
        files,
        months,
        columns,
        mark,
        is_declared,
        [column.name for column in published] if by_place else (),
        roles,
        zones[0] if len(zones) == 1 else "",
        _interval(roles, months),
        notes=[*notes, *zone_doubts(columns, zones)],
        proposals=[*proposed_zones(zones, columns, roles)],
    )
    draft.notes += _notes(draft)
    propose_other_zones(columns, draft.time_zone)
    note_bare_times(columns, draft.time_zone)
    return draft


def _needs_names(file: Published) -> bool:
    """Return whether the header of a file fails to distinguish its fields."""
    if file.layout is None:
        return False
    names = file.layout.names
    nameless = [v for v in file.columns if not fold(v.name) and v.known]
    if nameless == file.columns[:1] and nameless[0].numbers.whole and nameless[0].is_key:
        names, nameless = names[1:], []  # row numbers, as pandas writes them
    return bool(nameless) or not file.layout.can_tell(names)


def _refuse_apart(files: Sequence[Published], by_place: bool) -> None:
    """Raise if one `[text]` table cannot describe all files."""
    layouts = {file.name: file.layout or _NO_LAYOUT for file in files if file.layout or by_place}
    first = next(iter(layouts), "")
    for name, layout in layouts.items():
        lines = (layouts[first].lines, layout.lines)
        if by_place:
            lines = (layouts[first].skipped, layout.skipped)
        fields = (layouts[first].fields, layout.fields) if by_place else (0, 0)
        for what, (one, other) in (("lines before the rows", lines), ("fields", fields)):
            if one != other:
                raise UsageError(
                    f"{first} has {one} {what}, {name} {other}; one declaration cannot hold for "
                    "both: describe them separately"
                )


def _refuse_split_dates(file: Published) -> None:
    """Raise if the separator splits dates such as `March 01, 2021`, which shifts all names."""
    if file.layout is None or len(file.layout.names) == file.layout.fields:
        return
    for day, year in zip(file.columns, file.columns[1:]):
        rest = [*year.distinct]
        if not is_split_date([*day.distinct], rest):
            continue
        if not file.layout.names and len(rest[0].strip()) == len("2021"):
            continue  # no name is shifted, and the two are joined
        whole = f"{next(iter(day.distinct))},{rest[0]}"
        raise UsageError(
            f"{file.name}: the separator {file.layout.separator!r} splits its dates, such as "
            f"{whole!r} in column {day.name!r}; quote them, or choose another source"
        )


def _interval(roles: Mapping[str, Drafted], months: Sequence[YearMonth]) -> str:
    """Return "end" if hours reach 24 or times run to the start of the next month, else "start"."""
    column = roles.get("time")
    if not column:
        return "start"
    ends = [
        _first_moment(months[n], 1) == times.high and (times.low or 0) > _first_moment(months[n])
        for n, times in column.times.items()
    ]
    return "end" if column.ends_interval or (ends and all(ends)) else "start"


def _first_moment(month: YearMonth, later: int = 0) -> int:
    """Return the start of a month, or of a later one, in microseconds since 1970."""
    first = np.datetime64(f"{month[0]:04}-{month[1]:02}", "M") + np.timedelta64(later, "M")
    return int(first.astype("datetime64[us]").astype(np.int64))


def _why_left_out(values: Values) -> str:
    is_nameless = not values.name.strip() or values.native is None
    return "it has no name" if is_nameless else f"a table has no type {values.native}"


def _notes(draft: Draft) -> list[str]:
    notes = [
        f"Column {values.name!r} is left out: {_why_left_out(values)}." for values in draft.left_out
    ]
    notes += [
        f"{file.name} {_noted(file)}, which are rejected: {file.notes} lines."
        for file in draft.files
        if file.notes
    ]
    notes += [
        f"{file.name} has its header again between the rows; such lines are rejected."
        for file in draft.files
        if any(values.has_header for values in file.columns)
    ]
    notes += [
        f"Two lines of {file.name} could be its header: the second is taken, the first is "
        f"{file.layout.above!r}."
        for file in draft.files
        if file.layout and file.layout.above
    ]
    notes += [
        f"{plain_quotes(file)} In other lines, quotes do or may enclose one: "
        "see whether quotes = false in [text] is right."
        for file in draft.files
        if file.quotes and file.quoted.plain
    ]
    notes += [*_wide(draft.files)]
    encodings = {layout.encoding for layout in draft.layouts}
    if len(encodings) > 1:
        notes.append(f"The files are encoded differently: {', '.join(sorted(encodings))}.")
    if "time" not in draft.roles:
        unknown = [file.name for file in draft.files if not file.month]
        notes += [f"Nothing says the month of {name}." for name in unknown]
        is_time = "has the time of its rows" if any(c.times for c in draft.columns) else "is a time"
        notes.append(f"No column {is_time}: nothing tells whether a file is of its month.")
    return notes


def _noted(file: Published) -> str:
    are_comments = all(reject.text.startswith("#") for reject in file.rejects)
    return "has comments" if are_comments else "ends in notes"


def _wide(files: Iterable[Published]) -> Iterator[str]:
    """Yield a comment on each file with columns that are named after years, months or days."""
    for file in files:
        if names := [values.name for values in file.columns if is_period(values.name)]:
            shown = " to ".join(map(repr, dict.fromkeys((names[0], names[-1]))))
            yield (
                f"{file.name} is a wide table: {len(names)} of its columns are named after a time, "
                f"{shown}. The next one will be unknown, which fails its month. If the "
                "publisher has a long table, with the month in a column, describe that one; else "
                'declare each column, or write new_columns = "keep" to load new ones as text.'
            )
