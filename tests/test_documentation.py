"""README, docs and the code say the same, both ways round."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from core.dask.memory import WORKER_MEMORY

PROJECT = Path(__file__).absolute().parents[1]
#: Pages that say what the code does beside those that have tests of their own.
_OTHERS = ("operations.md", "troubleshooting.md", "values.md")
PAGES = [p for p in sorted((PROJECT / "docs").glob("*.md")) if p.name not in _OTHERS]
README = "\n\n".join(page.read_text() for page in [PROJECT / "README.md", *PAGES])
FLOWS = sorted(path for path in (PROJECT / "flows").glob("*.py") if "@flow" in path.read_text())


def flows_of(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [f for f in functions if any("flow(" in ast.unparse(d) for d in f.decorator_list)]


def all_flows() -> list[ast.FunctionDef]:
    return [found for path in FLOWS for found in flows_of(path)]


@pytest.mark.parametrize("found", all_flows(), ids=lambda found: found.name)
def test_every_flow_and_parameter_stands_in_the_readme(found: ast.FunctionDef) -> None:
    """By its name, and each parameter in code style."""
    assert f"`{found.name}`" in README
    for argument in found.args.args:
        assert f"`{argument.arg}`" in README, f"{found.name}: {argument.arg}"


@pytest.mark.parametrize("found", all_flows(), ids=lambda found: found.name)
def test_every_parameter_is_explained_in_the_docstring(found: ast.FunctionDef) -> None:
    """The UI's form and --help take their text from there."""
    docstring = ast.get_docstring(found) or ""
    for argument in found.args.args:
        assert re.search(rf"^    {argument.arg}: \S", docstring, re.MULTILINE), argument.arg


