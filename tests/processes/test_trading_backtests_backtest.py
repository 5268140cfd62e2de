"""backtest(): what it takes, what it gives back, and the sentence of every mistake."""

import numpy as np
import pandas as pd
import pytest
from bars_in_memory import connection
from made_up_bars import walk, written

from plant.errors import BadRows, SettingsError
from trading import Instrument, Strategy, backtest, param
from trading.backtests.metrics import NAMES
from trading.backtests.refusals import OrdersRefused
from trading.backtests.result import COLUMNS
from trading.strategies.moving_average_cross import MovingAverageCross

CROSS = {"fast": 5, "slow": 20}


def cross(bars: object, **terms: object):
    return backtest(MovingAverageCross, bars, **{"sym": "X", "interval": "1m", "parameters": CROSS, **terms})


def same(one: object, other: object) -> None:
    for table in ("orders", "fills", "round_trips", "equity", "metrics"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))


def test_the_frames_have_the_columns_of_the_contract() -> None:
    result = cross(walk(200))
    assert list(result.round_trips)[:15] == [
        *("side", "entry_at", "entry_price", "entry_tag", "exit_at", "exit_price", "exit_tag", "qty", "profit"),
        *("profit_pct", "commission", "run_up", "drawdown", "bars", "open"),
    ]
    assert list(result.metrics)[:3] == ["name", "value", "detail"]
    assert tuple(result.metrics["name"]) == NAMES
    for name in ("orders", "fills", "equity", "round_trips"):
        frame = getattr(result, name)
        assert tuple(frame) == COLUMNS[name]
        assert len(frame)
        for column in frame:
            if column == "time" or column == "market_time" or column.endswith("_at"):
                assert str(frame[column].dtype) == "datetime64[ns, UTC]", column
    trips = result.round_trips
    assert trips["open"].dtype == bool
    assert trips["exit_tag"].iloc[-1] == "Open"
    assert trips["exit_at"].iloc[-1] == walk(200)["time"].iloc[-1]
    assert trips["exit_price"].iloc[-1] == walk(200)["close"].iloc[-1]


def test_a_strategy_that_does_nothing_gives_empty_frames_of_the_same_kinds() -> None:
    result = backtest(Strategy, walk(30), sym="X", interval="1m")
    assert tuple(result.round_trips) == COLUMNS["round_trips"]
    assert not len(result.orders)
    assert result.metric("trades") == 0
    assert (result.equity["equity"] == 1e6).all()


def test_bars_come_in_many_forms(tmp_path) -> None:
    frame = walk(120)
    plain = cross(frame)
    shouted = frame.rename(columns=str.upper).assign(TIME=frame["time"].dt.tz_localize(None))
    frame.to_csv(tmp_path / "bars.csv.gz", index=False)
    frame.to_parquet(tmp_path / "bars.parquet")
    two = pd.concat([frame.assign(sym="X"), frame.assign(sym="Y")])
    for bars in (
        shouted,
        frame.set_index("time"),
        frame.assign(time=frame["time"].dt.tz_convert("America/New_York")),
        tmp_path / "bars.csv.gz",
        str(tmp_path / "bars.parquet"),
        {"X": frame},
        two,
    ):
        same(plain, cross(bars))
    same(plain, cross(frame, interval=None))


def test_the_interval_of_bars_that_tell_it_need_not_be_said() -> None:
    frame = walk(120, freq="5min")
    same(cross(frame.assign(interval="5m"), interval=None), cross(frame, interval="5m"))


def test_a_connection_is_asked_for_the_bars_of_its_symbols() -> None:
    frame = walk(120).assign(sym="X", interval="1m", seq=np.arange(5, 125), seq_row=0)
    frame["received"] = frame["time"]

    class Connection:
        def select(self, table, sym, columns, where, frames):
            assert (table, sym, where, frames) == ("bars", ["X"], {"interval": "1m"}, "pandas")
            return frame[columns]

    result = cross(Connection())
    assert result.orders["cause_seq"].iloc[0] >= 5
    pd.testing.assert_frame_equal(result.round_trips, cross(walk(120)).round_trips)
    with pytest.raises(SettingsError, match="name the symbols"):
        cross(Connection(), sym=None)


