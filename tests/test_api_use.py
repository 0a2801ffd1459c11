"""A month of a parent run sends as many requests to Prefect's API as docs/prefect-cloud.md says."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.base import PrefectHttpxAsyncClient
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from test_flows import publish, source

PAGE = Path(__file__).absolute().parents[1] / "docs" / "prefect-cloud.md"
#: A run looks up each flow once, or twice if two months start at the same moment.
KINDS = {"/logs/": "logs", "/flows/": "flows"}
pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


class Asked:
    """Counts the requests and log lines sent to Prefect's API, and the clients that send them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: Counter[str] = Counter()
        real = PrefectHttpxAsyncClient.send

        async def send(client: Any, request: httpx.Request, *args: Any, **more: Any) -> Any:
            kind = KINDS.get(request.url.path.rpartition("/api")[2], "requests")
            self.counts[kind] += len(json.loads(request.content)) if kind == "logs" else 1
            return await real(client, request, *args, **more)

        made = PrefectHttpxAsyncClient.__init__

        def make(client: Any, *args: Any, **more: Any) -> None:
            self.counts["clients"] += 1
            made(client, *args, **more)

        monkeypatch.setattr(PrefectHttpxAsyncClient, "send", send)
        monkeypatch.setattr(PrefectHttpxAsyncClient, "__init__", make)

    def taken(self) -> Counter[str]:
        """Send all log lines; return the counts since the last call."""
        flush: Any = APILogHandler.flush  # without types
        flush()
        taken, self.counts = self.counts, Counter()
        return taken


@pytest.mark.slow
def test_a_month_takes_no_more_than_the_page_says(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parameterized_flow import etl_parent_flow

    load: Any = etl_parent_flow
    asked = Asked(monkeypatch)
    months = [f"2020-{month:02}" for month in range(1, 5)]
    for month in months:
        publish(place, month, ["1", "2"])
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        load("green", months=months[0], source=source(place))  # registers flows and artifacts
        asked.taken()
        load("green", months=months[1], source=source(place))
        one = asked.taken()
        load("green", months=",".join(months[2:]), source=source(place))
        two = asked.taken()
    each = {what: two[what] - one[what] for what in ("requests", "logs", "clients")}
    assert two["flows"] <= one["flows"] + 2, two
    assert each["clients"] == 0, each  # a client takes longer to make than a request
    said = re.search(r"about\s(\d+)\srequests\sand\s(\d+)\slog lines", PAGE.read_text())
    assert said
    most = {"requests": int(said[1]), "logs": int(said[2])}
    assert each["requests"] <= most["requests"] <= 1.2 * each["requests"], each
    assert each["logs"] <= most["logs"] <= 1.2 * each["logs"], each
