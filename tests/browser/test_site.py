"""The site of `make docs` in a browser without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser

PROJECT = Path(__file__).absolute().parents[2]
SITE = PROJECT / "build" / "site"


@pytest.mark.parametrize("width", [390, 1300], ids=["phone", "desktop"])
def test_every_page_fits_and_asks_nobody_else(browser: Browser, shots: Path, width: int) -> None:
    """Wide tables and output scroll on their own; fonts and scripts come from the site itself."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wide = []
    for file in [SITE / "index.html", *sorted(SITE.glob("docs/*.html"))]:
        page.goto(file.as_uri())
        page.screenshot(path=shots / f"site-{width}-{file.stem}.png")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(file.name)
    assert not wide
    assert asked
    assert [url for url in asked if not url.startswith("file:")] == []


def test_the_home_page_is_the_readme_with_its_diagram_drawn(browser: Browser) -> None:
    """Its links lead to pages of the site."""
    page = browser.new_page()
    page.goto((SITE / "index.html").as_uri())
    expect(page.locator(".diagram svg").get_by_text("ledger entry").first).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="All limitations").click()
    expect(page.get_by_role("heading", name="Limitations", exact=False).first).to_be_visible()
