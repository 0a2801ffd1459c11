"""Each remedy that an error proposes is a parameter of the flow that failed."""

from __future__ import annotations

import ast
import json
import pickle
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from core.errors import (
    Ambiguous,
    Remedy,
    SchemaError,
    TooManyRejects,
    TripsError,
    UsageError,
    page_of,
)
from orchestration import cli, wording

FLOWS = Path(__file__).absolute().parents[1] / "flows"
_MONTHS = ("etl_web_to_gcs", "ingest_data", "etl_parent_flow")
_LOADS = ("etl_gcs_to_bq", "etl_parent_flow")
_FILES = {"etl_parent_flow": "parameterized_flow"}

#: Each place in the code that proposes something: the flows that raise it, and the remedies.
PROPOSED: dict[tuple[str, str], tuple[tuple[str, ...], tuple[Remedy, ...]]] = {
    ("monthly/header.py", "_refuse_drift"): (_MONTHS, (Remedy("strict", False),)),
    ("monthly/convert/refusals.py", "_refuse_empty_columns"): (_MONTHS, (Remedy("strict", False),)),
    ("monthly/convert/refusals.py", "_refuse_outside"): (
        _MONTHS,
        (Remedy("max_outside_share", 1.0),),
    ),
    ("monthly/convert/rejects.py", "too_many"): (_MONTHS, (Remedy("max_reject_share", 0.0015),)),
    ("monthly/convert/survey.py", "_mark"): (
        _MONTHS,
        (Remedy("decimal_mark", "point"), Remedy("decimal_mark", "comma")),
    ),
    ("monthly/convert/time_evidence.py", "_ambiguous"): (
        _MONTHS,
        (
            *(Remedy("date_order", f"{part}-first") for part in ("month", "day", "year")),
            Remedy("utc_times", "local"),
            Remedy("utc_times", "utc"),
        ),
    ),
    ("monthly/ledger.py", ""): (
        (*_MONTHS, *_LOADS),
        (Remedy("repair", True, flow="verify"),),
    ),
    ("monthly/verify/repair.py", ""): (
        ("verify",),
        (
            Remedy("force", True, flow="ingest_data"),
            Remedy("accept", True, flow="etl_web_to_gcs"),
        ),
    ),
    ("monthly/gates/aside.py", ""): (_MONTHS, (Remedy("accept", True),)),
    ("monthly/plan.py", ""): (
        _MONTHS,
        (Remedy("force", True), Remedy("unpin", True, flow="history")),
    ),
    ("monthly/warehouses/__init__.py", ""): (
        (*_LOADS, "ingest_data"),
        (Remedy("force", True, flow="etl_web_to_gcs"), Remedy("unpin", True, flow="history")),
    ),
    ("monthly/warehouses/__init__.py", "refuse_other_count"): (_LOADS, (Remedy("force", True),)),
    ("monthly/warehouses/postgres_ledger.py", "_refuse_garbled"): (
        ("ingest_data", "history"),
        (Remedy("force", True, flow="ingest_data"),),
    ),
    ("monthly/warehouses/bigquery.py", "run"): (_LOADS, (Remedy("force", True),)),
    ("parameterized_flow.py", "_or_failed"): (
        ("etl_parent_flow",),
        (Remedy("skip_missing", True),),
    ),
    ("engines/run_plan.py", "_refuse_options_of_others"): (
        ("etl_parent_flow",),
        (Remedy("engine", "dask"), Remedy("engine", "agents")),
    ),
    ("engines/agent_deployment.py", "chosen_deployment"): (
        ("etl_parent_flow",),
        (Remedy("deployment", "etl-parent-flow/local-flow"),),
    ),
    ("row_groups/cluster.py", "rewrite_on"): (
        ("check_for_files",),
        (Remedy("rows_per_group", 350_000),),
    ),
    ("check_for_files.py", "_no_such_file"): (
        ("check_for_files",),
        (Remedy("skip_missing", True),),
    ),
    ("orchestration/cli.py", "_confirmed"): (("drop_months",), (Remedy("yes", True),)),
}
EACH = [
    (flow, remedy)
    for flows, remedies in PROPOSED.values()
    for remedy in remedies
    for flow in ([remedy.flow] if remedy.flow else flows)
]
each = pytest.mark.parametrize(("flow", "remedy"), EACH, ids=str)


