"""Files in the layouts of real publishers, generated; each has what is odd about its publisher."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Rows of a file.
ROWS = 60


@dataclass(frozen=True)
class Layout:
    """A published file of one month, and how a person reads it.

    Attributes:
        name: the file's name.
        text: its text, or that of the table in its archive.
        month: the month, such as 2024-01.
        separator: what separates fields.
        encoding: how the text is encoded.
        header: the line of the names, from 0; None if there is none.
        first: the line of the first row.
        notes: lines after the last row.
        decimal: the decimal mark.
        nulls: texts that mean no value.
        times: the format of each time, by name or, without a header, position; a time in several
            columns stands under all their names. An empty format is ISO.
        members: the files of its archive if it is a zip, of which "" is the table.
    """

    name: str
    text: str
    month: str
    separator: str = ","
    encoding: str = "utf-8"
    header: int | None = 0
    first: int = 1
    notes: int = 0
    decimal: str = "."
    nulls: tuple[str, ...] = ()
    times: Mapping[str | int | tuple[str, ...], str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        data = self.text.encode(self.encoding)
        if self.name.endswith(".gz"):
            return gzip.compress(data, mtime=0)
        if not self.members:
            return data
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text in self.members.items():
                archive.writestr(name, text or data)
        return packed.getvalue()


def _lines(row: Callable[[int], str], *head: str, notes: tuple[str, ...] = ()) -> str:
    return "\n".join([*head, *map(row, range(ROWS)), *notes, ""])


def _at(n: int, minutes: int = 60, first: tuple[int, int] = (2024, 1)) -> dt.datetime:
    return dt.datetime(*first, 1) + dt.timedelta(minutes=minutes * n)


def _german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def _interval(n: int) -> str:
    start, end = (_at(n + more, 60, (2021, 3)) for more in (0, 1))
    return f'"{start:%d.%m.%Y %H:%M} - {end:%d.%m.%Y %H:%M}","{48 + n / 10:.2f}","EUR",""'


def _milliseconds(time: dt.datetime) -> int:
    return int(time.replace(tzinfo=dt.timezone.utc).timestamp() * 1000)


_AMERICAN = "%m/%d/%Y %I:%M:%S %p"

PRICE_PAID = Layout(
    "pp-2024-01.csv",
    _lines(
        lambda n: (
            f'"{{F887F88E-7D15-4415-804E-52EAC2F1{n:04X}}}","{70_000 + n * 100}",'
            f'"2024-01-{n % 31 + 1:02} 00:00","{"MK15 9HP" if n % 7 else ""}","D","N","F","{n}","",'
            f'"ALDRICH DRIVE","{"WILLEN" if n % 3 else ""}","MILTON KEYNES","A"'
        )
    ),
    "2024-01",
    header=None,
    first=0,
    times={2: ""},
)
ENTSOE = Layout(
    "Day-ahead Prices_202103010000-202104010000.csv",
    _lines(_interval, '"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"'),
    "2021-03",
    times={"MTU (CET/CEST)": "%d.%m.%Y %H:%M - "},
)
DIVVY = Layout(
    "Divvy_Trips_2019_01.csv",
    _lines(
        lambda n: f'{21_742_443 + n},{_at(n, 37, (2019, 1))},"{1_000 + n:,}.0",199,{n % 3 or ""}',
        "trip_id,start_time,tripduration,from_station_id,gender",
    ),
    "2019-01",
    times={"start_time": ""},
)
BIXI = Layout(
    "DonneesOuvertes2024_01.csv",
    _lines(
        lambda n: f"Métro Mont-Royal,45.52{n:02},{_milliseconds(_at(n)) + 17}",
        "STARTSTATIONNAME,STARTSTATIONLATITUDE,STARTTIMEMS",
    ),
    "2024-01",
    times={"STARTTIMEMS": "%s%f"},
)
TFL = Layout(
    "246JourneyDataExtract30Dec2020-05Jan2021.csv",
    _lines(
        lambda n: (
            f"{104_000_000 + n},{600 + n},{_at(n + 1, 120, (2021, 1)):%d/%m/%Y %H:%M},"
            f'{_at(n, 120, (2021, 1)):%d/%m/%Y %H:%M},"Queen Street 1, Bank"'
        ),
        "Rental Id,Duration,End Date,Start Date,StartStation Name",
    ),
    "2021-01",
    times={"End Date": "%d/%m/%Y %H:%M", "Start Date": "%d/%m/%Y %H:%M"},
)
NOAA = Layout(
    "725053-2024-01.csv",
    _lines(
        lambda n: f'"72505394728","{_at(n):%Y-%m-%dT%H:%M:%S}","7","{n * 3:03},5,N","+{n:04},5"',
        '"STATION","DATE","SOURCE","WND","TMP"',
    ),
    "2024-01",
    times={"DATE": ""},
)
EIA = Layout(
    "EIA930_BALANCE_2024_01.csv",
    _lines(
        lambda n: (
            f'AECI,{_at(n):%m/%d/%Y},{n % 24 + 1},{_at(n + 1):{_AMERICAN}},"{2_000 + n:,}",'
            f'"-{1_000 + n:,}"'
        ),
        "Balancing Authority,Data Date,Hour Number,Local Time at End of Hour,Demand (MW),Net (MW)",
    ),
    "2024-01",
    times={"Data Date": "%m/%d/%Y", "Local Time at End of Hour": _AMERICAN},
)
SMARD = Layout(
    "Erzeugung_202401010000_202402010000_Viertelstunde.csv",
    "\ufeff"
    + _lines(
        lambda n: (
            f"{_at(n, 15):%d.%m.%Y %H:%M};{_at(n + 1, 15):%d.%m.%Y %H:%M};{_german(1200 + n)};"
            f"{'-' if n % 20 == 0 else _german(n / 4)}"
        ),
        "Datum von;Datum bis;Biomasse [MWh] Originalauflösungen;Kernenergie [MWh]",
    ),
    "2024-01",
    separator=";",
    decimal=",",
    nulls=("-",),
    times={"Datum von": "%d.%m.%Y %H:%M", "Datum bis": "%d.%m.%Y %H:%M"},
)
AEMO = Layout(
    "PUBLIC_DVD_DISPATCHPRICE_202102010000.zip",
    _lines(
        lambda n: (
            f'D,DISPATCH,PRICE,4,"{_at(n + 1, 5, (2021, 2)):%Y/%m/%d %H:%M:%S}",1,NSW1,{n / 3:.5f}'
        ),
        "C,NEMP.WORLD,PUBLIC_DVD_DISPATCHPRICE,AEMO,PUBLIC,2021/03/08,15:11:13,0001,MONTHLY,0001",
        "I,DISPATCH,PRICE,4,SETTLEMENTDATE,RUNNO,REGIONID,RRP",
        notes=('C,"END OF REPORT",103',),
    ),
    "2021-02",
    header=1,
    first=2,
    notes=1,
    times={"SETTLEMENTDATE": "%Y/%m/%d %H:%M:%S"},
    members={"PUBLIC_DVD_DISPATCHPRICE_202102010000.CSV": ""},
)
MTA = Layout(
    "turnstile_210109.txt",
    _lines(
        lambda n: (
            f"A002,02-00-00,NQR456W,{_at(n, 240, (2021, 1)):%m/%d/%Y,%H:%M:%S},REGULAR,"
            f"{7_511_653 + n:010},{2_558_710 + n:010}{' ' * 40}"
        ),
        f"C/A,SCP,LINENAME,DATE,TIME,DESC,ENTRIES,EXITS{' ' * 60}",
    ),
    "2021-01",
    times={("DATE", "TIME"): "%m/%d/%Y %H:%M:%S"},
)
SF311 = Layout(
    "311_Cases_2024-01.csv",
    _lines(
        lambda n: (
            f'{17_000_000 + n},{_at(n):{_AMERICAN}},"Resolved\nOfficer ""answered"" {n}",'
            f'{n % 11}.0,"(37.77{n:02}, -122.41)"'
        ),
        "CaseID,Opened,Status Notes,Supervisor District,Point",
    ),
    "2024-01",
    times={"Opened": _AMERICAN},
)
DVF = Layout(
    "valeursfoncieres-2023-01.txt",
    _lines(
        lambda n: (
            f"|000001|{n % 31 + 1:02}/01/2023|Vente|{100_000 + n},{n:02}|RUE DE L'ÉGLISE|01{n:03}|"
            f"{('01', '2A')[n % 2]}|{n * 10 if n % 3 else ''}"
        ),
        "Reference document|No disposition|Date mutation|Nature mutation|Valeur fonciere|Voie|"
        "Code postal|Code departement|Surface terrain",
    ),
    "2023-01",
    separator="|",
    decimal=",",
    times={"Date mutation": "%d/%m/%Y"},
)
RTE = Layout(
    "eCO2mix_RTE_2024-01.xls",  # a table with tabs, whatever its name says
    _lines(
        lambda n: (
            f"France\tDonnées consolidées\t{_at(n, 15):%Y-%m-%d\t%H:%M}\t"
            + (f"{45_000 + n}\t-{n}\t" if n % 2 == 0 else "\t\t")
        ),
        "Périmètre\tNature\tDate\tHeures\tConsommation\tPompage",
        notes=("RTE décline toute responsabilité quant à l'usage des données.",),
    ),
    "2024-01",
    separator="\t",
    encoding="latin-1",
    notes=1,
    times={("Date", "Heures"): "%Y-%m-%d %H:%M"},
)
STATS_NZ = Layout(
    "card-transactions-2023-12.csv",
    _lines(
        lambda n: f"ECTA.S19A1,{2019 + n // 12}.{n % 12 + 1:02},{2_462.5 + n},,F,Dollars,6",
        "Series_reference,Period,Data_value,Suppressed,STATUS,UNITS,Magnitude",
    ),
    "2023-12",
    times={"Period": "%Y.%m"},
)
INEGI = Layout(
    "inegi_2023-12.csv",
    _lines(
        lambda n: f'"{2019 + n // 12}/{n % 12 + 1:02}","{100 + n / 7:.3f}"',
        "Instituto Nacional de Estadística y Geografía (INEGI)",
        "Índice nacional de precios al consumidor",
        '"Periodos","Índice general"',
        notes=("Fuente: INEGI.",),
    ),
    "2023-12",
    encoding="latin-1",
    header=2,
    first=3,
    notes=1,
    times={"Periodos": "%Y/%m"},
)
DWD = Layout(
    "stundenwerte_TU_00433_202401.zip",
    _lines(
        lambda n: f"        433;{_at(n):%Y%m%d%H};   10;{n / 10 - 3:6.1f};  80.0;eor",
        "STATIONS_ID;MESS_DATUM;QN_9;TT_TU;RF_TU;eor",
    ),
    "2024-01",
    separator=";",
    times={"MESS_DATUM": "%Y%m%d%H"},
    members={
        "Metadaten_Geographie_00433.txt": "Stations_id;Stationshoehe\n433;48.0\n",
        "Metadaten_Parameter_00433.txt": "Stations_ID;Von_Datum\n433;19480101\n",
        "produkt_tu_stunde_20240101_20240131_00433.txt": "",
    },
)
METEOSTAT = Layout(
    "10637-2024-01.csv.gz",
    _lines(lambda n: f"{_at(n):%Y-%m-%d},{n % 24},{n / 10},{50 + n},,{n},14.4,,1012.1"),
    "2024-01",
    header=None,
    first=0,
    times={0: ""},
)
UK_INDEX = Layout(
    "UK-HPI-full-file-2023-12.csv",
    _lines(
        lambda n: f"01/{n % 12 + 1:02}/{2019 + n // 12},Aberdeenshire,{84_638.5 + n},{n or ''}",
        "Date,RegionName,AveragePrice,1m%Change",
    ),
    "2023-12",
    times={"Date": "%d/%m/%Y"},
)
CENSUS = Layout(
    "co2401c.txt",
    _lines(
        lambda n: f"202401,01,{n * 2 + 1:03},3,Autauga County         ,{n},{n * 1000}",
        "Survey,FIPS,FIPS,Region,County,,1-unit",
        "Date,State,County,Code,Name,Bldgs,Value",
        "",
    ),
    "2024-01",
    header=1,
    first=3,
    times={"Date": "%Y%m"},
)
OPENAQ = Layout(
    "location-947129-202401.csv.gz",
    _lines(
        lambda n: (
            f'947129,"Lima, Perú-947129","{_at(n):%Y-%m-%dT%H:%M:%S}-05:00","µg/m³","{n / 4}"'
        ),
        '"location_id","location","datetime","units","value"',
    ),
    "2024-01",
    times={"datetime": "%Y-%m-%dT%H:%M:%S-05:00"},
)
USGS = Layout(
    "usgs_2024-01.txt",
    _lines(
        lambda n: f"USGS\t0{n % 3}646500\t{_at(n, 15):%Y-%m-%d %H:%M}\tEST\t{1_000 + n}",
        "# Data provided for site 01646500",
        "#",
        "agency_cd\tsite_no\tdatetime\ttz_cd\t69928_00060",
        "5s\t15s\t20d\t6s\t14n",
    ),
    "2024-01",
    separator="\t",
    header=2,
    first=4,
    times={"datetime": ""},
)
ORACLE = Layout(
    "orders_2021-03.csv",
    _lines(
        lambda n: f"{n},{_at(n, 37, (2021, 3)):%d-%b-%y %I.%M.%S.000000 %p},{n * 2}".upper(),
        "ID,CREATED,QTY",
    ),
    "2021-03",
    times={"CREATED": "%d-%b-%y %I.%M.%S.%f %p"},
)
FRENCH_CLOCK = Layout(
    "comptages_2021-03.csv",
    _lines(
        lambda n: f"{_at(n, 37, (2021, 3)):%d/%m/%Y;%Hh%M};{n},5",
        "jour;heure;n",
    ),
    "2021-03",
    separator=";",
    decimal=",",
    times={("jour", "heure"): "%d/%m/%Y %Hh%M"},
)
KNMI = Layout(
    "uurgeg_260_2024-01.txt",
    _lines(
        lambda n: f"  260,{_at(n):%Y%m%d},{n % 24 + 1:5},{'     ' if n % 4 == 0 else f'{n:5}'}",
        "BRON: KONINKLIJK NEDERLANDS METEOROLOGISCH INSTITUUT (KNMI)",
        "STN      = WMO-nummer van het station",
        "",
        "# STN,YYYYMMDD,   HH,   FH",
        "",
    ),
    "2024-01",
    header=3,
    first=5,
    times={("YYYYMMDD", "HH"): "%Y%m%d %H"},
)
CAMPBELL = Layout(
    "Table1_2024-01.dat",
    _lines(
        lambda n: f'"{_at(n, 15):%Y-%m-%d %H:%M:%S}",{n},{n / 10 if n % 9 else "NAN"}',
        '"TOA5","CR1000","CR1000","1234","CR1000.Std.27","CPU:x.CR1","5678","Table1"',
        '"TIMESTAMP","RECORD","AirT_Avg"',
        '"TS","RN","Deg C"',
        '"","","Avg"',
    ),
    "2024-01",
    header=1,
    first=4,
    nulls=("NAN",),
    times={"TIMESTAMP": ""},
)
CIMIS = Layout(
    "hourly_2024-01.csv",
    _lines(
        lambda n: f"2,FivePoints,{_at(n):%m/%d/%Y},{n % 24 * 100 + 100:04},{n / 10:.1f}, ",
        "Stn Id,Stn Name,Date,Hour (PST),Air Temp (C),qc",
    ),
    "2024-01",
    times={("Date", "Hour (PST)"): "%m/%d/%Y %H%M"},
)
LAYOUTS = (
    *(PRICE_PAID, ENTSOE, DIVVY, BIXI, TFL, NOAA, EIA, SMARD, AEMO, MTA, SF311, DVF, RTE),
    *(STATS_NZ, INEGI, DWD, METEOSTAT, UK_INDEX, CENSUS, OPENAQ, USGS, ORACLE, FRENCH_CLOCK),
    *(KNMI, CAMPBELL, CIMIS),
)
