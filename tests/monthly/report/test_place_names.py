"""The names of the taxi zones, from TLC's table in the bucket."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from core.errors import SchemaError
from core.storage.bucket import FolderBucket
from monthly.datasets import DATASETS
from monthly.report.place_names import place_names

ZONES_KEY = DATASETS["green"].declared.place_names
TABLE = b"""\xef\xbb\xbf"LocationID","Borough","Zone","service_zone"\r
1,"EWR","Newark Airport","EWR"\r
74,"Manhattan","East Harlem North","Boro Zone"\r
264,"Unknown","N/A","N/A"\r
265,"N/A","Outside of NYC","N/A"\r
"""


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path)


def test_zones_have_their_name_and_borough(bucket: FolderBucket) -> None:
    """N/A is left out of a name."""
    bucket.write(ZONES_KEY, TABLE, None)
    assert place_names(bucket, ZONES_KEY) == {
        1: "Newark Airport, EWR",
        74: "East Harlem North, Manhattan",
        264: "Unknown",
        265: "Outside of NYC",
    }


def test_a_dataset_without_a_table_has_no_names(bucket: FolderBucket) -> None:
    """Tables of other datasets in the bucket do not count."""
    bucket.write(ZONES_KEY, TABLE, None)
    assert place_names(bucket, "") == {}


def test_without_the_table_there_are_no_names(bucket: FolderBucket) -> None:
    assert place_names(bucket, ZONES_KEY) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"LocationID,Zone\n1,a",
        b"LocationID,Borough,Zone\nx,a,b",
        b"LocationID,Borough,Zone\n1,a",
        b"LocationID,Borough,Zone\n1,a," + b"b" * (csv.field_size_limit() + 1),
        b"\xff",
    ],
    ids=["empty", "page", "column", "number", "field", "long", "bytes"],
)
def test_a_file_that_is_not_the_table_is_refused_by_its_address(
    bucket: FolderBucket, data: bytes
) -> None:
    bucket.write(ZONES_KEY, data, None)
    with pytest.raises(SchemaError, match=r"taxi_zone_lookup\.csv is not a table of places") as no:
        place_names(bucket, ZONES_KEY)
    assert str(no.value).endswith("; replace or remove it")


def test_a_row_that_is_too_short_is_named(bucket: FolderBucket) -> None:
    """The error names its line; a row may lack fields that are not used."""
    bucket.write(ZONES_KEY, TABLE + b'3,"Bronx","Allerton"\r\n4,"Manhattan"\r\n', None)
    with pytest.raises(SchemaError, match=r"\(line 7 has too few fields\)"):
        place_names(bucket, ZONES_KEY)


def test_the_table_of_the_zoomcamp_has_its_names_in_lower_case(bucket: FolderBucket) -> None:
    header, _, rows = TABLE.decode("utf-8-sig").partition("\r\n")
    bucket.write(ZONES_KEY, f"{header.lower()}\n{rows}".encode(), None)
    assert place_names(bucket, ZONES_KEY)[1] == "Newark Airport, EWR"
    assert len(place_names(bucket, ZONES_KEY)) == 4
