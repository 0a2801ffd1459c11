"""Recognizes the years, months and days that head the columns of a wide table."""

from __future__ import annotations

import re

from monthly.describe.written_times import MONTH

_YEAR = r"(19|20)\d\d"
_PERIOD = re.compile(
    rf"{_YEAR}([-/.](19|20)?\d\d)?"  # a year, a month, a season such as 2019/20
    rf"|{_YEAR}[-/.]\d\d[-/.]\d\d|\d?\d[-/.]\d?\d[-/.](19|20)?\d\d"  # a day
    rf"|{_YEAR}[-/. ]?[MQT]?(0?[1-9]|1[0-2])|[QT]?[1-4][-/. ]{_YEAR}|(0?[1-9]|1[0-2])[-/.]{_YEAR}"
    rf"|{_YEAR}[-/. ]{MONTH}|{MONTH}\.?[-/. ]'?(19|20)?\d\d|(FY|Y|X|YR|Jahr) ?{_YEAR}",
    re.IGNORECASE,
)


def is_period(text: str) -> bool:
    """Return whether a text is a year, quarter, month or day."""
    return bool(_PERIOD.fullmatch(text.strip()))
