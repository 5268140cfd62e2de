"""Binance's JSON in our words."""

from fractions import Fraction
from typing import Any

import pytest

from trading.brokers.binance_messages import Asset, error_of, executions_of, held_of, known_of, report_of
from trading.brokers.broker import Absent, Denied, Limited, Unclear
from trading.instruments import Instrument
from trading.orders import State

BTC = Asset("BTC", "USDT")


def instrument(sym: str) -> Instrument:
    return Instrument(sym, tick=0.01, lot=1e-5)


def event(**given: Any) -> dict[str, Any]:
    fields = {"e": "executionReport", "s": "BTCUSDT", "c": "tp-r-1-0", "C": "", "S": "BUY", "x": "NEW", "X": "NEW"}
    fields |= {"i": 7, "l": "0.00000000", "z": "0.00000000", "L": "0", "Z": "0", "n": "0", "N": None, "T": 5, "t": -1}
    return fields | {"r": "NONE", "m": False} | given


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", "accepted"),
        ("PENDING_NEW", "accepted"),
        ("PARTIALLY_FILLED", "accepted"),
        ("FILLED", "filled"),
        ("CANCELED", "cancelled"),
        ("REJECTED", "rejected"),
        ("EXPIRED", "expired"),
        ("EXPIRED_IN_MATCH", "expired"),
    ],
)
def test_every_status_has_its_state(status: str, state: str) -> None:
    told = report_of(event(X=status), instrument, BTC)
    assert told is not None
    assert told.state == State(state)


def test_a_cancel_names_the_order_in_capital_c() -> None:
    told = report_of(event(c="x1", C="tp-r-1-0", x="CANCELED", X="CANCELED"), instrument, BTC)
    assert told is not None
    assert told.order_id == "tp-r-1-0"
    assert report_of(event(c="tp-r-1-0", C="by-hand", x="CANCELED", X="CANCELED"), instrument, BTC) is None
    assert report_of(event(c="by-hand", C=None), instrument, BTC) is None


@pytest.mark.parametrize("asset", [BTC, None])
@pytest.mark.parametrize(
    ("currency", "money", "lots"), [("BTC", 60_000 * 10**3, Fraction(1)), ("USDT", 10**3, 0), ("BNB", 0, 0)]
)
def test_a_fee_is_of_the_base_the_quote_or_a_third_asset(asset: Asset, currency: str, money: int, lots: int) -> None:
    fill = event(x="TRADE", X="FILLED", l="0.01", z="0.01", L="60000.00", Z="600", n="0.00001", N=currency, t=9)
    told = report_of(fill, instrument, asset)
    assert told is not None
    (execution,) = told.executions
    assert (execution.commission, execution.fee_lots) == (money, lots)


def test_a_sum_that_is_not_known_is_less_than_0() -> None:
    order = {"symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "tp-r-1-0", "status": "FILLED", "executedQty": "0.01"}
    assert known_of(order | {"cummulativeQuoteQty": "-0.00000001"}, instrument).paid is None
    assert known_of(order | {"cummulativeQuoteQty": "600.0"}, instrument).paid == 1000 * 6_000_000


def test_what_is_held_is_free_and_locked() -> None:
    balances = [{"asset": "BTC", "free": "0.1", "locked": "0.2"}, {"asset": "LTC", "free": "0.0", "locked": "0"}]
    assert held_of({"balances": balances}) == {"BTC": Fraction(3, 10)}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"code":-2013,"msg":"Order does not exist."}', Absent),
        (400, '{"code":-2011,"msg":"Unknown order sent."}', Absent),
        (400, '{"code":-2011,"msg":"Order was not canceled due to cancel restrictions."}', Denied),
        (400, '{"error":{"code":-1102,"msg":"Mandatory parameter was not sent."}}', Denied),
        (418, '{"code":-1003,"msg":"banned"}', Limited),
        (400, '{"code":-1006,"msg":"Execution status unknown."}', Unclear),
        (504, "", Unclear),
        (302, "", Unclear),
        (404, "<html>", Unclear),
        (200, "not json", Unclear),
    ],
)
def test_what_an_answer_means(status: int, body: str, kind: type[Exception]) -> None:
    assert type(error_of(status, body, {}, 0.0)) is kind


def test_a_fill_has_an_id_of_its_own_though_venues_number_the_trades_of_each_symbol_from_1() -> None:
    """By fill_id the books and the plant's views tell fills apart, over all symbols and orders."""
    told, listed = [], []
    for sym, order in (("BTCUSDT", 7), ("ETHUSDT", 7), ("BTCUSDT", 8)):  # 7 and 8 of BTCUSDT filled each other
        fill = event(s=sym, i=order, x="TRADE", X="FILLED", l="0.01", z="0.01", L="60000.00", Z="600", t=77)
        known = report_of(fill, instrument, BTC)
        assert known is not None
        told += [one.fill_id for one in known.executions]
        trade = {"id": 77, "symbol": sym, "orderId": order, "qty": "0.01", "price": "60000.00", "commission": "0"}
        trade |= {"isBuyer": True, "isMaker": False, "time": 5}
        listed += [one.fill_id for one in executions_of([trade], instrument, BTC)]
    assert len(set(told)) == 3
    assert told == listed, "the socket and REST give one fill one id"
