"""A trading plant whose account is held by a fake broker that is a process, and strategies that keep it busy."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from fake_broker import KEY, SECRET, FakeOrder
from forked import Forked, Forker
from kept_broker import KeptBroker
from running import free_ports
from state_rows import journaled
from trading_plant import TradingPlant

from plant.state.newest import Row
from plant.state.orders import FINAL, Orders
from trading.instruments import exact

BROKER = "kept_broker"

BUSY = '''
from trading.strategy import Strategy


class Busy(Strategy):
    """Enters, adds by limits, takes half off, turns, and leaves: what it does is fixed by the count of its bars."""

    def start(self):
        self.count = 0

    def on_bar(self, bar):
        self.count += 1
        step = self.count % 8
        if step == 1:
            self.enter("long", 6, id="L")
        elif step == 2:
            self.buy(3, limit=bar.close - 0.5, id="add")
        elif step == 3:
            self.cancel("add")
            self.sell(4, stop=bar.close - 1, id="guard")
        elif step == 4:
            self.buy(2, stop_loss=bar.close - 2, take_profit=bar.close + 2)
        elif step == 5:
            self.sell(4, stop=bar.close - 0.5, id="guard")
        elif step == 6:
            self.enter("short", 5, id="S")
        elif step == 7:
            self.cancel_all()
            self.close(bar.sym)
'''


SPOT = '''
from trading.strategy import Strategy


class Spot(Strategy):
    """Buys and sells what it bought, less a coin for fees: what it does is fixed by the count of its bars."""

    def start(self):
        self.count = 0

    def on_bar(self, bar):
        self.count += 1
        step = self.count % 6
        if step == 1:
            self.buy(1)
            self.buy(6, stop_loss=round(bar.close - 3, 2), take_profit=round(bar.close + 3, 2))
        elif step == 2:
            self.buy(3, limit=round(bar.close - 0.5, 2), id="add")
        elif step == 3:
            self.cancel("add")
        elif step == 4:
            self.sell(2, limit=round(bar.close + 0.1, 2), id="part")
        elif step == 0:
            self.cancel_all()
        elif step == 5 and self.position(bar.sym) > 3:
            self.sell(self.position(bar.sym) - 3)
'''
"""A spot exchange has no short sale, and takes its fee in coins."""

WAYS = {"alpaca": ("v2", "stream", "USD"), "binance": ("api/v3", "ws-api/v3", "USDT")}
"""Where each broker answers, where its order socket is, and what its cash is."""


class BrokeredPlant(TradingPlant):
    """`broker` reads the fake's account from its file; `face` is whose protocol it speaks."""

    def __init__(self, folder: Path, forker: Forker, seed: int = 0, face: str = "alpaca", **options: Any) -> None:
        self._ports, self._seed, self._face = free_ports(2), seed, face
        http, socket = self._ports
        rest, stream, currency = WAYS[face]
        toml = f"""
[[accounts]]
name = "swing-1"
broker = "{face}"
currency = "{currency}"
url = "http://127.0.0.1:{http}/{rest}"
stream_url = "ws://127.0.0.1:{socket}/{stream}"
limits = {{ stale_s = 0, max_orders_per_minute = 100000 }}

[[instruments]]
sym = "*"
tick = 0.01
lot = 1.0
currency = "{currency}"
"""
        super().__init__(folder, forker, toml=toml, **options)
        (folder / "strategies" / "busy.py").write_text(BUSY)
        (folder / "strategies" / "spot.py").write_text(SPOT)
        self.file = folder / "broker.jsonl"

    @property
    def environment(self) -> dict[str, str]:
        own = self._face.upper()
        keys = {f"{own}_API_KEY_SWING_1": KEY, f"{own}_API_SECRET_SWING_1": SECRET, "PLANT_TRADING__RECONCILE_S": "3"}
        ports = ",".join(map(str, self._ports))
        fake = {"KEPT_BROKER": str(self.file), "KEPT_BROKER_SEED": str(self._seed), "KEPT_BROKER_PORTS": ports}
        fake["KEPT_BROKER_FACE"] = self._face
        return {**super().environment, **keys, **fake}

    def spawn(self, name: str) -> Forked:
        if name != BROKER:
            return super().spawn(name)
        log = self.folder / f"{name}.log"
        log.touch()
        return self._forker.start(BROKER, [], self.environment, log)

    @property
    def broker(self) -> KeptBroker:
        """The fake's account as it is in its file by now."""
        return KeptBroker(self.file)

    def at_broker(self) -> dict[str, FakeOrder]:
        """Return the broker's orders by our ids: the stop of a pair at Alpaca has none of ours there."""
        there, ours = self.broker.orders, self.newest_orders()
        named = {name: ours[one.other]["oco"] for name, one in there.items() if one.leg and one.other in ours}
        return {named.get(name, name): one for name, one in there.items()}

    def pairs(self) -> list[tuple[FakeOrder, FakeOrder]]:
        """Return target and stop of each pair that the broker took. Raises AssertionError for what was sold twice."""
        orders = self.broker.orders
        found = [(orders[one.other], one) for one in orders.values() if one.leg]
        for target, stop in found:
            assert target.filled + stop.filled <= target.qty, (target, stop)
            assert {target.status, stop.status} != {"filled"}, (target, stop)
        return found

    def calm(self) -> None:
        """Have the fake make no more faults, and fill what is open."""
        self.file.with_name("calm").touch()

    @property
    def trader_is_well(self) -> bool:
        """Whether the trader says that its account gives orders."""
        states = re.findall(r" trading rows=.* state=(.*)", self.log("trading").rpartition("trading ready")[2])
        return states[-1:] == ["ok"]

    def state_of(self, strategy: str) -> str:
        """Return the state of the newest run of a strategy."""
        return str([row for row in self.rows("runs") if row["sym"] == strategy][-1]["state"])

    def by_hand(self, units: int, money: int) -> None:
        """Have a position in A and cash be at the broker that no order made."""
        written = self.file.with_name("moving")
        written.write_text(f"{units} {money}")
        written.rename(self.file.with_name("moved"))

    def late(self, units: int, price: str) -> str:
        """Have the broker execute a part of an order that is cancelled; return its id."""
        ended = [n for n, one in self.broker.orders.items() if one.status == "canceled" and one.filled < one.qty]
        name = next(name for name in ended if not self.broker.orders[name].other)
        written = self.file.with_name("racing")
        written.write_text(f"{name} {units} {price}")
        written.rename(self.file.with_name("late"))
        return name

    def newest_orders(self) -> dict[str, Row]:
        """Return the newest row of each order."""
        orders = Orders()
        if rows := self.rows("orders"):
            orders.take(journaled("orders", rows))
        return dict(orders)

    def fills_missing(self) -> str:
        """Return the first order of which the plant has other fills than the broker; "": there is none."""
        at_broker, orders = self.at_broker(), self.newest_orders()
        fills = {row["fill_id"]: row for row in self.rows("fills")}
        for name, there in at_broker.items():
            if name not in orders:
                return f"the plant has no order {name}"
            mine = [row for row in fills.values() if row["order_id"] == name]
            paid = sum((exact(row["qty"]) * exact(row["price"]) for row in mine), Fraction(0))
            told = (orders[name]["filled"], sum(row["qty"] for row in mine), float(paid))
            if told != (float(there.filled), float(there.filled), float(there.paid)):
                return f"{name}: the plant has {told}, the broker {float(there.filled)} for {float(there.paid)}"
        return ""

    def disagreement(self) -> str:
        """Return the first thing in which the plant and the broker differ, or is not over; "": they agree."""
        if missing := self.fills_missing():
            return missing
        at_broker, orders = self.at_broker(), self.newest_orders()
        for name, order in orders.items():
            if order["state"] not in FINAL:
                return f"{name} is {order['state']}"
            there = at_broker.get(name)
            if there is None and (order["state"] not in ("rejected", "refused", "cancelled") or order["filled"]):
                return f"{name} is {order['state']} and the broker has none"
            if there is not None and there.status in ("open", "partial", "held"):
                return f"{name} is {order['state']} and open at the broker"
        return ""
