"""One feed's process: `python -m feedhandler NAME`, NAME being that of a [[feeds]] in plant.toml.

It polls the feed, and publishes what the feed gives. While the plant takes nothing, nothing is polled: what cannot be
sent waits in the outbox, then in the venue's own buffers, and memory does not grow.
"""

import os
import sys
import time
from collections import deque
from typing import Any

from feedhandler.feed import Batch, Feed
from plant.errors import BadRows, SchemaError, SettingsError, Unavailable
from plant.runtime.lifecycle import STEP_S, Process, Timer, Vitals, log, run
from plant.runtime.sections import FeedSettings, FinazonFeedSettings, RecordedFeedSettings, SimulatedFeedSettings
from plant.runtime.settings import Settings
from plant.stream.publisher import Publisher


class FeedHandler(Process):
    """Polls one feed and publishes its rows under the feed's name; its heartbeats go out under `feed-<name>`."""

    def __init__(self, settings: Settings, label: str) -> None:
        super().__init__(settings)
        self.name = f"feed-{label}"
        self._label = label
        self._feed = feed_of(settings, label)
        self._vitals = Vitals(self.name)
        self._waiting: deque[Batch] = deque()
        self._started = False
        self._heartbeat = Timer(settings.plant.heartbeat_s)

    def startup(self) -> dict[str, Any]:
        """Make the two publishers; the feed starts once the plant says which of its rows it has."""
        ingest, schema = self.settings.address(self.settings.tickerplant.ingest_port), self.settings.table_schema
        self._publisher = Publisher(self._label, ingest, schema)
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
        state = self._feed.status() if self._started else "waiting for the tickerplant"
        if self._started and not self._publisher.connected:
            state = f"no tickerplant, {self._publisher.waiting} batches wait; {state}"
        if state != self._vitals.state:
            self._vitals.state = state
        if self._heartbeat.due() and self._reports.connected and self._reports.waiting < 10:
            self._reports.publish("heartbeats", self._vitals.row())


def feed_of(settings: Settings, label: str) -> Feed:
    """Return the feed of this name in plant.toml. Raises SettingsError if there is none, or it lacks its key."""
    for feed in settings.feeds:
        if feed.label == label:
            try:
                return _made(feed)
            except ValueError as error:
                raise SettingsError(f"feed {label!r}: {error}") from None
    raise SettingsError(f"no feed {label!r} in plant.toml; feeds are {', '.join(f.label for f in settings.feeds)}")


def _made(feed: FeedSettings) -> Feed:
    if isinstance(feed, SimulatedFeedSettings):
        from feedhandler.simulated import SimulatedFeed

        return SimulatedFeed(
            symbols=feed.symbols, seed=feed.seed, history_minutes=feed.history_minutes, update_s=feed.update_s
        )
    if isinstance(feed, RecordedFeedSettings):
        from feedhandler.recorded import RecordedFeed

        return RecordedFeed(
            paths=feed.paths,
            table=feed.table,
            columns=feed.columns,
            scale=feed.scale,
            sym=feed.sym,
            interval=feed.interval,
            time_zone=feed.time_zone,
            stamp=feed.stamp,
            speed=feed.speed,
            shift_to_today=feed.shift_to_today,
            source=feed.label,
            symbols=feed.symbols,
        )
    assert isinstance(feed, FinazonFeedSettings)
    from feedhandler.finazon.feed import FinazonFeed

    key = os.environ.get("FINAZON_API_KEY", "")
    if not key:
        raise ValueError("the environment has no FINAZON_API_KEY; set it to your Finazon key")
    return FinazonFeed(
        symbols=feed.symbols,
        dataset=feed.dataset,
        frequency=feed.frequency,
        url=feed.url,
        api_key=key,
        rest_url=feed.rest_url,
        heartbeat_s=feed.heartbeat_s,
        backfill=feed.backfill,
    )


def main() -> None:
    """Run one feed."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m feedhandler NAME [--config plant.toml]; NAME is that of a [[feeds]] in plant.toml")
    label = sys.argv.pop(1)
    run(lambda settings: FeedHandler(settings, label), name=f"feed-{label}")


if __name__ == "__main__":
    main()
