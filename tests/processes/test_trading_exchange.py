"""The simulated exchange: each rule by a bar of its own, and all against a plain model that walks every tick."""

import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_exchange import SlowExchange

from trading.events import Bar, Quote, Side, Trade
from trading.exchange import Book, Ended, Execution
from trading.instruments import Instrument
from trading.orders import Kind, Order
from trading.run import PRESETS, FillRules

ONE = Instrument("X", tick=1, lot=1)
PLAIN = PRESETS["tradingview"]


def bar(open: float, high: float, low: float, close: float, volume: float = 1000.0) -> Bar:
    return Bar("X", 0, 0, 1, 0, "1m", 60, open, high, low, close, volume)


def order(side: str, qty: int = 1, id: str = "a", **terms: object) -> Order:
    limit, stop, trail = (terms.get(name) for name in ("limit_price", "stop_price", "trail"))
    kind = Kind.MARKET
    if trail is not None:
        kind = Kind.TRAILING
    elif stop is not None:
        kind = Kind.STOP if limit is None else Kind.STOP_LIMIT
    elif limit is not None:
        kind = Kind.LIMIT
    who = {"sym": "X", "run": "r", "strategy": "s", "account": "paper"}
    return Order(order_id=id, side=Side(side), kind=kind, qty=qty, **who, **{"time_in_force": "gtc", **terms})


def book(*orders: Order, rules: FillRules = PLAIN, last: int = 100) -> Book:
    made = Book(ONE, rules, lambda order, price: order.qty)
    for each in orders:
        made.place(each, last)
    return made


def fills(happened: object) -> list[tuple[str, int, int]]:
    return [(each.order_id, each.qty, each.price) for each in happened if isinstance(each, Execution)]


def test_a_market_order_is_filled_at_the_open() -> None:
    assert fills(book(order("buy")).bar(bar(100, 103, 98, 101))) == [("a", 1, 100)]


@pytest.mark.parametrize(
    ("side", "stop", "open", "price"), [("buy", 105, 107, 107), ("buy", 105, 105, 105), ("sell", 95, 93, 93)]
)
def test_a_gap_through_a_stop_is_filled_at_the_open(side: str, stop: int, open: int, price: int) -> None:
    assert fills(book(order(side, stop_price=stop)).bar(bar(open, 110, 90, 100))) == [("a", 1, price)]


def test_a_stop_is_filled_where_the_path_touches_it() -> None:
    assert fills(book(order("buy", stop_price=110)).bar(bar(100, 110, 95, 100))) == [("a", 1, 110)]
    assert fills(book(order("buy", stop_price=111)).bar(bar(100, 110, 95, 100))) == []


@pytest.mark.parametrize(
    ("high", "low", "first"), [(104, 90, "above"), (110, 96, "below"), (105, 95, "below"), (103, 90, "above")]
)
def test_two_stops_in_one_bar_are_filled_in_the_order_of_the_path(high: int, low: int, first: str) -> None:
    """The nearer extreme is first; where the open is equidistant from both, the low."""
    made = book(order("buy", id="above", stop_price=103), order("sell", id="below", stop_price=97))
    assert fills(made.bar(bar(100, high, low, 100)))[0][0] == first


def test_of_two_levels_on_one_leg_the_nearer_is_first_and_at_one_price_the_older() -> None:
    far, near = order("buy", id="far", stop_price=108), order("buy", id="near", stop_price=104)
    assert [name for name, _, _ in fills(book(far, near).bar(bar(100, 110, 99, 100)))] == ["near", "far"]
    older, newer = order("buy", id="older", stop_price=104), order("sell", id="newer", limit_price=104)
    assert [name for name, _, _ in fills(book(older, newer).bar(bar(100, 110, 99, 100)))] == ["older", "newer"]


