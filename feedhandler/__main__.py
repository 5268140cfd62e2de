"""One feed's process: `python -m feedhandler NAME`, NAME being that of a [[feeds]] in plant.toml.

It polls the feed, and publishes what the feed gives. While the plant takes nothing, nothing is polled: what cannot be
sent waits in the outbox, then in the venue's own buffers, and memory does not grow.
"""

import contextlib
import sys
import time
from collections import deque
from typing import Any

from feedhandler.feed import Batch, Feed
from feedhandler.kinds import Misconfigured, checked, made
from plant.errors import BadRows, SchemaError, SettingsError, Unavailable
from plant.runtime.lifecycle import STEP_S, Process, Timer, Vitals, log, run
from plant.runtime.settings import Settings
from plant.stream.publisher import Publisher
from plant.stream.repeated import told


class FeedHandler(Process):
    """Polls one feed and publishes its rows under the feed's name; its heartbeats go out under `feed-<name>`."""

    def __init__(self, settings: Settings, label: str) -> None:
        super().__init__(settings)
        self.name = f"feed-{label}"
        self._label = label
        self._feed = feed_of(settings, label)
        self._unique_trade_ids = promised(settings, label)
        self._vitals = Vitals(self.name)
        self._waiting: deque[Batch] = deque()
        self._started = False
        self._heartbeat = Timer(settings.plant.heartbeat_s)

    def startup(self) -> dict[str, Any]:
        """Make the two publishers; the feed starts once the plant says which of its rows it has."""
        ingest, schema = self.settings.address(self.settings.tickerplant.ingest_port), self.settings.table_schema
        self._publisher = Publisher(self._label, ingest, schema, unique_trade_ids=self._unique_trade_ids)
        self._reports = Publisher(self.name, ingest, schema)
        return {"feed": self._label, "plant": ingest}

    def step(self) -> None:
        """Publish what waits; when nothing waits, poll the feed."""
        if self._publisher.connected and not self._started:
            self._feed.start(self._publisher.accepted or 0)
            self._started = True
        self._report()
        if not self._started:
            time.sleep(0.05)
        elif self._waiting:
            self._publish()
        elif self._feed.finished:
            time.sleep(STEP_S)
        else:
            self._waiting.extend(self._feed.poll(time.time_ns(), STEP_S))

    def shutdown(self) -> None:
        """Hand over what waits, and close."""
        self._feed.close()
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

    def _report(self) -> None:
        self._vitals.state = self._state()
        if self._heartbeat.due() and self._reports.connected and self._reports.waiting < 10:
            self._reports.publish("heartbeats", self._vitals.row())

    def _state(self) -> str:
        if isinstance(self._feed, Misconfigured):
            return self._feed.status()
        if not self._started:
            return "waiting for the tickerplant"
        state = "; ".join(part for part in (self._feed.status(), told(self._publisher.repeats)) if part)
        if not self._publisher.connected:
            return f"no tickerplant, {self._publisher.waiting} batches wait; {state}"
        return state


def feed_of(settings: Settings, label: str) -> Feed:
    """Return the feed of this name in plant.toml, or what says why it cannot run. Raises SettingsError if none is."""
    for section in settings.feeds:
        if section.label == label:
            try:
                return made(section, settings.file)
            except SettingsError as error:
                log.error("misconfigured", feed=label, reason=str(error))
                return Misconfigured(str(error))
    raise SettingsError(f"no feed {label!r} in plant.toml; feeds are {', '.join(f.label for f in settings.feeds)}")


def promised(settings: Settings, label: str) -> bool:
    """Return whether the feed of this name promises unique trade ids; False for one that cannot run."""
    for section in settings.feeds:
        if section.label == label:
            with contextlib.suppress(SettingsError):
                return checked(section, settings.file)[1].unique_trade_ids
    return False


def main() -> None:
    """Run one feed."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m feedhandler NAME [--config plant.toml]; NAME is that of a [[feeds]] in plant.toml")
    label = sys.argv.pop(1)
    run(lambda settings: FeedHandler(settings, label), name=f"feed-{label}")


if __name__ == "__main__":
    main()
