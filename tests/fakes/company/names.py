"""The names that the company's proxy resolves, as a plugin of proxy.py."""

from __future__ import annotations

import os
from pathlib import Path

from proxy.http.proxy import HttpProxyBasePlugin


class Names(HttpProxyBasePlugin):
    """Resolves names under `.test`, and notes every name."""

    def resolve_dns(self, host: str, port: int) -> tuple[str | None, tuple[str, int] | None]:
        """Return 127.0.0.1 for the company's names; None leaves others to the system."""
        with Path(os.environ["SEEN"]).open("a") as seen:
            seen.write(f"{host}\n")
        return ("127.0.0.1" if host.endswith(".test") else None), None
