"""Alpaca's adapter against a local server that speaks its protocol; and Alpaca's own client against the same server."""

import asyncio
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from broker_harness import adapter_of, exits_of, listening, news, order_of
from fake_alpaca import FakeAlpaca
from fake_broker import KEY, SECRET, FakeBroker, Refusal

from trading.brokers.alpaca import Alpaca
from trading.brokers.broker import Absent, Denied, Down, Duplicate, Known, Limited, Reference, Unclear, Up
from trading.brokers.credentials import Credentials
from trading.events import Side
from trading.orders import Kind, State


@pytest.fixture
def face() -> Iterator[FakeAlpaca]:
    with FakeAlpaca(FakeBroker()) as face:
        yield face


@pytest.fixture
def alpaca(face: FakeAlpaca) -> Iterator[Alpaca]:
    adapter = adapter_of(face)
    yield adapter
    adapter.close()


def test_an_order_goes_out_in_exact_decimals_and_comes_back_in_lots_and_ticks(face: FakeAlpaca, alpaca: Alpaca) -> None:
    order = order_of(face, qty=3, kind=Kind.STOP_LIMIT, limit_price=15025, stop_price=15000, time_in_force="gtc")
    known = alpaca.place(order)
    sent = face.broker.orders[order.order_id].fields
    assert sent == {
        "symbol": "AAPL",
        "qty": "3",
        "side": "buy",
        "type": "stop_limit",
        "time_in_force": "gtc",
        "client_order_id": "tp-r1-1-0",
        "limit_price": "150.25",
        "stop_price": "150",
    }
    assert (known.order_id, known.state, known.filled) == (order.order_id, State.ACCEPTED, 0)
    face.broker.execute(order.order_id, 2, "150.20")
    found = alpaca.find(known.reference)
    assert (found.state, found.filled, found.paid) == (State.ACCEPTED, 2, 2 * 15020)


def test_a_cancel_is_only_asked_for_and_found_by_our_id(face: FakeAlpaca, alpaca: Alpaca) -> None:
    order = order_of(face)
    alpaca.place(order)
    alpaca.cancel(Reference(order.order_id, "AAPL"))
    assert alpaca.find(Reference(order.order_id, "AAPL")).state is State.CANCELLED
    with pytest.raises(Denied, match="already in"):
        alpaca.cancel(Reference(order.order_id, "AAPL"))
    with pytest.raises(Absent):
        alpaca.cancel(Reference("tp-r1-9-0", "AAPL"))


@pytest.mark.parametrize("fate", ["lost", "cut", "hang", "broken", "busy"])
def test_without_an_answer_that_tells_it_is_not_known_and_nothing_is_sent_again(
    face: FakeAlpaca, alpaca: Alpaca, fate: str
) -> None:
    face.broker.fates.append(fate)
    with pytest.raises(Unclear):
        alpaca.place(order_of(face))
    assert len(face.requests) == 1
    assert face.broker.arrivals["tp-r1-1-0"] == (fate in ("cut", "hang", "broken"))


def test_refusals_are_told_apart(face: FakeAlpaca, alpaca: Alpaca) -> None:
    alpaca.place(order_of(face))
    with pytest.raises(Duplicate, match="must be unique"):
        alpaca.place(order_of(face))
    face.broker.refuse_with = Refusal(403, {"code": 40310000, "message": "insufficient buying power"})
    with pytest.raises(Denied, match=r"insufficient buying power \(HTTP 403") as denied:
        alpaca.place(order_of(face, 2))
    assert not isinstance(denied.value, Duplicate)
    with pytest.raises(Absent):
        alpaca.find(Reference("tp-r1-9-0", "AAPL"))
    with pytest.raises(Denied, match="times in force are"):
        alpaca.place(order_of(face, 3, time_in_force="gtd"))
    assert "tp-r1-3-0" not in face.broker.arrivals


def test_after_429_nothing_is_sent_until_it_may_be(face: FakeAlpaca, alpaca: Alpaca) -> None:
    face.broker.fates.append("limited")
    with pytest.raises(Limited) as limited:
        alpaca.cash()
    assert limited.value.retry_s == 1
    alpaca._pace.pause(50, alpaca._clock())
    asked = len(face.requests)
    with pytest.raises(Limited, match="not sent"):
        alpaca.place(order_of(face))
    assert len(face.requests) == asked


