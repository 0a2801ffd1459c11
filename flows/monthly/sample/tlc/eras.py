"""The format of published files by era: names, line endings, spellings, types, tariffs.

Names, nameless fields, blank lines and line endings are those of the published files, which
were CSV until July 2021 and have been Parquet since; a CSV file of a later month has the
names of the Parquet file. Each column has the generator's own name next to the published
one, so that a sample does not depend on the table of aliases that it tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monthly.month import Month

Ints: TypeAlias = npt.NDArray[np.int64]

#: Represents null among integers.
NULL = int(np.iinfo(np.int64).min)
#: Number of distinct longitudes, latitudes, distances and paces.
POINTS = 4_096
#: Last month published as CSV.
LAST_CSV = (2021, 7)
#: First month whose Parquet file has narrow ids and large_string. pandas wrote the older ones;
#: it has no nulls among integers and made such columns double.
FIRST_NARROW = (2023, 12)


@dataclass(frozen=True)
class Era:
    """The format of one dataset's files from one month on.

    Attributes:
        first: year and month.
        header: the names as published, separated by commas.
        layout: the generator's name of each column, in file order, separated by spaces.
        blank_lines: empty lines between the header and the rows.
        row_end: text after the last named field; commas represent nameless fields.
        empty: columns that are null in every row.
        unmetered: columns that are null in rows without a meter record.
        texts: the text of each code, by column; a column not named here is published as
            numbers. Files with such texts print numbers with 17 digits (2.6299999999999999).
    """

    first: tuple[int, int]
    header: str
    layout: str
    blank_lines: int = 0
    row_end: str = "\r\n"
    empty: str = ""
    unmetered: str = ""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Return the published names."""
        return self.header.split(",")

    @property
    def keys(self) -> list[str]:
        """Return the generator's names."""
        return self.layout.split()

    def codes(self, key: str) -> tuple[str, ...]:
        """Return the text of each code of a column; empty if it has numbers."""
        return self.texts.get(key, _ALWAYS.get(key, ()))

    @property
    def preamble(self) -> bytes:
        """Return everything before the first row of a CSV file."""
        return (self.header + "\n" * self.blank_lines + self.row_end.lstrip(",")).encode()


def era_of(month: Month, parquet: bool) -> Era:
    """Return the era of a month's CSV or Parquet file."""
    when = (month.year, month.month)
    eras = _PARQUET if parquet or when > LAST_CSV else _CSV
    return [era for era in eras[month.dataset] if era.first <= when][-1]


