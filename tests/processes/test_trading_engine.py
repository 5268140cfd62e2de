"""The engine, one step at a time: when orders are filled, what replaces what, what a strategy sees, how it fails."""

import math
import random

import pandas as pd
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_bars import walk, written

from plant.errors import SettingsError
from trading import Atr, Bollinger, Sma, Stdev, Strategy, VolumeSma, backtest
from trading.backtests.result import frame_of
from trading.desk.ledger import Cancel, Place, TableRow
from trading.engine import Engine
from trading.events import Bar, Command, Fill, OrderReport, Side
from trading.instruments import Instrument
from trading.orders import State, order_id
from trading.run import PRESETS, RunSetup

pytestmark = pytest.mark.filterwarnings("ignore::trading.backtests.refusals.OrdersRefused")

FLAT = (100, 101, 99, 100)


def scripted(*steps):
    """Return a strategy that does one thing with each bar: a function of the strategy, or None."""

    class Scripted(Strategy):
        def start(self):
            self.seen = []

        def on_bar(self, bar):
            self.seen.append(bar)
            if len(self.seen) <= len(steps) and steps[len(self.seen) - 1] is not None:
                steps[len(self.seen) - 1](self)

    return Scripted


def run(strategy, *bars, **terms):
    terms = {"tick": 1, "fills": "tradingview", "interval": "1m", "sym": "X", **terms}
    return backtest(strategy, written(*bars), **terms)


def states(result, tag):
    rows = result.orders
    return rows[rows["tag"] == tag]["state"].tolist()


def test_an_order_is_filled_by_the_next_event_at_the_earliest() -> None:
    result = run(scripted(lambda s: s.buy(2, tag="a")), (100, 104, 99, 103), (105, 107, 104, 106))
    assert result.fills[["price", "qty"]].values.tolist() == [[105, 2]]
    assert result.fills["market_time"][0] == pd.Timestamp("2024-03-01 00:01", tz="UTC")
    assert states(result, "a") == ["created", "submitting", "accepted", "filled"]
    assert result.orders["n"].tolist() == [1, 2, 3, 4]


def test_enter_takes_the_opposite_position_with_it() -> None:
    steps = (lambda s: s.enter("long", 2), None, lambda s: s.enter("short", 3))
    result = run(scripted(*steps), FLAT, FLAT, FLAT, FLAT)
    assert result.fills[["side", "qty", "position_after"]].values.tolist() == [["buy", 2, 2], ["sell", 5, -3]]
    trips = result.round_trips
    assert trips[["side", "qty", "open"]].values.tolist() == [["long", 2, False], ["short", 3, True]]
    assert trips["exit_tag"].tolist() == ["short", "Open"]


def test_an_entry_in_the_direction_of_the_position_is_dropped_with_the_older_of_its_id() -> None:
    """The stop at 110 was placed while flat; once long by another order, entering long again takes it away."""
    steps = (
        lambda s: (s.enter("long", 1, stop=110, id="L"), s.buy(1, tag="now")),
        None,
        lambda s: s.enter("long", 1, stop=120, id="L"),
    )
    result = run(scripted(*steps), FLAT, FLAT, FLAT, (100, 130, 99, 100))
    assert states(result, "L") == ["created", "submitting", "accepted", "cancelling", "cancelled"]
    assert len(result.fills) == 1


def test_a_new_order_of_an_id_replaces_the_old() -> None:
    steps = (lambda s: s.enter("long", 1, stop=110, id="L"), lambda s: s.enter("long", 1, stop=105, id="L"))
    result = run(scripted(*steps), FLAT, FLAT, (100, 112, 99, 100))
    assert result.fills["price"].tolist() == [105]
    assert "replaced" in states(result, "L")


def test_an_entry_that_was_placed_before_is_filled_also_in_the_direction_of_the_position() -> None:
    steps = (lambda s: (s.enter("long", 1, stop=105, id="A"), s.buy(1)),)
    result = run(scripted(*steps), FLAT, FLAT, (100, 106, 99, 100))
    assert result.fills["position_after"].tolist() == [1, 2]