def test_over_a_plant_the_rows_that_were_seen_give_what_a_frame_gives() -> None:
    """`bars` in the order of time, `bar_closes` in that of the journal; both have the seq of what caused an order."""
    frame = walk(90).assign(sym="X", interval="1m")
    closes = frame.assign(market_time=frame["time"], time=frame["time"] + pd.Timedelta(62, "s"), bar_seq=1, by_clock=1)
    db = connection({"bars": frame.assign(source="s"), "bar_closes": closes})
    plain, stored, seen = cross(frame), cross(db), cross(db, as_seen=True)
    assert len(plain.round_trips) > 2
    for name in ("side", "entry_at", "entry_price", "exit_at", "exit_price", "profit", "run_up", "drawdown", "bars"):
        assert plain.round_trips[name].tolist() == stored.round_trips[name].tolist() == seen.round_trips[name].tolist()
    assert stored.orders["cause_seq"].between(100, 112).all()
    assert seen.orders["cause_seq"].between(113, 125).all()
    assert (seen.orders["made_at"] > stored.orders["made_at"]).all(), "when the plant had the row"


def test_what_came_late_is_in_the_order_of_the_journal_where_that_is_wanted() -> None:
    """A trade that the plant had after later ones fills an order that was there by then."""

    class Buys(Strategy):
        def on_bar(self, bar):
            if not self.position() and not self.orders:
                self.buy(1, tif="gtc")

    closes = walk(3).assign(seq=[2, 4, 6], seq_row=0)
    closes["market_time"], closes["time"] = closes["time"], closes["time"] + pd.Timedelta(60, "s")
    at = pd.to_datetime(["2024-03-01 00:00:10", "2024-03-01 00:00:20", "2024-03-01 00:00:05"])
    trades = pd.DataFrame({"time": at, "price": [90.0, 91.0, 92.0], "size": 900.0, "seq": [1, 3, 5], "seq_row": 0})
    for given in (trades, trades.sort_values("time")):
        result = backtest(
            Buys,
            closes,
            sym="X",
            interval="1m",
            fills="tradingview",
            fills_on="trades",
            trades=given,
            as_seen=True,
            end="2024-03-02",
        )
        assert result.fills["price"].tolist() == [91.0]
    with pytest.raises(BadRows, match="sort by time"):
        backtest(Buys, walk(3), sym="X", interval="1m", fills_on="trades", trades=trades)


def test_several_symbols_are_merged_by_when_their_bars_could_be_known() -> None:
    seen: list[tuple[str, int]] = []

    class Watches(Strategy):
        def on_bar(self, bar):
            seen.append((bar.sym, bar.end))
            if bar.sym == "B" and len(seen) == 4:
                self.buy(1, sym="A")

    result = backtest(
        Watches, {"B": walk(10), "A": walk(10, seed=8)}, interval="1m", instruments={"A": Instrument("A")}
    )
    assert [sym for sym, _ in seen[:4]] == ["A", "B", "A", "B"]
    assert [end for _, end in seen] == sorted(end for _, end in seen)
    assert result.fills["sym"].tolist() == ["A"]


def test_orders_are_filled_on_trades_or_quotes_if_that_is_said() -> None:
    class Buys(Strategy):
        def on_bar(self, bar):
            if not self.position() and not self.orders:
                self.buy(1, tif="gtc")

    bars = written(*[(100, 101, 99, 100)] * 3)
    at = pd.to_datetime(["2024-03-01 00:01:30", "2024-03-01 00:01:40"])
    trades = pd.DataFrame({"time": at, "price": [100.5, 100.7], "size": [400.0, 10.0]})
    quotes = pd.DataFrame({"time": at, "bid": [100.1, 0], "ask": [100.3, np.nan], "bid_size": 5.0, "ask_size": 5.0})
    terms = {"sym": "X", "interval": "1m", "fills": {"slippage_ticks": 0}}
    assert backtest(Buys, bars, fills_on="trades", trades=trades, **terms).fills["price"].tolist() == [100.5]
    assert backtest(Buys, bars, fills_on="quotes", quotes=quotes, **terms).fills["price"].tolist() == [100.3]
    with pytest.raises(SettingsError, match="needs trades="):
        backtest(Buys, bars, fills_on="trades", **terms)


