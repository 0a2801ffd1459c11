"""The Dask cluster to use, parsed from text without importing Dask."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import UsageError

#: Stands for a temporary cluster on this machine.
LOCAL = ""
_ADDRESS = re.compile(r"[a-z]+://\S+")
_CLASS = re.compile(r"\w+(\.\w+)+")


@dataclass(frozen=True)
class ClusterSpec:
    """The cluster to use.

    Attributes:
        where: LOCAL, the address of a scheduler (`tcp://10.0.0.1:8786`), or the import path of a
            cluster class (`coiled.Cluster`).
        options: arguments of the class; for LOCAL, of distributed.LocalCluster.
    """

    where: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, where: str, options: str | Mapping[str, Any]) -> ClusterSpec:
        """Parse a cluster and its options (JSON text), without starting or importing anything.

        Raises:
            UsageError: the text is invalid.
        """
        if not (where == LOCAL or _ADDRESS.fullmatch(where) or _CLASS.fullmatch(where)):
            raise UsageError(
                f"cluster {where!r} is not valid: leave it empty, or write the address of a "
                "scheduler (tcp://10.0.0.1:8786) or the import path of a class (coiled.Cluster)"
            )
        try:
            found = json.loads(options or "{}") if isinstance(options, str) else dict(options)
        except ValueError as error:
            found = str(error)
        if not isinstance(found, dict):
            raise UsageError(
                f"cluster_options {options!r} is not a JSON object ({found}); "
                'write it like {"n_workers": 4}'
            )
        spec = cls(where, found)
        if spec.is_address and found:
            raise UsageError(
                f"cluster {where} is already running and takes no cluster_options {options!r}; "
                "leave them out"
            )
        return spec

    def __str__(self) -> str:
        """Return the name used in messages."""
        return self.where or "of this machine"

    @property
    def is_address(self) -> bool:
        """Return whether the cluster is already running."""
        return bool(_ADDRESS.fullmatch(self.where))
