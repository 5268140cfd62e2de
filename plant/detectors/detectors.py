"""All detectors of a plant: closed bars of any symbols in, rows of `annotations` out; no socket, no clock.

    found = Detectors(DetectorTerms(types_of([])), calendars.sessions_of)
    found.take_closes(rows_of_bar_closes)
    found.settle()
    rows = found.due()

What is handed in twice, after a restart, gives the same versions of the same objects again; those that the journal has
(`take_annotations`) are not given out.
"""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from plant.calendars.sessions import Sessions
from plant.detectors.annotation import Annotation, Change
from plant.detectors.closed_rows import PRICES, Row, bar_of, closed_rows
from plant.detectors.days import DAY_LEVEL, DAY_ZONE
from plant.detectors.definitions import NAMED, TYPES
from plant.detectors.ledger import Ledger, annotation_of
from plant.detectors.machine import DetectorTerms, Place, pack, unpack
from plant.detectors.track import DAY, FINE, Track
from plant.rows.columns import Columns, Symbols, Texts, taken
from plant.rows.intervals import interval_ns
from plant.rows.schema import UNKNOWN_TIME

AUTO = "auto"
"""The source of what is found."""

_SESSION = "session"
_NEVER = -(2**63)
_FLOATS = ("price", "price_end", "top", "bottom", "strength")
_SYMBOLS = ("id", "kind", "type", "interval", "state")
_HALF_AN_HOUR_NS = 1800 * 10**9


