"""The UI as a person uses it: deployments, the run form, the run, its artifacts and pictures."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from doubles.served import Served, ended

pytestmark = pytest.mark.browser


def open_deployment(page: Page, flow: str, name: str) -> None:
    """From the list of deployments, as a person finds it: the row of this flow."""
    page.goto("/deployments")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=flow, exact=True))
    row.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("button", name="Run", exact=True).click()


def run_of(page: Page) -> str:
    """The id of the run that the notice of a started run leads to."""
    page.get_by_role("link", name=re.compile("view run", re.IGNORECASE)).or_(
        page.get_by_role("button", name=re.compile("view run", re.IGNORECASE))
    ).first.click()
    page.wait_for_url(re.compile(r"/flow-runs/flow-run/"))
    return page.url.rstrip("/").rpartition("/")[2].partition("?")[0]


def test_a_quick_run_brings_the_month_of_the_defaults(
    page: Page, served: Served, shots: Path
) -> None:
    """Deployments, Run, Quick run: yellow 2021-01 is in the bucket and the page says so."""
    open_deployment(page, "etl-web-to-gcs", "local-flow")
    page.get_by_text("Quick run").click()
    run = ended(served, run_of(page))
    assert (run["name"], run["state_name"]) == ("yellow 2021-01", "Completed")
    expect(page.get_by_text("yellow 2021-01").first).to_be_visible()
    expect(page.get_by_text("Completed").first).to_be_visible()
    page.screenshot(path=shots / "quick-run.png")
    assert (served.data / "bucket/data/yellow/yellow_tripdata_2021-01.parquet").exists()


def test_a_custom_run_takes_what_the_form_says(page: Page, served: Served, shots: Path) -> None:
    """Color from its drop-down, months and source as text; the run, what is below it, its pages."""
    open_deployment(page, "etl-parent-flow", "local-flow")
    page.get_by_text("Custom run").click()
    fill_the_form(page)
    page.screenshot(path=shots / "custom-run.png")
    page.get_by_role("button", name="Submit", exact=True).click()
    run = ended(served, run_of(page))
    assert (run["name"], run["state_name"]) == ("green 2020-10:2020-11", "Completed")
    for month in ("2020-10", "2020-11"):
        assert (served.data / f"bucket/data/green/green_tripdata_{month}.report.html").exists()
    look_at_the_run(page, shots)
    look_at_the_table(page, served, shots)
    look_at_the_report(page, served, shots)


def fill_the_form(page: Page) -> None:
    """Other parameters than the deployment's own, which are for yellow months of TLC."""
    page.get_by_label("color").click()
    page.get_by_role("option", name="green", exact=True).click()
    page.get_by_label("months").fill("2020-10:2020-11")
    page.get_by_label("source").fill("sample:20000")


def look_at_the_run(page: Page, shots: Path) -> None:
    """The graph has the tasks of the months; the tabs have the flows below and the parameters."""
    expect(page.get_by_text("Completed").first).to_be_visible()
    page.get_by_role("tab", name="Subflow Runs").click()
    expect(page.get_by_role("link", name="green 2020-11").first).to_be_visible()
    page.screenshot(path=shots / "run.png")


def look_at_the_table(page: Page, served: Served, shots: Path) -> None:
    """A row a month."""
    page.goto(f"/artifacts/artifact/{artifact(served, 'months')}")
    for month in ("green 2020-10", "green 2020-11"):
        expect(page.get_by_role("cell", name=month, exact=True)).to_be_visible()
    page.screenshot(path=shots / "months.png")


def look_at_the_report(page: Page, served: Served, shots: Path) -> None:
    """Four pictures, each of which the browser can show."""
    page.goto(f"/artifacts/artifact/{artifact(served, 'green-2020-10')}")
    pictures = page.locator("img[src^='data:image/png']")
    expect(pictures).to_have_count(4)
    for place in range(4):
        picture = pictures.nth(place)
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.complete && image.naturalWidth") > 1000
    pictures.first.scroll_into_view_if_needed()
    page.screenshot(path=shots / "report.png")


def artifact(served: Served, key: str) -> str:
    """The id of the newest artifact of a key."""
    found = httpx.get(f"{served.url}/api/artifacts/{key}/latest")
    return str(found.raise_for_status().json()["id"])
