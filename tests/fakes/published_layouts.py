"""Generate files in the layouts of real publishers, each with its publisher's oddities."""

from __future__ import annotations

import datetime as dt

from fakes.layout import Layout, at, lines
from fakes.measured_layouts import MEASUREMENTS


def _german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def _interval(n: int) -> str:
    start, end = (at(n + more, 60, (2021, 3)) for more in (0, 1))
    return f'"{start:%d.%m.%Y %H:%M} - {end:%d.%m.%Y %H:%M}","{48 + n / 10:.2f}","EUR",""'


def _milliseconds(time: dt.datetime) -> int:
    return int(time.replace(tzinfo=dt.timezone.utc).timestamp() * 1000)


_AMERICAN = "%m/%d/%Y %I:%M:%S %p"
PRICE_PAID = Layout(
    "pp-2024-01.csv",
    lines(
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
    lines(_interval, '"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"'),
    "2021-03",
    times={"MTU (CET/CEST)": "%d.%m.%Y %H:%M - "},
)
DIVVY = Layout(
    "Divvy_Trips_2019_01.csv",
    lines(
        lambda n: f'{21_742_443 + n},{at(n, 37, (2019, 1))},"{1_000 + n:,}.0",199,{n % 3 or ""}',
        "trip_id,start_time,tripduration,from_station_id,gender",
    ),
    "2019-01",
    times={"start_time": ""},
)
BIXI = Layout(
    "DonneesOuvertes2024_01.csv",
    lines(
        lambda n: f"Métro Mont-Royal,45.52{n:02},{_milliseconds(at(n)) + 17}",
        "STARTSTATIONNAME,STARTSTATIONLATITUDE,STARTTIMEMS",
    ),
    "2024-01",
    times={"STARTTIMEMS": "%s%f"},
)
TFL = Layout(
    "246JourneyDataExtract30Dec2020-05Jan2021.csv",
    lines(
        lambda n: (
            f"{104_000_000 + n},{600 + n},{at(n + 1, 120, (2021, 1)):%d/%m/%Y %H:%M},"
            f'{at(n, 120, (2021, 1)):%d/%m/%Y %H:%M},"Queen Street 1, Bank"'
        ),
        "Rental Id,Duration,End Date,Start Date,StartStation Name",
    ),
    "2021-01",
    times={"End Date": "%d/%m/%Y %H:%M", "Start Date": "%d/%m/%Y %H:%M"},
)
EIA = Layout(
    "EIA930_BALANCE_2024_01.csv",
    lines(
        lambda n: (
            f'AECI,{at(n):%m/%d/%Y},{n % 24 + 1},{at(n + 1):{_AMERICAN}},"{2_000 + n:,}",'
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
    + lines(
        lambda n: (
            f"{at(n, 15):%d.%m.%Y %H:%M};{at(n + 1, 15):%d.%m.%Y %H:%M};{_german(1200 + n)};"
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
    lines(
        lambda n: (
            f'D,DISPATCH,PRICE,4,"{at(n + 1, 5, (2021, 2)):%Y/%m/%d %H:%M:%S}",1,NSW1,{n / 3:.5f}'
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
    lines(
        lambda n: (
            f"A002,02-00-00,NQR456W,{at(n, 240, (2021, 1)):%m/%d/%Y,%H:%M:%S},REGULAR,"
            f"{7_511_653 + n:010},{2_558_710 + n:010}{' ' * 40}"
        ),
        f"C/A,SCP,LINENAME,DATE,TIME,DESC,ENTRIES,EXITS{' ' * 60}",
    ),
    "2021-01",
    times={("DATE", "TIME"): "%m/%d/%Y %H:%M:%S"},
)


SF311 = Layout(
    "311_Cases_2024-01.csv",
    lines(
        lambda n: (
            f'{17_000_000 + n},{at(n):{_AMERICAN}},"Resolved\nOfficer ""answered"" {n}",'
            f'{n % 11}.0,"(37.77{n:02}, -122.41)"'
        ),
        "CaseID,Opened,Status Notes,Supervisor District,Point",
    ),
    "2024-01",
    times={"Opened": _AMERICAN},
)
DVF = Layout(
    "valeursfoncieres-2023-01.txt",
    lines(
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
    lines(
        lambda n: (
            f"France\tDonnées consolidées\t{at(n, 15):%Y-%m-%d\t%H:%M}\t"
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
    lines(
        lambda n: f"ECTA.S19A1,{2019 + n // 12}.{n % 12 + 1:02},{2_462.5 + n},,F,Dollars,6",
        "Series_reference,Period,Data_value,Suppressed,STATUS,UNITS,Magnitude",
    ),
    "2023-12",
    times={"Period": "%Y.%m"},
)
INEGI = Layout(
    "inegi_2023-12.csv",
    lines(
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
UK_INDEX = Layout(
    "UK-HPI-full-file-2023-12.csv",
    lines(
        lambda n: f"01/{n % 12 + 1:02}/{2019 + n // 12},Aberdeenshire,{84_638.5 + n},{n or ''}",
        "Date,RegionName,AveragePrice,1m%Change",
    ),
    "2023-12",
    times={"Date": "%d/%m/%Y"},
)
CENSUS = Layout(
    "co2401c.txt",
    lines(
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
ORACLE = Layout(
    "orders_2021-03.csv",
    lines(
        lambda n: f"{n},{at(n, 37, (2021, 3)):%d-%b-%y %I.%M.%S.000000 %p},{n * 2}".upper(),
        "ID,CREATED,QTY",
    ),
    "2021-03",
    times={"CREATED": "%d-%b-%y %I.%M.%S.%f %p"},
)
FRENCH_CLOCK = Layout(
    "comptages_2021-03.csv",
    lines(
        lambda n: f"{at(n, 37, (2021, 3)):%d/%m/%Y;%Hh%M};{n},5",
        "jour;heure;n",
    ),
    "2021-03",
    separator=";",
    decimal=",",
    times={("jour", "heure"): "%d/%m/%Y %Hh%M"},
)
LAYOUTS = (
    *(
        PRICE_PAID,
        ENTSOE,
        DIVVY,
        BIXI,
        TFL,
        EIA,
        SMARD,
        AEMO,
        MTA,
        SF311,
        DVF,
        RTE,
        STATS_NZ,
        INEGI,
        UK_INDEX,
        CENSUS,
        ORACLE,
        FRENCH_CLOCK,
    ),
    *MEASUREMENTS,
)