def test_a_limit_is_filled_at_a_better_open_else_at_its_level() -> None:
    assert fills(book(order("buy", limit_price=100)).bar(bar(98, 103, 97, 101))) == [("a", 1, 98)]
    assert fills(book(order("buy", limit_price=100)).bar(bar(102, 103, 100, 101))) == [("a", 1, 100)]
    assert fills(book(order("sell", limit_price=100)).bar(bar(102, 103, 100, 101))) == [("a", 1, 102)]


def test_through_ticks_asks_for_more_than_a_touch() -> None:
    rules = FillRules(None, through_ticks=1, slippage_ticks=0)
    assert fills(book(order("buy", limit_price=100), rules=rules).bar(bar(102, 103, 100, 101))) == []
    assert fills(book(order("buy", limit_price=100), rules=rules).bar(bar(102, 103, 99, 101))) == [("a", 1, 100)]
    assert fills(book(order("buy", limit_price=100), rules=rules).bar(bar(100, 103, 100, 101))) == []
    assert fills(book(order("buy", limit_price=100), rules=rules).bar(bar(99, 103, 99, 101))) == [("a", 1, 99)]


def test_a_limit_far_through_is_never_filled_outside_of_the_bar() -> None:
    rules = FillRules(None, through_ticks=3, slippage_ticks=0)
    assert fills(book(order("buy", limit_price=100), rules=rules).bar(bar(98, 98, 97, 97))) == [("a", 1, 98)]


def test_a_stop_limit_is_a_limit_from_where_it_triggered() -> None:
    """Up to 105 it is nothing; there the price is beyond its limit, which the path meets on the way down."""
    made = book(order("buy", stop_price=105, limit_price=103))
    assert fills(made.bar(bar(104, 106, 100, 101))) == [("a", 1, 103)]
    made = book(order("buy", stop_price=105, limit_price=103))
    assert fills(made.bar(bar(104, 110, 104, 110))) == []
    assert fills(made.bar(bar(109, 110, 102, 104))) == [("a", 1, 103)], "it stays a limit in the bars that follow"


def test_a_trailing_stop_follows_the_path() -> None:
    made = book(order("sell", trail=5), last=100)
    assert fills(made.bar(bar(101, 108, 100, 107))) == []
    assert fills(made.bar(bar(107, 110, 106, 108))) == []
    assert fills(made.bar(bar(108, 109, 104, 105))) == [("a", 1, 105)], "5 below the 110 of the bar before"
    made = book(order("sell", trail=5), last=100)
    assert fills(made.bar(bar(94, 95, 93, 94))) == [("a", 1, 94)], "a gap beyond it"


def test_an_order_that_a_fill_sets_free_counts_on_the_rest_of_the_path() -> None:
    made = book(order("buy", stop_price=104))
    happened = []
    for each in made.bar(bar(100, 110, 95, 96)):  # down to 95, up to 110, down to 96
        happened.append((each.order_id, each.price))
        if each.order_id == "a":
            made.place(order("sell", id="profit", limit_price=108), 0)
            made.place(order("sell", id="loss", stop_price=99), 0)
        else:
            made.cancel("loss")
    assert happened == [("a", 104), ("profit", 108)]


def test_a_bar_fills_at_most_its_share_over_all_orders_and_the_rest_goes_on_at_the_next_open() -> None:
    rules = FillRules(volume_share=0.025, slippage_ticks=0, through_ticks=0)
    made = book(order("buy", 20, "a"), order("buy", 20, "b"), rules=rules)
    assert fills(made.bar(bar(100, 101, 99, 100, volume=1000))) == [("a", 20, 100), ("b", 5, 100)]
    assert fills(made.bar(bar(103, 104, 102, 103, volume=399))) == [("b", 9, 103)]
    assert fills(made.bar(bar(105, 105, 105, 105, volume=0))) == []
    assert fills(made.bar(bar(106, 106, 106, 106, volume=5000))) == [("b", 6, 106)]


