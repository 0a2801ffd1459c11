"""Configures the certificates and proxies of all clients.

Import it before Prefect, which reads its settings on import.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from core.errors import UsageError
from orchestration.variables import CA_FILE, Setting, setting

#: Variables that name the trusted certificates, with the clients that read them.
CERTIFICATES = {
    "SSL_CERT_FILE": "httpx: publishers, webhooks, GitHub's API",
    "PREFECT_API_SSL_CERT_FILE": "Prefect's client",
    "REQUESTS_CA_BUNDLE": "Google's clients",
    "AWS_CA_BUNDLE": "boto3",
    "GIT_SSL_CAINFO": "git, which fetches the code of GitHub deployments",
}
#: Schemes of the requests for which clients look for a proxy.
_PROXIED = {"http", "https", "all"}
#: This machine, which no proxy can reach.
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def share_network() -> None:
    """Pass TRIPS_CA_FILE to every client, and send requests to this machine past proxies.

    A client's own variable takes precedence.

    Raises:
        UsageError: TRIPS_CA_FILE is not a file of certificates, or a variable does not name a
            proxy that every client can use.
    """
    found = setting(CA_FILE)
    if found.value:
        _refuse_other_files(found)
        # Absolute: child processes may have another folder as their current one.
        os.environ[CA_FILE.name] = path = str(Path(found.value).absolute())
        for name in CERTIFICATES:
            os.environ[name] = os.environ.get(name) or path
    if proxies := getproxies_environment():
        for scheme in _PROXIED & proxies.keys():
            _refuse_unusable_proxy(scheme, proxies[scheme])
        _spare_loopback()


def _refuse_other_files(found: Setting) -> None:
    try:
        ssl.create_default_context(cafile=found.value)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"{found.origin}: {found.value} is not a file of certificates ({error}); name one "
            "with PEM certificates that this user may read"
        ) from error


def _refuse_unusable_proxy(scheme: str, address: str) -> None:
    # The clients' own errors do not name the variable, and some show its password.
    if not _is_http(address if "://" in address or "@" in address else f"http://{address}"):
        name = f"{scheme}_proxy"
        name = name if name in os.environ else name.upper()
        raise UsageError(
            f"{name} is not the address of an HTTP proxy; write it like http://HOST:PORT, with "
            "USER:PASSWORD@ before HOST if the proxy requires a login, and characters other than "
            "letters and digits percent-encoded in the password"
        )


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port = parts.port  # raises ValueError if it is not a number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


def _spare_loopback() -> None:
    """Add this machine to NO_PROXY; otherwise clients would ask the proxy for 127.0.0.1."""
    # Clients read either spelling, the lower-case one first.
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = [name.strip() for name in known.split(",") if name.strip()]
    if "*" not in names:
        names += [name for name in _LOOPBACK if name not in names]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(names)
