"""A plant that is down: its feeds spool, and it has everything once and in order when it is back, whoever is killed."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chance import SEED
from counting_feed import JUMP, ROWS
from running import RunningPlant

from plant.stream.spool import spooled_bytes

FEED = '[[feeds]]\nkind = "counting_feed:CountingFeed"\nname = "counting"\nhanded = "handed"\n'
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.mark.parametrize(
    "kills", [2, pytest.param(200, marks=(pytest.mark.soak, pytest.mark.timeout(3_600)))], ids="{} kills".format
)
def test_what_was_spooled_is_in_the_plant_once_and_in_order_whoever_is_killed(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], kills: int
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    plant = start_plant("tickerplant", toml=FEED, sync="batch")
    plant.wait_s = 120.0
    shutil.copy(SUPPORT / "counting_feed.py", plant.folder)
    plant.start("feedhandler counting")
    spool, handed = plant.settings.plant.data / "spool" / "counting", plant.folder / "handed"
    eventually(lambda: handed.is_file() and len(handed.read_text().split()) > 20)
    spooled: dict[int, int] = {}  # by run of the feed: up to which number all is on disk, or in the plant

    def last() -> int:
        return int(handed.read_text().split()[-1])

    def handed_on(number: int) -> None:
        eventually(lambda: last() > number, 60, lambda: plant.log("feedhandler counting")[-2000:])

    def note() -> None:
        number = last()
        if number % JUMP:  # else the run has handed on nothing yet
            spooled[number // JUMP] = number

    def in_journal() -> int:
        return sum(file.stat().st_size for file in (plant.settings.plant.data / "journal").glob("*.journal"))

    def grown(size: int) -> None:
        eventually(lambda: in_journal() > size, 60, lambda: plant.log("feedhandler counting")[-2000:])

    def handed_over() -> None:
        """Wait for the end of the spool for as long as the plant takes some of it."""
        size, since = -1, time.monotonic()
        while spooled_bytes(spool):
            if in_journal() > size:
                size, since = in_journal(), time.monotonic()
            assert time.monotonic() - since < 60, plant.log("feedhandler counting")[-2000:]
            time.sleep(0.02)

    began = time.monotonic()
    for _ in range(kills):
        plant.kill("tickerplant")
        eventually(lambda: spooled_bytes(spool) > 20_000, 60, lambda: plant.log("feedhandler counting")[-2000:])
        handed_on(
            last() + 2 * ROWS
        )  # what was in memory is on its way to the disk: batches since tell that it is there
        if chance.random() < 0.6:
            note()
            plant.restart("feedhandler counting")
            time.sleep(chance.random() * 0.3)
        note()
        journaled = in_journal()
        plant.start("tickerplant")
        if chance.random() < 0.6:  # while it is being handed over
            grown(journaled + 10_000)
        time.sleep(chance.random() * 0.4)
        if chance.random() < 0.2:
            handed_over()
        if chance.random() < 0.5:
            plant.restart("feedhandler counting")
    killed = time.monotonic()
    grown(in_journal())  # the plant has welcomed the last run: else what is in memory goes to the spool when it ends
    handed_over()
    plant.processes["feedhandler counting"].terminate()
    assert plant.processes["feedhandler counting"].wait(60) == 0
    assert not spooled_bytes(spool), "what is still in the spool is not missing, but not in the plant either"
    ended = time.monotonic()
    names = [name for batch in plant.journal("trades") for name in batch.columns["trade_id"].tolist()]
    found = np.array(names, dtype=np.int64)
    print(f"{kills} kills in {killed - began:.0f} s, the rest handed over in {ended - killed:.0f} s, "
          f"{len(found):,} rows of {len(spooled)} runs read in {time.monotonic() - ended:.0f} s")  # fmt: skip
    assert (np.diff(found) > 0).all(), "a row is there twice, or out of order"
    note()
    ends = np.flatnonzero(np.diff(found // JUMP)) + 1
    by_run = {int(of_run[0]) // JUMP: of_run for of_run in np.split(found, ends)}
    for run, number in spooled.items():
        of_run = by_run[run]
        assert of_run[0] == run * JUMP + 1, f"run {run}: its first rows are missing"
        assert of_run[-1] - of_run[0] == len(of_run) - 1, f"run {run}: rows are missing in between"
        assert of_run[-1] >= number, f"run {run}: the last rows that were spooled are missing"
