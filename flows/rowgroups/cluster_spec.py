"""Which Dask cluster to use, from text; Dask itself is not asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trips.errors import UsageError

#: A temporary cluster of this machine.
LOCAL = "local"
_ADDRESS = re.compile(r"[a-z]+://\S+")
_CLASS = re.compile(r"\w+(\.\w+)+")


@dataclass(frozen=True)
class ClusterSpec:
    """Which cluster to use.

    Attributes:
        where: `local`, the address of a scheduler (`tcp://10.0.0.1:8786`), or the import path of a
            cluster class (`coiled.Cluster`).
        arguments: of the class, `local` being distributed.LocalCluster.
    """

    where: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, where: str, arguments: str) -> ClusterSpec:
        """From text, the arguments as JSON; nothing is started or imported.

        Raises:
            UsageError: it cannot be meant.
        """
        if not (where == LOCAL or _ADDRESS.fullmatch(where) or _CLASS.fullmatch(where)):
            raise UsageError(
                f"cluster {where!r} is none; write local, the address of a scheduler "
                "(tcp://10.0.0.1:8786), or the import path of a class (coiled.Cluster)"
            )
        try:
            found = json.loads(arguments or "{}")
        except ValueError as error:
            found = str(error)
        if not isinstance(found, dict):
            raise UsageError(
                f"cluster_arguments {arguments!r} is no JSON object ({found}); "
                'write it like {"n_workers": 4}'
            )
        spec = cls(where, found)
        if spec.is_address and found:
            raise UsageError(
                f"cluster {where} is there already and takes no cluster_arguments {arguments!r}; "
                "leave them out"
            )
        return spec

    @property
    def is_address(self) -> bool:
        """Whether the cluster is there already."""
        return bool(_ADDRESS.fullmatch(self.where))
