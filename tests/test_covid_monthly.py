"""COVID by month as people run it: from Python, as a command, by an agent, and after a kill."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import os
import re
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import covid_monthly as flow_file
from covid.monthly import Monthly, Total
from fakes import preloaded
from fakes.agent import run_by_agent
from fakes.commands import killed_while_downloading, run
from fakes.editions import SMALL, SMALL_CSV, edition, record
from fakes.in_process import Commands
from fakes.real_data import real_file
from fakes.s3 import S3, block
from fakes.web import Fault, Page, Web
from orchestration import artifacts
from test_cli import PROJECT, environment
from test_flows import listing

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

__all__ = ["environment"]  # a fixture

DAY = dt.date(2020, 9, 7)
CSV, PNG = "covid-monthly-Germany-2020-09-07.csv", "covid-monthly-Germany-2020-09-07.png"


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix the date, so that no day ends during a test."""
    monkeypatch.setattr(flow_file, "_today", lambda: DAY)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    quick = flow_file.extract.with_options(retry_delay_seconds=0, retry_jitter_factor=None)
    monkeypatch.setattr(flow_file, "extract", quick)


@pytest.fixture
def server() -> Iterator[Web]:
    """Serve ECDC's file at an address that ends in a slash."""
    with Web() as served:
        served.serve("/json/", Page(SMALL, etag='"one"'))
        yield served


def report(server: Web, country: str = "Germany", **options: Any) -> Any:
    call: Any = flow_file.covid_monthly
    return call(country, **({"url": server.url("/json/")} | options), return_state=True)


def reason(state: Any) -> str:
    assert state.is_failed()
    return str(state.result(raise_on_failure=False))


def test_a_country_becomes_a_csv_file_and_a_chart(place: Path, server: Web) -> None:
    """The files have the documented names, at the top of the bucket."""
    assert report(server).name == "Completed"
    assert (place / "bucket" / CSV).read_bytes() == SMALL_CSV
    assert (place / "bucket" / PNG).read_bytes().startswith(b"\x89PNG")


def test_twice_asks_once_and_changes_nothing(place: Path, server: Web) -> None:
    """The second run ends in a state named Skipped; ECDC is asked once."""
    report(server)
    before = listing(place / "bucket")
    state = report(server)
    assert (state.name, state.type.value) == ("Skipped", "COMPLETED")
    assert CSV in state.message
    assert listing(place / "bucket") == before
    assert len(server.requests) == 1


def test_a_file_that_was_corrected_counts_at_once(place: Path, server: Web, tmp_path: Path) -> None:
    """Reading a local file again puts no load on a publisher."""
    file = tmp_path / "edition.json"
    file.write_bytes(SMALL.replace(b"10", b"99"))
    assert report(server, url=str(file)).name == "Completed"
    file.write_bytes(SMALL)
    assert report(server, url=str(file)).name == "Completed"
    assert (place / "bucket" / CSV).read_bytes() == SMALL_CSV
    assert report(server, url=str(file)).name == "Skipped"


def test_another_country_of_the_day_takes_the_same_edition(place: Path, server: Web) -> None:
    report(server)
    state = report(server, "NA")
    assert state.result().found.country == "Namibia"
    assert (place / "bucket/covid-monthly-Namibia-2020-09-07.csv").exists()
    assert len(server.requests) == 1


