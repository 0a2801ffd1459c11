"""Save all blocks that .env has values for."""

from __future__ import annotations

import sys

import make_docker_block
import make_embedded_blocks
import make_gcp_blocks
import make_github_block
import make_notification
import make_postgres_block
import make_process_blocks
import make_s3_block
from recipes import main_of_all

RECIPES = (
    make_embedded_blocks.RECIPE,
    make_process_blocks.RECIPE,
    make_gcp_blocks.RECIPE,
    make_s3_block.RECIPE,
    make_postgres_block.RECIPE,
    make_docker_block.RECIPE,
    make_github_block.RECIPE,
    make_notification.RECIPE,
)

if __name__ == "__main__":
    sys.exit(main_of_all(RECIPES))
