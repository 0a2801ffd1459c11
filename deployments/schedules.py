"""Schedules of the jobs, each with its time zone and reason; a dataset declares its own.

TLC published each month of 2023 and 2024 on a weekday between 09:20 and 18:45 New York time (its
files' own modification times), about two months late and on no fixed day. A check each weekday
evening therefore finds a month on the day it appears, and a missed month the next evening: `due`
looks a year back. Clocks do not change in the evening, so no run is skipped or repeated.
"""

from __future__ import annotations

from prefect.client.schemas.schedules import CronSchedule

NEW_YORK = "America/New_York"

#: After the months, so that a file published that day is rewritten the same evening.
ROW_GROUPS = CronSchedule(cron="0 20 * * 1-5", timezone=NEW_YORK)
#: ECDC published each day's edition in the European morning, before 13:00 UTC. Off: there has been
#: none since December 2020, so every run would fail unless it is given another URL.
COVID_DAILY = CronSchedule(cron="0 13 * * *", timezone="UTC")
#: After the months of the evening. Off until somebody wants the page or the metrics kept current.
CATALOG_DAILY = CronSchedule(cron="30 20 * * *", timezone=NEW_YORK)
#: At weekends nothing is published or loaded; by 6:00, clocks have changed.
VERIFY_WEEKLY = CronSchedule(cron="0 6 * * 0", timezone=NEW_YORK)
#: Restarts a lost run within ten minutes; a check takes a second.
TIDY = CronSchedule(cron="*/10 * * * *", timezone="UTC")
