"""What a file's values may mean in two ways: decided by the column and told, or refused, naming the option."""

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plant.rows.schema import UNKNOWN_TIME, Column, Table
from plant.rows.tables import schema_of
from plant.transfer.reader import Reader
from plant.transfer.recording import Recording

NEW_YORK = "America/New_York"


def written(folder: Path, rows: str | bytes, name: str = "X.csv") -> Path:
    path = folder / name
    path.write_bytes(rows.encode() if isinstance(rows, str) else rows)
    return path


def trades(folder: Path, times: list[str], **options: Any) -> Recording:
    """Read trades with these times."""
    rows = "".join(f'"{time}",1,1\n' for time in times)
    return Reader("trades", **options).file(written(folder, "time,price,size\n" + rows))


def priced(folder: Path, prices: list[str], delimiter: str = ",", **options: Any) -> Recording:
    """Read trades with these prices."""
    rows = "".join(f'2024-03-04{delimiter}"{price}"{delimiter}1\n' for price in prices)
    header = delimiter.join(("time", "price", "size")) + "\n"
    return Reader("trades", **options).file(written(folder, header + rows))


def moments(found: Recording) -> list[str]:
    return [str(pd.Timestamp(t)) for t in found.time.tolist()]


@pytest.mark.parametrize(
    ("name", "sym", "interval"),
    [
        ("BRK.A.csv", "BRK.A", "1m"),
        ("BRK.B.csv.gz", "BRK.B", "1m"),
        ("BTC_USDT-1h.csv", "BTC_USDT", "1h"),
        ("BTC_EUR-1h.csv", "BTC_EUR", "1h"),
        ("AAPL_1min.csv", "AAPL", "1m"),
        ("AAPL_2024-01_2024-02.csv", "AAPL", "1m"),
        ("AAPL_daily (2).csv", "AAPL", "1d"),
        ("0700.HK.csv", "0700.HK", "1m"),
    ],
)
def test_a_file_is_named_for_one_symbol_and_says_so(tmp_path: Path, name: str, sym: str, interval: str) -> None:
    import gzip

    rows = b"time,open,high,low,close,volume\n2024-03-04T00:00Z,1,1,1,1,1\n"
    found = Reader("bars").file(written(tmp_path, gzip.compress(rows) if name.endswith("gz") else rows, name))
    assert (list(found.names), found.texts["interval"].tolist()) == ([sym], [interval])
    assert f"sym {sym}, by the file's name" in found.assumed


@pytest.mark.parametrize(
    ("times", "expected", "told"),
    [
        (["20240304093000"], "2024-03-04 09:30:00", "calendar stamps such as 20240304093000"),
        (["202403040930"], "2024-03-04 09:30:00", "calendar stamps"),
        (["2024030409"], "2024-03-04 09:00:00", "calendar stamps"),
        (["20240304093000123"], "2024-03-04 09:30:00.123000", "calendar stamps"),
        (["20240304093000123456"], "2024-03-04 09:30:00.123456", "calendar stamps"),
        (["20240304093000.5"], "2024-03-04 09:30:00.500000", "calendar stamps"),
        (["2024030409", "2034039999"], "2034-02-20 06:40:09", "Unix time in s"),
        (["1709544600"], "2024-03-04 09:30:00", "Unix time in s"),
        (["1709544600.0"], "2024-03-04 09:30:00", "Unix time in s"),
        (["1.709544600e9"], "2024-03-04 09:30:00", "Unix time in s"),
        (["1709544600000"], "2024-03-04 09:30:00", "Unix time in ms"),
    ],
)
def test_digits_are_unix_time_of_a_market_or_a_calendar_stamp(
    tmp_path: Path, times: list[str], expected: str, told: str
) -> None:
    found = trades(tmp_path, times)
    assert moments(found)[0] == expected
    assert any(told in each for each in found.assumed), found.assumed


@pytest.mark.parametrize(
    "text", ["1709544600123456789012", "20241304", "5", "20241304093000", "45355.39", "1709544600.5.1"]
)
def test_digits_that_are_neither_are_refused(tmp_path: Path, text: str) -> None:
    found = trades(tmp_path, [text])
    assert (moments(found), found.skipped) == ([], 1)


