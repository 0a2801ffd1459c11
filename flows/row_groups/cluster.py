"""A Dask cluster for as long as there is work: a local one, one at an address, or any class."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import distributed
from distributed import Client, LocalCluster
from distributed.client import FutureCancelledError
from distributed.diagnostics.plugin import SchedulerUploadFile, UploadFile
from distributed.scheduler import KilledWorker

from core.dask.classes import cluster_class, local_options
from core.dask.cluster_spec import LOCAL, ClusterSpec
from core.errors import ClusterError, UsageError
from row_groups.job import Job, rewrite_object
from row_groups.ledger import Entry

#: Seconds until the first worker has come: machines of a cloud take minutes to start.
WORKERS_SECONDS = 600
#: What a worker needs of this project.
PACKAGES = ("row_groups", "monthly", "core")


@contextmanager
def running(spec: ClusterSpec, jobs: int) -> Iterator[Client]:
    """A client of the cluster, which is stopped at the end, however that comes.

    A cluster at an address was there before and stays. Workers elsewhere get this project's
    code sent; they need Python, Dask and what requirements.txt names, of the same versions.

    Args:
        spec: which cluster.
        jobs: how many there are: a local cluster has no more workers than that.

    Raises:
        UsageError: there is no such class, or it does not take these arguments.
        ClusterError: it does not start, or no worker comes.
    """
    with ExitStack() as stack:
        try:
            target = _started(spec, jobs, stack)
            client: Client = stack.enter_context(Client(target, set_as_default=False))  # type: ignore[no-untyped-call]
            client.wait_for_workers(1, timeout=WORKERS_SECONDS)
            _send_code(client)
        except (OSError, RuntimeError, distributed.TimeoutError) as error:
            raise ClusterError(
                f"cluster {spec} cannot be used: {_reasons(error)}; see that it runs and can be "
                "reached, and that its cluster_options are right"
            ) from error
        yield client


def _started(spec: ClusterSpec, jobs: int, stack: ExitStack) -> Any:
    """The address, or a cluster that ends with the stack."""
    if spec.is_address:
        return spec.where
    if spec.where == LOCAL:
        return stack.enter_context(_local(jobs, spec.options))
    try:
        return stack.enter_context(cluster_class(spec.where)(**spec.options))
    except TypeError as error:
        raise UsageError(
            f"cluster {spec} does not take these cluster_options: {error}; see its documentation"
        ) from error


def _local(jobs: int, options: Mapping[str, Any]) -> LocalCluster:
    ours = local_options(min(jobs, os.cpu_count() or 1))
    try:
        return LocalCluster(**ours | dict(options))  # type: ignore[no-untyped-call]
    except TypeError as error:
        raise UsageError(
            f"the local cluster does not take these cluster_options: {error}"
        ) from error


def _reasons(error: BaseException) -> str:
    """What it says, and what lay behind it: a worker's own reason comes last."""
    said = [str(error) or type(error).__name__]
    while cause := error.__cause__ or error.__context__:
        said.append(str(cause) or type(cause).__name__)
        error = cause
    return ": ".join(dict.fromkeys(said))


def _send_code(client: Client) -> None:
    """Give this project's packages to scheduler and workers, as both look at what is submitted.

    Workers get them too that come later, in place of a lost one.
    """
    flows = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"taxi-{uuid4().hex}.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(f for name in PACKAGES for f in (flows / name).rglob("*.py")):
                archive.write(file, file.relative_to(flows))
        # What runs in this process has the packages already, and would lose them to the copy.
        if client.run_on_scheduler(os.getpid) != os.getpid():  # type: ignore[no-untyped-call]
            client.register_plugin(SchedulerUploadFile(str(path)), name="taxi-flows-scheduler")
        if os.getpid() not in client.run(os.getpid).values():
            client.register_plugin(UploadFile(str(path)), name="taxi-flows-workers")


def rewrite_on(client: Client, job: Job) -> Entry:
    """Submit one rewrite and wait for it; a lost worker's is done again by another.

    Raises:
        ClusterError: several workers were lost with it, or the cluster itself.
        TripsError: see `rewrite_object`.
    """
    future = client.submit(rewrite_object, job, key=f"{job.file.name}-{uuid4().hex}", pure=False)
    try:
        entry: Entry = future.result()
    except KilledWorker as error:
        raise ClusterError(
            f"{job.file.name}: {error.allowed_failures + 1} workers were lost with it, "
            "most likely for want of memory; give them more, or lower rows_per_group"
        ) from error
    except FutureCancelledError as error:
        raise ClusterError(f"{job.file.name}: the cluster was lost ({error}); run again") from error
    return entry
