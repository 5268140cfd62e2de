"""What a user types: frames of every kind, tables as attributes, clear errors, and recovery by itself."""

import datetime as dt
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import zmq
from plain_rows import MINUTE, NOON, SECOND, bar, quote, tables_of, trade

import rdb
from plant.client.connect import connect_to
from plant.client.connection import Connection
from plant.client.table_view import TableView
from plant.errors import (
    PlantError,
    QueryError,
    QueryLimit,
    SettingsError,
    Unavailable,
    UnknownColumn,
    UnknownSymbol,
    UnknownSymbolWarning,
    UnknownTable,
    WireError,
)
from plant.query.frames import as_frame
from plant.query.limits import Limits
from plant.query.streams import from_ipc
from plant.serving.server import QueryServer
from plant.transport import sockets

TABLES = tables_of(
    bars=[[bar(NOON + k * MINUTE, sym, close=100.0 + k) for k in range(4) for sym in ("AAPL", "MSFT")]],
    trades=[[trade(NOON + k * SECOND, "AAPL", price=10.0 + k, trade_id=f"t{k}") for k in range(6)]],
    quotes=[[quote(NOON + 2 * SECOND, bid=9.0, ask=float("nan"))]],
)


def status() -> dict[str, Any]:
    return {"name": "rdb", "pid": 7, "seq": 12}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = QueryServer("tcp://127.0.0.1:*", TABLES, status, limits=Limits(max_rows=1_000_000))
    yield server.address
    server.close()


@pytest.fixture
def db(address: str) -> Iterator[Connection]:
    with Connection("rdb", address, timeout_s=5.0) as made:
        yield made


def free_address() -> str:
    socket, address = sockets.bind(sockets.context(), zmq.ROUTER, "tcp://127.0.0.1:*")
    socket.close(0)
    return address


def test_pandas_is_the_default_frame(db: Connection) -> None:
    frame = db.select("trades")
    assert list(frame) == [
        "time",
        "sym",
        "price",
        "size",
        "source",
        "trade_id",
        "conditions",
        "tape",
        "exchange",
        "venue_seq",
    ]
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert frame["sym"].dtype == "category"
    assert frame["price"].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]


def test_every_question_answers_in_all_four_frames(db: Connection) -> None:
    kinds = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table, "numpy": dict}
    for frames, kind in kinds.items():
        found = {
            "tables": db.tables(frames=frames),
            "select": db.select("trades", frames=frames),
            "last": db.last("bars", frames=frames),
            "resample": db.resample("trades", "2s", frames=frames),
            "asof": db.asof("trades", "quotes", frames=frames),
            "sql": db.sql("select time, sym, price from trades", frames=frames),
            "empty": db.select("signals", frames=frames),
        }
        assert {type(answer) for answer in found.values()} == {kind}
        rows = {n: len(a["time" if n != "tables" else "table"]) for n, a in found.items()}
        assert rows == {"tables": len(TABLES), "select": 6, "last": 2, "resample": 3, "asof": 6, "sql": 6, "empty": 0}


def test_numpy_frames_hold_utc_times_texts_and_nan_for_null(db: Connection) -> None:
    found = db.asof("trades", "quotes", frames="numpy")
    assert found["time"].dtype == "datetime64[ns]"
    assert found["time"].astype("int64").tolist() == [NOON + k * SECOND for k in range(6)]
    assert found["sym"].tolist() == ["AAPL"] * 6
    assert found["trade_id"].tolist() == [f"t{k}" for k in range(6)]
    assert np.isnan(found["bid"][:2]).all()
    assert found["bid"][2:].tolist() == [9.0] * 4
    assert np.isnat(found["quotes_time"][:2]).all()


def test_a_whole_connection_may_answer_in_another_frame(address: str) -> None:
    with Connection("rdb", address, frames="polars") as db:
        assert isinstance(db.select("bars"), pl.DataFrame)
        assert isinstance(db.bars.tail(1), pl.DataFrame)
        assert isinstance(db.select("bars", frames="arrow"), pa.Table)
    with pytest.raises(QueryError, match=r"frames must be one of pandas, .*, numpy; found 'excel'"):
        Connection("rdb", address, frames="excel")


def test_an_unknown_frame_is_refused_before_anything_is_asked(db: Connection) -> None:
    with pytest.raises(QueryError, match="found 'excel'"):
        db.select("bars", frames="excel")


def test_a_null_is_a_null_in_every_frame(db: Connection) -> None:
    assert db.select("quotes", frames="arrow").column("ask").to_pylist() == [None]
    assert db.select("quotes")["ask"].isna().tolist() == [True]
    assert db.select("quotes", frames="polars")["ask"].to_list() == [None]
    assert np.isnan(db.select("quotes", frames="numpy")["ask"]).tolist() == [True]


