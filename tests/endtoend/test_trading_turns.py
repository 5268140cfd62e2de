"""Two strategies and an order by hand share what one paper account may take of a bar or trade, whatever is killed."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chance import SEED, times
from forked import Forker
from running import all_stopped
from trading_plant import TradingPlant, closed_bars

Eventually = Callable[..., Any]

GREEDY = '''
from trading.strategy import Strategy


class GreedyBars(Strategy):
    """Asks for 70 at each bar, one order at a time."""

    def start(self):
        self.heard = 0

    def on_bar(self, bar):
        self.heard += 1
        (self.buy if self.heard % 6 < 3 else self.sell)(70, tif="gtc", id="one", sym=bar.sym)


class GreedyTrades(Strategy):
    """Asks for 7 at each trade, one order at a time."""

    def start(self):
        self.heard = 0

    def on_trade(self, trade):
        self.heard += 1
        (self.buy if self.heard % 6 < 3 else self.sell)(7, tif="gtc", id="one", sym=trade.sym)
'''
"""Whoever is alone fills each order at once with 70, or 7; of the account's 100, or 10, the second is left 30, or 3."""

TOML = (
    "".join(
        f'[[accounts]]\nname = "{name}"\nfills_on = "{name}"\nfills = {{ volume_share = 0.1 }}\n'
        "limits = { stale_s = 0, max_orders_per_minute = 1000000 }\n"
        for name in ("bars", "trades")
    )
    + '[[instruments]]\nsym = "*"\ntick = 0.01\nlot = 1.0\n'
)
CLASSES = {"bars": "GreedyBars", "trades": "GreedyTrades"}
SIZES = {"bars": (70.0, 30.0), "trades": (7.0, 3.0)}


@pytest.fixture
def plant(tmp_path: Path, forker: Forker) -> Iterator[TradingPlant]:
    with all_stopped() as plants:
        made = TradingPlant(tmp_path / "plant", forker, toml=TOML)
        (made.folder / "strategies" / "greedy.py").write_text(GREEDY)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "trading")
        yield made


@times("kills", soak=100, timeout_s=3600)
def test_the_runs_of_an_account_never_take_more_than_its_share_together_and_are_made_again_alone(
    plant: TradingPlant, eventually: Eventually, kills: int
) -> None:
    print(f"TICKPLANT_SEED={SEED}")
    chance = random.Random(SEED)
    limits = {"stale_s": 0, "max_orders_per_minute": 1_000_000}

    def log() -> str:
        return plant.log("trading")[-3000:]

    def states() -> dict[str, str]:
        return {row["sym"]: row["state"] for row in plant.rows("runs") if row["sym"] != "manual"}

    for account, name in CLASSES.items():
        for age in ("z-old", "a-new"):
            what = {"class_name": name, "account": account, "parameters": {"limits": limits}}
            plant.cross(f"{account}-{age}", **what)
    eventually(lambda: list(states().values()) == ["running"] * 4, 30.0, log)
    feed, bars = plant.publisher("feed"), iter(closed_bars(random.Random(SEED), 100_000))
    count = Counter[str]()

    def trade(rows: int) -> None:
        at = time.time_ns()
        feed.publish("trades", [{"time": at, "sym": "A", "price": 100.0, "size": 100.0} for _ in range(rows)])
        count["trades"] += rows

    def market() -> None:
        for _ in range(chance.randint(4, 10)):
            trade(chance.randint(1, 4))
            if chance.random() < 0.5:
                feed.publish("bar_closes", {**next(bars), "volume": 1000.0})
                count["bars"] += 1
            time.sleep(chance.random() * 0.03)

    market()
    feed.flush()
    told = {"account": "trades", "side": "buy", "qty": 5, "tif": "gtc"}
    asked = {"sym": "A", "id": "by-hand", "command": "order", "arguments": json.dumps(told), "who": "test"}
    feed.publish("commands", {"time": time.time_ns(), **asked})
    for _ in range(kills):
        market()
        plant.kill("trading")
        market()
        plant.start("trading")
        time.sleep(chance.random() * 0.4)
    market()
    feed.flush(60.0)

    def fills(account: str) -> list[dict[str, Any]]:
        return [row for row in plant.rows("fills") if row["account"] == account]

    for account in CLASSES:
        wanted = 2 * (count[account] - 1)  # at the first the orders were made
        eventually(lambda a=account, n=wanted: len(fills(a)) >= n, 60.0 + 3 * kills, lambda: f"{count}: {log()}")
        first, second = SIZES[account]
        for strategy, size in ((f"{account}-z-old", first), (f"{account}-a-new", second)):
            taken = [row for row in fills(account) if row["strategy"] == strategy]
            assert {row["qty"] for row in taken} == {size}, strategy
            places = {(row["cause_seq"], row["cause_row"]) for row in taken}
            assert len(places) == len(taken) == count[account] - 1, strategy
    assert not [row for row in fills("trades") if row["strategy"] == "manual"]
    plant.change("trades-z-old", wanted="stopped")
    eventually(lambda: states()["trades-z-old"] == "completed", 30.0, log)
    trade(1)
    feed.flush()
    eventually(lambda: [row["qty"] for row in fills("trades") if row["strategy"] == "manual"] == [3.0], 30.0, log)
    assert [row["qty"] for row in fills("trades") if row["strategy"] == "trades-a-new"][-1] == 7.0
    runs = {row["run"] for row in plant.rows("runs")}
    assert len(runs) == 5
    for run in runs:
        found = plant.again(run)
        assert (found.difference, found.missing) == ("", 0), (run, found)
        assert found.compared > 0
    print(f"{kills} kills, {dict(count)}")