def test_lists_are_read_to_their_last_page_and_strangers_left_out(face: FakeAlpaca, alpaca: Alpaca) -> None:
    for seq in range(1, 4):
        alpaca.place(order_of(face, seq, qty=100))
    face.broker.place("by-hand", "AAPL", "buy", Fraction(1), {"type": "market", "time_in_force": "day"})
    assert {one.order_id for one in alpaca.open_orders()} == {f"tp-r1-{seq}-0" for seq in (1, 2, 3)}
    face.broker.end("tp-r1-2-0")
    states = {one.order_id: one.state for one in alpaca.orders(0)}
    assert states == {f"tp-r1-{n}-0": State.CANCELLED if n == 2 else State.ACCEPTED for n in (1, 2, 3)}
    assert alpaca.orders(time.time_ns() + 10**9) == []
    for number in range(120):
        face.broker.execute(f"tp-r1-{1 + number % 3}-0", 1, 100 + number % 7, told=False)
    executions = alpaca.executions(0)
    assert len(executions) == 120
    assert sum(request[1].endswith("/FILL") for request in face.requests) == 2
    first = alpaca.find(Reference("tp-r1-1-0", "AAPL")).broker_id
    one = sorted(
        (e for e in executions if e.broker_id == first),
        key=lambda e: e.cumulative,
    )
    assert [e.cumulative for e in one] == list(range(1, 41))
    assert alpaca.executions_of(Reference("tp-r1-1-0", "AAPL")) == sorted(one, key=lambda e: executions.index(e))
    assert alpaca.executions(time.time_ns() + 10**9) == []


def test_a_pair_is_one_order_whose_stop_is_found_by_the_target(face: FakeAlpaca, alpaca: Alpaca) -> None:
    face.broker.moved = {"AAPL": Fraction(5)}
    stop, target = exits_of(face)
    known, leg = alpaca.place_pair(target, stop)
    sent = {name: value for name, value in face.broker.orders[target.order_id].fields.items() if name != "limit_price"}
    assert sent == {
        "symbol": "AAPL",
        "qty": "5",
        "side": "sell",
        "type": "limit",
        "time_in_force": "gtc",
        "client_order_id": "tp-r1-1-1",
        "order_class": "oco",
        "take_profit": {"limit_price": "110"},
        "stop_loss": {"stop_price": "90"},
    }
    assert (known.order_id, leg.order_id, leg.leg_of, leg.state) == ("tp-r1-1-1", "", "tp-r1-1-1", State.ACCEPTED)
    for broker_id in ("", leg.broker_id):
        assert alpaca.find(Reference(stop.order_id, "AAPL", broker_id, target.order_id)).broker_id == leg.broker_id
    assert [(one.order_id, one.leg_of) for one in alpaca.open_orders()] == [("tp-r1-1-1", ""), ("", "tp-r1-1-1")]
    assert [one.broker_id for one in alpaca.orders(0)] == [known.broker_id, leg.broker_id]
    with pytest.raises(Denied, match=r"insufficient qty available for order \(requested: 1, available: 0\)"):
        alpaca.place(order_of(face, 2, qty=1, side=Side.SELL))
    face.broker.execute(target.order_id, 2, 110)
    reference = Reference(stop.order_id, "AAPL", "", target.order_id)
    assert (alpaca.find(reference).qty, alpaca.find(reference).filled) == (3, 0)
    face.broker.execute(face.broker.orders[target.order_id].other, 3, 90)
    assert [(e.qty, e.price, e.broker_id) for e in alpaca.executions_of(reference)] == [(3, 9_000, leg.broker_id)]
    assert alpaca.find(Reference(target.order_id, "AAPL")).state is State.CANCELLED


def test_a_cancel_of_one_cancels_both_and_a_pair_that_is_not_there_is_absent(face: FakeAlpaca, alpaca: Alpaca) -> None:
    face.broker.moved = {"AAPL": Fraction(5)}
    stop, target = exits_of(face)
    reference = Reference(stop.order_id, "AAPL", "", target.order_id)
    with pytest.raises(Absent):
        alpaca.find(reference)
    alpaca.place(order_of(face, 2, side=Side.SELL))
    with pytest.raises(Absent, match="no stop with it"):
        alpaca.find(Reference(stop.order_id, "AAPL", "", "tp-r1-2-0"))
    alpaca.cancel(Reference("tp-r1-2-0", "AAPL"))
    alpaca.place_pair(target, stop)
    with pytest.raises(Duplicate):
        alpaca.place_pair(target, stop)
    alpaca.cancel(reference)
    assert {one.status for one in face.broker.orders.values()} == {"canceled"}
    with pytest.raises(Denied, match="takes a pair as day and gtc; found 'ioc'"):
        alpaca.place_pair(target._replace(time_in_force="ioc"), stop)


