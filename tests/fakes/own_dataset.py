"""A user's own dataset: a declaration in their folder, and its published months."""

from __future__ import annotations

from pathlib import Path

NAME = "tram_rides"
#: The schedule of its deployment.
CRON, ZONE = "30 6 * * *", "Europe/Berlin"
#: Rows and sum of each month of its table.
SUMS = (
    f"SELECT strftime(file_month, '%Y-%m'), count(*), sum(minutes)::DOUBLE FROM {NAME} "
    "GROUP BY 1 ORDER BY 1"
)

_DECLARATION = """
title = "Tram rides"
publisher = "A tram"
first_month = "2020-01"
sources.web = "{source}"

[roles]
time = "started"

[columns.started]
type = "timestamp"
description = "When the ride began."

[columns.line]
type = "string"
description = "The tram's line."

[columns.minutes]
type = "decimal(6,1)"
description = "How long it took."

[schedule]
cron = "{cron}"
zone = "{zone}"
"""


def declare(folder: Path, source: str) -> None:
    """Write the declaration into a folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    text = _DECLARATION.format(source=source, cron=CRON, zone=ZONE)
    folder.joinpath(f"{NAME}.toml").write_text(text)


def rides(month: str, minutes: list[str]) -> str:
    """Return a published month with one ride for each duration."""
    rows = [f"{month}-{n:02} 08:30:00;M{n};{text}\n" for n, text in enumerate(minutes, 1)]
    return "started;line;minutes\n" + "".join(rows)


def declare_with_two_months(folder: Path) -> str:
    """Declare the dataset in a folder and publish 2020-10 and 2020-11 there; return its path."""
    web = folder / "published"
    declare(folder / "declared", f"file://{web}/tram-{{year}}-{{month:02}}.csv")
    web.mkdir()
    (web / "tram-2020-10.csv").write_text(rides("2020-10", ["4.5", "10"]))
    (web / "tram-2020-11.csv").write_text(rides("2020-11", ["7", "8", "9.2"]))
    return str(folder / "declared")


#: What the table has of these months.
TWO_MONTHS = [("2020-10", 2, 14.5), ("2020-11", 3, 24.2)]
