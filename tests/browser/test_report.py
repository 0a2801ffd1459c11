"""A month's HTML report in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from monthly.report.page import page_html

pytestmark = pytest.mark.browser

TABLE = """| when | why | rows | added | removed | unchanged | sums | edition |
|---|---|---:|---:|---:|---:|---|---|
| 2026-11-30 11:51 | published at sample:///green\\_tripdata\\_2020-10.csv.gz?rows=2000 | 50,000 \
| 2,000 | 50,000 | 0 | fare\\_amount 541,559.93 -> 21,379.58 | 4db08c1f3e2a |"""
#: The words of cells that break across lines, except those with a hyphen, such as dates.
_BROKEN = """[...document.querySelectorAll("th, td")].flatMap(cell => {
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = []
  while (walk.nextNode()) for (const word of walk.currentNode.data.matchAll(/\\S+/g)) {
    const range = document.createRange()
    range.setStart(walk.currentNode, word.index)
    range.setEnd(walk.currentNode, word.index + word[0].length)
    if (range.getClientRects().length > 1 && !word[0].includes("-")) found.push(word[0])
  }
  return found
})"""


@pytest.mark.parametrize("width", [390, 1300], ids=["phone", "desktop"])
def test_no_word_of_a_table_is_broken_except_an_address(
    browser: Browser, tmp_path: Path, shots: Path, width: int
) -> None:
    """On a phone, the table scrolls, and the page does not."""
    file = tmp_path / "report.html"
    file.write_text(page_html("green 2020-10", TABLE), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(file.as_uri())
    page.screenshot(path=shots / f"report-{width}.png")
    assert page.evaluate(_BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