def test_a_unit_that_is_given_is_taken(tmp_path: Path) -> None:
    assert moments(trades(tmp_path, ["5"], unit="s")) == ["1970-01-01 00:00:05"]
    assert moments(trades(tmp_path, ["2024030409"], unit="s")) == ["2034-02-20 06:40:09"]
    assert trades(tmp_path, ["1709544600"], unit="calendar").skipped == 1
    with pytest.raises(ValueError, match="unit: expected one of"):
        trades(tmp_path, ["5"], unit="h")


def test_a_number_that_lost_its_last_digits_is_refused_for_that(tmp_path: Path) -> None:
    assert "time: expected a time with all its digits" in trades(tmp_path, ["1.70954E+12"]).reason
    path = tmp_path / "x.parquet"
    ones = pa.array([1.0, 1.0])
    seconds, ns = pa.array([1709544600.25, np.nan]), pa.array([1.7095446e18, 1.7095446e18])
    pq.write_table(pa.table({"time": seconds, "price": ones, "size": ones}), path)
    assert moments(Reader("trades").file(path)) == ["2024-03-04 09:30:00.250000"]
    pq.write_table(pa.table({"time": ns, "price": ones, "size": ones}), path)
    assert "a time with all its digits" in Reader("trades").file(path).reason


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        (["093000", "160001"], ["2024-03-04 14:30:00", "2024-03-04 21:00:01"]),
        (["93000", "160001"], ["2024-03-04 14:30:00", "2024-03-04 21:00:01"]),
        (["930", "1600"], ["2024-03-04 14:30:00", "2024-03-04 21:00:00"]),
        (["093000123", "160000000"], ["2024-03-04 14:30:00.123000", "2024-03-04 21:00:00"]),
        (["9:30", "4:00 PM"], ["2024-03-04 14:30:00", "2024-03-04 21:00:00"]),
    ],
)
@pytest.mark.parametrize("date", ["20240304", "2024-03-04", "04.03.2024"])
def test_a_time_of_day_in_digits_beside_a_date_is_one(
    tmp_path: Path, date: str, clocks: list[str], expected: list[str]
) -> None:
    rows = "".join(f"{date},{clock},1,1\n" for clock in clocks)
    path = written(tmp_path, "<DATE>,<TIME>,price,size\n" + rows)
    assert moments(Reader("trades", time_zone=NEW_YORK).file(path)) == expected


def test_a_time_of_day_that_may_count_from_midnight_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "date,time,price,size\n20240304,34200000,1,1\n20240304,34201000,1,1\n")
    with pytest.raises(ValueError, match=r"34200000 may be a time of day in digits or ms since midnight; .*--unit"):
        Reader("trades").file(path)
    found = Reader("trades", unit="ms").file(path)
    assert moments(found) == ["2024-03-04 09:30:00", "2024-03-04 09:30:01"]


def test_the_column_tells_whether_the_day_is_first(tmp_path: Path) -> None:
    found = trades(tmp_path, ["04/03/2024", "13/03/2024 09:30"])
    assert moments(found) == ["2024-03-04 00:00:00", "2024-03-13 09:30:00"]
    assert "time has the day first (04/03/2024)" in found.assumed
    assert moments(trades(tmp_path, ["04/03/2024", "3-13-2024 9:30 PM"])) == [
        "2024-04-03 00:00:00",
        "2024-03-13 21:30:00",
    ]
    assert moments(trades(tmp_path, ["04.03.2024"])) == ["2024-03-04 00:00:00"]
    with pytest.raises(
        ValueError, match=r"04/03/2024 may have the day or the month first.*--day-first or --month-first"
    ):
        trades(tmp_path, ["04/03/2024", "05/03/2024"])
    with pytest.raises(ValueError, match="13/03/2024 has the day first and 03/13/2024 the month"):
        trades(tmp_path, ["13/03/2024", "03/13/2024"])
    assert moments(trades(tmp_path, ["04/03/2024"], day_first=True)) == ["2024-03-04 00:00:00"]
    assert moments(trades(tmp_path, ["04/03/2024"], day_first=False)) == ["2024-04-03 00:00:00"]


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (["18.234,50", "18.235", "18.236,25"], [18234.5, 18235.0, 18236.25]),
        (["1,5", "2"], [1.5, 2.0]),
        (["1,234.5", "1,234"], [1234.5, 1234.0]),
        (["1,234,567", "1,234"], [1234567.0, 1234.0]),
        (["18.235", "0.123"], [18.235, 0.123]),
        (["1.234.567", "2,25"], [1234567.0, 2.25]),
    ],
)
def test_the_numbers_tell_the_decimal_mark(tmp_path: Path, prices: list[str], expected: list[float]) -> None:
    assert priced(tmp_path, prices).numbers["price"].tolist() == expected


