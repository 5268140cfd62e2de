"""Backtests as a person reads them: what is asked for, runs, metrics, round trips, the equity's line."""

import datetime as dt
import doctest
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.panes import DARK
from dashboard.testing import asked, shown
from dashboard.testing.asked import arguments_of
from dashboard.testing.figures import MOST_POINTS, curve, equity_figure
from dashboard.testing.shown import marks_of, metrics_table, newest_trips, runs_table, trip_line, trips_csv, trips_table

NOON = pd.Timestamp("2026-11-20 12:00", tz="UTC")
COLUMNS = {"class_name": "Cross", "parameters": {"length": 4, "limits": {}}, "symbols": ["A"], "interval": "1m"}


def trip(number: int, seq: int = 1, **more: Any) -> dict[str, Any]:
    at = NOON + pd.Timedelta(minutes=10 * number)
    row = {"time": NOON, "sym": "A", "run": "r", "number": number, "side": "long", "entry_at": at, "entry_price": 10.0}
    row |= {"entry_tag": "up", "exit_at": at + pd.Timedelta(minutes=5), "exit_price": 11.0, "exit_tag": "down"}
    row |= {
        "qty": 5.0,
        "profit": 4.5,
        "profit_pct": 9.0,
        "commission": 0.5,
        "run_up": 10.0,
        "drawdown": -1.0,
        "bars": 5,
    }
    return row | {"open": 0, "seq": seq, "seq_row": number, **more}


@pytest.mark.parametrize("module", [asked, shown], ids=lambda module: module.__name__)
def test_examples_hold(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_a_backtest_is_asked_with_what_stands_in_the_form_and_its_last_day_is_of_it() -> None:
    told, wrong = arguments_of(COLUMNS, dt.date(2026, 11, 2), dt.date(2026, 11, 20), 5e4, "tradingview", "trades", True)
    assert not wrong
    assert told == {
        "class_name": "Cross",
        "symbols": ["A"],
        "interval": "1m",
        "parameters": {"length": 4},
        "start": "2026-11-02",
        "end": "2026-11-21",
        "fills": "tradingview",
        "fills_on": "trades",
        "capital": 5e4,
        "as_seen": True,
    }


def test_a_backtest_that_cannot_be_is_not_asked_for() -> None:
    assert (
        "ends on 2026-11-01, before it starts"
        in arguments_of(COLUMNS, dt.date(2026, 11, 2), dt.date(2026, 11, 1), 1.0)[1]
    )
    assert arguments_of(COLUMNS, None, None, 0.0)[1] == "the capital must be more than 0, found 0"


def test_a_run_is_a_row_whose_texts_may_be_anything() -> None:
    run = {"time": NOON.value, "sym": "cross", "run": "r", "mode": "backtest", "state": "failed", "detail": "why"}
    run |= {"symbols": json.dumps(["A", "B"]), "parameters": '{"length": 4}', "interval": "1m", "progress": 0.25}
    bare = {**run, "symbols": "", "parameters": "no JSON", "progress": math.nan}
    table = runs_table([run, bare], "America/New_York")
    assert table["given"].tolist() == [pd.Timestamp("2026-11-20 07:00")] * 2
    assert table["symbols"].tolist() == ["A, B", ""]
    assert table["parameters"].tolist() == ["length=4", "no JSON"]
    assert table["progress"][0] == 25.0
    assert math.isnan(table["progress"][1])


def test_metrics_of_several_runs_stand_beside_each_other_and_the_newest_counts() -> None:
    rows = [("a", "sharpe", 1.0, 1), ("a", "trades", 3.0, 1), ("b", "sharpe", math.nan, 1), ("a", "sharpe", 2.0, 2)]
    frame = pd.DataFrame(rows, columns=["run", "name", "value", "seq"]).assign(seq_row=0)
    table = metrics_table(frame, ["a", "b"], {"a": "first", "b": "second"})
    found = {row["metric"]: (row["first"], row["second"]) for row in table.to_dict("records")}
    assert found == {"sharpe": ("2.00", "-"), "trades": ("3", "-")}
    assert metrics_table(None, ["a"], {"a": "first"}).empty


def test_round_trips_are_newest_first_on_the_page_and_oldest_first_and_in_utc_as_csv() -> None:
    frame = pd.DataFrame([trip(2, open=1, exit_tag="Open"), trip(1), trip(1, seq=2, profit=1 / 3)])
    assert newest_trips(frame)["profit"].tolist() == [1 / 3, 4.5]
    table = trips_table(frame, "America/New_York")
    assert table["number"].tolist() == [2, 1]
    assert table["entry_at"].tolist()[1] == pd.Timestamp("2026-11-20 07:10")
    assert table["open"].tolist() == [True, False]
    header, first, second = trips_csv(frame).decode().splitlines()
    assert header.startswith("sym,run,number,side,entry_at,entry_price,entry_tag")
    assert first.split(",")[4] == "2026-11-20T12:10:00+00:00"
    assert float(first.split(",")[11]) == 1 / 3, "numbers in full"
    assert second.split(",")[2] == "2"
    assert trips_table(None, "UTC").empty


def test_entries_and_exits_are_marks_with_side_reason_and_profit() -> None:
    frame = newest_trips(pd.DataFrame([trip(1), trip(2, side="short", open=1), trip(3, sym="B")]))
    marks = marks_of(frame, "A")
    assert marks[["side", "signal"]].to_numpy().tolist() == [
        ["buy", "Enter long"],
        ["sell", "Exit long"],
        ["sell", "Enter short"],
    ]
    assert marks["detail"].tolist()[:2] == ["5 at 10 (up)", "5 at 11, +4.50 (down)"]
    assert trip_line(frame.iloc[0]) == "trip 1: long 5, 10 to 11, +4.50"
    assert "still open" in trip_line(frame.iloc[1])


def test_a_long_line_keeps_its_lows_its_first_and_its_last_point() -> None:
    count = 5 * MOST_POINTS
    values = 100 + np.cumsum(np.random.default_rng(3).normal(size=count))
    times = NOON + pd.to_timedelta(np.arange(count), unit="min")
    frame = pd.DataFrame({"run": "r", "market_time": times, "equity": values, "drawdown": 0.0, "seq": 1})
    line = curve(frame.assign(seq_row=range(count)).sample(frac=1, random_state=1), "r")
    assert len(line) <= MOST_POINTS + 1
    assert (line["equity"].iloc[0], line["equity"].iloc[-1]) == (values[0], values[-1])
    assert line["equity"].min() == values.min()
    assert line["market_time"].is_monotonic_increasing
    assert curve(frame.assign(seq_row=0), "other").empty


def test_several_runs_are_lines_of_their_own_with_a_legend() -> None:
    rows = [("a", 0, 100.0, 0.0), ("a", 1, 90.0, -0.1), ("b", 0, 50.0, 0.0)]
    frame = pd.DataFrame(rows, columns=["run", "minute", "equity", "drawdown"])
    frame = frame.assign(market_time=NOON + pd.to_timedelta(frame.pop("minute"), unit="min"), seq=1, seq_row=range(3))
    both = equity_figure(frame, {"a": "first", "b": "second"}, "UTC", DARK)
    assert both["layout"]["showlegend"]
    assert [(line["name"], line["y"]) for line in both["data"]] == [
        ("first", [100.0, 90.0]),
        ("first", [0.0, -10.0]),
        ("second", [50.0]),
        ("second", [0.0]),
    ]
    assert not equity_figure(frame, {"a": "first"}, "UTC", DARK)["layout"]["showlegend"]
