"""What lasts: a process that is down, a stale feed, a full disk; folded from rows and looks, the clock is given.

`present` gives the causes of all that is so now, `ending` the end of one that was told; what cannot be judged now, for
want of a tickerplant, is neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.beats import Beats, fold
from monitor.causes import OVER, Cause, head_of
from monitor.happened import taken_of
from plant.calendars.sessions import REGULAR, Sessions
from plant.rows.batch import Batch
from plant.runtime.alerting import MonitorSettings
from plant.runtime.probing import ERROR_BEATS
from plant.runtime.settings import Settings

SECOND = 10**9

START_S = 30.0
"""So long after the monitor's own start a process that was not heard yet may be starting as well."""

REJECTS_QUIET_S = 60.0
"""A source's rows are rejected no more after so long without one."""


@dataclass(slots=True)
class Look:
    """What a process answered: `error` "" if it did; `failing` since when it does not, `answered` if it ever did."""

    error: str = ""
    failing: int = 0
    answered: bool = False


@dataclass(slots=True)
class Rejected:
    """Rows of a source that were rejected since it was quiet."""

    last: int = 0
    rows: int = 0
    first: str = ""


def sessions_of_feeds(settings: Settings) -> dict[str, list[Sessions]]:
    """Return the sessions of each feed's symbols, as plant.toml has them; of one that names none, the feed's own.

    Raises SettingsError for a calendar that there is not.
    """
    calendars, found = settings.calendars, {}
    for feed in settings.feeds:
        told = feed.own_keys.get("symbols") or ()
        symbols = [told] if isinstance(told, str) else [str(each) for each in told]
        codes = {calendars.code(sym, feed.label) for sym in symbols} or {feed.calendar_code}
        found[feed.label] = [calendars.sessions(code) for code in sorted(codes)]
    return found