@pytest.mark.parametrize(
    "start",
    [
        NOON + 3 * SECOND,
        np.int64(NOON + 3 * SECOND),
        "2026-11-20 12:00:03",
        "2026-11-20T13:00:03+01:00",
        dt.datetime(2026, 11, 20, 12, 0, 3),
        dt.datetime(2026, 11, 20, 13, 0, 3, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        pd.Timestamp("2026-11-20 12:00:03", tz="UTC"),
        np.datetime64("2026-11-20T12:00:03"),
    ],
)
def test_a_moment_may_be_given_in_many_ways(db: Connection, start: Any) -> None:
    assert db.select("trades", start=start)["price"].tolist() == [13.0, 14.0, 15.0]
    assert db.count("trades", end=start) == 3
    assert db.last("trades", at=start)["price"].tolist() == [13.0]


def test_a_moment_without_a_zone_is_in_the_zone_of_the_connection(address: str) -> None:
    zone = dt.timezone(dt.timedelta(hours=-5))
    with Connection("rdb", address, zone=zone) as db:
        assert db.count("trades", start="2026-11-20 07:00:03") == 3
        assert db.count("trades", start="2026-11-20 12:00:03") == 0


@pytest.mark.parametrize("terms", [{"start": "yesteryear"}, {"end": [1]}, {"start": "25:00"}, {"start": "NaT"}])
def test_a_time_that_is_none_is_a_query_error(db: Connection, terms: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match="expected a time"):
        db.select("trades", **terms)


def test_symbols_and_columns_may_be_one_or_several(db: Connection) -> None:
    assert db.count("bars", "AAPL") == db.count("bars", sym=["AAPL"]) == 4
    assert db.count("bars", sym=("AAPL", "MSFT")) == db.count("bars", iter(["AAPL", "MSFT"])) == 8
    assert db.count("bars", sym=[]) == 0
    assert list(db.select("bars", columns="close")) == ["close"]
    assert list(db.select("bars", columns=["received", "close"])) == ["received", "close"]


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"sym": "AAPL"}, 4),
        ({"sym": "AAPL", "close": 101.0}, 1),
        ({"close": np.float32(101.0)}, 2),
        (("seq", ">=", np.int64(10)), 8),
        (("close", ">", 101), 4),
        (["close", ">", 101], 4),
        ([("close", ">", 101), ("sym", "!=", "MSFT")], 2),
        ([], 8),
        ({}, 8),
    ],
)
def test_conditions_may_be_a_dict_one_or_several(db: Connection, where: Any, count: int) -> None:
    assert db.count("bars", where=where) == count
    assert len(db.select("bars", where=where)) == count


@pytest.mark.parametrize("where", [5, "close > 1", ["close"], [("close", ">")], {"close": [1, 2]}, {"close": None}])
def test_conditions_of_another_form_are_a_query_error(db: Connection, where: Any) -> None:
    with pytest.raises(QueryError, match=r"where is \{|a condition is \["):
        db.select("bars", where=where)


@pytest.mark.parametrize("tolerance", ["1s", dt.timedelta(seconds=1), pd.Timedelta("1s"), SECOND, np.int64(SECOND)])
def test_a_tolerance_may_be_given_in_many_ways(db: Connection, tolerance: Any) -> None:
    found = db.asof("trades", "quotes", tolerance=tolerance)
    assert found["bid"].notna().tolist() == [False, False, True, True, False, False]
    assert db.asof("trades", "quotes", strict=True)["bid"].notna().sum() == 3


@pytest.mark.parametrize("tolerance", ["soon", "-1s", -1, [1], "NaT", True])
def test_a_tolerance_that_is_none_is_a_query_error(db: Connection, tolerance: Any) -> None:
    with pytest.raises(QueryError):
        db.asof("trades", "quotes", tolerance=tolerance)


def test_a_table_is_an_attribute_an_item_and_completes(db: Connection) -> None:
    assert isinstance(db.bars, TableView)
    assert {"bars", "trades", "gaps", "select", "sql"} <= set(dir(db))
    assert db.bars.tail(3)["close"].tolist() == [102.0, 103.0, 103.0]
    assert db.bars.tail(1, sym="AAPL")["sym"].tolist() == ["AAPL"]
    assert db.bars.head(2)["close"].tolist() == [100.0, 100.0]
    assert db["trades"].last()["price"].tolist() == [15.0]
    assert db.trades.select(sym="AAPL", first=1)["price"].tolist() == [10.0]
    assert db.trades.count(start=NOON + SECOND) == 5
    assert db.trades.resample("3s")["volume"].tolist() == [3.0, 3.0]
    assert (len(db.bars), len(db.signals)) == (8, 0)
    assert db.quotes.columns == ["time", "sym", "bid", "ask", "bid_size", "ask_size", "source"]
    assert repr(db.trades) == f"trades: 6 rows; columns {', '.join(db.trades.columns)}"


