"""Texts that publishers use for a missing value."""

from __future__ import annotations

from monthly.convert.published_values import NULLS

NULL_TEXTS = frozenset(
    [
        *NULLS,
        *("NA", "N/A", "n/a", "n.a.", "N.A.", "na", "#N/A", "#NA", "nd", "n.d.", "ND", "N.D."),
        *("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "**", "?", ":"),
        *("k.A.", "s/d", "S/D", "M", "Missing", "missing", "MISSING", "none", "NONE"),
        *("nil", "NIL", "Nil", "(null)", "NAN", "-nan", "#VALUE!", "#DIV/0!", "No data", "no data"),
        *("No Data", "n/e", "unknown", "Unknown", "0000-00-00", "0000-00-00 00:00:00"),
    ]
)