class Conditions:
    """Folds `heartbeats`, `rejects` and `days`, looks at processes and at the disk.

    asked      processes that are looked at
    feeds      labels of the feeds that should run
    sessions   of a feed, those of its symbols' calendars: outside of all of them no row is expected. None: always
    """

    def __init__(
        self,
        own: MonitorSettings,
        heartbeat_s: float,
        asked: Sequence[str],
        feeds: Sequence[str],
        started: int,
        sessions: Mapping[str, Sequence[Sessions]] | None = None,
    ) -> None:
        self._own = own
        self._down_ns = int(ERROR_BEATS * heartbeat_s * SECOND)
        self._looks = {name: Look() for name in asked}
        self._feeds = list(feeds)
        self._sessions = dict(sessions or {})
        self._started = started
        self._beats: dict[str, Beats] = {}
        self._rejected: dict[str, Rejected] = {}
        self._days: dict[str, tuple[str, int, str]] = {}  # state, when, why
        self._disk: tuple[int, int] | None = None  # free and total bytes
        self._hears = 0  # since when the plant's rows come

    def take(self, batch: Batch) -> None:
        """Take a batch of `heartbeats`, `rejects` or `days`."""
        if batch.table == "heartbeats":
            fold(self._beats, batch)
        elif batch.table == "rejects":
            self._take_rejects(batch)
        elif batch.table == "days":
            for row, taken in zip(batch.rows(), taken_of(batch).tolist(), strict=True):
                self._take_day(row["day"], row["state"], taken, row["detail"])

    def looked(self, process: str, error: str, now: int) -> None:
        """Note that a process answered (`error` "") or why it did not."""
        look = self._looks[process]
        look.failing = 0 if not error else look.failing or now
        look.error, look.answered = error, look.answered or not error

    def disk(self, free: int, total: int) -> None:
        """Note how many bytes of the data folder's disk are free."""
        self._disk = (free, total)

    def hears(self, whether: bool, now: int) -> None:
        """Note whether the plant's rows come, all of the journal having been read."""
        self._hears = (self._hears or now) if whether else 0

    def present(self, now: int) -> list[Cause]:
        """Return all that is so at `now`."""
        found = [*self._down(now), *self._full()]
        if self._hears:
            found += [*self._feeds_down(now), *self._stale(now), *self._rejects(now), *self._unclosed(now)]
        return found

    def ending(self, event: str, sym: str, head: str) -> Cause | None:
        """Return the end of a condition that is not present; None if there is no such, or nobody knows."""
        if event not in _HEADS or head != _head(event, sym):
            return None  # one event, not a condition
        if event == "process_down":
            text = self._up(sym)
        elif event == "disk":
            text = f"{_gigabytes(self._disk[0])} of {_gigabytes(self._disk[1])} are free" if self._disk else ""
        elif not self._hears:
            text = ""
        elif event == "feed_stale":
            text = self._flows(sym)
        elif event == "rejects":
            rejected = self._rejected.pop(sym, None)
            text = f"none for {REJECTS_QUIET_S:g} s" + (f", {rejected.rows} in all" if rejected else "")
        else:
            text = "its files are in place"
        return _cause(event, sym, text, OVER) if text else None

    def _down(self, now: int) -> list[Cause]:
        found = []
        for name, look in self._looks.items():
            patience = self._down_ns if look.answered else max(self._down_ns, int(START_S * SECOND))
            since = look.failing if look.answered else self._started
            if look.error and now - since > patience:
                found.append(
                    _cause("process_down", name, f"no answer for {_seconds(now - look.failing)}: {look.error}")
                )
        return found

    def _feeds_down(self, now: int) -> list[Cause]:
        found = []
        for name in (f"feed-{label}" for label in self._feeds):
            beats = self._beats.get(name)
            since = max(beats.time if beats else self._started + int(START_S * SECOND), self._hears)
            if now - since > self._down_ns:
                said = f"; it said: {beats.state}" if beats else ""
                found.append(_cause("process_down", name, f"no heartbeat for {_seconds(now - since)}{said}"))
        return found

    def _up(self, process: str) -> str:
        """Return that a process is not down any more; "" if nobody knows."""
        look, label = self._looks.get(process), process.removeprefix("feed-")
        if look is not None:
            return "it answers again" if look.answered and not look.error else ""
        if label not in self._feeds:
            return _UNWATCHED
        beats = self._beats.get(process)
        return "it beats again" if beats and self._hears and beats.time >= self._hears else ""

    def _stale(self, now: int) -> list[Cause]:
        found = []
        for label in self._feeds:
            beats = self._beats.get(f"feed-{label}")
            if beats is None or not beats.expects_rows or now - beats.time > self._down_ns:
                continue  # it is down, or says why there is nothing
            opened = self._opened(label, beats.time)
            if opened is None:
                continue
            silent = beats.time - max(beats.grew or beats.first, opened)
            if silent > self._patience(beats):
                found.append(
                    _cause("feed_stale", label, f"no row for {_seconds(silent)}, though it says: {beats.state}")
                )
        return found

    def _opened(self, label: str, time: int) -> int | None:
        """Return since when a regular session runs of one of a feed's symbols, None if there is none; 0: for ever."""
        at = np.array([time])
        sessions = self._sessions.get(label, ())
        if not sessions or any(one.continuous for one in sessions):
            return 0
        return min((one.since(time) for one in sessions if one.kinds(at)[0] == REGULAR), default=None)

    def _flows(self, label: str) -> str:
        """Return that a feed is not stale any more: by a row, or by its own word; "" if nobody knows."""
        if label not in self._feeds:
            return _UNWATCHED
        beats = self._beats.get(f"feed-{label}")
        if beats is None:
            return ""
        if not beats.expects_rows:
            return f"it says: {beats.state}"
        if self._opened(label, beats.time) is None:
            return "its session is over"
        flows = beats.grew > beats.first and beats.time - beats.grew <= self._patience(beats)
        return "it sends rows again" if flows else ""

    def _patience(self, beats: Beats) -> int:
        return beats.silent_after_ns(int(self._own.feed_silent_s * SECOND))

    def _rejects(self, now: int) -> list[Cause]:
        quiet = now - int(REJECTS_QUIET_S * SECOND)
        return [
            _cause("rejects", source, f"{rejected.rows} so far, the first: {rejected.first}")
            for source, rejected in self._rejected.items()
            if rejected.last > quiet
        ]

    def _unclosed(self, now: int) -> list[Cause]:
        found = []
        for day, (state, when, why) in self._days.items():
            if state == "failed":
                found.append(_cause("day_not_closed", day, why))
            elif now - when > self._own.day_close_s * SECOND:
                found.append(_cause("day_not_closed", day, f"it ended {_seconds(now - when)} ago"))
        return found

    def _full(self) -> list[Cause]:
        if self._disk is None or self._disk[0] >= self._own.disk_free_gb * 1e9:
            return []
        free, total = map(_gigabytes, self._disk)
        return [_cause("disk", "data", f"{free} of {total} are free, less than {self._own.disk_free_gb:g} GB")]

    def _take_rejects(self, batch: Batch) -> None:
        """Count the rows of each source; in one batch there is no quiet between them."""
        quiet, columns, taken = int(REJECTS_QUIET_S * SECOND), batch.columns, taken_of(batch)
        source = columns["source"]
        for code in np.unique(source.codes).tolist():
            at = np.flatnonzero(source.codes == code)
            name, last = source.names[code] or "?", int(taken[at[-1]])
            rejected = self._rejected.get(name)
            if rejected is None or int(taken[at[0]]) - rejected.last > quiet:
                first = batch.filtered(at[:1]).rows()[0]
                rejected = self._rejected[name] = Rejected(first=f"{first['table_name']}: {first['reason']}")
            rejected.last, rejected.rows = last, rejected.rows + len(at)

    def _take_day(self, day: str, state: str, taken: int, why: str) -> None:
        if state == "closed":
            self._days.pop(day, None)
        else:
            before = self._days.get(day)
            ended = before[1] if before else taken
            self._days[day] = (state, ended, why)


_HEADS = {
    "process_down": "{} is down",
    "feed_stale": "feed {} is stale",
    "rejects": "rows of {} are rejected",
    "disk": "the disk of the {} folder is nearly full",
    "day_not_closed": "day {} is not closed",
}
"""What each condition is called; of one thing always the same."""

_UNWATCHED = "it is not watched any more"


def _cause(event: str, sym: str, text: str, state: str = "") -> Cause:
    return Cause(event, sym, _head(event, sym), text, state, lasting=True)


def _head(event: str, sym: str) -> str:
    return head_of(_HEADS[event].format(sym))


def _seconds(ns: int) -> str:
    seconds = ns // SECOND
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
