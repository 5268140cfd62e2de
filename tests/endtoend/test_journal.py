"""The journal of a real plant: compressed beside the capture, verified beside it, damaged between runs."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from running import RunningPlant, until_live
from typer.testing import CliRunner

from plant.command.journal import app
from plant.errors import JournalError
from plant.journal.check import check_journal
from plant.journal.segment import Segment
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester

Start = Callable[..., RunningPlant]
BATCH = 2000


def trades(first: int, count: int = BATCH) -> dict[str, Any]:
    """Return trades numbered by their price from `first` on; the sizes do not compress."""
    numbers = np.arange(first, first + count)
    return {
        "time": 1_795_176_000_000_000_000 + numbers,
        "sym": ["AAPL"] * count,
        "price": numbers.astype(float),
        "size": np.random.default_rng(first).random(count),
    }


def fill(plant: RunningPlant, segments: int) -> int:
    """Publish until the journal has so many segments; return the number of trades."""
    count = 0
    with plant.publisher("feed") as feed:
        while len({p.name.split(".")[0] for p in journal_of(plant).glob("*.journal*")}) < segments:
            feed.publish("trades", trades(1 + count))
            feed.flush()
            count += BATCH
        for _ in range(3):
            feed.publish("trades", trades(1 + count))
            count += BATCH
        feed.flush()
    return count


def journal_of(plant: RunningPlant) -> Path:
    return plant.folder / "data" / "journal"


def stopped(plant: RunningPlant) -> Path:
    """Stop the tickerplant as `plant down` does; return its journal."""
    plant.kill("tickerplant", signal.SIGTERM)
    plant.processes["tickerplant"].wait(20)
    return journal_of(plant)


def replayed(subscriber: Subscriber) -> list[int]:
    """Return the numbers of the trades that a subscriber gets until it is live."""
    return [n for batch in until_live(subscriber) for n in batch.columns["price"].astype(int).tolist()]


def test_a_plant_compresses_closed_segments_while_it_runs_and_is_verified_beside(
    start_plant: Start, eventually: Any
) -> None:
    plant = start_plant("tickerplant", "rdb", segment_mb=1)
    count = fill(plant, 5)
    eventually(lambda: len(list(journal_of(plant).glob("*.zst"))) >= 4, what=lambda: plant.log("tickerplant"))
    found = check_journal(journal_of(plant))
    assert found.whole, found
    assert found.rows["trades"] == count
    done = CliRunner().invoke(app, ["verify", "--config", str(plant.config)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "whole")
    plant.restart("tickerplant")
    assert replayed(plant.subscriber("trades")) == list(range(1, count + 1))
    plant.restart("rdb")
    eventually(lambda: plant.ask().count("trades") == count)
    assert plant.ask().count("gaps") == 0


@pytest.mark.soak
def test_records_lost_to_a_flipped_bit_are_a_gap_in_state_lost_and_the_plant_goes_on(
    start_plant: Start, eventually: Any
) -> None:
    plant = start_plant("tickerplant")
    with plant.publisher("feed") as feed:
        for i in range(10):
            feed.publish("trades", trades(1 + 5 * i, 5))
            feed.flush()
    folder = stopped(plant)
    (path,) = folder.glob("*.journal")
    segment = Segment(path)
    offsets = [offset for h, offset in segment.scan() if segment.tables[h.schema_id].name == "trades"]
    data = bytearray(path.read_bytes())
    data[offsets[4] + 100] ^= 1
    path.write_bytes(data)
    plant.start("tickerplant", "rdb")
    whole = [n for n in range(1, 51) if not 21 <= n <= 25]
    subscriber = plant.subscriber("trades")
    assert replayed(subscriber) == whole
    assert [(g.table, g.first, g.last, g.state) for g in subscriber.stream.gaps] == [("trades", 5, 5, "lost")]
    with plant.publisher("feed") as feed:
        assert feed.wait_connected() == 50
        feed.publish("trades", trades(51, 5))
        feed.flush()
    live: list[Any] = []
    eventually(lambda: live.extend(subscriber.poll(0.05)) or live)
    assert live[0].columns["price"].tolist() == [51, 52, 53, 54, 55]
    assert subscriber.caught_up
    eventually(lambda: plant.ask().count("trades") == 50)
    eventually(lambda: plant.ask().count("gaps") == 1)
    row = plant.ask().select("gaps").iloc[0]
    assert (row["sym"], row["table_name"], row["first"], row["last"], row["state"]) == ("rdb", "trades", 5, 5, "lost")
    for _ in range(2):
        plant.restart("rdb")
        pid = plant.processes["rdb"].pid
        live = f"select count(*) n from heartbeats where pid = {pid} and state = 'ok'"
        eventually(lambda live=live: plant.ask().sql(live)["n"][0] >= 2)
        assert plant.ask().count("gaps") == 1, "reported again at a restart"
    stopped(plant)
    done = CliRunner().invoke(app, ["repair", "--config", str(plant.config)])
    assert done.exit_code == 0, done.output
    assert "lost: trades: table_seq 5 missing" in done.output
    plant.start("tickerplant")
    assert replayed(plant.subscriber("trades")) == [*whole, *range(51, 56)]


def test_a_missing_segment_is_a_gap_in_state_lost_and_the_plant_goes_on(start_plant: Start, eventually: Any) -> None:
    plant = start_plant("tickerplant", segment_mb=1)
    count = fill(plant, 4)
    folder = stopped(plant)
    gone = sorted(p for p in folder.glob("*.journal*") if not p.name.endswith(".index"))[1]
    gone.unlink()
    missing = {m.table: m for m in check_journal(folder).missing}
    plant.start("tickerplant")
    subscriber = plant.subscriber("trades")
    found = replayed(subscriber)
    assert found == sorted(set(found))
    assert 0 < count - len(found) == (missing["trades"].last - missing["trades"].first + 1) * BATCH
    assert [(g.table, g.first, g.last, g.state) for g in subscriber.stream.gaps] == [
        ("trades", missing["trades"].first, missing["trades"].last, "lost")
    ]
    eventually(lambda: "are in no segment" in plant.log("tickerplant"))


def test_confirmed_segments_are_removed_and_late_joiners_get_what_there_is(start_plant: Start, eventually: Any) -> None:
    plant = start_plant("tickerplant", segment_mb=1, keep_gb=0.0005)
    count = fill(plant, 4)
    settings = plant.settings
    asker = Requester(settings.address(settings.tickerplant.journal_port), "tickerplant", 5.0)
    position = msgpack.unpackb(asker.ask(ask="status")[0])
    assert position["first_seq"] == 1
    with pytest.raises(JournalError, match="confirmed: expected a seq up to"):
        asker.ask(ask="confirmed", seq=position["seq"] + 10**6)
    assert msgpack.unpackb(asker.ask(ask="confirmed", seq=position["seq"])[0]) == {"confirmed": position["seq"]}
    eventually(lambda: msgpack.unpackb(asker.ask(ask="status")[0])["first_seq"] > 1)
    asker.close()
    subscriber = plant.subscriber("trades")
    found = replayed(subscriber)
    assert found == list(range(found[0], count + 1))
    assert found[0] > 1
    assert subscriber.stream.gaps == []
    assert check_journal(journal_of(plant)).whole
