"""Checks a command's arguments before the import of Prefect, which takes seconds.

The flows always check their parameters themselves; this only catches common mistakes sooner and
leaves the rest to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from core.errors import UsageError
from monthly.datasets import dataset
from monthly.month import Color, Month, months_of
from monthly.sources import addresses
from orchestration.output import refuse

#: Commands for one month and for several, with defaults of the parameters to check.
MONTH = {"color": "yellow", "year": "2021", "month": "1"}
MONTHS = {"color": "yellow", "year": "2021", "months": "1"}
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "etl_web_to_gcs.py": MONTH,
    "etl_gcs_to_bq.py": MONTH,
    "ingest_data.py": MONTH,
    "month_report.py": MONTH,
    "parameterized_flow.py": MONTHS,
    "drop_months.py": MONTHS,
    "history.py": MONTHS,
    "first_run.py": MONTHS,
}


def refuse_early(command: str, arguments: Sequence[str]) -> None:
    """Exit with code 2 and a one-line error if the months or the source are invalid."""
    if command not in COMMANDS or "--help" in arguments:
        return
    try:
        _check(COMMANDS[command], _given(arguments))
    except UsageError as error:
        refuse(error)


def _given(arguments: Sequence[str]) -> dict[str, str]:
    """Return the values of options given as `--name value` or `--name=value`."""
    found = {}
    for argument, after in zip(arguments, [*arguments[1:], ""]):
        name, assigned, value = argument.partition("=")
        option = "color" if name == "--dataset" else name.removeprefix("--")
        found[option] = value if assigned else after
    return found


def _check(defaults: Mapping[str, str], named: Mapping[str, str]) -> None:
    given = {**defaults, **named}
    color = given["color"].lower()
    if color not in get_args(Color) or not given["year"].isdigit():
        return  # the command-line parser lists the choices
    if not named.keys() & (defaults.keys() - {"color"}):
        _refuse_default(color, int(given["year"]), "months" in defaults)
    months = _months(color, int(given["year"]), given)
    if "source" in given:
        addresses(given["source"], months)


def _refuse_default(color: Color, year: int, many: bool) -> None:
    """Refuse the default months, which the user did not name, if the dataset begins later."""
    first = dataset(color).first_month
    if first > (year, 1):
        month = f"{first[0]}-{first[1]:02}"
        option = f"--months {month}" if many else f"--year {first[0]} --month {first[1]}"
        raise UsageError(f"{color}: name a month from {month} on, such as {option}")


def _months(color: Color, year: int, given: Mapping[str, str]) -> Sequence[Month]:
    if "months" in given:
        return () if given["months"] == "due" else months_of(color, given["months"], year)
    return (Month(color, year, int(given["month"])),) if given["month"].isdigit() else ()
