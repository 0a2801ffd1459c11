"""The UI as a person uses it: deployments, the run form, the run, its artifacts and pictures."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from fakes import own_dataset
from fakes.served import Served, ended, start
from postgres_server import free_port

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)


def open_deployment(page: Page, flow: str, name: str) -> None:
    """Open the deployment from the list, by the row of its flow."""
    page.goto("/deployments")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=flow, exact=True))
    row.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("button", name="Run", exact=True).click()


def started_by(page: Page, button: Locator) -> str:
    """Press a button that starts a run, open the run, and return its id."""
    with page.expect_response(re.compile(r"/create_flow_run$")) as answer:
        button.click()
    assert answer.value.status == 201, answer.value.text()
    run = str(answer.value.json()["id"])
    page.goto(f"/flow-runs/flow-run/{run}")
    return run


def test_a_quick_run_loads_the_month_of_the_defaults(
    page: Page, served: Served, shots: Path
) -> None:
    """After Deployments, Run and Quick run, yellow 2021-01 is shown as loaded into the bucket."""
    open_deployment(page, "etl-web-to-gcs", "local-flow")
    run = ended(served, started_by(page, page.get_by_text("Quick run")))
    assert (run["name"], run["state_name"]) == ("yellow 2021-01", "Completed")
    expect(page.get_by_text("yellow 2021-01").first).to_be_visible()
    expect(page.get_by_text("Completed").first).to_be_visible()
    page.screenshot(path=shots / "quick-run.png")
    assert (served.data / "bucket/data/yellow/yellow_tripdata_2021-01.parquet").exists()


def test_a_custom_run_takes_what_the_form_says(page: Page, served: Served, shots: Path) -> None:
    """It takes a color from the list, months and source as text; the run and its pages agree."""
    open_deployment(page, "etl-parent-flow", "local-flow")
    page.get_by_text("Custom run").click()
    fill_the_form(page)
    page.screenshot(path=shots / "custom-run.png")
    submit = page.get_by_role("button", name="Submit", exact=True)
    run = ended(served, started_by(page, submit))
    assert (run["name"], run["state_name"]) == ("green 2020-10:2020-11", "Completed")
    for month in ("2020-10", "2020-11"):
        assert (served.data / f"bucket/data/green/green_tripdata_{month}.report.html").exists()
    look_at_the_run(page, shots)
    look_at_the_table(page, served, shots)
    look_at_the_report(page, served, shots)


def test_a_dataset_of_the_users_own_is_in_the_drop_down(
    page: Page, served: Served, shots: Path
) -> None:
    """Its run loads its months, and its deployment has the declared schedule."""
    open_deployment(page, "etl-parent-flow", "local-flow")
    page.get_by_text("Custom run").click()
    field(page, "color").locator(".p-select-button__control").click()
    option = page.locator(".p-select-option", has_text=re.compile(f"^{own_dataset.NAME}$"))
    option.first.scroll_into_view_if_needed()
    page.screenshot(path=shots / "own-dataset.png")
    option.first.click()
    field(page, "months").get_by_role("textbox").fill("2020-10")
    field(page, "source").get_by_role("textbox").fill("sample:1000")
    run = ended(served, started_by(page, page.get_by_role("button", name="Submit", exact=True)))
    assert (run["name"], run["state_name"]) == (f"{own_dataset.NAME} 2020-10", "Completed")
    page.goto("/deployments")
    page.get_by_role("link", name=f"local-flow-{own_dataset.NAME}", exact=True).click()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(page.get_by_text("At 06:30 AM").first).to_be_visible()
    page.screenshot(path=shots / "own-schedule.png")


def test_the_form_refuses_an_invalid_month(page: Page, shots: Path) -> None:
    """It names the parameter and its bound, and keeps what was entered."""
    open_deployment(page, "etl-web-to-gcs", "local-flow")
    page.get_by_text("Custom run").click()
    field(page, "month").locator("input").fill("13")
    page.get_by_role("button", name="Submit", exact=True).click()
    refusal = "field 'month'. Failure reason: 13 is greater than the maximum of 12"
    expect(page.get_by_text(refusal).first).to_be_visible()
    expect(field(page, "month").locator("input")).to_have_value("13")
    page.screenshot(path=shots / "refused.png")


def test_a_failed_run_says_what_to_do_and_no_traceback(
    page: Page, served: Served, shots: Path
) -> None:
    """For an unknown source, the run's message is the error with its remedy."""
    open_deployment(page, "etl-parent-flow", "local-flow")
    page.get_by_text("Custom run").click()
    choose(page, "date_order", "day-first")
    page.screenshot(path=shots / "choices.png")
    field(page, "months").get_by_role("textbox").fill("2020-10")
    field(page, "source").get_by_role("textbox").fill(f"file://{served.data}/{{year_month}}.csv")
    submit = page.get_by_role("button", name="Submit", exact=True)
    run = ended(served, started_by(page, submit))
    assert run["state_name"] == "Failed"
    said = f"yellow 2020-10: file://{served.data}/2020-10.csv: there is no such file; "
    expect(page.get_by_text(said).first).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)
    page.screenshot(path=shots / "failed-run.png")


