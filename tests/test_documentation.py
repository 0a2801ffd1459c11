"""README, docs and code agree, in both directions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import errors
from core.dask.memory import WORKER_MEMORY
from core.errors import TripsError
from orchestration.variables import ENVIRONMENT_FILE, VARIABLES
from reference import blocks

PROJECT = Path(__file__).absolute().parents[1]
README = PROJECT / "README.md"
PAGES = sorted((PROJECT / "docs").glob("*.md"))


def test_the_dask_worker_of_the_guide_is_started_as_those_of_a_flow() -> None:
    """The guide sets the same environment as a cluster that a flow starts."""
    guide = (PROJECT / "docs" / "many-machines.md").read_text().replace("\\\n", " ")
    (before,) = re.findall(r"^    (.*)\S+dask worker", guide, re.MULTILINE)
    assert dict(re.findall(r"(MALLOC\w+)=(\d+)", before)) == WORKER_MEMORY


def test_the_guide_names_exactly_the_actions_that_s3_is_asked_for() -> None:
    """The actions are those of its policy and those that errors name."""
    from core.storage.s3_errors import _ACTIONS

    asked = {action for actions in _ACTIONS.values() for action in actions.split(" and ")}
    guide = (PROJECT / "docs" / "s3.md").read_text()
    assert set(re.findall(r"`(s3:\w+)`", guide)) == asked


def test_every_variable_that_flows_read_is_declared() -> None:
    """A declared variable appears in the reference."""
    code = "".join(path.read_text() for path in (PROJECT / "flows").rglob("*.py"))
    assert set(re.findall(r"\bTRIPS_[A-Z_]+\b", code)) == {found.name for found in VARIABLES}


def test_the_example_of_an_environment_file_has_every_variable_and_no_value() -> None:
    """It has no secret, and nothing that looks like one."""
    named = re.findall(r"^(\w+)=(.*)$", (PROJECT / ".env.example").read_text(), re.MULTILINE)
    assert {value for _, value in named} == {""}
    assert {name for name, _ in named} == {*_read()} - {ENVIRONMENT_FILE.name}


def _read() -> Iterator[str]:
    """Yield the variables that flows, scripts and compose.yaml read."""
    yield from (variable.name for variable in VARIABLES)
    for script in blocks.scripts():
        tree = ast.parse(script.read_text())
        yield from {*blocks.spec_of(tree)[0], *blocks.read_by(tree), *blocks.passed_on(tree)}
    yield from re.findall(r"\$\{(\w+)", (PROJECT / "compose.yaml").read_text())


def _messages() -> str:
    """Return all text in the code, with adjacent literals joined and values left out."""
    folders = ("flows", "blocks", "deployments", "dev")
    files = [file for folder in folders for file in (PROJECT / folder).rglob("*.py")]
    trees = [ast.parse(path.read_text()) for path in files]
    texts = [
        _text(node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
    ]
    return "\n".join([*texts, (PROJECT / "Makefile").read_text()])


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
    return "".join(map(str, parts))


def test_every_error_of_the_troubleshooting_guide_is_one_of_ours() -> None:
    """Each heading is text that the code raises; Prefect's own errors are listed here."""
    theirs = {
        "All connection attempts failed",
        "Can't locate revision identified by",
        "Could not connect to Docker",
    }
    guide = (PROJECT / "docs" / "troubleshooting.md").read_text()
    headings = re.findall(r"^### `(.*)`$", guide, re.MULTILINE)
    messages = _messages()
    missing = [h for h in headings if h.strip("… ") not in messages and h not in theirs]
    assert headings
    assert not missing


def _kinds(error: type[Exception]) -> Iterator[str]:
    for kind in error.__subclasses__():
        yield kind.__name__
        yield from _kinds(kind)


def test_every_kind_of_error_has_a_heading_that_links_can_name() -> None:
    """The headings are the class names, in the order of the tree."""
    guide = (PROJECT / "docs" / "troubleshooting.md").read_text()
    assert re.findall(r"^### (\w+)$", guide, re.MULTILINE) == list(_kinds(TripsError))


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [README, *PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each link leads to a file of the project, and to a heading in it."""
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        found = page.parent / name if name else page
        assert found.is_file(), target
        headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in map(_anchor, headings), target


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    """The README has at most 180 lines and links to every page."""
    text = README.read_text()
    assert text.count("\n") <= 180
    for page in PAGES:
        assert f"(docs/{page.name}" in text, page.name


#: Phrases that a native engineer would not write.
_TICS = (r"(?<!there )is no [a-z]\w*", "speaks? of", "anew", "for ever", "cannot be meant")


def test_code_and_docs_are_free_of_tics() -> None:
    folders = ("flows", "blocks", "deployments", "dev", "docs", "tests")
    pages = [p for folder in folders for p in (PROJECT / folder).rglob("*") if p.is_file()]
    pages.remove(Path(__file__))  # it has the list
    texts = [p for p in [*pages, README] if p.suffix in (".py", ".md")]
    tics = re.compile(rf"\b(?:{'|'.join(_TICS)})\b", re.IGNORECASE)
    found = [f"{p.name}: {match[0]}" for p in texts for match in tics.finditer(p.read_text())]
    assert not found


def test_an_error_names_a_heading_of_the_guide() -> None:
    headings = re.findall(r"^### (\w+)$", (PROJECT / "docs/troubleshooting.md").read_text(), re.M)
    anchors = {f"docs/troubleshooting.md#{heading.lower()}" for heading in headings}
    classes = [found for found in vars(errors).values() if isinstance(found, type)]
    raised = [found for found in classes if issubclass(found, errors.TripsError)]
    assert {errors.page_of(found.__name__) for found in raised} - {""} <= anchors
