"""Recorded files: every good row once, in order, exactly as it stood, whatever the file looks like."""

import csv
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings import RECORDINGS

from feedhandler.feed import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from feedhandler.recorded import RecordedFeed, RecordedFeedSettings
from plant.files.values import scaled

HEADER = "datetime,open,high,low,close,volume\n"
NOW = 1_795_176_000 * NS_PER_SECOND  # 2026-11-20 12:00 UTC


def ns(text: str) -> int:
    return pd.Timestamp(text).as_unit("ns").value


def recorded(paths: Any, batch_rows: int = 1_000, **options: Any) -> RecordedFeed:
    """A feed of files, with settings as they stand in plant.toml."""
    given = paths if isinstance(paths, list) else [paths]
    settings = RecordedFeedSettings(paths=[str(path) for path in given], **options)
    return RecordedFeed(settings, batch_rows=batch_rows)


def everything(feed: RecordedFeed, now_ns: int = NOW) -> dict[str, list[Any]]:
    """All rows that are left, column by column."""
    columns: dict[str, list[Any]] = {}
    while not feed.finished:
        for _, batch in feed.poll(now_ns, 0):
            assert len({len(values) for values in batch.values()}) == 1
            for name, values in batch.items():
                columns.setdefault(name, []).extend(values.tolist() if isinstance(values, np.ndarray) else values)
    return columns


def replay(path: Path | list[Path], **options: Any) -> dict[str, list[Any]]:
    feed = recorded(paths=path, **options)
    feed.start(0)
    return everything(feed)


@pytest.fixture
def bars_csv(tmp_path: Path) -> Path:
    """Five bars, end-stamped in New York, newest first, without a final newline."""
    lines = [f"2019-02-15 09:{35 - k}:00,170.{20 - k},171.5,169.0001,170.{30 - k},{1000 - k}" for k in range(5)]
    path = tmp_path / "AAPL_1min.csv"
    path.write_text(HEADER + "\n".join(lines))
    return path


def test_end_stamped_newest_first_file_comes_out_as_starts_in_order_of_time(bars_csv: Path) -> None:
    found = replay(bars_csv, stamp="end", time_zone="America/New_York")

    assert list(found) == ["time", "sym", "interval", "open", "high", "low", "close", "volume", "source"]
    assert found["time"] == [ns("2019-02-15T14:30:00Z") + k * NS_PER_MINUTE for k in range(5)]
    assert found["sym"] == ["AAPL"] * 5
    assert found["open"] == [170.16, 170.17, 170.18, 170.19, 170.2]
    assert found["low"] == [169.0001] * 5
    assert found["volume"] == [996.0, 997.0, 998.0, 999.0, 1000.0]
    assert set(found["interval"]) == {"1m"}
    assert set(found["source"]) == {"recorded"}


def test_gzip_and_parquet_give_the_same_rows_as_csv(bars_csv: Path, tmp_path: Path) -> None:
    packed = tmp_path / "AAPL_1min.csv.gz"
    packed.write_bytes(gzip.compress(bars_csv.read_bytes()))
    parquet = tmp_path / "AAPL_1min.parquet"
    frame = pd.read_csv(bars_csv, parse_dates=["datetime"])
    frame.to_parquet(parquet)

    assert replay(packed) == replay(bars_csv) == replay(parquet)


def test_feed_goes_on_at_the_row_after_the_accepted_ones(bars_csv: Path) -> None:
    whole = replay(bars_csv, batch_rows=2)
    feed = recorded(paths=bars_csv, batch_rows=2)
    feed.start(3)
    assert feed.replayable
    assert feed.status() == "row 3 of 5"
    assert everything(feed) == {name: values[3:] for name, values in whole.items()}
    assert feed.status() == "row 5 of 5, finished"
    assert feed.poll(NOW, 0) == []


def test_more_accepted_rows_than_the_file_has_are_reported(bars_csv: Path) -> None:
    feed = recorded(paths=bars_csv)
    feed.start(9)
    assert feed.finished
    assert "the plant holds 4 rows more than these files have" in feed.status()


