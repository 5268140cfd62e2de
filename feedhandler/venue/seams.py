"""Each row once and in order per symbol, whatever the venue sent twice, too late or not at all: pure, clock handed in.

A venue sends again after a reconnect, leaves out what happened meanwhile, and now and then swaps two frames. All rows
go through here on their way, those of the socket and those fetched from the past alike:

- trades wait behind a hole (seam.py) until it is fetched, `PATIENCE_S` at most; then it is given up, and they go on.
  While the venue wants no requests patience rests, `MOST_RESTED_S` at most. What is given up may be fetched later
  (feedhandler/past/later.py);
- bars and quotes with an `order`: one that is behind a greater of its key is dropped. They never wait. Bars that were
  missed are fetched after a reconnect, and are revisions of the same rows, wherever they come; quotes are told as lost;
- all other rows go through.
"""

from collections.abc import Iterable, Mapping

from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import BarRow, QuoteRow, Row, Skipped, TradeRow
from feedhandler.venue.seam import GivenUp, Note, Numbered, Seam, Timed, note_of

PATIENCE_S = 30.0
"""Rows behind a hole wait so long for one that is in it."""

MOST_RESTED_S = 300.0
"""A venue that wants no requests for longer is not waited for: what comes meanwhile would be old."""

REORDER_S = 0.5
"""A jump of numbers is asked for only after so long: frames that were swapped have come by then."""

MOST_WAITING = 200_000
"""Rows of all symbols that wait at most; beyond that no hole is waited for."""

_QUOTES = "quotes are not fetched; plant backfill may have them"
_REVISED = 8  # newest bars of a series whose order is known


