"""What a user types in a Python shell, on a running plant: every line of the README and of the design's list."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from running import RunningPlant

SETUP = "import rdb, plant, processor, pandas as pd\ndb = rdb.connect()"

LINES = {
    "db": ["rdb at tcp://127.0.0.1:", "bars", "trades"],
    "db.bars.tail(5)": ["AAPL", "interval"],
    'db.select("bars", sym=["AAPL", "TSLA"], start="00:00", end="23:59:59", columns=["close", "volume"])': ["close"],
    'db.select("bars", sym=pd.array(["AAPL"]), start=pd.Timestamp("2020-01-01"), where={"interval": "1m"}, last=2)': [],
    'db.last("bars")': ["AAPL", "TSLA", "[2 rows"],
    'db.resample("trades", "5m", sym="AAPL")': ["vwap"],
    'db.asof("trades", "quotes", sym="AAPL")[["price", "bid", "ask"]]': ["10.0", "9.5", "10.5"],
    'db.sql("select sym, count(*) n from bars group by sym order by sym")': ["AAPL", "TSLA"],
    'db.select("bars", sym="AAPL", frames="polars")': ["shape:", "datetime[ns, UTC]"],
    'type(rdb.connect(frames="polars").last("bars"))': ["polars"],
    'db.select("bars", sym="AAPL", frames="arrow").schema.field("time").type': ["timestamp[ns, tz=UTC]"],
    'db.select("bars", sym="AAPL", frames="numpy")["close"].dtype': ["float64"],
    "processor.connect()": ["indicators", "signals"],
    "[n for n in dir(db) if n in ('bars', 'trades', 'select')]": ["['bars', 'select', 'trades']"],
    "plant.connect().count('bars') == db.count('bars') > 0": ["True"],
    'next(iter(plant.subscribe("trades", sym="AAPL", since="00:00"))).pandas()[["sym", "price"]]': ["AAPL", "10.0"],
    "db.bars": ["bars:", "columns time, sym"],
    'db.window("trades", "quotes", "-60s", "0s", {"top": ("max", "bid")})[["price", "top"]]': ["10.0", "9.5"],
    'next(db.watch("trades", "AAPL"))[["sym", "price"]]': ["AAPL", "10.0"],
    'db.trades["AAPL"][["sym", "price"]]': ["AAPL", "10.0"],
    'db.select("queries", last=1).columns.tolist()': ["client", "question", "seconds", "rows", "bytes", "state"],
}


@pytest.fixture
def shell(start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any]) -> Callable[[str], str]:
    """Return a function that runs lines in a fresh Python on a plant with bars, trades and quotes of now."""
    toml = '[[feeds]]\nkind = "simulated"\nhistory_minutes = 10\nsymbols = ["AAPL", "TSLA"]\n'
    plant = start_plant("tickerplant", "rdb", "processor", "feedhandler simulated", toml=toml)
    now = time.time_ns()
    feed = plant.publisher("hand")
    feed.publish("quotes", {"time": now - 1000, "sym": "AAPL", "bid": 9.5, "ask": 10.5})
    feed.publish("trades", {"time": now, "sym": "AAPL", "price": 10.0, "size": 3})
    feed.flush()
    eventually(lambda: plant.ask().count("trades") == 1 and plant.ask("processor").count("indicators") >= 20)

    def run(text: str) -> str:
        done = subprocess.run([sys.executable, "-W", "error", "-c", text], env=plant.environment, capture_output=True,
                              text=True, timeout=60, check=False)  # fmt: skip
        return done.stdout + done.stderr

    return run


def test_every_line_answers_as_documented(shell: Callable[[str], str]) -> None:
    script = SETUP + "".join(f"\nprint({'#' * 8!r}, {line!r}); print({line})" for line in LINES)
    answers = shell(script).split("#" * 8 + " ")[1:]
    for (line, expected), answer in zip(LINES.items(), answers, strict=True):
        assert answer.startswith(line), answer
        for part in expected:
            assert part in answer.removeprefix(line), f"{line}\n{answer}"


def test_a_publisher_returns_the_seq_that_is_in_the_journal(shell: Callable[[str], str]) -> None:
    script = (
        SETUP + "\nnow = pd.Timestamp.now('UTC')"
        "\nframe = pd.DataFrame({'time': [now], 'sym': ['X'], 'price': [1.0], 'size': [1.0]})"
        "\nwith plant.publisher('my-feed') as feed:\n    feed.publish('trades', frame)\n    print('seq', feed.flush())"
        "\nfor batch in plant.subscribe('trades', sym='X', since='start'):"
        "\n    print('seen', batch.seq, batch.table, len(batch)); break"
    )
    answer = shell(script).split()
    assert answer[0] == "seq", " ".join(answer)
    assert answer[2:] == ["seen", answer[1], "trades", "1"]
