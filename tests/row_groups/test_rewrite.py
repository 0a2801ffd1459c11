"""A file is rewritten into uniform row groups: every value stays, types are the declared ones."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from core import parallel_parquet
from core.errors import AccountingError, BadFile, SchemaError, StorageError, UsageError
from core.parquet import MOST_ROWS_PER_GROUP
from fakes.parquet_files import groups, publish, uneven
from fakes.real_data import real_file
from monthly import datasets
from row_groups.rewrite import declared_dataset, rewrite

NAME = "fhvhv_tripdata_2021-01.parquet"


def written(folder: Path, table: pa.Table, name: str = NAME) -> Path:
    path = folder / name
    pq.write_table(table, path)
    return path


def trips(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new.parquet"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (1_000, [1_000, 1_000, 1_000]),
        (1_400, [1_400, 1_400, 200]),
        (2_999, [2_999, 1]),
        (9_999, [3_000]),
    ],
)
def test_row_groups_are_all_alike_but_the_last(
    tmp_path: Path, target: Path, rows: int, expected: list[int]
) -> None:
    source = publish(tmp_path / "web", 1)
    assert groups(source) == [700, 1, 1_300, 400, 599]
    done = rewrite(source, target, rows)
    assert groups(target) == expected
    assert (done.rows, done.row_groups) == (3_000, len(expected))


def test_every_value_is_where_it_was(tmp_path: Path, target: Path) -> None:
    """DuckDB compares every row of a file larger than one batch."""
    source = publish(tmp_path / "web", 1, 150_000, (70_000, 9_000, 31))
    rewrite(source, target, 40_000)
    rows = "SELECT row_number() OVER () AS n, * FROM read_parquet('{}')"
    old, new = rows.format(source), rows.format(target)
    with duckdb.connect() as db:
        db.execute(f"({old} EXCEPT ALL {new}) UNION ALL ({new} EXCEPT ALL {old})")
        assert db.fetchall() == []
        db.execute(f"SELECT count(*) FROM ({new})")
        assert db.fetchall() == [(150_000,)]


def test_types_are_the_declared_ones_in_whatever_they_were_published(
    tmp_path: Path, target: Path
) -> None:
    """They are nullable whole numbers, text, microseconds; NaN becomes null, a blank flag stays."""
    times = [dt.datetime(2021, 1, 1, 10), None]
    source = written(
        tmp_path,
        trips(
            hvfhs_license_num=pa.array(["HV0003", "HV0005"], pa.large_string()),
            dispatching_base_num=pa.array(["B02764", None]).dictionary_encode(),
            pickup_datetime=pa.array(times, pa.timestamp("ns")),
            on_scene_datetime=pa.nulls(2),
            PULocationID=pa.array([7, None], pa.int32()),
            trip_time=pa.array([600.0, float("nan")]),
            tips=pa.array([1, 2], pa.int32()),
            access_a_ride_flag=pa.array([" ", "N"]),
            wav_match_flag=pa.nulls(2),
        ),
    )
    rewrite(source, target, 10)
    found = pq.read_table(target)
    assert {field.name: str(field.type) for field in found.schema} == {
        "hvfhs_license_num": "string",
        "dispatching_base_num": "string",
        "pickup_datetime": "timestamp[us]",
        "on_scene_datetime": "timestamp[us]",
        "PULocationID": "int64",
        "trip_time": "int64",
        "tips": "double",
        "access_a_ride_flag": "string",
        "wav_match_flag": "string",
    }
    assert found.to_pydict() == {
        "hvfhs_license_num": ["HV0003", "HV0005"],
        "dispatching_base_num": ["B02764", None],
        "pickup_datetime": times,
        "on_scene_datetime": [None, None],
        "PULocationID": [7, None],
        "trip_time": [600, None],
        "tips": [1.0, 2.0],
        "access_a_ride_flag": [" ", "N"],
        "wav_match_flag": [None, None],
    }


@pytest.mark.parametrize("encoding", [None, "DELTA_BYTE_ARRAY"], ids=["dictionary", "delta"])
def test_texts_that_mean_no_value_are_null(
    tmp_path: Path, target: Path, encoding: str | None
) -> None:
    """They mean the same as in a converted month, however the file encodes them."""
    published = ["Y", "", "NULL", "true", " ", "NA", "N"]
    table = trips(dispatching_base_num=pa.array(published), shared_request_flag=pa.array(published))
    names = table.column_names if encoding else []
    pq.write_table(
        table,
        source := tmp_path / NAME,
        use_dictionary=not encoding,
        column_encoding=dict.fromkeys(names, encoding) if encoding else None,
    )
    rewrite(source, target, 3)
    found = pq.read_table(target)
    flags = ["Y", None, None, "Y", " ", "NA", "N"]
    assert found["shared_request_flag"].to_pylist() == flags
    assert found["dispatching_base_num"].to_pylist() == ["Y", None, None, "true", " ", "NA", "N"]


def test_a_month_that_was_converted_here_keeps_all_its_columns(
    tmp_path: Path, target: Path
) -> None:
    """`file_month` counts as unknown, because no published file has it."""
    from monthly.convert.to_parquet import convert
    from monthly.month import Month

    source = publish(tmp_path / "web", 1, 500)
    (tmp_path / "converted").mkdir()
    converted = convert(Month("fhvhv", 2021, 1), source, tmp_path / "converted").path
    rewrite(converted, target, 200)
    assert pq.read_table(target).equals(pq.read_table(converted))


def test_text_of_many_different_values_stays_itself(tmp_path: Path, target: Path) -> None:
    """Each row group of the source has its own dictionary; one of the target spans them."""
    texts = [f"B{n:05}" for n in range(5_000)]
    source = tmp_path / NAME
    uneven(trips(dispatching_base_num=pa.array(texts)), source)
    rewrite(source, target, 2_000)
    assert pq.read_table(target)["dispatching_base_num"].to_pylist() == texts


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([1.5]), "trip_time: .*1.5"),
        (pa.array(["many"]), "trip_time: .*many"),
        (pa.array([dt.datetime(2021, 1, 1)]), "trip_time: timestamp.* is not int64"),
    ],
)
def test_a_value_that_does_not_fit_is_named(
    tmp_path: Path, target: Path, values: pa.Array, said: str
) -> None:
    source = written(tmp_path, trips(trip_time=values))
    with pytest.raises(BadFile, match=rf"fhvhv_tripdata_2021-01\.parquet: {said}"):
        rewrite(source, target, 10)


def test_a_column_that_nobody_declared_is_named(tmp_path: Path, target: Path) -> None:
    source = written(tmp_path, trips(trip_time=pa.array([1]), surprise=pa.array([1])))
    said = r"unknown column 'surprise'; declare it in flows/datasets/fhvhv\.toml"
    with pytest.raises(SchemaError, match=said):
        rewrite(source, target, 10)


def test_two_columns_that_mean_the_same_are_refused(tmp_path: Path, target: Path) -> None:
    source = written(tmp_path, trips(trip_time=pa.array([1]), Trip_Time=pa.array([1])))
    with pytest.raises(SchemaError, match="two of its columns mean the same"):
        rewrite(source, target, 10)


def test_a_name_that_says_no_dataset_is_refused(tmp_path: Path, target: Path) -> None:
    source = written(tmp_path, trips(trip_time=pa.array([1])), "zones.parquet")
    with pytest.raises(UsageError, match=r"zones\.parquet: .* must begin with yellow_, green_"):
        rewrite(source, target, 10)


@pytest.mark.parametrize("cut", [0, 10, 5_000])
def test_a_damaged_file_is_named(tmp_path: Path, target: Path, cut: int) -> None:
    source = publish(tmp_path / "web", 1)
    source.write_bytes(source.read_bytes()[:cut])
    with pytest.raises(BadFile, match=r"fhvhv_tripdata_2021-01\.parquet is damaged Parquet"):
        rewrite(source, target, 10)


def test_a_file_without_rows_is_refused(tmp_path: Path, target: Path) -> None:
    source = written(tmp_path, trips(trip_time=pa.array([], pa.int64())))
    with pytest.raises(BadFile, match="has no rows"):
        rewrite(source, target, 10)


def test_row_groups_of_no_rows_are_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(UsageError, match="rows_per_group 0 is less than 1"):
        rewrite(tmp_path / NAME, target, 0)


def test_row_groups_of_more_rows_than_pyarrow_writes_are_refused(
    tmp_path: Path, target: Path
) -> None:
    """PyArrow would split them, and the file would not have the row groups that were asked for."""
    with pytest.raises(UsageError, match="rows_per_group 67108865 is more than a row group can"):
        rewrite(tmp_path / NAME, target, 67_108_865)


def test_pyarrow_still_has_the_limit_of_rows(tmp_path: Path) -> None:
    """It is in no documentation, and the parameter's type repeats it for the UI."""
    table = pa.table({"a": pa.nulls(MOST_ROWS_PER_GROUP + 1)})
    path = tmp_path / "two.parquet"
    pq.write_table(table, path, row_group_size=len(table))
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert groups == [MOST_ROWS_PER_GROUP, 1]