def test_a_fill_sets_free_a_pair_of_which_one_cancels_the_other() -> None:
    steps = (lambda s: s.buy(2, stop=104, stop_loss=97, take_profit=108, tag="in"),)
    result = run(scripted(*steps), FLAT, (100, 109, 99, 100), FLAT)  # low first: 99, then up through 104 to 109
    assert result.fills["price"].tolist() == [104, 108]
    assert states(result, "take_profit")[-1] == "filled"
    assert states(result, "stop_loss")[-2:] == ["cancelling", "cancelled"]
    children = result.orders[result.orders["parent"] != ""]
    assert children["parent"].unique().tolist() == [result.orders["order_id"][0]]
    assert children["oco"].nunique() == 1


def test_a_partial_exit_leaves_the_other_of_the_pair_for_the_rest() -> None:
    steps = (lambda s: s.buy(4, stop_loss=90, take_profit=110, tag="in"),)
    bars = written(FLAT, FLAT, (100, 111, 99, 100), (100, 100, 85, 86))
    bars["volume"] = [100, 100, 1, 100]
    fills = {"volume_share": 1.0, "slippage_ticks": 0, "through_ticks": 0}
    result = backtest(scripted(*steps), bars, sym="X", interval="1m", tick=1, fills=fills)
    assert result.fills[["side", "qty", "price"]].values.tolist() == [
        ["buy", 4, 100],
        ["sell", 1, 110],
        ["sell", 3, 90],
    ]


def test_what_protects_a_position_goes_with_it() -> None:
    steps = (lambda s: s.buy(1, stop_loss=50, tag="in"), None, lambda s: s.close())
    result = run(scripted(*steps), FLAT, FLAT, FLAT, FLAT)
    assert states(result, "stop_loss")[-1] == "cancelled"
    assert result.round_trips["exit_tag"].tolist() == ["close"]


def test_orders_of_one_group_cancel_each_other() -> None:
    steps = (lambda s: (s.enter("long", 1, stop=105, oco="g"), s.enter("short", 1, stop=95, oco="g")),)
    result = run(scripted(*steps), FLAT, (100, 106, 94, 100))
    assert result.fills["side"].tolist() == ["sell"], "the low is nearer, or as near"
    assert states(result, "long")[-1] == "cancelled"


def test_a_share_of_the_equity_is_sized_at_the_fill_price_and_floored() -> None:
    steps = (lambda s: s.enter("long", quantity="15% equity"), None, lambda s: s.enter("short", "15% equity"))
    result = run(scripted(*steps), FLAT, (103, 103, 103, 103), FLAT, (110, 110, 110, 110), capital=1000)
    assert result.fills["qty"].tolist() == [1, 2]  # 150 / 103; then 1 and 1007 * 0.15 / 110
    assert result.orders["qty"].tolist() == [0, 0, 0, 1, 0, 0, 0, 2]


def test_a_share_of_the_equity_may_be_sized_when_the_order_is_placed() -> None:
    fills = {"preset": "tradingview", "sized_at": "order"}
    bars = written(FLAT, (120, 120, 120, 120))
    result = backtest(scripted(lambda s: s.buy("50% equity")), bars, sym="X", tick=1, fills=fills, capital=1000)
    assert result.fills[["qty", "price"]].values.tolist() == [[5, 120]]


def test_target_and_close_and_cancel() -> None:
    steps = (
        lambda s: s.target(5),
        lambda s: (s.buy(1, limit=95, id="l"), s.buy(1, limit=94)),
        lambda s: s.target(-2),
        lambda s: s.cancel("l"),
        lambda s: s.close(),
        lambda s: s.close(),
        lambda s: s.cancel_all(),
    )
    result = run(scripted(*steps), *[FLAT] * 8)
    assert result.fills["position_after"].tolist() == [5, -2, 0]
    assert [row for row in result.orders["state"] if row == "cancelled"] == ["cancelled"] * 2


def test_the_terms_of_an_order_are_columns() -> None:
    steps = (lambda s: s.sell(1, stop=90, limit=89, tif="gtc", tag="t"), lambda s: s.sell(1, trail=3))
    rows = run(scripted(*steps), FLAT, FLAT, FLAT).orders
    first = rows.iloc[0]
    assert (first["kind"], first["stop_price"], first["limit_price"], first["time_in_force"]) == (
        "stop_limit",
        90,
        89,
        "gtc",
    )
    assert rows[rows["kind"] == "trailing"]["trail"].iloc[0] == 3