class Seams:
    """The rows of one feed; `late` counts what was dropped for its order.

    `notes`, and the holes that were `given_up` but may be had later, are the caller's to take.

    numbered   trades are (`Dialogue.numbered`)
    fetches    there is a past to fetch holes from; without: why there is none
    trades     are subscribed; else none is missing before one came
    """

    def __init__(self, numbered: bool, fetches: bool, without: str = "nothing is fetched", trades: bool = True) -> None:
        self.late = 0
        self.notes: list[Note] = []
        self.given_up: list[GivenUp] = []
        self.numbered = numbered
        self._make: type[Seam] = Numbered if numbered else Timed
        self._fetches, self._without = fetches, without
        self._patience_s = PATIENCE_S if fetches else 4 * REORDER_S
        self._trades: dict[str, Seam] = {}
        self._open: dict[str, Seam] = {}  # those with a hole
        self._quotes: dict[str, int] = {}
        self._quoted: dict[str, int] = {}  # by symbol: when the newest quote of this connection was
        self._quoted_before: dict[str, int] = {}  # likewise, of one that was cut
        self._of_trades = trades
        self._bars: dict[tuple[str, str], dict[int, int]] = {}  # (sym, interval) -> start -> order
        self._missed: list[Hole] = []  # of bars
        self._cut: dict[str, Hole] = {}  # by symbol: what nobody waits for, as nothing is fetched
        self._looked_at = 0.0

    @property
    def repeats(self) -> int:
        """Trades that came again and were dropped."""
        return sum(seam.repeats for seam in self._trades.values())

    @property
    def waiting(self) -> int:
        """Trades that wait behind holes."""
        return sum(seam.waiting for seam in self._open.values())

    def take(self, rows: Iterable[Row | Skipped], now: float) -> list[Row]:
        """Return the rows that go on now, in order; the others wait, or came before."""
        on: list[Row] = []
        trades = self._trades
        for row in rows:
            if type(row) is TradeRow:
                seam = trades.get(row.sym)
                if seam is None:
                    seam = self._seam(row.sym)
                seam.take(row, now, on)
            elif isinstance(row, Skipped):
                if self.numbered:
                    (trades.get(row.sym) or self._seam(row.sym)).take(row, now, on)
            elif (type(row) is not QuoteRow or self._quote(row)) and (type(row) is not BarRow or self._bar(row)):
                on.append(row)
        return on

    def begun(self, symbols: Iterable[str], now_ns: int) -> None:
        """Note that these symbols are subscribed, at `now_ns`: what is missed later is missing from then on."""
        for sym in symbols:
            if sym not in self._trades and sym != "*":
                self._seam(sym).time = now_ns if self._of_trades else 0
            if sym != "*":
                self._trades[sym].begun = self._trades[sym].begun or now_ns

    def know(self, sym: str, keys: Iterable[object]) -> None:
        """Take what tells trades apart (`key_of`) that came in a run before: they are repeats, where not numbered."""
        seam = self._trades.get(sym) or self._seam(sym)
        if isinstance(seam, Timed):
            seam.know(keys)

    def of(self, sym: str) -> Seam | None:
        """Return the seam of a symbol, None while nothing is known of it."""
        return self._trades.get(sym)

    def interrupted(self, symbols: Iterable[str], now: float) -> None:
        """Note that nothing comes of these symbols any more ("*": of all)."""
        for sym in self._of(symbols, self._quoted):
            self._quoted_before.setdefault(sym, self._quoted.pop(sym))
        for sym in self._of(symbols, self._trades):
            seam = self._trades[sym]
            if self._fetches:
                seam.interrupted(now)
            elif seam.time and sym not in self._cut and not (isinstance(seam, Numbered) and seam.last):
                hole = self._cut[sym] = Hole("trades", sym, "", seam.time)
                self.notes.append(note_of(hole, "opened", "there is no connection"))

    def resumed(self, symbols: Iterable[str], now_ns: int, now: float) -> None:
        """Note that rows of these symbols come again; what was missed ends by `now_ns`, UTC ns."""
        again = set(symbols)
        for (sym, interval), starts in self._bars.items():
            if sym in again or "*" in again:
                hole = Hole("bars", sym, interval, max(starts), now_ns)
                if self._fetches:
                    self._missed.append(hole)
                else:
                    self.notes.append(note_of(hole, "lost", self._without))
        for sym in self._of(again, self._quoted_before):
            self.notes.append(note_of(Hole("quotes", sym, "", self._quoted_before.pop(sym), now_ns), "lost", _QUOTES))
        for sym in self._of(again, self._cut):
            self.notes.append(note_of(self._cut.pop(sym)._replace(end=now_ns), "lost", self._without))
        for sym in self._of(again, self._open):
            self._open[sym].resumed(now_ns, now)

    def due(self, now: float) -> list[Hole]:
        """Return the holes that are to be fetched now, each once."""
        found, self._missed = self._missed, []
        if self._fetches:
            for seam in self._open.values():
                hole = seam.hole
                if hole is None or not hole.end or seam.asked or (hole.first and now - seam.since < REORDER_S):
                    continue
                seam.asked = True
                found.append(hole)
        return found

    def wants(self, hole: Hole) -> bool:
        """Return whether a hole that was `due` is still one: frames that were swapped may have filled it."""
        if hole.table != "trades":
            return True
        seam = self._open.get(hole.sym)
        if seam is None or seam.hole is None:
            return False
        if isinstance(seam, Numbered) and hole.first:
            return seam.last < hole.last
        return seam.hole.end == hole.end

    def impatient(self, now: float, resting: bool = False) -> list[Row]:
        """Give up holes that were waited for long enough; return the rows that go on by that.

        resting: nothing can be asked for now, by the venue's word; that is no reason to give up.
        """
        on: list[Row] = []
        crowded = self.waiting > MOST_WAITING
        since_s, self._looked_at = now - self._looked_at, now
        for seam in list(self._open.values()):
            if seam.hole is None or not seam.hole.end:
                continue  # nothing comes at all
            if resting:
                more_s = min(since_s, now - seam.since, MOST_RESTED_S - seam.rested)
                seam.since, seam.rested = seam.since + more_s, seam.rested + more_s
            if crowded or now - seam.since >= self._patience_s:
                reason = "too many rows wait" if crowded else f"not there within {self._patience_s:g} s"
                seam.close(now, on, reason, again=self._fetches)
        return on

    def fetched(self, hole: Hole, rows: Iterable[Row], now: float) -> list[Row]:
        """Return what goes on by rows that the past had of a hole, oldest first; more of it may follow."""
        on: list[Row] = []
        seam = self._trades.get(hole.sym)
        for row in rows:
            if seam is not None and seam.hole is not None and type(row) is TradeRow:
                seam.fetched(row, now, on)
            else:
                on += self.take([row], now)
        return on

    def ended(self, hole: Hole, now: float, lost: str = "", again: bool = False) -> list[Row]:
        """End a hole: all that is to be had was `fetched`, or `lost` says why not; return what goes on by that.

        again: what is lost may be had later.
        """
        on: list[Row] = []
        seam = self._trades.get(hole.sym)
        if hole.table != "trades" or seam is None:
            if lost:
                self.notes.append(note_of(hole, "lost", lost))
                self.given_up += [GivenUp(hole)] if again else []
        elif isinstance(seam, Numbered) and hole.first:
            if seam.last < hole.last:
                seam.close(now, on, lost or "the venue's past has not all of it", again or not lost)
        elif seam.hole is not None and seam.hole.end == hole.end:
            seam.close(now, on, lost, again)
        return on

    def _seam(self, sym: str) -> Seam:
        seam = self._trades[sym] = self._make(sym, self.notes, self._open, self.given_up)
        return seam

    @staticmethod
    def _of(symbols: Iterable[str], known: Mapping[str, object]) -> list[str]:
        wanted = set(symbols)
        return [*known] if "*" in wanted else [sym for sym in wanted if sym in known]

    def _quote(self, row: QuoteRow) -> bool:
        """Return whether a quote is in order."""
        sym = row.sym
        if row.order:
            if row.order <= self._quotes.get(sym, 0):
                self.late += 1
                return False
            self._quotes[sym] = row.order
        self._quoted[sym] = row.time
        return True

    def _bar(self, row: BarRow) -> bool:
        """Return whether a revision of a bar is in order; one without an order always is."""
        starts = self._bars.setdefault((row.sym, row.interval), {})
        before = starts.get(row.time)
        if row.order and before is not None and row.order < before:
            self.late += 1
            return False
        starts[row.time] = max(row.order, before or 0)
        if before is None and len(starts) > _REVISED:
            del starts[min(starts)]
        return True
