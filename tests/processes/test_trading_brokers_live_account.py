"""A whole account against a fake broker over HTTP and WebSocket: what goes wrong on the way, and equal books."""

import logging
import random
import time
import traceback
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import chance
import pytest
from broker_harness import FAST, Trader, adapter_of, exits_of, instruments, order_of
from chance import times
from fake_alpaca import FakeAlpaca
from fake_binance import FakeBinance
from fake_broker import KEY, OPEN, SECRET, FakeBroker, FakeOrder, Refusal

from plant.transport.secret import Secret
from trading.brokers.credentials import Credentials
from trading.brokers.desk.reconciliation import What
from trading.events import OrderReport, Side
from trading.orders import FINAL, State

FACES = {"alpaca": FakeAlpaca, "binance": FakeBinance}


def face_of(name: str, broker: FakeBroker) -> Any:
    if name == "binance":
        pytest.importorskip("ccxt")
    return FACES[name](broker)


@pytest.fixture(params=list(FACES))
def trader(request: pytest.FixtureRequest) -> Iterator[Trader]:
    with face_of(request.param, FakeBroker()) as face:
        trader = Trader(face)
        trader.ready()
        yield trader
        trader.close()


def lot(trader: Trader) -> Fraction:
    """Units of one lot of what is traded."""
    return Fraction(1) if isinstance(trader.face, FakeAlpaca) else Fraction(1, 100_000)


def placed(trader: Trader, seq: int = 1, **given: Any) -> str:
    """Place an order and wait until the broker has it and says so."""
    order = order_of(trader.face, seq, **given)
    trader.place(order)
    trader.until(lambda: trader.order(order.order_id).state is State.ACCEPTED)
    return order.order_id


def agree(trader: Trader) -> None:
    """Check that each order is as the broker has it, arrived once at most, and that no position is in doubt."""
    broker = trader.face.broker
    assert max(broker.arrivals.values(), default=0) <= 1, broker.arrivals
    for name, order in trader.journal.all.items():
        at_broker = there(trader, name)
        if at_broker is None:
            assert order.state in (State.REJECTED, State.CANCELLED), order
            assert order.filled == 0, order
            continue
        instrument = instruments(order.sym)
        assert instrument.qty(order.filled) == float(at_broker.filled), (order, at_broker)
        paid = at_broker.paid / (Fraction(str(instrument.tick)) * Fraction(str(instrument.lot)))
        assert order.paid == paid, (order, at_broker)
    bad = [one for one in trader.journal.findings if one.what not in (What.FEE, What.CASH, What.ADOPTED)]
    assert not bad, bad


def there(trader: Trader, name: str) -> FakeOrder | None:
    """Return an order as the broker has it: Alpaca has the stop of a pair under another id."""
    orders, pair = trader.face.broker.orders, trader.order(name).pair
    return orders.get(name) or (orders.get(orders[pair].other) if pair in orders else None)


@pytest.mark.parametrize("fate", ["cut", "hang", "broken", "late"])
def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again(trader: Trader, fate: str) -> None:
    trader.face.broker.fates.append(fate)
    placed(trader)
    states = [one.state for one in trader.told if isinstance(one, OrderReport)]
    assert states == ["unknown", "accepted"] or states[:1] == ["accepted"], "unless the order socket was first"
    agree(trader)


@pytest.mark.parametrize("fate", ["lost", "busy"])
def test_an_order_that_never_arrived_is_rejected_after_15_s_and_not_before(trader: Trader, fate: str) -> None:
    trader.face.broker.fates.append(fate)
    begun = time.monotonic()
    order = order_of(trader.face)
    trader.place(order)
    trader.until(lambda: trader.order(order.order_id).done)
    assert (time.monotonic() - begun) * FAST >= 15
    assert trader.order(order.order_id).state is State.REJECTED
    agree(trader)


def test_fills_told_twice_late_and_out_of_order_are_booked_once_each_at_their_price(trader: Trader) -> None:
    name, face, unit = placed(trader), trader.face, lot(trader)
    frames: list[Any] = []
    send = face.send
    face.send = frames.append  # type: ignore[method-assign]
    for qty, price in ((1, 100), (2, 101), (2, 103)):
        face.broker.execute(name, qty * unit, price)
    face.send = send  # type: ignore[method-assign]
    for number in (1, 2, 0, 1, 0, 2):
        face.send(frames[number])
    trader.until(lambda: trader.order(name).state is State.FILLED)
    fills = [(one.fill.qty, one.fill.price) for one in trader.told if isinstance(one, OrderReport) and one.fill]
    assert fills == [(1, 10000), (2, 10100), (2, 10300)]
    agree(trader)


