"""A broker that remembers: a fake Alpaca or Binance in a process of its own, whose account outlives its SIGKILL.

What happens to an order is a line of a file before anybody is told of it. Besides answering it is a market: it executes
what is open, a part at a time, now and then after a cancel; and it drops its socket. While a file `calm` lies beside
the first, it makes no more faults and executes what is left. A file `moved` with "units money" is what somebody did by
hand: a position in A, and cash that came. One `late` with "id units price" is an execution that raced with the order's
cancel. KEPT_BROKER_FACE says whose protocol it speaks.
"""

import json
import os
import random
import signal
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

from fake_alpaca import FakeAlpaca
from fake_binance import FakeBinance
from fake_broker import OPEN, Done, FakeBroker, FakeOrder, Refusal

FACES: dict[str, type[FakeAlpaca | FakeBinance]] = {"alpaca": FakeAlpaca, "binance": FakeBinance}
POOR = {
    "alpaca": Refusal(403, {"code": 40310000, "message": "insufficient buying power"}),
    "binance": Refusal(400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}),
}
"""What each says now and then of an order."""

DROPS = {"alpaca": 0.004, "binance": 0.001}
"""Chance a step that the order socket is dropped; Binance weighs requests: an account is ready again after seconds."""

FAULTS = 0.08
STEP_S = 0.02


class KeptBroker(FakeBroker):
    """The account in a file; read when it is made. Tests read it from the side."""

    def __init__(self, file: Path, seed: int = 0, faults: float = 0.0, face: str = "alpaca") -> None:
        super().__init__(seed, faults)
        self.file, self._poor = file, POOR[face]
        self._out: Any = None
        text = file.read_text() if file.exists() else ""
        lines = text[: text.rfind("\n") + 1]
        self._whole = len(lines)
        for number, line in enumerate(lines.splitlines()):
            self._read(json.loads(line))
            self.random.seed(seed + number)

    def keep(self, what: str, client_id: str) -> None:
        if self._out is None:
            self._out = self.file.open("a", buffering=1)
            self._out.truncate(self._whole)  # a last line that was torn by a kill
        line: dict[str, Any] = {"what": what, "id": client_id}
        if what != "arrived":
            order = self.orders[client_id]  # what follows for the other of a pair is made again of it
            line |= {"status": order.status, "at": order.changed_ns}
            if what == "new":
                own = (order.number, order.sym, order.side, str(order.qty), order.fields, order.made_ns)
                line["order"] = own
            elif what == "pair":
                stop = self.orders[order.other]
                both = ((order.client_id, stop.client_id), (order.number, stop.number), order.sym, str(order.qty))
                line["pair"] = (*both, (order.fields, stop.fields), order.resized, order.made_ns)
            elif what == "fill":
                done = order.executions[-1]
                line["fill"] = (done.number, str(done.qty), str(done.price), str(done.cumulative), done.time_ns)
        self._out.write(json.dumps(line) + "\n")

    def place(self, client_id: str, sym: str, side: str, qty: Fraction, fields: dict[str, Any]) -> FakeOrder:
        if self.faults and self.random.random() < 0.03:
            self.arrived(client_id)
            raise self._poor
        return super().place(client_id, sym, side, qty, fields)

    def place_pair(self, names: tuple[str, str], *terms: Any, resized: bool) -> tuple[FakeOrder, FakeOrder]:
        if self.faults and self.random.random() < 0.03:
            self.arrived(names[0])
            raise self._poor
        return super().place_pair(names, *terms, resized=resized)

    def _read(self, line: dict[str, Any]) -> None:
        name = line["id"]
        if line["what"] == "arrived":
            self.arrivals[name] += 1
            return
        if line["what"] == "new":
            number, sym, side, qty, fields, made = line["order"]
            self.orders[name] = FakeOrder(number, name, sym, side, Fraction(qty), fields, made_ns=made)
            self._number = number
        if line["what"] == "pair":
            names, numbers, sym, qty, fields, resized, made = line["pair"]
            self.paired(names, numbers, sym, Fraction(qty), fields, resized, made)
        order = self.orders[name]
        order.status, order.changed_ns = line["status"], line["at"]
        if line["what"] == "fill":
            number, qty, price, cumulative, at = line["fill"]
            order.executions.append(Done(number, Fraction(qty), Fraction(price), Fraction(cumulative), at))
            self._number = number
            self.cash -= Fraction(qty) * Fraction(price) * (1 if order.side == "buy" else -1)
        if line["what"] in ("fill", "end"):
            self.followed(order)


def _level(order: FakeOrder) -> str | None:
    """Return the price that an order names, as its protocol calls it."""
    names = ("limit_price", "stop_price", "price", "stopPrice")
    return next((order.fields[name] for name in names if order.fields.get(name)), None)


def _market(
    face: FakeAlpaca | FakeBinance, chance: random.Random, calm: Path, over: threading.Event, drops: float
) -> None:
    broker = face.broker
    cancelled: list[str] = []
    while not over.wait(STEP_S):
        quiet = calm.exists()
        if (by_hand := calm.with_name("moved")).exists():
            units, money = (Fraction(word) for word in by_hand.read_text().split())
            broker.moved, broker.cash = {"A": units}, broker.cash + money
            by_hand.unlink()
        if (late := calm.with_name("late")).exists():
            name, units, price = late.read_text().split()
            broker.execute(name, Fraction(units), price)
            late.unlink()
        broker.faults = 0.0 if quiet else FAULTS
        with broker.lock:
            for name, order in list(broker.orders.items()):
                left = int(order.qty - order.filled)
                at = chance.randint(9_000, 11_000)
                price = Fraction(str(_level(order) or Fraction(at, 100)))
                market = order.fields["type"].lower() == "market"
                told = quiet or chance.random() > FAULTS
                other = broker.orders.get(order.other)
                if order.status in (*OPEN, "held") and chance.random() < (0.3 if market else 0.02):
                    broker.execute(name, left if quiet else chance.randint(1, left), price, told)
                elif other is not None and other.filled:
                    continue  # sold by the other of its pair
                elif order.status == "canceled" and left and not quiet and name not in cancelled:
                    cancelled.append(name)
                    if chance.random() < 0.1:
                        broker.execute(name, chance.randint(1, left), price, told)
        if not quiet and chance.random() < drops:
            face.drop()


def main() -> None:
    """Serve until SIGTERM; everything it is told is in its environment."""
    file, seed = Path(os.environ["KEPT_BROKER"]), int(os.environ["KEPT_BROKER_SEED"])
    http, socket = (int(port) for port in os.environ["KEPT_BROKER_PORTS"].split(","))
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    spoken = os.environ["KEPT_BROKER_FACE"]
    broker = KeptBroker(file, seed, FAULTS, spoken)
    with FACES[spoken](broker, (http, socket)) as face:
        print(f"ready pid={os.getpid()} listen={face.url}", flush=True)
        _market(face, random.Random(broker.random.random()), file.with_name("calm"), over, DROPS[spoken])
