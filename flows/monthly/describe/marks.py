"""Decides the decimal mark of files from all their columns of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monthly.convert.number_texts import Marks
from monthly.convert.readings import Mark
from monthly.describe.published import Published
from monthly.describe.values import Values


def mark_of(files: Sequence[Published]) -> tuple[Mark, bool, list[str]]:
    """Return the decimal mark, whether it must be declared, and what is uncertain about it."""
    columns = [v for file in files for v in file.columns if v.is_only("numbers")]
    numbers = [values.numbers for values in columns]
    grouped = [each for each in numbers if each.grouped]
    if not grouped:
        return "point", False, [*_open_points(files)]
    marks = sum((each.marks for each in grouped), Marks())
    point = marks.point + sum(each.point for each in numbers if not each.are_thousands)
    if marks.comma or point:
        decided: Mark = "comma" if marks.comma > point else "point"
        return decided, True, [*_decided_by_others(columns, decided)]
    separators = {file.layout.separator for file in files if file.layout}
    has_small = any(each.whole for each in grouped)
    mark: Mark = "comma" if separators == {";"} and not has_small else "point"
    meaning = "decimals" if mark == "comma" else "thousands"
    example = grouped[0].example
    if not set(example) & {",", "."}:
        return mark, True, []  # only spaces and apostrophes, between thousands
    said = f"The comma in {example!r} may mean decimals or thousands: {meaning} are assumed."
    return mark, True, [said]


def _decided_by_others(columns: Sequence[Values], mark: Mark) -> Iterator[str]:
    """Yield a comment on each column whose sign is for thousands only because of other columns."""
    sign, name, other = (",", "comma", "point") if mark == "point" else (".", "point", "comma")
    found: dict[str, list[str]] = {}
    for values in columns:
        found.setdefault(values.name, []).append(_open_thousands(values, mark, sign))
    for column, texts in found.items():
        if all(texts):
            yield (
                f"The {name} in {texts[0]!r}, column {column!r}, separates thousands, since other "
                f'columns have a decimal {other}. If not, write type = "string" for this column.'
            )


def _open_thousands(values: Values, mark: Mark, sign: str) -> str:
    """Return a number of a column if nothing in it says that its sign separates thousands."""
    found = values.numbers
    marked = found.grouped if mark == "point" else found.point
    is_open = found.marks == Marks(either=found.marks.either) and found.are_numbers(mark)
    texts = values.distinct if is_open and marked == found.count else ()
    return next((text for text in texts if sign in text), "")


def _open_points(files: Sequence[Published]) -> Iterator[str]:
    """Yield a comment if points may separate thousands, in files not separated by commas."""
    columns = [v for f in files for v in f.columns if v.is_only("numbers") and v.numbers.point]
    if {file.layout.separator for file in files if file.layout} != {";"} or not columns:
        return
    if all(values.numbers.are_thousands for values in columns):
        text = next(text for text in columns[0].distinct if "." in text)
        yield f"The point in {text!r} may mean decimals or thousands: decimals are assumed."
