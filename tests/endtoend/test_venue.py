"""A venue's feed as a process: cut, its plant down, its symbols changed; each trade is in the plant once, in order."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import RunningPlant
from venue_server import VenueServer

from plant.stream.spool import spooled_bytes

SUPPORT = Path(__file__).parents[1] / "support"
PROCESS = "feedhandler made-up"


def test_cuts_and_a_plant_that_is_down_cost_no_trade_and_symbols_change_while_it_runs(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADE_UP_KEY", "k3y")
    with VenueServer() as venue:
        feed = (
            '[[feeds]]\nkind = "made_up_venue:MadeUpFeed"\nname = "made-up"\nsymbols = ["A", "B"]\nrecord = true\n'
            f'url = "{venue.url}"\nrest_url = "{venue.rest_url}"\n'
        )
        plant = start_plant("tickerplant", toml=feed)
        for name in ("made_up_venue.py", "venue_server.py"):
            shutil.copy(SUPPORT / name, plant.folder)
        plant.start(PROCESS)

        def subscribed(*symbols: str) -> None:
            eventually(lambda: all(map(venue.subscribed, symbols)), 20, lambda: plant.log(PROCESS)[-2000:])

        subscribed("A", "B")
        pid = plant.processes[PROCESS].pid
        venue.trade("A", 50)
        venue.trade("B", 1)  # the venue's clock is another than ours: what it made before the first could not be told
        venue.cut(within=True)
        venue.trade("A", 70)
        venue.trade("B", 4)
        subscribed("A", "B")
        plant.kill("tickerplant")
        venue.trade("A", 30)
        venue.cut()
        venue.trade("B", 40)
        subscribed("A", "B")
        venue.trade("B", 1)  # by which the feed sees that some are missing
        plant.config.write_text(plant.config.read_text().replace('["A", "B"]', '["A", "C"]'))
        subscribed("A", "C")
        venue.trade("B", 10)  # nobody wants them any more
        venue.trade("C", 5)
        venue.trade("A", 1)
        plant.start("tickerplant")
        wanted = {"A": 151, "B": 46, "C": 5}

        def there() -> dict[str, list[int]]:
            found: dict[str, list[int]] = {sym: [] for sym in wanted}
            for batch in plant.journal("trades"):
                names = batch.columns["sym"].tolist()
                for sym, number in zip(names, batch.columns["venue_seq"].tolist(), strict=True):
                    found[sym].append(number)
            return found

        spool = plant.settings.plant.data / "spool" / "made-up"
        eventually(lambda: not spooled_bytes(spool), 30, lambda: plant.log(PROCESS)[-2000:])
        eventually(lambda: sum(map(len, there().values())) >= sum(wanted.values()), 20, there)
        assert there() == {sym: list(range(1, count + 1)) for sym, count in wanted.items()}

        def told() -> set[str]:
            return {sym for batch in plant.journal("instruments") for sym in batch.columns["sym"].tolist()}

        eventually(lambda: told() == {"A", "B", "C"}, 20, told)
        assert not plant.journal("rejects")
        assert plant.processes[PROCESS].pid == pid
        assert plant.processes[PROCESS].poll() is None
        assert list((plant.settings.plant.data / "frames" / "made-up").iterdir())
        plant.processes[PROCESS].terminate()  # while it still asks an rdb that is not there what the plant has
        assert plant.processes[PROCESS].wait(20) == 0
