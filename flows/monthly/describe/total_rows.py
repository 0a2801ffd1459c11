"""Proposes to reject rows that look like totals of the rows above them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from monthly.columns import NUMBERS
from monthly.convert.number_texts import are_numbers, normal
from monthly.convert.published_values import is_text, trimmed
from monthly.convert.readings import Mark
from monthly.describe.columns import Drafted, Proposal
from monthly.describe.published import Published, opened
from monthly.describe.recognized_texts import is_sum, is_total
from monthly.describe.toml_text import as_toml, bare

#: Published totals are rounded.
_ROUNDING = 1e-6


def propose_rejects(columns: Sequence[Drafted], files: Sequence[Published], mark: Mark) -> None:
    """Propose to reject rows that look like totals and load as data.

    Args:
        columns: the columns, before any are joined.
        files: the files.
        mark: their decimal mark.
    """
    first = next((column for column in columns if column.known), None)
    told: set[str] = set()
    for column in columns:
        if column.verdict.type == "string":
            told |= _propose_words(column, files, columns, mark, told)
        if column.verdict.times or column is first:
            _propose_empty(column, files, columns, mark)


def _propose_words(
    column: Drafted,
    files: Sequence[Published],
    columns: Sequence[Drafted],
    mark: Mark,
    told: Set[str],
) -> set[str]:
    """Propose to reject totals in a text column, unless an earlier one has them; return them."""
    tails = {n: {*_tail(column, n, files[n])} for n in column.seen}
    texts = {text for values in column.seen.values() for text in values.categories if is_sum(text)}
    texts |= {text for tail in tails.values() for text in tail}
    if texts - told:
        sums = _all_sums((n for n, tail in tails.items() if tail), files, columns, mark)
        proof = f" ({_listed(sums)} of the rows above)" if sums else ""
        named = ", ".join(repr(bare(text, 60)) for text in sorted(texts))
        why = (
            f"Rows of {named} may be totals or notes{proof}, which load as data. To reject them, "
            "write:"
        )
        column.proposals.append(Proposal(why, [f"reject = {as_toml(sorted(texts))}"]))
    return texts


def _tail(column: Drafted, number: int, file: Published) -> Iterator[str]:
    """Yield the totals and notes in the last rows; an average found elsewhere too is left out."""
    often = column.seen[number].distinct
    for text in _last(column, number, file):
        is_alone = text.strip() in column.seen[number].lone
        if is_alone or (is_total(text) and (is_sum(text) or often.get(text, 1) == 1)):
            yield text


def _propose_empty(
    column: Drafted, files: Sequence[Published], columns: Sequence[Drafted], mark: Mark
) -> None:
    """Propose to reject a last row that alone lacks its key and has the sums of the others."""
    lacks = [n for n, v in column.seen.items() if v.rows == v.known + 1]
    lacks = [n for n in lacks if not any(_last(column, n, files[n])[-1:])]
    if sums := _all_sums(lacks, files, columns, mark):
        why = (
            f"The last row has no value here, and {_listed(sums)} of the rows above: it may "
            "be a total, which loads as data. To reject it, write:"
        )
        column.proposals.append(Proposal(why, ['reject = [""]']))


def _listed(names: set[str]) -> str:
    shown = sorted(names)
    return (
        f"{', '.join(map(repr, shown[:3]))} {'is the sum' if len(shown) == 1 else 'are the sums'}"
    )


def _last(column: Drafted, number: int, file: Published) -> list[str]:
    """Return the texts of a column in the last rows of a file, empty where there is none."""
    return [str(row[column.places[number]] or "") for row in file.last]


def _all_sums(
    numbers: Iterable[int], files: Sequence[Published], columns: Sequence[Drafted], mark: Mark
) -> set[str]:
    return {name for n in numbers for name in _sums(n, files[n], columns, mark)}


def _sums(number: int, file: Published, columns: Sequence[Drafted], mark: Mark) -> Iterator[str]:
    """Yield the columns whose number in the last row of a file is the sum of all others."""
    numbers = [c for c in columns if number in c.places and c.verdict.kind in NUMBERS]
    totals, lasts = dict.fromkeys((c.name for c in numbers), 0.0), dict[str, float]()
    with opened(file) as pieces:
        for batch in (batch for batches, _, _ in pieces for batch in batches if len(batch)):
            for column in numbers:
                values = _floats(batch.column(column.places[number]), mark)
                totals[column.name] += float(np.nansum(values))
                lasts[column.name] = float(values[-1])
    for column in numbers:
        last = lasts[column.name]
        if last and math.isclose(totals[column.name] - last, last, rel_tol=_ROUNDING):
            yield column.published


def _floats(values: pa.Array, mark: Mark) -> npt.NDArray[np.float64]:
    """Return published numbers as floats, NaN where there is none."""
    if is_text(values.type):
        texts = normal(pc.fill_null(trimmed(values, ()), ""), mark)
        good = pa.array(are_numbers(texts))
        values = pc.utf8_ltrim(pc.if_else(good, texts, "nan"), "+")
    numbers = values.cast(pa.float64(), safe=False)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), float)
