"""A catalog for people: text for the terminal, and a page in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from monthly.catalog.contents import Catalog, DatasetLine, Mark
from monthly.catalog.grid import grid_markdown, grid_text, legend, legend_markdown
from monthly.markdown import code, escaped
from monthly.month import Month
from monthly.text_table import aligned

_TOTALS = ("rows", "rejected", "bytes")
_HEAD = ("dataset", "months", "first", "newest", *_TOTALS, "converted", "loaded", "notes")
_NUMBERS = (1, 4, 5, 6)
#: How a table words the counts of a dataset, by the name of the count.
_NOTES = {
    "missing": "missing",
    "stale": "stale",
    "held": "held",
    "pinned": "pinned",
    "corrected": "corrected",
    "generated": "GENERATED",
    "unreadable": "unreadable",
    "bucket_only": "not in the warehouse",
    "warehouse_only": "not in the bucket",
}


def catalog_text(catalog: Catalog) -> str:
    """Return the catalog as text: a table of datasets, their grids, and what is wrong."""
    if not catalog.datasets:
        return _nothing(catalog)
    rows = [_cells(line) for line in catalog.datasets]
    grids = [f"{x.dataset}\n{grid_text(x.marks)}" for x in catalog.datasets if x.months]
    blocks = ["\n".join(aligned([_HEAD, *rows], right=_NUMBERS)), *grids]
    blocks += [legend(_marks(catalog)), "\n".join(remarks(catalog))]
    return "\n\n".join(block for block in blocks if block)


def catalog_markdown(catalog: Catalog) -> str:
    """Return the catalog as a page in Markdown."""
    places = f"Bucket {code(catalog.bucket)}"
    places += f", warehouse {code(catalog.warehouse)}" if catalog.warehouse else ""
    if not catalog.datasets:
        return f"# Catalog\n\n{places}\n\n{escaped(_nothing(catalog))}"
    rows = [f"| {' | '.join(map(escaped, _cells(line)))} |" for line in catalog.datasets]
    edges = "|".join("---:" if place in _NUMBERS else "---" for place in range(len(_HEAD)))
    table = "\n".join([f"| {' | '.join(_HEAD)} |", f"|{edges}|", *rows])
    grids = [_grid(line) for line in catalog.datasets if line.months]
    wrong = "\n".join(f"- {escaped(remark)}" for remark in remarks(catalog))
    blocks = ["# Catalog", places, table, *grids, legend_markdown(_marks(catalog)), wrong]
    return "\n\n".join(block for block in blocks if block)


def months_markdown(month: Month, marks: Mapping[Month, Mark]) -> str:
    """Return the grid of a month's dataset for its report.

    Args:
        month: the month, in bold.
        marks: the months as listings show them.
    """
    words = {Mark.GOOD: "in the bucket", Mark.HELD: Mark.HELD.meaning, Mark.MISSING: "missing"}
    used = {*marks.values()}
    said = [f"`{mark.symbol}` {about}" for mark, about in words.items() if mark in used]
    about = f"This month is in bold; {'; '.join(said)}."
    return f"## Months of {escaped(month.dataset)}\n\n{grid_markdown(marks, month)}\n\n{about}"


def remarks(catalog: Catalog) -> list[str]:
    """Return why months are unreadable or stale; months with the same reason share a line."""
    return [remark for line in catalog.datasets for remark in _remarks(line)]


def _remarks(line: DatasetLine) -> Iterator[str]:
    if line.fault:
        yield f"{line.dataset}: {line.fault}"
    reasons: dict[str, list[Month]] = {}
    for each in line.months:
        faults = [f"unreadable: {each.fault}"] if each.fault else []
        for reason in faults + [f"stale: {reason}" for reason in each.stale]:
            reasons.setdefault(reason, []).append(each.month)
    for reason, months in reasons.items():
        yield f"{line.dataset} {', '.join(ranges(months))}: {reason}"


def ranges(months: Sequence[Month]) -> list[str]:
    """Return months in order as single ones and ranges, such as `2020-01:2020-12`."""
    runs: list[list[Month]] = []
    for month in months:
        if runs and runs[-1][-1].next == month:
            runs[-1].append(month)
        else:
            runs.append([month])
    ends = (sorted({run[0].year_month, run[-1].year_month}) for run in runs)
    return [":".join(pair) for pair in ends]


def _cells(line: DatasetLine) -> tuple[str, ...]:
    first, newest = (month.year_month if month else "-" for month in (line.first, line.newest))
    totals = (f"{count:,}" for count in (line.rows, line.rejected, line.size))
    times = (time[:16].replace("T", " ") or "-" for time in (line.converted_at, line.loaded_at))
    return (
        line.dataset,
        f"{len(line.there):,}",
        first,
        newest,
        *totals,
        *times,
        _notes(line),
    )


def _notes(line: DatasetLine) -> str:
    if line.fault:
        return "its declaration cannot be read"
    counts = [f"{count:,} {_NOTES[name]}" for name, count in line.counts.items() if count]
    behind = f"{line.behind} month{'s' * (line.behind != 1)} behind" if line.behind else ""
    return ", ".join([*counts, *([behind] if behind else [])])


def _grid(line: DatasetLine) -> str:
    title = f"{line.dataset}: {line.title}"
    return f"## {escaped(title)}\n\n{grid_markdown(line.marks)}"


def _marks(catalog: Catalog) -> Iterable[Mark]:
    return [mark for line in catalog.datasets for mark in line.marks.values()]


def _nothing(catalog: Catalog) -> str:
    places = " and ".join(filter(None, [catalog.bucket, catalog.warehouse]))
    return (
        f"no months of a declared dataset in {places}; load some with flows/parameterized_flow.py"
    )