def test_a_decimal_mark_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    for prices, delimiter in ((["1,234"], ","), (["18.235"], ";")):
        with pytest.raises(ValueError, match=r"may be thousands or have decimals.*--decimal"):
            priced(tmp_path, prices, delimiter)
    with pytest.raises(ValueError, match=r"1\.5 has a decimal point and price 2,5 a decimal comma"):
        priced(tmp_path, ["1.5", "2,5"])
    assert priced(tmp_path, ["18.235"], ";", decimal=",").numbers["price"].tolist() == [18235.0]
    wrong = priced(tmp_path, ["1.5", "2,5"], decimal=",")
    assert (wrong.numbers["price"].tolist(), wrong.skipped) == ([2.5], 1)


def test_a_day_that_is_stamped_with_its_end_begins_at_midnight_also_where_the_clock_changes(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "time,interval,open,high,low,close,volume\n"
        + "".join(f"2024-{day},{length},1,1,1,1,1\n" for day, length in (("03-11", "1d"), ("11-04", "24h"))),
    )
    found = Reader("bars", time_zone=NEW_YORK, stamp="end").file(path)
    assert moments(found) == ["2024-03-10 05:00:00", "2024-11-03 04:00:00"]


def test_ids_are_texts_as_they_stand_also_of_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    ids = [3812345678, 99999999999, 10000000000.0, None]
    for row in [["time", "price", "size", "id"], *[["2024-03-04", 1, 1, each] for each in ids]]:
        book.active.append(row)
    book.save(tmp_path / "X.xlsx")
    assert Reader("trades").file(tmp_path / "X.xlsx").texts["trade_id"].tolist() == [
        "3812345678",
        "99999999999",
        "10000000000",
        "",
    ]
    path = tmp_path / "x.parquet"
    table = pa.table({"time": ["2024-03-04"] * 3, "price": [1.0] * 3, "size": [1.0] * 3, "id": [7.0, np.nan, 2.0**60]})
    pq.write_table(table, path)
    found = Reader("trades").file(path)
    assert found.texts["trade_id"].tolist() == ["7", ""]
    assert "trade_id: expected a text, or a number that has all its digits" in found.reason
    kept = Reader("trades").file(written(tmp_path, "time,price,size,id\n2024-03-04,1,1, 007 \n"))
    assert kept.texts["trade_id"].tolist() == [" 007 "]


def test_what_a_table_may_not_know_is_kept_and_what_it_must_is_not(tmp_path: Path) -> None:
    path = written(
        tmp_path, "time,bid,ask,bid_size,ask_size\n2024-03-04,10,,5,\n2024-03-05,,10,,5\n2024-03-06,x,1,1,1\n"
    )
    found = Reader("quotes").file(path)
    assert np.isnan(found.numbers["ask"]).tolist() == [True, False]
    assert np.isnan(found.numbers["bid_size"]).tolist() == [False, True]
    assert found.reasons == [(4, "bid: expected a number, found 'x'")]
    trade = Reader("trades").file(written(tmp_path, "time,price,size\n2024-03-04,1,\n2024-03-05,,1\n"))
    assert np.isnan(trade.numbers["size"]).tolist() == [True]
    assert trade.reasons == [(3, "price: expected a number, found ''")]


