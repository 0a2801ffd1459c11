"""The report of a user's own dataset has the pictures that its roles and data allow."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.entries import entry_of
from monthly.datasets import DATASETS
from monthly.month import Month
from monthly.report import scan as scan_module
from monthly.report.counts import Counts, count_month
from monthly.report.distribution import Measure, distributions
from monthly.report.page import page_html, page_markdown, typical_markdown
from monthly.report.pictures import pictures
from monthly.report.scan import scanning
from monthly.toml_lines import tomllib

MONTH = ("own", 2020, 10)
HEAD = 'title = "t"\npublisher = "p"\nfirst_month = "2015-01"\n'
NOON = dt.datetime(2020, 10, 5, 12)
Report: TypeAlias = Callable[..., Counts]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Count a month of declared columns: their types, the declaration's other keys, values."""
    monkeypatch.setattr("monthly.report.canvas.DPI", 40)  # a quarter of the time
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("TRIPS_DATASETS", str(tmp_path / "own"))

    def report(types: Mapping[str, str], more: str, columns: Mapping[str, list[Any]]) -> Counts:
        declared = [f'[columns.{n}]\ntype = "{t}"\ndescription = "d"\n' for n, t in types.items()]
        (tmp_path / "own/own.toml").write_text("\n".join([HEAD + more, *declared]), "utf-8")
        month = Month(*MONTH)
        rows = len(next(iter(columns.values())))
        values = {**columns, "file_month": [month.first_day] * rows}
        path = tmp_path / "month.parquet"
        pq.write_table(pa.table(values, schema=DATASETS["own"].schema), path)
        return count_month(month, path)

    return report


def titles(counts: Counts) -> list[str]:
    return [picture.title for picture in pictures(counts, {})]


def test_without_roles_there_is_no_picture_and_the_page_says_so(report: Report) -> None:
    counts = report({"a": "int64"}, "", {"a": [1, None]})
    assert titles(counts) == []
    assert typical_markdown(counts) == ""
    page = page_markdown(entry_of(Month(*MONTH)), "w", pictures(counts, {}))
    assert "No pictures: they need columns with a role" in page
    assert "rows read" in page


ALL = (
    '[roles]\ntime = "t"\nend = "e"\namount = "a"\nprice = "b"\ndistance = "d"\nplace = "p"\n'
    'latitude = "y"\nlongitude = "x"\n'
)
TYPES = {"t": "timestamp", "e": "timestamp", "a": "decimal(12,2)", "b": "int64"}
TYPES |= {"d": "float64", "p": "string", "x": "float64", "y": "decimal(9,6)"}
ROW: dict[str, list[Any]] = {
    **{"t": [NOON], "e": [NOON + dt.timedelta(minutes=30)], "a": [Decimal("7.25")], "b": [4]},
    **{"d": [3.0], "p": ["x"], "x": [13.4], "y": [Decimal("52.5")]},
}


def test_one_row_with_every_role_has_every_picture(report: Report) -> None:
    counts = report(TYPES, ALL, ROW)
    assert titles(counts) == [
        "Rows a day, own 2020-10",
        "Hours of the week, own 2020-10",
        "Amounts, own 2020-10",
        "Busiest places, own 2020-10",
        "Where rows begin, own 2020-10",
    ]
    medians = {typical.what: typical.median for typical in counts.typical}
    assert medians == pytest.approx(
        {
            "distance": 3.0,
            "duration, minutes": 30.0,
            "speed, distance an hour": 6.0,
            "amount": 7.25,
        }
    )
    table = typical_markdown(counts)
    assert "## The usual row" in table
    assert "| amount | 7.25 | 7.25 | - | - | - |" in table


def test_columns_without_a_value_have_no_picture(report: Report) -> None:
    counts = report(TYPES, ALL, {name: [None, None] for name in TYPES})
    assert titles(counts) == []
    assert counts.typical == ()


def test_a_month_from_before_a_column_was_declared_has_the_other_pictures(
    report: Report, tmp_path: Path
) -> None:
    """A pinned month, for example, is not converted again; its report may be missing."""
    report(TYPES, ALL, ROW)
    before = tmp_path / "before.parquet"
    pq.write_table(pq.read_table(tmp_path / "month.parquet", columns=["t", "p"]), before)
    counts = count_month(Month(*MONTH), before)
    assert titles(counts) == [
        "Rows a day, own 2020-10",
        "Hours of the week, own 2020-10",
        "Busiest places, own 2020-10",
    ]
    assert counts.typical == ()