def test_every_parameter_of_the_readme_exists() -> None:
    """A first cell of a parameter table is a parameter of some flow."""
    known = {argument.arg for found in all_flows() for argument in found.args.args}
    tables = re.findall(r"\| parameter \|.*?\n\n", README, re.DOTALL)
    named = {
        name
        for table in tables
        for row in table.strip().splitlines()[2:]
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert tables
    assert named <= known


def test_every_make_target_stands_in_the_readme_and_the_other_way_round() -> None:
    """The phony ones; python-version is none of a person's."""
    makefile = (PROJECT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    targets = set(phony[1].split()) - {"python-version"}
    assert set(re.findall(r"`make ([\w-]+)`", README)) == targets


def test_every_command_of_the_readme_is_a_file_with_these_options() -> None:
    """Each flows/*.py that a command names exists, and takes the options shown with it."""
    text = README.replace("\\\n", " ")
    scripts = re.findall(r"^    \s*\S*python (blocks/\w+\.py)", text, re.MULTILINE)
    assert scripts
    assert all((PROJECT / script).is_file() for script in scripts)
    commands = re.findall(r"^    \s*\S*python (flows/\w+\.py)(.*)$", text, re.MULTILINE)
    assert commands
    for file, rest in commands:
        found = flows_of(PROJECT / file)[0]
        known = {argument.arg.replace("_", "-") for argument in found.args.args}
        assert set(re.findall(r"--([\w-]+)", rest)) <= known, file


def test_the_dask_worker_of_the_readme_is_started_as_those_of_a_flow() -> None:
    """With the environment that a cluster of a flow's own has."""
    (before,) = re.findall(r"^    (.*)\S+dask worker", README.replace("\\\n", " "), re.MULTILINE)
    assert dict(re.findall(r"(MALLOC\w+)=(\d+)", before)) == WORKER_MEMORY


def test_every_block_stands_in_the_readme() -> None:
    """The classes of the embedded blocks, by slug and class name."""
    from prefect.blocks.core import Block

    from orchestration import embedded_blocks

    for name, found in inspect.getmembers(embedded_blocks, inspect.isclass):
        if issubclass(found, Block) and found.__module__ == "embedded_blocks":
            assert f"`{name}`" in README
            assert f"`{found._block_type_slug}/" in README


def test_every_variable_of_the_environment_stands_in_the_operations_guide() -> None:
    """Those that the code reads are those that the guide names."""
    code = "".join(path.read_text() for path in (PROJECT / "flows").rglob("*.py"))
    guide = (PROJECT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"\bTRIPS_[A-Z_]+\b", code)) == set(
        re.findall(r"`(TRIPS_[A-Z_]+)`", guide)
    )


def test_every_script_of_blocks_stands_in_the_guides_and_the_other_way_round() -> None:
    """In the README and in the operations guide's table of variables."""
    scripts = {path.name for path in (PROJECT / "blocks").glob("make_*.py")}
    assert set(re.findall(r"\bmake_\w+\.py\b", README)) == scripts
    assert set(VARIABLES_OF) == scripts


def test_every_variable_of_a_script_is_explained_and_the_other_way_round() -> None:
    """What a script reads is what the operations guide says, and .env.example has all."""
    example = (PROJECT / ".env.example").read_text()
    for script in VARIABLES_OF.keys() - {"make_blocks.py"}:
        assert _variables(PROJECT / "blocks" / script) == VARIABLES_OF[script], script
    named = re.findall(r"^([A-Z]\w+)=(.*)$", example, re.MULTILINE)
    assert {name for name, _ in named} == set().union(*VARIABLES_OF.values(), _others())
    assert {value for _, value in named} == {""}  # no secret, and nothing that looks like one


def test_every_saved_block_stands_in_the_readme() -> None:
    """By the name that its script gives it."""
    code = "".join(path.read_text() for path in (PROJECT / "blocks").glob("make_*.py"))
    saved = set(re.findall(r'yield[ (\s]*"(zoom(?:-[a-z0-9-]+)?)"', code))
    assert saved
    assert set(re.findall(r"`[a-z0-9-]+/(zoom(?:-[a-z0-9-]+)?)`", README)) == saved


def test_the_readme_names_exactly_the_actions_that_s3_is_asked_for() -> None:
    """The policy of its S3 section, and what the errors name."""
    from core.storage.s3_errors import _ACTIONS

    asked = {action for actions in _ACTIONS.values() for action in actions.split(" and ")}
    assert set(re.findall(r"`(s3:\w+)`", README)) == asked


def _variables_of() -> dict[str, set[str]]:
    guide = (PROJECT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(make_\w+\.py)` \| (.*) \|$", guide, re.MULTILINE)
    return {script: set(re.findall(r"`([A-Z]\w+)`", cells)) for script, cells in rows}


VARIABLES_OF = _variables_of()


def _others() -> set[str]:
    """What deployments and compose.yaml are told by .env."""
    asked = _variables(PROJECT / "deployments" / "targets.py")
    return asked | set(re.findall(r"\$\{(\w+)", (PROJECT / "compose.yaml").read_text()))


def test_what_deployments_and_compose_read_stands_in_the_operations_guide() -> None:
    """In the table of the other readers of .env."""
    guide = (PROJECT / "docs" / "operations.md").read_text()
    rows = re.findall(
        r"^\| (?:the scripts in `deployments/`|`compose.yaml`) \| (.*) \|$", guide, re.M
    )
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == _others()


def test_every_deployment_stands_in_the_readme_and_the_other_way_round() -> None:
    """Flow and variant, the targets by their script, and the queues of agents."""
    from specs import SPECS

    deployed = {f"{row.loaded().name}/…{row.variant}" for row in SPECS}
    assert set(re.findall(r"`([a-z-]+/…[a-z-]*)`", README)) == deployed
    scripts = {path.name for path in (PROJECT / "deployments").glob("*_deploy.py")}
    assert set(re.findall(r"\b\w+_deploy\.py\b", README)) == scripts
    for script in scripts:
        code = (PROJECT / "deployments" / script).read_text()
        (name,) = re.findall(r'^    name="([\w-]+-flow)"', code, re.MULTILINE)
        assert f"`…/{name}`" in README


def _variables(script: Path) -> set[str]:
    """What a script asks its settings for, by the literals in capitals."""
    nodes = ast.walk(ast.parse(script.read_text()))
    texts = [_text(node) for node in nodes if isinstance(node, ast.Constant)]
    return {text for text in texts if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", text)} - {
        "IF_NOT_PRESENT",
        "PREFECT_HOME",  # of the container, not of the script
    }


def _messages() -> str:
    """All text of the code, literals joined as Python joins them, values left out."""
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
    """Its heading is text that the code raises; Prefect's own are named here."""
    theirs = {"Can't locate revision identified by", "Could not connect to Docker"}
    guide = (PROJECT / "docs" / "troubleshooting.md").read_text()
    headings = re.findall(r"^## `(.*)`$", guide, re.MULTILINE)
    messages = _messages()
    missing = [h for h in headings if h.strip("… ") not in messages and h not in theirs]
    assert headings
    assert not missing


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))])
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of the project, and to a heading that it has."""
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        found = page.parent / name if name else page
        assert found.is_file(), target
        headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in map(_anchor, headings), target


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    """One screen to know, five to work."""
    text = (PROJECT / "README.md").read_text()
    assert text.count("\n") <= 180
    for page in (PROJECT / "docs").glob("*.md"):
        assert f"(docs/{page.name}" in text, page.name


#: Phrases that a native engineer would not write.
_TICS = (r"(?<!there )is no [a-z]\w*", "speaks? of", "anew", "for ever", "cannot be meant")


def test_code_and_docs_are_free_of_tics() -> None:
    folders = ("flows", "blocks", "deployments", "dev", "docs")
    pages = [p for folder in folders for p in (PROJECT / folder).rglob("*") if p.is_file()]
    texts = [p for p in [*pages, PROJECT / "README.md"] if p.suffix in (".py", ".md")]
    tics = re.compile(rf"\b(?:{'|'.join(_TICS)})\b", re.IGNORECASE)
    found = [f"{p.name}: {match[0]}" for p in texts for match in tics.finditer(p.read_text())]
    assert not found