def test_an_unknown_table_is_told_the_nearest_name(db: Connection) -> None:
    with pytest.raises(AttributeError, match=r"unknown table 'trade' \(did you mean 'trades'\?\)"):
        _ = db.trade
    with pytest.raises(UnknownTable, match="did you mean 'trades'"):
        db["trade"]
    assert not hasattr(db, "nothing")
    assert not hasattr(db, "_ipython_canary_method_should_not_exist_")


def test_errors_come_back_as_their_class(db: Connection) -> None:
    with pytest.raises(UnknownTable, match="did you mean 'bars'"):
        db.select("bar")
    with pytest.raises(UnknownColumn, match="did you mean 'close'"):
        db.select("bars", columns=["clos"])
    with pytest.raises(QueryError, match="this connection only reads"):
        db.sql("delete from bars")
    with pytest.raises(QueryLimit, match="at most 1,000,000 are answered at once"):
        db.sql("select * from range(1000001)")
    with pytest.raises(QueryError, match="expected an interval"):
        db.resample("trades", "soon")
    with pytest.raises(QueryError):
        db.sql("select '\ud800'")
    with pytest.raises(QueryError):
        db.count("bars", where=("close", ">", 2**70))
    assert len(db.bars) == 8


def test_a_connection_shows_its_tables(db: Connection, address: str) -> None:
    lines = repr(db).splitlines()
    assert lines[0] == f"rdb at {address}"
    assert lines[1].split() == ["table", "rows", "first", "last"]
    assert lines[2].split() == ["bars", "8", "2026-11-20", "12:00:00", "2026-11-20", "12:03:00"]
    assert len(lines) == 2 + len(TABLES)
    assert lines[6].split() == ["signals", "0"]

    html = db._repr_html_()
    assert f"<b>rdb</b> at {address}<table>" in html
    assert "<tr><td>bars</td><td>8</td><td>2026-11-20 12:00:00</td><td>2026-11-20 12:03:00</td></tr>" in html
    assert html.count("<tr>") == 1 + len(TABLES)


def test_tables_are_one_row_each(db: Connection) -> None:
    frame = db.tables().set_index("table")
    assert frame.loc["trades", "rows"] == 6
    assert frame.loc["trades", "first"] == pd.Timestamp(NOON, tz="UTC")
    assert pd.isna(frame.loc["signals", "first"])


def test_a_status_is_plain_data(db: Connection) -> None:
    assert db.status() == status()


def test_nobody_there_is_unavailable_within_the_timeout_and_then_it_recovers_by_itself() -> None:
    address = free_address()
    with Connection("rdb", address, timeout_s=0.3) as db:
        started = time.monotonic()
        with pytest.raises(Unavailable, match=f"rdb at {address} did not answer within 0.3 s; is the plant up"):
            db.select("bars")
        assert time.monotonic() - started < 3

        for _ in range(2):  # it comes, goes and comes again
            server = _server_at(address)
            assert _asked_until_answered(db) == 8
            server.close()
            with pytest.raises(Unavailable):
                db.count("bars")


def _server_at(address: str) -> QueryServer:
    deadline = time.monotonic() + 5
    while True:
        try:
            return QueryServer(address, TABLES, status)
        except SettingsError:  # the listener before it is still closing
            assert time.monotonic() < deadline


def _asked_until_answered(db: Connection) -> int:
    deadline = time.monotonic() + 10
    while True:
        try:
            return db.count("bars")
        except Unavailable:
            assert time.monotonic() < deadline, "it did not recover"


def test_one_connection_is_used_from_several_threads(db: Connection) -> None:
    wrong: list[Any] = []

    def one(n: int) -> None:
        try:
            for k in range(20):
                found = db.select("trades", first=(n + k) % 7, frames="numpy")["price"].tolist()
                if found != [10.0 + i for i in range(min((n + k) % 7, 6))]:
                    wrong.append(found)
        except PlantError as error:
            wrong.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_a_closed_connection_may_be_closed_again_and_asked_again(address: str) -> None:
    db = Connection("rdb", address)
    db.close()
    db.close()
    assert db.count("bars") == 8
    db.close()


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("tcp://8.8.8.8:5006", "is not a loopback address"),
        ("tcp://0.0.0.0:5006", "is not a loopback address"),
        ("nonsense", "is not an address"),
    ],
)
def test_an_address_that_is_not_loopback_is_refused(where: str, why: str) -> None:
    with Connection("rdb", where) as db, pytest.raises(SettingsError, match=why):
        db.tables()


