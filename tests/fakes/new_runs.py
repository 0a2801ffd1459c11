"""Tell the flow runs of a test from those of earlier tests, which share its Prefect database."""

from __future__ import annotations

import datetime as dt

from prefect.client.schemas.filters import FlowRunFilter

#: Most objects in one answer of the API; the ids by which it sorts them are random.
MOST = 200


def runs_since(when: dt.datetime) -> FlowRunFilter:
    """Return the filter of the flow runs that were to start at a time or later."""
    return FlowRunFilter.parse_obj({"expected_start_time": {"after_": when}})
