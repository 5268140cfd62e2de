"""plant.connect() on a real plant: today and history as one, before, during and after the day is closed."""

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from running import RunningPlant

import plant
from plant.errors import QueryError, Unavailable

START = 1_795_100_000_000_000_000
SECOND = 10**9
QUICK = "part_s = 0.2\npart_rows = 2000\n"


def trades(first: int, count: int) -> dict[str, Any]:
    """Return trades of two symbols, a second apart, every seventh of them late."""
    numbers = np.arange(first, first + count)
    late = np.where(numbers % 7 == 0, 40_000, 0)
    return {
        "time": START + (numbers - late) * SECOND,
        "sym": [("A", "B")[n % 2] for n in numbers.tolist()],
        "price": 100.0 + numbers % 10,
        "size": np.ones(count),
        "source": ["test"] * count,
        "trade_id": [str(n) for n in numbers.tolist()],
    }


def bars(first: int, count: int, close: float) -> dict[str, Any]:
    prices = {name: np.full(count, close) for name in ("open", "high", "low", "close", "volume")}
    times = START + np.arange(first, first + count) * 60 * SECOND
    return {"time": times, "sym": ["A"] * count, "interval": ["1m"] * count, **prices, "source": ["test"] * count}


def end_day(running: RunningPlant) -> None:
    command = [sys.executable, "-c", "from plant.command.app import main; main()", "end-of-day", "--again"]
    done = subprocess.run(command, env=running.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def both(running: RunningPlant, **options: Any) -> Any:
    return plant.connect(config=str(running.config), **options)


def test_questions_are_answered_alike_while_days_close(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any]
) -> None:
    running = start_plant("tickerplant", "rdb", "hdb", hdb=QUICK)
    feed = running.publisher("feed")
    feed.publish("trades", trades(0, 3000))
    feed.publish("bars", bars(0, 200, 1.0))
    feed.flush()
    wrong: list[str] = []
    stop = threading.Event()
    with both(running) as db:
        eventually(lambda: db.count("trades") == 3000, what=lambda: db.status())

        def asking() -> None:
            seen = 0
            with both(running) as mine:
                while not stop.is_set():
                    ids = [int(i) for i in mine.select("trades", columns=["trade_id"], frames="numpy")["trade_id"]]
                    if sorted(ids) != list(range(len(ids))) or len(ids) < seen:
                        wrong.append(f"{len(ids)} trades after {seen}, {len(set(ids))} of them different")
                    seen = len(ids)
                    count = mine.count("bars")
                    if count != 200:
                        wrong.append(f"{count} bars")

        thread = threading.Thread(target=asking)
        thread.start()
        try:
            for i in range(1, 4):
                feed.publish("trades", trades(3000 * i, 3000))
                feed.publish("bars", bars(i * 30, 100, float(i + 1)))
                feed.flush()
                end_day(running)
        finally:
            stop.set()
            thread.join()
        assert wrong == []

        feed.publish("trades", trades(12_000, 1000))
        feed.publish("bars", bars(150, 20, 9.0))
        feed.flush()
        eventually(lambda: db.count("trades") == 13_000)
        rdb, hdb = running.ask("rdb"), running.ask("hdb")
        eventually(lambda: rdb.count("trades") == 1000, what="the rdb holds on to what is closed")
        eventually(lambda: hdb.count("trades") == 13_000, what="the hdb has no parts")
        found = db.select("trades", frames="arrow")
        assert sorted(map(int, found.column("trade_id").to_pylist())) == list(range(13_000))
        closes = db.select("bars", columns=["close"], frames="numpy")["close"].tolist()
        assert closes == [1.0] * 30 + [2.0] * 30 + [3.0] * 30 + [4.0] * 60 + [9.0] * 20 + [4.0] * 20 + [1.0] * 10
        assert db.count("bars") == 200
        ohlc = db.resample("trades", "1h", frames="numpy")
        assert ohlc["volume"].sum() == 13_000
        assert len(ohlc["time"]) == len(set(zip(ohlc["time"].tolist(), ohlc["sym"].tolist(), strict=True)))
        assert db.last("trades", frames="numpy")["trade_id"].tolist() == ["12998", "12997"]
        n = db.sql("select count(*) n, count(distinct trade_id) d, min(time) t from trades", frames="arrow").to_pylist()
        assert (n[0]["n"], n[0]["d"]) == (13_000, 13_000)
        tables = {row["table"]: row["rows"] for row in db.tables(frames="arrow").to_pylist()}
        assert (tables["trades"], tables["bars"]) == (13_000, 200)
        assert db.trades.tail(3, frames="numpy")["trade_id"].tolist() == ["12996", "12997", "12998"]  # 12999 is late
        assert repr(db).startswith("plant: rdb at tcp://")
        closed = db.status()["history"]["closed"]
        assert db.as_of(closed).count("trades") == hdb.as_of(closed).count("trades") == 12_000
        with pytest.raises(QueryError, match="answered from history"):
            rdb.as_of(closed).count("trades")


@pytest.mark.soak
def test_without_an_hdb_the_rdb_answers_alone_until_it_lets_go(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any]
) -> None:
    running = start_plant("tickerplant", "rdb", hdb=QUICK)
    feed = running.publisher("feed")
    feed.publish("trades", trades(0, 100))
    feed.flush()
    rdb = running.ask("rdb")
    eventually(lambda: rdb.count("trades") == 100)
    with both(running, timeout_s=10.0) as db:
        assert db.count("trades") == 100
        assert db.sql("select count(*) n from trades", frames="numpy")["n"].tolist() == [100]
        assert "did not answer" in db.status()["history"]["error"]
        running.start("hdb")
        end_day(running)
        eventually(lambda: rdb.status()["released"] > 0)
        running.kill("hdb")
        with pytest.raises(Unavailable, match=r"hdb at .* did not answer .* what came after seq \d+ only: rdb.connect"):
            eventually(lambda: db.count("trades") == -1)
        running.start("hdb")
        eventually(lambda: db.count("trades") == 100)
