"""Save the block for notifications of failed and crashed runs, `zoom-notify`, and enable them.

A run reports its own end (flows/orchestration/notifications.py); Prefect's server reports a run
that was killed.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID

from settings import Settings

import httpx
from prefect import get_client
from prefect.blocks.fields import SecretDict
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunNotificationPolicyFilter,
    FlowRunNotificationPolicyFilterIsActive,
)
from prefect.exceptions import ObjectNotFound
from pydantic.v1 import SecretStr

from block_specs import Blocks, BlockSpec, main

#: States that the server reports; a run that could still report its own crash has done so too.
STATES = ["Crashed"]
NAME = "zoom-notify"
#: The types of the block. One is saved at a time: runs notify each that there is.
TYPES = ("slack-webhook", "custom-webhook")


def blocks(settings: Settings) -> Blocks:
    """Yield Slack's block for a Slack address, the only kind it takes; else a plain webhook."""
    url = settings.address("NOTIFY_WEBHOOK_URL")
    if urlsplit(url).hostname == "hooks.slack.com":
        yield NAME, SlackWebhook(url=SecretStr(url))
    else:
        yield NAME, _webhook(url)


def _webhook(url: str) -> CustomWebhookNotificationBlock:
    # The address of most webhooks is itself a secret.
    return CustomWebhookNotificationBlock(
        name=NAME,
        url="{{address}}",
        json_data={"text": "{{subject}}\n{{body}}"},
        secrets=SecretDict({"address": url}),
        headers=None,
        cookies=None,
    )


def tell(block: UUID) -> str:
    """Have Prefect's server notify only this block of crashed runs; idempotent."""
    return asyncio.run(_tell(block))


async def _tell(block: UUID) -> str:
    async with get_client() as client:
        await _delete_others(client, block)
        # Disabled policies count too: they stay disabled.
        either = FlowRunNotificationPolicyFilterIsActive(eq_=None)
        known = await client.read_flow_run_notification_policies(
            FlowRunNotificationPolicyFilter(is_active=either)
        )
        if not any(policy.block_document_id == block for policy in known):
            await client.create_flow_run_notification_policy(block, state_names=STATES)
    return "only this block is notified: by runs that fail, and by Prefect's server of killed runs"


async def _delete_others(client: PrefectClient, block: UUID) -> None:
    """Delete the block of the other type, of an address before, and with it its policies."""
    for of_type in TYPES:
        with suppress(ObjectNotFound):
            found = await client.read_block_document_by_name(NAME, of_type, include_secrets=False)
            if found.id != block:
                await client.delete_block_document(found.id)


def check(block: SlackWebhook | CustomWebhookNotificationBlock) -> str:
    """Send a HEAD request, which posts no message; any status counts as an answer."""
    url = _address(block)
    answer = httpx.head(url, timeout=10)
    return f"{urlsplit(url).hostname} answers ({answer.status_code}); no message was sent"


def _address(block: SlackWebhook | CustomWebhookNotificationBlock) -> str:
    if isinstance(block, SlackWebhook):
        return block.url.get_secret_value()
    return str(block.secrets.get_secret_value()["address"])


SPEC = BlockSpec(
    ("NOTIFY_WEBHOOK_URL",),
    blocks,
    {"slack-webhook/zoom-notify": check, "custom-webhook/zoom-notify": check},
    after=tell,
)

if __name__ == "__main__":
    sys.exit(main([SPEC]))
