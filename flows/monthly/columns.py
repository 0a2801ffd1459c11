"""The columns of the four datasets, with every name they have had since 2009.

Names, meanings and codes come from TLC's data dictionaries (yellow 2015-09-28 and
2025-03-18, green 2018-05-01, FHV 2018-10-18, high-volume FHV 2022-05-11 and 2025-03-18);
older names come from the headers of the published files. Header names are compared ignoring
case, spaces, underscores and punctuation, so `Dropoff_ latitude` and `pu_location_id` need no
alias of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

#: Incremented whenever a column is added or its meaning changes: a month whose ledger entry has
#: an older version is converted again if `CHANGED_IN` says that the change affects it.
SCHEMA_VERSION = 2
#: The drift entry of the months that a schema version affects; a version that is not listed
#: affects every month. 2: in the for-hire files of 2018, `Dispatching_base_number` holds the
#: dispatching base and `Dispatching_base_num` is empty (as published;
#: toddwschneider/nyc-taxi-data imports them the same way).
CHANGED_IN: Mapping[int, str] = {2: "Dispatching_base_number -> Affiliated_base_number"}


@dataclass(frozen=True)
class Bounds:
    """The plausible limits of a trip; rows beyond them are counted and kept unchanged.

    Attributes:
        distance: miles.
        hours: from pickup to drop-off.
        speed: average, miles per hour.
        amount: USD.
    """

    distance: float = 200.0
    hours: float = 12.0
    speed: float = 100.0
    amount: float = 1_000.0


BOUNDS = Bounds()

Kind = Literal["int64", "float64", "string", "timestamp", "date"]


@dataclass(frozen=True)
class Column:
    """One column of a dataset, the same in every vintage.

    Attributes:
        name: TLC's newest spelling.
        kind: the only type; timestamps are local New York time in microseconds, without a zone.
        about: TLC's description.
        aliases: names in older vintages.
        required: whether every vintage has the column, so that its absence is an error.
        codes: text codes of older vintages (upper case) and TLC's number for each; None
            where TLC never assigned a number. Plain numbers are kept as they are.
        keeps_text_in: the column that keeps a text code as published.
        derived: whether it is filled during conversion, never read from a file.
        sparse: whether a required column may have no values in a published month.
        flag: whether a text column holds Y or N, which some files write as true and false.
    """

    name: str
    kind: Kind
    about: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    codes: Mapping[str, int | None] | None = None
    keeps_text_in: str | None = None
    derived: bool = False
    sparse: bool = False
    flag: bool = False


def _int(name: str, about: str, *aliases: str, required: bool = False) -> Column:
    return Column(name, "int64", about, aliases, required)


def _float(name: str, about: str, *aliases: str, required: bool = False) -> Column:
    return Column(name, "float64", about, aliases, required)


def _text(name: str, about: str, *aliases: str, required: bool = False) -> Column:
    return Column(name, "string", about, aliases, required)


def _flag(name: str, about: str, *aliases: str, required: bool = False) -> Column:
    return Column(name, "string", about, aliases, required, sparse=True, flag=True)


def _time(name: str, about: str, *aliases: str, required: bool = False) -> Column:
    return Column(name, "timestamp", about, aliases, required)


#: Vendors of 2009-2014. No TLC dictionary assigns a number to DDS (Digital Dispatch Systems).
VENDORS: Mapping[str, int | None] = {"CMT": 1, "VTS": 2, "DDS": None}
#: Payment texts of 2009-2014, whose spelling changed from year to year.
PAYMENTS: Mapping[str, int | None] = {
    **dict.fromkeys(("CREDIT", "CRE", "CRD"), 1),
    **dict.fromkeys(("CASH", "CAS", "CSH"), 2),
    **dict.fromkeys(("NO CHARGE", "NOC", "NO"), 3),
    **dict.fromkeys(("DISPUTE", "DIS"), 4),
    **dict.fromkeys(("UNKNOWN", "UNK", "NA"), 5),
    **dict.fromkeys(("VOIDED TRIP", "VOID", "VOI"), 6),
}
#: SR_Flag is 1 for a shared trip and null otherwise; some files of 2021 use Y and N.
SHARED: Mapping[str, int | None] = {"Y": 1, "N": 0, "TRUE": 1, "FALSE": 0}

FILE_MONTH = Column(
    "file_month",
    "date",
    "First day of the month of the published file; not the month of the pickup.",
    derived=True,
)
_RATECODE = (
    "Final rate code: 1 standard, 2 JFK, 3 Newark, 4 Nassau or Westchester, 5 negotiated, "
    "6 group ride, 99 unknown."
)
_FLAG = "Held in vehicle memory before sending (store and forward): Y or N, as published."
_PAYMENT = (
    "How the passenger paid: 0 flex fare, 1 credit card, 2 cash, 3 no charge, 4 dispute, "
    "5 unknown, 6 voided trip."
)
_COORDINATES = (
    _float("pickup_longitude", "Longitude of the pickup; until June 2016.", "Start_Lon"),
    _float("pickup_latitude", "Latitude of the pickup; until June 2016.", "Start_Lat"),
    _float("dropoff_longitude", "Longitude of the drop-off; until June 2016.", "End_Lon"),
    _float("dropoff_latitude", "Latitude of the drop-off; until June 2016.", "End_Lat"),
)
_ZONES = (
    _int("PULocationID", "TLC taxi zone of the pickup; from July 2016."),
    _int("DOLocationID", "TLC taxi zone of the drop-off; from July 2016."),
)
_MTA = "MTA tax, triggered by the metered rate in use, USD."
_TIP = "Tip, USD; credit card tips only."
_EXTRA = "Miscellaneous extras and surcharges, USD."
_IMPROVEMENT = _float("improvement_surcharge", "Improvement surcharge, USD; from 2015.")
_CONGESTION = _float("congestion_surcharge", "New York State congestion surcharge, USD; from 2019.")
_CBD = _float("cbd_congestion_fee", "MTA Congestion Relief Zone charge, USD; from 2025-01-05.")

YELLOW = (
    Column(
        "VendorID",
        "int64",
        "Provider of the record: 1 Creative Mobile, 2 Curb (VeriFone), 6 Myle, 7 Helix.",
        ("vendor_name", "vendor_id"),
        required=True,
        codes=VENDORS,
        keeps_text_in="vendor_name",
    ),
    _time(
        "tpep_pickup_datetime",
        "When the meter was engaged.",
        *("Trip_Pickup_DateTime", "pickup_datetime"),
        required=True,
    ),
    _time(
        "tpep_dropoff_datetime",
        "When the meter was disengaged.",
        *("Trip_Dropoff_DateTime", "dropoff_datetime"),
        required=True,
    ),
    _int("passenger_count", "Passengers, as the driver entered them.", required=True),
    _float("trip_distance", "Distance by the taximeter, miles.", required=True),
    # Published empty in 2009, like the flag and the tax below.
    replace(_int("RatecodeID", _RATECODE, "Rate_Code", required=True), sparse=True),
    _flag("store_and_fwd_flag", _FLAG, "store_and_forward", required=True),
    *_ZONES,
    Column(
        "payment_type",
        "int64",
        _PAYMENT,
        required=True,
        codes=PAYMENTS,
        keeps_text_in="payment_type_name",
    ),
    _float("fare_amount", "Time-and-distance fare, USD.", "Fare_Amt", required=True),
    _float("extra", _EXTRA, "surcharge", required=True),
    replace(_float("mta_tax", _MTA, required=True), sparse=True),
    _float("tip_amount", _TIP, "Tip_Amt", required=True),
    _float("tolls_amount", "Tolls, USD.", "Tolls_Amt", required=True),
    _IMPROVEMENT,
    _float("total_amount", "Total charged, USD; no cash tips.", "Total_Amt", required=True),
    _CONGESTION,
    _float("airport_fee", "Pickup at LaGuardia or John F. Kennedy airport, USD."),
    _CBD,
    *_COORDINATES,
    Column("vendor_name", "string", "The vendor as published in 2009-2014.", derived=True),
    Column("payment_type_name", "string", "The payment as published in 2009-2014.", derived=True),
    FILE_MONTH,
)

GREEN = (
    _int("VendorID", "Provider of the record: 1 Creative Mobile, 2 VeriFone.", required=True),
    _time("lpep_pickup_datetime", "When the meter was engaged.", required=True),
    _time("lpep_dropoff_datetime", "When the meter was disengaged.", required=True),
    _flag("store_and_fwd_flag", _FLAG, required=True),
    _int("RatecodeID", _RATECODE, required=True),
    *_ZONES,
    _int("passenger_count", "Passengers, as the driver entered them.", required=True),
    _float("trip_distance", "Distance by the taximeter, miles.", required=True),
    _float("fare_amount", "Time-and-distance fare, USD.", required=True),
    _float("extra", _EXTRA, required=True),
    _float("mta_tax", _MTA, required=True),
    _float("tip_amount", _TIP, required=True),
    _float("tolls_amount", "Tolls, USD.", required=True),
    _float("ehail_fee", "E-hail fee, USD; in practice always empty."),
    _IMPROVEMENT,
    _float("total_amount", "Total charged, USD; no cash tips.", required=True),
    _int("payment_type", _PAYMENT, required=True),
    _int("trip_type", "1 street-hail, 2 dispatch."),
    _CONGESTION,
    _CBD,
    *_COORDINATES,
    FILE_MONTH,
)

_SR_FLAG = Column(
    "SR_Flag", "int64", "1 for a trip in a shared ride chain, else null.", codes=SHARED
)
_DISPATCHING = _text(
    "dispatching_base_num",
    "TLC licence of the dispatching base.",
    # Used in the files of 2018, whose `Dispatching_base_num` is empty in every row.
    "Dispatching_base_number",
    required=True,
)
_AFFILIATED = _text(
    "Affiliated_base_number",
    "Base that the vehicle is affiliated with.",
    "Affiliated_base_num",
)

FHV = (
    _DISPATCHING,
    _time("pickup_datetime", "Date and time of the pickup.", "Pickup_date", required=True),
    _time("dropOff_datetime", "Date and time of the drop-off; from 2017."),
    _int("PUlocationID", "TLC taxi zone where the trip began.", "locationID"),
    _int("DOlocationID", "TLC taxi zone where the trip ended; from 2017."),
    _SR_FLAG,
    _AFFILIATED,
    FILE_MONTH,
)

FHVHV = (
    _text("hvfhs_license_num", "HV0002 Juno, HV0003 Uber, HV0004 Via, HV0005 Lyft."),
    _DISPATCHING,
    _text("originating_base_num", "Base that received the original request."),
    _time("request_datetime", "When the passenger asked to be picked up."),
    _time("on_scene_datetime", "When the driver arrived; accessible vehicles only."),
    _time("pickup_datetime", "Date and time of the pickup.", required=True),
    _time("dropoff_datetime", "Date and time of the drop-off.", required=True),
    _int("PULocationID", "TLC taxi zone where the trip began.", required=True),
    _int("DOLocationID", "TLC taxi zone where the trip ended.", required=True),
    _float("trip_miles", "Passenger trip, miles."),
    _int("trip_time", "Passenger trip, seconds."),
    _float("base_passenger_fare", "Fare before tolls, tips, taxes and fees, USD."),
    _float("tolls", "Tolls, USD."),
    _float("bcf", "Black Car Fund, USD."),
    _float("sales_tax", "New York State sales tax, USD."),
    _CONGESTION,
    _float("airport_fee", "Airport fee at LaGuardia, Newark and John F. Kennedy, USD."),
    _float("tips", "Tips, USD."),
    _float("driver_pay", "Driver pay without tolls and tips, net of commission and taxes, USD."),
    _flag("shared_request_flag", "Did the passenger agree to share? Y or N."),
    _flag("shared_match_flag", "Was the vehicle shared? Y or N."),
    _flag("access_a_ride_flag", "Administered for the MTA? Y, N, or one space as published."),
    _flag("wav_request_flag", "Wheelchair-accessible vehicle requested? Y or N."),
    _flag("wav_match_flag", "Wheelchair-accessible vehicle used? Y or N."),
    _CBD,
    _SR_FLAG,
    _AFFILIATED,
    FILE_MONTH,
)