@pytest.mark.parametrize("qty", [0, -1, math.nan, math.inf, 0.4])
def test_a_quantity_that_is_none_is_refused_with_a_row(qty: float) -> None:
    result = run(scripted(lambda s: s.buy(qty, tag="bad")), FLAT, FLAT)
    assert states(result, "bad") == ["created", "refused"]
    assert result.orders["reason"].iloc[-1]


@pytest.mark.parametrize("level", [0, -5, math.nan])
def test_a_level_that_is_no_price_is_refused_with_a_row(level: float) -> None:
    assert states(run(scripted(lambda s: s.buy(1, limit=level, tag="bad")), FLAT, FLAT), "bad")[-1] == "refused"


@pytest.mark.parametrize(
    "step",
    [
        lambda s: s.buy(1, sym="Y"),
        lambda s: s.buy(1, tif="week"),
        lambda s: s.buy("much"),
        lambda s: s.buy(),
        lambda s: s.enter("up", 1),
        lambda s: s.buy(1, price=3),
        lambda s: s.buy(1, trail=1, stop=2),
        lambda s: s.use(3),
    ],
)
def test_a_word_that_no_order_has_is_an_error_with_a_sentence(step) -> None:
    with pytest.raises(SettingsError, match=" "):
        run(scripted(step), FLAT, FLAT)


def test_an_exception_ends_the_run_with_a_row_and_its_orders_are_cancelled() -> None:
    def broken(strategy):
        raise ZeroDivisionError("by nothing")

    setup = RunSetup(
        run="r",
        strategy="s",
        strategy_class=scripted(lambda s: s.buy(1, limit=90, tif="gtc"), broken),
        symbols=("X",),
        instruments={"X": Instrument("X", tick=1)},
        fills=PRESETS["tradingview"],
    )
    engine = Engine(setup)
    rows = [action.row for n in range(4) for action in engine.take(bar(n)) if isinstance(action, TableRow)]
    assert isinstance(engine.failed, ZeroDivisionError)
    assert [row["detail"] for row in rows if row.get("kind") == "failed"] == ["on_bar: ZeroDivisionError: by nothing"]
    assert [row["state"] for row in rows if "state" in row][-1] == "cancelled"
    with pytest.raises(ZeroDivisionError):
        run(scripted(broken), FLAT, FLAT)


def bar(number: int, close: float = 100.0, sym: str = "X") -> Bar:
    minute = 60 * 10**9
    time = number * minute
    return Bar(
        sym, time, time + minute + 5, number + 1, 0, "1m", time + minute, close, close + 1, close - 1, close, 1e6
    )


def test_warm_up_feeds_the_strategy_with_orders_off() -> None:
    class Counts(Strategy):
        seen: list = []  # noqa: RUF012

        def start(self):
            self.average = self.use(Sma(3))

        def on_bar(self, bar):
            type(self).seen.append((self.warming, self.average.ready))
            self.buy(1)

    Counts.seen = []
    result = run(Counts, *[FLAT] * 40, start="2024-03-01 00:30", end="2024-03-01 00:35")
    assert len(Counts.seen) == 20 + 5, "10 times the 2 bars that an SMA of 3 lacks"
    assert [warming for warming, _ in Counts.seen] == [True] * 20 + [False] * 5
    assert len(result.orders[result.orders["n"] == 1]) == 5
    assert result.strategy_events["kind"].tolist() == ["started", "warm", "stopped"]


def test_bars_are_views_of_the_past_that_cannot_be_written() -> None:
    class Looks(Strategy):
        def on_bar(self, bar):
            past = self.bars(3)
            assert past.close[-1] == bar.close
            assert len(past.close) == min(3, len(self.bars(1000).time))
            with pytest.raises(ValueError, match="read-only"):
                past.close[0] = 1
            base = past.close
            while base.base is not None:
                base = base.base
            assert len(base) <= len(self.bars(1000).close) or not base[len(self.bars(1000).close) :].any()
            self.log(f"{len(past.close)}")

    assert run(Looks, *[FLAT] * 5).strategy_events["detail"].tolist()[1:-1] == ["1", "2", "3", "3", "3"]


