"""Checksums that identify files and objects."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return with_file(hashlib.sha256(), path).hexdigest()


def with_file(digest: hashlib._Hash, path: Path) -> hashlib._Hash:
    """Add the content of a file to a checksum and return it."""
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest
