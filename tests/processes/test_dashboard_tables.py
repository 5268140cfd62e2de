import io

import numpy as np
import pandas as pd
import pytest
from dashboard_market import OPEN_NS, Market

from dashboard.bars import chart_bars
from dashboard.tables import bars_csv, bars_table, chart_signals, events_table, processes_table, signals_table

NEW_YORK = "America/New_York"


def test_signals_come_newest_first_in_exchange_time_with_words_for_people() -> None:
    table = signals_table(Market(500).rows("signals"), NEW_YORK)
    assert table["time"].is_monotonic_decreasing
    assert table["time"].dt.hour.between(9, 16).all()
    assert set(table["signal"]) <= {"Golden cross", "Death cross", "RSI oversold", "RSI overbought"}


def test_no_signals_are_an_empty_table_with_its_columns() -> None:
    assert list(signals_table(None, "UTC").columns) == [
        *("time", "symbol", "interval", "side", "signal", "price", "reason", "state")
    ]


def test_chart_signals_are_those_of_the_symbol_and_interval() -> None:
    rows = Market(500).rows("signals")
    mine = chart_signals(pd.concat([rows, rows.assign(interval="5m")]), "TSLA", "1m")
    assert mine is not None
    assert set(mine["sym"]) == {"TSLA"}
    assert set(mine["interval"]) == {"1m"}
    assert chart_signals(None, "TSLA", "1m") is None


def test_the_data_table_is_newest_first_and_the_csv_oldest_first_with_utc_times() -> None:
    bars = chart_bars(Market(40, syms=("AAPL",)).rows("bars"), None, "1m", NEW_YORK)
    assert bars_table(bars)["time"].is_monotonic_decreasing
    csv = pd.read_csv(io.BytesIO(bars_csv(bars, "AAPL", "1m")))
    assert csv["time"].iloc[0] == "2025-11-20T14:30:00+00:00"
    assert csv["time_ns"].iloc[0] == OPEN_NS
    assert np.array_equal(csv["close"], bars["close"])
    assert set(csv["sym"]) == {"AAPL"}


def test_processes_tell_their_age_lag_and_memory() -> None:
    beats = Market(1).rows("heartbeats")
    now_ns = int(beats["time"].iloc[0].value) + 3_000_000_000
    table = processes_table(beats, now_ns).set_index("process")
    assert table.loc["rdb", "last beat"] == "3 s ago"
    assert table.loc["processor", "behind"] == 4
    assert np.isnan(table.loc["feed-simulated", "behind"])
    assert table.loc["tickerplant", "memory"] == pytest.approx(55.3, abs=0.1)
    assert processes_table(None, now_ns).empty


def test_events_are_newest_first_without_the_journals_own_columns() -> None:
    times = pd.DatetimeIndex([OPEN_NS, OPEN_NS + 10**9], tz="UTC")
    table = events_table(pd.DataFrame({"time": times, "sym": ["a", "b"], "seq": [1, 2]}), NEW_YORK)
    assert table["sym"].tolist() == ["b", "a"]
    assert list(table.columns) == ["time", "sym"]
    assert str(table["time"].iloc[1]) == "2025-11-20 09:30:00"
