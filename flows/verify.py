"""Compare the ledger with bucket, warehouse and publisher, and repair months on request.

python flows/verify.py --color green --months 2020-01:2020-12
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from core.errors import TripsError, UsageError
from core.scratch import sweep_scratch
from etl_gcs_to_bq import etl_gcs_to_bq
from etl_web_to_gcs import etl_web_to_gcs
from month_report import month_report
from monthly.convert.readings import NewColumns
from monthly.datasets import DATASETS
from monthly.month import Color, Month, months_of
from monthly.verify.checking import Request
from monthly.verify.checking import verify as verify_months
from monthly.verify.findings import Judgement, Verdict
from monthly.verify.repair import planned
from monthly.verify.repair import repair as repair_month
from monthly.verify.share import Share
from monthly.verify.words import verdict_markdown, verdict_record, verdict_table
from orchestration import cli
from orchestration.artifacts import show_verdicts
from orchestration.block_registry import BUCKET, WAREHOUSE, opened_places
from orchestration.exit_codes import UNCHECKED
from orchestration.flow_results import error_of, plain_failures
from orchestration.notifications import NOTICES
from orchestration.parameter_types import MonthOfYear, Year
from orchestration.paths import absolute_name
from orchestration.retries import RETRIES
from orchestration.secret_values import check_source
from orchestration.stages import stage
from orchestration.wording import advice_on_command_line, in_ui, on_command_line


@task(task_run_name="verify {request.dataset}", **RETRIES)
@stage
def check(request: Request, months: Sequence[Month] | None) -> list[Verdict]:
    """Compare ledger, bucket and warehouse, without writing anything."""
    return verify_months(request, months)


@dataclass(frozen=True)
class FlowRuns:
    """The steps of a repair as runs of the flows that load months; see `repair.Hands`.

    Attributes:
        bucket: block or path of the bucket.
        warehouse: block or path of the warehouse; empty for none.
    """

    bucket: str
    warehouse: str

    def fetch(
        self,
        month: Month,
        source: str,
        max_reject_share: float | None,
        new_columns: NewColumns,
        keep_editions: int | None,
    ) -> None:
        """Run etl_web_to_gcs, forced."""
        self._run(
            etl_web_to_gcs,
            month,
            source=source,
            max_reject_share=max_reject_share,
            new_columns=new_columns,
            keep_editions=keep_editions,
            force=True,
        )

    def reload(self, month: Month, force: bool) -> None:
        """Run etl_gcs_to_bq."""
        self._run(etl_gcs_to_bq, month, warehouse=self.warehouse, force=force, report=False)

    def redraw(self, month: Month) -> None:
        """Run month_report."""
        self._run(month_report, month)

    def _run(self, child: Any, month: Month, **options: Any) -> None:
        state: State[Any] = child(
            month.dataset,
            month.year,
            month.month,
            bucket=self.bucket,
            **options,
            return_state=True,
        )
        if state.is_failed() or state.is_crashed():
            raise error_of(state)


def _run_name() -> str:
    parameters = flow_run.parameters
    months = parameters["months"] or "all months"
    return f"{parameters['color'] or 'all datasets'} {months}"


@flow(name="verify", flow_run_name=_run_name, **NOTICES)
@plain_failures
def verify(
    color: Color | None = None,
    year: Year = 2021,
    months: str | list[MonthOfYear] = "",
    bucket: str = BUCKET,
    warehouse: str = WAREHOUSE,
    read_data: str = "0%",
    publisher: bool = False,
    source: str = "",
    repair: bool = False,
    plan: bool = False,
) -> State[list[Verdict]]:
    """Check that months are intact: ledger entry, object, rejects, report and warehouse rows.

    The run compares the checksum of each object, the counts in its footer, and the statistics of
    each column, which the warehouse computes. Without `repair` it writes nothing.

    Args:
        color: Dataset, by the name of its declaration; empty for all.
        year: Year of the months given by number.
        months: Numbers ([1, 2] or 1,2), months (2020-11), or an inclusive range
            (2020-01:2020-12); empty for all months in the bucket or the warehouse.
        bucket: Block of the bucket, as TYPE/NAME, or a folder.
        warehouse: Block of the warehouse, as TYPE/NAME, or a DuckDB file; empty for the bucket
            alone.
        read_data: Share of the objects to read in full even if their version proves the content,
            such as 10%; different ones each week.
        publisher: Also ask the publisher whether a file has changed.
        source: Where to ask and fetch from; empty for the source that a month came from, with
            the secrets that it was written with.
        repair: Take the fewest steps that repair each faulty month, then verify it again.
        plan: With repair, show the steps without carrying them out.
    """
    if months and color is None:
        raise UsageError("months needs one dataset; name it as color, or leave months empty")
    wanted = months_of(color, months, year) if color and months else None
    bucket, warehouse = absolute_name(bucket), absolute_name(warehouse)
    store, target = opened_places(bucket, warehouse)
    if source:
        check_source(source, color or next(iter(DATASETS)))
    share = Share.of(read_data, _today())
    requests = [
        Request(name, store, target, share, publisher, source)
        for name in ([color] if color else DATASETS)
    ]
    try:
        verdicts = [_checked(v, each) for each in requests for v in check(each, wanted)]
        if repair and not plan:
            runs = FlowRuns(bucket, warehouse)
            verdicts = [v for each in requests for v in _repaired(each, verdicts, runs, source)]
    except TripsError as error:
        return Failed(name=UNCHECKED, message=str(error), data=error)
    show_verdicts(verdict_markdown(verdicts, in_ui), _run_name())
    return _outcome(verdicts)


def _today() -> dt.date:
    return dt.date.today()


def _checked(verdict: Verdict, request: Request) -> Verdict:
    return planned(verdict, request.bucket, request.warehouse is not None)


def _repaired(
    request: Request, verdicts: Sequence[Verdict], runs: FlowRuns, source: str
) -> list[Verdict]:
    """Return the verdicts on a dataset after its faulty months were repaired."""
    own = [v for v in verdicts if v.month.dataset == request.dataset]
    faulty = [v for v in own if v.steps]
    if not faulty:
        return own
    sweep_scratch()
    failures = {}
    for verdict in faulty:
        get_run_logger().info("%s: %s", verdict.month, ", ".join(s.value for s in verdict.steps))
        if failure := repair_month(verdict, request.bucket, runs, source):
            get_run_logger().error("%s: not repaired: %s", verdict.month, failure)
            failures[verdict.month] = failure
    again = {v.month: v for v in check(request, [v.month for v in faulty])}
    return [_after(v, again[v.month], failures, request) if v.steps else v for v in own]


def _after(
    before: Verdict, now: Verdict, failures: dict[Month, TripsError], request: Request
) -> Verdict:
    if not now.faults:
        return replace(now, steps=before.steps, is_repaired=True)
    left = _checked(now, request)
    failure = failures.get(now.month)
    return replace(left, advice=(*left.advice, str(failure))) if failure else left


def _outcome(verdicts: Sequence[Verdict]) -> State[Any]:
    counts = Counter(v.judgement for v in verdicts)
    said = ", ".join(f"{counts[each]} {each.value}" for each in Judgement if counts[each])
    message = f"{said} of {len(verdicts)} months" if verdicts else "nothing to verify"
    if counts[Judgement.FAULTY]:
        return Failed(name="Faulty", message=message, data=list(verdicts))
    if counts[Judgement.UNCHECKED]:
        return Failed(name=UNCHECKED, message=message, data=list(verdicts))
    name = "Repaired" if any(v.is_repaired for v in verdicts) else "Verified"
    return Completed(name=name, message=message, data=list(verdicts))


def shown(verdicts: Any) -> str:
    """Return the result as text."""
    return verdict_table(verdicts, on_command_line)


def record(verdicts: Any) -> dict[str, Any]:
    """Return the result as fields of a JSON object."""
    return {"months": [verdict_record(each, advice_on_command_line) for each in verdicts]}


if __name__ == "__main__":
    cli.run(verify, shown, record=record)
