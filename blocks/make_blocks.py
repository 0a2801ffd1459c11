"""Save all blocks whose variables are set in the environment or .env."""

from __future__ import annotations

import sys

import make_docker_block
import make_embedded_blocks
import make_gcp_blocks
import make_github_block
import make_kubernetes_block
import make_notification
import make_postgres_block
import make_process_blocks
import make_s3_block
import make_secret_blocks
from block_specs import main_of_all

SPECS = (
    make_embedded_blocks.SPEC,
    make_process_blocks.SPEC,
    make_gcp_blocks.SPEC,
    make_s3_block.SPEC,
    make_postgres_block.SPEC,
    make_docker_block.SPEC,
    make_kubernetes_block.SPEC,
    make_github_block.SPEC,
    make_notification.SPEC,
    make_secret_blocks.SPEC,
)

if __name__ == "__main__":
    sys.exit(main_of_all(SPECS))