def test_what_older_runs_took_of_an_event_is_not_there_for_the_orders_of_this_one() -> None:
    rules, taken = FillRules(volume_share=0.5, slippage_ticks=0, through_ticks=0), [(3, 4)]
    made = Book(ONE, rules, lambda order, price: order.qty, lambda event, instrument: taken[0])
    for each in (order("buy", 20, "a"), order("sell", 6, "b"), order("buy", 5, "c", stop_price=101)):
        made.place(each, 100)
    assert fills(made.bar(bar(100, 101, 99, 100, volume=20))) == [("a", 3, 100)]
    taken[0] = (10, 10)  # it had another share
    assert fills(made.bar(bar(100, 101, 99, 100, volume=20))) == []
    taken[0] = (4, 5)
    assert fills(made.quote(Quote("X", 0, 0, 2, 0, 99, 103, 7, 9))) == [("a", 5, 103), ("b", 2, 99)]
    taken[0] = (0, 0)
    one = fills(made.trade(Trade("X", 0, 0, 3, 0, 98, 100)))
    assert one == [("a", 12, 98), ("b", 4, 98), ("c", 5, 98)], "the stop triggered, though nothing was left of its bar"


def test_without_a_share_nobody_is_asked_what_others_took() -> None:
    made = Book(ONE, PLAIN, lambda order, price: order.qty, lambda event, instrument: (1000, 1000))
    made.place(order("buy", 5), 100)
    assert fills(made.bar(bar(100, 101, 99, 100, volume=1))) == [("a", 5, 100)]


def test_a_stop_that_triggered_and_found_no_volume_is_a_market_order_at_the_next_open() -> None:
    rules = FillRules(volume_share=0.5, slippage_ticks=0)
    made = book(order("buy", 3, "a"), order("buy", 4, "b", stop_price=105), rules=rules)
    assert fills(made.bar(bar(100, 106, 99, 100, volume=6))) == [("a", 3, 100)]
    assert fills(made.bar(bar(101, 102, 101, 101, volume=100))) == [("b", 4, 101)]


def test_costs_are_against_market_and_stop_orders_and_not_limits() -> None:
    rules = FillRules(None, through_ticks=0, slippage_ticks=2, slippage_bps=100, half_spread_ticks=1)
    market, stop = order("buy", id="m"), order("sell", id="s", stop_price=95)
    made = book(market, stop, order("sell", id="l", limit_price=110), rules=rules)
    assert fills(made.bar(bar(100, 110, 94, 100))) == [("m", 1, 104), ("s", 1, 91), ("l", 1, 110)]


def test_immediate_orders_are_over_after_their_first_event() -> None:
    rules = FillRules(volume_share=1.0, slippage_ticks=0, through_ticks=0)
    made = book(
        order("buy", 5, "ioc", time_in_force="ioc"),
        order("buy", 5, "fok", time_in_force="fok"),
        order("buy", 5, "far", limit_price=50, time_in_force="ioc"),
        rules=rules,
    )
    happened = list(made.bar(bar(100, 101, 99, 100, volume=4)))
    assert fills(happened) == [("ioc", 4, 100)]
    assert [each.order_id for each in happened if isinstance(each, Ended)] == ["ioc", "fok", "far"]
    assert not made.orders


def test_outside_of_the_session_market_orders_wait() -> None:
    made = book(order("buy"), order("buy", id="b", limit_price=101), rules=FillRules(None, 0, 0))
    assert fills(made.bar(bar(100, 101, 99, 100), regular=False)) == [("b", 1, 100)]
    assert fills(made.bar(bar(103, 103, 103, 103))) == [("a", 1, 103)]


def test_day_orders_expire_with_the_session_and_the_others_stay() -> None:
    made = book(order("buy", id="day", limit_price=90, time_in_force="day"), order("buy", id="gtc", limit_price=90))
    assert made.close() == [], "tradingview knows no sessions"
    made = book(
        order("buy", id="day", limit_price=90, time_in_force="day"),
        order("buy", id="gtc", limit_price=90),
        rules=FillRules(),
    )
    assert [(each.order_id, each.state) for each in made.close()] == [("day", "expired")]
    assert list(made.orders) == ["gtc"]


