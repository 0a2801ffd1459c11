"""The main job without any account: two generated months of green and one of yellow.

python flows/first_run.py
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from monthly.result import MonthResult, table
from orchestration import cli
from orchestration.block_registry import (
    EMBEDDED_BUCKET,
    EMBEDDED_WAREHOUSE,
    opened_bucket,
    opened_warehouse,
    tell_places,
)
from orchestration.flow_results import error_of, plain_failures
from orchestration.notifications import NOTICES
from orchestration.wording import on_command_line
from parameterized_flow import etl_parent_flow

MONTHS = (("green", "2020-10:2020-11"), ("yellow", "2021-01"))
_REAL_DATA = """
These months were generated. The same with real ones, from the web:
  {python} flows/etl_web_to_gcs.py --color green --year 2020 --month 10
  {python} flows/parameterized_flow.py --color green --months 2020-01:2020-12 --plan"""


@flow(name="first-run", flow_run_name="generated months", **NOTICES)
@plain_failures
def first_run(
    source: str = "sample",
    bucket: str = EMBEDDED_BUCKET,
    warehouse: str = EMBEDDED_WAREHOUSE,
) -> State[list[MonthResult]]:
    """Load two generated months of green and one of yellow into the bucket and the warehouse.

    By default it uses the embedded bucket and warehouse, to keep generated data out of yours.

    Args:
        source: sample, or sample:ROWS to set the size.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
        warehouse: Block of the warehouse, as TYPE/NAME, or a DuckDB file.
    """
    tell_places(source, opened_bucket(bucket), opened_warehouse(warehouse))
    parent: Any = etl_parent_flow  # its overloads for return_state do not hold for any flow
    states = [
        parent(
            color,
            months=months,
            source=source,
            bucket=bucket,
            warehouse=warehouse,
            return_state=True,
        )
        for color, months in MONTHS
    ]
    lines = [line for state in states for line in _lines(state)]
    failed = [state.message for state in states if state.is_failed()]
    if failed:
        return Failed(message="; ".join(failed), data=lines)
    return Completed(message=f"{len(lines)} months", data=lines)


def _lines(state: State[Any]) -> list[MonthResult]:
    """Return the months of a run; raise its error if it failed before any of them."""
    result = state.result(raise_on_failure=False)
    if not isinstance(result, list):
        raise error_of(state)
    return result


def _shown(lines: Sequence[MonthResult]) -> str:
    made = any(line.generated for line in lines)
    more = "\n" + _REAL_DATA.format(python=sys.executable) if made else ""
    return table(lines, on_command_line) + more


if __name__ == "__main__":
    cli.run(first_run, _shown)