@pytest.mark.parametrize("fewest", [0, 5_000])
def test_rows_that_got_lost_are_noticed(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, fewest: int
) -> None:
    """The footer counts the rows that were encoded, on however many threads."""
    source, real = publish(tmp_path / "web", 1), pq.ParquetWriter.write_table

    def forgetful(parquet: pq.ParquetWriter, group: pa.Table, row_group_size: int) -> None:
        real(parquet, group.slice(1), row_group_size)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", forgetful)
    monkeypatch.setattr(parallel_parquet, "_FEWEST_ROWS", fewest)
    with pytest.raises(AccountingError, match=r"3,000 rows read, but 2,997 written"):
        rewrite(source, target, 1_000)


def test_a_full_disk_is_named(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    source = publish(tmp_path / "web", 1)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(StorageError, match=r"cannot keep new\.parquet .* MB are free there"):
        rewrite(source, target, 1_000)


@pytest.mark.real
def test_a_real_sample_of_for_hire_trips_is_the_same_afterwards(
    tmp_path: Path, target: Path
) -> None:
    """Only types that a CSV lacks and empty texts, now null, differ; 695 flags are one space."""
    sample = real_file("tlc/samples/fhvhv_tripdatasample_2020-04.csv")
    blanks = pa_csv.ConvertOptions(strings_can_be_null=False)
    table = pa_csv.read_csv(sample, convert_options=blanks)
    source = tmp_path / "fhvhv_tripdatasample_2020-04.parquet"
    uneven(table, source, (300, 7))
    rewrite(source, target, 400)
    found = pq.read_table(target)
    assert groups(target) == [400, 400, 200]
    assert found.column_names == table.column_names
    flags = found["access_a_ride_flag"].to_pylist()
    assert flags.count(" ") == 695
    for name in table.column_names:
        published = [None if value == "" else value for value in table[name].to_pylist()]
        assert found[name].to_pylist() == published, name


_MEASURE = """
import sys
from pathlib import Path
from row_groups.rewrite import rewrite
rewrite(Path(sys.argv[1]), Path(sys.argv[2]), 50_000)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) for line in lines if "VmHWM" in line) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="VmHWM is Linux's own")
def test_three_times_the_file_takes_no_more_memory(tmp_path: Path, target: Path) -> None:
    """Both have many times the rows read ahead; each peak is that of a process of its own."""
    flows = Path(__file__).parents[2] / "flows"
    peaks = []
    for month, rows in ((1, 2_000_000), (2, 6_000_000)):
        source = publish(tmp_path / "web", month, rows, (300_000, 150_000))
        command = [sys.executable, "-c", _MEASURE, str(source), str(target)]
        done = subprocess.run(command, cwd=flows, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] <= 1.15 * peaks[0]


# ---- times of other programs


def test_times_of_spark_keep_years_that_nanoseconds_cannot_hold(
    tmp_path: Path, target: Path
) -> None:
    times = [dt.datetime(2021, 1, 3), dt.datetime(3021, 1, 3, 17, 30)]
    source = tmp_path / NAME
    table = trips(pickup_datetime=pa.array(times, pa.timestamp("us")))
    pq.write_table(table, source, use_deprecated_int96_timestamps=True)
    rewrite(source, target, 10)
    assert pq.read_table(target)["pickup_datetime"].to_pylist() == times


@pytest.mark.parametrize(
    ("zone", "at", "meant"),
    [
        ("America/New_York", dt.datetime(2021, 1, 15, 15), dt.datetime(2021, 1, 15, 10)),
        ("UTC", dt.datetime(2021, 2, 1, 3), dt.datetime(2021, 1, 31, 22)),
        ("UTC", dt.datetime(2021, 1, 1, 3), dt.datetime(2021, 1, 1, 3)),
    ],
)
def test_times_with_a_zone_are_new_yorks_clock(
    zone: str, at: dt.datetime, meant: dt.datetime, tmp_path: Path, target: Path
) -> None:
    times = pa.array([at], pa.timestamp("us", zone))
    rewrite(written(tmp_path, trips(pickup_datetime=times)), target, 10)
    assert pq.read_table(target)["pickup_datetime"].to_pylist() == [meant]


@pytest.mark.parametrize("zone", ["Europe/London", "UTC"])
def test_times_of_a_declared_dataset_are_its_zones_clock(
    zone: str, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In July, London's noon is 11:00 UTC, and 13:00 in Berlin."""
    at = pa.array([dt.datetime(2021, 7, 1, 11)], pa.timestamp("us", zone))
    source = written(tmp_path, pa.table({"at": at}), "trams_2021-07.parquet")
    declare_trams(tmp_path, monkeypatch, 'time_zone = "Europe/Berlin"')
    rewrite(source, target, 10, "utc")
    assert pq.read_table(target)["at"].to_pylist() == [dt.datetime(2021, 7, 1, 13)]
    declare_trams(tmp_path, monkeypatch)
    with pytest.raises(BadFile, match=f"at: times of {zone}; declare time_zone to convert them"):
        rewrite(source, target, 10, "utc")


@pytest.mark.parametrize(("name", "year"), [("trams_2049-07", 2068), ("trams", 1968)])
def test_a_year_of_two_digits_is_near_that_of_the_files_name(
    name: str, year: int, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, it is near the dataset's first month."""
    declare_trams(tmp_path, monkeypatch)
    source = written(tmp_path, pa.table({"day": ["01.07.68"]}), f"{name}_.parquet")
    rewrite(source, target, 10)
    assert pq.read_table(target)["day"].to_pylist() == [dt.date(year, 7, 1)]


def declare_trams(folder: Path, monkeypatch: pytest.MonkeyPatch, zone: str = "") -> None:
    (folder / "trams.toml").write_text(
        f'title = "Trams"\npublisher = "A tram"\nfirst_month = "2001-01"\n{zone}\n'
        '[columns.at]\ntype = "timestamp"\ndescription = "When."\n'
        '[columns.day]\ntype = "date"\ndescription = "The day."\nformats = ["%d.%m.%y"]\n'
    )
    monkeypatch.setenv(datasets.VARIABLE, str(folder))
    datasets.forget()


def test_declared_spellings_of_no_value_are_null(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers and texts alike, and texts as Spark writes them, like in a converted month."""
    (tmp_path / "buses.toml").write_text(
        'title = "Buses"\npublisher = "A bus"\nfirst_month = "2001-01"\ntext.nulls = ["-999"]\n'
        '[columns.at]\ntype = "timestamp"\ndescription = "When."\n'
        '[columns.seats]\ntype = "int64"\ndescription = "Its seats."\n'
        '[columns.line]\ntype = "string"\ndescription = "Its line."\n'
        '[columns.depot]\ntype = "string"\ndescription = "Its depot."\n'
    )
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    datasets.forget()
    columns = {"seats": [7, -999], "line": ["-999", "A"], "depot": pa.array([b"-999", b"B"])}
    rewrite(written(tmp_path, pa.table(columns), "buses_2021-01.parquet"), target, 10)
    found = pq.read_table(target).to_pydict()
    assert found == {"seats": [7, None], "line": [None, "A"], "depot": [None, "B"]}


def test_times_of_utc_that_the_month_does_not_settle_are_refused(
    tmp_path: Path, target: Path
) -> None:
    times = pa.array([dt.datetime(2021, 1, 15)], pa.timestamp("us", "UTC"))
    table = trips(pickup_datetime=times)
    with pytest.raises(BadFile, match=r"fhvhv 2021-01: .* can be read as New York's clock"):
        rewrite(written(tmp_path, table), target, 10)
    with pytest.raises(BadFile, match="the name has no month that decides"):
        rewrite(written(tmp_path, table, "fhvhv_all.parquet"), target, 10)
    rewrite(written(tmp_path, table), target, 10, "utc")
    (at,) = pq.read_table(target)["pickup_datetime"].to_pylist()
    assert at == dt.datetime(2021, 1, 14, 19)


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_in_an_encoding_without_dictionary_are_read(
    tmp_path: Path, target: Path, encoding: str
) -> None:
    """DuckDB and Spark write these in version 2 of the format."""
    table = trips(
        hvfhs_license_num=pa.array([f"HV{number}" for number in range(3_000)]),
        dispatching_base_num=pa.array(["B1", None, "B2"] * 1_000),
    )
    source = tmp_path / NAME
    column = {"hvfhs_license_num": encoding}
    pq.write_table(
        table,
        source,
        use_dictionary=["dispatching_base_num"],
        column_encoding=column,
        row_group_size=900,
    )
    assert rewrite(source, target, 1_000).rows == 3_000
    assert pq.read_table(target).equals(table)


def test_half_floats_are_numbers(tmp_path: Path, target: Path) -> None:
    """PyArrow cannot calculate with them."""
    halves = pa.array([1.5, None, float("nan")], pa.float16())
    whole = pa.array([1, 2, None], pa.float16())
    source = written(tmp_path, trips(tips=halves, PULocationID=whole))
    rewrite(source, target, 1_000)
    found = pq.read_table(target)
    assert found["tips"].to_pylist() == [1.5, None, None]
    assert found["PULocationID"].to_pylist() == [1, 2, None]


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("bikes_2021-01.parquet", "green"),
        ("bikes_old_2021-01.parquet", "yellow"),
        ("bikes.parquet", None),
        ("old_bikes_2021-01.parquet", None),
    ],
)
def test_a_file_is_of_the_dataset_with_the_longest_name_that_it_begins_with(
    name: str, dataset: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = datasets.DATASETS
    known = {"bikes": found["green"], "bikes_old": found["yellow"]}
    monkeypatch.setattr("row_groups.rewrite.DATASETS", known)
    assert declared_dataset(name) == (found[dataset] if dataset else None)
