"""Which Dask cluster to use, from text; Dask itself is not asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import UsageError

#: A temporary cluster of this machine.
LOCAL = ""
_ADDRESS = re.compile(r"[a-z]+://\S+")
_CLASS = re.compile(r"\w+(\.\w+)+")


@dataclass(frozen=True)
class ClusterSpec:
    """Which cluster to use.

    Attributes:
        where: LOCAL, the address of a scheduler (`tcp://10.0.0.1:8786`), or the import path of a
            cluster class (`coiled.Cluster`).
        options: arguments of the class, which for LOCAL is distributed.LocalCluster.
    """

    where: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, where: str, options: str | Mapping[str, Any]) -> ClusterSpec:
        """From text, the options as JSON; nothing is started or imported.

        Raises:
            UsageError: it cannot be meant.
        """
        if not (where == LOCAL or _ADDRESS.fullmatch(where) or _CLASS.fullmatch(where)):
            raise UsageError(
                f"cluster {where!r} is none; leave it empty, or write the address of a scheduler "
                "(tcp://10.0.0.1:8786) or the import path of a class (coiled.Cluster)"
            )
        try:
            found = json.loads(options or "{}") if isinstance(options, str) else dict(options)
        except ValueError as error:
            found = str(error)
        if not isinstance(found, dict):
            raise UsageError(
                f"cluster_options {options!r} is no JSON object ({found}); "
                'write it like {"n_workers": 4}'
            )
        spec = cls(where, found)
        if spec.is_address and found:
            raise UsageError(
                f"cluster {where} is there already and takes no cluster_options {options!r}; "
                "leave them out"
            )
        return spec

    def __str__(self) -> str:
        """What a message calls it."""
        return self.where or "of this machine"

    @property
    def is_address(self) -> bool:
        """Whether the cluster is there already."""
        return bool(_ADDRESS.fullmatch(self.where))
