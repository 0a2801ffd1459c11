"""Rewriting of large Parquet files into uniform row groups, on a Dask cluster started on demand.

python flows/check_for_files.py --source s3-bucket/zoom-s3/trip-data
"""

from __future__ import annotations

import datetime as dt
import difflib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import orchestration.prefect_home  # noqa: F401 - sets what Prefect reads as it is imported

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from core.dask.cluster_spec import ClusterSpec
from core.errors import NotPublished, Remedy
from core.scratch import sweep_scratch
from monthly.convert.readings import UtcTimes
from orchestration import cli
from orchestration.artifacts import show_files
from orchestration.block_registry import BUCKET, open_place
from orchestration.flow_results import error_of, plain_failures
from orchestration.notifications import NOTICES
from orchestration.parameter_types import AtLeastNone, RowsPerGroup
from orchestration.retries import RETRIES
from orchestration.stages import stage
from orchestration.wording import advice_on_command_line, in_ui, on_command_line
from row_groups.job import Job
from row_groups.places import Place
from row_groups.plan import Intent, Planned, plan_files
from row_groups.report import FileLine, Outcome, failed_file, line_of, public_record, table
from row_groups.rewrite import check_rows_per_group

if TYPE_CHECKING:
    from distributed import Client

#: About 128 MB of Arrow: a high-volume for-hire trip has 24 columns and takes 183 bytes.
ROWS_PER_GROUP = 700_000


@task(name="find", task_run_name="find {pattern}", **RETRIES)
@stage
def find(
    source: Place, sink: Place, pattern: str, intent: str, days: int, rows_per_group: int
) -> list[Planned]:
    """List the files and compare them with the ledger, without writing anything."""
    return plan_files(source, sink, pattern, intent, days, _now(), rows_per_group)


@task(name="rewrite", task_run_name="rewrite {job.file}", **RETRIES)
@stage
def rewrite(job: Job, client: Client) -> FileLine:
    """Rewrite one file on a Dask worker and wait for the result."""
    # Imported late: Dask takes a second to import, and a run without work does not need it.
    from row_groups.cluster import rewrite_on

    started = time.perf_counter()
    entry = rewrite_on(client, job)
    get_run_logger().info("%s: %s rows, %s groups", job.file, f"{entry.rows:,}", entry.row_groups)
    return line_of(job.file, Outcome.REWRITTEN, entry, job.sink, time.perf_counter() - started)


def _run_name() -> str:
    parameters = flow_run.parameters
    return f"{parameters['intent'] or 'changed'} {parameters['pattern']}"


@flow(name="check-for-files", flow_run_name=_run_name, **NOTICES)
@plain_failures
def check_for_files(
    intent: Intent = "",
    source: str = f"{BUCKET}/data/fhvhv",
    sink: str = f"{BUCKET}/row-groups/fhvhv",
    pattern: str = "fhvhv_tripdata_*.parquet",
    days: AtLeastNone = 7,
    rows_per_group: RowsPerGroup = ROWS_PER_GROUP,
    utc_times: UtcTimes = "auto",
    skip_missing: bool = False,
    cluster: str = "",
    cluster_options: str | dict[str, Any] = "{}",
) -> State[list[FileLine]]:
    """Rewrite changed Parquet files into uniform row groups, each file on a Dask worker.

    The run starts a cluster only if there is work, and stops it on success or failure. A new file
    replaces the old one only after its row count is verified. A file that fails does not stop the
    others; the run then fails at the end.

    Args:
        intent: Empty for recently changed files (see days), test_subset for the first file only,
            reprocess for all files, replacing existing output.
        source: Folder of the files - a folder of a bucket block, as TYPE/NAME/FOLDER, or an
            absolute path.
        sink: Folder for the rewritten files, which keep their names; same format as source.
        pattern: Pattern of the file names, with * and ? as wildcards.
        days: Maximum age of a change, in days.
        rows_per_group: Rows in each row group except the last; the default is about 128 MB.
        utc_times: How to read times marked as UTC - local (New York's clock despite the mark)
            or utc (instants); auto decides by the month of the file.
        skip_missing: Skip the run if no file matches, instead of failing it.
        cluster: Empty for workers on this machine, the address of a Dask scheduler
            (tcp://10.0.0.1:8786), or the import path of a cluster class (coiled.Cluster).
        cluster_options: Arguments of the cluster class, as a JSON object.
    """
    check_rows_per_group(rows_per_group)
    spec = ClusterSpec.of(cluster, cluster_options)
    places = open_place(source, there=True), open_place(sink)
    get_run_logger().info("%s", f"{pattern} of {places[0]} into {places[1]}")
    planned = find(*places, pattern, intent, days, rows_per_group)
    lines = [line_of(file, Outcome.UNCHANGED, file.entry, places[1]) for file in planned]
    jobs = [Job(file, *places, rows_per_group, utc_times) for file in planned if file.due]
    if not lines and not skip_missing:
        raise _no_such_file(places[0], pattern)
    if not jobs:
        return _nothing(lines, f"{pattern} in {places[0]}")
    sweep_scratch()
    done = {line.name: line for line in _rewritten(jobs, spec)}
    lines = [done.get(line.name, line) for line in lines]
    show_files(lines, f"{intent or 'changed'} {pattern}")
    return _verdict(lines)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def _rewritten(jobs: Sequence[Job], spec: ClusterSpec) -> list[FileLine]:
    """Run the jobs on a cluster that stops after the last one, and return a line for each."""
    # Imported late: Dask takes a second to import, and a run without work does not need it.
    from row_groups.cluster import running

    logger = get_run_logger()
    with running(spec, len(jobs)) as client:
        logger.info(
            "Dask cluster %s with %s workers", spec, len(client.scheduler_info()["workers"])
        )
        futures = [(job, rewrite.submit(job, client)) for job in jobs]
        return [_result(job, future) for job, future in futures]


def _result(job: Job, future: PrefectFuture[Any, Any]) -> FileLine:
    state: Any = future.wait()
    if state.is_completed():
        line: FileLine = state.result()
        return line
    return failed_file(job.file.name, error_of(state))


def _no_such_file(source: Place, pattern: str) -> NotPublished:
    names = [file.name for file in source.files("*")]
    near = difflib.get_close_matches(pattern, names) or names[:3]
    there = f"{len(names)} files, {', '.join(near)} among them" if names else "no file at all"
    return NotPublished(
        f"no file of {source} matches {pattern}; it has {there}",
        "correct source or pattern",
        Remedy("skip_missing", True, "if files are still to come"),
    )


def _nothing(lines: list[FileLine], what: str) -> State[Any]:
    message = f"nothing to do for {len(lines)} files" if lines else "no such file"
    return Completed(name="Skipped", message=f"{what}: {message}", data=lines)


def _verdict(lines: list[FileLine]) -> State[Any]:
    failed = [line for line in lines if line.is_failed]
    if failed:
        named = "; ".join(f"{line.name}: {in_ui(line.reason, line.remedies)}" for line in failed)
        return Failed(message=f"{len(failed)} of {len(lines)} files failed: {named}", data=lines)
    counts = Counter(line.status.value for line in lines)
    message = ", ".join(f"{count} {status}" for status, count in counts.items())
    return Completed(message=message, data=lines)


def record(lines: Sequence[FileLine]) -> Mapping[str, Any]:
    """Return the result as fields of a JSON object."""
    return {"files": [public_record(line, advice_on_command_line) for line in lines]}


if __name__ == "__main__":
    cli.run(check_for_files, partial(table, voice=on_command_line), record=record)