def test_run_up_begins_with_the_entry_also_where_a_trade_filled_it_within_a_bar() -> None:
    class Once(Strategy):
        def on_bar(self, bar):
            if not self.position() and not self.orders:
                self.buy(1, tif="gtc")

    bars = written((100, 101, 99, 100), (100, 150, 50, 100), (100, 102, 98, 100))
    trades = pd.DataFrame(
        {"time": ["2024-03-01 00:01:30", "2024-03-01 00:02:20"], "price": [100.0, 103.0], "size": 900.0}
    )
    terms = {"sym": "X", "interval": "1m", "fills": "tradingview"}
    (trip,) = backtest(Once, bars, fills_on="trades", trades=trades, **terms).round_trips.itertuples()
    assert (trip.run_up, trip.drawdown) == (3.0, 0.0)


def test_sessions_follow_the_clock_of_the_exchange_over_a_change_of_summer_time() -> None:
    frame = walk(4, freq="D")
    frame["time"] = pd.to_datetime(["2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12"]).tz_localize(
        "America/New_York"
    )
    closes = backtest(Strategy, frame, sym="X", interval="1d", calendar="XNYS").equity["market_time"]
    for close in ("2024-03-08 21:00", "2024-03-11 20:00", "2024-03-12 20:00"):
        assert (closes == pd.Timestamp(close, tz="UTC")).any(), close


def test_commission_is_a_number_of_bps_or_each_of_its_parts() -> None:
    steps = walk(200)
    free, bps = cross(steps, fills="tradingview"), cross(steps, fills="tradingview", commission=10)
    assert free.fills["commission"].sum() == 0
    np.testing.assert_allclose(bps.fills["commission"], bps.fills["price"] * bps.fills["qty"] * 0.001, atol=1e-8)
    parts = cross(steps, fills="tradingview", commission={"per_unit": 0.005, "minimum": 1.0})
    assert (parts.fills["commission"] == 1.0).all()
    with pytest.raises(SettingsError, match="did you mean 'taker_bps'"):
        cross(steps, commission={"taker_bp": 1})


def test_equity_has_every_session_close_and_no_more_than_5000_rows() -> None:
    result = backtest(Strategy, walk(9000), sym="X", interval="1m")
    assert 4000 < len(result.equity) < 5000
    closes = result.equity["market_time"]
    for day in pd.date_range(pd.Timestamp("2024-03-02", tz="UTC"), closes.max().floor("D")):
        assert (closes == day - pd.Timedelta(1, "ns")).any(), "the end of a day is still that day"


def test_metrics_are_those_of_the_last_equity_of_each_day() -> None:
    result = cross(walk(200, freq="h"), interval="1h", commission=20)
    equity = result.equity
    assert equity["market_time"].is_monotonic_increasing
    daily = equity.groupby(equity["market_time"].dt.floor("D"))["equity"].last()
    returns = daily.pct_change().dropna()
    assert len(daily) == 9
    assert result.metric("sharpe") == pytest.approx(returns.mean() / returns.std() * 365**0.5, rel=1e-9)
    assert result.metric("total_return") == pytest.approx(daily.iloc[-1] / 1e6 - 1, rel=1e-9)


def test_metrics_are_of_daily_returns_365_a_year_or_252_with_a_calendar() -> None:
    frame = walk(2000, freq="h")
    assert "N=365" in cross(frame, interval="1h").metrics["detail"][0]
    regular = frame[(frame["time"].dt.hour >= 15) & (frame["time"].dt.hour < 20) & (frame["time"].dt.day_of_week < 5)]
    assert "N=252" in cross(regular, interval="1h", calendar="XNYS").metrics["detail"][0]