def test_a_live_engine_keeps_the_same_window_as_a_backtest() -> None:
    class Sums(Strategy):
        def on_bar(self, bar):
            self.plot("sum", float(self.bars(7).close.sum()))

    frame = walk(300)
    whole = backtest(Sums, frame, sym="X", interval="1m").plots["value"].tolist()
    setup = RunSetup(run="r", strategy="s", strategy_class=Sums, symbols=("X",), instruments={"X": Instrument("X")})
    engine = Engine(setup)
    found = []
    for number, row in enumerate(frame.itertuples()):
        event = bar(number)._replace(open=row.open, high=row.high, low=row.low, close=row.close)
        found += [a.row["value"] for a in engine.take(event) if isinstance(a, TableRow) and a.table == "plots"]
    assert found == whole


def test_chance_is_seeded_by_the_run() -> None:
    class Rolls(Strategy):
        def on_bar(self, bar):
            self.plot("roll", self.random.random())

    one, same, other = (run(Rolls, *[FLAT] * 3, seed=seed).plots["value"].tolist() for seed in (1, 1, 2))
    assert one == same != other
    assert one[0] == random.Random(1).random()


def test_callbacks_hear_of_fills_and_orders_before_the_bar() -> None:
    heard: list[str] = []

    class Hears(Strategy):
        def on_bar(self, bar):
            heard.append("bar")
            if heard.count("bar") == 1:
                self.buy(1, id="x")

        def on_order(self, order):
            heard.append(order.state)

        def on_fill(self, fill):
            heard.append(f"fill {fill.qty:g} at {fill.price:g} of {fill.id}")

    run(Hears, FLAT, FLAT)
    assert heard == ["bar", "created", "submitting", "accepted", "filled", "fill 1 at 100 of x", "bar"]


def test_a_live_run_puts_out_orders_for_the_broker_and_books_what_it_reports() -> None:
    setup = RunSetup(
        run="r1",
        strategy="s",
        strategy_class=scripted(lambda s: s.buy(3, id="b"), lambda s: s.cancel("b")),
        symbols=("X",),
        instruments={"X": Instrument("X", tick=1)},
        mode="live",
        broker="alpaca",
    )
    engine = Engine(setup)
    placed = [a for a in engine.take(bar(0)) if isinstance(a, Place)]
    (order,) = [action.order for action in placed]
    assert (order.order_id, order.state) == ("tp-r1-1-0", State.SUBMITTING)
    fill = Fill("X", 7, 8, 9, 0, "broker-1", order.order_id, Side.BUY, 1, 101, 0, "taker")
    report = OrderReport("X", 7, 8, 9, 0, order.order_id, "accepted", broker_id="b1", fill=fill)
    rows = [a.row for a in engine.take(report) if isinstance(a, TableRow)]
    assert [row.get("state") or row.get("fill_id") for row in rows][:2] == ["partially_filled", "broker-1"]
    assert rows[0]["time"] == 8, "live rows carry when their cause was learned"
    assert not [a for a in engine.take(report) if isinstance(a, TableRow) and a.table == "fills"], (
        "told twice, booked once"
    )
    assert [a.order.state for a in engine.take(bar(1)) if isinstance(a, Cancel)] == ["cancelling"]


def test_a_live_order_waits_until_the_one_it_replaces_is_done_at_the_broker() -> None:
    steps = (lambda s: s.enter("long", 1, stop=110, id="L"), lambda s: s.enter("long", 1, stop=105, id="L"))
    setup = RunSetup(
        run="r1",
        strategy="s",
        strategy_class=scripted(*steps),
        symbols=("X",),
        instruments={"X": Instrument("X", tick=1)},
        mode="live",
        broker="alpaca",
    )
    engine = Engine(setup)

    def placed(event: object) -> list[int | None]:
        return [action.order.stop_price for action in engine.take(event) if isinstance(action, Place)]

    assert placed(bar(0)) == [110]
    assert placed(bar(1)) == []
    assert placed(OrderReport("X", 1, 1, 90, 0, "tp-r1-1-0", "accepted")) == []
    assert placed(OrderReport("X", 1, 1, 91, 0, "tp-r1-1-0", "cancelled")) == [105]


