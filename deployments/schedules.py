"""When what runs by itself: all crons of the project, each with its time zone and its why.

TLC put each month of 2023 and 2024 up on a weekday between 09:20 and 18:45 of New York (its files'
own modification times), about two months late and on no fixed day. So an evening look on weekdays
finds a month on its day, and what is missed is found the next evening: `due` looks a year back. No
clock is put forward or back in the evening, so none of these times is skipped or comes twice.
"""

from __future__ import annotations

from prefect.client.schemas.schedules import CronSchedule

NEW_YORK = "America/New_York"

YELLOW_DUE = CronSchedule(cron="0 19 * * 1-5", timezone=NEW_YORK)
#: After yellow: the two together would want the memory of four months.
GREEN_DUE = CronSchedule(cron="15 19 * * 1-5", timezone=NEW_YORK)
#: A run that was lost begins again within ten minutes; to look takes a second.
TIDY = CronSchedule(cron="*/10 * * * *", timezone="UTC")
