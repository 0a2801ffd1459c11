"""Tasks of the gates: judge a converted month, set it aside, and remove what was set aside."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from prefect import get_run_logger, task

from core.disk import room_for
from core.download.remote_file import Download
from core.storage.bucket import Bucket
from monthly.gates.aside import (
    Aside,
    HeldMonth,
    accept_aside,
    aside_key,
    discard,
    held_error,
    keep_aside,
)
from monthly.gates.correction import correction_in
from monthly.gates.history import read_history
from monthly.gates.judging import Finding
from monthly.gates.policy import Policy
from monthly.gates.verdict import verdict
from monthly.ledger import Entry, entry_of
from monthly.month import Month
from monthly.plan import Plan
from monthly.revision import Revision
from orchestration.artifacts import show_quality
from orchestration.flow_results import readable
from orchestration.handed_down import plan_of_parent
from orchestration.retries import PASSING, RETRIES
from orchestration.stages import stage

if TYPE_CHECKING:
    from monthly.convert.to_parquet import Converted


def remove_leftovers(plans: Sequence[Plan], bucket: Bucket) -> None:
    """Remove what is still set aside of months that are in the bucket as published."""
    for plan in plans:
        if plan.has_leftovers:
            release(plan.month, plan.aside, bucket)


def passed(
    planned: Plan,
    found: Download[Month],
    converted: Converted,
    revision: Revision | None,
    bucket: Bucket,
    policy: Policy,
) -> list[Finding]:
    """Return what is unusual about a month that passes; set the month aside if it does not.

    Args:
        planned: the month's plan.
        found: its published file.
        converted: its Parquet file.
        revision: what it changes; None if it replaces nothing.
        bucket: the bucket of its history.
        policy: what to do with unusual months.

    Raises:
        Held: it differs too much from its history.
    """
    month, held = planned.month, planned.aside.held
    policy = policy.for_file(found.sha256, held, planned.entry)
    if not policy.judges:
        if held and policy.accept:
            accept(month, held, bucket)
        return []
    entry = entry_of(month, found, converted)
    correction = correction_in(planned.entry, entry, revision)
    odd = _judged(month, entry, correction, bucket, policy)
    if any(each.is_held for each in odd):
        raise held_error(month, odd, hold(planned, entry, converted, bucket, odd))
    return odd


def _judged(
    month: Month, entry: Entry, correction: Revision | None, bucket: Bucket, policy: Policy
) -> list[Finding]:
    """Judge the month; under a parent run, use a task only if it needs retries."""
    if plan_of_parent(month):  # which may run many months: a task run takes longer than judging
        with suppress(*PASSING):
            return judge.fn(month, entry, correction, bucket, policy)
    return judge(month, entry, correction, bucket, policy)


@task(task_run_name="judge {month}", **RETRIES)
@stage
def judge(
    month: Month, entry: Entry, correction: Revision | None, bucket: Bucket, policy: Policy
) -> list[Finding]:
    """Compare the month with its own history, before anything is written."""
    found = verdict(entry, read_history(bucket, month), policy, correction)
    tell_odd(month, found)
    return found


def tell_odd(month: Month, found: Sequence[Finding]) -> None:
    """Log what is unusual about a month."""
    for each in found:
        get_run_logger().warning("%s: %s", month, each.text)


@task(task_run_name="hold {planned.month}", **RETRIES)
@stage
def hold(
    planned: Plan,
    entry: Entry,
    converted: Converted,
    bucket: Bucket,
    findings: Sequence[Finding],
) -> str:
    """Set the month aside with its report; return where the report is."""
    # Imported late: matplotlib takes a second to import, and only drawing needs it.
    from monthly.report.held import held_page

    month, where = planned.month, bucket.uri(aside_key(planned.month, "parquet"))
    page = converted.path.with_suffix(".report.html")
    try:
        html = held_page(month, entry, converted.path, bucket, where, findings)
    except Exception as error:  # the month is held even if drawing fails
        get_run_logger().error("%s: drawing its charts failed: %s", month, readable(error))
        html = held_page(month, entry, None, bucket, where, findings)
    with room_for(f"{page.name} of {month}", page.parent):
        page.write_text(html, encoding="utf-8")
    keep_aside(bucket, entry, converted, page, findings, planned.aside.held)
    show_quality(entry, where, [each.text for each in findings])
    return bucket.uri(aside_key(month, "report.html"))


@task(task_run_name="accept {month}", **RETRIES)
@stage
def accept(month: Month, held: HeldMonth, bucket: Bucket) -> None:
    """Record that the held month is accepted, so that any later run completes this one."""
    accept_aside(bucket, month, held)


@task(task_run_name="release {month}", **RETRIES)
@stage
def release(month: Month, aside: Aside, bucket: Bucket) -> None:
    """Remove what was set aside for a month that was held."""
    discard(bucket, aside)
    get_run_logger().info("%s: removed %s objects that were set aside", month, len(aside.keys))