def test_batches_hold_batch_rows_at_most(bars_csv: Path) -> None:
    feed = recorded(paths=bars_csv, batch_rows=2)
    feed.start(0)
    assert [len(feed.poll(NOW, 0)[0][1]["time"]) for _ in range(3)] == [2, 2, 1]


def test_bad_rows_are_skipped_and_counted_and_their_neighbours_kept(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_bytes(
        HEADER.encode()
        + b"2024-01-02 00:00:00,1,2,0.5,1.5,10\n"
        + b"2024-01-02 00:01:00,1,n/a,0.5,1.5,10\n"
        + b"garbage\n"
        + b"not a time,1,2,0.5,1.5,10\n"
        + b"\n"
        + b'2024-01-02 00:02:00,"1,2,0.5,1.5,10\n'
        + b"2024-01-02 00:03:00,1,2,0.5,,10\n"
        + b"2024-01-02 00:04:00,1,2,0.5,nan,10\n"
        + b"2024-01-02 00:05:00,1,2,0.5,1_5,10\n"
        + b"2024-01-02 00:06:00,1,2,0.5,\xff\xfe,10\n"
        + b"2024-01-02 00:07:00,1,2,0.5,1.5,10,11,12\xff\n"
        + b'"2024-01-02 00:08:00", 1 ,2,0.5,1.5,"20"\r\n'
    )
    feed = recorded(paths=path)
    feed.start(0)

    assert "9 rows skipped (first: X.csv, line 3, high: expected a number, found 'n/a')" in feed.status()
    found = everything(feed)
    assert found["time"] == [ns("2024-01-02T00:00Z"), ns("2024-01-02T00:08Z")]
    assert found["volume"] == [10.0, 20.0]


def test_file_of_broken_lines_only_is_finished_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text(HEADER + "garbage\n")
    feed = recorded(paths=path)
    feed.start(0)
    assert feed.finished
    assert "1 rows skipped (first: X.csv, line 2, expected 6 fields, found 1: 'garbage')" in feed.status()


@pytest.mark.parametrize("text", [HEADER, HEADER.strip()])
def test_file_without_rows_is_finished_at_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(text)
    feed = recorded(paths=path, shift_to_today=True, speed=1)
    feed.start(0)
    assert feed.finished
    assert feed.poll(NOW, 0) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-01 09:30:00", "2024-07-01T13:30:00Z"),
        ("2024-07-01T09:30", "2024-07-01T13:30:00Z"),
        ("2024-07-01 09:30:00.123456789", "2024-07-01T13:30:00.123456789Z"),
        ("2024-07-01 09:30:00Z", "2024-07-01T09:30:00Z"),
        ("2024-07-01T09:30:00.5+02:00", "2024-07-01T07:30:00.5Z"),
        ("2024-01-01 09:30:00-0500", "2024-01-01T14:30:00Z"),
        ("7/13/2024 9:30", "2024-07-13T13:30:00Z"),
        ("20240701 09:30:00", "2024-07-01T13:30:00Z"),
        ("2024-07-01", "2024-07-01T04:00:00Z"),
        ("20240701", "2024-07-01T04:00:00Z"),
        ("1719826200", "2024-07-01T09:30:00Z"),
        ("1719826200.25", "2024-07-01T09:30:00.25Z"),
        ("1719826200123", "2024-07-01T09:30:00.123Z"),
        ("1719826200123456", "2024-07-01T09:30:00.123456Z"),
        ("1719826200123456789", "2024-07-01T09:30:00.123456789Z"),
    ],
)
def test_time_is_read_in_every_usual_form(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "X.csv"
    # A neighbour in another form must not change how a time is read.
    path.write_text(f"{HEADER}2030-01-01T00:00:00Z,1,1,1,1,1\n{text},1,1,1,1,1\n")
    assert replay(path, time_zone="America/New_York")["time"] == [ns(expected), ns("2030-01-01T00:00:00Z")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-11-03 01:30:00",
        "2024-03-10 02:30:00",
        "9999-01-01",
        "2024-13-01",
        "12:30",
        "2024",
        "99999999999999999999",
        "5",
    ],
)
def test_time_that_is_none_or_ambiguous_drops_its_row(tmp_path: Path, text: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(f"{HEADER}2024-07-01 09:30:00,1,1,1,1,1\n{text},1,1,1,1,1\n")
    feed = recorded(paths=path, time_zone="America/New_York")
    feed.start(0)
    assert everything(feed)["time"] == [ns("2024-07-01T13:30:00Z")]
    digits = "Unix time of 1971 to 2100 or a calendar stamp, in America/New_York once"
    expected = digits if text.isdigit() else "a time that exists once in America/New_York"
    assert f"time: expected {expected}, found {text!r}" in feed.status()


def test_rows_of_one_time_keep_the_order_of_the_file_and_of_the_paths(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(
        "TS_UTC,Symbol ,Price,Size\n2024-01-02T00:00:01Z,A,3,1\n"
        "2024-01-02T00:00:00Z,A,1,1\n2024-01-02T00:00:00Z,B,2,1\n"
    )
    second.write_text("ts_utc,ticker,price,qty,id\n2024-01-02T00:00:00Z,A,9,1,77\n2024-01-02T00:00:01Z,C,8,1,78\n")

    found = replay([first, second], table="trades")
    assert list(found) == ["time", "sym", "price", "size", "source", "trade_id"]
    assert found["price"] == [1.0, 2.0, 9.0, 3.0, 8.0]
    assert found["sym"] == ["A", "B", "A", "A", "C"]
    assert found["trade_id"] == ["", "", "77", "", "78"]


def test_pattern_takes_its_files_in_order_of_name_and_symbols_choose_rows(tmp_path: Path) -> None:
    for sym, price in (("B", 2), ("A", 1), ("C", 3)):
        (tmp_path / f"{sym}_day[1].csv").write_text(f"time,price,size\n2024-01-02T00:00:00Z,{price},1\n")
    pattern = tmp_path / "*_day*.csv"
    assert replay(pattern, table="trades")["sym"] == ["A", "B", "C"]
    assert replay(pattern, table="trades", symbols=["C", "A", "Z"])["price"] == [1.0, 3.0]
    assert replay(tmp_path / "B_day[1].csv", table="trades")["price"] == [2.0]
    with pytest.raises(ValueError, match=r"paths: no file matches .*parquet"):
        recorded(paths=tmp_path / "*.parquet", table="trades")


def test_thousands_of_trades_of_one_time_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "SPY.csv"
    rows = [f"2024-01-02T00:00:0{9 - k // 500}Z,{k % 500 + 1},1\n" for k in range(5_000)]
    path.write_text("time,price,size\n" + "".join(rows))
    assert replay(path, table="trades")["price"] == [float(k) for k in range(1, 501)] * 10


def test_quotes_are_read_with_a_number_for_columns_that_the_file_lacks(tmp_path: Path) -> None:
    path = tmp_path / "EURUSD.csv"
    path.write_text("time;BID;Ask\n2024-01-02T00:00:00Z;1.38694;1.38705\n")
    found = replay(path, table="quotes", columns={"bid_size": 0, "ask_size": 0})
    assert list(found) == ["time", "sym", "bid", "ask", "bid_size", "ask_size", "source"]
    assert [found[name] for name in list(found)[1:6]] == [["EURUSD"], [1.38694], [1.38705], [0.0], [0.0]]


def test_interval_column_of_the_file_decides_how_far_an_end_stamp_moves(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text(
        "time,interval,open,high,low,close,volume\n"
        "2024-01-02T01:00:00Z,5m,1,1,1,1,1\n2024-01-02T02:00:00Z,1h,1,1,1,1,1\n2024-01-02T02:00:00Z,soon,1,1,1,1,1\n"
    )
    feed = recorded(paths=path, stamp="end", name="mine")
    feed.start(0)
    found = everything(feed)
    assert found["time"] == [ns("2024-01-02T00:55Z"), ns("2024-01-02T01:00Z")]
    assert found["interval"] == ["5m", "1h"]
    assert found["source"] == ["mine", "mine"]
    assert "found 'soon'" in feed.status()


def test_real_time_replay_returns_a_row_when_its_time_has_come(bars_csv: Path) -> None:
    feed = recorded(paths=bars_csv, speed=60)
    feed.start(0)
    arrived = [len(columns["time"]) for ms in range(0, 4_001, 500) for _, columns in feed.poll(NOW + ms * 1_000_000, 0)]
    assert arrived == [1, 1, 1, 1, 1]
    assert feed.finished


def test_replay_that_was_held_up_catches_up(bars_csv: Path) -> None:
    feed = recorded(paths=bars_csv, speed=1)
    feed.start(1)
    assert len(feed.poll(NOW, 0)[0][1]["time"]) == 1
    assert feed.poll(NOW + 59 * NS_PER_SECOND, 0) == []
    assert len(feed.poll(NOW + 3 * NS_PER_MINUTE, 0)[0][1]["time"]) == 3


def test_shift_to_today_moves_all_rows_by_whole_days(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text(HEADER + "2019-02-14 20:59:00,1,1,1,1,1\n2019-02-15 14:30:00,1,1,1,1,1\n")
    plain = replay(path)["time"]
    shifted = replay(path, shift_to_today=True)["time"]
    assert shifted == [ns("2026-11-19T20:59Z"), ns("2026-11-20T14:30Z")]
    assert {(after - before) % NS_PER_DAY for before, after in zip(plain, shifted, strict=True)} == {0}


def test_numbers_come_out_as_they_stand_in_the_file(tmp_path: Path) -> None:
    texts = ["0.1", "170.2461", "1e-05", "12345678.87654321", "9007199254740993", "0.30000000000000004"]
    path = tmp_path / "X.csv"
    path.write_text(
        "time,price,size\n" + "".join(f"2024-01-02T00:00:00Z,{text},n\n".replace("n", "1") for text in texts)
    )
    assert replay(path, table="trades")["price"] == [float(text) for text in texts]


def test_scale_gives_the_float_next_to_the_decimal() -> None:
    prices = np.arange(1_674_000, 1_684_000, dtype=np.float64)
    assert scaled(prices, 1e-4).tolist() == [float(Decimal(int(price)) / 10_000) for price in prices]
    assert scaled(prices, 2.0).tolist() == (prices * 2).tolist()


def test_parquet_types_of_time_and_symbol_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    stamp = [1_719_826_200_123, None, 1_719_826_201_000]
    table = pa.table(
        {
            "ts_utc": pa.array(stamp, pa.timestamp("ms", "UTC")),
            "symbol": pa.array(["A", "A", None]).dictionary_encode(),
            "price": pa.array([Decimal("1.10"), Decimal("1.20"), Decimal("1.30")]),
            "size": pa.array([5, 6, 7], pa.int32()),
            "trade_id": pa.array([41, 42, 43], pa.int64()),
        }
    )
    pq.write_table(table, path)
    feed = recorded(paths=path, table="trades")
    feed.start(0)
    assert "2 rows skipped (first: x.parquet, row 2, time: " in feed.status()
    found = everything(feed)
    assert (found["time"], found["sym"], found["price"]) == ([1_719_826_200_123_000_000], ["A"], [1.1])
    assert (found["size"], found["trade_id"]) == ([5.0], ["41"])

    pq.write_table(table.drop_columns("ts_utc").append_column("ts", pa.array([1_719_826_200, 2**61, 5])), path)
    assert replay(path, table="trades", sym="B")["time"] == [1_719_826_200 * NS_PER_SECOND, 2**61]
    pq.write_table(
        table.drop_columns("ts_utc").append_column("ts", pa.array([0, 2**60, 5_000], pa.timestamp("ms"))), path
    )
    assert replay(path, table="trades", sym="B")["time"] == [0, 5 * NS_PER_SECOND]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"columns": {"close": "last"}},
            r"columns: expected close in the column 'last', but .*'datetime', 'open', 'high'",
        ),
        ({"columns": {"closing": "close"}}, "columns: bars has time, sym, interval, open.* found 'closing'"),
        ({"columns": {"time": 3}}, "columns: expected the name of a column for time, found 3"),
        ({"table": "quotes"}, r"quotes: no column bid: .*AAPL_1min.csv has the columns 'datetime', 'open'"),
        ({"table": "orders"}, "table\n .*'bars', 'trades' or 'quotes'.*'orders'"),
        ({"scale": {"price": 1}}, "scale: bars has open, high, low, close, volume, vwap, trades, found 'price'"),
        ({"stamp": "middle"}, "stamp\n .*'start' or 'end'.*'middle'"),
        ({"table": "trades", "stamp": "end"}, 'stamp: expected "start", or "end" for bars'),
        ({"time_zone": "Mars/Base"}, "time_zone: expected a name such as America/New_York, found 'Mars/Base'"),
        ({"interval": "60"}, 'interval: expected an interval like "30s", "5m"'),
        ({"speed": -1}, "speed\n .*greater than or equal to 0.*-1"),
        ({"paths": []}, "paths\n .*at least 1 item"),
        ({"paths": "nowhere/X.csv"}, "paths: no file nowhere/X.csv"),
    ],
)
def test_unusable_argument_is_refused_with_what_was_found(
    bars_csv: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recorded(**{"paths": bars_csv, **options})


@pytest.mark.parametrize(
    ("name", "data"), [("x.csv.gz", b"\x1f\x8b broken"), ("x.parquet", b"PAR1 no"), ("y.csv.gz", b"")]
)
def test_unreadable_file_is_refused_by_name(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name}"):
        recorded(paths=tmp_path / name)


@pytest.mark.skipif(not (RECORDINGS / "eqker_1min").is_dir(), reason="recorded bars are not here")
def test_recorded_new_york_bars_are_the_file_row_by_row() -> None:
    path = RECORDINGS / "eqker_1min" / "AAPL_1min.csv"
    found = replay(path, stamp="end", time_zone="America/New_York", batch_rows=100)
    with path.open() as file:
        rows = list(csv.DictReader(file))[::-1]

    assert len(found["time"]) == len(rows) == 1_948
    assert found["time"][0] == ns("2019-02-11T14:30:00Z")
    assert found["time"][-1] == ns("2019-02-15T20:59:00Z")
    for name in ("open", "high", "low", "close"):
        assert [repr(price) for price in found[name]] == [repr(float(row[name])) for row in rows]
    assert found["volume"] == [float(row["volume"]) for row in rows]


@pytest.mark.skipif(not (RECORDINGS / "lwcharts").is_dir(), reason="recorded bars are not here")
def test_recorded_bars_with_index_columns_and_offsets_merge_by_time() -> None:
    found = replay([RECORDINGS / "lwcharts" / f"{sym}_1min.csv" for sym in ("AAPL", "GOOGL", "TSLA")])
    assert len(found["time"]) == 2_083 + 2_084 + 2_086
    assert found["time"] == sorted(found["time"])
    assert (found["time"][0], found["sym"][0]) == (ns("2023-05-24T21:14:00Z"), "TSLA")
    assert {sym: found["sym"].count(sym) for sym in set(found["sym"])} == {"AAPL": 2_083, "GOOGL": 2_084, "TSLA": 2_086}


@pytest.mark.skipif(not (RECORDINGS / "lean_us_equity" / "tick").is_dir(), reason="recorded trades are not here")
def test_recorded_trades_in_ten_thousandths_come_out_in_dollars_in_file_order() -> None:
    path = RECORDINGS / "lean_us_equity" / "tick" / "IBM_20131007_trades.parquet"
    found = replay(path, table="trades", columns={"price": "price_e4"}, scale={"price": 1e-4})
    frame = pq.read_table(path).to_pandas()
    assert len(found["time"]) == 24_293
    assert found["time"] == frame["ts_utc"].dt.as_unit("ns").astype("int64").tolist()
    assert found["price"] == [float(Decimal(price) / 10_000) for price in frame["price_e4"].tolist()]
    assert found["size"] == frame["size"].astype(float).tolist()
    assert set(found["sym"]) == {"IBM"}