def test_a_stop_that_another_order_took_the_place_of_is_that_order(
    face: FakeAlpaca, alpaca: Alpaca, monkeypatch: pytest.MonkeyPatch
) -> None:
    face.broker.moved = {"AAPL": Fraction(10)}
    stop, target = exits_of(face)
    _, leg = alpaca.place_pair(target, stop)
    face.broker.place("another", "AAPL", "sell", Fraction(5), {"type": "stop", "time_in_force": "gtc"})
    own, replaced_by = face._json, {"name": "another"}

    def json_of(order: Any, nested: bool = False) -> dict[str, Any]:
        told = own(order, nested)
        if told["id"] == leg.broker_id:
            told |= {"status": "replaced", "replaced_by": own(face.broker.orders[replaced_by["name"]])["id"]}
        return told

    monkeypatch.setattr(face, "_json", json_of)
    reference = Reference(stop.order_id, "AAPL", leg.broker_id, target.order_id)
    face.broker.execute("another", 5, 90)
    assert (alpaca.find(reference).state, alpaca.find(reference).filled) == (State.FILLED, 5)
    assert [e.qty for e in alpaca.executions_of(reference)] == [5]
    replaced_by["name"] = target.order_id
    assert alpaca.find(reference).state is State.REPLACED, "its target is an order of its own"


def test_the_order_socket_tells_of_a_stop_by_alpacas_id(face: FakeAlpaca, alpaca: Alpaca) -> None:
    listening(alpaca)
    face.broker.moved = {"AAPL": Fraction(5)}
    stop, target = exits_of(face)
    _, leg = alpaca.place_pair(target, stop)
    face.broker.execute(face.broker.orders[target.order_id].other, 5, 90)
    told = [one for one in news(alpaca, lambda told: len(told) == 4) if isinstance(one, Known)]
    assert [(one.order_id, one.state) for one in told] == [
        (target.order_id, State.ACCEPTED),
        ("", State.ACCEPTED),
        ("", State.FILLED),
        (target.order_id, State.CANCELLED),
    ]
    assert [(e.order_id, e.broker_id) for one in told for e in one.executions] == [("", leg.broker_id)]
    face.send(b'{"stream":"trade_updates","data":{"event":"fill","order":{"client_order_id":"mleg","legs":[]}}}')
    assert alpaca.events(0.2) == [], "a stranger's that cannot be read"


def test_the_venues_own_instruments(alpaca: Alpaca) -> None:
    found = alpaca.instruments(["AAPL", "TINY"])
    assert [(one.sym, one.tick, one.lot, one.shortable, one.source) for one in found] == [
        ("AAPL", 0.01, 1.0, True, "alpaca"),
        ("TINY", 0.01, 1.0, False, "alpaca"),
    ]


def test_positions_and_cash_are_lots_and_1e_minus_8(face: FakeAlpaca, alpaca: Alpaca) -> None:
    face.broker.cash = Fraction("1234.56")
    face.broker.moved = {"AAPL": Fraction(5), "TSLA": Fraction(-3)}
    assert alpaca.positions() == {"AAPL": 5, "TSLA": -3}
    assert alpaca.cash() == 123_456_000_000


def test_the_order_socket_tells_fills_with_what_is_filled_by_them(face: FakeAlpaca, alpaca: Alpaca) -> None:
    listening(alpaca)
    order = order_of(face)
    alpaca.place(order)
    face.broker.execute(order.order_id, 2, "150.10")
    face.broker.execute(order.order_id, 3, "150.20")
    told = [one for one in news(alpaca, lambda told: len(told) == 3) if isinstance(one, Known)]
    assert [one.state for one in told] == [State.ACCEPTED, State.ACCEPTED, State.FILLED]
    fills = [e for one in told for e in one.executions]
    assert [(e.qty, e.price, e.cumulative, e.side) for e in fills] == [(2, 15010, 2, Side.BUY), (3, 15020, 5, Side.BUY)]
    assert fills[0].fill_id != alpaca.executions(0)[0].fill_id, "the fake gives them other ids, as Alpaca does"


