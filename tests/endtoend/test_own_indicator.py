"""The story of docs/own-indicator.md as it stands: a class, three sections of plant.toml, an alert that arrives."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alert_server import AlertServer
from running import RunningPlant, all_stopped

PAGE = Path(__file__).parents[2] / "docs/own-indicator.md"
MINUTE = 60 * 10**9


@pytest.fixture
def server() -> Iterator[AlertServer]:
    with AlertServer() as running:
        yield running


def test_the_page_makes_a_column_a_signal_and_an_alert(
    tmp_path: Path, server: AlertServer, eventually: Callable[..., Any]
) -> None:
    text = PAGE.read_text()
    (source,), (toml,) = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("python", "toml"))
    with all_stopped() as plants:
        plant = RunningPlant(
            tmp_path / "plant", toml=toml.replace("json://127.0.0.1:9000", server.address), timer_s=0.2
        )
        plants.append(plant)
        (plant.folder / source.split()[1]).write_text(source)
        plant.start("tickerplant", "rdb", "processor", "monitor")
        closes = np.concatenate([100 + np.tile([0.0, 1.0], 10), 101 + np.arange(1.0, 8.0)])
        first = time.time_ns() // MINUTE * MINUTE - len(closes) * MINUTE
        prices = dict.fromkeys(("open", "high", "low", "close"), closes)
        bars = {"time": first + np.arange(len(closes)) * MINUTE, "sym": ["A"] * len(closes), **prices}
        feed = plant.publisher("feed")
        feed.publish("bars", {**bars, "interval": ["1m"] * len(closes), "volume": np.ones(len(closes))})
        feed.flush()
        db = plant.ask()
        eventually(lambda: db.count("indicators", "A") == len(closes), 20.0, lambda: plant.log("processor"))
        found = db.select("indicators", "A")["straight"]
        np.testing.assert_allclose(found.iloc[-1], 1.0)
        np.testing.assert_allclose(found.iloc[10], 1 / 5)
        assert found.iloc[:5].isna().all()
        told = db.select("signals", "A", where={"signal": "straight_up"})
        assert told["price"].tolist() == closes[-len(told) :].tolist()
        assert len(told) >= 2
        eventually(lambda: server.titles(), 20.0, lambda: plant.log("monitor"))
        assert server.titles()[0].startswith("straight_up A 1m")


RAISES = """
class Odd:
    def __init__(self, odd):
        self.odd = odd

    def update(self, bar):
        if bar.close == self.odd:
            raise RuntimeError(f"not {self.odd}")
        return bar.close
"""


def test_one_that_raises_is_null_on_that_bar_and_told_once(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    toml = '[[indicators]]\nname = "odd"\nkind = "raises:Odd"\nodd = 103.0\n'
    with all_stopped() as plants:
        plant = RunningPlant(tmp_path / "plant", toml=toml, timer_s=0.2)
        plants.append(plant)
        (plant.folder / "raises.py").write_text(RAISES)
        plant.start("tickerplant", "rdb", "processor")
        closes = 100 + np.arange(10.0) % 5
        prices = dict.fromkeys(("open", "high", "low", "close"), closes)
        first = 1_795_780_800_000_000_000
        bars = {"time": first + np.arange(10) * MINUTE, "sym": ["A"] * 10, "interval": ["1m"] * 10, **prices}
        feed, db = plant.publisher("feed"), plant.ask()
        feed.publish("bars", {**bars, "volume": np.ones(10)})
        feed.flush()
        eventually(
            lambda: db.count("indicators", "A") == 10 and db.count("rejects"), 20.0, lambda: plant.log("processor")
        )
        found = db.select("indicators", "A")
        assert found["odd"].tolist() == pytest.approx(np.where(closes == 103, np.nan, closes).tolist(), nan_ok=True)
        assert found["close"].tolist() == closes.tolist()
        told = db.select("rejects")
        assert told["reason"].tolist() == [
            "[[indicators]] 'odd': raises:Odd: RuntimeError: not 103.0; its column is null there"
        ]
        assert told["source"].tolist() == ["processor"]
