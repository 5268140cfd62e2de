"""Alpaca's JSON in our words."""

from fractions import Fraction
from typing import Any

import pytest

from trading.brokers.alpaca_messages import execution_of, known_of, order_body, time_of, update_of
from trading.brokers.broker import Denied
from trading.events import Side
from trading.instruments import Instrument
from trading.orders import Kind, Order, State


def order(**given: Any) -> dict[str, Any]:
    fields = {"id": "b", "client_order_id": "tp-r-1-0", "symbol": "AAPL", "side": "buy", "status": "new"}
    return fields | {"qty": "5", "filled_qty": "0", "filled_avg_price": None, "updated_at": None} | given


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("new", "accepted"),
        ("pending_new", "accepted"),
        ("accepted", "accepted"),
        ("held", "accepted"),
        ("partially_filled", "accepted"),
        ("done_for_day", "accepted"),
        ("pending_cancel", "accepted"),
        ("pending_replace", "accepted"),
        ("calculated", "accepted"),
        ("suspended", "accepted"),
        ("stopped", "accepted"),
        ("filled", "filled"),
        ("canceled", "cancelled"),
        ("expired", "expired"),
        ("rejected", "rejected"),
        ("replaced", "replaced"),
    ],
)
def test_every_status_has_its_state(status: str, state: str) -> None:
    known = known_of(order(status=status), Instrument)
    assert known.state == State(state)
    assert known.cancelling == (status == "pending_cancel")


def test_a_strangers_order_is_not_read_whatever_is_in_it() -> None:
    stranger = {"client_order_id": "by-hand", "qty": None, "notional": "10.5"}
    assert update_of({"event": "fill", "order": stranger}, Instrument) is None


def test_events_of_a_cancel_or_replacement_that_was_refused_are_no_fill() -> None:
    for event in ("order_cancel_rejected", "order_replace_rejected", "pending_cancel"):
        told = update_of({"event": event, "order": order(filled_qty="2", filled_avg_price="1.5")}, Instrument)
        assert told is not None
        assert (told.executions, told.filled, told.paid) == ((), 2, 300)


def test_an_average_between_two_ticks_stays_exact() -> None:
    known = known_of(order(filled_qty="3", filled_avg_price="150.103333"), Instrument)
    assert known.paid == 3 * Fraction("15010.3333")


def test_a_short_sale_is_a_sale() -> None:
    activity = {
        "id": "x",
        "order_id": "b",
        "symbol": "AAPL",
        "side": "sell_short",
        "qty": "1",
        "cum_qty": "1",
        "price": "2",
    }
    assert execution_of(activity, Instrument).side is Side.SELL


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.1234567891Z", 123456789),
        ("1969-12-31T20:00:01.5-04:00", 1_500_000_000),
        ("1970-01-01T05:30:00+05:30", 0),
        (None, 0),
        ("yesterday", 0),
    ],
)
def test_times_to_the_nanosecond(text: str | None, ns: int) -> None:
    assert time_of(text) == ns


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (Kind.LIMIT, "limit_price"),
        (Kind.STOP, "stop_price"),
        (Kind.STOP_LIMIT, "limit_price"),
        (Kind.TRAILING, "trail"),
    ],
)
def test_an_order_without_its_price_is_refused_before_it_is_sent(kind: Kind, missing: str) -> None:
    names = {"order_id": "tp-r-1-0", "sym": "AAPL", "run": "r", "strategy": "s", "account": "a"}
    with pytest.raises(Denied, match=f"needs {missing}"):
        order_body(Order(**names, side=Side.BUY, kind=kind, qty=1), Instrument("AAPL"))
