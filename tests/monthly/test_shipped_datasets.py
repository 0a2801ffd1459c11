"""The shipped datasets of other publishers than TLC, on files in those publishers' shape."""

from __future__ import annotations

import datetime as dt
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from monthly.convert.to_parquet import Converted, convert
from monthly.month import Month
from monthly.sources import address


def converted(folder: Path, month: Month, text: str | bytes, member: str = "") -> Converted:
    data = text.encode() if isinstance(text, str) else text
    source, target = folder / f"{month.stem}.csv", folder / month.stem
    if member:
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr(member, data)
            archive.writestr("readme.html", "<html></html>")
    else:
        source.write_bytes(data)
    target.mkdir()
    return convert(month, source, target)


def first_row(found: Converted) -> dict[str, Any]:
    row = pq.read_table(found.path).to_pylist()[0]
    return {name: value for name, value in row.items() if value is not None}


def test_citi_bike_of_both_eras_is_one_table(tmp_path: Path) -> None:
    old = (
        '"tripduration","starttime","stoptime","start station id","start station name",'
        '"start station latitude","start station longitude","end station id","end station name",'
        '"end station latitude","end station longitude","bikeid","usertype","birth year","gender"\n'
        '134,"2018-02-01 07:38:15.8650","2018-02-01 07:40:30.5820",3183,"Pier 1",40.5,-74.25,3184,'
        '"Pier 2",40.75,-74.5,29615,"Subscriber",1966,1\n'
    )
    new = (
        "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,"
        "end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n"
        "121DD7DD,docked_bike,2021-02-03 23:11:28,2021-02-03 23:18:28,Pier 1,JC105,,,40.5,-74.25,,,"
        "casual\n"
        "121DD7DE,docked_bike,2021-02-03 23:11:28,2021-02-03 23:18:28,Pier 1,JC105,Pier 2,JC106,"
        "40.5,-74.25,40.75,-74.5,member\n"
    )
    row = first_row(converted(tmp_path, Month("citibike_jc", 2018, 2), old))
    assert (row["member_casual"], row["usertype"], row["birth_year"]) == (
        "member",
        "Subscriber",
        1966,
    )
    assert row["started_at"] == dt.datetime(2018, 2, 1, 7, 38, 15, 865_000)
    assert row["start_station_id"] == "3183"
    row = first_row(converted(tmp_path, Month("citibike_jc", 2021, 2), new))
    assert (row["start_station_id"], row["member_casual"]) == ("JC105", "casual")
    assert "duration" not in row
    assert "end_lat" not in row


def test_flights_are_read_from_the_only_table_of_their_archive(tmp_path: Path) -> None:
    text = (
        '"Year","FlightDate","Reporting_Airline","Tail_Number","Flight_Number_Reporting_Airline",'
        '"Origin","Dest","CRSDepTime","DepDelay","ArrDelay","Cancelled","Diverted","Distance",\n'
        '2024,2024-01-20,"9E","N1","0042","SFO","HNL","0905",-3.00,12.00,0.00,0.00,2398.00,\n'
        '2024,2024-01-20,"9E",,"0042","SFO","HNL","2359",,,1.00,0.00,2398.00,\n'
    )
    found = converted(tmp_path, Month("flights_us", 2024, 1), text, "On_Time_2024_1.csv")
    assert (found.rows_written, found.rows_rejected) == (2, 0)
    assert found.drift["unknown"] == ("Year",)
    row = first_row(found)
    assert row["scheduled_departure"] == dt.datetime(2024, 1, 20, 9, 5)
    assert (row["flight_number"], row["cancelled"], row["departure_delay"]) == ("0042", False, -3.0)
    assert address("", Month("flights_us", 2024, 1)).endswith("_present_2024_1.zip")


#: The header of the published files, up to 2024; each line ends in a comma.
_FIELDS = (
    "Year Quarter Month DayofMonth DayOfWeek FlightDate Reporting_Airline DOT_ID_Reporting_Airline "
    "IATA_CODE_Reporting_Airline Tail_Number Flight_Number_Reporting_Airline OriginAirportID "
    "OriginAirportSeqID OriginCityMarketID Origin OriginCityName OriginState OriginStateFips "
    "OriginStateName OriginWac DestAirportID DestAirportSeqID DestCityMarketID Dest DestCityName "
    "DestState DestStateFips DestStateName DestWac CRSDepTime DepTime DepDelay DepDelayMinutes "
    "DepDel15 DepartureDelayGroups DepTimeBlk TaxiOut WheelsOff WheelsOn TaxiIn CRSArrTime ArrTime "
    "ArrDelay ArrDelayMinutes ArrDel15 ArrivalDelayGroups ArrTimeBlk Cancelled CancellationCode "
    "Diverted CRSElapsedTime ActualElapsedTime AirTime Flights Distance DistanceGroup CarrierDelay "
    "WeatherDelay NASDelay SecurityDelay LateAircraftDelay FirstDepTime TotalAddGTime "
    "LongestAddGTime DivAirportLandings DivReachedDest DivActualElapsedTime DivArrDelay "
    "DivDistance"
)
#: Fields of each of five diversions.
DIVERSION = (
    *("Airport", "AirportID", "AirportSeqID", "WheelsOn", "TotalGTime", "LongestGTime"),
    *("WheelsOff", "TailNum"),
)
FLIGHTS = [*_FIELDS.split(), *(f"Div{n}{part}" for n in range(1, 6) for part in DIVERSION)]


