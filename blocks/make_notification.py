"""Save the block that failed and crashed runs are told to, `zoom-notify`, and have them told.

A run tells of its end by itself (flows/orchestration/notifications.py); of one that was killed,
Prefect's server does.
"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit
from uuid import UUID

from settings import Settings

import httpx
from prefect import get_client
from prefect.blocks.fields import SecretDict
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.schemas.filters import (
    FlowRunNotificationPolicyFilter,
    FlowRunNotificationPolicyFilterIsActive,
)
from pydantic.v1 import SecretStr

from block_specs import Blocks, BlockSpec, main

#: Of these the server tells; one that crashed and could still speak has told as well.
STATES = ["Crashed"]


def blocks(settings: Settings) -> Blocks:
    """Slack's block for Slack's address, which it alone takes; a plain webhook for others."""
    url = settings.address("NOTIFY_WEBHOOK_URL")
    if urlsplit(url).hostname == "hooks.slack.com":
        yield "zoom-notify", SlackWebhook(url=SecretStr(url))
    else:
        yield "zoom-notify", _webhook(url)


def _webhook(url: str) -> CustomWebhookNotificationBlock:
    # The address itself is the secret of most webhooks.
    return CustomWebhookNotificationBlock(
        name="zoom-notify",
        url="{{address}}",
        json_data={"text": "{{subject}}\n{{body}}"},
        secrets=SecretDict({"address": url}),
        headers=None,
        cookies=None,
    )


def tell(block: UUID) -> str:
    """Have Prefect's server tell this block of failed and crashed runs, once."""
    return asyncio.run(_tell(block))


async def _tell(block: UUID) -> str:
    async with get_client() as client:
        # Those that were switched off too, which they then stay.
        either = FlowRunNotificationPolicyFilterIsActive(eq_=None)
        known = await client.read_flow_run_notification_policies(
            FlowRunNotificationPolicyFilter(is_active=either)
        )
        if not any(policy.block_document_id == block for policy in known):
            await client.create_flow_run_notification_policy(block, state_names=STATES)
    return "runs that fail or crash are told to it"


def check(block: SlackWebhook | CustomWebhookNotificationBlock) -> str:
    """Knock without sending a message; whatever it answers, somebody is there."""
    url = _address(block)
    answer = httpx.head(url, timeout=10)
    return f"{urlsplit(url).hostname} answers ({answer.status_code}); no message was sent"


def _address(block: SlackWebhook | CustomWebhookNotificationBlock) -> str:
    if isinstance(block, SlackWebhook):
        return block.url.get_secret_value()
    return str(block.secrets.get_secret_value()["address"])


SPEC = BlockSpec(("NOTIFY_WEBHOOK_URL",), blocks, {"zoom-notify": check}, after=tell)

if __name__ == "__main__":
    sys.exit(main([SPEC]))
