"""One feed's process: `python -m feedhandler NAME`, NAME being that of a [[feeds]] in plant.toml.

It polls the feed, and publishes what the feed gives. While the plant is down what comes is spooled to disk, and handed
over in order when it is back (plant/stream/spooling.py). A feed that can be replayed is not polled meanwhile, nor is
one whose spool is full: what cannot be sent waits in the venue's own buffers, and memory does not grow.

A feed of a venue asks at its start what the plant has of it (`asks_for`), and fetches what came since (`had`).

A changed list of `symbols` in plant.toml is handed to a feed that takes it (`resubscribe`); another ends, and
supervisord starts it again.
"""

import contextlib
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from feedhandler.feed import Batch, Feed
from feedhandler.kinds import Misconfigured, checked, made
from feedhandler.past.held import Asking
from feedhandler.settings import FeedSettings
from plant.errors import BadRows, PlantError, SchemaError, SettingsError, Unavailable
from plant.runtime.lifecycle import STEP_S, Process, Timer, Vitals, log, run
from plant.runtime.sections import FeedSection
from plant.runtime.settings import Settings, load
from plant.runtime.standby import ingest_addresses
from plant.stream.publisher import Publisher
from plant.stream.repeated import told
from plant.stream.spool import Spool
from plant.stream.spooling import SpoolingPublisher

LOOK_S = 1.0
"""Seconds between looks at plant.toml."""

KNOWN_WITHIN_S = 5.0
"""A plant that is not there by then is asked later what it has; the feed starts without."""

SKEW_NS = 5 * 10**9
"""A venue's clock may be so far behind ours."""

_MEBIBYTE = 2**20


class FeedHandler(Process):
    """Polls one feed and publishes its rows under the feed's name; its heartbeats go out under `feed-<name>`."""

    def __init__(self, settings: Settings, label: str) -> None:
        super().__init__(settings)
        self.name = f"feed-{label}"
        self._label = label
        self._section = section_of(settings, label)
        self._feed = feed_of(settings, label)
        self._own = settings_of(self._section, settings)
        if hasattr(self._feed, "kept_in"):
            self._feed.kept_in(settings.plant.data)
        self._look = Timer(LOOK_S)
        self._seen = _changed_at(settings)
        self._ending = False
        self._vitals = Vitals(self.name)
        self._waiting: deque[Batch] = deque()
        self._started = False
        self._asking: Asking | None = None
        self._start_by, self._began_ns = 0.0, time.time_ns()
        self._heartbeat = Timer(settings.plant.heartbeat_s)

    def startup(self) -> dict[str, Any]:
        """Make the two publishers; a feed that can be replayed starts once the plant says which of its rows it has."""
        ingest, schema = ingest_addresses(self.settings), self.settings.table_schema
        unique = self._own.unique_trade_ids
        self._publisher: Publisher
        if self._own.spool_mb and not self._feed.replayable and not self._feed.finished:
            spool = Spool(spool_folder(self.settings, self._label), self._own.spool_mb * _MEBIBYTE)
            self._publisher = SpoolingPublisher(self._label, ingest, schema, spool, unique)
        else:
            self._publisher = Publisher(self._label, ingest, schema, unique_trade_ids=unique)
        self._reports = Publisher(self.name, ingest, schema)
        self._start_by, self._began_ns = time.monotonic() + KNOWN_WITHIN_S, time.time_ns()
        return {"feed": self._label, "plant": " or ".join(ingest)}

    def step(self) -> None:
        """Publish what waits; when nothing waits, poll the feed."""
        there = self._publisher.connected or isinstance(self._publisher, SpoolingPublisher)
        if not self._started and there and self._asks_first():
            self._feed.start(self._publisher.accepted or 0)
            self._started = True
        self._report()
        if self._look.due():
            self._take_changes()
            self._catch_up()
        if not self._started:
            time.sleep(0.05)
        elif self._waiting:
            self._publish()
        elif self._feed.finished:
            time.sleep(STEP_S)
        else:
            self._waiting.extend(self._feed.poll(time.time_ns(), STEP_S))

    @property
    def finished(self) -> bool:
        """Whether it is to be started anew, with the symbols that plant.toml has by now."""
        return self._ending

    def shutdown(self) -> None:
        """Hand over what waits, and close."""
        self._feed.close()
        if self._asking is not None:
            self._asking.close()
        if hasattr(self, "_publisher"):
            for publisher in (self._publisher, self._reports):
                try:
                    publisher.close(5.0)
                except Unavailable as error:
                    log.error("rows not acknowledged", feed=self._label, reason=str(error))

    def _publish(self) -> None:
        while self._waiting:
            table, columns = self._waiting[0]
            try:
                self._publisher.publish(table, columns, timeout_s=STEP_S)
                self._vitals.rows += len(columns["time"])
            except Unavailable:  # the plant takes nothing now: keep it, look at the signals
                return
            except (BadRows, SchemaError) as error:
                log.error("a batch of the feed does not fit", feed=self._label, table=table, reason=str(error))
            self._waiting.popleft()
        while self._publisher.errors:
            log.error("refused", feed=self._label, reason=str(self._publisher.errors.popleft()))

    def _take_changes(self) -> None:
        """Take up a changed list of symbols; all else that changed is for the roster, which starts us again."""
        changed = _changed_at(self.settings)
        if changed == self._seen:
            return
        self._seen = changed
        try:
            section = section_of(load(self.settings.file), self._label)
            if without_symbols(section) != without_symbols(self._section) or section == self._section:
                return
            if hasattr(self._feed, "resubscribe"):
                self._own = checked(section, self.settings.file)[1]
                self._feed.resubscribe(self._own)
                log.info("symbols changed", feed=self._label, symbols=len(getattr(self._own, "symbols", ())))
            else:
                self._ending = "SUPERVISOR_ENABLED" in os.environ
                log.info("symbols changed", feed=self._label, taken="at its next start")
            self._section = section
        except PlantError as error:  # half-written or wrong: it goes on as it is
            log.error("plant.toml not taken", feed=self._label, reason=str(error))

    def _asks_first(self) -> bool:
        """Ask what the plant has of the feed, before a row of this run is there; return whether it may start now."""
        if self._asking is None:
            wanted = self._feed.asks_for() if hasattr(self._feed, "asks_for") else []
            if not wanted:
                return True
            names = getattr(self._own, "names", {})
            self._asking = Asking(str(self.settings.file), self._label, wanted, names)
        if time.monotonic() < self._start_by:
            self._ask(None)
            return self._asking.begun
        return True

    def _ask(self, before_ns: int | None) -> None:
        """Have the plant asked, if it is there, and has all that was spooled."""
        spooling = isinstance(self._publisher, SpoolingPublisher) and self._publisher.spooling
        if self._asking is not None and self._reports.connected and self._publisher.connected and not spooling:
            with contextlib.suppress(Unavailable):
                self._reports.publish("heartbeats", self._vitals.row())
                self._asking.begin(self._reports.flush(1.0), before_ns)

    def _catch_up(self) -> None:
        """Hand the plant's answer to the feed; ask later, if the plant was not there at the start."""
        if self._asking is None or not self._started or not hasattr(self._feed, "had"):
            return
        if self._asking.answer is not None:
            self._feed.had(self._asking.answer)
            if hasattr(self._feed, "left"):
                self._feed.left(self._asking.left)
            self._asking.close()
            self._asking = None
        elif not self._asking.begun:
            self._ask(self._began_ns - SKEW_NS)

    def _report(self) -> None:
        self._vitals.state = self._state()
        if self._heartbeat.due() and self._reports.connected and not self._reports.crowded:
            self._reports.publish("heartbeats", self._vitals.row())

    def _state(self) -> str:
        if isinstance(self._feed, Misconfigured):
            return self._feed.status()
        if not self._started:
            return "waiting for the tickerplant"
        trouble = self._asking.trouble if self._asking is not None else ""
        state = "; ".join(part for part in (self._feed.status(), trouble, told(self._publisher.repeats)) if part)
        if isinstance(self._publisher, SpoolingPublisher) and self._publisher.spooling:
            rows, size = self._publisher.spool.rows, self._publisher.spool.size / _MEBIBYTE
            doing = "being handed over" if self._publisher.connected else "spooled, no tickerplant"
            full = f" ({self._publisher.spool.trouble or 'full'})" if self._publisher.full else ""
            return f"{rows:,} rows {doing}, {size:.1f} of {self._own.spool_mb:,} MiB{full}; {state}"
        if not self._publisher.connected:
            return f"no tickerplant, {self._publisher.waiting} batches wait; {state}"
        return state


