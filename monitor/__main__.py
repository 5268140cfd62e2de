"""The monitor's process: `python -m monitor`. It follows what the plant tells of itself and sends alerts of it.

What it decides and sends is in rows of `alerts`, and only there: it begins by reading them. A row `sending` is in the
journal before an attempt is made; where it stands without a result at the start, nobody knows whether the alert got
there: it becomes `unknown`, and is not sent again.
"""

import shutil
import time
from collections.abc import Iterable
from typing import Any

from monitor.conditions import Conditions, sessions_of_feeds
from monitor.decider import Decider, Rule
from monitor.delivery import PAUSES_S, Change, Delivery
from monitor.happened import Happened
from monitor.looks import Looks
from monitor.position import seq_before
from monitor.sending import Sender
from monitor.services import Service
from monitor.told import FAILED, SENDING, UNKNOWN, Alert, Told
from plant.client.connection import Connection
from plant.errors import PlantError, SettingsError, Unavailable
from plant.rows.batch import Batch
from plant.runtime.lifecycle import Process, Timer, Vitals, log, run
from plant.runtime.probing import ANSWERING
from plant.serving.follower import Follower
from plant.serving.opening import follow, last_close, reports_of
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester

FOLLOWED = ("signals", "heartbeats", "gaps", "rejects", "days", "alerts")

DECIDE_S = 0.25
"""Pause between looks at what lasts."""

BACK_S = 3600.0
"""Rows so old are read again at the start, and older ones if `every_s` or `within_s` ask for it."""

EARLIER_S = 30 * 86_400.0
"""Alerts so old are asked for, if they lie before what is read of the journal."""

ASK_S = 2.0
"""Longest the history may take to tell them."""

WRITE_S = 2.0
"""Longest a row `sending` is waited for, before other work goes on."""

END_S = 5.0
"""Longest attempts under way are waited for at the end."""

SECOND = 10**9