def test_day_orders_end_with_the_session_and_a_half_day_ends_early() -> None:
    """2024-11-29 closed in New York at 13:00, and 2024-11-28 was a holiday."""
    frame = walk(8, freq="h")
    starts = ["2024-11-27 19:30", "2024-11-27 20:30", "2024-11-29 14:30", "2024-11-29 15:30", "2024-11-29 16:30"]
    starts += ["2024-11-29 17:30", "2024-12-02 14:30", "2024-12-02 15:30"]
    frame["time"] = pd.to_datetime(starts, utc=True)
    heard: list[str] = []

    class Waits(Strategy):
        def on_bar(self, bar):
            if pd.Timestamp(bar.time, tz="UTC").day == 29 and not self.orders:
                self.buy(1, limit=bar.close * 0.95)

        def on_session(self, kind):
            heard.append(f"{kind} {pd.Timestamp(self.now, tz='UTC'):%m-%d}")

    result = backtest(Waits, frame, sym="X", interval="1h", calendar="XNYS")
    assert result.orders["state"].tolist()[-1] == "expired"
    assert heard == ["close 11-29", "open 11-29", "close 12-02", "open 12-02"], "told with the first event after them"
    closes = result.equity["market_time"].tolist()
    assert pd.Timestamp("2024-11-29 18:00", tz="UTC") in closes
    assert pd.Timestamp("2024-11-27 21:00", tz="UTC") in closes


def test_an_order_that_risk_refuses_is_a_row_with_its_rule_and_told_once() -> None:
    with pytest.warns(OrdersRefused, match=r"orders were refused: \d+ by max_order_qty \(0\.5\)") as told:
        result = cross(walk(200), limits={"max_order_qty": 0.5})
    assert len(told) == 1
    assert "limits={'max_order_qty': None} lifts that" in result.refused
    assert set(result.orders["state"]) == {"created", "refused"}
    assert result.risk_events["rule"].unique().tolist() == ["max_order_qty"]
    assert result.risk_events["bound"].iloc[0] == 0.5


class Hasty(Strategy):
    """Thirty orders with every bar, half of them far from the price."""

    def on_bar(self, bar):
        for i in range(30):
            self.buy(1, limit=bar.close * (0.5 if i % 2 else 1.0))


def test_limits_that_hold_by_default_are_told_and_lifted_as_the_warning_says() -> None:
    terms = {"sym": "X", "interval": "1m"}
    with pytest.warns(OrdersRefused) as told:
        refused = backtest(Hasty, walk(30), **terms)
    sentence = str(told[0].message)
    assert "600 of 900 orders were refused" in sentence
    assert "by price_band (0.1)" in sentence
    assert "by max_orders_per_minute (10)" in sentence
    assert len(refused.orders[refused.orders["state"] == "refused"]) == len(refused.risk_events)
    lifted = {"max_orders_per_minute": None, "price_band": None}
    assert sentence.endswith("; limits={'price_band': None, 'max_orders_per_minute': None} lifts that")
    assert backtest(Hasty, walk(30), **terms, limits=lifted).refused == ""
    assert backtest(Hasty, walk(30), **terms, parameters={"limits": lifted}).refused == ""
    with pytest.raises(SettingsError, match="limits are told twice"):
        backtest(Hasty, walk(30), **terms, limits=lifted, parameters={"limits": lifted})


def test_daily_bars_and_quick_strategies_are_refused_nothing() -> None:
    class Turns(Strategy):
        def on_bar(self, bar):
            self.enter("short" if self.position() > 0 else "long", 1)

    for freq, interval in (("D", "1d"), ("min", "1m"), ("s", "1s")):
        result = backtest(Turns, walk(30, freq=freq), sym="X", interval=interval, limits={"max_orders_per_minute": 60})
        assert result.refused == ""
        assert len(result.fills) == 29