def section_of(settings: Settings, label: str) -> FeedSection:
    """Return the [[feeds]] of this name. Raises SettingsError if there is none."""
    for section in settings.feeds:
        if section.label == label:
            return section
    raise SettingsError(f"no feed {label!r} in plant.toml; feeds are {', '.join(f.label for f in settings.feeds)}")


def feed_of(settings: Settings, label: str) -> Feed:
    """Return the feed of this name in plant.toml, or what says why it cannot run. Raises SettingsError if none is."""
    section = section_of(settings, label)
    try:
        return made(section, settings.file)
    except SettingsError as error:
        log.error("misconfigured", feed=label, reason=str(error))
        return Misconfigured(str(error))


def settings_of(section: FeedSection, settings: Settings) -> FeedSettings:
    """Return the settings of a feed, those of any for one that cannot run."""
    with contextlib.suppress(SettingsError):
        return checked(section, settings.file)[1]
    return FeedSettings(name=section.label)


def without_symbols(section: FeedSection) -> dict[str, Any]:
    """Return all keys of a section but `symbols`, which a running feed may take up."""
    return {key: value for key, value in section.model_dump().items() if key != "symbols"}


def spool_folder(settings: Settings, label: str) -> Path:
    """Return where a feed of this name spools."""
    return settings.plant.data / "spool" / label


def _changed_at(settings: Settings) -> float:
    try:
        return settings.file.stat().st_mtime
    except OSError:
        return 0.0


def main() -> None:
    """Run one feed."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m feedhandler NAME [--config plant.toml]; NAME is that of a [[feeds]] in plant.toml")
    label = sys.argv.pop(1)
    run(lambda settings: FeedHandler(settings, label), name=f"feed-{label}")


if __name__ == "__main__":
    main()