class Monitor(Process):
    """Sends alerts by the rules of [[alerts]]."""

    name = "monitor"

    def startup(self) -> dict[str, Any]:
        """Open the services, and look at the processes. Raises SettingsError for one that cannot be used."""
        settings = self.settings
        if not settings.alerts:
            raise SettingsError(
                f"{settings.file}: no [[alerts]], so there is nothing to tell; docs/alerts.md has examples"
            )
        services = [Service(each.to, f"{settings.file}, alerts.{i}.to") for i, each in enumerate(settings.alerts)]
        self._rules = [Rule(each, s.name) for each, s in zip(settings.alerts, services, strict=True)]
        self._vitals = Vitals(self.name)
        reports = reports_of(settings, self._vitals, None)
        if reports is None:
            raise SettingsError("a monitor publishes what it sends; set ingest in [upstream]")
        self._publisher = reports.publisher
        self._told = Told()
        self._decider = Decider(self._rules, self._told)
        self._delivery = Delivery()
        self._sender = Sender({service.name: service for service in services})
        self._happened = Happened()
        feeds = [feed.label for feed in settings.feeds]
        beats, sessions = settings.plant.heartbeat_s, sessions_of_feeds(settings)
        self._conditions = Conditions(settings.monitor, beats, ANSWERING, feeds, time.time_ns(), sessions)
        self._resolved = False
        self._due = Timer(DECIDE_S, 0)
        self._journal = self.opened(Requester(settings.journal_address, "tickerplant"))
        self._looks = self.opened(Looks(settings, ANSWERING))
        self._follower = self.opened(
            Follower(
                self._vitals, self._follow, self._take, lambda seq: None, reports, whole=False, trouble=self._trouble
            )
        )
        return {"services": len({rule.service for rule in self._rules}), "plant": settings.ingest_address}

    def step(self) -> None:
        """Take what has come, decide what is to be sent, and see to what is under way."""
        self._follower.step()
        now = time.time_ns()
        if self._follower.caught_up and not self._resolved:
            self._resolved = True
            self._resolve(now)
        if self._due.due():
            self._decide(now)
        self._deliver()

    def shutdown(self) -> None:
        """Wait a moment for attempts under way, and hand over what is to be written down."""
        if hasattr(self, "_delivery"):
            deadline = time.monotonic() + END_S
            while self._delivery.under_way and time.monotonic() < deadline:
                self._finish(self._sender.ended(0.1))
        super().shutdown()

    def _take(self, batch: Batch) -> None:
        if batch.table == "alerts":
            for row in batch.rows():
                self._told.take(row)
        elif batch.table in ("signals", "gaps"):
            self._happened.take(batch)
        else:
            self._conditions.take(batch)

    def _follow(self) -> Subscriber | None:
        """Follow from behind the last closed day, or from earlier if that is not long ago."""
        after = last_close(self._journal)
        if after is None:
            return None
        back_s = max([BACK_S, *(2 * max(rule.section.every_s, rule.section.within_s) for rule in self._rules)])
        since = seq_before(self._journal, time.time_ns() - int(back_s * SECOND))
        begin = after if since is None else min(after, since)
        if begin:
            self._read_earlier(after)
        return follow(self.settings, self.name, FOLLOWED, begin)

    def _read_earlier(self, after: int) -> None:
        """Learn from the history what was told before what is read of the journal."""
        address = self.settings.address(self.settings.hdb.port)
        start = time.time_ns() - int(EARLIER_S * SECOND)
        try:
            with Connection("hdb", address, timeout_s=ASK_S, frames="arrow") as db:
                found = db.as_of(after).select("alerts", start=start)
        except PlantError as error:
            log.warning(
                "alerts of closed days are not known; what lasts since then may be told again", reason=str(error)
            )
            return
        times = found.column("time").cast("int64").to_pylist()
        for row, at in zip(found.drop_columns(["time"]).to_pylist(), times, strict=True):
            self._told.take({**row, "time": at})

    def _resolve(self, now: int) -> None:
        """See to the alerts that an earlier monitor left unfinished: some are tried again, none is sent twice."""
        within = {rule.service: rule.within_ns for rule in self._rules}
        for record in list(self._told.unresolved()):
            alert, attempt = record.alert, record.attempt
            if record.state == SENDING:
                why = f"attempt {attempt}: the monitor ended before it knew"
                self._note([Change(alert, UNKNOWN, attempt, why, True)])
            elif alert.service not in within or 0 < within[alert.service] < now - alert.time or attempt > len(PAUSES_S):
                self._note(
                    [Change(alert, FAILED, attempt, f"attempt {attempt}: too long ago to try again; given up", True)]
                )
            else:
                self._delivery.add(alert, now, attempt)

    def _decide(self, now: int) -> None:
        for process, error in list(self._looks.found.items()):
            self._conditions.looked(process, error, now)
        usage = shutil.disk_usage(_existing(self.settings.plant.data))
        self._conditions.disk(usage.free, usage.total)
        heard = self._resolved and self._follower.caught_up and self._follower.connected
        self._conditions.hears(heard and bool(self._follower.subscriber and self._follower.subscriber.connected), now)
        present = self._conditions.present(now)
        if not self._resolved and not any((c.event, c.sym) == ("process_down", "tickerplant") for c in present):
            return  # the journal will tell what was told before
        happened = self._happened.drained() if self._resolved else []
        alerts = self._decider.decide([*happened, *present], now)
        alerts += self._decider.ends(present, self._conditions.ending, now)
        for alert in alerts:
            self._delivery.add(alert, now)

    def _deliver(self) -> None:
        now = time.time_ns()
        self._note(self._delivery.overdue(now))
        self._finish(self._sender.ended())
        self._note(self._delivery.announce(now))
        if self._delivery.announced:
            for alert, attempt in self._delivery.begin(time.time_ns(), self._written()):
                self._sender.begin(alert, attempt)

    def _written(self) -> bool:
        """Return whether all that was published is in the journal."""
        if not self._publisher.connected:
            return False
        try:
            self._publisher.flush(WRITE_S)
        except Unavailable:
            return False
        return True

    def _finish(self, ended: Iterable[tuple[Alert, int, Any]]) -> None:
        for alert, attempt, outcome in ended:
            self._note([self._delivery.ended(alert, attempt, outcome, time.time_ns())])

    def _note(self, changes: Iterable[Change]) -> None:
        """Write down what has become of alerts: as rows, in the log, and for what is decided next."""
        for change in changes:
            self._publisher.publish("alerts", change.row)
            self._told.became(change.alert, change.state, change.final)
            self._vitals.rows += 1
            row = change.row
            tell = log.warning if change.state in (FAILED, UNKNOWN) else log.info
            tell("alert", **{name: row[name] for name in ("state", "service", "attempt", "held_back", "detail")})

    def _trouble(self) -> str:
        """Say which services have alerts waiting; "" for none."""
        waiting = [f"{count} for {service}" for service, count in self._delivery.waiting.items()]
        return f"alerts wait: {', '.join(waiting)}" if waiting else ""


def _existing(path: Any) -> Any:
    """Return a folder that is there, this one or one above it."""
    while not path.exists():
        path = path.parent
    return path


def main() -> None:
    """Run a monitor."""
    run(Monitor, name="monitor")


if __name__ == "__main__":
    main()
