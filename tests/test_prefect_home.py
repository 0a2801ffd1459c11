"""The project's Prefect home is used by every command, unless the user has chosen another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).absolute().parents[1]
HOME = str(PROJECT / "data" / "prefect")
SAY = (
    "import gc, os, orchestration.prefect_home; "
    "print(os.environ.get('PREFECT_HOME'), os.environ['PREFECT_SERVER_ANALYTICS_ENABLED'], "
    "gc.get_freeze_count() > 0)"
)
EMPTY = '[profiles.default]\n\n[profiles.other]\nPREFECT_API_URL = "http://h/api"\n'
LOGGED_IN = 'active = "cloud"\n[profiles.cloud]\nPREFECT_API_KEY = "k"\n[profiles.default]\n'


def said(tmp_path: Path, profiles: str = "", **variables: str) -> list[str]:
    """Return the home, and whether telemetry is on and objects are frozen, with these variables."""
    if profiles:
        (tmp_path / ".prefect").mkdir()
        (tmp_path / ".prefect" / "profiles.toml").write_text(profiles)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    del kept["DO_NOT_TRACK"]
    # In place of Prefect, which is imported last and refuses a profile that is not there.
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), str(PROJECT / "flows")])
    environment = kept | {"HOME": str(tmp_path), "PYTHONPATH": path} | variables
    command = [sys.executable, "-c", SAY]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_projects_home_is_the_default(tmp_path: Path) -> None:
    assert said(tmp_path) == [HOME, "false", "True"]
    assert not (tmp_path / ".prefect").exists()


def test_the_folders_above_a_chosen_home_are_created(tmp_path: Path) -> None:
    """Prefect creates only the last one."""
    home = tmp_path / "above" / "all" / "home"
    assert said(tmp_path, PREFECT_HOME=str(home))[0] == str(home)
    assert home.parent.is_dir()


@pytest.mark.parametrize("profiles", [EMPTY, 'active = "default"\n' + EMPTY])
def test_a_profile_that_sets_nothing_is_not_a_choice(tmp_path: Path, profiles: str) -> None:
    assert said(tmp_path, profiles)[0] == HOME


@pytest.mark.parametrize("profiles", [LOGGED_IN, 'active = "other"\n' + EMPTY])
def test_a_profile_of_the_user_wins(tmp_path: Path, profiles: str) -> None:
    assert said(tmp_path, profiles)[0] == "None"


@pytest.mark.parametrize("name", ["PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"])
def test_a_variable_of_the_user_wins(tmp_path: Path, name: str) -> None:
    expected = "/chosen" if name == "PREFECT_HOME" else "None"
    assert said(tmp_path, **{name: "/chosen"})[0] == expected


def test_an_api_address_leaves_the_home_the_projects(tmp_path: Path) -> None:
    """The server keeps the runs; the database in the user's own home is not touched."""
    assert said(tmp_path, PREFECT_API_URL="http://127.0.0.1:4200/api")[0] == HOME


@pytest.mark.parametrize(("track", "telemetry"), [("1", "false"), ("0", "true"), ("", "true")])
def test_do_not_track_is_obeyed(tmp_path: Path, track: str, telemetry: str) -> None:
    """It overrides Prefect's own setting."""
    wanted = {"PREFECT_SERVER_ANALYTICS_ENABLED": "true", "DO_NOT_TRACK": track}
    assert said(tmp_path, **wanted)[1] == telemetry


