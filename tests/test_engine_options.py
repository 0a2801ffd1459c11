"""Options that another engine needs are refused before anything is planned."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import UsageError
from engines.run_plan import EngineConfig


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"cluster": "tcp://a:8786"},
            "cluster 'tcp://a:8786' is for the engine dask, and this one",
        ),
        (
            {"cluster": "distributed.LocalCluster", "cluster_options": '{"n_workers": 2}'},
            "is for the engine dask, and this one is threads; leave cluster out",
        ),
        (
            {"name": "agents", "cluster_options": {"n_workers": 2}},
            "cluster_options {'n_workers': 2} is for the engine dask, and this one is agents",
        ),
        (
            {"name": "dask", "deployment": "etl-parent-flow/x"},
            "deployment 'etl-parent-flow/x' is for the engine agents, and this one is dask",
        ),
    ],
)
def test_an_option_of_another_engine_is_refused(options: dict[str, Any], said: str) -> None:
    """Otherwise months would run elsewhere than requested."""
    with pytest.raises(UsageError) as refused:
        EngineConfig(**options)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"name": "dask", "cluster": "tcp://a:8786"},
        {"name": "dask", "cluster_options": '{"n_workers": 2}'},
        {"name": "agents", "deployment": "etl-parent-flow/x"},
    ],
)
def test_its_own_options_are_taken(options: dict[str, Any]) -> None:
    engine = EngineConfig(**options)
    assert {name: getattr(engine, name) for name in options} == options