def test_the_next_day_fetches_the_next_edition(
    place: Path, server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report of the day before is unchanged."""
    report(server)
    server.serve("/json/", edition([record("Germany", 2020, 9, 1, 0)]))
    monkeypatch.setattr(flow_file, "_today", lambda: DAY + dt.timedelta(1))
    found = report(server).result().found
    assert [(t.year_month, t.cases) for t in found.totals] == [("2020_09", 1)]
    assert (place / "bucket" / CSV).read_bytes() == SMALL_CSV


def test_the_next_day_asks_whether_the_edition_is_still_the_same(
    place: Path, server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not downloaded again; the report has the date of the new day."""
    report(server)
    monkeypatch.setattr(flow_file, "_today", lambda: DAY + dt.timedelta(1))
    assert report(server).result().found.csv() == SMALL_CSV
    asked = [(each.method, each.headers.get("if-none-match")) for each in server.requests]
    assert asked == [("GET", None), ("HEAD", '"one"')]


def test_a_literal_signature_warns(
    place: Path, server: Web, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning is that of a source; only the run's parameters keep the signature."""
    server.serve("/json/?sig=s1gned", Page(SMALL))
    report(server, url=server.url("/json/?sig=s1gned"))
    assert "the url contains a secret (sig), which Prefect stores" in caplog.text
    assert "s1gned" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (SMALL[:-20], "is not complete JSON"),
        (b"<html>maintenance</html>", "is a web page"),
        (b'{"error": 1}', "JSON without a list of records"),
    ],
)
def test_a_bad_answer_is_an_error_and_leaves_the_cache(
    place: Path, server: Web, monkeypatch: pytest.MonkeyPatch, answer: bytes, said: str
) -> None:
    """The cached edition and the reports stay as they are; the failure is not retried."""
    report(server)
    before = listing(place / "bucket")
    server.serve("/json/", answer)
    monkeypatch.setattr(flow_file, "_today", lambda: DAY + dt.timedelta(1))
    state = report(server)
    assert said in reason(state)
    assert server.url("/json/") in reason(state)
    assert listing(place / "bucket") == before
    assert [request.method for request in server.requests] == ["GET", "HEAD", "GET"]


def test_a_cache_that_was_cut_is_fetched_again(place: Path, server: Web) -> None:
    report(server)
    kept = max((place / "bucket/covid").rglob("*.json"), key=lambda p: p.stat().st_size)
    kept.write_bytes(SMALL[:100])
    assert report(server).result().found.csv() == SMALL_CSV
    assert kept.read_bytes() == SMALL
    assert len(server.requests) == 2


def test_an_unknown_country_lists_the_closest(place: Path, server: Web) -> None:
    """Only the edition is kept."""
    assert "names: Germany, " in reason(report(server, "Germny"))
    assert {path.suffix for path in (place / "bucket").glob("*") if path.is_file()} <= {""}


def test_an_absent_edition_is_not_asked_for_again(place: Path, server: Web) -> None:
    said = reason(report(server, url=server.url("/gone/")))
    assert "covid: http://" in said
    assert "there is no such file" in said
    assert len(server.requests) == 1


