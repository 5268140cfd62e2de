"""A feed of one's own beside plant.toml, under `plant up`, and a misconfigured one beside it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from supervised import Supervised, plant_up

from plant.client.connection import Connection
from plant.runtime.settings import load

ROOT = Path(__file__).parents[2]
OWN = '[[feeds]]\nkind = "my_feed:MyFeed"\nsymbols = ["COIN", "TOKEN"]\n'
WRONG = '[[feeds]]\nkind = "my_feed:MyFeed"\nname = "wrong"\nevery_s = 0\nsymbol = "COIN"\n'


@pytest.mark.soak
def test_a_feed_of_ones_own_runs_beside_one_that_says_what_is_wrong_with_it(
    tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    shutil.copy(ROOT / "examples/my_feed.py", tmp_path)
    plant = Supervised(tmp_path, OWN + WRONG)
    with plant_up(plant, code=3):
        settings = load(plant.config)
        with Connection("rdb", settings.address(settings.rdb.port)) as db:
            eventually(lambda: db.count("trades", sym="TOKEN") >= 5, 20)
            trades = db.select("trades")
        assert set(trades["sym"]) == {"COIN", "TOKEN"}
        assert set(trades["source"]) == {"simulated"}

        healths = plant.healths()
        assert {name for name, health in healths.items() if health["state"] != "up"} == {"feed-wrong"}
        assert healths["feed-my_feed"]["detail"] == "making up trades of COIN, TOKEN"
        wrong = healths["feed-wrong"]
        assert wrong["state"] == "misconfigured"
        assert wrong["detail"] == (
            f"{plant.config}, feed 'wrong': every_s: Input should be greater than 0, found 0; unknown key symbol; "
            "the keys of kind 'my_feed:MyFeed' are name, unique_trade_ids, spool_mb, calendar, symbols, every_s"
        )

        plant.config.write_text(plant.sections + OWN + WRONG.replace("= 0", "= 0.5").replace('symbol = "COIN"\n', ""))
        eventually(lambda: set(plant.states().values()) == {"up"}, 40, plant.states)

        module = tmp_path / "my_feed.py"
        module.write_text(module.read_text().replace("making up", "inventing"))
        eventually(lambda: "inventing" in plant.healths()["feed-my_feed"]["detail"], 40, plant.healths)
