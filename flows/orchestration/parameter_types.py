"""Numbers as parameters of flows, with the bounds that the UI's form and the server hold them to.

Prefect refuses a run of a deployment outside of them before it is made. They are part of the
schema alone: called as a command, a flow says by itself what is wrong, with dataset and month.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from monthly.month import FIRST_MONTHS

#: Years of which TLC has published a dataset, whichever that is.
Year = Annotated[
    int, Field(json_schema_extra={"minimum": min(year for year, _ in FIRST_MONTHS.values())})
]
MonthOfYear = Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 12})]
Share = Annotated[float, Field(json_schema_extra={"minimum": 0, "maximum": 1})]
AtLeastNone = Annotated[int, Field(json_schema_extra={"minimum": 0})]
AtLeastOne = Annotated[int, Field(json_schema_extra={"minimum": 1})]
