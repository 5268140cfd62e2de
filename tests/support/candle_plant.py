"""A plant of lists around the builder of candles: what it publishes gets a seq and comes back, as do trades."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plant.calendars.assignment import Calendars
from plant.errors import Unavailable
from plant.rows.batch import Batch
from plant.rows.columns import DEFAULTS, Columns, Symbols, Texts, constant
from plant.rows.tables import schema_of
from processor.candles.builder import CandleBuilder, Candles

SCHEMA = schema_of()
MINUTE = 60 * 10**9


def columns_of_rows(table: str, rows: Sequence[dict[str, Any]]) -> Columns:
    """Return plain rows as the columns of a table, the default in those that are not given."""
    found: Columns = {}
    for column in SCHEMA[table].columns:
        values = [row.get(column.name, DEFAULTS[column.kind]) for row in rows]
        if not rows:
            found[column.name] = constant(column, 0, DEFAULTS[column.kind])
        elif column.kind == "symbol":
            found[column.name] = Symbols.of(values)
        elif column.kind == "text":
            found[column.name] = Texts.of(values)
        else:
            found[column.name] = np.array(values, dtype="f8" if column.kind == "float" else "i8")
    return found


def plain(columns: Columns) -> list[dict[str, Any]]:
    """Return columns as plain rows."""
    lists = [column.tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


class CandlePlant:
    """The journal, and a builder that follows it. `restart` makes a new builder that is handed the journal again."""

    def __init__(self, calendars: Calendars | None = None, intervals: Sequence[str] = ("1m",), **terms: Any) -> None:
        self.journal: list[Batch] = []
        self.calendars = calendars or Calendars({}, {})
        self.intervals, self.terms = intervals, terms
        self.away = False
        self.settled = 0  # bars of all trades before this seq were given out
        self.asked = 0
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.builder = self.made()

    def made(self) -> CandleBuilder:
        """Return a new builder."""
        return CandleBuilder(self.intervals, self.calendars, Answers(self), **self.terms)

    def restart(self, trades_since: int = 0) -> None:
        """Kill the builder, and hand the journal to a new one; of trades only the batches from a seq on."""
        before = [b for b in self.journal if b.table == "trades" and b.seq < trades_since]
        newest = max((int(b.columns["time"].max()) for b in before), default=-MINUTE)
        known = {"known_from": newest // MINUTE * MINUTE + MINUTE, "bars_from": 0}
        terms, self.terms = self.terms, {**self.terms, **known}
        self.builder = self.made()
        self.terms = terms
        for batch in self.journal:
            if batch.table != "trades" or batch.seq >= trades_since:
                self.builder.take(batch)

    def restart_behind(self) -> None:
        """Kill the builder, and have a new one that is handed only what comes from now on: the rest is in history."""
        newest = max(int(b.columns["time"].max()) for b in self.journal if b.table in ("trades", "bars"))
        terms, self.terms = self.terms, {**self.terms, "known_from": newest + 1}
        self.builder = self.made()
        self.terms = terms

    def send(self, table: str, rows: Sequence[dict[str, Any]] | Columns, received: int = 0) -> None:
        """Put rows into the journal, and hand them on."""
        columns = rows if isinstance(rows, dict) else columns_of_rows(table, rows)
        seq = len(self.journal) + 1
        batch = Batch(table, {c.name: columns[c.name] for c in SCHEMA[table].columns}, seq, seq, received)
        self.journal.append(batch)
        self.builder.take(batch)

    def tick(self, now: int) -> Candles:
        """Have published what is due, until nothing is."""
        for _ in range(20):
            found = self.builder.due(now)
            some = [(n, getattr(found, n)) for n in ("bars", "amendments", "gaps") if getattr(found, n) is not None]
            if not some:
                self.settled = self.settled if self.away else len(self.journal) + 1
                return found
            for table, columns in some:
                self.published += [(table, row) for row in plain(columns)]
                self.send(table, columns, now)
        raise AssertionError(f"never done: {self.published[-20:]}")

    def bars(self, interval: str = "1m") -> dict[tuple[str, int], tuple[float, ...]]:
        """Return the newest revision of each bar that was not removed."""
        found: dict[tuple[str, int], tuple[float, ...]] = {}
        where: dict[tuple[str, int], int] = {}
        for row in self._rows("bars"):
            if row["interval"] == interval:
                key = (row["sym"], row["time"])
                where[key] = row["seq"]
                names = ("open", "high", "low", "close", "volume", "vwap", "trades")
                found[key] = tuple(row[name] for name in names)
        for row in self._rows("amendments"):
            if where.get((row["sym"], row["row_time"])) == row["row_seq"]:
                found.pop((row["sym"], row["row_time"]), None)
        return found

    def trades(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trades` as Recorded does."""
        return self._asked("trades", lambda row: row["sym"] == sym and start <= row["time"] < end)

    def corrections(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trade_corrections`."""
        return self._asked("trade_corrections", lambda row: row["sym"] == sym and start <= row["time"] < end)

    def bars_between(self, sym: str, interval: str, start: int, end: int) -> Columns:
        """Return rows of `bars`."""
        newest: dict[int, dict[str, Any]] = {}
        for row in self._rows("bars"):
            if row["sym"] == sym and row["interval"] == interval and start <= row["time"] < end:
                newest[row["time"]] = row
        return self._columns("bars", list(newest.values()))

    def _rows(self, table: str) -> list[dict[str, Any]]:
        return [
            {**row, "seq": batch.seq, "seq_row": place}
            for batch in self.journal
            if batch.table == table
            for place, row in enumerate(plain(batch.columns))
        ]

    def _asked(self, table: str, good: Any) -> Columns:
        return self._columns(table, [row for row in self._rows(table) if good(row)])

    def _columns(self, table: str, rows: list[dict[str, Any]]) -> Columns:
        if self.away:
            raise Unavailable("the rdb is away")
        self.asked += 1
        numbers = {name: np.array([row[name] for row in rows], dtype=np.int64) for name in ("seq", "seq_row")}
        return {**columns_of_rows(table, rows), **numbers}


class Answers:
    """What the builder asks, of a plant whose `bars` is taken by the test's own question."""

    def __init__(self, plant: CandlePlant) -> None:
        self.trades, self.corrections, self.bars = plant.trades, plant.corrections, plant.bars_between
