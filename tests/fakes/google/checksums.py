"""Checksums of objects: what Google computes, what a client declares, and where they differ."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google_crc32c import Checksum

from fakes.google.answers import Refused, Request


def checksums_of(path: Path) -> dict[str, str]:
    """Return the checksums of a file as the API writes them."""
    md5, crc = hashlib.md5(), _crc32c()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            md5.update(chunk)
            crc.update(chunk)
    texts = (base64.b64encode(found).decode() for found in (md5.digest(), crc.digest()))
    return dict(zip(("md5Hash", "crc32c"), texts))


def _crc32c() -> Any:
    return Checksum()  # type: ignore[no-untyped-call]


def declared(request: Request) -> dict[str, str]:
    """Return the checksums that the last request of an upload declares."""
    names = {"crc32c": "crc32c", "md5": "md5Hash"}
    parts = filter(None, request.headers.get("x-goog-hash", "").split(","))
    return {names[kind]: text for kind, _, text in (part.partition("=") for part in parts)}


def refuse_damage(sent: Mapping[str, Any], sums: Mapping[str, str]) -> None:
    """Refuse an object whose checksums are not those sent, in Google's words."""
    for name, what in (("crc32c", "CRC32C"), ("md5Hash", "MD5 hash")):
        given, found = sent.get(name, sums[name]), sums[name]
        if given != found:
            message = f'Provided {what} "{given}" doesn\'t match calculated {what} "{found}".'
            raise Refused(400, message)
