"""Types of numeric flow parameters, with the bounds that the UI's form and the server enforce.

Prefect rejects a deployment run with a value out of bounds before creating it. The bounds are
only in the schema: run as a command, a flow reports the error itself, with dataset and month.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

#: The month itself knows the first year of its dataset.
Year = Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 9999})]
MonthOfYear = Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 12})]
Share = Annotated[float, Field(json_schema_extra={"minimum": 0, "maximum": 1})]
#: Empty for what the dataset declares.
DeclaredShare = Annotated[float | None, Field(json_schema_extra={"minimum": 0, "maximum": 1})]
DeclaredCount = Annotated[int | None, Field(json_schema_extra={"minimum": 0})]
AtLeastNone = Annotated[int, Field(json_schema_extra={"minimum": 0})]
AtLeastOne = Annotated[int, Field(json_schema_extra={"minimum": 1})]
#: The maximum is `core.parquet.MOST_ROWS_PER_GROUP`; flows that need no Arrow import this module.
RowsPerGroup = Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 67_108_864})]
