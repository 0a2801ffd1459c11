"""Recognizes words for totals and averages, which stand in the place of a time or a name."""

from __future__ import annotations

import re

_SUM = (
    r"(grand |sub-?|over)?(total(s|es|e|i|en)?|totaux|sum|summe|suma|soma|somma|somme|ensemble"
    r"|insgesamt|gesamt(summe)?|zusammen|totaal|totalt|sammanlagt|i alt|razem|celkem|yhteensä)"
    r"( (general|général|generale|geral))?"
)
_MEAN = (
    r"average|avg\.?|mean|mittel(wert)?|durchschnitt|Ø|moyenne|m[eé]dia|promedio"
    r"|gemiddelde"
)
_TOTAL = re.compile(rf"({_SUM}|{_MEAN})\s*[:.]?", re.IGNORECASE)
_OF_SUM = re.compile(rf"{_SUM}\s*[:.]?", re.IGNORECASE)


def is_total(text: str) -> bool:
    """Return whether a text names a total or an average."""
    return bool(_TOTAL.fullmatch(text.strip()))


def is_sum(text: str) -> bool:
    """Return whether a text names a total."""
    return bool(_OF_SUM.fullmatch(text.strip()))
