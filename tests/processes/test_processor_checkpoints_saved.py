"""Killed anywhere and gone on from a checkpoint or from the journal alone, the processor gives what it always would."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chance import SEED, cases
from processor_plant import MINUTE, ProcessorPlant

from plant.conditions.rules import rules_of
from plant.indicators.declarations import declaration_of
from processor.checkpoints.saved import restore_to, saved_of
from processor.open_bars import PRICES

START = 1_795_788_000_000_000_000 // MINUTE * MINUTE
SECOND = 10**9
OURS = [
    declaration_of({"name": "ema_3", "kind": "ema", "period": 3}),
    declaration_of({"name": "mean", "kind": "sma", "period": 4, "intervals": ["1m"]}),
    declaration_of({"name": "bands", "kind": "bollinger", "period": 3, "input": "ema_3"}),
]
OTHERS = [*OURS, declaration_of({"name": "cmo", "kind": "CMO", "timeperiod": 3, "symbols": ["A"]})]
SIGNALS = [
    {"name": "up", "side": "buy", "when": "close crosses above ema_3"},
    {"name": "down", "side": "sell", "when": "ema_3[1] > ema_3 and close falling 2", "symbols": ["A", "C"]},
]
COLUMNS = [column for one in OURS for column in one.columns]


def plant_of(folder: Path, declarations: Any, **terms: Any) -> ProcessorPlant:
    rules = rules_of(SIGNALS, (*PRICES, *[column for one in declarations for column in one.columns]))
    ours = [rule for rule in rules if rule.name in ("up", "down")]
    return ProcessorPlant(folder, declarations, ours, update_s=0.5, ranked=("venue", "other"), **terms)


class Market:
    """Chance: what feeds send, and how the time passes."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.now, self.count, self.sent = START, 0, []

    def trades(self) -> tuple[str, list[dict[str, Any]]]:
        rows = []
        for _ in range(int(self.chance.integers(1, 9))):
            late = self.chance.random() < 0.15
            back = int(self.chance.integers(0, 900 if late else 5)) * SECOND
            self.count += 1
            sym, time = str(self.chance.choice(["A", "B"])), self.now - back
            rows.append({
                "time": time, "sym": sym, "trade_id": str(self.count), "source": self.source(sym, time),
                "price": float(self.chance.integers(900, 1100)) / 100, "size": float(self.chance.integers(0, 30)) / 10,
            })  # fmt: skip
        self.sent += rows
        return "trades", rows

    @staticmethod
    def source(sym: str, time: int) -> str:
        """Return who sends: of B another feed after a while."""
        return "venue" if sym == "A" or time < START + 15 * MINUTE else "other"

    def bars(self) -> tuple[str, list[dict[str, Any]]]:
        rows = []
        for _ in range(int(self.chance.integers(1, 4))):
            back = int(self.chance.integers(0, 3 if self.chance.random() < 0.7 else 12))
            prices = dict.fromkeys(("open", "high", "low", "close"), float(self.chance.integers(90, 110)))
            time = self.now // MINUTE * MINUTE - back * MINUTE
            rows.append({"time": time, "sym": "C", "interval": "1m", "volume": 1.0, "source": "feed", **prices})
        return "bars", rows

    def corrections(self) -> tuple[str, list[dict[str, Any]]]:
        row = self.sent[int(self.chance.integers(0, len(self.sent)))]
        action = str(self.chance.choice(["cancel", "correct"]))
        return "trade_corrections", [{**row, "action": action, "price": 10.5, "size": 2.0}]

    def next(self) -> tuple[str, list[dict[str, Any]]]:
        """Return rows that a feed sends, and let time pass."""
        self.now += int(self.chance.choice([0, 1, 10, 40, 70])) * SECOND
        kind = self.chance.random()
        if kind < 0.15 and self.sent:
            return self.corrections()
        return self.bars() if kind < 0.4 else self.trades()


def compare(seed: int, declarations: Any, loses: bool, steps: int = 60) -> None:
    """Compare a processor that is killed with one that is not; if it `loses`, what it published last is not kept."""
    market, faults = Market(seed), np.random.default_rng(seed + 10**6)
    with tempfile.TemporaryDirectory() as folder:
        plain, killed = (plant_of(Path(folder) / name, declarations) for name in ("plain", "killed"))
        for _ in range(steps):
            table, rows = market.next()
            works, dies, with_checkpoint, saves = faults.random(4) < (0.7, 0.3, 0.8, 0.3)
            for plant in (plain, killed):
                plant.send(table, rows, market.now)
            if works:
                plain.work(market.now)
                if dies and not killed.work(market.now, int(faults.integers(0, 5)) if loses else None):
                    killed.kill(with_checkpoint)
                killed.work(market.now)
                if saves:
                    killed.checkpoint()
            elif dies:
                killed.kill(with_checkpoint)
        for plant in (plain, killed):
            plant.work(market.now + 10 * MINUTE)
            plant.assert_nothing_twice()
        one, other = (plant.result() for plant in (plain, killed))
        for table in one:
            assert other[table] == one[table], f"seed {seed}: {table} differ"
        assert len(one["signals"]) > 5
        killed.kill()
        count = len(killed.journal)
        killed.work(market.now + 10 * MINUTE)
        assert len(killed.journal) == count, f"after a restart {killed.journal[count].table} are new"


@pytest.mark.parametrize("loses", [False, True], ids=["at rest", "with rows under way"])
@pytest.mark.parametrize("declarations", [OURS, OTHERS], ids=["stored", "computed anew"])
@cases(few=1, soak=50)
def test_killed_anywhere_it_gives_what_it_would_have_given(declarations: Any, loses: bool, numbers: range) -> None:
    print(f"seed {SEED}")
    for number in numbers:
        compare(SEED + number, declarations, loses)


def test_the_state_of_something_else_is_refused() -> None:
    class One:
        def __init__(self, a: Any, b: Any) -> None:
            self.a, self.b = a, b

    saved = saved_of(One(np.zeros(3), {1, 2}), ("a", "b"))
    found = One(np.ones(0), set())
    restore_to(found, saved, ("a", "b"))
    assert (found.a.tolist(), found.b) == ([0, 0, 0], {1, 2})
    for wrong in (One(np.ones(0, int), set()), One(np.ones((0, 2)), set()), One(1, set()), One(np.ones(0), "")):
        with pytest.raises(ValueError, match=r"One\.(a|b): expected"):
            restore_to(wrong, saved, ("a", "b"))
    with pytest.raises(ValueError, match="expected c, found a, b"):
        restore_to(found, saved, ("c",))
