"""plant replay: a day of one plant in another, each row once, also when it was interrupted."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from running import RunningPlant
from typer.testing import CliRunner

from plant.command.replay import app
from plant.errors import QueryError, Refused
from plant.transfer import replaying

DAY = pd.Timestamp("2026-11-18", tz="UTC").value
COLUMNS = ["time", "sym", "price", "size", "source", "trade_id"]


def run(plant: RunningPlant, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--config", str(plant.config), *arguments])


def test_a_day_is_the_same_in_another_plant_and_never_there_twice(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = start_plant("tickerplant", "rdb", "hdb"), start_plant("tickerplant", "rdb", name="two")
    feed, db, other = one.publisher("venue"), one.ask(), two.ask()
    for i in range(3000):
        moment = DAY + (i * 7919 % 3000) * 10**9
        sym = f"S{i % 7}"
        feed.publish("trades", {"time": moment, "sym": sym, "price": 1.0 + i, "size": 1.0, "trade_id": str(i)})
        if i % 3 == 0:
            feed.publish("quotes", {"time": moment, "sym": sym, "bid": 1.0, "ask": 2.0 + i})
    feed.publish("trades", {"time": DAY - 1, "sym": "S0", "price": 1.0, "size": 1.0})
    feed.publish("heartbeats", {"time": DAY, "sym": "x", "state": "ok"})
    feed.flush()
    eventually(lambda: (db.count("trades"), db.count("quotes")) == (3001, 1000))

    published = replaying.publish_replay

    def interrupted(feed: Any, rows: Any, speed: float, progress: Any) -> int:
        def stop(done: int) -> None:
            if done > 1000:
                raise KeyboardInterrupt

        return published(feed, rows, speed, stop)

    monkeypatch.setattr("plant.command.replay.publish_replay", interrupted)
    broken = run(one, "2026-11-18", "--into", str(two.config))
    assert "the same command goes on where it was" in broken.stderr
    monkeypatch.setattr("plant.command.replay.publish_replay", published)
    done = run(one, "2026-11-18", "--into", str(two.config))
    assert done.exit_code == 0, repr(done.exception)
    assert "rows of 2026-11-18 as replay-2026-11-18-" in done.output
    eventually(lambda: (other.count("trades"), other.count("quotes")) == (3000, 1000))
    expected = db.select("trades", start=DAY, columns=COLUMNS)
    pd.testing.assert_frame_equal(other.select("trades", columns=COLUMNS), expected, check_categorical=False)
    assert set(expected["source"]) == {"venue"}
    assert "0 rows of 2026-11-18" in run(one, "2026-11-18", "--into", str(two.config)).output
    some = run(one, "2026-11-18", "--into", str(two.config), "--source", "again", "--table", "trades", "--sym", "S3")
    count = sum(i % 7 == 3 for i in range(3000))
    assert f"{count:,} rows of 2026-11-18 as again" in some.output
    assert other.count("heartbeats", sym="x") == 0

    shown = run(one, "2026-11-18", "--print", "--table", "trades", "--sym", "S3").output.splitlines()
    assert len(shown) == count
    assert shown[0].startswith("trades    2026-11-18 00:00:")
    for arguments, kind in ((("2026-11-18", "--into", str(one.config)), Refused), (("2026-11-18",), Refused),
                            (("yesterday", "--print"), QueryError)):  # fmt: skip
        assert isinstance(run(one, *arguments).exception, kind), arguments
