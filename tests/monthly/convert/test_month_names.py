"""Names of months in several languages."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from monthly.convert.month_names import NAME, NUMBER_OF
from monthly.convert.patterns import FEW, matching
from monthly.convert.time_texts import read_formatted, read_times

#: Full and short names, as Babel 2.19 has them from Unicode's CLDR, by language.
CLDR = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "fr short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "es": "enero febrero marzo abril mayo junio julio agosto"
    " septiembre octubre noviembre diciembre",
    "es short": "ene feb mar abr may jun jul ago sept oct nov dic",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto"
    " settembre ottobre novembre dicembre",
    "it short": "gen feb mar apr mag giu lug ago set ott nov dic",
    "pt": "janeiro fevereiro março abril maio junho julho agosto"
    " setembro outubro novembro dezembro",
    "pt short": "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "nl short": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "nb": "januar februar mars april mai juni juli august september oktober november desember",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "sv short": "jan. feb. mars apr. maj juni juli aug. sep. okt. nov. dec.",
}


@pytest.mark.parametrize("language", CLDR)
@pytest.mark.parametrize("many", [1, FEW])
def test_every_month_of_a_language(language: str, many: int) -> None:
    """Its names are read in any case, by Python's expressions and by Arrow's."""
    names = CLDR[language].split()
    texts = pa.array([f"{name} 2020" for n in names for name in (n, n.upper())] * many)
    read = read_formatted(texts, ["%b %Y"], 2020)
    assert read.valid.all()
    found = [dt.datetime.fromtimestamp(c / 1e6, dt.timezone.utc).month for c in read.clock]
    assert found == [number for number in range(1, 13) for _ in range(2)] * many
    assert read_times(pa.array([f"5 {name} 2020" for name in names]), "day-first", 2020).valid.all()


def test_every_name_fits_the_pattern() -> None:
    """The pattern is the same for Python and Arrow."""
    for texts in (pa.array([*NUMBER_OF]), pa.array([*NUMBER_OF] * FEW)):
        assert matching(texts, f"^{NAME}$").all()
    assert not matching(pa.array(["ja", "j4n", "mar\u4e00"]), f"^{NAME}$").any()
