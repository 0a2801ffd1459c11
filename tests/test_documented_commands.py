"""Every command, block, variable and path in README and docs exists in the code."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import pytest
import typer
from distributed.cli import dask_scheduler, dask_worker
from markdown_it import MarkdownIt
from prefect import Flow
from prefect.settings import SETTING_VARIABLES

import block_specs
import bucket_deploy
import describe
import targets
from orchestration.network import CERTIFICATES
from orchestration.variables import VARIABLES
from reference import blocks, deployments
from specs import all_specs

PROJECT = Path(__file__).absolute().parents[1]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/*.md"))]
TARGETS = [script.TARGET for script in deployments.SCRIPTS]
DEPLOYMENTS: dict[str, Flow[..., Any]] = {
    targets.name_of(spec, target): spec.loaded() for target in TARGETS for spec in all_specs()
}
#: A command at the start of a line, or after its environment, another command, or an image.
_COMMAND = re.compile(
    r"(?:^\s*|\w=\S* +|&& |zoom-flows:1 )(?:\S*/)?"
    r"((?:python \w+/\w+\.py\b|(?:make|prefect|dask) )[^&|]*)",
    re.MULTILINE,
)


def code_blocks(page: Path) -> Iterator[str]:
    """Yield fenced and indented code blocks, also within lists."""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type in ("fence", "code_block"):
            yield token.content.replace("\\\n", " ")


def inline_code(page: Path) -> Iterator[str]:
    """Yield the inline code of text and tables; a heading may be the text of an error."""
    tokens = MarkdownIt().enable("table").parse(page.read_text())
    for before, token in pairwise(tokens):
        for child in token.children or []:
            if child.type == "code_inline" and before.type != "heading_open":
                yield child.content


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the commands of code blocks, and those in the text."""
    lines = [line for text in code_blocks(page) for line in text.splitlines()]
    for line in [*lines, *inline_code(page)]:
        for command in _COMMAND.findall(line):
            yield shlex.split(command.replace("…", ""), comments=True)