def test_a_lost_order_socket_is_told_and_opened_again(face: FakeAlpaca, alpaca: Alpaca) -> None:
    listening(alpaca)
    face.drop()
    told = news(alpaca, lambda told: Up() in told)
    assert isinstance(told[0], Down)
    assert face.connections == 2


def test_a_message_that_cannot_be_read_ends_the_connection_so_that_a_survey_finds_what_it_said(
    face: FakeAlpaca, alpaca: Alpaca
) -> None:
    listening(alpaca)
    face.send(b'{"stream":"trade_updates","data":{"event":"fill"}}')
    (down,) = news(alpaca, lambda told: told)
    assert down == Down("a message that cannot be read: KeyError")


def test_keys_that_are_refused_are_tried_again_only_after_a_minute(face: FakeAlpaca) -> None:
    adapter = adapter_of(face, Credentials(KEY, "another"), clock=time.monotonic)
    try:
        (down,) = news(adapter, lambda told: told)
        assert isinstance(down, Down)
        assert "the key was refused" in down.reason
        assert adapter._socket.retry_in_s > 50
        with pytest.raises(Denied, match="unauthorized") as denied:
            adapter.cash()
        assert KEY not in str(denied.value), "the server echoes it"
    finally:
        adapter.close()


def test_alpacas_own_client_is_content_with_the_fake(face: FakeAlpaca) -> None:
    """A stranger's word that the fake speaks Alpaca's protocol, as far as we use it."""
    trading = pytest.importorskip("alpaca.trading.client")
    from alpaca.trading.enums import OrderClass, OrderSide, TimeInForce
    from alpaca.trading.requests import GetOrdersRequest, LimitOrderRequest, StopLossRequest, TakeProfitRequest

    client = trading.TradingClient(KEY, SECRET, paper=True, url_override=face.http)
    wanted = LimitOrderRequest(
        symbol="AAPL",
        qty=5,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.DAY,
        limit_price=150.25,
        client_order_id="stranger-1",
    )
    made = client.submit_order(wanted)
    assert (made.client_order_id, made.status.value, float(made.qty)) == ("stranger-1", "new", 5.0)
    assert client.get_order_by_client_id("stranger-1").id == made.id
    face.broker.execute("stranger-1", 2, "150.20")
    assert [float(one.filled_qty) for one in client.get_orders(GetOrdersRequest())] == [2.0]
    assert [(one.symbol, float(one.qty)) for one in client.get_all_positions()] == [("AAPL", 2.0)]
    assert client.get_account().currency == "USD"
    client.cancel_order_by_id(made.id)
    assert client.get_order_by_id(made.id).status.value == "canceled"
    pair = LimitOrderRequest(
        symbol="AAPL",
        qty=2,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OCO,
        take_profit=TakeProfitRequest(limit_price=160),
        stop_loss=StopLossRequest(stop_price=140),
    )
    oco = client.submit_order(pair)
    assert [(leg.type.value, leg.status.value, float(leg.stop_price)) for leg in oco.legs] == [("stop", "held", 140.0)]
    listed = [client.get_orders(GetOrdersRequest(nested=nested)) for nested in (True, False)]
    assert [len(one.legs or ()) for each in listed for one in each] == [1, 0], "a held one is not open by itself"
    error = pytest.importorskip("alpaca.common.exceptions").APIError
    with pytest.raises(error, match="must be unique"):
        client.submit_order(wanted)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_alpacas_own_stream_is_content_with_the_fake(face: FakeAlpaca) -> None:
    stream_of = pytest.importorskip("alpaca.trading.stream").TradingStream
    stream = stream_of(KEY, SECRET, paper=True, url_override=face.stream_url)
    told: list[Any] = []

    async def heard(update: Any) -> None:
        told.append(
            (
                str(getattr(update.event, "value", update.event)),
                update.execution_id is not None,
                update.qty,
                float(update.order.filled_qty),
            )
        )

    stream.subscribe_trade_updates(heard)
    thread = threading.Thread(target=lambda: asyncio.run(stream._run_forever()))
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not face.listeners:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        face.broker.place("x", "AAPL", "buy", Fraction(5), {"type": "market", "time_in_force": "day"})
        face.broker.execute("x", 5, 100)
        while len(told) < 2:
            assert time.monotonic() < deadline, told
            time.sleep(0.01)
        assert told == [("new", False, None, 0.0), ("fill", True, 5.0, 5.0)]
    finally:
        stream.stop()
        face.send(b'{"stream":"listening","data":{"streams":[]}}')  # it looks whether to stop at a message only
        thread.join(10)
