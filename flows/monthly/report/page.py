"""The page of a month: its pictures, then its quality, as markdown or one HTML file."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape

from markdown_it import MarkdownIt

from monthly.datasets import DATASETS
from monthly.ledger import Entry
from monthly.markdown import escaped
from monthly.report.counts import Counts, Typical
from monthly.report.drawing import Picture
from monthly.report.wording import Wording, number
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
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-size: .9rem; }}
th, td {{ padding: .3rem .5rem; border-bottom: 1px solid #e5e7eb; text-align: left;
  overflow-wrap: normal; }}
td span {{ overflow-wrap: anywhere; }}
code {{ background: #f3f4f6; padding: .1rem .3rem; }}
</style>
{body}
</html>
"""


_IMAGE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
_CELL = re.compile(r"<td.*?</td>", re.DOTALL)
#: A tag, or a word that is too long for a column, such as an address.
_TAG_OR_LONG_WORD = re.compile(r"<[^>]*>|[^\s<]{25,}")
_NO_PICTURES = (
    "No pictures: they need columns with a role (time, amount, place or coordinates) in the "
    "declaration, and values in them."
)


def page_markdown(
    entry: Entry,
    where: str,
    pictures: Iterable[Picture],
    more: Sequence[str] = (),
    first: Sequence[str] = (),
) -> str:
    """Return the page of a month as markdown with embedded images.

    Args:
        entry: the month's ledger entry.
        where: where the month is stored.
        pictures: pictures of its rows.
        more: blocks of markdown to add after the pictures.
        first: blocks of markdown to add before them.
    """
    head, *quality = quality_markdown(entry, where).split("\n\n")
    shown = [_picture(picture) for picture in pictures] or [_NO_PICTURES]
    return "\n\n".join([head, _about(entry), *first, *shown, *more, *quality])


def _about(entry: Entry) -> str:
    """Return what the dataset is, who publishes it, with a link, and under which terms."""
    declared = DATASETS[entry.dataset].declared
    publisher = escaped(declared.publisher)
    if declared.homepage:
        publisher = f"[{publisher}](<{declared.homepage}>)"
    terms = escaped(declared.title), f"published by {publisher}", escaped(declared.licence)
    return f"{', '.join(filter(None, terms))}."


def typical_markdown(counts: Counts) -> str:
    """Return a table of medians and the effect of the bounds; empty if there are none."""
    rows = [f"| {' | '.join(_cells(typical))} |" for typical in counts.typical]
    head = ["| | median | mean | mean within the bound | bound | rows beyond |"]
    table = "\n".join([*head, "|---|---:|---:|---:|---:|---:|", *rows])
    row = escaped(Wording.of(DATASETS[counts.month.dataset]).row)
    return f"## The usual {row}\n\n{table}" if rows else ""


def _cells(typical: Typical) -> tuple[str, ...]:
    usual = escaped(typical.what), number(typical.median), number(typical.mean)
    if typical.bound is None:
        return (*usual, "-", "-", "-")
    return (*usual, number(typical.mean_within), f"{typical.bound:,g}", f"{typical.beyond:,}")


def page_html(title: str, markdown: str) -> str:
    """Return the page as one self-contained HTML file that works offline."""
    # The parser reads each letter of an image: it gets a name instead.
    images = iter(_IMAGE.findall(markdown))
    text = _IMAGE.sub("image", markdown)
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = _CELL.sub(lambda cell: _TAG_OR_LONG_WORD.sub(_breakable, cell[0]), body)
    body = re.sub('src="image"', lambda _: f'src="{next(images)}"', body)
    return _HTML.format(title=escape(title), body=body)


def _breakable(found: re.Match[str]) -> str:
    """Return a tag as it is, and a long word in a span, which may break anywhere."""
    return found[0] if found[0].startswith("<") else f"<span>{found[0]}</span>"


def _picture(picture: Picture) -> str:
    image = base64.b64encode(picture.png).decode()
    shown = f"![{escaped(f'{picture.title}. {picture.about}')}](data:image/png;base64,{image})"
    texts = (escaped(text) for text in (picture.about, picture.note) if text)
    return "\n\n".join([shown, " ".join(texts)])
