"""The commands in docs/your-own-data.md run one by one in a copy of the project."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.newcomer import Newcomer

PROJECT = Path(__file__).absolute().parents[1]
PAGE = PROJECT / "docs" / "your-own-data.md"
#: What a Python runs for each program of the page.
PROGRAMS = {
    ".venv/bin/python": [],
    ".venv/bin/prefect": ["-c", "from prefect.cli import app; app()"],
}
pytestmark = pytest.mark.slow


def commands() -> Iterator[str]:
    """Yield the indented commands of the page, with continued lines joined."""
    for block in re.findall(r"(?:^    .*\n)+", PAGE.read_text(), re.MULTILINE):
        lines = [line[4:] for line in block.splitlines()]
        starts = [n for n, line in enumerate(lines) if line.startswith((".venv/bin/", "make "))]
        for begin, end in zip(starts, [*starts[1:], len(lines)]):
            yield "\n".join(lines[begin:end])


def test_every_command_of_the_page_does_what_it_says(
    tmp_path: Path, prefect_database: Callable[[Path], None]
) -> None:
    """They lead from the draft to the query, and deploy the schedule that the page adds."""
    person = Newcomer(tmp_path)
    person.install(prefect_database)
    (person.project / "docs").mkdir()
    shutil.copy(PROJECT / "docs" / "rides_2024-05.csv", person.project / "docs")
    told = {}
    for command in commands():
        if command == "make serve":  # tests/dev/test_serve.py waits for a server
            # It saves these blocks, which the commands after it need.
            assert person.types("blocks/make_process_blocks.py").returncode == 0
            continue
        program, *rest = shlex.split(command.replace("\\\n", " "))
        done = person.types(*PROGRAMS[program], *rest)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        told[command] = done.stdout
    _, plan, load, sample, query, applied, started = told.values()
    assert re.search(r"rides 2024-05 +NEW ", plan)
    assert re.search(r"rides 2024-05 +loaded +40 +40 +0 ", load)
    assert re.search(r"rides 2024-06 +loaded, GENERATED +2,000 +2,000 +0 ", sample)
    assert re.findall(r"2024-0\d-01 +│ +(\d+)", query) == ["40", "2000"]
    assert "etl-parent-flow/local-flow" in applied
    assert "Created flow run" in started
    (schedule,) = re.findall(r"```toml\n(\[schedule\].*?)```", PAGE.read_text(), re.DOTALL)
    declaration = person.project / "flows" / "datasets" / "rides.toml"
    declaration.write_text(f"{declaration.read_text()}\n{schedule}")
    deployed = person.types("deployments/local_deploy.py", "--dry-run").stdout
    assert "etl-parent-flow/local-flow-rides" in deployed
    assert "0 7 * * * Europe/Berlin" in deployed