COMMANDS = {
    f"{page.stem}: {shlex.join(words)}": words for page in PAGES for words in commands(page)
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_accepted_as_it_is_written(words: list[str]) -> None:
    """Its options, their typed values, and what they name are all accepted."""
    program, *rest = words
    {"python": accept_script, "make": accept_make, "prefect": accept_prefect, "dask": accept_dask}[
        program
    ](rest)


def accept_script(words: Sequence[str]) -> None:
    path, *options = words
    script = PROJECT / path
    assert script.is_file()
    if path == "flows/describe.py":
        with patch.object(sys, "argv", [path, *options]):
            describe._options()
    elif script.parent.name == "flows":
        with suppress(click.exceptions.Exit):  # raised by --help
            # the dataset that a page declares
            known = ["green" if option == "rides" else option for option in options]
            command_of(script).make_context(path, known)
    elif script.parent.name == "blocks":
        block_specs._options(options)
    elif script.parent.name == "deployments":
        parse = bucket_deploy._options if "bucket" in path else targets.parser().parse_args
        parse(options)
    else:
        assert not options


@cache
def command_of(flow: Path) -> click.Command:
    """Return the command that a flow's file defines when it is run."""
    made: list[typer.Typer] = []
    nodes = ast.parse(flow.read_text()).body
    (main,) = [node for node in nodes if isinstance(node, ast.If) and "main" in ast.dump(node.test)]
    code = compile(ast.Module(main.body, []), flow.name, "exec")
    made_alone = patch.object(typer.Typer, "__call__", lambda app, **how: made.append(app))
    with made_alone, suppress(SystemExit):
        exec(code, vars(import_module(flow.stem)))
    return typer.main.get_command(made[0])


def accept_make(words: Sequence[str]) -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for word in words:
        name, equals, _ = word.partition("=")
        assert (f"$({name})" if equals else f"\n{name}:") in makefile


def accept_prefect(words: Sequence[str]) -> None:
    from prefect.cli.root import app  # takes a second, and no other test needs it

    import_module("prefect.cli")  # adds the commands
    command, rest = typer.main.get_command(app), list(words)
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    given = command.make_context("prefect", rest).params
    if command.name == "run":
        accept_parameters(given["name"], given["params"])
    if pool := given.get("work_pool_name"):
        queues = given.get("work_queues") or (given.get("work_queue_name") or "default",)
        assert {(pool, queue) for queue in queues} <= {(t.pool.name, t.queue) for t in TARGETS}


def accept_parameters(deployment: str, pairs: Sequence[str]) -> None:
    names = {pair.partition("=")[0] for pair in pairs}
    assert names <= set(DEPLOYMENTS[deployment].parameters.properties)


def accept_dask(words: Sequence[str]) -> None:
    command = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}[words[0]]
    command.make_context("dask", list(words[1:]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_block_is_one_that_a_script_saves(page: Path) -> None:
    """Each block is found by type and name."""
    trees = [ast.parse(script.read_text()) for script in blocks.scripts()]
    saved = {reference for tree in trees for reference in blocks.spec_of(tree)[1]}
    named = set(re.findall(r"(?<![\w/.-])[a-z0-9-]+/zoom[\w-]*", page.read_text()))
    assert named <= saved


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_deployment_is_one_of_the_specs(page: Path) -> None:
    """Flow and name match a deployment of any target; `…` stands for the flow or the target."""
    named = re.findall(rf"[a-z-]+/(?:{'|'.join(t.name for t in TARGETS)})[\w-]*", page.read_text())
    own = {"etl-parent-flow/local-flow-rides"}  # of the dataset that a page declares
    assert set(named) <= set(DEPLOYMENTS) | own
    assert set(re.findall(r"…/([a-z-]+)", page.read_text())) <= {t.name for t in TARGETS}
    variants = {f"{spec.loaded().name}/…{spec.variant}" for spec in all_specs()}
    assert set(re.findall(r"(?<!python )\b[a-z-]+/…[\w-]*", page.read_text())) <= variants


def test_the_guide_shows_every_deployment_that_make_serve_applies() -> None:
    shown = re.findall(r"^applied (.+)$", (PROJECT / "docs/deploy.md").read_text(), re.MULTILINE)
    assert shown == [name for name in DEPLOYMENTS if "/local-flow" in name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_variable_is_one_that_is_read(page: Path) -> None:
    """This project, Prefect, Docker's client or boto3 reads it."""
    families = (
        r"\b(?:TRIPS|GCP|GCS|S3|AWS|POSTGRES|DOCKER|GITHUB|KUBERNETES|NOTIFY|PREFECT)_[A-Z_]+\b"
    )
    ours = {variable.name for variable in VARIABLES} | blocks.explained().keys()
    others = {"AWS_ENDPOINT_URL", "DOCKER_HOST", "PREFECT_KUBERNETES_CLUSTER_UID"}
    theirs = SETTING_VARIABLES.keys() | others | {*CERTIFICATES}
    assert set(re.findall(families, page.read_text())) <= ours | theirs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_option_is_one_that_a_command_has(page: Path) -> None:
    """This covers options in code style within a sentence."""
    flows = [path for path in (PROJECT / "flows").glob("*.py") if path.stem != "describe"]
    options = {option for flow in flows for p in command_of(flow).params for option in names_of(p)}
    scripts, prefect = (
        {"--check", "--env", "--dry-run", "--name", "--output", "--storage"},
        {"--limit", "--path", "--pool"},
    )
    others = scripts | prefect | {"--help", "--nthreads"}
    named = {re.match(r"--[\w-]+", code) for code in inline_code(page)} - {None}
    assert {found[0] for found in named if found} <= options | others


def names_of(parameter: click.Parameter) -> list[str]:
    return [*parameter.opts, *parameter.secondary_opts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_file_is_there(page: Path) -> None:
    """Each file is in the project or in flows/, with its folder."""
    named = {
        code for code in inline_code(page) if re.fullmatch(r"[\w/.-]+/[\w-]+\.(py|toml|md)", code)
    } - {"datasets/NAME.toml"}
    missing = [n for n in named if not any((PROJECT / f / n).is_file() for f in ("", "flows"))]
    assert not missing


#: Limitations describe what is missing.
OPENING = [page for page in PAGES[2:] if page.stem != "limitations"]


@pytest.mark.parametrize("page", OPENING, ids=lambda page: page.stem)
def test_a_page_opens_with_what_it_is_for_and_a_command(page: Path) -> None:
    """Both stand before its first section, within half a screen."""
    tokens = MarkdownIt().parse(page.read_text())
    assert [token.type for token in tokens[:4]][::3] == ["heading_open", "paragraph_open"]
    code = next(token for token in tokens if token.type in ("fence", "code_block"))
    heading = next((t.map[0] for t in tokens[3:] if t.type == "heading_open" and t.map), 99)
    assert code.map
    assert code.map[0] < min(heading, 20)
    assert _COMMAND.search(code.content)
