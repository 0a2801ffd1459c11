"""Every header that TLC ever published leads to the one schema of its dataset."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from core.errors import SchemaError
from fakes.trip_files import YELLOW, YELLOW_HEADER, YELLOW_LINE, converted
from monthly.datasets import DATASETS
from monthly.header import map_header
from monthly.month import Month

AT, TO = dt.datetime(2019, 2, 1, 0, 5, 18), dt.datetime(2019, 2, 1, 0, 14, 57)
TIMES = f"{AT},{TO}"

VINTAGES = {
    "fhv 2015": (
        Month("fhv", 2015, 1),
        "Dispatching_base_num,Pickup_date,locationID",
        f"B00013,{AT},132",
        {"dispatching_base_num": "B00013", "pickup_datetime": AT, "PUlocationID": 132},
    ),
    "fhv 2017": (
        Month("fhv", 2017, 1),
        "Dispatching_base_num,Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID",
        f"B00013,{TIMES},132,7",
        {
            "dispatching_base_num": "B00013",
            "pickup_datetime": AT,
            "dropOff_datetime": TO,
            "PUlocationID": 132,
            "DOlocationID": 7,
        },
    ),
    "fhv 2018": (
        Month("fhv", 2018, 1),
        "Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID,SR_Flag,"
        "Dispatching_base_number,Dispatching_base_num",
        f'"{AT}","{TO}",,7,1,"B00013",',
        {
            "dispatching_base_num": "B00013",
            "pickup_datetime": AT,
            "dropOff_datetime": TO,
            "DOlocationID": 7,
            "SR_Flag": 1,
        },
    ),
    "fhvhv 2019": (
        Month("fhvhv", 2019, 2),
        "hvfhs_license_num,dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,"
        "DOLocationID,SR_Flag",
        f"HV0003,B02867,{TIMES},245,251,",
        {
            "hvfhs_license_num": "HV0003",
            "dispatching_base_num": "B02867",
            "pickup_datetime": AT,
            "dropoff_datetime": TO,
            "PULocationID": 245,
            "DOLocationID": 251,
        },
    ),
    "fhvhv 2021": (
        Month("fhvhv", 2021, 7),
        "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag,"
        "Affiliated_base_number",
        f"B02867,{TIMES},245,251,N,B00014",
        {
            "dispatching_base_num": "B02867",
            "pickup_datetime": AT,
            "dropoff_datetime": TO,
            "PULocationID": 245,
            "DOLocationID": 251,
            "SR_Flag": 0,
            "Affiliated_base_number": "B00014",
        },
    ),
    "yellow 2021": (
        YELLOW,
        YELLOW_HEADER,
        YELLOW_LINE,
        {
            "VendorID": 1,
            "tpep_pickup_datetime": dt.datetime(2021, 1, 5, 10, 0),
            "tpep_dropoff_datetime": dt.datetime(2021, 1, 5, 10, 10),
            "passenger_count": 1,
            "trip_distance": 2.5,
            "RatecodeID": 1,
            "store_and_fwd_flag": "N",
            "PULocationID": 4,
            "DOLocationID": 5,
            "payment_type": 2,
            "fare_amount": 9.0,
            "extra": 0.0,
            "mta_tax": 0.5,
            "tip_amount": 0.0,
            "tolls_amount": 0.0,
            "improvement_surcharge": 0.3,
            "total_amount": 9.8,
            "congestion_surcharge": 0.0,
        },
    ),
}


@pytest.mark.parametrize("spelled", [str, str.upper, str.lower, lambda n: f" {n.title()} "])
@pytest.mark.parametrize("vintage", VINTAGES)
def test_a_vintage_is_read_under_its_names_in_any_case(
    vintage: str, spelled: type[str], tmp_path: Path
) -> None:
    month, header, line, meant = VINTAGES[vintage]
    names = ",".join(map(spelled, header.split(",")))
    (row,) = converted(
        tmp_path, f"{names}\n{line}\n", month, max_outside_share=1.0
    ).table.to_pylist()
    assert row.pop("file_month") == month.first_day
    assert {name: value for name, value in row.items() if value is not None} == meant


@pytest.mark.parametrize("dataset", DATASETS)
def test_no_two_columns_of_a_dataset_can_be_meant_by_one_name(dataset: str) -> None:
    readable = [c for c in DATASETS[dataset].columns if not c.derived]
    names = [name.lower() for c in readable for name in {c.name, *c.aliases}]
    assert len({c.name for c in DATASETS[dataset].columns}) == len(DATASETS[dataset].columns)
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("dataset", DATASETS)
def test_each_column_has_its_declared_type_and_tlcs_description(dataset: str) -> None:
    schema = DATASETS[dataset].schema
    for column in DATASETS[dataset].columns:
        field = schema.field(column.name)
        assert field.type == column.arrow
        assert field.metadata[b"description"].decode() == column.about != ""


@pytest.mark.parametrize("dataset", DATASETS)
def test_what_quality_measures_and_what_keeps_a_text_are_columns(dataset: str) -> None:
    known = DATASETS[dataset]
    named = {*known.roles.model_dump().values(), *(c.keeps_text_in for c in known.columns)}
    assert named - {"", None} <= {*known.schema.names}


def test_a_derived_column_is_not_read_from_a_file() -> None:
    with pytest.raises(SchemaError, match="unknown column 'file_month', 'payment_type_name'"):
        map_header(YELLOW, [*YELLOW_HEADER.split(","), "file_month", "payment_type_name"])


def test_each_field_of_a_header_is_mapped_in_its_place() -> None:
    names = ["", "Unnamed: 0", "index", *YELLOW_HEADER.split(","), "Mood"]
    mapped = map_header(YELLOW, names, strict=False)
    known = [column.name if column else None for column in mapped.columns]
    assert known == [None, None, None, *YELLOW_HEADER.split(","), None]
    assert (mapped.renamed, mapped.unknown) == ((), ("index", "Mood"))
    assert {"airport_fee", "cbd_congestion_fee", "pickup_longitude"} < {*mapped.missing}


def test_every_absent_required_column_is_named_at_once() -> None:
    names = [n for n in YELLOW_HEADER.split(",") if n not in ("VendorID", "total_amount")]
    with pytest.raises(
        SchemaError, match="yellow 2021-01: the file has no column VendorID, total_"
    ):
        map_header(YELLOW, names)
    assert {"VendorID", "total_amount"} < {*map_header(YELLOW, names, strict=False).missing}


@pytest.mark.parametrize("names", [[], ["<html>"], ["x" * 5_000, "y"]])
def test_a_header_without_one_known_name_is_refused_in_a_short_sentence(names: list[str]) -> None:
    for strict in (True, False):
        with pytest.raises(
            SchemaError, match=r"yellow 2021-01: .*is it a file of yellow"
        ) as caught:
            map_header(YELLOW, names, strict)
        assert len(str(caught.value)) < 300
