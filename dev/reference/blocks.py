"""Write the sections on blocks and variables, from the scripts, .env.example and compose.yaml.

Scripts are parsed, not imported: most would import a cloud's client.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from orchestration.embedded_blocks import DuckDBWarehouse, LocalBucket
from orchestration.variables import VARIABLES
from reference.flows import kind
from reference.markdown import code, codes, one_line, prose, shown, table

PROJECT = Path(__file__).absolute().parents[2]
_BLOCKS = """\
A script in `blocks/` saves blocks with the values of variables, from the environment or else from
`.env`. With `--check` it connects with the same values and saves nothing; `--env FILE` reads
another file. `make_blocks.py` runs each script whose required variables are set. See
[Blocks](blocks.md).
"""
_OWN = "The fields of the project's own block types:\n"
_VARIABLES = """\
Flows read these from the environment, or else from `.env`. A parameter takes precedence over both;
a saved block and the default come after them. An empty value counts as unset.
"""
_COMPOSE = "`compose.yaml` reads these from the environment, or else from `.env`:\n"
#: Methods of Settings that read a variable.
_READS = {"get", "required", "address", "bucket", "image", "matching", "parts"}
#: Modules of blocks/ whose lists of variables scripts pass on.
_PASSING = {"identity", "flow_variables"}


def section() -> str:
    """Describe the script and the variables of every block."""
    fields = table(("block type", "field", "description", "type", "default"), _fields())
    return "\n".join([_BLOCKS, *map(_described, scripts()), _OWN, fields])


def scripts() -> list[Path]:
    """Return the scripts that make blocks, except make_blocks.py, which runs them all."""
    found = (PROJECT / "blocks").glob("make_*.py")
    return sorted(path for path in found if path.name != "make_blocks.py")


def variables() -> str:
    """Describe the variables of flows and of compose.yaml."""
    head = ("variable", "description", "default")
    flows = [(code(v.name), one_line(v.help), _in_project(v.default)) for v in VARIABLES]
    return "\n".join([_VARIABLES, table(head, flows), _COMPOSE, table(head, _of_compose())])


def _described(script: Path) -> str:
    tree = ast.parse(script.read_text())
    needs, blocks = spec_of(tree)
    about = (ast.get_docstring(tree) or "").split("\n\n")[0]
    names = sorted({*needs, *read_by(tree), *passed_on(tree)}, key=list(explained()).index)
    rows = [(code(name), explained()[name], shown(name in needs)) for name in names]
    read = table(("variable", "description", "required"), rows)
    return f"### {script.name}\n\n{prose(about)}\nBlocks: {codes(blocks)}.\n\n{read}"


def spec_of(tree: ast.Module) -> tuple[list[str], list[str]]:
    """Return the required variables and the blocks of a script, from its BlockSpec."""
    (spec,) = [call for call in _calls(tree) if ast.unparse(call.func) == "BlockSpec"]
    needs, _, checks = spec.args
    return list(ast.literal_eval(needs)), [
        ast.literal_eval(key) for key in ast.walk(checks) if isinstance(key, ast.Constant)
    ]


def read_by(tree: ast.Module) -> set[str]:
    """Return the variables that a script reads from its Settings."""
    return {
        ast.literal_eval(call.args[0])
        for call in _calls(tree)
        if isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) == "settings"
        and call.func.attr in _READS
    }


def passed_on(tree: ast.Module) -> list[str]:
    """Return the variables that a script passes on to runs: of the identity, and of flows."""
    called = {ast.unparse(call.func).partition(".")[0] for call in _calls(tree)}
    texts = [(PROJECT / "blocks" / f"{name}.py").read_text() for name in _PASSING & called]
    return [name for text in texts for name in re.findall(r'^    "(\w+)",$', text, re.MULTILINE)]


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@cache
def explained() -> dict[str, str]:
    """Return the variables of .env.example, each with the comment above it.

    The first line of a paragraph is its heading.
    """
    found: dict[str, str] = {}
    for paragraph in (PROJECT / ".env.example").read_text().split("\n\n")[1:]:
        _, lines = paragraph.split("\n", 1)
        for comment, names in re.findall(r"((?:^# .*\n)+)((?:^\w+=$\n?)+)", lines, re.MULTILINE):
            text = one_line(re.sub(r"^# ", "", comment, flags=re.MULTILINE))
            found |= dict.fromkeys(re.findall(r"\w+", names), text)
    return found


def _fields() -> Iterator[tuple[str, str, str, str, str]]:
    for block in (LocalBucket, DuckDBWarehouse):
        slug = block._block_type_slug
        for name, field in block.__fields__.items():
            if about := field.field_info.description:
                default = "required" if field.required else shown(field.default)
                yield code(slug), code(name), one_line(about), kind(field.outer_type_), default


def _of_compose() -> Iterator[tuple[str, str, str]]:
    text = (PROJECT / "compose.yaml").read_text()
    found = dict(re.findall(r"\$\{(\w+):([-?][^}]*)\}", text))
    for name, fallback in found.items():
        default = "required" if fallback.startswith("?") else shown(fallback[1:])
        yield code(name), explained()[name], default


def _in_project(default: str) -> str:
    return shown(default.removeprefix(f"{PROJECT}/")) if default else "see description"