def flight(**values: str) -> str:
    """Return a line of the published file with these fields, the others empty."""
    return ",".join(values.get(name, "") for name in FLIGHTS) + ",\n"


def test_a_whole_line_of_the_published_flights(tmp_path: Path) -> None:
    """It has 109 fields, with five past midnight, a departure at 2400, and a cancelled flight."""
    assert len(FLIGHTS) == 109
    known = {"Year": "2024", "Month": "1", "FlightDate": "2024-01-31", "Reporting_Airline": '"9E"'}
    known |= {"Flight_Number_Reporting_Airline": '"4814"', "Origin": '"IAH"', "Dest": '"ATL"'}
    known |= {"OriginCityName": '"Houston, TX"', "Cancelled": "0.00", "Diverted": "0.00"}
    text = ",".join(f'"{name}"' for name in FLIGHTS) + ",\n"
    text += flight(
        **known, CRSDepTime='"0005"', DepTime='"2400"', DepDelay="-5.00", Distance="689.00"
    )
    text += flight(**known, CRSDepTime='"905"', DepTime='"0905"', DepDelay="0.00", ArrDelay="-9.00")
    cancelled = known | {"Cancelled": "1.00", "CancellationCode": '"B"'}
    text += flight(**cancelled, CRSDepTime='"2400"')
    found = converted(tmp_path, Month("flights_us", 2024, 1), text, "On_Time_2024_1.csv")
    assert (found.rows_written, found.rows_rejected) == (3, 0)
    rows = pq.read_table(found.path).to_pylist()
    assert [row["scheduled_departure"] for row in rows] == [
        dt.datetime(2024, 1, 31, 0, 5),
        dt.datetime(2024, 1, 31, 9, 5),
        dt.datetime(2024, 2, 1),
    ]
    assert [(row["departure_delay"], row["cancelled"]) for row in rows] == [
        (-5.0, False),
        (0.0, False),
        (None, True),
    ]
    assert rows[2]["cancellation_code"] == "B"
    assert rows[0]["distance"] == 689.0


def test_a_month_of_fuel_prices_in_latin_1_and_in_utf_8(tmp_path: Path) -> None:
    """The agency has published both; names have accents, prices two to four decimals."""
    head = (
        "Regiao - Sigla;Estado - Sigla;Municipio;Revenda;CNPJ da Revenda;Nome da Rua;Numero Rua;"
        "Complemento;Bairro;Cep;Produto;Data da Coleta;Valor de Venda;Valor de Compra;"
        "Unidade de Medida;Bandeira"
    )
    lines = [
        f"NE;PI;SÃO RAIMUNDO NONATO;POSTO Nº {day} LTDA; 07.555.111/0001-{day:02};AVENIDA JOÃO;"
        f"{('12', 'S/N', '0034')[day % 3]};;CENTRO;64770-000;{('GASOLINA', 'ETANOL')[day % 2]};"
        f"{day:02}/05/2024;{('5,9', '4,799', '6')[day % 3]};;R$ / litro;BRANCA"
        for day in range(1, 32)
    ]
    text = "\r\n".join([head, *lines, ""])
    prices = [Decimal(("5.9", "4.799", "6")[day % 3]) for day in range(1, 32)]
    for number, data in enumerate((text.encode("latin-1"), text.encode("utf-8-sig"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = converted(folder, Month("fuel_brazil", 2024, 5), data)
        assert (found.rows_written, found.rows_rejected) == (31, 0)
        table = pq.read_table(found.path)
        assert table["collected_on"].to_pylist() == [dt.date(2024, 5, n) for n in range(1, 32)]
        assert table["sale_price"].to_pylist() == prices
        assert {*table["municipality"].to_pylist()} == {"SÃO RAIMUNDO NONATO"}
        assert table["street_number"].to_pylist()[:3] == ["S/N", "0034", "12"]


def test_fuel_prices_have_decimal_commas_and_days_before_months(tmp_path: Path) -> None:
    text = (
        "\ufeffRegiao - Sigla;Estado - Sigla;Municipio;Revenda;CNPJ da Revenda;Nome da Rua;"
        "Numero Rua;Complemento;Bairro;Cep;Produto;Data da Coleta;Valor de Venda;Valor de Compra;"
        "Unidade de Medida;Bandeira\r\n"
        "SE;SP;SAO PAULO;POSTO A; 00.000.000/0001-00;RUA A;0001;;;01000-000;GASOLINA;03/01/2023;"
        "5,999;;R$ / litro;BRANCA\r\n"
    )
    row = first_row(converted(tmp_path, Month("fuel_brazil", 2023, 1), text))
    assert row["collected_on"] == dt.date(2023, 1, 3)
    assert row["sale_price"] == Decimal("5.999")
    assert row["street_number"] == "0001"
    assert "purchase_price" not in row
