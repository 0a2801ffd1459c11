"""Notifications of a failed run, sent to a webhook on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow, flow, get_client, tags
from prefect.blocks.core import Block
from prefect.blocks.notifications import SlackWebhook
from prefect.settings import PREFECT_UI_URL, temporary_settings
from prefect.states import Failed
from pydantic.v1 import SecretStr

from core.errors import Held, StillHeld
from fakes.entries import revision_of
from monthly.month import Month
from monthly.result import MonthResult, Outcome, failed_month
from orchestration import notifications
from orchestration.notifications import CORRECTIONS, NOTICES
from orchestration.parent_runs import tag_of
from reference.flows import flows
from test_flows import bring_all, publish, source

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

OCTOBER = Month("green", 2020, 10)


class Webhook:
    """A server that keeps the messages posted to it.

    Attributes:
        messages: their texts, oldest first.
        url: where to post.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                messages.append(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """Run a webhook, and save the block of blocks/make_notification.py for it."""
    from settings import Settings

    import make_notification

    served = Webhook()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    settings = Settings({"NOTIFY_WEBHOOK_URL": served.url}, Path(".env"))
    ((name, block),) = make_notification.blocks(settings)
    block.save(name, overwrite=True)  # type: ignore[unused-coroutine] # none outside flows
    yield served
    type(block).delete(name)  # type: ignore[unused-coroutine] # the same
    served.server.shutdown()
    served.server.server_close()
    thread.join()


def test_a_failed_run_notifies_once_with_its_reason(place: Path, webhook: Webhook) -> None:
    """Only the parent run notifies, not each month and child flow."""
    publish(place, "2020-10", ["10.5"])
    (place / "web/green_tripdata_2020-11.csv").write_text("<html>moved</html>")
    assert bring_all(place, "10,11").is_failed()
    (message,) = webhook.messages
    assert message.startswith("etl-parent-flow green 2020: 10,11: Failed\n")
    assert "1 of 2 months failed: green 2020-11: " in message


def test_a_held_month_notifies_once(place: Path, webhook: Webhook) -> None:
    """The run that holds it notifies; later runs that find it held do not."""
    from etl_web_to_gcs import etl_web_to_gcs

    publish(place, "2020-10", ["10.5"])
    assert bring_all(place, "10", gates="hold").is_completed()
    publish(place, "2020-10", ["12.5"])
    for _ in range(2):
        assert bring_all(place, "10", gates="hold").name == "HELD"
    call: Any = etl_web_to_gcs
    assert call("green", 2020, 10, source(place), return_state=True).name == "HELD"
    (message,) = webhook.messages
    assert message.startswith("etl-parent-flow green 2020: 10: HELD\n1 of 1 months held: green")
    publish(place, "2020-11", ["1.0", "x"])
    assert bring_all(place, "10,11", gates="hold").name == "Failed"
    assert webhook.messages[1].startswith("etl-parent-flow green 2020: 10,11: Failed\n")
    assert "1 of 2 months failed, 1 held: green 2020-11: " in webhook.messages[1]


def test_a_run_that_raises_is_reported_too(place: Path, webhook: Webhook) -> None:
    from etl_gcs_to_bq import etl_gcs_to_bq

    call: Any = etl_gcs_to_bq
    call("green", 2020, 10, return_state=True)
    (message,) = webhook.messages
    assert message.startswith("etl-gcs-to-bq green 2020-10: Failed\n")
    assert "green 2020-10 is not in the bucket" in message


@pytest.mark.parametrize(
    ("tag", "messages"), [(tag_of(UUID(int=1)), []), ("of interest", ["corrected", "Failed"])]
)
def test_a_child_run_in_another_process_does_not_notify(
    webhook: Webhook, tag: str, messages: list[str]
) -> None:
    """A tag names its parent, which reports all months; a tag of the user's own does not count."""

    @flow(name="month-elsewhere", **CORRECTIONS)
    def month_elsewhere() -> list[MonthResult]:
        return [MonthResult(OCTOBER, Outcome.LOADED, revision=revision_of())]

    @flow(name="month-elsewhere", **CORRECTIONS)
    def failed_elsewhere() -> Any:
        return Failed(message="moved")

    with tags(tag):
        month_elsewhere()
        call: Any = failed_elsewhere
        call(return_state=True)
    assert [m.splitlines()[0].split()[-1] for m in webhook.messages] == messages


def test_only_corrected_months_count_as_corrections(webhook: Webhook) -> None:
    @flow(name="two-months", flow_run_name="by hand", **CORRECTIONS)
    def two_months() -> list[MonthResult]:
        first = MonthResult(Month("green", 2020, 9), Outcome.LOADED)
        return [first, MonthResult(OCTOBER, Outcome.LOADED, revision=revision_of())]

    two_months()
    (message,) = webhook.messages
    head, *lines = message.splitlines()
    assert head == "two-months by hand: 1 month corrected"
    assert [line.split(":")[0] for line in lines] == ["green 2020-10"]


def test_a_run_that_holds_a_month_notifies_beside_one_that_was_held(webhook: Webhook) -> None:
    lines = [failed_month(OCTOBER, StillHeld("x")), failed_month(OCTOBER, Held("y"))]

    @flow(name="holds", flow_run_name="by hand", **NOTICES)
    def holds() -> Any:
        return Failed(name="HELD", message="2 of 2 months held", data=lines)

    call: Any = holds
    call(return_state=True)
    assert webhook.messages == ["holds by hand: HELD\n2 of 2 months held"]


def test_a_message_links_to_the_page_of_the_run(webhook: Webhook) -> None:
    @flow(name="fails", **NOTICES)
    def fails() -> Any:
        return Failed(message="moved")

    call: Any = fails
    with temporary_settings({PREFECT_UI_URL: "https://prefect.example.com/"}):
        run = call(return_state=True).state_details.flow_run_id
    (message,) = webhook.messages
    assert message.splitlines()[1:] == [
        "moved",
        f"https://prefect.example.com/flow-runs/flow-run/{run}",
    ]


def test_slack_is_notified_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its block sends only to Slack's own servers, so this test stops before the request."""
    sent: list[tuple[str, str]] = []

    async def notify(block: SlackWebhook, body: str, subject: str | None = None) -> None:
        sent.append((str(subject), body))

    monkeypatch.setattr(SlackWebhook, "notify", notify)
    call: Any = SlackWebhook(url=SecretStr("https://hooks.slack.com/services/T0/B0/x"))
    call.save("zoom-notify", overwrite=True)

    @flow(name="fails", flow_run_name="by hand", **NOTICES)
    def fails() -> Any:
        return Failed(message="moved")

    failing: Any = fails
    try:
        failing(return_state=True)
    finally:
        SlackWebhook.delete("zoom-notify")  # type: ignore[unused-coroutine] # none outside flows
    assert sent == [("fails by hand: Failed", "moved")]


def test_a_successful_run_does_not_notify(place: Path, webhook: Webhook) -> None:
    publish(place, "2020-10", ["10.5"])
    assert bring_all(place, "10").name == "Completed"
    assert webhook.messages == []


def test_a_webhook_that_refuses_is_one_line_without_its_address(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has the address of most webhooks may post there, and all may read the log."""

    def refuse(self: Any) -> None:
        self.send_error(410)

    monkeypatch.setattr(webhook.server.RequestHandlerClass, "do_POST", refuse)

    @flow(**NOTICES)
    def failing() -> Any:
        """Fail."""
        return Failed(message="no luck")

    state: Any = failing(return_state=True)
    assert state.message == "no luck"
    (record,) = (each for each in caplog.records if each.levelname == "ERROR" and each.args)
    assert record.getMessage().startswith(
        "custom-webhook/zoom-notify was not notified: HTTPStatusError: Client error '410 Gone'"
    )
    assert webhook.url not in caplog.text


def test_a_crashed_run_notifies(webhook: Webhook) -> None:
    """A run interrupted by Ctrl-C, for example, can still send a notification."""

    @flow(name="interrupted", flow_run_name="by hand", **NOTICES)
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (message,) = webhook.messages
    assert message.startswith("interrupted by hand: Crashed\n")


def test_the_server_notifies_of_a_killed_run(webhook: Webhook) -> None:
    """Prefect's service sends it, because the killed run cannot."""
    from prefect.server.services.flow_run_notifications import FlowRunNotifications
    from prefect.states import Crashed, Running

    import make_notification

    async def kill() -> None:
        async with get_client() as client:
            run = await client.create_flow_run(killed, name="killed by hand")
            await client.set_flow_run_state(run.id, Running(), force=True)
            await client.set_flow_run_state(run.id, Crashed(message="Lost."), force=True)
        await FlowRunNotifications().run_once()

    @flow(name="is-killed")
    def killed() -> None:
        """Stand for any flow."""

    block: Any = Block.load("custom-webhook/zoom-notify")
    make_notification.tell(block._block_document_id)
    asyncio.run(kill())
    (message,) = webhook.messages
    assert "is-killed/killed by hand" in message
    assert "Crashed" in message


@pytest.mark.parametrize("by_hand", [True, False], ids=["cancelled", "killed"])
def test_the_server_does_not_notify_of_the_children_of_a_run(
    webhook: Webhook, by_hand: bool
) -> None:
    """The parent's end is one message; that of a run that somebody cancelled is none."""
    from prefect.server.services.flow_run_notifications import FlowRunNotifications
    from prefect.states import Cancelled, Running

    import make_notification
    from engines.mark_crashed import report_crashed
    from orchestration.orphaned_runs import settle

    async def lose() -> None:
        async with get_client() as client:
            parent = await client.create_flow_run(is_lost, name="parent")
            for name in ("month 1", "month 2", "month 3"):
                run = await client.create_flow_run(is_lost, name=name, tags=[tag_of(parent.id)])
                await client.set_flow_run_state(run.id, Running(), force=True)
            await client.set_flow_run_state(parent.id, Running(), force=True)
            if by_hand:
                await client.set_flow_run_state(parent.id, Cancelled(), force=True)
            else:
                await settle(client, await client.read_flow_run(parent.id), "it is gone")
            await settle(client, run, "its parent run has ended")
            await report_crashed({"tags": {"all_": [tag_of(parent.id)]}})
        await FlowRunNotifications().run_once()

    @flow(name="is-lost")
    def is_lost() -> None:
        """Stand for any flow."""

    block: Any = Block.load("custom-webhook/zoom-notify")
    make_notification.tell(block._block_document_id)
    asyncio.run(lose())
    assert ["is-lost/parent" in message for message in webhook.messages] == [True] * (not by_hand)


def test_without_a_block_there_is_no_notification(place: Path) -> None:
    """The run fails without a notification."""
    from etl_gcs_to_bq import etl_gcs_to_bq

    call: Any = etl_gcs_to_bq
    assert call("green", 2020, 10, return_state=True).is_failed()


@pytest.mark.parametrize("found", [flow for _, flow in flows()], ids=lambda flow: flow.name)
def test_every_flow_notifies(found: Flow[..., Any]) -> None:
    tell: Any = notifications.tell  # Prefect's own type of a hook excludes coroutines
    corrected: Any = notifications.tell_corrected
    replaces = found.name in ("etl-web-to-gcs", "etl-parent-flow", "ingest-data")
    assert found.on_failure == ([tell, corrected] if replaces else [tell])
    assert found.on_completion == ([corrected] if replaces else None)
    assert found.on_crashed == [tell]
