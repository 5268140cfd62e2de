"""Candles, live: 1m bars from trades, larger ones from those, and what is to be published of them.

What comes out of the plant is handed to `take`, rows of bars that were published here included: larger bars are made of
nothing else. `due` says what is to be published now.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plant.calendars.assignment import Calendars
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, Texts, taken
from plant.rows.tables import IMPORTED
from processor.candles.larger import LargerBuilder
from processor.candles.minutes import MinuteBuilder
from processor.candles.rows import Pace, Recorded, arrivals, built
from processor.checkpoints.saved import Saved, restore_to, saved_of
from processor.trades.corrections import corrected
from processor.trades.counting import Print
from processor.trades.slots import Slots
from processor.trades.sources import Switch

TAKEN = ("trades", "trade_corrections", "bars", "amendments", "gaps")
"""The tables whose batches are to be handed to `take`, in the order of the journal."""

_FED_NS = 4 * 86_400 * 10**9
"""A feed that sent an interval itself is expected to go on, over a long weekend."""


_NEVER = 2**62
_STATE = ("_fed_from", "_fed_until", "_switches", "_emptied")


@dataclass(frozen=True)
class Candles:
    """Rows to be published; None for none."""

    bars: Columns | None
    amendments: Columns | None
    gaps: Columns | None


class CandleBuilder:
    """The state machine of candles.

    intervals   those that are stored, "1m" among them; none: nothing is built
    recorded    what the plant holds, for bars older than what is in memory
    ranked      [bars] sources;  build: "auto" or "never";  update_s: how often a bar that forms goes out at most
    known_from  ns; it is handed all trades of this time and later, and asks for what is older
    bars_from   ns; and all bars, corrections and amendments of this time and later; None: as known_from
    subscriber  what the rows of gaps are of
    grace_s     after which the clock closes a bar: before it does, what came since goes out
    """

    def __init__(
        self,
        intervals: Sequence[str],
        calendars: Calendars,
        recorded: Recorded,
        ranked: Sequence[str] = (),
        build: str = "auto",
        update_s: float = 1.0,
        known_from: int = 0,
        bars_from: int | None = None,
        subscriber: str = "processor",
        grace_s: float = 2.0,
    ) -> None:
        self.intervals = tuple(intervals) if build != "never" else ()
        self.slots = Slots(calendars)
        self._recorded, self._subscriber = recorded, subscriber
        pace = Pace(int(update_s * 1e9), int(grace_s * 1e9))
        self.minutes = MinuteBuilder(self.slots, recorded, tuple(ranked), pace, known_from)
        self.larger = LargerBuilder(
            self.intervals,
            self.slots,
            recorded,
            self._prints_of,
            pace,
            known_from if bars_from is None else bars_from,
            known_from,
        )
        self.corrections = 0
        self._switches: list[Switch] = []
        self._fed_from = np.empty((0, len(self.intervals)), dtype=np.int64)  # from when a feed sent bars, by slot
        self._fed_until = self._fed_from.copy()
        self._emptied: dict[tuple[str, str, int], dict[str, Any]] = {}  # rows of bars that are to be removed

    def settled_before(self) -> int:
        """Return the time (ns) before which the bars of all trades that were taken were given out.

        Once those rows are in the journal, a restart needs to be handed only trades of this time and later.
        """
        return self.minutes.settled_before()

    def saved(self) -> Saved:
        """Return the state, for a checkpoint: as if all that was given out had come back."""
        parts = {name: getattr(self, name).saved() for name in ("slots", "minutes", "larger")}
        return {**parts, **saved_of(self, _STATE)}

    def restore(self, saved: Saved) -> None:
        """Go on from there, one that is new. Raises ValueError for the state of something else."""
        for name in ("slots", "minutes", "larger"):
            getattr(self, name).restore(saved[name])
        restore_to(self, saved, _STATE)
        self._switches = [Switch(*each) for each in self._switches]

    @property
    def state(self) -> str:
        """One line for the heartbeat: of which symbols and feeds it makes candles, what came late or was left out."""
        if not self.intervals:
            return ""
        feeds = ", ".join(f"{name} {count:,}" for name, count in self.minutes.sources.chosen().items())
        parts = [
            (self.corrections, "corrections"),
            (self.minutes.late, "late trades"),
            (self.minutes.sources.dropped, "trades of other sources left out"),
            (sum(self.minutes.counting.conditions.unknown.values()), "trades of unknown conditions"),
            (self.minutes.waiting + self.larger.waiting, "bars to be made anew"),
        ]
        told = (
            f"candles of trades of {feeds or 'no feed yet'}",
            *(f"{count:,} {what}" for count, what in parts if count),
        )
        return ", ".join(told)

    def take(self, batch: Batch) -> None:
        """Take a batch of one of TAKEN as it came out of the plant, those published here too."""
        if not self.intervals or not len(batch):
            return
        if batch.table == "trades":
            self._switches += self.minutes.take_trades(batch)
            self.larger.take_prints(self.minutes.prints)
        elif batch.table == "trade_corrections":
            self.minutes.take_corrections(batch)
            self.corrections += len(batch)
            slots = self.slots.of(batch.columns)
            for slot, time in zip(slots.tolist(), batch.columns["time"].tolist(), strict=True):
                self.larger.make_anew(slot, time)
        elif batch.table == "bars":
            self._take_bars(batch)
        elif batch.table == "amendments":
            self._take_amendments(batch)
        elif batch.table == "gaps":
            self._take_gaps(batch)
        self._seen(int(arrivals(batch)[0][-1]))

    def due(self, now: int) -> Candles:
        """Return what is to be published at `now` (ns, the plant's clock)."""
        if not self.intervals:
            return Candles(None, None, None)
        made = self.minutes.due(now, lambda slots, starts: self._allowed(slots, starts, "1m"))
        bars = made.columns(self.slots) if len(made.slots) else None
        more = self.larger.due(now, self._allowed)
        rows = [each for each in (bars, more) if each is not None]
        amendments, self._emptied = [*self._emptied.values()], {}
        switches, self._switches = self._switches, []
        return Candles(
            (rows[0] if len(rows) == 1 else _joined(rows)) if rows else None,
            _amendment_columns(amendments, now) if amendments else None,
            self._gap_columns(switches) if switches else None,
        )

    def _take_bars(self, batch: Batch) -> None:
        rows = batch.columns
        slots = self.slots.of(rows)
        own = built(rows["source"])
        self._note_fed(slots, rows, ~own)
        minute = rows["interval"] == "1m"
        self.minutes.take_bars(batch, minute)
        if minute.any():
            self.larger.take_minutes(taken(rows, minute), slots[minute])
        if not minute.all():
            self.larger.take_larger(taken(rows, ~minute), slots[~minute])
        empty = own & (rows["trades"] == 0)
        if self._emptied or empty.any():
            self._note_emptied(batch, empty)

    def _note_fed(self, slots: np.ndarray, rows: Columns, foreign: np.ndarray) -> None:
        """Note which intervals feeds send themselves, from when to when; what was imported is of none that goes on."""
        foreign = foreign & (rows["source"] != IMPORTED)
        if not foreign.any():
            return
        names = rows["interval"].names
        of = np.array([self.intervals.index(n) if n in self.intervals else -1 for n in names])[rows["interval"].codes]
        at = np.flatnonzero(foreign & (of >= 0))
        more = len(self.slots) - len(self._fed_from)
        if more > 0:
            fresh = np.full((max(more, len(self._fed_from), 64), len(self.intervals)), _NEVER)
            self._fed_from = np.concatenate((self._fed_from, fresh))
            self._fed_until = np.concatenate((self._fed_until, -fresh))
        np.minimum.at(self._fed_from, (slots[at], of[at]), rows["time"][at])
        np.maximum.at(self._fed_until, (slots[at], of[at]), rows["time"][at])

    def _allowed(self, slots: np.ndarray, starts: np.ndarray, interval: str) -> np.ndarray:
        """Return which bars may be built: not those of an interval that a feed sends itself for that symbol."""
        found = np.ones(len(slots), dtype=bool)
        known = np.flatnonzero(slots < len(self._fed_from))
        if len(known):
            j = self.intervals.index(interval)
            first, last = (times[slots[known], j] for times in (self._fed_from, self._fed_until))
            found[known] = (starts[known] < first - _FED_NS) | (starts[known] > last + _FED_NS)
        return found

    def _note_emptied(self, batch: Batch, empty: np.ndarray) -> None:
        """Note which bars came back at volume 0, for they lost their last trade and are to be removed."""
        rows = batch.columns
        keys = list(zip(rows["sym"].tolist(), rows["interval"].tolist(), rows["time"].tolist(), strict=True))
        seqs, _ = arrivals(batch)
        for row, key in enumerate(keys):
            self._emptied.pop(key, None)
            if empty[row]:
                one = {name: column[np.array([row])].tolist()[0] for name, column in rows.items()}
                plain = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in one.items()}
                self._emptied[key] = {"seq": int(seqs[row]), **plain}

    def _take_amendments(self, batch: Batch) -> None:
        """Take what was removed already: after a restart it is not removed again."""
        rows = batch.columns
        names = ("table_name", "sym", "row_time", "row_seq")
        removed = {*zip(*(rows[name].tolist() for name in names), strict=True)}
        self._emptied = {
            key: row
            for key, row in self._emptied.items()
            if ("bars", row["sym"], row["time"], row["seq"]) not in removed
        }

    def _take_gaps(self, batch: Batch) -> None:
        """Take which changes of a feed were told already: after a restart they are not told again."""
        names = ("time", "sym", "state", "detail")
        told = {*zip(*(batch.columns[name].tolist() for name in names), strict=True)}
        self._switches = [s for s in self._switches if (s.time, self._subscriber, s.state, s.detail) not in told]

    def _seen(self, seq: int) -> None:
        self.minutes.seq = max(self.minutes.seq, seq)
        self.larger.seq = max(self.larger.seq, seq)

    def _prints_of(self, slot: int, label: int) -> list[Print]:
        """Return the trades after the close of a day that set its close, of what was recorded."""
        sessions = self.slots.sessions(slot)
        if sessions.continuous:
            return []
        close = int(sessions.ends(np.array([label]), "1d")[0])
        sym = self.slots.names[slot]
        end = sessions.day_bounds(close)[1]
        rows, changes = (f(sym, close, end) for f in (self._recorded.trades, self._recorded.corrections))
        rows, changes = (taken(each, each["seq"] <= self.larger.seq) for each in (rows, changes))
        return self.minutes.prints_among(slot, corrected(rows, changes).trades)

    def _gap_columns(self, switches: list[Switch]) -> Columns:
        count = len(switches)
        zeros = np.zeros(count, dtype=np.int64)
        return {
            "time": np.array([each.time for each in switches]),
            "sym": Symbols.of([self._subscriber] * count),
            "table_name": Symbols.of(["trades"] * count),
            "first": zeros,
            "last": zeros.copy(),
            "state": Symbols.of([each.state for each in switches]),
            "detail": Texts.of([each.detail for each in switches]),
        }


def _amendment_columns(rows: list[dict[str, Any]], now: int) -> Columns:
    others = [{k: v for k, v in row.items() if k not in ("time", "sym", "seq")} for row in rows]
    count = len(rows)
    return {
        "time": np.full(count, now),
        "sym": Symbols.of([row["sym"] for row in rows]),
        "table_name": Symbols.of(["bars"] * count),
        "row_time": np.array([row["time"] for row in rows]),
        "row_seq": np.array([row["seq"] for row in rows]),
        "row": Texts.of([json.dumps(other) for other in others]),
        "action": Symbols.of(["remove"] * count),
        "changes": Texts.of(["{}"] * count),
        "reason": Texts.of(["its last trade was cancelled"] * count),
    }


def _joined(parts: list[Columns]) -> Columns:
    """Return rows of several columns as one, in order of time; of one time smaller intervals first."""
    found: Columns = {}
    order = np.argsort(np.concatenate([part["time"] for part in parts]), kind="stable")
    for name, column in parts[0].items():
        each = [part[name] for part in parts]
        if isinstance(column, np.ndarray):
            found[name] = np.concatenate(each)[order]
        else:
            found[name] = Symbols.of([text for part in each for text in part.tolist()])[order]
    return found
