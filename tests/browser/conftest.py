"""A browser, and what `make serve` starts for it to look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from fakes import own_dataset
from fakes.served import PROJECT, Served, serving

SHOTS = PROJECT / "build" / "screenshots"
_SIZE = {"width": 1300, "height": 800}
#: Root has no sandbox; the other options keep the browser from calling home.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def served(
    tmp_path_factory: pytest.TempPathFactory, prefect_database: Callable[[Path], None]
) -> Iterator[Served]:
    """Run server, agent and deployments; stop them after the last test."""
    declarations = tmp_path_factory.mktemp("declarations")
    own_dataset.declare(declarations, "https://example.org/{year_month}.csv")
    home = tmp_path_factory.mktemp("serve")
    with serving(home, declarations, prefect_database) as found:
        yield found


@pytest.fixture(scope="session")
def shots() -> Path:
    """Return the folder of the screenshots, and print it."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    print(f"\nScreenshots: {SHOTS}")
    return SHOTS


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Yield a new browser for one test."""
    executable = os.environ.get("BROWSER")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=executable, args=_OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def page(served: Served, browser: Browser) -> Page:
    """Return a page that shows the server's UI."""
    opened = browser.new_page(viewport=_SIZE, base_url=served.url)  # type: ignore[arg-type]
    opened.set_default_timeout(60_000)
    return opened
