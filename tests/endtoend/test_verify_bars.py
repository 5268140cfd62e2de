"""plant verify-bars: the bars that a feed sent are those of its trades, or the first that is not is named."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from running import RunningPlant
from typer.testing import CliRunner

from plant.transfer.replaying import rows_of
from processor.candles.command import app

DAY = pd.Timestamp("2026-11-18", tz="UTC").value
MINUTE = 60 * 10**9


def run(plant: RunningPlant, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--config", str(plant.config), *arguments])


def test_a_feed_s_bars_are_compared_with_its_trades(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any]
) -> None:
    plant = start_plant("tickerplant", "rdb", "hdb")
    feed, db = plant.publisher("venue"), plant.ask()
    common = {"sym": "A", "source": "venue"}
    for minute in range(6):
        at = DAY + minute * MINUTE
        feed.publish("trades", [{"time": at + i, **common, "price": 10.0 + i, "size": 2.0} for i in (1, 2, 3)])
        bar = {"open": 11.0, "high": 13.0, "low": 11.0, "close": 13.0, "volume": 6.0, "vwap": 12.0, "trades": 3.0}
        feed.publish("bars", {"time": at, **common, "interval": "1m", **bar})
        feed.publish("bars", {"time": at, **common, "interval": "1m", "source": "built:venue", "sym": "B", **bar})
    feed.flush()
    eventually(lambda: (db.count("trades"), db.count("bars")) == (18, 12))
    done = run(plant, "A", "2026-11-18")
    assert (done.exit_code, done.stdout.split()[-4:]) == (0, ["venue", "1m", "6", "0"]), repr(done.exception)
    wrong = {"open": 11.0, "high": 13.0, "low": 11.0, "close": 12.0, "volume": 6.0}
    feed.publish("bars", {"time": DAY + 4 * MINUTE, **common, "interval": "1m", **wrong})
    feed.flush()
    eventually(lambda: len(db.select("bars", where=[("close", "==", 12.0)])) == 1)
    done = run(plant, "A", "2026-11-18")
    assert done.exit_code == 1
    assert "2026-11-18T00:04:00Z: close 12, of trades 13" in " ".join(done.stdout.split())
    assert run(plant, "B", "2026-11-18").exit_code == 1

    with plant.whole(frames="arrow") as whole:
        schema = plant.settings.table_schema
        for built, syms in ((False, {"A"}), (True, {"A", "B"})):
            rows = [columns for _, columns in rows_of(whole, schema, ["bars"], None, DAY, 2 * DAY, built=built)]
            assert {sym for columns in rows for sym in columns["sym"].tolist()} == syms
