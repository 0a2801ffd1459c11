"""Column names: identifiers from published names, and the likeness of two names."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection, Sequence

from monthly.columns import FILE_MONTH, fold, is_reserved

#: Letters that Unicode does not decompose.
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "ł": "l", "đ": "d"})
#: A capital starts a word, except in units such as MWh and kPa.
_WORD = re.compile(r"(?<=[a-z0-9]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
#: Longest identifier, which leaves room for a number.
_LONGEST = 55
#: Synonyms that publishers use, with one spelling for each.
_SAME = {
    word: meaning
    for meaning, words in {
        "start": "started start begin began from pickup pu origin inicio retiro von ab depart",
        "end": "ended end stop stopped to dropoff do destination fin arribo bis an arrive",
        "time": "time at datetime date timestamp dt hora fecha zeit datum",
        "latitude": "lat latitude latitud breite",
        "longitude": "lon lng long longitude longitud laenge",
        "identifier": "id number no num nr code key",
        "name": "name label",
        "amount": "amount amt betrag importe montant",
        "duration": "duration tripduration seconds",
        "user": "user member usertype rider customer",
        "type": "type category kind casual",
    }.items()
    for word in words.split()
}

_BIRTH = re.compile(
    r"(^|_)(birth|birth_?(date|day)|date_?of_?birth|dob|born|geburt\w*|naissance|nacimiento"
    r"|nascimento|nascita)(_|$)"
)


def identifier(name: str, place: int) -> str:
    """Return a lower-case identifier for a published name, or for its position if necessary."""
    plain = unicodedata.normalize("NFKD", _WORD.sub("_", name.translate(_LETTERS)))
    word = re.sub(r"[^a-z0-9]+", "_", plain.encode("ascii", "ignore").decode().lower())
    word = word.strip("_")
    if not word or word[0].isdigit():
        word = f"column_{word or place + 1}"
    word = word[:_LONGEST].strip("_")
    return f"{word}_published" if word == FILE_MONTH.name or is_reserved(word) else word


def identifiers(names: Sequence[str], published: Collection[str]) -> list[str]:
    """Return an identifier for each name that does not clash with another column.

    Args:
        names: the names.
        published: all names of columns in the files.
    """
    known = {fold(name) for name in published}
    found: list[str] = []
    taken: set[str] = set()
    for place, name in enumerate(names):
        word = identifier(name, place)
        choices = itertools.chain([word], (f"{word}_{n}" for n in itertools.count(2)))
        free = next(
            w
            for w in choices
            if fold(w) not in taken and (fold(w) == fold(name) or fold(w) not in known)
        )
        taken.add(fold(free))
        found.append(free)
    return found


def words_of(name: str) -> frozenset[str]:
    """Return the words of a name, with one spelling for synonyms."""
    parts = re.split(r"[_\d]+", identifier(name, 0))
    return frozenset(word for part in parts if part for word in _split(part))


def is_birth(name: str) -> bool:
    """Return whether an identifier names a birth."""
    return bool(_BIRTH.search(name))


def likeness(one: str, other: str) -> float:
    """Return the likeness of two names, from 0 to 1."""
    a, b = words_of(one), words_of(other)
    shared = len(a & b)
    inside = 0.75 * shared / min(len(a), len(b)) if shared > 1 else 0.0
    return max(shared / len(a | b), inside) if shared else 0.0


def _split(part: str) -> list[str]:
    """Split a word like starttime in two if both parts are known."""
    if part in _SAME:
        return [_SAME[part]]
    for cut in range(2, len(part) - 1):
        head, tail = part[:cut], part[cut:]
        if head in _SAME and tail in _SAME:
            return [_SAME[head], _SAME[tail]]
    return [part]