@pytest.mark.parametrize("how", ["flatten", "close"])
@pytest.mark.parametrize(("late", "left"), [(0, 3), (1, 2), (3, 0)])
def test_a_live_position_is_closed_once_the_broker_let_go_of_the_orders_it_holds_units_for(
    late: int, left: int, how: str
) -> None:
    """A broker refuses to sell what an open stop is there to sell; the stop may be filled before it is cancelled."""
    setup = RunSetup(
        run="r1",
        strategy="s",
        strategy_class=scripted(lambda s: s.buy(3, stop_loss=90), lambda s: s.close(), lambda s: s.close()),
        symbols=("X",),
        instruments={"X": Instrument("X", tick=1)},
        mode="live",
        broker="alpaca",
    )
    engine = Engine(setup)

    def told(name: str, state: str, seq: int, side: Side, qty: int = 0) -> list[tuple[str, str, int]]:
        fill = Fill("X", seq, seq, seq, 0, f"f{seq}", name, side, qty, 100, 0, "taker") if qty else None
        return sent(OrderReport("X", seq, seq, seq, 0, name, state, fill=fill))

    def sent(event: object) -> list[tuple[str, str, int]]:
        out = [action for action in engine.take(event) if isinstance(action, Place | Cancel)]
        return [(type(each).__name__, each.order.side, each.order.open_qty) for each in out]

    assert sent(bar(0)) == [("Place", "buy", 3)]
    assert told("tp-r1-1-0", "", 50, Side.BUY, 3) == [("Place", "sell", 3)]
    stop = order_id("r1", 50, 0)
    told(stop, "accepted", 51, Side.SELL)
    closing = Command("X", 60, 60, 60, 0, "flatten", {}) if how == "flatten" else bar(1)
    assert sent(closing) == [("Cancel", "sell", 3)]
    if how == "close":
        assert sent(bar(2)) == [], "one waits already"
    if late:
        assert told(stop, "", 61, Side.SELL, late) == []
    assert told(stop, "cancelled", 62, Side.SELL) == [("Place", "sell", left)] * (left > 0)


def test_orders_by_hand_and_the_kill_switch() -> None:
    setup = RunSetup(
        run="manual-paper",
        strategy="manual-paper",
        strategy_class=Strategy,
        symbols=("X",),
        instruments={"X": Instrument("X", tick=1)},
        mode="paper",
        fills=PRESETS["tradingview"],
    )
    engine = Engine(setup)

    def told(command: str, seq: int, **arguments: object) -> list[dict]:
        actions = engine.take(Command("X", seq, seq, seq, 0, command, arguments))
        return [a.row for a in actions if isinstance(a, TableRow) and a.table == "orders"]

    engine.take(bar(0))
    by_hand = {"side": "buy", "qty": 1, "limit_price": 95, "time_in_force": "gtc", "client_order_id": "mine"}
    rows = told("order", 500, **by_hand)
    assert [(row["state"], row["cause_seq"], row["client_order_id"]) for row in rows][-1] == ("accepted", 500, "mine")
    assert [row["state"] for row in told("kill", 501)] == ["cancelling", "cancelled"]
    assert [row["state"] for row in told("order", 502, side="buy", qty=1)] == ["created", "refused"]
    told("resume", 503)
    assert [row["state"] for row in told("order", 504, side="buy", qty=1)][-1] == "accepted"


def test_a_paper_run_makes_what_a_backtest_of_its_bars_makes() -> None:
    """But for what the plant learned when: `time` and `made_at`."""
    frame = walk(300)
    frame["volume"] = 400.0
    whole = backtest(Wild, frame, sym="X", interval="1m", seed=5, run="r")
    setup = RunSetup(
        run="r",
        strategy="Wild",
        strategy_class=Wild,
        symbols=("X",),
        instruments={"X": Instrument("X")},
        interval="1m",
        account="backtest",
        mode="paper",
        seed=5,
    )
    engine, rows = Engine(setup), []
    for number, row in enumerate(frame.itertuples()):
        start = row.time.value
        end = start + 60 * 10**9
        prices = (row.open, row.high, row.low, row.close, row.volume)
        event = Bar("X", start, end + 12_345, number + 1, 0, "1m", end, *prices, None, end + 5)
        rows += [action for action in engine.take(event) if isinstance(action, TableRow)]
    for table in ("orders", "fills", "round_trips"):
        made = frame_of(table, [action.row for action in rows if action.table == table])
        expected = getattr(whole, table)
        if table == "round_trips":
            expected = expected[~expected["open"]]
        assert len(made) > 10
        leave = [name for name in ("time", "made_at") if name in made]
        pd.testing.assert_frame_equal(made.drop(columns=leave), expected.drop(columns=leave))


