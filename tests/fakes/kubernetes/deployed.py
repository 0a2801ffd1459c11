"""Deploy the flow of a month for agents and workers of a cluster, with the project's scripts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

import kubernetes_deploy
import kubernetes_pool_deploy
import make_kubernetes_block
import targets
from block_specs import main as save
from fakes.prefect_machine import Prefect
from specs import all_specs

AGENT, WORKER = "etl-web-to-gcs/kubernetes-flow", "etl-web-to-gcs/kubernetes-pool-flow"
_SCRIPTS = (
    (kubernetes_deploy, targets.apply),
    (kubernetes_pool_deploy, kubernetes_pool_deploy.apply),
)


def deploy(prefect: Prefect, image: str, project: Path) -> None:
    """Save the blocks and apply both deployments in this process, because a command takes seconds.

    Args:
        prefect: the server.
        image: name of the image.
        project: the project's folder where the containers run.
    """
    env = prefect.home / "kubernetes.env"
    env.write_text(
        f"KUBERNETES_IMAGE={image}\nKUBERNETES_NAMESPACE=trips\nKUBERNETES_VOLUME=months\n"
    )
    options = ["--env", str(env)]
    api = f"http://127.0.0.1:{prefect.port}/api"
    with temporary_settings({PREFECT_API_URL: api}), pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "all_specs", lambda: all_specs()[:1])
        patch.setattr(os, "environ", {k: v for k, v in os.environ.items() if "TRIPS_" not in k})
        assert save([make_kubernetes_block.SPEC], options) == 0
        for script, apply in _SCRIPTS:
            target = replace(script.TARGET, path=str(project))
            assert kubernetes_deploy.main_of(target, script.manifest, options, apply) == 0
