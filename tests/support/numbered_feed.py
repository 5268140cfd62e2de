"""A publisher for fault tests: rows numbered 1, 2, 3, ... per source, and a file of what was acknowledged.

    python tests/support/numbered_feed.py FOLDER SOURCE[,SOURCE...] ROWS_PER_S SEED [ROWS]

Row n of a source is a trade with trade_id "<source>:<n>", or, each BAR_EVERY-th, a bar; so a row that is missing,
doubled, changed or out of place shows, whatever table it is in. Started again it goes on after the last row the plant
has. It writes to FOLDER/<source>.<ns since 1970>.acknowledged every number that the plant acknowledged. SIGTERM, or
ROWS of each source, end it once all is acknowledged; it then writes to FOLDER/<source>.published what it made.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from plant.client.connect import publisher
from plant.errors import SourceTaken
from plant.stream.publisher import Publisher

BAR_EVERY = 500
SYMS = ("AAPL", "TSLA", "GOOG")
BASE = 1_767_225_600_000_000_000
"""2026-01-01 00:00 UTC. All trades have this time, so that their order in an answer is the order they were taken in."""
MINUTE = 60 * 10**9
MOST_AT_ONCE = 400


def price_of(number: Any) -> Any:
    """Return the price of row `number` (a number or an array), so that a changed row shows."""
    return 100.0 + number % 9973 / 64


def trades(source: str, first: int, count: int) -> dict[str, Any]:
    """Return the rows numbered from `first` as columns of `trades`."""
    numbers = np.arange(first, first + count)
    return {
        "time": np.full(count, BASE),
        "sym": [SYMS[n % 3] for n in numbers.tolist()],
        "price": price_of(numbers),
        "size": numbers.astype(float),
        "trade_id": [f"{source}:{n}" for n in numbers.tolist()],
    }


def trade(source: str, number: int) -> dict[str, Any]:
    """Return row `number` as one row of `trades`."""
    return {
        "time": BASE,
        "sym": SYMS[number % 3],
        "price": price_of(number),
        "size": float(number),
        "trade_id": f"{source}:{number}",
    }


def bar(source: str, number: int) -> dict[str, Any]:
    """Return row `number` as a row of `bars`: a series of minute bars for each source, a key for each number."""
    close = price_of(number)
    return {
        "time": BASE + number // BAR_EVERY * MINUTE,
        "sym": source.upper(),
        "interval": "1m",
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": float(number),
    }


class Source:
    """One numbered source: where it stands, and its file of acknowledgements."""

    def __init__(self, folder: Path, name: str) -> None:
        self.feed: Publisher = publisher(name, timeout_s=60)
        self.name = name
        self.number = self.feed.accepted or 0
        self._published = folder / f"{name}.published"
        self._log = os.open(folder / f"{name}.{time.time_ns()}.acknowledged", os.O_WRONLY | os.O_CREAT, 0o644)
        self._logged = -1
        self.note()

    def publish(self, most: int) -> int:
        """Publish at most so many rows of one table; return how many."""
        first = self.number + 1
        count = min(most, -first % BAR_EVERY or 1)
        if first % BAR_EVERY == 0:
            self.feed.publish("bars", bar(self.name, first))
        elif count == 1:
            self.feed.publish("trades", trade(self.name, first))
        else:
            self.feed.publish("trades", trades(self.name, first, count))
        self.number += count
        return count

    def note(self) -> None:
        """Write down what is acknowledged by now, if it is more than before; a line is written whole or not at all."""
        accepted = self.feed.accepted or 0
        if accepted != self._logged:
            os.write(self._log, b"%d\n" % accepted)
            self._logged = accepted

    def finish(self) -> None:
        """Wait until all is acknowledged, and write down how much that is."""
        self.feed.flush(60)
        self.note()
        self._published.write_text(f"{self.number}\n")
        self.feed.close(10)


def main() -> None:
    """Publish until told to stop; see the module's docstring."""
    folder, names, rate, seed, *most = sys.argv[1:]
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    sources = [Source(Path(folder), name) for name in names.split(",")]
    print(f"feed ready pid={os.getpid()}", *(f"{s.name}={s.number}" for s in sources), flush=True)
    chance = random.Random(f"{seed} {names} {sources[0].number}")
    last = int(most[0]) if most else 2**62
    started, made = time.monotonic(), 0
    try:
        while not stop and (open_ones := [s for s in sources if s.number < last]):
            source = chance.choice(open_ones)
            for _ in range(chance.choice((1, 1, 30))):
                left = last - source.number
                if left > 0:
                    made += source.publish(min(chance.choice((1, 1, 1, chance.randint(2, MOST_AT_ONCE))), left))
            while True:
                for each in sources:
                    each.note()
                ahead_s = made / float(rate) - (time.monotonic() - started)
                if stop or ahead_s <= 0:
                    break
                time.sleep(min(ahead_s, 0.05))
        for source in sources:
            source.finish()
    except SourceTaken as taken:
        print(f"SourceTaken: {taken}", flush=True)


if __name__ == "__main__":
    main()
