"""Publish months of green, complete or with a download that hangs halfway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakes.docker_engine import wait_until
from fakes.web import Fault, Page, Web
from test_flows import trips

TEMPLATE = "/{color}_tripdata_{year}-{month:02}.csv"
#: Rows and sum of each month in Postgres.
SUMS = (
    "SELECT to_char(file_month, 'YYYY-MM'), count(*), sum(total_amount) "
    "FROM green_trips GROUP BY 1 ORDER BY 1"
)


def parameters(web: Web, **others: Any) -> dict[str, Any]:
    """Return the parameters of a parent run."""
    return {"color": "green", "year": 2020, "source": web.url(TEMPLATE), **others}


def publish(web: Web, month: str, totals: list[str]) -> int:
    """Publish a month with these amounts; return its size."""
    body = trips(month, totals).encode()
    web.serve(f"/green_tripdata_{month}.csv", Page(body, etag=f'"{len(totals)}"'))
    return len(body)


def publish_and_stop_half_way(web: Web, month: str, rows: int) -> int:
    """Publish a month with amounts from 0.25 to `rows` - 0.75, whose first download hangs halfway.

    Args:
        web: the server.
        month: such as 2020-02.
        rows: number of its rows.

    Returns:
        The number of bytes before it hangs.
    """
    half = publish(web, month, [f"{n}.25" for n in range(rows)]) // 2
    web.fail(Fault())  # the request before the download succeeds
    web.fail(Fault(after=half, hang=True))
    return half


def wait_for_half(folder: Path, half: int) -> None:
    """Wait until a folder has a partial download of that size."""
    wait_until(
        "half of the file is there",
        lambda: half in (part.stat().st_size for part in folder.rglob("*.part")),
        120,  # a container starts slowly while another suite runs
    )