def choose(page: Page, parameter: str, value: str) -> None:
    """Choose a value from a parameter's drop-down."""
    field(page, parameter).locator(".p-select-button__control").click()
    page.locator(".p-select-option", has_text=re.compile(f"^{value}$")).first.click()


def fill_the_form(page: Page) -> None:
    """Enter parameters that differ from the deployment's, which load yellow months from TLC."""
    field(page, "color").locator(".p-select-button__control").click()
    page.get_by_role("option", name="green").or_(
        page.locator(".p-select-option", has_text=re.compile("^green$"))
    ).first.click()
    field(page, "months").get_by_role("textbox").fill("2020-10:2020-11")
    field(page, "source").get_by_role("textbox").fill("sample:20000")


def field(page: Page, parameter: str) -> Locator:
    """Return the field of a parameter, which the UI does not link to its label."""
    label = page.locator(".schema-form-property__label", has_text=re.compile(f"^{parameter}"))
    return page.locator(".schema-form-property").filter(has=label)


def look_at_the_run(page: Page, shots: Path) -> None:
    """Check the graph's tasks of the months, and the tabs of child flows and parameters."""
    expect(page.get_by_text("Completed").first).to_be_visible()
    page.reload()  # a graph that grew during the run is as wide as the run was long
    expect(page.get_by_text("Completed").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=shots / "run.png")
    page.get_by_text("Subflow Runs", exact=True).click()
    for flow in ("etl-web-to-gcs", "etl-gcs-to-bq"):
        expect(page.get_by_text(flow, exact=True).first).to_be_visible()
    page.screenshot(path=shots / "subflows.png")


def look_at_the_table(page: Page, served: Served, shots: Path) -> None:
    """Check for a row per month, generated ones marked, and no links to local files."""
    page.goto(f"/artifacts/artifact/{artifact(served, 'months')}")
    for month in ("green 2020-10", "green 2020-11"):
        expect(page.get_by_role("cell", name=month, exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="loaded, GENERATED", exact=True)).to_have_count(2)
    expect(page.locator("a[href^='file:']")).to_have_count(0)
    page.screenshot(path=shots / "months.png")


def look_at_the_report(page: Page, served: Served, shots: Path) -> None:
    """Check for four pictures, each of which the browser can show."""
    page.goto(f"/artifacts/artifact/{artifact(served, 'green-2020-10-report')}")
    pictures = page.locator("img[src^='data:image/png']")
    expect(pictures).to_have_count(4)
    for place in range(4):
        picture = pictures.nth(place)
        picture.scroll_into_view_if_needed()
        width = "image => image.decode().then(() => image.naturalWidth)"
        assert picture.evaluate(width) > 1000
    pictures.first.scroll_into_view_if_needed()
    expect(page.locator("a[href^='file:']")).to_have_count(0)
    page.screenshot(path=shots / "report.png")
    page.goto(f"/artifacts/artifact/{artifact(served, 'green-2020-10-quality')}")
    expect(page.get_by_text("Odd but valid, and kept").first).to_be_visible()
    page.screenshot(path=shots / "quality.png")


def artifact(served: Served, key: str) -> str:
    """Return the id of the newest artifact with a key."""
    wanted = {"artifacts": {"key": {"any_": [key]}}}
    (found,) = httpx.post(f"{served.url}/api/artifacts/latest/filter", json=wanted).json()
    return str(found["latest_id"])


def test_sigterm_stops_all_of_it(tmp_path: Path, prefect_database: Callable[[Path], None]) -> None:
    """As after Ctrl-C, which ends the other tests, the exit code is 0 and no process is left."""
    found = start(tmp_path, free_port(), database=prefect_database)
    assert found.group() != []
    assert found.stop(signal.SIGTERM) == 0
    assert found.group() == []
