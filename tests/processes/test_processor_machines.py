"""The processor's state machines together: what goes out before what."""

from pathlib import Path

import pytest
from processor_plant import MINUTE, ProcessorPlant, objects_of

SECOND = 10**9
START = 1_795_788_000_000_000_000 // MINUTE * MINUTE


def trade(at: int, price: float) -> tuple[str, list[dict[str, object]]]:
    return "trades", [{"time": START + at * SECOND, "sym": "A", "source": "v", "price": price, "size": 1.0}]


def test_after_a_standstill_bars_close_with_all_trades_that_came_meanwhile(tmp_path: Path) -> None:
    plant = ProcessorPlant(tmp_path, (), ())
    plant.send(*trade(241, 10.0), received=START + 241 * SECOND)
    plant.work(START + 241 * SECOND)
    plant.send(*trade(250, 11.0), received=START + 250 * SECOND)
    plant.work(START + 400 * SECOND)  # the tickerplant was away, say
    closes = {row["interval"]: (row["open"], row["close"], row["by_clock"]) for row in plant.all("bar_closes")}
    assert closes == {"1m": (10.0, 11.0, 1), "5m": (10.0, 11.0, 1)}


def test_a_trade_shortly_before_the_clock_closes_its_bar_is_in_it(tmp_path: Path) -> None:
    plant = ProcessorPlant(tmp_path, (), (), update_s=1.0)
    for ms, price in [(60_100, 10.0), (61_500, 11.0), (61_900, 12.0)]:
        plant.send(*trade(59, price), received=START + ms * 10**6)
        plant.work(START + ms * 10**6)
    assert [row["close"] for row in plant.all("bars") if row["interval"] == "1m"] == [10.0, 11.0]
    plant.work(START + 62 * SECOND)
    assert [row["close"] for row in plant.all("bar_closes")] == [12.0]


@pytest.mark.parametrize("with_checkpoint", [True, False])
def test_what_a_user_deletes_stays_deleted_also_after_a_restart(tmp_path: Path, with_checkpoint: bool) -> None:
    plant = ProcessorPlant(tmp_path, (), ())

    def grow(minutes: range) -> None:
        for i in minutes:
            plant.send(*trade(60 * i, 10.0 + i % 60), received=START + 60 * i * SECOND)
            plant.work(START + 60 * i * SECOND)

    grow(range(200))
    leg = next(row for row in reversed(plant.all("annotations")) if row["id"] == "zigzag/A/5m/leg")
    plant.send("annotations", [leg | {"version": leg["version"] + 1, "action": "delete", "source": "user:me"}])
    before = len(plant.all("annotations"))
    plant.checkpoint()
    plant.kill(with_checkpoint)
    grow(range(200, 260))
    rows = plant.all("annotations")
    assert len(rows) > before
    assert "zigzag/A/5m/leg" not in objects_of(rows)
    assert [row["id"] for row in rows[before:]].count("zigzag/A/5m/leg") == 0
