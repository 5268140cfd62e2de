"""A plant of lists around the processor's state machines: killed anywhere, they go on from checkpoint and journal.

What is published gets a seq and comes back. A kill may lose what was published last, as if it had been under way.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from candle_plant import MINUTE, SCHEMA, Answers, CandlePlant, columns_of_rows, plain

from plant.calendars.assignment import Calendars
from plant.conditions.rules import Rule
from plant.detectors.definitions import TYPES, types_of
from plant.detectors.detectors import Detectors
from plant.detectors.machine import DetectorTerms
from plant.indicators.declarations import Declaration
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols
from plant.stream.stream import Mark
from processor.annotating import Annotating
from processor.candles.builder import CandleBuilder
from processor.candles.closer import Closer
from processor.checkpoints.store import Checkpoint, Store
from processor.counting import Counting
from processor.engine import Engine
from processor.machines import Machines
from processor.open_bars import PRICES
from processor.outcome import WITHDRAWN, Rows, events_of
from processor.recorded import bars_before
from processor.renewal import Known, Stale

KEYS = {
    "bars": ("sym", "interval", "time"),
    "bar_closes": ("sym", "interval", "market_time"),
    "indicators": ("sym", "interval", "time"),
    "signals": ("sym", "interval", "time", "signal"),
}
GIVEN = (*KEYS, "amendments", "gaps")


class ProcessorPlant(CandlePlant):
    """The journal, and a processor that follows it; `folder` is for its checkpoints."""

    def __init__(
        self,
        folder: Path,
        declarations: Sequence[Declaration],
        rules: Sequence[Rule],
        intervals: Sequence[str] = ("1m", "5m"),
        calendars: Calendars | None = None,
        grace_s: float = 2.0,
        detector_terms: DetectorTerms | None = None,
        **terms: Any,
    ) -> None:
        self.store, self.declarations, self.rules, self.grace_s = Store(folder), declarations, rules, grace_s
        self.own: set[int] = set()  # the seqs of what it published
        self._plain: dict[str, list[dict[str, Any]]] = {}  # rows of each table with seq and seq_row
        self._of: dict[tuple[Any, ...], list[dict[str, Any]]] = {}  # likewise, by table, sym, and minute or interval
        self.columns = [column for one in declarations for column in one.columns]
        self.detector_terms = detector_terms or DetectorTerms(types_of(TYPES), ("5m",), days="1d" in intervals)
        super().__init__(calendars, intervals, **terms)
        self._begin()

    def _begin(self) -> None:
        counting = Counting(self.calendars, "extended")
        closer = Closer(counting.sessions_of, self.grace_s)
        self.builder = CandleBuilder(self.intervals, self.calendars, Answers(self), grace_s=self.grace_s, **self.terms)
        self.engine = Engine(self.declarations, self.rules)
        self.annotating = Annotating(Detectors(self.detector_terms, counting.sessions_of))
        self.machines = Machines(counting, closer, self.builder, self.engine, self.annotating, self._none)

    def checkpoint(self) -> None:
        """Write one, as of now."""
        machines = self.machines
        self.store.write(Checkpoint("", Mark(len(self.journal)), dict(machines.taken), machines.state()))

    def kill(self, with_checkpoint: bool = True) -> None:
        """Begin anew: from the last checkpoint, if there is one and it is not to be passed over, and the journal."""
        self._begin()
        if with_checkpoint and self.store.path.exists():
            found = self.store.read("")
            self.machines.restore(found.state, found.taken)
        for batch in self.journal:
            self.take(batch)

    def send(self, table: str, rows: Sequence[dict[str, Any]] | Columns, received: int = 0) -> None:
        """Put rows into the journal, and hand them on."""
        columns = rows if isinstance(rows, dict) else columns_of(table, rows)
        seq = len(self.journal) + 1
        batch = Batch(table, {c.name: columns[c.name] for c in self.columns_of(table)}, seq, seq, received)
        self.journal.append(batch)
        named = [{**row, "seq": seq, "seq_row": place} for place, row in enumerate(plain(batch.columns))]
        self._plain.setdefault(table, []).extend(named)
        for row in named:
            self._of.setdefault((table, row["sym"], row.get("interval", row["time"] // MINUTE)), []).append(row)
        self.take(batch)

    def columns_of(self, table: str) -> Any:
        """Return the columns of a table, `indicators` as declared."""
        return [c for c in SCHEMA[table].columns if table != "indicators" or c.name in _FIXED] + [
            type(SCHEMA["bars"].column("open"))(name, "float", "") for name in self.columns if table == "indicators"
        ]

    def take(self, batch: Batch) -> None:
        """Take a batch as the process does."""
        self.machines.take(batch)

    def work(self, now: int, dies_after: int | None = None) -> bool:
        """Have published what is due until nothing is; return False if it died after so many batches were."""
        for _ in range(30):
            found = self.due(now)
            for table, columns in found:
                if dies_after == 0:
                    return False
                dies_after = None if dies_after is None else dies_after - 1
                self.own.add(len(self.journal) + 1)
                self.send(table, columns, now)
            if not found:
                return True
        raise AssertionError(f"never done: {[plain(columns)[-5:] for _, columns in found]}")

    def due(self, now: int) -> list[tuple[str, Columns]]:
        """Return what is to be published at `now`, all of the timer's work included, in the order of the process."""
        rows: list[tuple[str, Any]] = []
        if self.machines.settled and self.engine.bars.stale:
            self.engine.advance()
            stale = self.engine.stale()
            found = self.engine.renew(stale, [self.known(one) for one in stale], self.wanted)
            rows += found._asdict().items()
        rows += self.machines.due(now).items()
        rows += self.machines.compute()._asdict().items()
        rows.append(("annotations", self.machines.annotations()))
        return [(name, columns) for name, columns in rows if columns is not None]

    def _none(self, table: str) -> Columns:
        return none_of_indicators(self.columns) if table == "indicators" else columns_of(table, [])

    def wanted(self, interval: str) -> int:
        """Return how many bars of an interval a series is computed anew from, as the processor has it."""
        return bars_before(tuple(self.declarations), interval)

    def known(self, stale: Stale) -> Known:
        """Return what the plant has of a stale series."""
        series = (stale.sym, stale.interval)
        of_series = [self._of.get((n, *series), []) for n in ("bars", "indicators", "signals")]
        bars = {row["time"]: row for row in of_series[0] if row["time"] <= stale.until}
        times = sorted(bars)
        first = max(sum(time < stale.since for time in times) - self.wanted(stale.interval), 0)
        values = np.array([[bars[time][name] for name in PRICES] for time in times[first:]])
        rows = Rows.of(self.engine.series, self._as_columns(of_series[1]), self.columns)
        events = events_of(self.engine.series, columns_of("signals", of_series[2]))
        return Known(
            np.array(times[first:], np.int64), values.reshape(-1, 5), rows, {key[1:]: e for key, e in events.items()}
        )

    def all(self, table: str) -> list[dict[str, Any]]:
        """Return all rows of a table, in the order of the journal."""
        return [{n: v for n, v in row.items() if n not in ("seq", "seq_row")} for row in self._plain.get(table, ())]

    def newest(self, table: str) -> dict[Any, dict[str, Any]]:
        """Return the newest revision of each row."""
        return {tuple(row[name] for name in KEYS[table]): row for row in self.all(table)}

    def result(self) -> dict[str, Any]:
        """Return what the plant has in the end, to be compared: rows as text, by their keys.

        Of `bar_closes` what was known of a bar when it closed, not when that was. Signals that were withdrawn are none.
        """
        found: dict[str, Any] = {table: self.newest(table) for table in KEYS}
        found["bar_closes"] = {k: {n: row[n] for n in PRICES} for k, row in found["bar_closes"].items()}
        found["signals"] = {k: row for k, row in found["signals"].items() if row["state"] != WITHDRAWN}
        found["annotations"] = objects_of(self.all("annotations"))
        return {table: {key: repr(sorted(row.items())) for key, row in rows.items()} for table, rows in found.items()}

    def assert_nothing_twice(self) -> None:
        """No row was given out that the plant had as it is; no bar was closed twice."""
        newest: dict[Any, str] = {}
        for batch in self.journal:
            for row in plain(batch.columns) if batch.table in GIVEN else ():
                names = KEYS.get(batch.table, tuple(row))
                key, told = (batch.table, *(repr(row[name]) for name in names)), repr(sorted(row.items()))
                assert batch.seq not in self.own or newest.get(key) != told, f"twice: {batch.table} {row}"
                assert batch.table not in ("bar_closes", "gaps") or key not in newest, f"twice: {batch.table} {row}"
                newest[key] = told

    def trades(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trades` as Recorded does."""
        return self._of_minutes("trades", sym, start, end)

    def corrections(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trade_corrections`."""
        return self._of_minutes("trade_corrections", sym, start, end)

    def _of_minutes(self, table: str, sym: str, start: int, end: int) -> Columns:
        minutes = range(start // MINUTE, -(-end // MINUTE))
        rows = [row for minute in minutes for row in self._of.get((table, sym, minute), ())]
        rows = [row for row in rows if start <= row["time"] < end]
        return self._columns(table, sorted(rows, key=lambda row: (row["seq"], row["seq_row"])))

    def bars_between(self, sym: str, interval: str, start: int, end: int) -> Columns:
        """Return rows of `bars`."""
        newest = {r["time"]: r for r in self._of.get(("bars", sym, interval), ()) if start <= r["time"] < end}
        return self._columns("bars", list(newest.values()))

    def _as_columns(self, rows: list[dict[str, Any]]) -> Columns:
        names = ("time", "sym", "interval", *PRICES, *self.columns)
        if not rows:
            return none_of_indicators(self.columns)
        return {
            n: Symbols.of([r[n] for r in rows]) if n in ("sym", "interval") else np.array([r[n] for r in rows])
            for n in names
        }


def objects_of(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the annotations there are in the end, less when and why that was decided; each version came once."""
    found: dict[str, dict[str, Any]] = {}
    versions: dict[str, int] = {}
    for row in rows:
        assert row["version"] == versions.get(row["id"], 0) + 1, f"{row} comes behind {found.get(row['id'])}"
        versions[row["id"]] = row["version"]
        found[row["id"]] = row
    left = {"time", "version", "action", "reason"}
    return {
        id_: {name: value for name, value in row.items() if name not in left}
        for id_, row in found.items()
        if row["action"] != "delete"
    }


_FIXED = ("time", "sym", "interval", *PRICES)


def columns_of(table: str, rows: Sequence[dict[str, Any]]) -> Columns:
    """Return plain rows as the columns of a table, the default in those that are not given."""
    return columns_of_rows(table, rows)


def none_of_indicators(columns: Sequence[str]) -> Columns:
    """Return no rows of `indicators`."""
    none = {"time": np.zeros(0, np.int64), "sym": Symbols.of([]), "interval": Symbols.of([])}
    return none | {name: np.zeros(0) for name in (*PRICES, *columns)}


__all__ = ["MINUTE", "ProcessorPlant"]
