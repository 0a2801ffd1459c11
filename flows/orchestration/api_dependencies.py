"""The dependencies of requests to Prefect's API, made cheap."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from prefect._vendor.fastapi.dependencies.models import Dependant
from prefect._vendor.fastapi.routing import APIRoute
from prefect.server.database import dependencies
from prefect.server.database.dependencies import MODELS_DEPENDENCIES, provide_database_interface
from prefect.server.database.interface import PrefectDBInterface

#: Interfaces by the parts that Prefect builds them from.
_INTERFACES: dict[tuple[Any, ...], PrefectDBInterface] = {}


def infer_interface_once() -> None:
    """Cache the database interface, which Prefect infers several times a request."""
    dependencies.provide_database_interface = _interface


def _interface() -> PrefectDBInterface:
    """Return the interface to the currently configured database."""
    known = _INTERFACES.get(tuple(MODELS_DEPENDENCIES.values()))
    if known is None:
        known = provide_database_interface()  # adds missing parts
        _INTERFACES[tuple(MODELS_DEPENDENCIES.values())] = known
    return known


def call_in_loop(app: Any) -> None:
    """Call the dependencies of requests in the event loop.

    FastAPI calls those that are not coroutines in threads, which wait for the interpreter, although
    Prefect's only compute. FastAPI's `dependency_overrides` would make it inspect all dependencies
    again for each request.

    Args:
        app: Prefect's API, as `create_app` returns it.
    """
    for route in app.api_app.routes:
        if isinstance(route, APIRoute):
            _replace_dependencies(route.dependant)


def _replace_dependencies(dependant: Dependant) -> None:
    for each in dependant.dependencies:
        if inspect.isfunction(each.call) and not inspect.iscoroutinefunction(each.call):
            computes = _interface if each.call is provide_database_interface else each.call
            each.call = _coroutine(computes)
        _replace_dependencies(each)


def _coroutine(computes: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(computes)
    async def answer(**values: Any) -> Any:
        return computes(**values)

    return answer
