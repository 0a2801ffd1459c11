"""The trips of a generated month: times, places, distances, amounts and oddities.

Every value is an integer: cents, hundredths of a mile, seconds, codes, indexes into a table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monthly.month import Month
from monthly.sample.tlc.draw import Draw, Odd, seconds_of
from monthly.sample.tlc.eras import NULL, POINTS, Era, Ints, normal_scores

Chunk: TypeAlias = dict[str, Ints]

#: First month; then US cents: initial charge, per fifth of a mile, improvement surcharge, toll.
TARIFFS = (
    ((2009, 1), (250, 40, 0, 457)),
    ((2012, 9), (250, 50, 0, 533)),
    ((2015, 1), (250, 50, 30, 554)),
    ((2019, 1), (250, 50, 30, 612)),
    ((2023, 1), (300, 70, 100, 694)),
)
CONGESTION = {"yellow": 250, "green": 275, "fhvhv": 275}
#: First month with a known charge, by column; null before.
FIRST_CHARGED = {"congestion": (2019, 2), "airport": (2021, 4)}
CBD_START = dt.date(2025, 1, 5)
AIRPORTS, UNKNOWN_ZONE = (132, 138), 264
#: The busiest zones, most popular first; all other zones are rare.
BUSY = {
    "yellow": (237, 236, 161, 132, 186, 170, 142, 162, 48, 230, 138, 239, 163, 141, 234, 68, 79),
    "green": (74, 75, 41, 42, 97, 244, 82, 95, 166, 7, 43, 66, 25, 65, 130, 116, 152, 33, 226),
    "fhv": (206, 221, 212, 129, 86, 254, 76, 169, 244, 168, 213, 235, 61, 89),
    "fhvhv": (61, 76, 42, 37, 39, 138, 132, 89, 17, 231, 79, 168, 35, 244, 74, 236, 255),
}


def _weighted(weights: Mapping[int, int]) -> Ints:
    return np.repeat(np.array([*weights], np.int64), [*weights.values()])


def _skewed(median: int, spread: float) -> Ints:
    """Return equally likely values of a lognormal distribution, lowest first."""
    return np.array([round(median * spread**z) for z in normal_scores()], np.int64)


def _zones(busy: tuple[int, ...]) -> Ints:
    rare = dict.fromkeys(range(1, 264), 25)
    return _weighted({**rare, **{zone: 9_000 // (rank + 6) for rank, zone in enumerate(busy)}})


ZONES = {dataset: _zones(busy) for dataset, busy in BUSY.items()}
#: Hundredths of a mile, by dataset; seconds per mile.
MILES = {d: _skewed(median, 2.2) for d, median in zip(BUSY, (170, 190, 280, 280))}
PACES = _skewed(290, 1.35)
VENDORS = _weighted({1: 35, 2: 55, 3: 10})
PASSENGERS = _weighted({0: 2, 1: 73, 2: 14, 3: 4, 4: 2, 5: 3, 6: 2})
RATES = _weighted({1: 960, 2: 25, 3: 2, 4: 1, 5: 11, 99: 1})
PAYMENTS = _weighted({1: 690, 2: 290, 3: 12, 4: 7, 5: 1})
#: Percentage of the fare.
TIPS = _weighted({0: 8, 10: 4, 15: 10, 18: 12, 20: 30, 22: 8, 25: 12})
PLACES, CENTS, WAITS = np.arange(1, POINTS + 1), np.arange(100), np.arange(60, 600)
RARELY, MOSTLY, SHARED = map(_weighted, ({0: 97, 1: 3}, {0: 1, 1: 3}, {NULL: 19, 1: 1}))
#: Uber, Lyft and Via.
LICENCES = _weighted({0: 70, 1: 29, 2: 1})
#: Whether an FHV zone is null (0), the unknown zone (1) or known (2).
PU_KNOWN, DO_KNOWN = _weighted({0: 32, 1: 52, 2: 16}), _weighted({0: 5, 1: 6, 2: 89})


def _trip(draw: Draw) -> Chunk:
    """Return the columns of a trip that every dataset has."""
    dataset = draw.month.dataset
    distance = draw.pick(MILES[dataset])
    # the low bits come from the row number, so that no two rows are equal by chance
    seconds = (64 + distance * draw.pick(PACES) // 100) & ~63 | draw.number & 63
    return {
        "pickup": draw.pickup,
        "dropoff": draw.pickup + np.where(draw.odd == Odd.BACKWARDS, -seconds, seconds),
        "pu": draw.pick(ZONES[dataset]),
        "do": draw.pick(ZONES[dataset]),
        "distance": np.where(draw.odd == Odd.ZERO_DISTANCE, 0, distance),
        "trip_time": seconds,
        "index": draw.number,
    }


def _taxi(draw: Draw, era: Era) -> Chunk:
    trip, flag = _trip(draw), draw.pick(RARELY)
    vendor = np.minimum(draw.pick(VENDORS), len(era.texts.get("vendor", "012")) - 1)
    payment = np.where(draw.unmetered, 0, draw.pick(PAYMENTS))
    return {
        **trip,
        **_total(draw, era, _meter(draw, trip, payment == 1)),
        **_points(draw),
        "vendor": vendor,
        "payment": payment + 6 * (vendor == 1) if era.texts else payment,
        "flag": np.where(vendor == 2, NULL, flag) if era.texts else flag,
        "passengers": draw.pick(PASSENGERS),
        "rate": draw.pick(RATES),
        "trip_type": 1 + draw.pick(RARELY),
    }


def _points(draw: Draw) -> Chunk:
    """Return indexes into the tables of longitudes and latitudes, whose first value is 0."""
    lost = draw.odd == Odd.ZERO_DISTANCE
    keys = ("pu_lon", "pu_lat", "do_lon", "do_lat")
    return {key: np.where(lost, 0, draw.pick(PLACES)) for key in keys}


def _meter(draw: Draw, trip: Chunk, card: npt.NDArray[np.bool_]) -> Chunk:
    """Return the parts of a taxi's total, cents."""
    first, fifth, improvement, toll = _tariff(draw.month)
    steps = trip["distance"] // 20 + trip["trip_time"] // 180
    fare = first + fifth * steps + draw.pick(CENTS) * draw.unmetered
    return {
        "fare": fare,
        "extra": np.where(draw.unmetered, 0, _extra(trip["pickup"])),
        "mta": np.where(draw.unmetered, 0, 50),
        "tip": fare * draw.pick(TIPS) // 100 * card,
        "tolls": draw.pick(RARELY) * toll,
        "improvement": np.full_like(fare, improvement),
        **_surcharges(draw, trip),
    }


