"""Collects the columns of files, and merges those that were renamed between eras."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monthly.columns import fold
from monthly.convert.readings import Mark
from monthly.describe.addresses import YearMonth
from monthly.describe.naming import identifiers, likeness
from monthly.describe.orders import order_of
from monthly.describe.published import Published
from monthly.describe.times import Reading
from monthly.describe.toml_text import as_toml
from monthly.describe.values import Values, range_of
from monthly.describe.verdicts import Verdict, verdict

#: Names with at least this likeness may mean the same column.
_ALIKE = 0.6
#: A column with at most this many distinct texts is a category.
_FEW = 12


@dataclass(frozen=True)
class Proposal:
    """Commented lines that a draft proposes for a column of the declaration.

    Attributes:
        why: the purpose of the lines.
        lines: lines of TOML.
    """

    why: str
    lines: Sequence[str]


@dataclass
class Drafted:
    """A column of the draft.

    Attributes:
        name: the name in the draft.
        published: its name in the newest file that has it.
        seen: its values, by index of the file.
        places: its position in each of those files.
        verdict: its type.
        aliases: other names in the files.
        renamed: names in older files that were matched by likeness alone.
        parts: the columns that it is joined from.
        ends_interval: whether it is the end of an interval, since its hours reach 24.
        is_part: whether it is left out because it is part of another column.
        notes: what is uncertain about it.
        proposals: what to consider.
    """

    name: str
    published: str
    seen: dict[int, Values]
    places: dict[int, int]
    verdict: Verdict
    aliases: list[str] = field(default_factory=list)
    renamed: Sequence[str] = ()
    parts: Sequence[Drafted] = ()
    ends_interval: bool = False
    is_part: bool = False
    notes: list[str] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def join(self) -> list[str]:
        """Return the published columns that it is joined from."""
        return [part.published for part in self.parts]

    @property
    def times(self) -> Mapping[int, Reading]:
        """Return the reading of its times in each file that has some, by index of the file."""
        return dict(zip((n for n in sorted(self.seen) if self.seen[n].known), self.verdict.times))

    @property
    def known(self) -> int:
        """Return the number of rows with a value."""
        return sum(values.known for values in self.seen.values())


@dataclass
class _Found:
    """A published column of some files, the newest name first.

    Attributes:
        names: its names.
        seen: its values, by index of the file.
        places: its position in each of those files.
        renamed: names matched by likeness alone.
    """

    names: list[str]
    seen: dict[int, Values]
    places: dict[int, int]
    renamed: list[str] = field(default_factory=list)

    def verdict(self, months: Sequence[YearMonth], mark: Mark, order: str = "") -> Verdict:
        """Return the type of its values."""
        files = sorted(self.seen)
        return verdict([self.seen[n] for n in files], [months[n] for n in files], mark, order)


def columns_of(
    files: Sequence[Published], months: Sequence[YearMonth], mark: Mark, by_place: bool
) -> list[Drafted]:
    """Return the columns of the files, in the order of the newest file.

    Args:
        files: the files, oldest first.
        months: their months.
        mark: their decimal mark.
        by_place: whether columns are matched by position because the draft names the fields.
    """
    found = _by_place(files) if by_place else _as_one(_by_name(files), months, mark)
    published = [name for each in found for name in each.names]
    names = identifiers([each.names[0] for each in found], published)
    drafted = [_drafted(name, each, months, mark) for name, each in zip(names, found)]
    if by_place:
        for column in drafted:
            column.notes[:0] = [f"Published as {column.published!r}."] if column.published else []
            column.published, column.aliases = column.name, []
    if order := _order_of(drafted):
        for each, column in zip(found, drafted):
            if column.verdict.is_open:
                column.verdict = each.verdict(months, mark, order)
                column.notes = [*column.verdict.notes]
    _propose_codes(drafted)
    return drafted


def _order_of(columns: Sequence[Drafted]) -> str:
    """Return the order of day and month in the columns that decide it; empty if they differ."""
    decided = [text for c in columns if not c.verdict.is_open for text in c.verdict.formats]
    return order_of([text for text in decided if "%d" in text and "%m" in text])


def is_left_out(values: Values) -> bool:
    """Return whether a column cannot be declared: it has no name or an unsupported type."""
    return not fold(values.name) or not (values.has_text or values.has_known_type)


def _by_place(files: Sequence[Published]) -> list[_Found]:
    """Return the columns by position, which must be the same in all files.

    Trailing fields that have neither a name nor a value are no columns.
    """
    first = files[-1]
    last = max(n for file in files for n, v in enumerate(file.columns) if fold(v.name) or v.known)
    return [
        _Found(
            [values.name],
            {n: f.columns[place] for n, f in enumerate(files) if place < len(f.columns)},
            {n: place for n, f in enumerate(files) if place < len(f.columns)},
        )
        for place, values in enumerate(first.columns[: last + 1])
    ]


def _by_name(files: Sequence[Published]) -> list[_Found]:
    """Return the columns by folded name, those of the newest file first."""
    found: dict[str, _Found] = {}
    for number, file in reversed(list(enumerate(files))):
        for place, values in enumerate(file.columns):
            if is_left_out(values):
                continue
            column = found.setdefault(fold(values.name), _Found([], {}, {}))
            if number not in column.seen:
                column.names += [values.name] if values.name not in column.names else []
                column.seen[number], column.places[number] = values, place
    return list(found.values())


def _drafted(name: str, found: _Found, months: Sequence[YearMonth], mark: Mark) -> Drafted:
    folded = {fold(name)}
    aliases = []
    for published in found.names:
        if fold(published) not in folded:
            aliases.append(published)
            folded.add(fold(published))
    kind = found.verdict(months, mark)
    return Drafted(
        name,
        found.names[0],
        found.seen,
        found.places,
        kind,
        aliases,
        found.renamed,
        notes=[*kind.notes],
    )


def _as_one(found: list[_Found], months: Sequence[YearMonth], mark: Mark) -> list[_Found]:
    """Merge columns of different eras that mean the same, the most alike first."""
    pairs = sorted(_alike(found, months, mark), reverse=True)
    while pairs:
        _, new, old = pairs[0]
        one, other = found[new], found[old]
        merged = _Found(
            [*one.names, *other.names],
            other.seen | one.seen,
            other.places | one.places,
            [*one.renamed, *other.names],
        )
        found = [merged if n == new else each for n, each in enumerate(found) if n != old]
        pairs = sorted(_alike(found, months, mark), reverse=True)
    return found


def _alike(
    found: Sequence[_Found], months: Sequence[YearMonth], mark: Mark
) -> Iterator[tuple[float, int, int]]:
    for new, one in enumerate(found):
        for old, other in enumerate(found):
            if max(other.seen) >= min(one.seen):
                continue
            score = max(likeness(a, b) for a in one.names for b in other.names)
            if score < _ALIKE or not _same_sort(one, other, mark):
                continue
            if _fit(one.verdict(months, mark), other.verdict(months, mark)):
                yield score, new, old


def _fit(one: Verdict, other: Verdict) -> bool:
    numbers = ("int64", "float64")
    return one.type == other.type or (one.type in numbers and other.type in numbers)


def _same_sort(one: _Found, other: _Found, mark: Mark) -> bool:
    """Return whether two columns have similar values: both keys, or numbers in the same range."""
    a, b = ([v for v in each.seen.values() if v.known] for each in (one, other))
    if not (a and b):
        return False
    ranges = [range_of(values, mark) for values in (a, b)]
    apart = ranges[0].low > ranges[1].high or ranges[1].low > ranges[0].high
    are_numbers = all(each.low <= each.high for each in ranges)
    same_keys = all(v.is_key for v in a) == all(v.is_key for v in b)
    return not apart if are_numbers else same_keys or bool(a[0].times.forms)


def _propose_codes(columns: Sequence[Drafted]) -> None:
    """Propose that a category in newer files is one in older files with another name and codes."""
    categories = [c for c in columns if c.verdict.type == "string" and 1 < len(_texts(c)) <= _FEW]
    for new in categories:
        for old in categories:
            apart = max(old.seen) < min(new.seen) and not new.renamed
            if apart and len(_texts(old)) == len(_texts(new)) and not new.proposals:
                codes = dict(zip(_texts(old), _texts(new)))
                why = (
                    f"Perhaps {old.published!r} of older files, with other texts (here paired by "
                    f"how frequent they are). If so, remove [columns.{old.name}] and write:"
                )
                lines = f"aliases = {as_toml([old.published])}", f"codes = {as_toml(codes)}"
                new.proposals = [Proposal(why, lines)]


def _texts(column: Drafted) -> list[str]:
    """Return the distinct texts of a category, most frequent first; empty if it is not one."""
    files = list(column.seen.values())
    if not all(values.categories for values in files):
        return []
    counts = Counter[str]()
    for values in files:
        counts.update(values.distinct)
    return [text for text, _ in counts.most_common()]
