"""A strategy on an account at Binance, through ccxt, to a fake that speaks its protocol, and SIGKILLs of both.

As tests/endtoend/test_trading_kills.py has it of Alpaca; what differs is that a purchase pays its fee in what it
bought, that there is no short sale, and that requests are signed with the time.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from brokered_plant import BROKER, BrokeredPlant
from chance import SEED
from fake_broker import KEY, SECRET
from forked import Forker
from running import all_stopped
from trading_plant import closed_bars

from trading.live.reading import OUTPUTS

Eventually = Callable[..., Any]
SYM = "BTCUSDT"
PACE_S = 0.15
FILLS = 8
FEE = Fraction(1, 1000)

pytest.importorskip("ccxt", reason="the extra crypto is not installed")


@pytest.fixture
def plant(tmp_path: Path, forker: Forker) -> Iterator[BrokeredPlant]:
    with all_stopped() as plants:
        made = BrokeredPlant(tmp_path / "plant", forker, SEED, face="binance")
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", BROKER, "trading")
        yield made


def held(plant: BrokeredPlant) -> float:
    """Return what the broker has of BTC, as its account says: without the fees it took."""
    orders = plant.broker.orders.values()
    bought = sum((order.filled for order in orders if order.side == "buy"), Fraction(0))
    return float(plant.broker.positions().get(SYM, Fraction(0)) - bought * FEE)


@pytest.mark.timeout(400)
def test_orders_go_to_binance_once_and_come_back_whatever_is_killed(
    plant: BrokeredPlant, eventually: Eventually
) -> None:
    print(f"TICKPLANT_SEED={SEED}")

    def log() -> str:
        return plant.log("trading")[-3000:]

    plant.cross(
        "spot", class_name="Spot", syms=(SYM,), parameters={"limits": {"stale_s": 0, "max_orders_per_minute": 1000}}
    )
    eventually(lambda: plant.trader_is_well, 60.0, log)
    feed, bars = plant.publisher("bars"), iter(closed_bars(random.Random(SEED), 100_000, (SYM,)))

    def trade(enough: Callable[[], bool]) -> None:
        late = time.monotonic() + 150.0
        while not enough():
            assert time.monotonic() < late, log()
            for _ in range(6):
                feed.publish("bar_closes", next(bars))
                time.sleep(PACE_S)

    for number, victim in enumerate(("trading", BROKER, "tickerplant"), 1):
        trade(lambda: len(plant.broker.orders) >= 3 * number)  # noqa: B023
        plant.restart(victim)
    eventually(lambda: plant.trader_is_well, 120.0, log)
    trade(lambda: len(plant.rows("fills")) > FILLS and bool(plant.pairs()))
    feed.flush(60.0)
    plant.calm()
    eventually(lambda: plant.trader_is_well, 120.0, log)
    eventually(lambda: not plant.fills_missing(), 120.0, lambda: (plant.fills_missing(), log()))
    plant.change("spot", wanted="stopped")
    eventually(lambda: plant.state_of("spot") == "completed", 120.0, log)
    eventually(lambda: not plant.disagreement(), 30.0, lambda: (plant.disagreement(), log()))
    assert max(plant.broker.arrivals.values()) == 1, plant.broker.arrivals.most_common(3)
    assert not [row for row in plant.rows("risk_events") if row["action"] == "halted"]
    (run,) = {row["run"] for row in plant.rows("runs") if row["sym"] == "spot"}
    found = plant.again(run)
    rows = {table: [row for row in plant.rows(table) if row["run"] == run] for table in OUTPUTS}
    assert (found.difference, found.missing, found.compared) == ("", 0, sum(map(len, rows.values())))
    fills = {row["fill_id"]: row for row in rows["fills"]}
    assert len(fills) == len(rows["fills"]) > FILLS
    position = sum(row["qty"] * (1 if row["side"] == "buy" else -1) for row in fills.values())
    assert position == rows["positions"][-1]["qty"] == float(plant.broker.positions().get(SYM, Fraction(0)))
    for row in fills.values():  # of a purchase 0.1 % of what it bought, in money; of a sale of what it got
        assert row["commission"] == pytest.approx(row["qty"] * row["price"] * float(FEE), rel=1e-6)

    def told() -> float:
        unallocated = [row for row in plant.rows("positions") if row["strategy"] == "unallocated"]
        return position + (unallocated[-1]["qty"] if unallocated else 0.0)

    eventually(lambda: abs(told() - held(plant)) < 1.0, 30.0, lambda: (told(), held(plant), log()))
    logs = "".join(plant.log(name) for name in ("trading", "tickerplant", "rdb"))
    assert not [secret for secret in (KEY, SECRET) if secret in logs]
    assert not [row for row in plant.rows("broker_reports") if KEY in str(row) or SECRET in str(row)]
    states = Counter(order["state"] for order in plant.newest_orders().values())
    pairs = plant.pairs()
    sold = f"{len(pairs)} pairs of which {sum(bool(target.filled + stop.filled) for target, stop in pairs)} sold"
    print(f"{len(plant.broker.orders)} orders {dict(states)}, {sold}, {len(fills)} fills, {held(plant):g} BTC held")
