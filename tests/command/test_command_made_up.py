"""A simulated feed in a plant that holds real rows is told; in one of made-up rows only it is not."""

from collections.abc import Callable
from typing import Any

from plant.command.made_up import beside_real

FEED = '[[feeds]]\nkind = "simulated"\nname = "demo"\n'


def test_a_simulated_feed_beside_real_rows_is_told(start_plant: Callable[..., Any], eventually: Any) -> None:
    plant = start_plant("tickerplant", "rdb", toml=FEED)
    row = {"time": "2026-11-20 14:30", "sym": "AAPL", "price": 190.0, "size": 1.0}
    feed, db = plant.publisher("venue"), plant.ask("rdb")
    feed.publish("trades", {**row, "source": "simulated"})
    feed.flush()
    eventually(lambda: db.count("trades") == 1)
    assert beside_real(plant.settings) == ""
    feed.publish("trades", {**row, "source": "finazon"})
    feed.flush()
    eventually(lambda: db.count("trades") == 2)
    told = beside_real(plant.settings)
    assert told.startswith("feed demo makes up rows, and this plant holds real ones (trades of finazon): ")
    assert beside_real(plant.settings.model_copy(update={"feeds": ()})) == ""
