"""A trader without strategies before a fake broker: its books, its account, and time that runs FAST times as fast."""

import time
from collections.abc import Callable
from typing import Any

from broker_model import Journal
from fake_alpaca import FakeAlpaca
from fake_binance import FakeBinance
from fake_broker import KEY, SECRET

from trading.brokers.alpaca import Alpaca
from trading.brokers.binance import Binance
from trading.brokers.broker import News, Up
from trading.brokers.credentials import Credentials
from trading.brokers.desk.reconciliation import Finding, What
from trading.brokers.live_account import LiveAccount
from trading.events import OrderReport, Side
from trading.instruments import Instrument
from trading.orders import Kind, Order, State, order_id

FAST = 20
TIMEOUT_S = 0.4
SHARE = Instrument("AAPL", tick=0.01, lot=1)
COIN = Instrument("BTCUSDT", tick=0.01, lot=1e-5)


def instruments(sym: str) -> Instrument:
    return {"AAPL": SHARE, "BTCUSDT": COIN}.get(sym) or Instrument(sym)


def clock() -> float:
    return time.monotonic() * FAST


def adapter_of(face: FakeAlpaca | FakeBinance, credentials: Credentials | None = None, **given: Any) -> Any:
    """Return the adapter that speaks to a fake."""
    credentials = credentials or Credentials(KEY, SECRET)
    given = {"url": face.url, "stream_url": face.stream_url, "timeout_s": TIMEOUT_S, "clock": clock, **given}
    if isinstance(face, FakeAlpaca):
        return Alpaca(credentials, instruments, **given)
    adapter = Binance(credentials, instruments, ["BTCUSDT"], **given)
    adapter._exchange.enableRateLimit = False  # its weights are a second and more a survey
    return adapter


def order_of(face: FakeAlpaca | FakeBinance, seq: int = 1, qty: int = 5, side: Side = Side.BUY, **given: Any) -> Order:
    """Return an order as the journal has it before it is sent."""
    sym = "AAPL" if isinstance(face, FakeAlpaca) else "BTCUSDT"
    names = {"run": "r1", "strategy": "s", "account": "a", "sym": sym, "order_id": order_id("r1", seq, 0)}
    kind = given.pop("kind", Kind.MARKET)
    return Order(**names, side=side, kind=kind, qty=qty, state=State.SUBMITTING, cause_seq=seq, **given)


def exits_of(face: FakeAlpaca | FakeBinance, seq: int = 1, qty: int = 5, **given: Any) -> tuple[Order, Order]:
    """Return a stop and a target that sell a position, as the journal has them before they are sent."""
    names = order_id("r1", seq, 0), order_id("r1", seq, 1)
    own = {"qty": qty, "side": Side.SELL, "parent": "tp-r1-0-0", "oco": names[0], "time_in_force": "gtc", **given}
    stop = order_of(face, seq, kind=Kind.STOP, stop_price=9_000, pair=names[1], **own)
    target = order_of(face, seq, kind=Kind.LIMIT, limit_price=11_000, pair=names[0], **own)
    return stop, target._replace(order_id=names[1])


def news(adapter: Any, enough: Any, seconds: float = 10.0) -> list[News]:
    """Listen until what was told is enough."""
    told: list[News] = []
    deadline = time.monotonic() + seconds
    while not enough(told):
        assert time.monotonic() < deadline, told
        told += adapter.events(0.02)
    return told


def listening(adapter: Any) -> None:
    """Listen until the order socket is up."""
    news(adapter, lambda told: Up() in told)


class Trader:
    """Books what the account tells, and can die and start again with the same books."""

    def __init__(self, face: FakeAlpaca | FakeBinance) -> None:
        self.face, self.journal = face, Journal()
        self.told: list[OrderReport | Finding] = []
        self.begun = time.time_ns()
        self._start()

    def _start(self) -> None:
        self.account = LiveAccount("a", adapter_of(self.face), self.journal, self.begun, 20.0, clock)
        self._book(self.account.resume(list(self.journal.all.values())))

    def close(self) -> None:
        self.account.close()

    def restart(self) -> None:
        """Forget all but the books."""
        self.account.close()
        self._start()

    def place(self, order: Order) -> None:
        self.journal.orders.add(order)
        self.journal.all[order.order_id] = order
        self._book(self.account.place(order))

    def cancel(self, name: str) -> None:
        self.journal.book(OrderReport(self.journal.all[name].sym, 0, 0, 0, 0, name, State.CANCELLING))
        self._book(self.account.cancel(name))

    def order(self, name: str) -> Order:
        return self.journal.all[name]

    def poll(self) -> None:
        self._book(self.account.poll())

    def until(self, true: Callable[[], bool], seconds: float = 20.0) -> None:
        """Poll until something is true; fail with what was told."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, (self.account.state, self.told[-10:], dict(self.face.broker.happened))
            time.sleep(0.005)
            self.poll()

    def ready(self) -> None:
        self.until(lambda: self.account.ready)

    def _book(self, told: list[OrderReport | Finding]) -> None:
        for one in told:
            self.told.append(one)
            if isinstance(one, OrderReport):
                self.journal.book(one)
            else:
                self.journal.findings.append(one)
                if one.what in (What.FEE, What.POSITION):
                    self.journal.lots[one.sym] += int(one.theirs - one.ours)