def test_the_start_is_one_row_of_equity() -> None:
    equity = cross(walk(50)).equity
    assert equity["market_time"].tolist() == walk(50)["time"].tolist()
    assert equity["equity"].iloc[0] == 1e6


def test_progress_is_told() -> None:
    told: list[float] = []
    cross(walk(200), progress=told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)


class Bounded(Strategy):
    """Has parameters."""

    fast: int = param(5, low=1, high=50, help="bars")
    kind: str = param("a", choices=("a", "b"))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"fast": 51}, "fast must be a whole number from 1 to 50, found 51"),
        ({"fast": 1.5}, "found 1.5"),
        ({"fast": True}, "found True"),
        ({"fats": 3}, "did you mean 'fast'"),
        ({"kind": "c"}, "one of 'a', 'b'"),
    ],
)
def test_a_bad_parameter_is_a_sentence(parameters: dict, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        backtest(Bounded, walk(10), sym="X", interval="1m", parameters=parameters)


def spoilt(column: str, row: int, value: object) -> pd.DataFrame:
    frame = walk(10)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("bars", "sentence"),
    [
        (spoilt("close", 3, np.nan), r"close of 2024-03-01 00:03.* is nan"),
        (spoilt("open", 3, np.inf), "open of 2024-03-01 00:03"),
        (spoilt("high", 3, 1.0), "its high and low do not hold its open and close"),
        (spoilt("volume", 3, -1.0), "its volume is negative"),
        (walk(10).iloc[::-1], "sort by time"),
        (walk(10).iloc[[0, 1, 1, 2]], "two bars are of 2024-03-01 00:01"),
        (walk(10).drop(columns="volume"), "there is no volume"),
        (walk(10).iloc[:0], "no rows"),
        (walk(10).assign(time=np.arange(10)), "to_datetime"),
        (walk(10).assign(volume="much"), "volume must be numbers"),
    ],
)
def test_bad_bars_are_a_sentence(bars: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(BadRows, match=sentence):
        cross(bars)


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"fills": "hopeful"}, "careful, tradingview"),
        ({"fills": {"volume_shar": 1}}, "did you mean 'volume_share'"),
        ({"fills": {"volume_share": 0}}, "more than 0 and at most 1"),
        ({"fills_on": "ticks"}, "bars, trades, quotes"),
        ({"tick": 0}, "tick must be a number, more than 0"),
        ({"capital": float("nan")}, "capital must be a number"),
        ({"limits": {"max_order_qty": -1}}, "max_order_qty must be a number, more than 0"),
        ({"limits": {"max_order": 1}}, "did you mean"),
        ({"bars": "nowhere.csv"}, "no such file"),
        ({"bars": 3}, "expected a DataFrame"),
    ],
)
def test_a_bad_setting_is_a_sentence(terms: dict, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        cross(**{"bars": walk(10), **terms})


def test_an_interval_that_the_bars_do_not_have_is_refused() -> None:
    with pytest.raises(BadRows, match="begins before that of"):
        cross(walk(10), interval="1h")


def test_bars_without_volume_fill_nothing_and_that_is_said_at_once() -> None:
    with pytest.raises(SettingsError, match="no bar has volume"):
        cross(walk(50).assign(volume=0.0))
    assert len(cross(walk(100).assign(volume=0.0), fills="tradingview").fills)


def test_a_tick_that_the_prices_do_not_have_is_warned_of() -> None:
    euro = walk(50).assign(**{name: lambda f, name=name: f[name] / 87.3 for name in ("open", "high", "low", "close")})
    with pytest.warns(UserWarning, match="are not whole ticks of 0.01"):
        cross(euro)


def test_a_figure_shows_candles_trades_and_equity() -> None:
    figure = cross(walk(300)).plot()
    assert [trace.name for trace in figure.data] == ["X", "long entry", "short entry", "exit", "equity", "drawdown"]
    assert len(figure.data[0].x) == 300