class Detectors:
    """The state machine.

    terms        what is found, and its parameters
    sessions_of  the sessions of a symbol
    symbols      patterns of symbols that are looked at; empty: all

    `unfollowed` counts bars that were revised when they were older than those that are kept.
    """

    def __init__(
        self, terms: DetectorTerms, sessions_of: Callable[[str], Sessions], symbols: Sequence[str] = ()
    ) -> None:
        self.terms, self._sessions_of, self._symbols = terms, sessions_of, tuple(symbols)
        levels = terms.types - {*NAMED, DAY_LEVEL, DAY_ZONE}
        self._names: dict[str, list[str]] = {}  # the tracks that take in bars of an interval
        if levels:
            self._names = {FINE: [_SESSION], DAY: [_SESSION]}
        own = {
            *(["15m"] if terms.types & {DAY_LEVEL, DAY_ZONE} else []),
            *(terms.intervals if terms.types & {*NAMED} else ()),
        }
        for interval in sorted(own):
            self._names.setdefault(interval, []).append(interval)
        self._tracks: dict[tuple[str, str], Track] = {}
        self._slots: dict[tuple[str, str], int] = {}  # of symbol and interval; -1: not looked at
        self._closed = np.zeros(0, np.int64)  # the last closed bar of each slot
        self._newer: dict[
            tuple[int, int], tuple[int, list[float]]
        ] = {}  # rows of bars over but not closed: seq, prices
        self._ledger = Ledger()
        self._trusted: dict[str, int] = {}
        self.unfollowed = 0

    @property
    def intervals(self) -> tuple[str, ...]:
        """The intervals of bars that are taken in."""
        return tuple(self._names)

    @property
    def waiting(self) -> bool:
        """Whether there is something to be given out."""
        return len(self._ledger) > 0

    def take_closes(self, rows: Columns) -> None:
        """Take rows of `bar_closes`: in order of time within each series."""
        slots = self._slots_of(rows)
        good = slots >= 0
        if good.any():
            good[good] = rows["market_time"][good] > self._closed[slots[good]]
        if not good.any():
            return
        rows, slots = (rows, slots) if good.all() else (taken(rows, good), slots[good])
        seqs = rows["bar_seq"]
        np.maximum.at(self._closed, slots, rows["market_time"])
        for row in closed_rows(rows, "market_time", self._sessions_of):
            for track in self._tracks_of(row):
                self._ledger.add(row.sym, track.take(row.interval, row.bar))
                self._ledger.forget(track.forgotten())
            newer = self._newer.pop((int(slots[row.place]), row.bar.time), None)
            if newer is not None and newer[0] > seqs[row.place] and newer[1] != list(row.bar[2:6]):
                start, end, *_, kind, session = row.bar
                self._revise(row._replace(bar=bar_of(start, end, newer[1], kind, session)))

    def take_bars(self, rows: Columns, seqs: np.ndarray, received: np.ndarray) -> None:
        """Take rows of `bars`, with seq and time of arrival (ns) of each: closed ones may be revised by them."""
        slots = self._slots_of(rows)
        starts = rows["time"]
        good = np.flatnonzero(slots >= 0)
        if not len(good):
            return
        closed = starts[good] <= self._closed[slots[good]]
        lengths = np.array([_least_length(name) for name in rows["interval"].names])[rows["interval"].codes[good]]
        over = ~closed & (received[good] >= starts[good] + lengths)
        for at in good[over].tolist():
            prices = [float(rows[name][at]) for name in PRICES]
            self._newer[int(slots[at]), int(starts[at])] = int(seqs[at]), prices
        if closed.any():
            late = taken(rows, good[closed])
            lost = (late["trades"] == 0).tolist()
            built = [source.startswith("built:") for source in late["source"].tolist()]
            for row in sorted(closed_rows(late, "time", self._sessions_of), key=lambda row: row.place):
                self._revise(row, gone=lost[row.place] and built[row.place])

    def take_annotations(self, rows: Columns) -> None:
        """Take rows of `annotations` as they come out of the plant, those that were given out here too."""
        for row in _plain(rows):
            self._ledger.take(row["sym"], row["time"], row["version"], row["action"], annotation_of(row))

    def trust(self, sym: str, since: int) -> None:
        """Say from when on (ns) there are bars enough of a symbol: what began before is left as the journal has it."""
        self._trusted[sym] = max(since, self._trusted.get(sym, since))

    def settle(self) -> None:
        """Let what was found be compared with what the journal had; before it nothing is to be given out."""
        found = [
            (sym, track.last_end, one) for (sym, _), track in self._tracks.items() for one in track.objects.values()
        ]
        self._ledger.settle(found, self._trusted)
        self._trusted = {}

    def due(self) -> Columns | None:
        """Return the rows of `annotations` that are to be published, None for none."""
        found = self._ledger.taken()
        if not found:
            return None
        changes = [change for _, (_, change) in found]
        objects = [change.annotation for change in changes]
        columns: Columns = {
            "time": np.array([change.time for change in changes], np.int64),
            "sym": Symbols.of([sym for _, (sym, _) in found]),
            "version": np.array([version for version, _ in found], np.int64),
            "action": Symbols.of([change.action for change in changes]),
            "source": Symbols.of([AUTO] * len(found)),
            "style": Texts.of([""] * len(found)),
            "text": Texts.of([one.text for one in objects]),
            "reason": Texts.of([change.reason for change in changes]),
        }
        for name in ("start_at", "end_at"):
            columns[name] = np.array([getattr(one, name) for one in objects], np.int64)
        for name in _FLOATS:
            columns[name] = np.array([getattr(one, name) for one in objects])
        for name in _SYMBOLS:
            columns[name] = Symbols.of([getattr(one, name) for one in objects])
        return columns

    def objects(self, sym: str) -> dict[str, Annotation]:
        """Return what was found on a symbol lately and is not deleted, by id."""
        return {
            name: one for (of, _), track in self._tracks.items() if of == sym for name, one in track.objects.items()
        }

    def saved(self) -> dict[str, Any]:
        """Return the state, for a checkpoint: arrays and plain values."""
        names, states = [*self._tracks], [track.saved() for track in self._tracks.values()]
        newer = [(*key, *value) for key, value in self._newer.items()]
        state = pack(
            [names, states, [*self._slots], [*self._slots.values()], newer, self._ledger.saved(), self.unfollowed]
        )
        return {"state": np.frombuffer(state, np.uint8), "closed": self._closed.copy()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from there, one that is new and of the same settings; `settle` once what came since was taken.

        Raises ValueError, KeyError or TypeError for the state of something else.
        """
        names, states, keys, slots, newer, ledger, self.unfollowed = unpack(saved["state"].tobytes())
        for (sym, name), state in zip(names, states, strict=True):
            self._track(sym, name).restore(state)
        self._slots = dict(zip(keys, slots, strict=True))
        self._newer = {(slot, time): (seq, prices) for slot, time, seq, prices in newer}
        self._closed = np.array(saved["closed"])
        self._ledger.restore(ledger)

    def _revise(self, row: Row, gone: bool = False) -> None:
        for track in self._tracks_of(row):
            changes = track.revised(row.interval, row.bar.time, None if gone else row.bar)
            if changes is None:
                self.unfollowed += 1
            else:
                self._ledger.add(row.sym, changes)

    def _tracks_of(self, row: Row) -> Iterator[Track]:
        for name in self._names[row.interval]:
            yield self._track(row.sym, name)

    def _track(self, sym: str, name: str) -> Track:
        track = self._tracks.get((sym, name))
        if track is None:
            interval, day = (FINE, DAY) if name == _SESSION else (name, "")
            track = Track(Place(sym, interval, self._sessions_of(sym), self.terms), day)
            self._tracks[sym, name] = track
        return track

    def _slots_of(self, rows: Columns) -> np.ndarray:
        """Return the number of each row's series, -1 of those that are not looked at: int64[n]."""
        sym, interval = rows["sym"], rows["interval"]
        watched = np.array([name in self._names for name in interval.names] or [False])
        found = np.full(len(sym), -1, np.int64)
        at = np.flatnonzero(watched[interval.codes]) if len(sym) else np.zeros(0, np.int64)
        if not len(at):
            return found
        pairs = sym.codes[at].astype(np.int64) * len(interval.names) + interval.codes[at]
        distinct, inverse = np.unique(pairs, return_inverse=True)
        slots = [
            self._slot(sym.names[p // len(interval.names)], interval.names[p % len(interval.names)])
            for p in distinct.tolist()
        ]
        found[at] = np.array(slots, np.int64)[inverse]
        return found

    def _slot(self, sym: str, interval: str) -> int:
        slot = self._slots.get((sym, interval))
        if slot is None:
            looked_at = not self._symbols or any(fnmatchcase(sym, pattern) for pattern in self._symbols)
            slot = len(self._closed) if looked_at else -1
            self._slots[sym, interval] = slot
            if looked_at:
                self._closed = np.append(self._closed, _NEVER)
        return slot


def _least_length(interval: str) -> int:
    """Return how long a bar is at least, ns; 0 where the end of a session may cut it short."""
    length = interval_ns(interval)
    return length if length <= _HALF_AN_HOUR_NS and _HALF_AN_HOUR_NS % length == 0 else 0


def _plain(rows: Columns) -> list[dict[str, Any]]:
    lists = [column.tolist() for column in rows.values()]
    return [dict(zip(rows, row, strict=True)) for row in zip(*lists, strict=True)]


__all__ = ["AUTO", "TYPES", "UNKNOWN_TIME", "Change", "Detectors"]
