"""The format of a dataset's declaration, `datasets/NAME.toml`.

Editors use `datasets/schema.json`, generated from these models, to complete and validate it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from monthly.gates.thresholds import Gates

#: A name that every warehouse accepts, quoted or not.
NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
#: Postgres limits names to 63 bytes; a partition's name is 21 bytes longer than its table's.
TABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,39}$"
#: A key in a bucket; no part begins with a dot.
KEY = r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*$"
YEAR_MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
#: Texts appear in log lines, tables and pages, so they have no control characters.
TEXT = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
TYPE = (
    r"^(int64|float64|string|timestamp|date|boolean"
    r"|decimal\( ?([1-9]|[12][0-9]|3[0-8]) ?, ?([0-9]|[12][0-9]|3[0-8]) ?\))$"
)

Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(pattern=TEXT, max_length=1000)]
YearMonth = Annotated[str, Field(pattern=YEAR_MONTH)]
Share = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=-180, le=180)]


class Strict(BaseModel):
    """A table of a declaration, without unknown keys or type coercion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Span(Strict):
    """The months in which the publisher's files have a column, inclusive."""

    since: YearMonth = Field(default="", description="first month, such as 2013-08")
    until: YearMonth = Field(default="", description="last month, such as 2016-06")


def _span(value: Any) -> Any:
    """Read `true` as a span of all months and `false` as none."""
    return ({} if value else None) if isinstance(value, bool) else value


_SPAN = {"anyOf": [{"type": "boolean"}, Span.model_json_schema()]}


class Column(Strict):
    """A column: its type, its names in the files, and how its values are read."""

    type: Annotated[str, Field(pattern=TYPE)] = Field(
        description="int64, float64, decimal(DIGITS,SCALE), string, boolean, date or timestamp"
    )
    description: Text = Field(description="what the column means, a text in quotes")
    aliases: list[Text] = Field(
        default=[], description="names in the files besides the column's own, as a list"
    )
    required: Annotated[Span | None, BeforeValidator(_span), WithJsonSchema(_SPAN)] = Field(
        default=None,
        description="true or false, or the months that have the column: { since = '2013-08' }",
    )
    may_be_empty: bool = Field(
        default=False, description="true if a required column may have no value in a month"
    )
    codes: dict[Text, int | str | bool] = Field(
        default={}, description="a table of published texts and the value that each stands for"
    )
    without_code: list[Text] = Field(
        default=[], description="published texts to read as no value, as a list"
    )
    reject: list[Text] = Field(
        default=[],
        description="published texts of rows that are not data, such as ['Total'], as a list; '' "
        "is a row without a value",
    )
    keep_text: Name = Field(
        default="", description="the string column that keeps the published text of a code"
    )
    flag: bool = Field(default=False, description="true if the column holds Y or N")
    join: list[Text] = Field(
        default=[],
        description="the published columns that make up the value, such as date and hour",
    )
    formats: list[Text] = Field(
        default=[],
        description="how times are written, such as ['%d.%m.%Y %H:%M']; for an interval in one "
        "column, both times: ['%d.%m.%Y %H:%M - %d.%m.%Y %H:%M']",
    )
    zone: Text = Field(
        default="",
        description="the zone of the times in the file, such as UTC, +01:00 or Europe/Berlin",
    )


class Written(Strict):
    """How to read the files, where they do not show it themselves."""

    member: Text = Field(
        default="", description="the files in a zip archive, such as '*-tripdata*.csv'"
    )
    separator: Literal[",", ";", "\t", "|"] | None = Field(
        default=None, description="the character between fields: a comma, semicolon, tab or bar"
    )
    encoding: Literal["utf-8", "latin-1", "windows-1252", "utf-16"] | None = Field(
        default=None, description="utf-8, latin-1, windows-1252 or utf-16"
    )
    lines_before_header: int = Field(
        default=0, ge=0, le=1000, description="lines to skip before the header, a whole number"
    )
    header: list[Text] = Field(
        default=[], description="the names of the fields, as a list, if files have no header"
    )
    short_rows: bool = Field(
        default=False, description="true if rows may lack their last fields, which are then empty"
    )
    quotes: bool = Field(
        default=True,
        description="false if a quote is a character like any other, as in IMDb's files",
    )
    line_breaks: bool = Field(
        default=False, description="true if quoted texts may contain line breaks"
    )
    decimal: Literal[".", ","] | None = Field(
        default=None, description="the decimal mark, a point or a comma"
    )
    nulls: list[Text] = Field(default=[], description="texts to read as no value, as a list")


class Roles(Strict):
    """The columns that quality report, gates and month report use."""

    time: Name = Field(
        default="", description="a timestamp or date column: when the row's event began"
    )
    end: Name = Field(default="", description="a timestamp column: when the event ended")
    amount: Name = Field(default="", description="a number column: the amount to sum")
    price: Name = Field(default="", description="a number column: the amount to chart")
    distance: Name = Field(default="", description="a number column: the distance")
    place: Name = Field(default="", description="a column: the place, by number or name")
    latitude: Name = Field(default="", description="a number column: the latitude, degrees north")
    longitude: Name = Field(default="", description="a number column: the longitude, degrees east")


