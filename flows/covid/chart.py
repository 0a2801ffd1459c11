"""The monthly chart of a country as a small PNG."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from covid.monthly import Monthly

#: 100 dpi: 720 x 360 pixels, about 40 kB, which an artifact can hold as text.
_SIZE, _DPI = (7.2, 3.6), 100
_CASES, _DEATHS = "#4c78a8", "#b2182b"


def chart(found: Monthly) -> bytes:
    """Draw cases as bars and deaths as a line, each on its own scale; output is deterministic."""
    months = [total.year_month.replace("_", "-") for total in found.totals]
    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    bars = axes.bar(months, [t.cases for t in found.totals], color=_CASES, label="cases")
    title = f"COVID-19 in {found.country.replace('_', ' ')} by month"
    axes.set_title(title, parse_math=False)  # a $ in a name does not begin a formula
    axes.set_ylabel("cases")
    axes.tick_params(axis="x", rotation=45)
    right = axes.twinx()
    deaths = [t.deaths for t in found.totals]
    line = right.plot(months, deaths, color=_DEATHS, marker="o", markersize=3, label="deaths")
    right.set_ylim(bottom=min(0, *deaths))  # corrections can make a month negative
    right.set_ylabel("deaths")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    right.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(handles=[bars, *line], loc="upper left")
    png = io.BytesIO()
    figure.text(
        0.995, 0.01, f"Data: ECDC, fetched {found.day}", ha="right", fontsize=7, color="grey"
    )
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
