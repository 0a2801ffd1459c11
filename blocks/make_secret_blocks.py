"""Save the secrets of sources as Prefect's Secret blocks, `secret/NAME`."""

from __future__ import annotations

import sys

from settings import Settings

from prefect.blocks.system import Secret
from pydantic.v1 import SecretStr

from block_specs import Blocks, BlockSpec, main


def blocks(settings: Settings) -> Blocks:
    """Yield a block for each secret, with the name that sources use."""
    for variable, value in settings.secrets().items():
        name = variable.removeprefix("TRIPS_SECRET_").lower().replace("_", "-")
        yield name, Secret(value=SecretStr(value))


def check(block: Secret) -> str:
    """Return whether there is a value, in words; only its publisher can check it."""
    return "has a value" if block.value.get_secret_value() else "is empty"


SPEC = BlockSpec(("TRIPS_SECRET_NAME",), blocks, {"secret/NAME": check})

if __name__ == "__main__":
    sys.exit(main([SPEC]))
