"""1m bars from trades, live: what came, in whatever batches and order, folded by minute; what changed, given out.

A trade belongs to the minute of its own time, however late it comes. Minutes that are not in memory, and those with
corrections, are made anew from what was recorded. A bar is given out only if it differs from what the plant has.
"""

from typing import Any

import numpy as np

from plant.calendars.sessions import CLOSED
from plant.errors import PlantError
from plant.rows.batch import Batch
from plant.rows.columns import Columns, taken
from plant.rows.tables_candles import BUILT
from processor.candles.minute_table import RING, MinuteTable
from processor.candles.rows import Minutes, Pace, Recorded, arrivals, built, differ, rounds, values_of
from processor.candles.sums import emptied_of
from processor.checkpoints.saved import Saved, restore_to, saved_of, waiting_of, waiting_saved
from processor.trades.conditions import ALL
from processor.trades.corrections import corrected
from processor.trades.counting import Counting, Print
from processor.trades.folding import MINUTE_NS, PLACE_BITS, Trades, fold, merged, nothing, values
from processor.trades.slots import Slots
from processor.trades.sources import Sources, Switch
from processor.trades.strays import Strays

ASKED_AT_ONCE = 50
"""Old minutes are asked for so many ranges at a time, so that an import of old trades holds up nothing else."""

_HOUR_NS = 60 * MINUTE_NS
_STATE = ("_known_from", "seq", "late")


