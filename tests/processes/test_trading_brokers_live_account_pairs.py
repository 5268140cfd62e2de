"""A target and a stop of one position at a fake Alpaca and a fake Binance: both there, and one of them filled."""

import time
from collections.abc import Iterator

import broker_harness
import pytest
from broker_harness import FAST, Trader, exits_of
from fake_alpaca import FakeAlpaca
from fake_binance import FakeBinance
from fake_broker import FakeBroker, FakeOrder, Refusal

from trading.brokers.broker import Denied
from trading.events import Side
from trading.instruments import exact
from trading.orders import Order, State

FACES = {"alpaca": FakeAlpaca, "binance": FakeBinance}


@pytest.fixture(params=list(FACES))
def trader(request: pytest.FixtureRequest) -> Iterator[Trader]:
    """Return a trader that holds 10 lots, which no order made."""
    if request.param == "binance":
        pytest.importorskip("ccxt")
    with FACES[request.param](FakeBroker()) as face:
        trader = Trader(face)
        stop, _ = exits_of(face)
        lot = exact(trader.account._broker._instruments(stop.sym).lot)  # type: ignore[attr-defined]
        face.broker.moved, trader.journal.lots[stop.sym] = {stop.sym: 10 * lot}, 10
        trader.unit = lot  # type: ignore[attr-defined]
        trader.ready()
        yield trader
        trader.close()


def placed(trader: Trader, seq: int = 1, state: State = State.ACCEPTED) -> tuple[str, str]:
    """Place a pair and wait until both are in a state; return the ids of stop and target."""
    both = exits_of(trader.face, seq)
    for order in both:
        trader.journal.orders.add(order)
        trader.journal.all[order.order_id] = order
    for order in both:
        trader._book(trader.account.place(order))
    trader.until(lambda: all(trader.order(one.order_id).state is state for one in both))
    return both[0].order_id, both[1].order_id


def there(trader: Trader, name: str) -> FakeOrder:
    """Return an order as the broker has it: Alpaca has the stop under another id."""
    orders = trader.face.broker.orders
    return orders.get(name) or orders[orders[trader.order(name).pair].other]


def execute(trader: Trader, name: str, lots: int, price: int, told: bool = True) -> None:
    trader.face.broker.execute(there(trader, name).client_id, lots * trader.unit, price, told)  # type: ignore[attr-defined]


def ended(trader: Trader, *names: str) -> list[tuple[str, int, int]]:
    """Wait until orders are done; return state, lots filled, and lots of each."""
    trader.until(lambda: all(trader.order(name).done for name in names), 40)
    orders: list[Order] = [trader.order(name) for name in names]
    assert [one for one in trader.journal.findings if one.halts] == []
    return [(str(one.state), one.filled, one.qty) for one in orders]


def test_two_pairs_hold_a_position_and_a_third_is_refused(trader: Trader) -> None:
    names = (*placed(trader), *placed(trader, 2))
    assert {there(trader, name).status for name in names} <= {"open", "held"}
    stop, target = placed(trader, 3, State.REJECTED)
    assert "insufficient" in trader.order(stop).reason
    assert trader.order(stop).reason == trader.order(target).reason
    assert trader.order(names[0]).broker_id != trader.order(names[1]).broker_id


@pytest.mark.parametrize("filled", ["stop", "target"])
def test_a_fill_of_one_is_the_end_of_the_other(trader: Trader, filled: str) -> None:
    stop, target = placed(trader)
    one, other = (stop, target) if filled == "stop" else (target, stop)
    execute(trader, one, 5, 100)
    (_, (state, lots, _)) = ended(trader, one, other)
    assert state in ("cancelled", "expired")
    assert (trader.order(one).filled, lots) == (5, 0)
    assert trader.order(other).reason in ("", f"{one}, the other of its pair, was filled")


