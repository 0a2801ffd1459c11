"""Secrets of sources in flows come from variables and blocks, and are shown nowhere."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from core.errors import UsageError
from fakes.in_process import Commands
from fakes.web import Page, Web
from monthly.ledger import read_entry
from monthly.month import Month
from orchestration import flow_results
from orchestration.block_registry import open_bucket, opened_bucket, opened_warehouse
from orchestration.prefect_server import place_of_blocks, refuse_silent_server
from test_flows import trips

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

PASSWORD, SIGNED = "s3cret-Pa55", "sv=1&sig=S1gnature%3D"
OCTOBER = "/green_2020-10.csv"


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the template of a publisher that requires a password and a signature."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as web:
        page = Page(trips("2020-10", ["10.5", "4"]).encode(), etag='"one"')
        host = web.serve(f"{OCTOBER}?{SIGNED}", page).removeprefix("http://").partition("/")[0]
        path = OCTOBER.replace("2020-10", "{year_month}")
        yield f"http://me:{{secret.portal}}@{host}{path}?{{secret.portal-query}}"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put one secret into a variable, the other into a block."""
    from prefect.blocks.system import Secret

    monkeypatch.setenv("TRIPS_SECRET_PORTAL", PASSWORD)
    kind: Any = Secret
    kind(value=SIGNED).save("portal-query", overwrite=True)


def stored(since: dt.datetime) -> str:
    """Return everything that Prefect stores about new runs, their tasks and artifacts."""
    from prefect import get_client

    from fakes.new_runs import MOST, runs_since

    async def read() -> list[Any]:
        async with get_client() as client:
            kinds = (client.read_flow_runs, client.read_task_runs, client.read_artifacts)
            found = [await kind(flow_run_filter=runs_since(since)) for kind in kinds]
        assert all(0 < len(each) < MOST for each in found)
        return [json.loads(each.json()) for kind in found for each in kind]

    return json.dumps(asyncio.run(read()))


def test_a_month_with_secrets_is_loaded_planned_and_repaired_without_showing_them(
    place: Path, source: str, given: None, command: Commands
) -> None:
    """A repair does not need them again, because the ledger has the template's fields."""
    from parameterized_flow import etl_parent_flow
    from verify import record, shown, verify

    begun = dt.datetime.now(dt.timezone.utc)
    options = ["--color", "green", "--months", "2020-10"]
    load = [*options, "--source", source, "--gates", "off"]
    said = [
        command(etl_parent_flow, *load, "--plan"),
        command(etl_parent_flow, *load, "--json"),
        command(etl_parent_flow, *load, "--plan"),
    ]
    assert [each.code for each in said] == [0, 0, 0]
    assert "same ETag" in said[2].out
    entry, _ = read_entry(open_bucket("local-bucket/zoom"), Month("green", 2020, 10))
    assert entry is not None
    assert "me:{secret.portal}@" in entry.url
    (place / "bucket" / entry.object_key).unlink()
    said.append(command(verify, *options, "--repair", show=shown, record=record))
    assert said[-1].code == 0
    assert (place / "bucket" / entry.object_key).exists()
    files = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    everything = b"".join([*files, repr(said).encode(), stored(begun).encode()])
    assert b"{secret.portal}" in everything
    for secret in (PASSWORD, "S1gnature"):
        assert secret.encode() not in everything


def test_a_missing_secret_is_one_error_before_any_month_is_planned(
    place: Path, source: str, command: Commands
) -> None:
    """It names the variable, the block, and the script that saves it."""
    from parameterized_flow import etl_parent_flow

    source = source.replace("portal", "nobodys")
    said = command(
        etl_parent_flow, "--color", "green", "--months", "2020-09:2020-10", "--source", source
    )
    assert (said.code, said.out) == (2, "")
    assert said.err.count("Error:") == 1
    assert "the secret nobodys has no value; set TRIPS_SECRET_NOBODYS in .env" in said.err
    assert "secret/nobodys, as blocks/make_secret_blocks.py does" in said.err


def test_a_literal_password_warns_and_is_in_no_log(
    place: Path, source: str, given: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning says how to move it into a secret; the run goes on."""
    from etl_web_to_gcs import etl_web_to_gcs

    typed = source.replace("{secret.portal}", PASSWORD).replace("{secret.portal-query}", SIGNED)
    call: Any = etl_web_to_gcs
    with caplog.at_level(logging.INFO):
        state = call("green", 2020, 10, source=typed, gates="off", return_state=True)
    assert state.name == "Completed"
    (warning,) = [r for r in caplog.records if "contains a secret" in r.getMessage()]
    assert warning.levelno == logging.WARNING
    assert "(password, sig)" in warning.getMessage()
    assert "write {secret.NAME} in its place" in warning.getMessage()
    assert PASSWORD not in caplog.text
    assert "S1gnature" not in caplog.text
    entry, _ = read_entry(open_bucket("local-bucket/zoom"), Month("green", 2020, 10))
    assert entry is not None
    assert "@" not in entry.url
    assert "?" not in entry.url


def test_a_run_log_has_no_password_of_an_address_in_text_either() -> None:
    """This covers a message and the traceback of another library's error, for all handlers."""
    address = f"http://me:{PASSWORD}@proxy:1"
    try:
        raise ValueError(address)
    except ValueError:
        about = ("prefect.flow_runs", logging.ERROR, "", 1, "no %s", (address,), sys.exc_info())
    record = logging.LogRecord(*about)
    assert flow_results._Plain().filter(record)
    shown = logging.Formatter().format(record)
    assert PASSWORD not in shown
    assert "no http://***@proxy:1" in shown
    assert "ValueError: http://***@proxy:1" in shown


@pytest.mark.parametrize("name", ["prefect.flow_runs", "prefect.task_runs"])
def test_the_logs_of_flows_and_of_tasks_are_filtered(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another library's error keeps a traceback without secrets; one of this project's has none."""
    import_module("orchestration.notifications")  # which installs the filter, as every flow does
    for error in (ValueError(f"http://me:{PASSWORD}@proxy:1"), UsageError("month 13")):
        try:
            raise error
        except (ValueError, UsageError):
            logging.getLogger(name).exception("failed")
    unknown, own = caplog.records
    assert "Traceback" in (unknown.exc_text or "")
    assert (own.getMessage(), own.exc_info) == ("month 13", None)
    assert PASSWORD not in caplog.text


def test_the_doctor_and_errors_do_not_show_the_servers_password() -> None:
    url = f"http://me:{PASSWORD}@127.0.0.1:9/api"
    with temporary_settings({PREFECT_API_URL: url}):
        assert place_of_blocks() == "the server http://***@127.0.0.1:9/api"
        with pytest.raises(UsageError, match="does not answer") as refused:
            refuse_silent_server()
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("option", ["bucket", "warehouse"])
def test_an_address_in_place_of_a_block_is_refused_without_its_password(option: str) -> None:
    opened: Any = {"bucket": opened_bucket, "warehouse": opened_warehouse}[option]
    with pytest.raises(UsageError, match=rf"{option} 'postgresql://\*\*\*@db/taxi' is neither"):
        opened(f"postgresql://me:{PASSWORD}@db/taxi")
