"""The days of a month in Markdown."""

from __future__ import annotations

import pandas as pd

from monthly.datasets import DATASETS
from orchestration.month_summary import table_of


def test_what_nobody_published_is_a_dash() -> None:
    """For-hire trips of 2015 have no amount or distance, and some rows lack a pickup time."""
    days = pd.DataFrame(
        {
            "day": [None, pd.Timestamp("2015-01-01").date()],
            "trips": [3, 1_234],
            "total_amount": [float("nan"), None],
            "mean_distance": [1.5, None],
        }
    )
    assert table_of(DATASETS["fhvhv"], days).splitlines()[4:] == [
        "| - | 3 | - | 1.50 |",
        "| 2015-01-01 | 1,234 | - | - |",
    ]