def test_a_target_that_is_filled_in_part_leaves_what_the_broker_says(trader: Trader) -> None:
    stop, target = placed(trader)
    execute(trader, target, 3, 110)
    trader.until(lambda: trader.order(target).filled == 3)
    if isinstance(trader.face, FakeAlpaca):
        execute(trader, stop, 2, 90)
        assert ended(trader, stop, target) == [("filled", 2, 2), ("cancelled", 3, 5)]
    else:
        execute(trader, target, 2, 110)
        assert ended(trader, stop, target) == [("expired", 0, 5), ("filled", 5, 5)]
    assert trader.journal.positions()[trader.order(stop).sym] == 5


def test_a_cancel_of_one_is_a_cancel_of_both(trader: Trader) -> None:
    stop, target = placed(trader)
    trader.cancel(stop)
    assert ended(trader, stop, target) == [("cancelled", 0, 5)] * 2
    assert trader.order(target).reason == f"{stop}, the other of its pair, was cancelled: the broker has them as one"


@pytest.mark.parametrize("fate", ["cut", "hang", "broken", "late"])
def test_a_pair_whose_answer_is_lost_is_found_and_not_sent_again(trader: Trader, fate: str) -> None:
    trader.face.broker.fates.append(fate)
    stop, target = placed(trader)
    assert trader.face.broker.arrivals[target] == 1
    assert trader.order(stop).broker_id
    execute(trader, stop, 5, 90)
    assert [state for state, *_ in ended(trader, stop)] == ["filled"]


def test_a_pair_that_never_arrived_is_rejected_as_both_after_15_s(trader: Trader) -> None:
    trader.face.broker.fates.append("lost")
    begun = time.monotonic()
    placed(trader, state=State.REJECTED)
    assert (time.monotonic() - begun) * FAST >= 15


def test_a_restart_between_sending_and_hearing_finds_both_and_what_was_filled(trader: Trader) -> None:
    stop, target = exits_of(trader.face)
    for order in (stop, target):
        trader.journal.orders.add(order)
        trader.journal.all[order.order_id] = order
    trader.account.close()
    trader.account._broker.place_pair(target, stop)  # type: ignore[attr-defined]  # and its answer was not heard
    execute(trader, stop.order_id, 5, 90)
    trader.restart()
    assert {trader.order(one.order_id).state for one in (stop, target)} == {State.UNKNOWN}
    assert ended(trader, stop.order_id, target.order_id)[0] == ("filled", 5, 5)
    assert trader.face.broker.arrivals[target.order_id] == 1


def test_a_refusal_is_both_orders_with_the_brokers_words(trader: Trader) -> None:
    trader.face.broker.refuse_with = Refusal(403, {"code": 1, "message": "no such luck", "msg": "no such luck"})
    stop, target = placed(trader, state=State.REJECTED)
    assert "no such luck" in trader.order(stop).reason
    assert "no such luck" in trader.order(target).reason


def test_a_broker_that_has_no_pairs_is_sent_two_orders_and_takes_the_first(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = broker_harness.adapter_of

    def without_pairs(*given: object, **terms: object) -> object:
        adapter = made(*given, **terms)  # type: ignore[arg-type]
        adapter.__class__ = type("WithoutPairs", (type(adapter),), {"place_pair": None})
        return adapter

    monkeypatch.setattr(broker_harness, "adapter_of", without_pairs)
    trader.restart()
    trader.ready()
    assert not trader.account.pairs
    first, second = (order._replace(qty=10) for order in exits_of(trader.face))
    for order in (first, second):
        trader.place(order)
    trader.until(lambda: trader.order(second.order_id).done)
    assert (trader.order(first.order_id).state, trader.order(second.order_id).state) == ("accepted", "rejected")


def test_what_is_no_pair_to_the_broker_is_refused_before_it_is_sent(trader: Trader) -> None:
    stop, target = exits_of(trader.face)
    wrong = {"time_in_force": "ioc"} if isinstance(trader.face, FakeAlpaca) else {"side": Side.BUY}
    with pytest.raises(Denied, match="not sent: "):
        trader.account._broker.place_pair(target._replace(**wrong), stop)  # type: ignore[attr-defined]
    assert not trader.face.broker.arrivals
