"""Running several scripts in one process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import scripts


def test_each_runs_as_python_would_run_it_until_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each sees the modules beside it and no arguments; the one that fails is named."""
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setattr(sys, "argv", ["scripts.py", "first", "second"])
    (tmp_path / "beside_the_scripts.py").write_text("WORD = 'found'")
    lines = "import sys; from beside_the_scripts import WORD; print(WORD, sys.argv); sys.exit({})"
    paths = [str(tmp_path / f"{name}.py") for name in ("first", "second", "third")]
    for path, code in zip(paths, (0, 3, 0)):
        Path(path).write_text(lines.format(code))
    with pytest.raises(SystemExit) as ended:
        scripts.main(paths)
    printed = capsys.readouterr()
    assert ended.value.code == 3
    assert printed.out.splitlines() == [f"found {[path]}" for path in paths[:2]]
    assert printed.err == f"{paths[1]} failed\n"
