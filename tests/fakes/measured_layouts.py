"""Generate files in the layouts of weather services, river gauges and loggers."""

from __future__ import annotations

from fakes.layout import Layout, at, lines

NOAA = Layout(
    "725053-2024-01.csv",
    lines(
        lambda n: f'"72505394728","{at(n):%Y-%m-%dT%H:%M:%S}","7","{n * 3:03},5,N","+{n:04},5"',
        '"STATION","DATE","SOURCE","WND","TMP"',
    ),
    "2024-01",
    times={"DATE": ""},
)

DWD = Layout(
    "stundenwerte_TU_00433_202401.zip",
    lines(
        lambda n: f"        433;{at(n):%Y%m%d%H};   10;{n / 10 - 3:6.1f};  80.0;eor",
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
    lines(lambda n: f"{at(n):%Y-%m-%d},{n % 24},{n / 10},{50 + n},,{n},14.4,,1012.1"),
    "2024-01",
    header=None,
    first=0,
    times={0: ""},
)

OPENAQ = Layout(
    "location-947129-202401.csv.gz",
    lines(
        lambda n: f'947129,"Lima, Perú-947129","{at(n):%Y-%m-%dT%H:%M:%S}-05:00","µg/m³","{n / 4}"',
        '"location_id","location","datetime","units","value"',
    ),
    "2024-01",
    times={"datetime": "%Y-%m-%dT%H:%M:%S-05:00"},
)

USGS = Layout(
    "usgs_2024-01.txt",
    lines(
        lambda n: f"USGS\t0{n % 3}646500\t{at(n, 15):%Y-%m-%d %H:%M}\tEST\t{1_000 + n}",
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

KNMI = Layout(
    "uurgeg_260_2024-01.txt",
    lines(
        lambda n: f"  260,{at(n):%Y%m%d},{n % 24 + 1:5},{'     ' if n % 4 == 0 else f'{n:5}'}",
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
    lines(
        lambda n: f'"{at(n, 15):%Y-%m-%d %H:%M:%S}",{n},{n / 10 if n % 9 else "NAN"}',
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
    lines(
        lambda n: f"2,FivePoints,{at(n):%m/%d/%Y},{n % 24 * 100 + 100:04},{n / 10:.1f}, ",
        "Stn Id,Stn Name,Date,Hour (PST),Air Temp (C),qc",
    ),
    "2024-01",
    times={("Date", "Hour (PST)"): "%m/%d/%Y %H%M"},
)


MEASUREMENTS = (NOAA, DWD, METEOSTAT, OPENAQ, USGS, KNMI, CAMPBELL, CIMIS)
