"""Notifications of a failed run, sent to a webhook on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow, flow, get_client
from prefect.blocks.core import Block

from orchestration import notifications
from reference.flows import flows
from test_flows import bring_all, publish, source

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


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


def test_a_successful_run_does_not_notify(place: Path, webhook: Webhook) -> None:
    publish(place, "2020-10", ["10.5"])
    assert bring_all(place, "10").name == "Completed"
    assert webhook.messages == []


def test_a_crashed_run_notifies(webhook: Webhook) -> None:
    """A run interrupted by Ctrl-C, for example, can still send a notification."""
    from orchestration.notifications import NOTICES

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
