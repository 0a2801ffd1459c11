"""Names of months, in full and short, in the languages whose names never contradict each other."""

from __future__ import annotations

from collections.abc import Mapping

#: English, German, French, Spanish, Italian, Portuguese, Dutch, Danish, Norwegian and Swedish, as
#: in Unicode's CLDR. Slavic languages are left out: listopad is October in one, November in others.
_NAMES = (
    "january januar jänner janvier enero gennaio janeiro januari jan jän janv ene gen",
    "february februar feber février febrero febbraio fevereiro februari feb févr fév fev",
    "march märz mars marzo março maart marts mar mär mrz mrt",
    "april avril abril aprile apr avr abr",
    "may mai mayo maggio maio mei maj mag",
    "june juni juin junio giugno junho jun giu",
    "july juli juillet julio luglio julho jul juil juill lug",
    "august août agosto augustus augusti aug ago",
    "september septembre septiembre setiembre settembre setembro sep sept set",
    "october oktober octobre octubre ottobre outubro oct okt ott out",
    "november novembre noviembre novembro nov",
    "december dezember décembre diciembre dicembre dezembro desember dec dez déc dic des",
)
#: The number of each month by name, in lower case.
NUMBER_OF: Mapping[str, int] = {
    name: number for number, names in enumerate(_NAMES, 1) for name in names.split()
}
#: The pattern of such a name, with letters as RE2 and `monthly.convert.patterns` read them.
NAME = r"[A-Za-z\x{c0}-\x{24f}]{3,10}"
