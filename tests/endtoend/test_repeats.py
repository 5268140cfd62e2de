"""A venue sends its last trades again after every reconnect, and whatever is killed, each is in the plant once."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chance import SEED
from running import RunningPlant, all_stopped

from plant.client.connect import publisher
from plant.wire.messages import Repeats

VENUE = '''
"""A venue that sends its last AGAIN trades anew on each connection; trade n is numbered n, and so is its size."""

import pathlib
import time

from feedhandler import FeedSettings

AGAIN = 20_000
BASE = 1_767_225_600_000_000_000


class Settings(FeedSettings):
    counter: str


class Venue:
    Settings = Settings
    replayable = False
    finished = False

    def __init__(self, settings):
        self.counter = pathlib.Path(settings.counter)
        self.next = 0

    def start(self, accepted):
        self.next = max(int(self.counter.read_text()) - AGAIN, 0)

    def poll(self, now_ns, timeout_s):
        time.sleep(0.002)
        count = 200 if self.next + 200 < int(self.counter.read_text()) else 7
        numbers = range(self.next, self.next + count)
        self.next = numbers.stop
        if self.next > int(self.counter.read_text()):
            replaced = self.counter.with_suffix(".new")
            replaced.write_text(str(self.next))
            replaced.rename(self.counter)
        columns = {"time": [BASE + n for n in numbers], "sym": ["AB"[n % 2] for n in numbers]}
        columns |= {"price": [1.0 + n % 7 for n in numbers], "size": [float(n) for n in numbers]}
        return [("trades", {**columns, "source": ["venue"] * count, "trade_id": [f"t{n}" for n in numbers]})]

    def status(self):
        return "connected"

    def close(self):
        pass
'''


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    print(f"TICKPLANT_SEED={SEED}")
    counter = tmp_path / "counter"
    counter.write_text("0")
    section = f'[[feeds]]\nkind = "venue:Venue"\nunique_trade_ids = true\ncounter = "{counter}"\n'
    with all_stopped() as plants:
        made = RunningPlant(tmp_path / "plant", toml=section, segment_mb=1, segment_hours=0.0005)
        plants.append(made)
        (made.folder / "venue.py").write_text(VENUE)
        made.start("tickerplant", "rdb")
        yield made


def trades(*numbers: int) -> list[dict[str, Any]]:
    at = {"time": "2026-11-20 14:30", "sym": "A", "price": 10.0, "size": 5.0}
    return [{**at, "trade_id": str(number)} for number in numbers]


def test_trades_that_a_publisher_sends_again_count_once_also_after_a_restart(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    db = plant.ask("rdb")
    for sent, restart in (((9001, 9002, 9003), False), ((9002, 9003, 9004), False), ((9001, 9004), True)):
        if restart:
            plant.restart("tickerplant")
        with publisher("venue", config=str(plant.config), unique_trade_ids=True) as feed:
            feed.publish("trades", trades(*sent))
            feed.flush()
    assert feed.repeats == Repeats(dropped=2)
    eventually(lambda: len(db.select("rejects")) == 2)
    assert db.resample("trades", "1d", sym="A")["volume"].tolist() == [20.0]
    assert sorted(db.select("rejects")["reason"]) == [
        "dropped 2 repeated trades, already in the plant (unique_trade_ids): '9001' to '9004'",
        "dropped 2 repeated trades, already in the plant (unique_trade_ids): '9002' to '9003'",
    ]


def test_a_venue_sends_again_after_kills_of_feed_and_tickerplant_and_each_trade_is_there_once(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    chance = random.Random(SEED)
    feed, db = "feedhandler venue", plant.ask("rdb")
    counter = plant.folder.parent / "counter"
    plant.start(feed)
    for killed in ([feed], ["tickerplant"], [feed, "tickerplant"], ["rdb"], [feed]):
        sent = int(counter.read_text())
        eventually(lambda: db.count("trades") > sent, 30.0)  # noqa: B023
        time.sleep(chance.uniform(0.1, 0.5))
        for name in killed:
            plant.kill(name)
        plant.start(*killed)
    sent = int(counter.read_text())
    eventually(lambda: db.count("trades") > sent, 30.0)

    def state() -> str:
        return str(db.last("heartbeats").set_index("sym").loc["feed-venue"]["state"])

    eventually(lambda: state().startswith("connected; dropped "), 10.0)
    plant.kill(feed)
    found = db.select("trades", columns=["trade_id", "size"])
    assert len(found) > sent
    assert sorted(found["size"]) == [float(n) for n in range(len(found))]  # none twice, and none left out
    assert (found["trade_id"] == [f"t{int(n)}" for n in found["size"]]).all()
    told = db.select("rejects", columns=["source", "reason"])
    assert set(told["source"]) == {"venue"}
    assert told["reason"].str.startswith("dropped ").all()
