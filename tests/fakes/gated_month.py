"""Judge and load a month by the steps of the flow in plain Python.

Run as a module, it is a process that forks for each job: see `fakes.forks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import Conflict
from core.scratch import scratch_folder, subfolder
from core.storage.bucket import Bucket, FolderBucket
from fakes.forks import serve
from fakes.one_month import MONTH, files_in
from monthly.convert.readings import Rules
from monthly.convert.to_parquet import convert
from monthly.corrections import conversion_change
from monthly.gates.aside import accept_aside, confirm_aside, discard, keep_aside
from monthly.gates.correction import correction_in
from monthly.gates.history import read_history
from monthly.gates.policy import Policy
from monthly.gates.verdict import verdict
from monthly.ledger import confirmed, entry_of, write_entry
from monthly.month import Month
from monthly.plan import Status, plan_month
from monthly.replacement import Replaced, replace_month
from monthly.sources import download

RULES = Rules(max_reject_share=0.5)
#: Totals in cents of a month's rows, and of the file that replaces it.
OLD = list(range(1_000, 1_200))
NEW = list(range(5_000, 5_321))
ASIDE = "held/yellow/yellow_tripdata_2021-01"
HELD = {f"{ASIDE}.{kind}" for kind in ("parquet", "report.html", "json")}


def state_of(bucket: FolderBucket) -> dict[str, bytes]:
    """Return every object except those set aside."""
    keys = files_in(bucket.folder) - HELD
    return {key: (bucket.folder / key).read_bytes() for key in keys}


def bring(
    source: str | Path, bucket: Bucket, policy: Policy | None = None, month: Month = MONTH
) -> str:
    """Bring a month into the bucket; return `loaded`, `unchanged`, `held` or `still held`."""
    with scratch_folder(month, f"{source} {bucket}") as folder:
        try:
            return _bring(month, str(source), bucket, folder, policy or Policy())
        except Conflict:
            return _bring(month, str(source), bucket, folder, policy or Policy())


def _bring(month: Month, source: str, bucket: Bucket, folder: Path, policy: Policy) -> str:
    plan = plan_month(month, source, bucket, policy=policy)
    if plan.status is Status.HELD:
        return "still held"
    if plan.has_leftovers:
        discard(bucket, plan.aside)
    if plan.published is None or not plan.has_work:
        return "unchanged"
    found = download(plan.published, subfolder(folder, "published"))
    if plan.entry and plan.proves_unchanged(found.sha256):
        write_entry(bucket, month, confirmed(plan.entry, found), plan.entry_version)
        return "unchanged"
    if held := plan.proven_held(found.sha256):
        confirm_aside(bucket, month, held, found)
        return "still held"
    converted = convert(month, found.path, subfolder(folder, "converted"), RULES)
    revision = conversion_change(bucket, plan, found, converted, subfolder(folder, "compared"))
    entry = entry_of(month, found, converted)
    policy = policy.for_file(found.sha256, plan.aside.held, plan.entry)
    if not policy.judges and plan.aside.held and policy.accept:
        accept_aside(bucket, month, plan.aside.held)
    correction = correction_in(plan.entry, entry, revision)
    odd = verdict(entry, read_history(bucket, month), policy, correction) if policy.judges else []
    if any(each.is_held for each in odd):
        page = converted.path.with_suffix(".html")
        page.write_text("its pictures")
        keep_aside(bucket, entry, converted, page, odd, plan.aside.held)
        return "held"
    replaced = Replaced(plan.entry, revision, 1) if plan.entry else None
    replace_month(bucket, found, converted, plan.entry_version, replaced)
    discard(bucket, plan.aside)
    return "loaded"


def run_job(job: dict[str, Any]) -> str:
    """Bring a job's month, and accept it if the job says so."""
    bucket = FolderBucket(Path(job["root"], "bucket"))
    return bring(job["source"], bucket, Policy(accept=bool(job.get("accept"))))


if __name__ == "__main__":
    serve(run_job)
