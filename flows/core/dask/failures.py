"""Errors of a Dask cluster that does not start, which name the cluster and what to correct."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import distributed

from core.dask.cluster_spec import LOCAL, ClusterSpec
from core.errors import ClusterError, UsageError


@contextmanager
def options_refused(spec: ClusterSpec) -> Iterator[None]:
    """Name the cluster in the error of a class that does not accept its arguments.

    Raises:
        UsageError: the class raised TypeError or ValueError.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        name = "the local cluster" if spec.where == LOCAL else f"cluster {spec}"
        raise UsageError(
            f"{name} does not take these cluster_options: {error}; see the documentation of its "
            "class"
        ) from error


@contextmanager
def start_failed(spec: ClusterSpec) -> Iterator[None]:
    """Name the cluster in the error of one that does not start, or does not answer.

    Raises:
        ClusterError: the cluster cannot be used.
    """
    try:
        yield
    except (OSError, RuntimeError, distributed.TimeoutError) as error:
        raise ClusterError(
            f"cluster {spec} cannot be used: {_reasons(error)}; see that it runs and can be "
            "reached, and that its cluster_options are right"
        ) from error


def _reasons(error: BaseException) -> str:
    """Return the messages of an error and its causes; a worker's own reason comes last."""
    said = [str(error) or type(error).__name__]
    while cause := error.__cause__ or error.__context__:
        said.append(str(cause) or type(cause).__name__)
        error = cause
    return ": ".join(dict.fromkeys(said))