@pytest.mark.parametrize("text", [str(2**63 - 1), str(2**64 - 1), "9223372036.854775807", "1.7976931348623157e308"])
def test_what_vendors_write_for_no_price_is_none(tmp_path: Path, text: str) -> None:
    quote = "ts_event,symbol,bid,ask,bid_size,ask_size\n1709562600000000000,ESH4,5130250000000,{},3,0\n"
    found = Reader("quotes", scale={"ask": 1e-9}).file(written(tmp_path, quote.format(text)))
    assert np.isnan(found.numbers["ask"]).tolist() == [True]
    assert priced(tmp_path, [text]).skipped == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_text_is_read_and_lines_ahead_of_the_header_are_passed_over(tmp_path: Path, encoding: str) -> None:
    text = "sep=\t\r\nPrices of: Ä, 2024\r\n\r\ntime\tsym\tprice\tsize\r\n2024-03-04\t Ä \t10\t1\r\n"
    found = Reader("trades").file(written(tmp_path, text.encode(encoding)))
    assert (list(found.names), found.numbers["price"].tolist(), found.lines.tolist()) == (["Ä"], [10.0], [5])
    assert "2 lines ahead of the column names passed over" in found.assumed


def test_a_text_that_is_not_in_its_encoding_is_refused_until_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "time,sym,price,size\n2024-03-04,Ä,1,1\n".encode("cp1252"))
    assert "sym: expected a text in the file's encoding" in Reader("trades").file(path).reason
    assert list(Reader("trades", encoding="cp1252").file(path).names) == ["Ä"]
    with pytest.raises(ValueError, match="encoding: expected a name such as utf-8"):
        Reader("trades", encoding="none").file(path)


def test_a_text_in_quotes_may_go_over_lines(tmp_path: Path) -> None:
    path = written(tmp_path, 'time,price,size,id\n2024-03-04,1,1,"a\n\n""b"\n2024-03-05,2,2,"c\n2024-03-06,3,3,d\n')
    found = Reader("trades").file(path)
    assert (found.texts["trade_id"].tolist(), found.lines.tolist()) == (['a\n\n"b', "d"], [2, 6])
    assert found.reasons == [(5, "a quote is not closed: '2024-03-05,2,2,\"c'")]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"two columns of .* are called 'price'"):
        Reader("trades").file(written(tmp_path, "time,price,price,size\n2024-03-04,1,2,1\n"))


def test_a_table_of_ones_own_is_read_and_whole_numbers_stay_exact(tmp_path: Path) -> None:
    columns = (Column("time", "time"), Column("sym", "symbol"), Column("order_id", "int"), Column("seen", "time"))
    schema = schema_of([Table("tickets", columns)])
    path = written(
        tmp_path, "time,sym,order_id,seen\n2024-03-04,A,9007199254740993,1709544600\n2024-03-04,A,,1709544600\n"
    )
    found = Reader("tickets", schema=schema).file(path)
    assert found.numbers["order_id"].tolist() == [9007199254740993]
    assert found.reasons == [(3, "order_id: expected a whole number, found ''")]
    rows = "2024-03-04,A,,,7,2024-03-04\n2024-03-04,A,5,1709544600,8,2024-03-04\n"
    exported = f"time,sym,order_id,seen,seq,received\n{rows}"
    ours = Reader("tickets", schema=schema).file(written(tmp_path, exported))
    assert ours.numbers["order_id"].tolist() == [0, 5]
    assert ours.numbers["seen"].tolist() == [UNKNOWN_TIME, 1709544600 * 10**9]
    told = {"order_id: 1 empty are 0, as in a row that leaves it out", "seen: 1 empty are not known"}
    assert told <= set(ours.assumed)
    unknown = written(
        tmp_path, "time,sym,order_id,seen\n" + "".join(f"2024-03-04,A,1,{t}\n" for t in ("", "NaT", "2024-03-05"))
    )
    found = Reader("tickets", schema=schema).file(unknown)
    assert found.numbers["seen"].tolist() == [UNKNOWN_TIME, UNKNOWN_TIME, 1709596800 * 10**9]
    without = Reader("tickets", schema=schema).file(written(tmp_path, "time,sym,order_id\n2024-03-04,A,1\n"))
    assert without.numbers["seen"].tolist() == [UNKNOWN_TIME]
    assert "seen: not known, as the file has no such column" in without.assumed
    with pytest.raises(ValueError, match="columns: expected seen in the column 'at'"):
        Reader("tickets", {"seen": "at"}, schema=schema).file(written(tmp_path, "time,sym,order_id\n2024-03-04,A,1\n"))
    with pytest.raises(ValueError, match="table: expected one of bars"):
        Reader("days")