class Wild(Strategy):
    """Does anything at any time, by chance."""

    def on_bar(self, bar):
        chance = self.random
        near = bar.close + chance.uniform(-1, 1)
        terms = chance.choice(
            [{}, {"limit": near}, {"stop": near}, {"trail": 0.2}, {"stop_loss": near - 1, "take_profit": near + 1}]
        )
        match chance.randrange(8):
            case 0:
                self.buy(chance.randint(1, 40), tif=chance.choice(["day", "gtc", "ioc", "fok"]), **terms)
            case 1:
                self.sell(chance.randint(1, 40), **terms)
            case 2:
                side, size = chance.choice(["long", "short"]), chance.choice([5, "1% equity"])
                self.enter(side, size, stop=chance.choice([None, near]), oco=chance.choice(["", "g"]))
            case 3:
                self.target(chance.randint(-50, 50))
            case 4:
                self.close()
            case 5:
                self.cancel_all()


@settings(max_examples=examples(8), deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["careful", "tradingview"]))
def test_the_books_agree_with_themselves_whatever_a_strategy_does(seed: int, fills: str) -> None:
    """Identities 6 and 7: trips' profit = realised - commission; an order's filled and average are its fills'."""
    frame = walk(150, seed=seed)
    frame["volume"] = 400.0
    result = backtest(
        Wild, frame, sym="X", interval="1m", fills=fills, seed=seed, commission={"taker_bps": 3, "minimum": 0.01}
    )
    trips, fills_, equity = result.round_trips, result.fills, result.equity
    assert (
        abs(fills_["realised"].sum() - fills_["commission"].sum() - trips[~trips["open"]]["profit"].sum()) < 1e-6
        or trips["open"].any()
    )
    last = equity.iloc[-1]
    assert abs(trips["profit"].sum() - (last["realised"] + last["unrealised"] - last["commission"])) < 1e-6
    assert abs(last["cash"] + last["value"] - last["equity"]) < 1e-6
    signed = fills_["qty"] * fills_["side"].map({"buy": 1, "sell": -1})
    assert (signed.cumsum() == fills_["position_after"]).all()
    newest = result.orders.groupby("order_id").last()
    for name, mine in fills_.groupby("order_id"):
        assert newest.loc[name, "filled"] == mine["qty"].sum()
        assert abs(newest.loc[name, "average"] - (mine["qty"] * mine["price"]).sum() / mine["qty"].sum()) < 1e-9
    assert (trips["run_up"] >= 0).all()
    assert (trips["drawdown"] <= 0).all()
    again = backtest(
        Wild, frame, sym="X", interval="1m", fills=fills, seed=seed, commission={"taker_bps": 3, "minimum": 0.01}
    )
    for table in ("orders", "fills", "round_trips", "equity"):
        pd.testing.assert_frame_equal(getattr(result, table), getattr(again, table))


def test_prepared_indicators_have_the_bits_of_the_scalar_ones() -> None:
    made = (
        lambda: Sma(7),
        lambda: Sma(1),
        lambda: Sma(20, input="hlc3"),
        lambda: Bollinger(20, 2),
        lambda: Stdev(9),
        lambda: VolumeSma(5),
    )

    class Compares(Strategy):
        def start(self):
            self.fast = [self.use(each()) for each in made]
            self.plain = [each() for each in made]
            self.atr = self.use(Atr(3))

        def on_bar(self, bar):
            for fast, plain in zip(self.fast, self.plain, strict=True):
                plain.update(bar)
                assert (fast.value, fast.ready) == (plain.value, plain.ready)
                assert repr(fast.peek(bar)) == repr(plain.peek(bar))

    backtest(Compares, walk(60), sym="X", interval="1m")
