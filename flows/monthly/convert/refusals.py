"""Refusals of rows that do not belong to a month."""

from __future__ import annotations

from core.errors import Remedy, SchemaError, WrongMonth
from monthly.convert.quality import Quality
from monthly.convert.readings import Rules
from monthly.datasets import DATASETS
from monthly.header import Mapped
from monthly.month import Month


def refuse_other_rows(month: Month, quality: Quality, rules: Rules, mapped: Mapped) -> None:
    """Refuse rows that do not belong to the month.

    Raises:
        WrongMonth: too many times are outside the month or null.
        SchemaError: (strict) a required column is null in every row.
    """
    if not quality.rows:
        return
    if rules.strict:
        _refuse_empty_columns(month, quality, mapped)
    if DATASETS[month.dataset].roles.time:
        _refuse_outside(month, quality, rules.limit_outside(month))


def _refuse_empty_columns(month: Month, quality: Quality, mapped: Mapped) -> None:
    there = {column.name for column in mapped.columns if column}
    empty = [
        c.name
        for c in DATASETS[month.dataset].columns
        if c.is_required(month.year, month.month) and not c.sparse and c.name in there
        if quality.nulls.get(c.name) == quality.rows
    ]
    # A vendor column without numbers may still have its texts.
    kept = {c.name: c.keeps_text_in for c in DATASETS[month.dataset].columns if c.keeps_text_in}
    empty = [n for n in empty if n not in kept or quality.nulls.get(kept[n]) == quality.rows]
    if empty:
        raise SchemaError(
            f"{month}: {', '.join(empty)} has no value in any of the {quality.rows:,} rows",
            "check the file",
            Remedy("strict", False, "to load nulls"),
        )


def _refuse_outside(month: Month, quality: Quality, share: float) -> None:
    dataset = DATASETS[month.dataset]
    time, word = dataset.roles.time, dataset.words.time
    outside = quality.outside_month + quality.nulls.get(time, 0)
    if outside <= share * quality.rows:
        return
    span = f"{time} is from {quality.first_time} to {quality.last_time}"
    if quality.first_time is None:
        span = f"{time} is null in every row"
    raise WrongMonth(
        f"{month}: {outside:,} of {quality.rows:,} {word}s ({outside / quality.rows:.1%}) are not "
        f"in the month, more than {share:.0%}: {span}; is it the file of another month?",
        "correct its address or its name",
        Remedy("max_outside_share", 1.0, "to allow it"),
    )