def test_a_wrong_question_is_told_at_once_though_nobody_is_there() -> None:
    with Connection("rdb", free_address(), timeout_s=60) as db, pytest.raises(QueryError, match="expected an interval"):
        db.resample("trades", "soon")


def test_connecting_to_a_process_asks_it_at_once(address: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with rdb.connect(address, frames="arrow") as db:
        assert isinstance(db.select("bars"), pa.Table)
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        connect_to("rdb", free_address(), timeout_s=0.2)


def test_as_frame_keeps_an_empty_answer_typed() -> None:
    table = pa.table(
        {"time": pa.array([], pa.timestamp("ns", "UTC")), "sym": pa.array([], pa.dictionary(pa.int32(), pa.string()))}
    )
    assert as_frame(table, "numpy")["time"].dtype == "datetime64[ns]"
    assert as_frame(table, "numpy")["sym"].dtype == object
    assert as_frame(table, "polars").shape == (0, 2)
    assert as_frame(table, "pandas").shape == (0, 2)


def test_arrow_backed_pandas_keeps_nulls_and_types(db: Connection) -> None:
    found = db.select("quotes", frames="pandas-arrow")
    assert str(found["time"].dtype) == "timestamp[ns, tz=UTC][pyarrow]"
    assert found["ask"].dtype == pd.ArrowDtype(pa.float64())
    assert found["ask"].isna().tolist() == [True]


def test_a_symbol_is_an_item_of_its_table_and_one_that_is_not_there_is_told_the_nearest(db: Connection) -> None:
    assert db.bars["AAPL"]["close"].tolist() == [100.0, 101.0, 102.0, 103.0]
    assert db.bars.symbols == db.symbols("bars") == ["AAPL", "MSFT"]
    assert db.bars._ipython_key_completions_() == ["AAPL", "MSFT"]
    with pytest.raises(
        UnknownSymbol, match=r"bars has no symbol 'APPL' \(did you mean 'AAPL'\?\); symbols are: AAPL, MSFT"
    ):
        db.bars["APPL"]
    with pytest.raises(UnknownSymbol, match="symbols are: none"):
        db.signals["AAPL"]
    with pytest.warns(UnknownSymbolWarning, match="nearest: AAPL"):
        assert len(db.select("bars", "APPL")) == 0


def test_a_table_is_no_sequence(db: Connection) -> None:
    with pytest.raises(TypeError, match=r"use .head\(n\), .tail\(n\), .select"):
        list(db.bars)
    assert bool(db.signals)


def test_a_table_shows_its_newest_rows_in_a_notebook(db: Connection) -> None:
    html = db.trades._repr_html_()
    assert html.startswith("<b>trades</b>: 6 rows, the newest:<table")
    assert html.count("<tr") == 1 + 5


def test_keys_complete_to_tables_and_a_process_that_is_away_completes_to_what_is_known(
    db: Connection, address: str
) -> None:
    assert {"bars", "trades"} <= set(db._ipython_key_completions_())
    with Connection("rdb", free_address(), timeout_s=0.1) as away:
        assert away._ipython_key_completions_() == []
        assert "select" in dir(away)


def test_a_table_that_is_new_is_found_without_connecting_again(address: str) -> None:
    with Connection("rdb", address) as db:
        db._names = ["gaps"]
        assert len(db.bars) == 8
        db._names = ["gaps"]
        assert len(db["trades"]) == 6


def test_a_question_may_be_given_less_time(address: str) -> None:
    with Connection("rdb", address, timeout_s=60) as db:
        for ask in (
            lambda: db.tables(timeout_s=5),
            lambda: db.select("bars", timeout_s=5),
            lambda: db.last("bars", timeout_s=5),
            lambda: db.resample("trades", "1s", timeout_s=5),
            lambda: db.asof("trades", "quotes", timeout_s=5),
            lambda: db.sql("select 1 x", timeout_s=5),
        ):
            assert len(ask()) > 0
        with pytest.raises(QueryLimit, match=r"stopped after 0\.2 s"):
            db.sql("select count(*) from range(100000000000000) where range % 3 = 5", timeout_s=0.2)


def test_an_answer_that_is_no_arrow_is_a_wire_error() -> None:
    with pytest.raises(WireError, match="expected an Arrow IPC stream, found other bytes"):
        from_ipc(b"no arrow")