def test_a_month_of_no_row_has_no_picture(report: Report) -> None:
    assert titles(report(TYPES, ALL, {name: [] for name in TYPES})) == []


def test_numbers_that_no_measure_has_do_not_count(report: Report) -> None:
    """They are infinity, NaN and sums that overflow; an end at zero gives no speed."""
    odd = [math.inf, -math.inf, math.nan, 1e308, 5.0]
    columns = {"t": [NOON] * 5, "e": [NOON] * 5, "d": odd, "b": odd}
    types = {"t": "timestamp", "e": "timestamp", "d": "float64", "b": "float64"}
    roles = '[roles]\ntime = "t"\nend = "e"\ndistance = "d"\nprice = "b"\n'
    counts = report(types, roles, columns)
    assert counts.amounts is not None
    assert (counts.amounts.rows, counts.amounts.median) == (1, 5.0)
    assert [t.what for t in counts.typical] == ["distance", "amount"]


@pytest.mark.parametrize(
    ("values", "low", "width", "high"),
    [
        ([-5.0 + n * 0.013 for n in range(1001)], -5.0, 0.5, 8.0),
        ([1e6 + n * 1e3 for n in range(1001)], 1e6, 2e4, 2e6),
        ([2e6 + n for n in range(1001)], 2_000_000.0, 20.0, 2_001_000.0),
        ([n * 1e-6 for n in range(1001)], 0.0, 2e-5, 1e-3),
        ([0.0] * 9, 0.0, 1.0, 1.0),
        ([-7.5] * 9, -7.6, 0.2, -7.4),
    ],
    ids=["prices around zero", "millions", "far from zero", "millionths", "zeros", "one value"],
)
def test_amounts_of_any_scale_are_drawn(
    values: list[float], low: float, width: float, high: float, report: Report
) -> None:
    """One in a hundred is left out; the bars have round bounds."""
    counts = report({"a": "float64"}, '[roles]\namount = "a"\n', {"a": values})
    found = counts.amounts
    assert found is not None
    assert sum(found.bars) >= 0.98 * len(values)
    assert sum(found.bars) + found.below + found.above == len(values)
    assert found.width == pytest.approx(width)
    assert abs(found.low - low) <= found.width
    assert abs(found.high - high) <= found.width * 1.01
    assert found.median == pytest.approx(sorted(values)[len(values) // 2], rel=1e-3, abs=1e-9)
    assert titles(counts) == ["Amounts, own 2020-10"]


def test_whole_numbers_have_bars_of_whole_numbers(report: Report) -> None:
    counts = report({"a": "int64"}, '[roles]\namount = "a"\n', {"a": [1, 2, 2, 3]})
    assert counts.amounts is not None
    assert (counts.amounts.width, counts.amounts.bars) == (1.0, (0, 1, 2, 1))


def test_a_date_has_days_and_no_hours(report: Report) -> None:
    days = [dt.date(2020, 10, 1), dt.date(2020, 10, 31), dt.date(2020, 10, 31)]
    counts = report({"t": "date"}, '[roles]\ntime = "t"\n', {"t": [*days, dt.date(2020, 11, 1)]})
    assert counts.hours == {(days[0], 0): 1, (days[1], 0): 2}
    assert titles(counts) == ["Rows a day, own 2020-10"]


def test_the_month_alone_is_not_a_day(report: Report) -> None:
    first = dt.date(2020, 10, 1)
    assert titles(report({"t": "date"}, '[roles]\ntime = "t"\n', {"t": [first] * 9})) == []


def test_the_end_of_an_interval_belongs_to_its_hour(report: Report) -> None:
    """00:00 of 1 November ends the last hour of October; 00:00 of 1 October is September's."""
    times = [dt.datetime(2020, 10, 1), dt.datetime(2020, 10, 1, 1), dt.datetime(2020, 11, 1)]
    counts = report({"t": "timestamp"}, 'interval = "end"\n[roles]\ntime = "t"\n', {"t": times})
    assert counts.hours == {(dt.date(2020, 10, 1), 0): 1, (dt.date(2020, 10, 31), 23): 1}


def hourly() -> list[dt.datetime]:
    return [dt.datetime(2020, 10, 1) + dt.timedelta(hours=n) for n in range(31 * 24)]


def test_a_row_an_hour_is_a_time_series(report: Report) -> None:
    """The picture shows amounts by time; the repeated hour does not change it."""
    times = [*hourly(), dt.datetime(2020, 10, 25, 2)]
    columns = {"t": times, "a": [float(n % 24) for n in range(len(times))]}
    more = '[roles]\ntime = "t"\namount = "a"\n[words]\namount = "load"\n[units]\namount = "MWh"\n'
    counts = report({"t": "timestamp", "a": "float64"}, more, columns)
    by_day, week, loads = pictures(counts, {})
    assert by_day.title == "Load by day, own 2020-10"
    assert "highest: 23.00 MWh" in by_day.about
    assert week.title == "Load in the hours of the week, own 2020-10"
    assert loads.title == "Loads, own 2020-10"


def test_a_time_series_without_an_amount_shows_its_days(report: Report) -> None:
    (days,) = pictures(report({"t": "timestamp"}, '[roles]\ntime = "t"\n', {"t": hourly()}), {})
    assert days.about == "24 rows on each day."


def test_a_row_a_day_is_a_time_series_of_days(report: Report) -> None:
    days = [dt.date(2020, 10, n + 1) for n in range(31)]
    more = '[roles]\ntime = "t"\namount = "a"\n'
    columns = {"t": days, "a": [*range(30), None]}
    counts = report({"t": "date", "a": "int64"}, more, columns)
    assert titles(counts) == ["Amount by day, own 2020-10", "Amounts, own 2020-10"]


@pytest.mark.parametrize("kind", ["string", "int64", "boolean", "date"])
def test_places_are_of_any_type(kind: str, report: Report) -> None:
    of_kind: dict[str, tuple[Any, Any]] = {
        **{"string": ("a", ""), "int64": (1, 2), "boolean": (True, False)},
        "date": (dt.date(2020, 1, 1), dt.date(2020, 1, 2)),
    }
    one, other = of_kind[kind]
    more = '[roles]\nplace = "p"\n[words]\nplace = "city"\n'
    counts = report({"p": kind}, more, {"p": [one, other, one, None]})
    (picture,) = pictures(counts, {1: "a name of another dataset"} if kind != "int64" else {})
    assert picture.title == "Busiest cities, own 2020-10"
    assert picture.about.endswith("with 2 of 3 rows.")
    assert picture.note == ""


def test_a_different_place_in_each_row_fits_in_memory(report: Report) -> None:
    """Of 300,000 places, those with more than one row in a thousand are always found."""
    names = [f"place {n}" for n in range(300_000)] + ["most"] * 400
    counts = report({"p": "string"}, '[roles]\nplace = "p"\n', {"p": names})
    assert counts.places is not None
    assert (counts.places.most[0], counts.places.rows) == (("most", 400), 300_400)


COORDINATES = {"x": "float64", "y": "float64"}
BOTH = '[roles]\nlatitude = "y"\nlongitude = "x"\n'


def test_the_map_is_where_most_rows_are(report: Report) -> None:
    """Outliers and 0, 0 are left out."""
    xs = [-58.5 + n * 0.0002 for n in range(1000)] + [0.0, 170.0, None, 999.0]
    ys = [-34.7 + n * 0.0002 for n in range(1000)] + [0.0, 60.0, 1.0, 999.0]
    cells = report(COORDINATES, BOTH, {"x": xs, "y": ys}).cells
    assert cells is not None
    assert cells.rows == 1001
    assert sum(cells.counts.values()) >= 980
    extent = cells.extent
    assert -58.6 < extent.west < -58.4 < extent.east < -58.2
    assert -34.8 < extent.south < -34.6 < extent.north < -34.4


def test_a_declared_map_is_kept(report: Report) -> None:
    more = f"{BOTH}[map]\nwest = 1.0\neast = 2.0\nsouth = 1.0\nnorth = 2.0\n"
    cells = report(COORDINATES, more, {"x": [1.5, 3.0], "y": [1.5, 3.0]}).cells
    assert cells is not None
    assert (cells.extent.west, cells.extent.north, sum(cells.counts.values())) == (1.0, 2.0, 1)
    assert report(COORDINATES, more, {"x": [3.0], "y": [3.0]}).cells is None


@pytest.mark.parametrize("point", [(2.35, 48.86), (-180.0, -90.0)])
def test_rows_at_one_point_are_a_map(point: tuple[float, float], report: Report) -> None:
    counts = report(COORDINATES, BOTH, {"x": [point[0]] * 3, "y": [point[1]] * 3})
    assert titles(counts) == ["Where rows are, own 2020-10"]
    assert counts.cells
    assert [*counts.cells.counts.values()] == [3]


def test_rows_at_the_last_degrees_are_not_on_the_map(report: Report) -> None:
    """Its eastern and northern edges do not belong to it, and no map is drawn."""
    assert titles(report(COORDINATES, BOTH, {"x": [180.0] * 3, "y": [90.0] * 3})) == []


HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "a | b | `c` {0} {x} %s",
    "$\\\\frac{$ $x_",
    "<img src=http://evil.example/x.png onerror=alert(1)>",
    "北京 \\U0001F600",
    "x" * 900,
)


class Active(HTMLParser):
    """Collects what a page would run or load, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what is not plain text."""
        for name, value in attrs:
            is_ours = tag == "img" and (value or "").startswith("data:image/png;base64,")
            if name.startswith("on") or (name in ("src", "href") and not is_ours):
                self.found.append(f"{tag} {name}={value}")
        if tag in ("script", "iframe", "object", "embed", "link", "form", "a", "svg"):
            self.found.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_a_declaration_or_of_its_data_is_more_than_text(
    text: str, report: Report
) -> None:
    """This holds for the page, its Markdown, and pictures, where $ begins a formula."""
    quoted = f'"{text}"'
    words = "".join(f"{k} = {quoted}\n" for k in ("row", "time", "end", "amount", "price", "place"))
    units = f"[units]\ndistance = {quoted}\namount = {quoted}\n"
    bounds = "[bounds]\ndistance = 1.0\namount = 1.0\n"
    value = tomllib.loads(f"value = {quoted}")["value"]
    head = f"licence = {quoted}\n{ALL}[words]\n{words}{units}{bounds}"
    counts = report(TYPES, head, {**ROW, "p": [value]})
    month = Month(*MONTH)
    drift = {"unknown": [value], value: ["a"]}
    entry = entry_of(month, drift=drift, url=f"https://h/{value}", quality={value: 1, "nulls": {}})
    markdown = page_markdown(entry, value, pictures(counts, {}), [typical_markdown(counts)])
    page = Active(page_html(value, markdown))
    assert page.found == []
    assert value[:20].split("\\")[0] in page.text
    assert max(map(len, page.text.split("\n"))) < 5_000


def of_any_size() -> list[float]:
    """Return numbers of both signs and many sizes, some of them close together."""
    chosen = random.Random(18)
    sizes = [chosen.lognormvariate(0, 20) for _ in range(500)]
    return [sign * size for size in sizes for sign in (1, -1)] + [100 + n / 100 for n in range(500)]


@pytest.mark.parametrize(
    "values",
    [
        [0.0, -1e-9, 3.14159, 12_345.67, 12_345.68, 9e12],
        [-0.0, 0.0, 5e-324, -5e-324, 1.6, 9.9e99, -9.9e99],
        [0.125, 0.25, 0.5, 1.0, 1.0625, 2.0, -1.0, -0.5],
        of_any_size(),
    ],
    ids=["prices", "extremes", "powers of two", "any size"],
)
def test_a_quantile_is_a_value_of_the_file(
    values: list[float], report: Report, tmp_path: Path
) -> None:
    report({"a": "float64"}, '[roles]\namount = "a"\n', {"a": values})
    measure = Measure('"a"', tuple((n + 0.5) / len(values) for n in range(len(values))))
    with scanning(tmp_path / "month.parquet", DATASETS["own"].schema) as scan:
        found = distributions(scan, [measure])[measure]
    assert list(found.quantiles.values()) == pytest.approx(sorted(values), rel=1e-4, abs=1e-300)


def test_a_quantile_is_found_far_from_the_first_rows(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rows are null, the next ones are smaller than the others."""
    monkeypatch.setattr(scan_module, "_BATCH_ROWS", 2_048)
    small, large = [1.0 + n / 4_096 for n in range(2_048)], [1e3 + n for n in range(9_000)]
    rows = [*[None] * 2_048, *small, *large]
    report({"a": "float64"}, '[roles]\namount = "a"\n', {"a": rows})
    with scanning(tmp_path / "month.parquet", DATASETS["own"].schema) as scan:
        measure = Measure('"a"', (0.1, 0.5, 0.9))
        found = distributions(scan, [measure])[measure]
    numbers = [*small, *large]
    expected = [numbers[math.ceil(share * len(numbers)) - 1] for share in measure.shares]
    assert list(found.quantiles.values()) == pytest.approx(expected, rel=1e-4)
    assert found.rows == len(numbers)