def test_a_fill_that_the_socket_never_tells_is_fetched(trader: Trader) -> None:
    name, unit = placed(trader), lot(trader)
    trader.face.broker.execute(name, 2 * unit, 100, told=False)
    trader.face.broker.execute(name, 3 * unit, 101)
    trader.until(lambda: trader.order(name).state is State.FILLED)
    agree(trader)


def test_a_fill_after_the_cancel_is_booked_and_the_order_stays_cancelled(trader: Trader) -> None:
    name, unit = placed(trader), lot(trader)
    trader.face.broker.execute(name, unit, 100)
    trader.cancel(name)
    trader.until(lambda: trader.order(name).state is State.CANCELLED)
    trader.face.broker.execute(name, 2 * unit, 101)
    trader.until(lambda: trader.order(name).filled == 3)
    assert trader.order(name).state is State.CANCELLED
    agree(trader)


def test_a_cancel_is_done_when_the_broker_says_so_also_if_its_answer_or_its_event_is_lost(trader: Trader) -> None:
    for seq, fate in enumerate(("cut", "lost", "busy"), 1):
        name = placed(trader, seq)
        trader.face.broker.fates.append(fate)
        trader.cancel(name)
        assert trader.order(name).state is State.CANCELLING
        trader.until(lambda name=name: trader.order(name).done)
        assert trader.face.broker.orders[name].status == "canceled"
    agree(trader)


def test_the_socket_drops_with_a_fill_in_between_and_no_order_goes_out_until_it_is_reconciled(trader: Trader) -> None:
    name, unit = placed(trader), lot(trader)
    trader.face.drop()
    trader.face.broker.execute(name, 2 * unit, 100)
    trader.until(lambda: not trader.account.ready)
    held = order_of(trader.face, 2)
    trader.place(held)
    assert held.order_id not in trader.face.broker.arrivals
    # On a slow machine it is held for too long, and rejected.
    trader.until(lambda: trader.order(held.order_id).state is not State.SUBMITTING, 30)
    if trader.face.broker.arrivals[held.order_id]:
        assert trader.order(name).filled == 2, "booked before the next order"
    trader.until(lambda: trader.order(name).filled == 2, 30)
    agree(trader)


def test_a_restart_finds_what_happened_meanwhile(trader: Trader) -> None:
    name, gone, unit = placed(trader), placed(trader, 2), lot(trader)
    trader.face.broker.execute(name, unit, 100)
    trader.until(lambda: trader.order(name).filled == 1)
    trader.account.close()
    trader.face.broker.execute(name, 4 * unit, 101)
    trader.face.broker.end(gone)
    never = order_of(trader.face, 3)
    trader.journal.orders.add(never)
    trader.journal.all[never.order_id] = never
    trader.restart()
    assert trader.order(never.order_id).state is State.UNKNOWN
    trader.until(lambda: all(order.done for order in trader.journal.all.values()))
    assert [order.state for order in trader.journal.all.values()] == ["filled", "cancelled", "rejected"]
    agree(trader)


def test_an_order_the_journal_lacks_is_cancelled_and_a_strangers_is_not(trader: Trader) -> None:
    fields = dict(trader.face.broker.orders[placed(trader)].fields)
    sym = order_of(trader.face).sym
    for name in ("tp-lost-1-0", "by-hand"):
        trader.face.broker.place(name, sym, "buy", lot(trader), fields)
    trader.until(lambda: trader.face.broker.orders["tp-lost-1-0"].status == "canceled")
    trader.until(lambda: any(one.what is What.ORPHAN for one in trader.journal.findings))
    assert trader.face.broker.orders["by-hand"].status == "open"


def test_a_position_made_by_hand_is_told_once_and_halts(trader: Trader) -> None:
    sym = order_of(trader.face).sym
    trader.face.broker.moved = {sym: 7 * lot(trader)}
    trader.until(lambda: any(one.what is What.POSITION for one in trader.journal.findings))
    (found,) = [one for one in trader.journal.findings if one.what is What.POSITION]
    assert (found.sym, found.ours, found.theirs, found.halts) == (sym, 0, 7, True)


