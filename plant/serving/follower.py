"""A process's place in the plant: it follows tables, from the journal on, and tells how it is. The rdb is made of it.

What it works with it is given: whoever makes a process opens it (plant.serving.opening).
"""

import os
import time
from collections.abc import Callable
from typing import Any

from plant.errors import SchemaError
from plant.rows.batch import Batch
from plant.runtime.lifecycle import STEP_S, Timer, Vitals, log
from plant.runtime.settings import Settings
from plant.serving.reports import Reports
from plant.stream.publisher import Publisher
from plant.stream.subscriber import Subscriber

DOING_S = 1.0
"""Pause between looks at what the process does."""


class Follower:
    """Has a process take what the plant publishes.

    vitals      of the process; its name is the process's
    subscribe   returns the Subscriber to follow the plant with, None if that is not possible yet
    take        takes a batch
    release     lets go of the rows up to a seq
    reports     tells of the process through its publisher; None where nobody may publish
    whole       it follows all tables: it ends, to be started again, if the plant begins to declare them otherwise,
                for else it would miss rows
    trouble     says what keeps the process from its work, or what it works at ("waiting for ..."); "" for nothing
    reached     is told up to which seq all of the tables that are followed was taken
    doing       says in a line what it does, asked once a second: for its heartbeat and `plant status`, beside the state

    The journal is read only once the tickerplant knows this process as a publisher: what an earlier process of its name
    had under way is then in the journal, or never will be; or, with `whole`, once it said that it takes no rows. One
    that follows `gaps` among its tables reports what the journal has lost once, not at each start.

    Rows of days that are closed are in the history; once the tickerplant says so, they are released.
    """

    def __init__(
        self,
        vitals: Vitals,
        subscribe: Callable[[], Subscriber | None],
        take: Callable[[Batch], None],
        release: Callable[[int], None],
        reports: Reports | None,
        *,
        whole: bool,
        trouble: Callable[[], str] = lambda: "",
        doing: Callable[[], str] = lambda: "",
        reached: Callable[[int], None] = lambda seq: None,
    ) -> None:
        self.subscriber: Subscriber | None = None
        self.released = 0
        self._has_read = False  # the journal, once to its end
        self._vitals = vitals
        self._subscribe = subscribe
        self._take = take
        self._release = release
        self._reports = reports
        self._whole = whole
        self._trouble = trouble
        self._doing, self._asked_what = doing, Timer(DOING_S, 0)
        self._reached = reached
        self.note(self.state())

    @property
    def publisher(self) -> Publisher | None:
        """The process's own publisher, None where nobody may publish."""
        return self._reports.publisher if self._reports else None

    @property
    def connected(self) -> bool:
        """Whether the process has its place: it follows, and may publish."""
        return self.subscriber is not None and self.publisher is not None and self.publisher.connected

    @property
    def caught_up(self) -> bool:
        """Whether all that the journal holds has been taken."""
        return self.subscriber is not None and self.subscriber.caught_up

    @property
    def _reads_on(self) -> bool:
        """Whether the plant takes nobody's rows, and the process has none but its reports: what there is, it reads."""
        return self._whole and self.publisher is not None and bool(self.publisher.turned_away)

    def missing(self) -> str:
        """Say why rows are missing that the journal has; "" once it was read to its end."""
        if self._has_read:
            return ""
        if self.subscriber is None and (trouble := self._trouble()):
            return f"the {self._vitals.name} has read nothing yet, it is {trouble}"
        if self.subscriber is None or not self.subscriber.connected:
            return f"the {self._vitals.name} has read nothing yet, no tickerplant answers (`plant status` tells)"
        plant_seq = self.subscriber.stream.plant_seq
        return f"the {self._vitals.name} reads the journal, up to seq {self._vitals.seq_seen:,} of {plant_seq:,} now"

    def step(self, wait_s: float = STEP_S) -> None:
        """Take what has come, and report; waits `wait_s` for it at most, longer while there is nothing to follow."""
        if self.subscriber is None:
            if self.publisher is not None and not self.publisher.connected and not self._reads_on:
                self.note(self.state())
                time.sleep(0.05)
                return
            self.subscriber = self._subscribe()
            if self.subscriber is None:
                self.note(self.state())
                time.sleep(STEP_S)  # who was asked for it may have refused at once
                return
        subscriber = self.subscriber
        batches = subscriber.poll(wait_s)
        if self._whole and (changed := subscriber.redeclared):
            raise SchemaError(
                f"the plant was restarted with other declarations than this process knows: {changed}; "
                f"start the {self._vitals.name} again (supervisord does), so that it takes their rows"
            )
        for batch in batches:
            if self._reports:
                self._reports.learn(batch)
            self._take(batch)
            self._vitals.rows += len(batch)
        self._has_read = self._has_read or self.caught_up
        self._vitals.seq_seen = subscriber.stream.cursor or 0
        self.release(min(subscriber.confirmed, subscriber.stream.complete))
        self._reached(subscriber.stream.complete)
        self.note(self.state())
        if self._asked_what.due():
            self._vitals.doing = self._doing()
        if self._reports:
            self._reports.send(subscriber.stream.gaps, self.caught_up)

    def release(self, seq: int) -> None:
        """Let go of the rows with seq <= `seq`, which the history has."""
        if seq > self.released:
            self.released = seq
            self._release(seq)

    def state(self) -> str:
        """Return one line on how the process is; "ok" if all is well."""
        if trouble := self._trouble():
            return trouble
        if self.publisher is not None and (refusal := self.publisher.turned_away):
            return refusal
        if self.subscriber is None or not self.subscriber.connected:
            return "no tickerplant"
        return "ok" if self.subscriber.caught_up else "replaying the journal"

    def note(self, state: str) -> None:
        """Let this be the process's state, and log that it changed."""
        if state != self._vitals.state:
            self._vitals.state = state
            log.info(self._vitals.name, state=state, rows=self._vitals.rows, seq=self._vitals.seq_seen)

    def status(self, settings: Settings) -> dict[str, Any]:
        """Return what the question "status" answers."""
        return {
            "name": self._vitals.name,
            "pid": os.getpid(),
            "seq": self._vitals.seq_seen,
            "rows": self._vitals.rows,
            "state": self._vitals.state,
            "doing": self._vitals.doing,
            "caught_up": self.caught_up,
            "lag": self.subscriber.lag if self.subscriber else 0,
            "publish_port": settings.tickerplant.publish_port,
            "journal_port": settings.tickerplant.journal_port,
            "released": self.released,
        }

    def close(self) -> None:
        """Flush what was published, and disconnect."""
        if self.publisher is not None:
            self.publisher.close(2.0)
        if self.subscriber is not None:
            self.subscriber.close()