def test_a_transient_error_is_retried(place: Path, server: Web, no_waiting: None) -> None:
    """After a 503 and half a response, the rest is requested."""
    server.fail(Fault(Page(b"", 503)))
    server.fail(Fault(after=len(SMALL) // 2))
    assert report(server).result().found.csv() == SMALL_CSV
    assert [r.headers.get("range") for r in server.requests] == [
        None,
        None,
        f"bytes={len(SMALL) // 2}-",
    ]


def test_days_without_a_number_are_reported(
    place: Path, server: Web, caplog: pytest.LogCaptureFixture
) -> None:
    server.serve("/json/", edition([record("Germany", 2020, 3, None, 1)]))
    report(server)
    assert "Germany: 1 days lack a number of cases or deaths" in caplog.text


def test_the_chart_is_an_artifact(place: Path, server: Web) -> None:
    """The artifact has the bucket's PNG inside its text, and the figures below it."""
    from prefect import get_client

    async def latest() -> Any:
        async with get_client() as client:
            found = await client.read_latest_artifacts()
        return next(a.data for a in found if a.key == "covid-monthly-germany")

    report(server)
    text = asyncio.run(latest())
    inside = re.search(r"\(data:image/png;base64,([^)]*)\)", text)
    assert inside
    assert base64.b64decode(inside[1]) == (place / "bucket" / PNG).read_bytes()
    assert "| 2020_04 | 4 | 2 |" in text


def test_a_name_is_no_markup_in_the_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is the publisher's."""
    shown: dict[str, Any] = {}
    monkeypatch.setattr(artifacts, "_create", lambda create, text, **more: shown.update(text=text))
    name = "A](http://evil)<img src=x>"
    artifacts.show_chart(Monthly(name, dt.date(2020, 9, 7), (Total("2020_03", 1, 0),)), b"")
    assert "](http" not in shown["text"].replace(r"\]", "")
    assert "<img" not in shown["text"].replace(r"\<", "")


def test_s3_has_the_same_bytes(place: Path, server: Web, s3: S3) -> None:
    """A second run uploads nothing."""
    objects = s3.new_bucket("covid")
    bucket = block(s3.url, objects.name, "reports")
    bucket.credentials.save("covid-creds", overwrite=True)
    bucket.save("covid", overwrite=True)
    report(server)
    assert report(server, bucket="s3-bucket/covid").result().csv == f"s3://covid/reports/{CSV}"
    found = objects.listing()
    assert found[f"reports/{CSV}"] == SMALL_CSV
    assert found[f"reports/{PNG}"] == (place / "bucket" / PNG).read_bytes()
    assert report(server, bucket="s3-bucket/covid").name == "Skipped"
    assert objects.listing() == found


def test_as_a_command_it_prints_the_file(place: Path, server: Web, command: Commands) -> None:
    """It also prints where the file is; a failure ends in one line."""
    show = partial(command, flow_file.covid_monthly, show=flow_file.shown)
    found = show("--url", server.url("/json/"))
    assert found.code == 0, found.err
    assert found.out.startswith(SMALL_CSV.decode())
    written = re.search(r"^written: (.*\.csv)$", found.out, re.MULTILINE)
    assert written
    assert Path(written[1]).read_bytes() == SMALL_CSV
    failed = show("--country", "X", "--url", server.url("/json/"))
    assert failed.code == 2
    assert failed.err.strip().splitlines()[-1].startswith("Error: country 'X' is not in this")


@pytest.mark.slow
def test_killed_while_downloading_it_goes_on_where_it_stopped(
    environment: dict[str, str], server: Web, command: Commands, tmp_path: Path
) -> None:
    """After SIGKILL with part of the edition downloaded, the next run fetches only the rest."""
    large = SMALL + b" " * 400_000
    server.serve("/json/", Page(large, etag='"one"'))
    server.fail(Fault(after=len(large) // 2, hang=True))
    bucket = tmp_path / "data" / "bucket"
    options = ("--url", server.url("/json/"), "--bucket", str(bucket))
    arrived = killed_while_downloading(environment, ("covid_monthly.py", *options))
    assert not bucket.exists()
    assert (
        SMALL_CSV.decode() in command(flow_file.covid_monthly, *options, show=flow_file.shown).out
    )
    assert [r.headers.get("range") for r in server.requests] == [None, f"bytes={arrived}-"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_killed_before_any_write_the_next_run_completes(
    environment: dict[str, str], server: Web, number: int
) -> None:
    """Edition, note, CSV file and chart: what exists is complete, and in the end all exist once."""
    options = [str(PROJECT / "flows/covid_monthly.py"), "--url", server.url("/json/")]
    script = PROJECT / "tests/fakes/killed_while_writing.py"
    path = os.pathsep.join([str(PROJECT / "flows"), str(PROJECT / "tests")])
    killed = preloaded.run(
        [sys.executable, str(script), f"{number}", *options],
        environment | {"PYTHONPATH": path},
    )
    assert killed.returncode == -signal.SIGKILL
    bucket = Path(environment["TRIPS_DATA"], "bucket")
    before = listing(bucket)
    assert len([k for k in before if not k.startswith(".")]) == number - 1
    assert run(environment, *["covid_monthly.py", *options[1:]]).returncode == 0
    after = listing(bucket)
    assert len([k for k in after if not k.startswith(".")]) == 4
    noted = {key: value for key, value in before.items() if "note" not in key}
    assert noted.items() <= after.items()


@pytest.mark.slow
def test_from_a_deployment_by_an_agent(environment: dict[str, str], server: Web) -> None:
    """The agent runs it in a temporary copy of the project; the files stay."""
    ended = run_by_agent(
        flow_file.covid_monthly, "covid_monthly.py", {"url": server.url("/json/")}, environment
    )
    assert ended.state_name == "Completed", ended.state
    found = list(Path(environment["TRIPS_DATA"], "bucket").glob("covid-monthly-Germany-*.csv"))
    assert [path.read_bytes() for path in found] == [SMALL_CSV]


@pytest.mark.real
def test_the_real_editions_go_through_the_flow(place: Path) -> None:
    """From both editions in a file, the figures for March are those of the article."""
    call: Any = flow_file.covid_monthly
    for name in ("2020-04-23.json", "2020-09-07.json.gz"):
        url = real_file(f"covid/casedistribution_{name}").as_uri()
        found = call("Germany", url=url, return_state=True).result().found
        assert b"2020_03,61856,583\n" in found.csv()