def test_keys_are_in_nothing_that_comes_out(trader: Trader, caplog: pytest.LogCaptureFixture) -> None:
    """Logs of all libraries at DEBUG, reports, findings, state, errors with all that hangs on them, and reprs."""
    caplog.set_level(logging.DEBUG)
    broker = trader.face.broker
    outputs: list[str] = []
    adapter = adapter_of(trader.face)
    wrong = adapter_of(trader.face, Credentials(KEY, "wrong-" + SECRET))
    broker.refuse_with = Refusal(403, {"code": 1, "message": f"no {KEY} {SECRET}", "msg": f"no {KEY} {SECRET}"})
    refused = order_of(trader.face)
    trader.place(refused)
    trader.until(lambda: trader.order(refused.order_id).state is not State.SUBMITTING)
    broker.refuse_with = None
    try:
        for one in (adapter, wrong):
            for fate in ("answer", "cut", "broken", "hang", "limited", "answer"):
                broker.fates.append(fate)
                try:
                    outputs.append(repr(one.cash()))
                except Exception as error:
                    outputs += traceback.format_exception(error)
                    outputs += _all_of(error)
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline and len(outputs) < 1000:
                told = one.events(0.05)
                outputs += map(repr, told)
                if told:
                    break
            outputs += [repr(one), repr(vars(one)), repr(one._socket), one._socket.trouble]
    finally:
        adapter.close()
        wrong.close()
    trader.face.drop()
    trader.until(lambda: not trader.account.ready)
    outputs += map(repr, trader.told)
    outputs += map(repr, trader.journal.all.values())
    outputs += [trader.account.state, repr(trader.account), repr(vars(trader.account))]
    outputs += [
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name != "websockets.server"
    ]
    text = "\n".join(outputs)
    assert "REDACTED" not in text, "a word of ours that was meant to be ***"
    assert len(outputs) > 20
    for secret in (KEY, SECRET):
        for form in Secret(secret)._forms:
            assert not [line for line in text.splitlines() if form in line]


def _all_of(error: BaseException | None) -> list[str]:
    """Return all that hangs on an error: its causes and contexts, and what their attributes show."""
    found = []
    while error is not None:
        found += [repr(error), repr(vars(error)), repr(getattr(getattr(error, "request", None), "headers", ""))]
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize("name", list(FACES))
@times("rounds", soak=100, timeout_s=3600)
def test_no_order_twice_and_none_lost_whatever_the_network_does(name: str, rounds: int) -> None:
    """Each round some seconds of orders, cancels, drops, restarts, faults of every kind; then books are compared."""
    rounds = 1 if rounds == chance.FEW else rounds
    for number in range(rounds):
        seed = chance.SEED + number
        print(f"{name}, seed {seed}")
        random_ = random.Random(seed)
        with face_of(name, FakeBroker(seed, 0.15)) as face:
            trader = Trader(face)
            try:
                _play(trader, random_)
            finally:
                trader.close()


def _play(trader: Trader, random_: random.Random) -> None:
    broker, unit = trader.face.broker, lot(trader)
    trader.ready()
    restarts = drops = 0
    for step in range(1, 121):
        if step <= 100 and random_.random() < 0.25:
            side = random_.choice(list(Side))
            trader.place(order_of(trader.face, step, qty=random_.randint(1, 9), side=side))
        if step <= 100 and random_.random() < 0.1:
            for order in exits_of(trader.face, 1000 + step, random_.randint(1, 3)):
                trader.place(order)
        names = [name for name, order in trader.journal.all.items() if not order.done]
        if names and random_.random() < 0.1:
            trader.cancel(random_.choice(names))
        with broker.lock:
            for name, order in list(broker.orders.items()):
                if order.status in (*OPEN, "held") and random_.random() < 0.2:
                    left = int((order.qty - order.filled) / unit)
                    broker.execute(name, random_.randint(1, left) * unit, random_.randint(90, 110))
        if random_.random() < 0.03:
            trader.face.drop()
            drops += 1
        if step in (40, 80):
            trader.restart()
            restarts += 1
        end = time.monotonic() + 0.03
        while time.monotonic() < end:
            trader.poll()
            time.sleep(0.003)
    broker.faults = 0.0
    trader.until(lambda: _all_done(trader) and all(_same(trader, name) for name in trader.journal.all), 60)
    agree(trader)
    assert {State(order.state) for order in trader.journal.all.values()} <= FINAL
    counts = {"orders": len(trader.journal.all), "arrived": len(broker.orders), "drops": drops, "restarts": restarts}
    counts["pairs"] = sum(one.leg for one in broker.orders.values())
    print(counts, dict(broker.happened))
    assert counts["arrived"] > 0


def _all_done(trader: Trader) -> bool:
    """Return whether every order has ended; what the broker has open, also what arrives only now, is executed."""
    broker = trader.face.broker
    with broker.lock:
        for name, order in broker.orders.items():
            if order.status in OPEN:
                broker.execute(name, order.qty - order.filled, 100)
    return all(order.done for order in trader.journal.all.values())


def _same(trader: Trader, name: str) -> bool:
    order, at_broker = trader.journal.all[name], there(trader, name)
    return at_broker is None or instruments(order.sym).qty(order.filled) == float(at_broker.filled)
