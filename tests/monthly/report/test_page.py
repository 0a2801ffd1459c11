"""The page of a month in Markdown, and as a single self-contained file."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

from fakes.entries import entry_of
from monthly.ledger import report_key
from monthly.month import Month
from monthly.report.drawing import Picture
from monthly.report.page import page_html, page_markdown

MONTH = Month("yellow", 2021, 1)
PICTURES = [Picture("Fares, yellow 2021-01", "Half cost $9.", b"\x89PNG one", "Not shown: 2.")]


class Images(HTMLParser):
    """Collects sources and texts of a page's images, and every other address that it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.images: list[tuple[str | None, str | None]] = []
        self.others: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what the page shows or would load."""
        found = dict(attrs)
        if tag == "img":
            self.images.append((found.get("src"), found.get("alt")))
        elif tag in ("link", "script", "iframe"):
            self.others.append(tag)


def test_the_pictures_stand_between_the_head_and_the_quality() -> None:
    text = page_markdown(entry_of(MONTH), "/bucket/object", PICTURES, ["## By day"])
    places = [text.index(part) for part in ("# yellow 2021-01", "![", "## By day", "rows read")]
    assert places == sorted(places)
    assert r"Half cost \$9. Not shown: 2." in text


def test_an_image_is_inside_the_page() -> None:
    """It contains the drawn bytes and a text alternative."""
    page = page_html("yellow 2021-01", page_markdown(entry_of(MONTH), "w", PICTURES))
    found = Images(page)
    ((source, alt),) = found.images
    assert source is not None
    kind, _, data = source.partition(",")
    assert (kind, base64.b64decode(data)) == ("data:image/png;base64", PICTURES[0].png)
    assert alt == "Fares, yellow 2021-01. Half cost $9."
    assert found.others == []


def test_only_long_words_of_a_table_may_break() -> None:
    """Others, such as "removed" or a number, stay whole, whatever the width of the page."""
    address = "https://example.org/green_tripdata_2020-10.csv.gz?a=1&b=2"
    table = f"| removed | why |\n|---|---|\n| 50,000 | `{address}` now |"
    page = page_html("green 2020-10", f"{address}\n\n{table}")
    shown = address.replace("&", "&amp;")
    assert re.findall("<span>.*?</span>", page) == [f"<span>{shown}</span>"]
    assert f"<td><code><span>{shown}</span></code> now</td>" in page


def test_the_tables_of_the_quality_are_tables_of_the_file() -> None:
    page = page_html("yellow 2021-01", page_markdown(entry_of(MONTH), "w", []))
    assert re.search(r"<td><code>airport_fee</code></td>\s*<td[^>]*>2</td>", page)


def test_the_publisher_links_to_the_declared_homepage() -> None:
    page = page_html("yellow 2021-01", page_markdown(entry_of(MONTH), "w", []))
    address = "https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page"
    assert re.findall(f'<a href="{address}">([^<]*)</a>', page) == [
        "New York City Taxi and Limousine Commission (TLC)"
    ]


def test_what_a_source_wrote_is_text_and_no_html() -> None:
    entry = entry_of(MONTH, url="https://h/<script>alert(1)</script>")
    assert "<script>" not in page_html("<b>", page_markdown(entry, "w", []))
    assert "<title>&lt;b&gt;</title>" in page_html("<b>", "")


def test_the_file_lies_beside_the_object() -> None:
    assert report_key(MONTH) == "data/yellow/yellow_tripdata_2021-01.report.html"
