"""Renders a draft as a declaration, with comments on what is uncertain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import numpy as np

from core.download.remote_file import without_secrets
from core.redaction import typed_secrets
from monthly.convert.readings import Mark
from monthly.declaration import Limits
from monthly.describe.addresses import filled, fixed_months, late_days, templates
from monthly.describe.columns import Drafted
from monthly.describe.draft import Draft
from monthly.describe.published import plain_quotes
from monthly.describe.toml_text import as_toml, bare, comment
from monthly.describe.values import range_of

_ROLES = ("time", "end", "amount", "distance", "place", "latitude", "longitude")
#: Limits of a comment that lists texts: their number and total length.
_LISTED, _LISTED_LENGTH = 40, 300
_EXAMPLES = 3


def rendered(draft: Draft) -> str:
    """Return the text of the declaration."""
    parts = [
        *_head(draft),
        *_sources(draft),
        *_text(draft),
        *_roles(draft),
        *_limits(draft),
    ]
    for column in draft.columns:
        if not column.is_part:
            parts += [*_column(draft, column), ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def _head(draft: Draft) -> Iterator[str]:
    yield "# Drafted from:"
    for file, (year, month) in zip(draft.files, draft.months):
        yield f"#   {bare(without_secrets(file.address))}: {year}-{month:02}, {file.rows:,} rows"
    yield "# The comments say what the files show and what they leave open."
    for note in dict.fromkeys(draft.notes):
        yield comment(note)
    yield f"title = {as_toml(draft.name.replace('_', ' ').capitalize())} # what it is"
    host = urlsplit(draft.files[-1].address).hostname or "unknown"
    yield f"publisher = {as_toml(bare(host))} # who publishes it"
    yield '# licence = "" # the terms of use'
    year, month = draft.months[0]
    yield f'first_month = "{year:04}-{month:02}" # of these files; write the publisher\'s first'
    if draft.time_zone:
        yield f"time_zone = {as_toml(draft.time_zone)} # of the times, as the files show it"
    elif "time" in draft.roles and not draft.proposals:
        yield '# time_zone = "Europe/Berlin" # the files do not say it'
    yield from (f"# {line}" for line in draft.proposals)
    if draft.interval == "end":
        yield 'interval = "end" # the last time is the start of the next month'
    if any(values.native is not None for values in draft.left_out):
        yield 'new_columns = "drop" # for the columns that are left out'
    yield ""


def _sources(draft: Draft) -> Iterator[str]:
    addresses = {f.address: month for f, month in zip(draft.files, draft.months)}
    found = templates(addresses)
    yield "[sources]"
    kind = "files" if found and found[0].startswith("file:") else "web"
    are_parts = len(found) > 1 and _are_parts(draft, found)
    if are_parts and _are_alike(draft):
        yield f"{kind} = {as_toml(found)} # each month has all of these files"
    else:
        for number, template in enumerate(found, 1):
            kind = "files" if template.startswith("file:") else "web"
            yield f"{kind if number == 1 else f'{kind}_{number}'} = {as_toml(template)}"
        if len(found) > 1:
            yield "# Runs use the first source; name another one for the months that it has."
        if are_parts:
            yield "# No month can be loaded from several of them: their columns or formats differ."
    named = [address for address, month in addresses.items() if _is_named(address, month, found)]
    for address in addresses.keys() - {*named}:
        yield comment(f"The month is not in {without_secrets(address)}: write an address with it.")
    for day in sorted({day for template in found for day in late_days(template)}):
        yield comment(f"Not every month has a day {day}, which the address names.")
    for text in sorted({text for template in found for text in fixed_months(template)}):
        yield comment(f"{text} stays the same in every month's address: no field writes it.")
    if any(address.startswith("file:") for address in addresses):
        yield "# A file on this machine: write the publisher's address."
    for name in sorted({name for address in addresses for name in typed_secrets(address)}):
        yield comment(f"The address has a secret ({name}): write {{secret.NAME}} in its place.")
    yield ""


def _are_parts(draft: Draft, found: Sequence[str]) -> bool:
    """Return whether every month was given with a file of every template."""
    given = {file.address for file in draft.files}
    return all(filled(template, *month) in given for template in found for month in draft.months)


def _are_alike(draft: Draft) -> bool:
    """Return whether the files of each month have the same columns and the same kind."""
    kinds = {
        (month, file.layout is None, *(column.name for column in draft.columns if n in column.seen))
        for n, (month, file) in enumerate(zip(draft.months, draft.files))
    }
    return len(kinds) == len({*draft.months})


def _is_named(address: str, month: tuple[int, int], found: Sequence[str]) -> bool:
    return any(filled(template, *month) == address for template in found)


def _text(draft: Draft) -> Iterator[str]:
    lines = [*_text_lines(draft)]
    if lines:
        yield from ("[text]", *lines, "")


def _text_lines(draft: Draft) -> Iterator[str]:
    separators = {layout.separator for layout in draft.layouts}
    members = sorted({file.member for file in draft.files if file.member})
    if members:
        yield f"member = {as_toml(members[0] if len(members) == 1 else '*.csv')}"
    encodings = {layout.encoding for layout in draft.layouts}
    if len(separators) == 1 and (separators != {","} or draft.header):
        yield f"separator = {as_toml(separators.pop())}"
    if len(encodings) == 1 and not encodings <= {"utf-8", "utf-16-le", "utf-16-be"}:
        yield f"encoding = {as_toml(encodings.pop())}"
    if draft.lines:
        yield f"lines_before_header = {draft.lines}"
    if draft.header:
        yield from _header(draft)
    plain = [file for file in draft.files if not file.quotes]
    if plain:
        yield from (comment(plain_quotes(file)) for file in plain if file.quoted.plain)
        yield "quotes = false"
    if any(file.line_breaks for file in draft.files):
        yield "line_breaks = true # some texts have line breaks"
    if any(file.short_rows for file in draft.files):
        yield "short_rows = true # some rows lack their last fields"
    if draft.is_mark_declared:
        yield f"decimal = {as_toml(',' if draft.mark == 'comma' else '.')}"
    if draft.nulls:
        if _have_nulls(draft):
            yield "# Also where they stand in a text column."
        yield f"nulls = {as_toml(draft.nulls)}"


def _have_nulls(draft: Draft) -> bool:
    """Return whether a text column has a text that means null elsewhere."""
    texts = [c for c in draft.columns if c.verdict.type == "string"]
    seen = {text for c in texts for values in c.seen.values() for text in values.distinct}
    return not seen.isdisjoint(draft.nulls)


def _header(draft: Draft) -> Iterator[str]:
    has_names = any(layout.names for layout in draft.layouts)
    if has_names:
        why = (
            "The names in the file cannot be told apart, or units follow them; these replace them."
        )
    else:
        why = "The file has no header: replace these names, here and below, by the publisher's."
    yield comment(why)
    yield f"header = {as_toml([*draft.header])}"


def _limits(draft: Draft) -> Iterator[str]:
    lines = []
    if draft.rejected > Limits().rejected:
        share = math.ceil(draft.rejected * 100) / 100
        lines.append(f"rejected = {share} # the share of a file's lines that are not rows")
    if draft.outside:
        lines.append("outside = 1.0 # most times of a file are outside its month, or missing")
    if lines:
        yield from ("[limits]", *lines, "")


def _roles(draft: Draft) -> Iterator[str]:
    if not draft.roles:
        return
    yield "[roles]"
    for role in _ROLES:
        if role in draft.roles:
            yield f"{role} = {as_toml(draft.roles[role].name)}"
    yield ""


def _column(draft: Draft, column: Drafted) -> Iterator[str]:
    yield f"[columns.{column.name}]"
    for note in [*column.notes, *_shown(column, draft.mark)]:
        yield comment(note)
    if column.verdict.type == "float64" and draft.roles.get("amount") is column:
        yield comment("decimal(12,2) keeps sums of money exact, and rejects a third decimal.")
    yield f"type = {as_toml(column.verdict.type)}"
    yield f"description = {as_toml(bare(column.published) or column.name)}"
    if column.renamed:
        named = ", ".join(map(repr, column.renamed))
        yield comment(f"{named}: by a likeness in name and values.")
    if column.aliases:
        yield f"aliases = {as_toml([bare(name) for name in column.aliases])}"
    if column.join:
        yield f"join = {as_toml([bare(name) for name in column.join])}"
    if column.verdict.formats:
        yield f"formats = {as_toml([*column.verdict.formats])}"
    if column.verdict.rejected:
        yield f"reject = {as_toml(sorted(column.verdict.rejected))}"
    yield from _required(draft, column)
    for proposal in column.proposals:
        yield comment(proposal.why)
        yield from (f"# {line}" for line in proposal.lines)  # not wrapped: a line ends a TOML value


def _required(draft: Draft, column: Drafted) -> Iterator[str]:
    """Yield the months that have a column, if several files show them."""
    is_time = draft.roles.get("time") is column
    # A month may have several files.
    has = [month for n, month in enumerate(draft.months) if n in column.seen]
    lacks = [month for n, month in enumerate(draft.months) if n not in column.seen]
    span: dict[str, str] = {}
    if lacks and min(lacks) < has[0]:
        span["since"] = _text_of(has[0])
    if lacks and max(lacks) > has[-1]:
        span["until"] = _text_of(has[-1])
    is_open = len(draft.files) == 1 and not is_time
    if is_open or any(has[0] <= month <= has[-1] for month in lacks):
        return  # a file in between or of the same month lacks it, or there is only one file
    yield f"required = {as_toml(span or True)}"
    if any(not values.known for values in column.seen.values()):
        yield "may_be_empty = true"


def _text_of(month: tuple[int, int]) -> str:
    return f"{month[0]:04}-{month[1]:02}"


def _shown(column: Drafted, mark: Mark) -> Iterator[str]:
    """Yield a summary of a column's values: their range, categories or examples."""
    seen = [*column.seen.values()]
    rows = sum(values.rows for values in seen)
    lacking = f"; {rows - column.known:,} of {rows:,} rows have none" * (column.known < rows)
    if not column.known:
        return
    if column.verdict.times:
        lows = [each.low for each in column.verdict.times if each.low is not None]
        highs = [each.high for each in column.verdict.times if each.high is not None]
        cut = len("2020-01-31") if column.join or column.verdict.type == "date" else None
        first, last = (_time(time)[:cut] for time in (min(lows), max(highs)))
        yield f"{'Days from' if column.join else 'From'} {first} to {last}{lacking}."
    elif column.verdict.kind in ("int64", "float64", "decimal"):
        yield f"{_range(column, mark)}{lacking}."
    elif column.verdict.type == "string" and not column.join:
        yield f"{_texts(column)}{lacking}."


def _time(micros: int) -> str:
    return str(np.datetime64(micros, "us")).replace("T", " ").removesuffix(".000000")


def _range(column: Drafted, mark: Mark) -> str:
    found = range_of(column.seen.values(), mark)
    is_known = math.isfinite(found.low)
    return f"From {found.low:.15g} to {found.high:.15g}" if is_known else "Numbers"


def _texts(column: Drafted) -> str:
    seen = [*column.seen.values()]
    texts = list(dict.fromkeys(text for values in seen for text in values.distinct))
    is_listed = all(values.categories for values in seen if values.known)
    if is_listed and len(texts) <= min(_LISTED, max(column.known // 2, 1)):
        word = "text" if len(texts) == 1 else "texts"
        return bare(f"{len(texts)} {word}: {', '.join(texts)}", _LISTED_LENGTH)
    return bare(f"Texts such as {', '.join(map(repr, texts[:_EXAMPLES]))}", _LISTED_LENGTH)
