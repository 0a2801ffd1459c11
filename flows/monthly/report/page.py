"""The page of a month: its pictures, then its quality, in markdown and as one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from markdown_it import MarkdownIt

from monthly.ledger import Entry
from monthly.report.canvas import Picture
from monthly.report.counts import Counts
from monthly.result import quality_markdown

_HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1f2937; max-width: 48rem;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }}
img {{ width: 100%; margin-top: 1rem; }}
h2 {{ margin-top: 2.5rem; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid #e5e7eb; text-align: left; }}
code {{ background: #f3f4f6; padding: .1rem .3rem; }}
</style>
{body}
</html>
"""


def page_markdown(
    entry: Entry, where: str, pictures: Iterable[Picture], more: Sequence[str] = ()
) -> str:
    """Return the page of a month in markdown, with embedded images.

    Args:
        entry: the month's ledger entry.
        where: where the month is kept.
        pictures: pictures of its trips.
        more: blocks of markdown that follow the pictures.
    """
    head, *quality = quality_markdown(entry, where).split("\n\n")
    return "\n\n".join([head, *map(_picture, pictures), *more, *quality])


def typical_markdown(counts: Counts) -> str:
    """Return a table of the usual trip: medians and the effect of the bounds; empty without any."""
    rows = [
        f"| {t.what} | {t.median:,.2f} | {t.mean:,.2f} | {t.mean_within:,.2f} | {t.bound:,g} "
        f"| {t.beyond:,} |"
        for t in counts.typical
    ]
    head = ["| | median | mean | mean within the bound | bound | rows beyond |"]
    table = "\n".join([*head, "|---|---:|---:|---:|---:|---:|", *rows])
    return f"## The usual trip\n\n{table}" if rows else ""


def page_html(title: str, markdown: str) -> str:
    """Return the page as one self-contained HTML file that needs no network."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return _HTML.format(title=escape(title), body=body)


def _picture(picture: Picture) -> str:
    image = base64.b64encode(picture.png).decode()
    shown = f"![{picture.title}. {picture.about}](data:image/png;base64,{image})"
    return "\n\n".join([shown, " ".join(filter(None, (picture.about, picture.note)))])
