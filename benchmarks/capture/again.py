"""What does it cost to notice trades that come again: time per row, memory per id, reading the ids at a start?"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.effort import Effort
from benchmarks.machine import Grid, Spread, ratio
from plant.history.days import Days
from plant.intake.forms import columns_of
from plant.journal.journal import Journal
from plant.journal.position import Position
from plant.rows.columns import Columns, Symbols, Texts, compacted
from plant.rows.tables import schema_of
from plant.wire.messages import hello
from plant.wire.record import encode, source_id_of
from tickerplant.repeats.remembered import MOST_IDS, read_ids
from tickerplant.repeats.trade_ids import TradeIds
from tickerplant.sequencer import Sequencer

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
SOURCE = source_id_of("venue")
NOW = 1_763_640_000 * 10**9
PEER = b"peer"

HIDDEN = """\
In process: what the tickerplant's loop does with a message, without its socket and its disk; every trade has an id
of its own, twelve digits long, of one of four symbols. The longest turn is that in which the table of ids grows. A
dict of Python's ints is what the table is compared with; its bytes are those of the dict, and of the two ints. "Read
at a start" is reading, decoding and remembering, without another thread beside it."""


def again(effort: Effort) -> bool:
    """Print CPU time per row with and without the promise, memory per id, and the time of reading ids."""
    columns = ("rows of a record", "rows", "promise", "ns per row", "ratio", "longest turn, ms")
    grid = Grid("Trades of a source with unique_trade_ids: CPU ns per row", columns)
    for rows, records in ((1, effort.size(200_000, 500)), (1000, effort.size(3_000, 5))):
        plain: float | None = None
        for promise in (False, True):
            runs = [_sequenced(rows, records, promise) for _ in effort.times(3)]
            spread = Spread.of(ns for ns, _ in runs)
            plain = plain or spread.median
            longest = max(ms for _, ms in runs)
            grid.add(
                rows, rows * records, "yes" if promise else "no", str(spread), ratio(spread.median, plain), longest
            )
    print(grid)
    memory = Grid("Memory of ids", ("ids", "MB", "bytes per id", "dict of ints, bytes per id"))
    for count in (effort.size(1_000_000, 10_000), effort.size(4_000_000, 20_000)):
        ids = TradeIds(Days(), MOST_IDS)
        rng = np.random.default_rng(1)
        keys = rng.integers(1, 2**64, count, dtype=np.uint64)
        beside = rng.integers(0, 2**32, count, dtype=np.uint32)
        for at in range(0, count, 1000):
            ids.remember(1, keys[at : at + 1000], beside[at : at + 1000])
        plain_dict = dict(zip(keys.tolist(), beside.tolist(), strict=True))
        each = (sys.getsizeof(plain_dict) + sum(map(sys.getsizeof, (2**63, 2**31))) * count) / count
        memory.add(count, ids.nbytes / 1e6, ids.nbytes / count, each)
    print(memory)
    print(_reading(effort))
    print(f"\n{HIDDEN}")
    return True


def _sequenced(rows: int, records: int, promise: bool) -> tuple[float, float]:
    """Return the CPU time per row, ns, and that of the longest turn, ms; a turn has 100 records."""
    sequencer = Sequencer(SCHEMA, Position())
    sequencer.begin()
    sequencer.message([PEER, *hello("venue", 1, promise)], NOW)
    made = [bytes(record) for record in _records(rows, records)]
    longest = 0.0
    began = time.process_time()
    for at in range(0, records, 100):
        turn = time.process_time()
        sequencer.begin()
        for record in made[at : at + 100]:
            sequencer.message([PEER, b"upd", record], NOW)
        longest = max(longest, time.process_time() - turn)
    taken = time.process_time() - began
    assert sequencer.position.sources[SOURCE] == rows * records
    return taken / (rows * records) * 1e9, longest * 1e3


def _reading(effort: Effort) -> Grid:
    grid = Grid("Read at a start", ("trades in the journal", "rows of a record", "seconds", "rows/s"))
    for rows, records in ((1, effort.size(200_000, 500)), (1000, effort.size(3_000, 5))):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            journal = Journal(Path(folder), SCHEMA)
            sequencer = Sequencer(SCHEMA, journal.position)
            sequencer.begin()
            sequencer.message([PEER, *hello("venue", 1)], NOW)
            for record in _records(rows, records):
                sequencer.begin()
                sequencer.message([PEER, b"upd", bytes(record)], NOW)
                journal.append(sequencer.turn.chunks, sequencer.turn.first_seq)
            journal.close()
            ids = TradeIds(Days(), MOST_IDS)
            began = time.process_time()
            read_ids(Path(folder), SOURCE, ids, Days(), MOST_IDS)
            taken = time.process_time() - began
        assert ids.newest
        grid.add(rows * records, rows, taken, rows * records / taken)
    return grid


def _records(rows: int, records: int) -> Iterator[bytearray]:
    for number in range(records):
        first = number * rows
        yield encode(TRADES, compacted(_columns(first, rows)), SOURCE, first + rows)


def _columns(first: int, count: int) -> Columns:
    numbers = np.arange(first, first + count)
    rows = {
        "time": NOW + numbers,
        "sym": Symbols(["AAPL", "TSLA", "GOOG", "MSFT"], (numbers % 4).astype(np.int32)),
        "price": 100.0 + numbers % 100,
        "size": 1.0 + numbers % 7,
        "source": Symbols(["venue"], np.zeros(count, dtype=np.int32)),
        "trade_id": Texts.of([f"{n:012d}" for n in numbers.tolist()]),
    }
    return columns_of(TRADES, rows)
