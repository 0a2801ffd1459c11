"""A Dask cluster for the duration of a run: local, at an address, or of any cluster class."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from distributed import Client, LocalCluster
from distributed.client import FutureCancelledError
from distributed.diagnostics.plugin import SchedulerUploadFile, UploadFile
from distributed.scheduler import KilledWorker

from core.checksums import sha256_of
from core.dask.classes import cluster_class, local_options
from core.dask.cluster_spec import LOCAL, ClusterSpec
from core.dask.failures import options_refused, start_failed
from core.errors import ClusterError, Remedy
from monthly.datasets import declaration_files
from row_groups.job import Job, rewrite_object
from row_groups.ledger import Entry

#: Seconds to wait for the first worker: cloud machines take minutes to start.
WORKERS_SECONDS = 600
#: This project's packages that a worker needs.
PACKAGES = ("row_groups", "monthly", "core")
#: How the names of their archives begin.
_PREFIX = "taxi-flows-"


@contextmanager
def running(spec: ClusterSpec, jobs: int) -> Iterator[Client]:
    """Yield a client of the cluster and stop the cluster on exit, even after an error.

    A cluster at an address keeps running. Workers on other machines are sent this project's
    code; they need Python, Dask and the packages of requirements.txt in the same versions.

    Args:
        spec: the cluster.
        jobs: number of jobs, the upper limit for the workers of a local cluster.

    Raises:
        UsageError: the class does not exist or does not accept these arguments.
        ClusterError: the cluster does not start, or no worker connects.
    """
    with ExitStack() as stack:
        with start_failed(spec):
            target = _started(spec, jobs, stack)
            client: Client = stack.enter_context(Client(target, set_as_default=False))  # type: ignore[no-untyped-call]
            client.wait_for_workers(1, timeout=WORKERS_SECONDS)
            _send_code(client)
        yield client


def _started(spec: ClusterSpec, jobs: int, stack: ExitStack) -> Any:
    """Return the address, or a new cluster that the exit stack closes."""
    if spec.is_address:
        return spec.where
    with options_refused(spec):
        return stack.enter_context(_new(spec, jobs))


def _new(spec: ClusterSpec, jobs: int) -> Any:
    if spec.where == LOCAL:
        every = local_options(min(jobs, os.cpu_count() or 1), spec.options)
        return LocalCluster(**every)  # type: ignore[no-untyped-call]
    return cluster_class(spec.where)(**spec.options)


def _send_code(client: Client) -> None:
    """Upload this project's packages and declarations to scheduler and workers.

    Both unpickle submitted tasks. Workers that join later, in place of a lost one, get them too.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _archive(Path(folder))
        forget = _forgetting(path.name.rpartition("-")[0])
        # Scheduler or workers in this process already have the packages; a copy would shadow them.
        if client.run_on_scheduler(os.getpid) != os.getpid():  # type: ignore[no-untyped-call]
            client.run_on_scheduler(forget)  # type: ignore[no-untyped-call]
            client.register_plugin(SchedulerUploadFile(str(path)), name="taxi-flows-scheduler")
        if os.getpid() not in client.run(os.getpid).values():
            client.run(forget)
            client.register_plugin(UploadFile(str(path)), name="taxi-flows-workers")


def _archive(folder: Path) -> Path:
    """Return an archive of code and declarations, whose unique name has a checksum of them."""
    flows, path = Path(__file__).parents[1], folder / "new.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(f for name in PACKAGES for f in (flows / name).rglob("*.py")):
            archive.write(file, file.relative_to(flows))
        for file in declaration_files():
            archive.write(file, f"datasets/{file.name}")
    return path.rename(folder / f"{_PREFIX}{sha256_of(path)[:16]}-{uuid4().hex}.zip")


def _forgetting(archive: str) -> Callable[[], None]:
    """Return a function that drops the modules imported from archives with other contents.

    Dask reloads only the packages themselves, so a running cluster would keep the modules of its
    first run, with their code and declarations. Those with the same contents stay: another run may
    be using them.
    """

    # Nested, and thus pickled by value: workers may not have this module.
    def forget() -> None:
        import re
        import sys

        for name, module in [*sys.modules.items()]:
            file = getattr(module, "__file__", None) or ""
            # Before 1.10, the names of archives had no checksum.
            if re.search(r"/taxi-[^/]*\.zip/", file) and f"/{archive}" not in file:
                del sys.modules[name]

    return forget


def rewrite_on(client: Client, job: Job) -> Entry:
    """Submit one rewrite and wait for it; if its worker is lost, another one retries it.

    Raises:
        ClusterError: several workers were lost while running it, or the cluster was lost.
        TripsError: see `rewrite_object`.
    """
    future = client.submit(rewrite_object, job, key=f"{job.file.name}-{uuid4().hex}", pure=False)
    try:
        entry: Entry = future.result()
    except KilledWorker as error:
        raise ClusterError(
            f"{job.file.name}: {error.allowed_failures + 1} workers were lost with it, "
            "most likely because memory ran out",
            "give them more",
            Remedy("rows_per_group", max(job.rows_per_group // 2, 1)),
        ) from error
    except FutureCancelledError as error:
        raise ClusterError(f"{job.file.name}: the cluster was lost ({error}); run again") from error
    return entry