def started(
    tmp_path: Path, printed: str, *arguments: str, first: str = "pass", **variables: str
) -> str:
    """Return the output of a Python with the lines of dev/share_home.py that prints an expression.

    Args:
        tmp_path: the home folder of the process.
        printed: the expression to print.
        arguments: the arguments of the process.
        first: a statement to run before those lines.
        variables: variables of its environment.
    """
    sys.path.insert(0, str(PROJECT / "dev"))
    try:
        from share_home import lines
    finally:
        sys.path.remove(str(PROJECT / "dev"))
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site" / "prefect_home.pth").write_text(lines())
    before = "import gc; gc.set_threshold(700)"
    script = f"import gc, os, site; site.addsitedir({str(tmp_path / 'site')!r}); print({printed})"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(
        # Without the lines that this machine's own environment may have.
        [sys.executable, "-S", "-Walways", "-c", f"{before}; {first}; {script}", *arguments],
        env=kept | {"HOME": str(tmp_path)} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_environments_prefect_command_sees_the_same_home(tmp_path: Path) -> None:
    """The line from dev/share_home.py applies however Python starts there."""
    assert started(tmp_path, "os.environ['PREFECT_HOME']") == HOME


@pytest.mark.parametrize("home", ["{}/above/all/home", "~/above/all/home"])
def test_the_environments_prefect_command_creates_the_folders_above_a_chosen_home(
    tmp_path: Path, home: str
) -> None:
    """Without them, Prefect cannot create its database, and ends in a traceback."""
    chosen = home.format(tmp_path)
    assert started(tmp_path, "os.environ['PREFECT_HOME']", PREFECT_HOME=chosen) == chosen
    assert (tmp_path / "above" / "all").is_dir()


def test_a_chosen_home_under_a_file_stays_chosen(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    chosen = str(tmp_path / "file" / "home")
    assert started(tmp_path, "os.environ['PREFECT_HOME']", PREFECT_HOME=chosen) == chosen


def test_processes_of_prefect_collect_garbage_rarely_as_they_start(tmp_path: Path) -> None:
    """Other programs of the environment collect it as usual."""
    threshold = "gc.get_threshold()[0]"
    assert started(tmp_path, threshold, "-m", "prefect.engine") == "50000"
    assert started(tmp_path, threshold, "-m", "pip") == "700"


@pytest.mark.parametrize(
    ("module", "imported", "frozen"),
    [("prefect.engine", "", "True"), ("prefect.engine", "_duckdb", "False"), ("pip", "", "False")],
)
def test_processes_of_prefect_collect_no_garbage_at_exit(
    tmp_path: Path, module: str, imported: str, frozen: str
) -> None:
    """Those that import DuckDB do: otherwise it reports its own objects as leaked."""
    at_exit = "print(gc.get_freeze_count() > begun)"  # Python 3.12 begins with some
    said = f"sys.modules.setdefault({imported!r}, gc)" if imported else "gc"
    begun = "begun = gc.get_freeze_count()"
    first = f"import atexit, sys; {begun}; atexit.register(lambda: {at_exit})"
    assert started(tmp_path, said, "-m", module, first=first).splitlines()[-1] == frozen


def test_a_python_without_prefect_gets_advice(tmp_path: Path) -> None:
    """It prints one line, not a traceback, and exits with 2."""
    done = subprocess.run(
        [sys.executable, "-S", str(PROJECT / "flows" / "etl_web_to_gcs.py"), "--color", "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "has no Prefect; make run, then: .venv/bin/python " in done.stderr
    assert done.stderr.rstrip().endswith("flows/etl_web_to_gcs.py --color x")


def test_a_command_imports_no_package_of_blocks_that_it_does_not_use(
    tmp_path: Path, prefect_database: Callable[[Path], None]
) -> None:
    """Its API would otherwise import all of them at each start to register them."""
    prefect_database(tmp_path / "home" / "prefect.db")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    settings = {"PREFECT_HOME": str(tmp_path / "home"), "TRIPS_DATA": str(tmp_path / "data")}
    script = (
        "import sys; from covid_monthly import covid_monthly; "
        "covid_monthly(url='/nowhere.json', return_state=True); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} "
        "& {'prefect_gcp', 'prefect_aws', 'prefect_dask', 'distributed'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=kept | settings | {"PYTHONPATH": str(PROJECT / "flows"), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_folder_of_declarations_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Parameters list the datasets at import time, before any flow could report it."""
    missing = tmp_path / "none"
    for command in ("flows/parameterized_flow.py", "deployments/local_deploy.py"):
        done = subprocess.run(
            [sys.executable, str(PROJECT / command)],
            env={**os.environ, "TRIPS_DATASETS": str(missing)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"Error: TRIPS_DATASETS is {missing}, which is not a folder")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pendulum 3 takes an unknown zone for UTC")
@pytest.mark.parametrize("zone", ["JST-9", "Mars/Olympus"], ids=["posix", "unknown"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("flows/catalog.py", 2),
        ("deployments/local_deploy.py", 2),
        ("dev/doctor.py", 2),
        ("dev/serve.py", 1),
    ],
    ids=["flows/catalog.py", "deployments/local_deploy.py", "dev/doctor.py", "dev/serve.py"],
)
def test_a_time_zone_of_the_system_that_prefect_does_not_know_is_one_line(
    tmp_path: Path, command: str, code: int, zone: str
) -> None:
    """Prefect's import would end in a traceback; Python itself knows the first one."""
    here = {"TRIPS_DATA": str(tmp_path), "PREFECT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, str(PROJECT / command)],
        env={**os.environ, **here, "TZ": zone},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: TZ is {zone!r}, which is not a name of a time zone")