_BASES = tuple(f"B{number:05}" for number in range(9, 3_300, 14))
_YES = ("N", "Y")
#: Texts by code, for columns that have texts in every era.
_ALWAYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("flag", "shared_request", "shared_match", "wav_request", "wav_match"), _YES),
    **dict.fromkeys(("base", "affiliated"), _BASES),
    **dict.fromkeys(("hv_base", "originating"), ("B02510", "B02800", *_BASES[-28:])),
    "license": ("HV0003", "HV0005", "HV0004"),
    "access": ("N", "Y", " "),
}
_LF, _NAMELESS = "\n", ",,\r\n"
_CBD, _INDEX = ",cbd_congestion_fee", ",__index_level_0__"
_YELLOW_2009 = (
    "vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,"
    "Start_Lon,Start_Lat,Rate_Code,store_and_forward,End_Lon,End_Lat,Payment_Type,Fare_Amt,"
    "surcharge,mta_tax,Tip_Amt,Tolls_Amt,Total_Amt"
)
_YELLOW_2010 = (
    "vendor_id,pickup_datetime,dropoff_datetime,passenger_count,trip_distance,pickup_longitude,"
    "pickup_latitude,rate_code,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,"
    "payment_type,fare_amount,surcharge,mta_tax,tip_amount,tolls_amount,total_amount"
)
_YELLOW_2015 = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "pickup_longitude,pickup_latitude,RateCodeID,store_and_fwd_flag,dropoff_longitude,"
    "dropoff_latitude,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,"
    "improvement_surcharge,total_amount"
)
_YELLOW_ZONES = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "RatecodeID,store_and_fwd_flag,PULocationID,DOLocationID,payment_type,fare_amount,extra,"
    "mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount"
)
_YELLOW_2019 = f"{_YELLOW_ZONES},congestion_surcharge"
_YELLOW_2023 = f"{_YELLOW_2019},Airport_fee"
_GREEN_2013 = (
    "VendorID,lpep_pickup_datetime,Lpep_dropoff_datetime,Store_and_fwd_flag,RateCodeID,"
    "Pickup_longitude,Pickup_latitude,Dropoff_longitude,Dropoff_latitude,Passenger_count,"
    "Trip_distance,Fare_amount,Extra,MTA_tax,Tip_amount,Tolls_amount,Ehail_fee,Total_amount,"
    "Payment_type,Trip_type "
)
_GREEN_2015 = _GREEN_2013.replace("Total", "improvement_surcharge,Total")
_GREEN_ZONES = (
    "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,"
    "PULocationID,DOLocationID,passenger_count,trip_distance,fare_amount,extra,mta_tax,"
    "tip_amount,tolls_amount,ehail_fee,improvement_surcharge,total_amount,payment_type,trip_type"
)
_GREEN_2019 = f"{_GREEN_ZONES},congestion_surcharge"
_FHV_2017 = "Dispatching_base_num,Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID"
_FHV_2018 = (
    "Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID,SR_Flag,"
    "Dispatching_base_number,Dispatching_base_num"
)
_FHV_2019 = (
    "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag"
)
_FHV_2020 = (
    "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,DOlocationID,SR_Flag,"
    "Affiliated_base_number"
)
_FHVHV = (
    "hvfhs_license_num,dispatching_base_num,originating_base_num,request_datetime,"
    "on_scene_datetime,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,trip_miles,"
    "trip_time,base_passenger_fare,tolls,bcf,sales_tax,congestion_surcharge,airport_fee,tips,"
    "driver_pay,shared_request_flag,shared_match_flag,access_a_ride_flag,wav_request_flag,"
    "wav_match_flag"
)
_Y_POINTS = (
    "vendor pickup dropoff passengers distance pu_lon pu_lat rate flag do_lon do_lat payment "
    "fare extra mta tip tolls total"
)
_Y_2015 = _Y_POINTS.replace("total", "improvement total")
_Y_ZONES = (
    "vendor pickup dropoff passengers distance rate flag pu do payment fare extra mta tip tolls "
    "improvement total"
)
_Y_2019, _Y_AIRPORT = f"{_Y_ZONES} congestion", f"{_Y_ZONES} congestion airport"
_G_POINTS = (
    "vendor pickup dropoff flag rate pu_lon pu_lat do_lon do_lat passengers distance fare extra "
    "mta tip tolls ehail total payment trip_type"
)
_G_2015 = _G_POINTS.replace("total", "improvement total")
_G_ZONES = (
    "vendor pickup dropoff flag rate pu do passengers distance fare extra mta tip tolls ehail "
    "improvement total payment trip_type"
)
_G_2019 = f"{_G_ZONES} congestion"
_F_2017 = "base pickup dropoff pu do"
# Dispatching_base_number holds the base, and Dispatching_base_num is empty.
_F_2018 = "pickup dropoff pu do shared base no_base"
_F_2020 = f"{_F_2017} shared affiliated"
_HV = (
    "license hv_base originating request on_scene pickup dropoff pu do distance trip_time "
    "base_fare tolls bcf tax congestion airport tip pay shared_request shared_match access "
    "wav_request wav_match"
)
# Payment texts for codes 0 to 5, then again for vendor 1; 2009 has no text for unknown.
_OTHER = ("No Charge", "Dispute", "Dispute")
_TEXTS_2009 = {
    "vendor": ("", "CMT", "VTS", "DDS"),
    "payment": ("", "CREDIT", "CASH", *_OTHER, "", "Credit", "Cash", *_OTHER),
}
_SHORT = ("", "CRD", "CSH", "NOC", "DIS", "UNK")
_TEXTS_2010 = {
    "vendor": ("", "CMT", "VTS"),
    "payment": (*_SHORT, "", "Cre", "Cas", "No", "Dis", "Na"),
}
_TEXTS = {**_TEXTS_2010, "payment": _SHORT * 2}
_Y_NULLS = "passengers rate flag congestion airport"
_G_NULLS = "flag rate passengers payment trip_type congestion cbd"
_CSV: Mapping[str, tuple[Era, ...]] = {
    "yellow": (
        Era((2009, 1), _YELLOW_2009, _Y_POINTS, 1, empty="rate flag mta", texts=_TEXTS_2009),
        Era((2010, 1), _YELLOW_2010, _Y_POINTS, 1, texts=_TEXTS_2010),
        Era((2011, 1), _YELLOW_2010, _Y_POINTS, 1, texts=_TEXTS),
        Era((2014, 1), _YELLOW_2010.replace(",", ", "), _Y_POINTS, 1, texts=_TEXTS),
        Era((2015, 1), _YELLOW_2015, _Y_2015),
        Era((2015, 7), _YELLOW_2015.replace("RateCode", "Ratecode"), _Y_2015),
        Era((2016, 7), _YELLOW_ZONES, _Y_ZONES, 0, _NAMELESS),
        Era((2017, 1), _YELLOW_ZONES, _Y_ZONES, 1),
        Era((2019, 1), _YELLOW_2019, _Y_2019, unmetered=_Y_NULLS),
    ),
    "green": (
        Era((2013, 8), _GREEN_2013, _G_POINTS, 1, _NAMELESS, "ehail trip_type"),
        Era((2014, 1), _GREEN_2013, _G_POINTS, 2, _NAMELESS, "ehail"),
        Era((2015, 1), _GREEN_2015, _G_2015, 0, _NAMELESS, "ehail"),
        Era((2015, 7), _GREEN_2015, _G_2015, empty="ehail"),
        Era((2016, 1), _GREEN_2015, _G_2015, 1, empty="ehail"),
        Era((2016, 7), _GREEN_ZONES, _G_ZONES, 1, _NAMELESS, "ehail"),
        Era((2017, 1), _GREEN_ZONES, _G_ZONES, 1, empty="ehail"),
        Era((2019, 1), _GREEN_2019, _G_2019, empty="ehail", unmetered=f"vendor {_G_NULLS}"),
    ),
    "fhv": (
        Era((2015, 1), "Dispatching_base_num,Pickup_date,locationID", "base pickup pu", 0, _LF),
        Era((2017, 1), _FHV_2017, _F_2017, 0, _LF),
        Era((2017, 7), f"{_FHV_2017},SR_Flag", f"{_F_2017} shared", 0, _LF),
        Era((2018, 1), _FHV_2018, _F_2018, 0, _LF, "no_base"),
        Era((2019, 1), _FHV_2019, f"{_F_2017} shared", 0, _LF),
        Era((2020, 1), _FHV_2020, _F_2020, 0, _LF),
    ),
    "fhvhv": (
        Era((2019, 2), f"hvfhs_license_num,{_FHV_2019}", f"license hv_{_F_2017} shared", 0, _LF),
    ),
}
_PARQUET: Mapping[str, tuple[Era, ...]] = {
    "yellow": (
        *_CSV["yellow"][:2],
        Era(
            (2010, 2), f"{_YELLOW_2010},__index_level_0__", f"{_Y_POINTS} index", texts=_TEXTS_2010
        ),
        Era((2010, 4), _YELLOW_2010, _Y_POINTS, texts=_TEXTS_2010),
        Era((2011, 1), f"{_YELLOW_2019},airport_fee", _Y_AIRPORT, 0, _LF, "", _Y_NULLS),
        Era((2023, 2), _YELLOW_2023, _Y_AIRPORT, 0, _LF, "", _Y_NULLS),
        Era(
            (2025, 1),
            f"{_YELLOW_2019},Airport_fee{_CBD}",
            f"{_Y_AIRPORT} cbd",
            0,
            _LF,
            "",
            _Y_NULLS,
        ),
    ),
    "green": (
        Era((2013, 8), _GREEN_2019, _G_2019, 0, _LF, "ehail", _G_NULLS),
        Era((2025, 1), _GREEN_2019 + _CBD, f"{_G_2019} cbd", 0, _LF, "ehail", _G_NULLS),
    ),
    "fhv": (Era((2015, 1), _FHV_2020, _F_2020, 0, _LF),),
    "fhvhv": (
        Era((2019, 2), _FHVHV, _HV, 0, _LF),
        Era((2025, 1), _FHVHV + _CBD, f"{_HV} cbd", 0, _LF),
    ),
}


@cache
def normal_scores() -> list[float]:
    """Return the midpoints of POINTS equally likely slices of the standard normal."""
    return [NormalDist().inv_cdf((place + 0.5) / POINTS) for place in range(POINTS)]