class MinuteBuilder:
    """The state machine. `known_from` (ns): of earlier minutes it was not handed everything, so it asks for them."""

    def __init__(
        self,
        slots: Slots,
        recorded: Recorded,
        ranked: tuple[str, ...],
        pace: Pace,
        known_from: int = 0,
    ) -> None:
        self.slots = slots
        self._recorded = recorded
        self._pace = pace
        self._known_from = known_from
        self._table = MinuteTable()
        self.counting = Counting(slots)
        self.sources = Sources(ranked, self._session_since)
        self._old: dict[tuple[int, int], None] = {}  # to be made anew, in the order in which they are asked for
        self._finished: dict[tuple[int, int], tuple[np.ndarray, str]] = {}
        self._strays = Strays()
        self.seq = 0
        self.prints: list[Print] = []  # of the last batch of trades
        self.late = 0  # trades of minutes that are not in memory

    def take_trades(self, batch: Batch) -> list[Switch]:
        """Take a batch of `trades` as it came out of the plant; return which feeds were changed for another."""
        rows = batch.columns
        if not len(rows["time"]):
            return []
        seqs, received = arrivals(batch)
        self.seq = max(self.seq, int(seqs[-1]))
        slots = self._known(rows)
        feed_of = np.array([self.sources.id_of(name) for name in rows["source"].names], dtype=np.int64)
        feeds = feed_of[rows["source"].codes]
        good, switches = self.sources.counting(slots, feeds, rows["time"], received, self.slots.names)
        if self._strays:
            for slot, time in self._strays.found(slots, rows):
                self._old.setdefault((slot, time // MINUTE_NS * MINUTE_NS), None)
        flags = self.counting.flags(slots, rows)
        trades = Trades(
            slots,
            rows["time"],
            rows["venue_seq"],
            seqs << PLACE_BITS | batch.seq_rows(),
            rows["price"],
            rows["size"],
            flags,
        )
        self.prints = self.counting.prints(trades[good])
        good &= (flags & ALL) > 0
        if not good.all():
            trades, feeds = trades[good], feeds[good]
        if len(trades):
            self._merge(trades, feeds)
        return switches

    def take_corrections(self, batch: Batch) -> None:
        """Take a batch of `trade_corrections`: the minutes of their trades are made anew."""
        rows = batch.columns
        seqs, _ = arrivals(batch)
        self.seq = max(self.seq, int(seqs[-1]))
        slots = self._known(rows)
        for slot, time in zip(slots.tolist(), rows["time"].tolist(), strict=True):
            key = (slot, time // MINUTE_NS * MINUTE_NS)
            self._old.setdefault(key, None)
            self._finished.pop(key, None)

    def take_bars(self, batch: Batch, wanted: np.ndarray) -> None:
        """Take the rows (bool[n]) of a batch of `bars` that are 1m bars: what the plant has, a feed's own ones too."""
        if not wanted.any():
            return
        rows = taken(batch.columns, wanted)
        seqs, _ = arrivals(batch)
        self.seq = max(self.seq, int(seqs[-1]))
        slots, minutes, own, had = self._known(rows), rows["time"], built(rows["source"]), values_of(rows)
        whole = minutes % MINUTE_NS == 0
        if not (self._old or self._finished):
            whole &= self._table.stays(slots, minutes)
        for at in rounds(slots, np.flatnonzero(whole)):
            here, gone_slots, gone = self._table.claim(slots[at], minutes[at])
            self._keep(gone_slots, gone)
            inside = here >= 0
            self._table.rows["had"][here[inside]] = had[at[inside]]
            self._table.rows["foreign"][here[inside]] = ~own[at[inside]]
            if not inside.all() and (self._old or self._finished):
                for row in at[~inside].tolist():
                    self._known_now((int(slots[row]), int(minutes[row])), had[row], bool(own[row]))

    def due(self, now: int, allowed: Any = None) -> Minutes:
        """Return the bars that are to be given out at `now` (ns), and note that they are.

        A bar that a later one of its symbol follows goes out at once, the others as Pace has it.
        `allowed(slots, starts)` says which may be built at all, bool[k]; all if it is None.
        """
        old = self._made_anew()
        rows = self._table.rows
        changed = self._waiting_removed(np.flatnonzero(rows["changed"]))
        some = rows[changed]
        slots, minutes, given_at = changed // RING, some["minute"], some["given_at"]
        followed = (self._table.newest[slots] > minutes) & ~some["final"]
        ready = followed | self._pace.ready(minutes + MINUTE_NS, given_at, now)
        at, some = changed[ready], some[ready]
        found, there = values(some["fold"])
        had = some["had"]
        emptied = ~there & ~np.isnan(had[:, 0]) & (had[:, 6] != 0)
        found[emptied] = emptied_of(had[emptied])
        given = (there & differ(found, had)) | emptied
        given &= ~some["foreign"]
        rows["changed"][at] = False
        rows["final"][at] = self._table.newest[at // RING] > some["minute"]
        feeds = [self.sources.names[i] if i >= 0 else "" for i in some["feed"].tolist()]
        parts = [(at // RING, some["minute"], found, feeds, given)]
        for (slot, minute), (one, feed) in [*self._finished.items(), *old.items()]:
            parts.append((np.array([slot]), np.array([minute]), one[None], [feed], np.array([True])))
        self._finished.clear()
        slots, minutes, found = (np.concatenate([part[i] for part in parts]) for i in range(3))
        feeds = [feed for part in parts for feed in part[3]]
        given = np.concatenate([part[4] for part in parts])
        if allowed is not None and given.any():
            given[given] = allowed(slots[given], minutes[given])
        inside = np.flatnonzero(given[: len(at)])
        rows["had"][at[inside]], rows["given_at"][at[inside]] = found[inside], now
        keep = np.flatnonzero(given)
        return Minutes(slots[keep], minutes[keep], found[keep], [feeds[i] for i in keep.tolist()])

    def saved(self) -> Saved:
        """Return the state, for a checkpoint; that of the slots is not among it."""
        more: Saved = {"unknown": dict(self.counting.conditions.unknown), "old": list(self._old)}
        more["strays"] = self._strays.saved()
        parts = {"table": self._table.saved(), "sources": self.sources.saved()}
        return {**parts, **more, "finished": waiting_saved(self._finished), **saved_of(self, _STATE)}

    def restore(self, saved: Saved) -> None:
        """Go on from there. Raises ValueError for the state of something else."""
        self._table.restore(saved["table"])
        self.sources.restore(saved["sources"])
        self.counting.conditions.unknown.update(saved["unknown"])
        self._strays.restore(saved["strays"])
        self._finished, self._old = waiting_of(saved["finished"]), dict.fromkeys(saved["old"])
        restore_to(self, saved, _STATE)

    def settled_before(self) -> int:
        """Return the start of the first minute that is not given out as it is now, else of the newest that there is."""
        rows = self._table.rows
        held = rows["minute"][rows["changed"]].tolist() + [minute for _, minute in (*self._old, *self._finished)]
        return min(held) if held else int(self._table.newest.max(initial=0))

    @property
    def waiting(self) -> int:
        """How many old minutes are still to be made anew."""
        return len(self._old)

    def _known(self, rows: Columns) -> np.ndarray:
        slots = self.slots.of(rows)
        self._table.grow(len(self.slots))
        self.sources.grow(len(self.slots))
        return slots

    def _session_since(self, slot: int, time: int) -> int | None:
        sessions = self.slots.sessions(slot)
        if sessions.continuous:
            return 0
        return None if sessions.kinds(np.array([time]))[0] == CLOSED else sessions.since(time)

    def prints_among(self, slot: int, rows: Columns) -> list[Print]:
        """Return the closing prints among rows of `trades` of one symbol, of the feed that counts."""
        return self.counting.prints(
            self._trades_of(slot, rows, self._feed_of(slot, sorted({*rows["source"].tolist()})))
        )

    def _trades_of(self, slot: int, rows: Columns, feed: str) -> Trades:
        """Return rows of `trades` of one symbol as Trades, those of one feed that set anything."""
        rows = taken(rows, rows["source"] == feed)
        slots = np.full(len(rows["time"]), slot)
        place = rows["seq"] << PLACE_BITS | rows["seq_row"]
        flags = self.counting.flags(slots, rows)
        trades = Trades(slots, rows["time"], rows["venue_seq"], place, rows["price"], rows["size"], flags)
        return trades[flags > 0]

    def _merge(self, trades: Trades, feeds: np.ndarray) -> None:
        slots, minutes, folds = fold(trades, trades.time // MINUTE_NS * MINUTE_NS)
        feed_of = self.sources.now[slots]
        if (feeds != self.sources.now[trades.slots]).any():  # a feed that counts no longer, or not yet
            of = {
                (slot, minute): feed
                for slot, minute, feed in zip(
                    trades.slots.tolist(), (trades.time // MINUTE_NS * MINUTE_NS).tolist(), feeds.tolist(), strict=True
                )
            }
            feed_of = np.array([of[key] for key in zip(slots.tolist(), minutes.tolist(), strict=True)])
        for at in rounds(slots, np.arange(len(slots))):
            here, gone_slots, gone = self._table.claim(slots[at], minutes[at])
            self._keep(gone_slots, gone)
            incomplete = (here < 0) | (minutes[at] < self._known_from)
            for row in at[incomplete].tolist():
                self.late += int(folds["trades"][row])
                self._old.setdefault((int(slots[row]), int(minutes[row])), None)
                self._finished.pop((int(slots[row]), int(minutes[row])), None)
            here, at = here[~incomplete], at[~incomplete]
            rows = self._table.rows
            rows["fold"][here] = merged(rows["fold"][here], folds[at])
            rows["changed"][here] = True
            rows["feed"][here] = feed_of[at]

    def _keep(self, slots: np.ndarray, gone: np.ndarray) -> None:
        """Keep bars that went out of memory before they were given out."""
        if not len(gone):
            return
        found, there = values(gone["fold"])
        for i in np.flatnonzero(there & ~gone["foreign"] & differ(found, gone["had"])).tolist():
            if (key := (int(slots[i]), int(gone["minute"][i]))) not in self._old:
                self._finished[key] = (found[i], self.sources.names[gone["feed"][i]])

    def _waiting_removed(self, at: np.ndarray) -> np.ndarray:
        """Return rows of the table without those that wait for being made anew: they are wrong as they are."""
        if not self._old:
            return at
        slots, minutes = np.array(list(self._old)).T
        return np.setdiff1d(at, self._table.find(slots, minutes), assume_unique=True)

    def _known_now(self, key: tuple[int, int], had: np.ndarray, own: bool) -> None:
        """Note what the plant has of a minute that is not in memory."""
        waiting = self._finished.get(key)
        if waiting and (not own or not differ(waiting[0][None], had[None])[0]):
            del self._finished[key]

    def _made_anew(self) -> dict[tuple[int, int], tuple[np.ndarray, str]]:
        """Return the bars of some minutes that were to be made anew, where they differ from what the plant has."""
        found: dict[tuple[int, int], tuple[np.ndarray, str]] = {}
        if not self._old:
            return found
        ranges: dict[tuple[int, int], list[int]] = {}
        for slot, minute in self._old:
            if len(ranges) >= ASKED_AT_ONCE and (slot, minute // _HOUR_NS) not in ranges:
                break
            ranges.setdefault((slot, minute // _HOUR_NS), []).append(minute)
        for (slot, _), minutes in ranges.items():
            try:
                self._make_anew(slot, sorted(minutes), found)
            except PlantError:  # asked again the next time, behind the others
                for minute in minutes:
                    self._old[slot, minute] = self._old.pop((slot, minute))
                continue
            for minute in minutes:
                self._old.pop((slot, minute), None)
        return found

    def _make_anew(self, slot: int, minutes: list[int], found: dict[tuple[int, int], tuple[np.ndarray, str]]) -> None:
        sym, start, end = self.slots.names[slot], minutes[0], minutes[-1] + MINUTE_NS
        asked = [f(sym, start, end) for f in (self._recorded.trades, self._recorded.corrections)]
        rows, changes = (taken(each, each["seq"] <= self.seq) for each in asked)
        result = corrected(rows, changes)
        if result.unmatched:
            self._strays.add(slot, taken(changes, np.array(result.unmatched)))
        rows = result.trades
        bars = self._recorded.bars(sym, "1m", start, end)
        bars = taken(bars, bars["seq"] <= self.seq)
        had = dict(zip(bars["time"].tolist(), zip(values_of(bars), bars["source"].tolist(), strict=True), strict=True))
        for minute in minutes:
            of = taken(rows, rows["time"] // MINUTE_NS * MINUTE_NS == minute)
            feed = self._feed_of(slot, sorted({*of["source"].tolist()}), had.get(minute))
            trades = self._trades_of(slot, of, feed)
            trades = trades[(trades.flags & ALL) > 0]
            _, _, folds = fold(trades, np.full(len(trades), minute))
            self._put(slot, minute, folds, feed, had.get(minute), found)

    def _put(self, slot: int, minute: int, folds: np.ndarray, feed: str, had: Any, found: dict[Any, Any]) -> None:
        """Put a minute made anew back into memory, if it is one of those there, or among the bars to be given out."""
        here = int(self._table.find(np.array([slot]), np.array([minute]))[0])
        if here >= 0:
            row = self._table.rows
            row["fold"][here] = (folds if len(folds) else nothing(1))[0]
            row["changed"][here], row["feed"][here] = True, self.sources.id_of(feed) if feed else row["feed"][here]
            if had is not None:
                row["had"][here], row["foreign"][here] = had[0], not had[1].startswith(BUILT)
            return
        if had is not None and not had[1].startswith(BUILT):
            return
        made, there = values(folds)
        if len(folds) and there[0]:
            if had is None or differ(made, had[0][None])[0]:
                found[slot, minute] = (made[0], feed)
        elif had is not None and had[0][6] != 0:
            found[slot, minute] = (emptied_of(had[0][None])[0], had[1].removeprefix(BUILT))

    def _feed_of(self, slot: int, candidates: list[str], had: Any = None) -> str:
        """Return whose trades count in an old minute: those that its bar was made of, else those that count now."""
        if had is not None and (made_of := had[1].removeprefix(BUILT)) in candidates:
            return made_of
        if len(candidates) < 2:
            return candidates[0] if candidates else ""
        return self.sources.best(candidates, int(self.sources.now[slot]))