def test_on_quotes_purchases_meet_the_ask_and_sales_the_bid_up_to_their_sizes() -> None:
    made = book(order("buy", 5, "b"), order("sell", 5, "s"), rules=FillRules(slippage_ticks=0))
    assert fills(made.quote(Quote("X", 0, 0, 1, 0, 99, 101, 2, 3))) == [("b", 3, 101), ("s", 2, 99)]
    assert fills(made.quote(Quote("X", 0, 0, 2, 0, float("nan"), 102, 9, 9))) == [("b", 2, 102)]


def test_on_trades_the_next_price_counts_and_a_share_of_its_size() -> None:
    made = book(order("buy", 5, "b"), rules=FillRules(volume_share=0.5, slippage_ticks=1, half_spread_ticks=1))
    assert fills(made.trade(Trade("X", 0, 0, 1, 0, 100, 4))) == [("b", 2, 102)]
    assert fills(made.trade(Trade("X", 0, 0, 2, 0, 101, 100))) == [("b", 3, 103)]


def test_levels_between_ticks_are_rounded_away_from_the_fill() -> None:
    euro = Instrument("EURUSD", tick=1e-5)
    assert euro.level(1.096894, Side.BUY, stop=True) == 109690
    assert euro.level(1.096894, Side.SELL, stop=True) == 109689
    assert euro.level(1.096896, Side.BUY, stop=False) == 109689
    assert euro.level(1.096896, Side.SELL, stop=False) == 109690
    for side in Side:
        for stop in (True, False):
            assert euro.level(109689 * 1e-5, side, stop) == euro.level(1.09689, side, stop) == 109689
            assert euro.level(1.09689 + 0.9e-9, side, stop) == 109689, "within 1e-4 of a tick"


PRICE = st.integers(90, 110)


@st.composite
def a_bar(draw: st.DrawFn) -> Bar:
    prices = sorted(draw(st.lists(PRICE, min_size=2, max_size=2)))
    inside = st.integers(prices[0], prices[1])
    return bar(draw(inside), prices[1], prices[0], draw(inside), draw(st.integers(0, 20)))


@st.composite
def an_order(draw: st.DrawFn) -> Order:
    levels = draw(
        st.sampled_from(
            [{}, {"limit_price": 0}, {"stop_price": 0}, {"limit_price": 0, "stop_price": 0}, {"trail": 0}],
        )
    )
    terms = {name: draw(st.integers(1, 6) if name == "trail" else PRICE) for name in levels}
    tif = draw(st.sampled_from(["gtc", "gtc", "gtc", "ioc", "fok"]))
    return order(draw(st.sampled_from(["buy", "sell"])), draw(st.integers(1, 9)), time_in_force=tif, **terms)


@settings(max_examples=examples(80), deadline=None)
@given(
    st.lists(st.tuples(st.lists(an_order(), max_size=4), a_bar()), min_size=1, max_size=6),
    st.builds(
        FillRules,
        volume_share=st.sampled_from([None, 0.5, 1.0]),
        through_ticks=st.integers(0, 3),
        slippage_ticks=st.integers(0, 2),
        half_spread_ticks=st.integers(0, 1),
    ),
)
def test_it_fills_as_the_plain_model_that_walks_every_tick(
    days: list[tuple[list[Order], Bar]], rules: FillRules
) -> None:
    fast, slow = book(rules=rules), SlowExchange(rules)
    count, last = 0, 100
    for orders, each in days:
        for one in orders:
            count += 1
            named = one._replace(order_id=f"o{count}")
            fast.place(named, last)
            slow.place(named, last)
        found = [
            (e.order_id, e.qty, e.price, e.liquidity) if isinstance(e, Execution) else (e.order_id, e.state)
            for e in fast.bar(each)
        ]
        assert found == slow.bar(each)
        last = int(each.close)
