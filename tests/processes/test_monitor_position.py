"""Where the journal is read from: behind the last record that was taken before a time."""

import time
from collections.abc import Callable

from running import RunningPlant

from monitor.position import seq_before
from plant.transport.request import Requester


def test_all_that_was_taken_since_a_time_lies_behind_it(start_plant: Callable[..., RunningPlant]) -> None:
    plant = start_plant("tickerplant")
    journal = Requester(plant.settings.journal_address, "tickerplant")
    assert seq_before(journal, 0) == 0
    feed = plant.publisher("venue")
    for number in range(20):
        feed.publish("trades", {"time": time.time_ns(), "sym": "AAPL", "price": 1.0 + number, "size": 1.0})
        feed.flush()
    taken = {batch.seq: batch.received for batch in plant.journal()}
    assert len(taken) >= 20
    for since in (0, *taken.values(), *(received + 1 for received in taken.values())):
        before = [seq for seq, received in taken.items() if received < since]
        assert seq_before(journal, since) == max(before, default=0)
    journal.close()


def test_without_a_tickerplant_nobody_knows(dead_port: int) -> None:
    journal = Requester(f"tcp://127.0.0.1:{dead_port}", "tickerplant")
    assert seq_before(journal, 0) is None
    journal.close()
