"""A strategy on an account with a broker, and SIGKILLs of trader, tickerplant and broker at any moment.

The broker is a fake Alpaca that answers late, twice, not at all, out of order, fills after a cancel, and drops its
socket with a fill in between. No order arrives there twice, none is lost, and in the end both have the same fills.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from brokered_plant import BROKER, BrokeredPlant
from chance import SEED, times
from fake_broker import KEY, SECRET
from forked import Forker
from running import all_stopped
from trading_plant import closed_bars

from trading.live.reading import OUTPUTS

Eventually = Callable[..., Any]
PACE_S = 0.12
FILLS = 10
"""A test with fewer shows little: it goes on trading until there are more."""


@pytest.fixture
def plant(tmp_path: Path, forker: Forker) -> Iterator[BrokeredPlant]:
    with all_stopped() as plants:
        made = BrokeredPlant(tmp_path / "plant", forker, SEED)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", BROKER, "trading")
        yield made


@times("kills", soak=200, timeout_s=3600)
def test_no_order_arrives_twice_and_none_is_lost_whatever_is_killed(
    plant: BrokeredPlant, eventually: Eventually, kills: int
) -> None:
    print(f"TICKPLANT_SEED={SEED}")
    chance = random.Random(SEED)
    limits = {"stale_s": 0, "max_orders_per_minute": 100_000}
    plant.cross("busy", class_name="Busy", parameters={"limits": limits})
    eventually(lambda: plant.trader_is_well, 60.0, lambda: plant.log("trading")[-3000:])
    feed = plant.publisher("bars")
    bars = iter(closed_bars(random.Random(SEED), 100_000))
    killed: Counter[str] = Counter()

    def well() -> None:
        eventually(lambda: plant.trader_is_well, 180.0, lambda: plant.log("trading")[-3000:])

    def trade(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            feed.publish("bar_closes", next(bars))
            time.sleep(PACE_S)

    trade(3.0)
    victims = [("trading",), ("tickerplant",), (BROKER,), ("trading", BROKER), ("trading", "tickerplant")]
    number = 0
    while killed.total() < kills:
        if number % len(victims) == 0:
            chance.shuffle(victims)
            if number % 10 == 5:  # so that not only starts are killed
                well()
                trade(1.0)
        for victim in victims[number % len(victims)][: kills - killed.total()]:
            trade(chance.random() * 1.5)
            plant.restart(victim)
            killed[victim] += 1
        number += 1
    well()
    late = time.monotonic() + 120.0
    while (fills := len(plant.rows("fills"))) <= FILLS or not plant.pairs():
        assert time.monotonic() < late, (fills, plant.log("trading")[-3000:])
        trade(1.0)
    feed.flush(60.0)
    plant.calm()
    # A fill after a cancel that nobody was told of is found by a survey, if the run that takes it is still there.
    well()
    eventually(lambda: not plant.fills_missing(), 180.0, lambda: (plant.fills_missing(), plant.log("trading")[-3000:]))
    plant.change("busy", wanted="stopped")
    eventually(lambda: plant.state_of("busy") == "completed", 120.0, lambda: plant.log("trading")[-3000:])
    eventually(lambda: not plant.disagreement(), 30.0, lambda: (plant.disagreement(), plant.log("trading")[-3000:]))
    broker, orders = plant.broker, plant.newest_orders()
    assert max(broker.arrivals.values()) == 1, broker.arrivals.most_common(3)
    assert {row["kind"] for row in plant.rows("broker_reports")} <= {"order", "adopted"}
    assert not [row for row in plant.rows("risk_events") if row["action"] == "halted"]
    (run,) = {row["run"] for row in plant.rows("runs") if row["sym"] == "busy"}
    found = plant.again(run)
    rows = {table: [row for row in plant.rows(table) if row["run"] == run] for table in OUTPUTS}
    assert (found.difference, found.missing, found.compared) == ("", 0, sum(map(len, rows.values())))
    position = 0.0
    for fill in rows["fills"]:
        position += fill["qty"] * (1 if fill["side"] == "buy" else -1)
        assert fill["position_after"] == position
    assert position == rows["positions"][-1]["qty"] == float(broker.positions().get("A", 0))
    states = Counter(order["state"] for order in orders.values())
    assert len(rows["fills"]) > FILLS
    logs = "".join(plant.log(name) for name in ("trading", "tickerplant", "rdb"))
    for secret in (KEY, SECRET):
        assert secret not in logs
        assert all(secret not in str(row) for table in rows.values() for row in table)
        assert all(secret not in str(row) for row in plant.rows("broker_reports"))
    sold = sum(bool(target.filled + stop.filled) for target, stop in plant.pairs())
    told = f"{len(plant.pairs())} pairs of which {sold} sold"
    print(f"{dict(killed)}, {len(orders)} orders {dict(states)}, {told}, {len(rows['fills'])} fills")


def test_what_the_broker_has_and_the_books_do_not_is_booked_and_halts_until_somebody_resumes(
    plant: BrokeredPlant, eventually: Eventually
) -> None:
    plant.calm()
    plant.cross("busy", class_name="Busy", parameters={"limits": {"stale_s": 0, "max_orders_per_minute": 100_000}})
    eventually(lambda: plant.trader_is_well, 30.0, lambda: plant.log("trading")[-3000:])
    feed, bars = plant.publisher("bars"), iter(closed_bars(random.Random(SEED), 1000))
    feed.publish("bar_closes", next(bars))
    eventually(lambda: plant.rows("fills"), 30.0, lambda: plant.log("trading")[-3000:])
    plant.by_hand(7, -250)
    eventually(lambda: len(plant.rows("broker_reports", where=[("kind", "==", "cash")])) == 1, 30.0)
    eventually(lambda: [row for row in plant.rows("positions") if row["strategy"] == "unallocated"], 30.0)
    (nobodys,) = [row for row in plant.rows("positions") if row["strategy"] == "unallocated"]
    assert (nobodys["sym"], nobodys["qty"], nobodys["run"]) == ("A", 7.0, "manual-swing-1")
    eventually(lambda: plant.rows("equity")[-1]["cash"] < 1e6 - 250, 30.0)
    eventually(lambda: [row for row in plant.rows("risk_events") if row["action"] == "halted"], 30.0)
    feed.publish("bar_closes", next(bars))
    feed.publish("bar_closes", next(bars))
    eventually(lambda: [row for row in plant.newest_orders().values() if row["state"] == "refused"], 30.0)
    assert all("halted" in row["reason"] for row in plant.newest_orders().values() if row["state"] == "refused")
    plant.restart("trading")
    eventually(lambda: plant.trader_is_well, 30.0, lambda: plant.log("trading")[-3000:])
    arrived = len(plant.broker.arrivals)
    feed.publish("bar_closes", next(bars))
    told = {"time": time.time_ns(), "sym": "swing-1", "id": "r1", "command": "resume", "arguments": "{}", "who": "test"}
    feed.publish("commands", told)
    for _ in range(8):
        feed.publish("bar_closes", next(bars))
    feed.flush()
    eventually(lambda: len(plant.broker.arrivals) > arrived, 30.0, lambda: plant.log("trading")[-3000:])
    for run in {row["run"] for row in plant.rows("runs")}:
        assert plant.again(run).difference == "", run
    assert {row["sym"] for row in plant.rows("runs")} == {"busy", "manual"}


def test_a_fill_that_comes_after_the_end_of_its_run_is_its_strategys(
    plant: BrokeredPlant, eventually: Eventually
) -> None:
    def log() -> str:
        return plant.log("trading")[-3000:]

    def fills_of(order: str) -> list[Any]:
        return [row for row in plant.rows("fills") if row["order_id"] == order]

    def held() -> float:
        rows = [row for row in plant.rows("positions") if row["strategy"] == "busy"]
        return float(rows[-1]["qty"]) if rows else 0.0

    def both() -> bool:
        return held() == float(plant.broker.positions().get("A", 0))

    plant.calm()
    plant.cross("busy", class_name="Busy", parameters={"limits": {"stale_s": 0, "max_orders_per_minute": 100_000}})
    eventually(lambda: plant.trader_is_well, 30.0, log)
    feed, bars = plant.publisher("bars"), iter(closed_bars(random.Random(SEED), 1000))
    for _ in range(9):
        feed.publish("bar_closes", next(bars))
    feed.flush()
    eventually(lambda: any(one.status == "canceled" for one in plant.broker.orders.values()), 30.0, log)
    plant.change("busy", wanted="stopped")
    eventually(lambda: plant.state_of("busy") == "completed", 60.0, log)
    order = plant.late(1, "101.5")
    eventually(lambda: fills_of(order), 30.0, log)
    (run,) = {row["run"] for row in plant.rows("runs") if row["sym"] == "busy"}
    assert (fills_of(order)[-1]["run"], fills_of(order)[-1]["strategy"]) == (run, "busy")
    eventually(both, 30.0, log)
    plant.kill("trading")
    plant.start("trading")
    plant.change("busy", wanted="running")
    eventually(lambda: plant.state_of("busy") == "running" and plant.trader_is_well, 60.0, log)
    fills = len(fills_of(order))
    eventually(lambda: order == plant.late(1, "101.5"), 1.0)
    eventually(lambda: len(fills_of(order)) == fills + 1, 30.0, log)
    eventually(both, 30.0, log)
    details = [row["detail"] for row in plant.rows("risk_events") if row["action"] == "adopted"]
    assert any(f"{order} was filled after run {run} was over" in each for each in details), details
    for each in {row["run"] for row in plant.rows("runs")}:
        found = plant.again(each)
        assert (found.difference, found.missing) == ("", 0), each
    assert not [row for row in plant.rows("positions") if row["strategy"] == "unallocated"]