def flow_of(name: str) -> Any:
    return getattr(import_module(_FILES.get(name, name)), name)


def places() -> set[tuple[str, str]]:
    """Return file and function of each remedy in the code."""
    return {
        (path.relative_to(FLOWS).as_posix(), name)
        for path in FLOWS.rglob("*.py")
        for name, node in nodes(ast.parse(path.read_text()), "")
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Remedy"
        if not any(isinstance(argument, ast.Starred) for argument in node.args)
        if node.args
    }


def nodes(tree: ast.AST, inside: str) -> list[tuple[str, ast.AST]]:
    found = []
    for node in ast.iter_child_nodes(tree):
        name = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else inside
        found += [(name, node), *nodes(node, name)]
    return found


def test_every_remedy_of_the_code_is_tried_here() -> None:
    assert places() == set(PROPOSED)


@each
def test_the_command_line_takes_what_it_proposes(flow: str, remedy: Remedy) -> None:
    """The command of the flow that raises the error parses the option that it proposes."""
    said = wording.on_command_line("it failed", [remedy])
    words = shlex.split(said.partition(" with ")[2])
    assert said.startswith(f"it failed; run flows/{flow}.py with " if remedy.flow else "it failed;")
    command = typer.main.get_command(cli.app_of(flow_of(flow), lambda *run: None))
    read = command.make_context(flow, words).params
    assert read[remedy.parameter] == remedy.value


@each
def test_the_ui_takes_what_it_proposes(flow: str, remedy: Remedy) -> None:
    """The parameter is parsed as `prefect deployment run --param` does."""
    said = wording.in_ui("it failed", [remedy])
    name, _, text = said.partition(" with ")[2].partition("=")
    assert "--" not in said
    value = json.loads(text.lower()) if text in ("True", "False") else text
    assert flow_of(flow).validate_parameters({name: value}) == {name: remedy.value}


def test_no_layer_below_the_front_ends_words_an_option() -> None:
    """Nor a parameter's assignment; `--nthreads` is an option of Dask's own program."""
    texts = [
        node.value
        for layer in ("core", "monthly", "row_groups", "covid", "gif", "engines")
        for path in (FLOWS / layer).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    parameters = {remedy.parameter for _, remedy in EACH}
    worded = re.compile(rf"(?<!\S)--(?!nthreads)[a-z]|\b({'|'.join(parameters)})=(True|False|\d)")
    assert [text for text in texts if worded.search(text)] == []


ERROR = SchemaError(
    "green 2020-10: unknown column 'x'", "declare it", Remedy("strict", False, "to leave it out")
)


def test_an_error_is_worded_for_its_reader() -> None:
    said = (ERROR.message, ERROR.remedies)
    start = "green 2020-10: unknown column 'x'; declare it, or run again with "
    assert wording.on_command_line(*said) == f"{start}--no-strict to leave it out"
    assert wording.in_ui(*said) == f"{start}strict=False to leave it out"
    assert str(ERROR) == "green 2020-10: unknown column 'x'; declare it"


def test_one_of_several_remedies_is_enough() -> None:
    """The remedies of one flow share their verb."""
    choices = [Remedy("date_order", f"{part}-first") for part in ("month", "day", "year")]
    assert wording.on_command_line("open", choices) == (
        "open; run again with --date-order month-first, with --date-order day-first, "
        "or with --date-order year-first"
    )
    other = [Remedy("force", True), Remedy("force", True, "for it", "etl_web_to_gcs")]
    assert wording.on_command_line("open", other) == (
        "open; run again with --force, or run flows/etl_web_to_gcs.py with --force for it"
    )
    assert wording.in_ui("open", other) == (
        "open; run again with force=True, or run etl-web-to-gcs with force=True for it"
    )


def test_an_error_comes_back_from_another_process_with_its_remedies() -> None:
    """Dask pickles the error."""
    back = pickle.loads(pickle.dumps(ERROR))
    assert (type(back), back.message, back.remedies) == (
        SchemaError,
        ERROR.message,
        ERROR.remedies,
    )


@pytest.mark.parametrize("error", [UsageError, Ambiguous, TooManyRejects])
def test_an_error_names_the_page_that_helps(error: type[TripsError]) -> None:
    assert error("x").page == f"docs/troubleshooting.md#{error.__name__.lower()}"
    assert page_of("TripsError") == ""
