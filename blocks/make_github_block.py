"""Save the block of the repository that deployments fetch code from, `github/zoom-github`."""

from __future__ import annotations

import sys
import warnings

from settings import Settings

import httpx
from prefect.filesystems import GitHub
from pydantic.v1 import SecretStr

from block_specs import Blocks, BlockSpec, main


def blocks(settings: Settings) -> Blocks:
    """Yield the repository, with a token if one is set, as a private repository needs."""
    token = settings.get("GITHUB_STORAGE_TOKEN")
    # Deprecated: Prefect 3 has another class, but Prefect 2 deployments need this one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        repository = GitHub(
            repository=settings.address("GITHUB_STORAGE_REPOSITORY"),
            reference=settings.get("GITHUB_STORAGE_REFERENCE") or None,
            access_token=SecretStr(token) if token else None,
        )
    yield "zoom-github", repository


def check(block: GitHub) -> str:
    """Request the branches and tags, as `git clone` does first."""
    token = block.access_token.get_secret_value() if block.access_token else None
    address = f"{block.repository.removesuffix('/')}/info/refs"
    service = {"service": "git-upload-pack"}
    auth = (token, "") if token else None
    answer = httpx.get(address, params=service, auth=auth, timeout=10, follow_redirects=True)
    if answer.status_code != 200:
        raise LookupError(f"{block.repository} answers {answer.status_code}")
    if block.reference and not _names(answer.text, block.reference):
        raise LookupError(f"{block.repository} has no branch or tag {block.reference}")
    return f"{block.repository} at {block.reference or 'its default branch'}"


def _names(refs: str, reference: str) -> bool:
    """Return whether a ref advertisement (git's HTTP protocol) lists a branch or tag."""
    known = {line.partition("\0")[0].rpartition(" ")[2] for line in refs.splitlines()}
    return bool(known & {f"refs/heads/{reference}", f"refs/tags/{reference}"})


SPEC = BlockSpec(("GITHUB_STORAGE_REPOSITORY",), blocks, {"github/zoom-github": check})

if __name__ == "__main__":
    sys.exit(main([SPEC]))
