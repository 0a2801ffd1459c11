"""Load in a separate process that stops at a step, to be killed there.

python stopping_load.py STEP URL DATASET YEAR MONTH ENTRY PARQUET

To ingest a published file, give its path in place of ENTRY and PARQUET. It prints the step and
waits once it gets there. Without a step (-) it runs to the end and prints its peak memory in MB
(on Linux).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).absolute().parents[2]
sys.path[:0] = [str(PROJECT / "flows"), str(PROJECT / "tests")]

from sqlalchemy.engine import make_url  # noqa: E402 - flows/ is on the path only now

from fakes.entries import published_download as download_of  # noqa: E402
from monthly.convert.readings import Rules  # noqa: E402
from monthly.convert.rows import Rows  # noqa: E402
from monthly.ledger import Entry  # noqa: E402
from monthly.month import Month  # noqa: E402
from monthly.warehouses import postgres, postgres_copy  # noqa: E402
from monthly.warehouses.postgres_connection import postgres_at  # noqa: E402

#: In the order in which a load reaches them.
STEPS = ("prepare", "create_new", "copying", "remember", "swap", "commit", "done")


def stop() -> None:
    """Print the step, then wait to be killed."""
    print("here", flush=True)
    sys.stdin.read()


def stopping_before(work: Callable[..., Any]) -> Callable[..., Any]:
    """Stop before the work begins."""

    def stopped(*arguments: Any) -> Any:
        stop()
        return work(*arguments)

    return stopped


def stopping_after(work: Callable[..., Any]) -> Callable[..., Any]:
    """Stop after the work, before the commit."""

    def stopped(*arguments: Any) -> None:
        work(*arguments)
        stop()

    return stopped


def stopping_within(encoded: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
    """Return a stream that stops once the header and the first rows are sent."""

    def stopped(*rows: Any) -> Iterator[bytes]:
        chunks = encoded(*rows)
        yield next(chunks)
        yield next(chunks)
        stop()
        yield from chunks

    return stopped


def stop_at(step: str) -> None:
    """Stop at a step."""
    places: dict[str, tuple[Any, str, Callable[..., Any]]] = {
        "prepare": (postgres, "prepare", stopping_before),
        "create_new": (postgres, "create_new", stopping_before),
        "copying": (postgres_copy, "_chunks", stopping_within),
        "remember": (postgres, "remember", stopping_before),
        "swap": (postgres, "swap", stopping_before),
        "commit": (postgres, "swap", stopping_after),
    }
    if step in places:
        module, name, stopping = places[step]
        setattr(module, name, stopping(getattr(module, name)))


def peak_mb() -> float:
    """Return this program's peak memory; getrusage starts from that of the parent process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024


def ingest(warehouse: postgres.Postgres, month: Month, published: Path) -> None:
    """Convert and copy in one pass."""
    with Rows(month, published, published.parent, Rules(max_reject_share=0.0)) as rows:
        warehouse.ingest(rows, download_of(month, published))


def main(step: str, url: str, dataset: str, year: str, month: str, *files: str) -> None:
    """Load, and stop on the way."""
    stop_at(step)
    warehouse, which = postgres_at(make_url(url), {}), Month(dataset, int(year), int(month))
    if len(files) == 1:
        ingest(warehouse, which, Path(files[0]))
    else:
        warehouse.load(which, Entry.of(json.loads(files[0])), Path(files[1]))
    if step == "done":
        stop()
    if step == "-":
        print(peak_mb())


if __name__ == "__main__":
    main(*sys.argv[1:])