class Words(Strict):
    """The dataset's own terms, for messages and reports."""

    row: Text = Field(default="row", description="what a row is, such as trip")
    time: Text = Field(default="time", description="what the time is, such as pickup")
    end: Text = Field(default="end", description="what the end is, such as dropoff")
    amount: Text = Field(default="amount", description="what the amount is, such as total")
    price: Text = Field(default="amount", description="what the charted amount is, such as fare")
    place: Text = Field(default="place", description="what the place is, such as zone")


class Units(Strict):
    """The units of amounts and distances."""

    distance: Text = Field(default="", description="the unit of the distance, such as miles")
    amount: Text = Field(default="", description="the unit of amount and price, such as USD")


class Bounds(Strict):
    """The largest plausible values; rows beyond them are counted and kept."""

    distance: float | None = Field(
        default=None, gt=0, description="in the distance's unit, a number"
    )
    hours: float | None = Field(default=None, gt=0, description="from time to end, a number")
    speed: float | None = Field(default=None, gt=0, description="distance per hour, a number")
    amount: float | None = Field(default=None, description="in the amount's unit, a number")


class Map(Strict):
    """The extent of the report's map, degrees; by default, that of most rows."""

    west: Degrees = Field(description="degrees east, a number from -180 to 180")
    east: Degrees = Field(description="degrees east, a number from -180 to 180")
    south: Degrees = Field(description="degrees north, a number from -90 to 90")
    north: Degrees = Field(description="degrees north, a number from -90 to 90")


class Limits(Strict):
    """The shares of rows above which a month fails; parameters override them."""

    rejected: Share = Field(default=0.001, description="rows that cannot be converted, from 0 to 1")
    outside: Share = Field(
        default=0.5, description="rows whose time is outside the month, from 0 to 1"
    )


class Schedule(Strict):
    """When the dataset's deployment looks for new and changed months."""

    cron: Text = Field(description="a cron line, such as '0 19 * * 1-5'")
    zone: Text = Field(default="UTC", description="the time zone of the cron line")
    source: Text = Field(
        default="", description="the source to check; by default, the first of sources"
    )
    active: bool = Field(default=False, description="true to run it as soon as it is deployed")


class Legacy(Strict):
    """The schema versions from before 1.2, which were numbered by hand."""

    versions: list[int] = Field(description="whole numbers, as a list")
    equals: int = Field(description="the computed version that they equal, a whole number")
    outdated: dict[Text, int] = Field(
        default={}, description="renamed columns, and the version that reads them otherwise"
    )


class Declaration(Strict):
    """A dataset that is published monthly."""

    title: Text = Field(description="what the dataset is, a text in quotes")
    publisher: Text = Field(description="who publishes it, a text in quotes")
    licence: Text = Field(default="", description="the terms of use, a text in quotes")
    homepage: Annotated[str, Field(pattern=r"^https?://[^\s<>\"]+$")] = Field(
        default="", description="an http or https address"
    )
    first_month: YearMonth = Field(description="the first published month, such as 2013-08")
    published_after: int = Field(
        default=3,
        ge=0,
        le=120,
        description="months that the publisher may take to publish, a whole number",
    )
    time_zone: Text = Field(
        default="", description="the zone of the times, such as America/New_York"
    )
    interval: Literal["start", "end"] = Field(
        default="start",
        description="whether the time is the start or the end of an interval; if a column has "
        "both, which one is kept",
    )
    table: Annotated[str, Field(pattern=TABLE)] = Field(
        default="",
        description="the table in a warehouse: letters, digits, underscores, 40 at most",
    )
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*\{year_month\}[A-Za-z0-9_-]*$")] = Field(
        default="{dataset}_{year_month}",
        description="the name of a month's objects: letters, digits, and {year_month}",
    )
    new_columns: Literal["fail", "drop", "keep"] = Field(
        default="fail", description="what to do with an undeclared column: fail, drop or keep"
    )
    keep_editions: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="number of replaced objects to keep of each month, a whole number",
    )
    sources: dict[str, Text | list[Text]] = Field(
        default={},
        description="a table of names and addresses with {year} and {month:02}; a list of "
        "addresses if a month has several files",
    )
    text: Written = Field(default=Written(), description="a table: how values are written")
    columns: dict[str, Column] = Field(description="a table of columns, each [columns.NAME]")
    roles: Roles = Field(default=Roles(), description="a table of roles and columns")
    words: Words = Field(default=Words(), description="a table of words")
    place_names: Annotated[str, Field(pattern=KEY)] = Field(
        default="",
        description="the key, in the bucket, of a table that names numbered places: LocationID, "
        "Borough, Zone",
    )
    units: Units = Field(default=Units(), description="a table of units")
    bounds: Bounds = Field(default=Bounds(), description="a table of bounds")
    map: Map | None = Field(default=None, description="a table: west, east, south, north")
    limits: Limits = Field(default=Limits(), description="a table of shares")
    gates: Gates = Field(default=Gates(), description="a table of gates")
    schedule: Schedule | None = Field(
        default=None, description="a table: cron, zone, source, active"
    )
    legacy: Legacy | None = Field(default=None, description="a table: versions, equals, outdated")