def _extra(pickup: Ints) -> Ints:
    """Return the extra: 50 cents from 8 pm to 6 am, a dollar from 4 to 8 pm on working days."""
    hour, weekday = pickup // 3_600 % 24, (pickup // 86_400 + 3) % 7
    rush = (hour >= 16) & (hour < 20) & (weekday < 5)
    return np.where((hour >= 20) | (hour < 6), 50, np.where(rush, 100, 0))


def _surcharges(draw: Draw, trip: Chunk) -> Chunk:
    """Return the surcharges for the place and time of a trip, cents."""
    central = draw.pick(MOSTLY)
    begun = trip["pickup"] >= seconds_of(CBD_START)
    return {
        "congestion": central * CONGESTION[draw.month.dataset],
        "airport": np.isin(trip["pu"], AIRPORTS) * 175,
        "cbd": central * begun * 75,
    }


def _total(draw: Draw, era: Era, parts: Chunk) -> Chunk:
    """Return the signed parts, and the sum of those that the file has and that are not null."""
    sign = np.where(draw.odd == Odd.NEGATIVE, -1, 1)
    signed = {key: cents * sign for key, cents in parts.items()}
    summed = [
        np.where(draw.unmetered, 0, cents) if key in era.unmetered.split() else cents
        for key, cents in signed.items()
        if key in era.keys and key not in _empty(draw.month, era)
    ]
    return {**signed, "total": np.sum(summed, axis=0)}


def _tariff(month: Month) -> tuple[int, int, int, int]:
    return [tariff for first, tariff in TARIFFS if first <= (month.year, month.month)][-1]


def _fhv(draw: Draw, era: Era) -> Chunk:
    trip, bases = _trip(draw), len(era.codes("base"))
    # adjacent rows have different bases: files without a drop-off have no accidental twins
    base = draw.number * 61 % bases
    return {
        **trip,
        "pu": _known(draw.pick(PU_KNOWN), trip["pu"]),
        "do": _known(draw.pick(DO_KNOWN), trip["do"]),
        "base": base,
        "affiliated": np.where(draw.pick(MOSTLY), base, draw.pick(np.arange(bases))),
        "shared": draw.pick(SHARED),
    }


def _known(how: Ints, zone: Ints) -> Ints:
    return np.where(how == 0, NULL, np.where(how == 1, UNKNOWN_ZONE, zone))


def _fhvhv(draw: Draw, era: Era) -> Chunk:
    trip, licence, waited = _trip(draw), draw.pick(LICENCES), draw.pick(WAITS)
    uber = licence == 0
    base = np.where(uber, draw.number % len(era.codes("hv_base")[2:]) + 2, licence - 1)
    return {
        **trip,
        **_total(draw, era, _ride(draw, trip)),
        **{key: draw.pick(RARELY) for key in ("shared_request", "wav_request", "wav_match")},
        "shared_match": np.zeros_like(base),
        "license": licence,
        "hv_base": base,
        "originating": np.where(uber, base, NULL),
        "request": draw.pickup - waited,
        "on_scene": np.where(uber, draw.pickup - waited // 4, NULL),
        "access": np.where(uber, 2, 0),
        "shared": draw.pick(SHARED),
    }


def _ride(draw: Draw, trip: Chunk) -> Chunk:
    """Return the charges and the driver pay of a high-volume ride, cents."""
    fare = 300 + trip["distance"] * 2 + trip["trip_time"] // 3 + draw.pick(CENTS)
    return {
        "base_fare": fare,
        "tolls": draw.pick(RARELY) * _tariff(draw.month)[-1],
        "bcf": fare * 275 // 10_000,
        "tax": fare * 8_875 // 100_000,
        "tip": draw.pick(RARELY) * 300,
        "pay": fare * 3 // 4,
        **_surcharges(draw, trip),
    }


def _empty(month: Month, era: Era) -> set[str]:
    """Return the columns that are null in every row of the month."""
    when = (month.year, month.month)
    return {*era.empty.split(), *(key for key, first in FIRST_CHARGED.items() if when < first)}


def as_published(draw: Draw, era: Era, values: Chunk) -> Chunk:
    """Return the columns of the file, with their nulls."""
    empty, unmetered = _empty(draw.month, era), era.unmetered.split()
    chunk = {"twin": draw.twin}
    for key in era.keys:
        absent = np.full(len(draw.number), key in empty) | (draw.unmetered & (key in unmetered))
        chunk[key] = np.where(absent, NULL, values.get(key, NULL))
    return chunk


TRIPS = {"yellow": _taxi, "green": _taxi, "fhv": _fhv, "fhvhv": _fhvhv}
