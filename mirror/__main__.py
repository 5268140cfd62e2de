"""The mirror's process: `python -m mirror`. It copies the journal to a stream of NATS JetStream, beside the plant.

It asks for the journal piece by piece, so nothing waits for it, and what it cannot write yet stays in the journal.
Where the stream stands is read from the stream, never remembered: whatever was killed, it goes on there, if the journal
still has the stream's last record. If not, this plant's journal is another one (or another plant was promoted): it
tells the tickerplant so and ends with JournalDiverged, each time it is started.
"""

import time
from concurrent.futures import Future, wait
from typing import Any

from mirror.copying import Copying
from mirror.jetstream import Link, Standing
from mirror.owner import owner_of
from mirror.source import GATHER_S, Source
from mirror.syncing import unchecked
from mirror.telling import Telling
from plant.errors import JournalDiverged, SettingsError, Unavailable
from plant.journal.fence import fenced_in
from plant.runtime.lifecycle import STEP_S, Process, Timer, Vitals, log, run
from plant.serving.opening import ASK_S, reports_of
from plant.stream.mirrored import Declared, packed_tables
from plant.stream.publisher import Publisher
from plant.transport.request import Requester

PAUSE_S = 0.25
"""Pause before the stream is opened again after it failed: a cluster elects a new leader within 4 to 9 s."""

LOOK_S = 5.0
"""Pause between looks at the stream: where it begins by now, and whether its retention removed what this needs."""


class Mirror(Process):
    """Copies the journal."""

    name = "mirror"

    def startup(self) -> dict[str, Any]:
        """Prepare; the servers need not be there yet. Raises SettingsError without [mirror] servers."""
        settings, own = self.settings, self.settings.mirror
        if not own.servers:
            raise SettingsError(
                f"{settings.file}: no [mirror] servers, so there is nothing to mirror to; docs/scale.md has an example"
            )
        self._owner = owner_of(settings.plant.data)
        self._vitals = Vitals(self.name)
        self._reports = reports_of(settings, self._vitals, None)
        if self._reports is not None:
            self.opened(_Flushed(self._reports.publisher))
        self._journal = self.opened(Requester(settings.journal_address, "tickerplant", ASK_S))
        self._telling = self.opened(Telling(settings.journal_address))
        self._link = self.opened(Link(own))
        unchecked(own.monitor)  # at once, so that a supervisor sees it
        self._copying: Copying | None = None
        self._source: Source | None = None
        self._standing: Standing | None = None
        self._declared: Declared | None = None  # as the stream has it
        self._opening: Future[Standing] | None = None
        self._looking: Future[Standing] | None = None
        self._writing: Future[int] | None = None
        self._declaring: tuple[Future[int], Declared] | None = None
        self._not_before = 0.0
        self._look = Timer(LOOK_S)
        upstream = settings.upstream
        self._stands_by = bool(upstream.stream) and upstream.name == own.name
        return {"stream": self._link.stream, "servers": len(own.servers), "replicas": own.replicas}

    def step(self) -> None:
        """Copy what has come, or open the stream; tell how it goes."""
        if self._stands_by:
            self._note("stands by: this plant follows the stream; `plant promote` has it write there")
            time.sleep(STEP_S)
        else:
            try:
                self._copy()
            except Unavailable as error:
                self._begin_anew(str(error))
            except JournalDiverged as error:
                reason = f"{self._link.stream} goes on with other rows than this journal: {error}"
                self._telling.diverged(reason)
                raise JournalDiverged(
                    f"{reason}. Stop this plant; to have it follow the other one, move its data folder "
                    f"{self.settings.plant.data} away and set [upstream] (docs/scale.md)"
                ) from None
        if self._reports is not None:
            self._reports.send([], True)

    def shutdown(self) -> None:
        """Disconnect; what is not in the stream yet is in the journal."""
        if getattr(self, "_source", None) is not None:
            self._drop_source()
        super().shutdown()

    def _copy(self) -> None:
        copying = self._copying
        if copying is None or copying.place is None:
            self._open()
        elif self._declaring is not None:
            self._declaration_written(copying, *self._declaring)
        elif self._writing is not None:
            self._written(copying, self._writing)
        else:
            self._read(copying)

    def _open(self) -> None:
        """Read the stream's last message from its leader, then follow the journal from behind that."""
        if time.monotonic() < self._not_before:
            time.sleep(min(PAUSE_S, STEP_S))
            return
        if reason := fenced_in(self.settings.plant.data / "journal"):
            raise JournalDiverged(f"this plant is fenced ({reason})")  # nor does it make a stream that was removed
        if self._opening is None:
            self._opening = self._link.standing()
        if not _ended(self._opening):
            return
        opening, self._opening = self._opening, None
        standing = opening.result()
        if standing.owner not in ("", self._owner):
            raise JournalDiverged(
                f"another plant took it over, and wrote up to seq {standing.place.mark.seq} (owner {standing.owner}, "
                f"this one is {self._owner})"
            )
        gather_s = 0.0 if self.settings.tickerplant.ack == "mirrored" else GATHER_S
        self._source = Source(self.settings, self._journal, standing.place.mark, gather_s)
        self._copying = self._copying or Copying(self._link.most)
        self._copying.begin(standing.place)
        self._standing, self._declared = standing, standing.declared
        self._vitals.seq_seen = standing.place.mark.seq

    def _read(self, copying: Copying) -> None:
        """Take records of the journal, and begin to write a message of them."""
        source = self._source
        assert source is not None
        if not copying.waits_from:
            self._take(copying, source)
        if not (first := copying.waits_from):
            if source.compared:  # else the stream may have, under these numbers, what this journal has lost
                self._telling.mirrored(self._vitals.seq_seen, source.epoch)
            self._well(source)
            self._look_at_the_stream()
            return
        now = source.declared(first, self._declared)
        if not now.same_tables(self._declared):
            place = copying.place
            assert place is not None
            now = now._replace(seq=place.mark.seq, crc=place.mark.checksum)
            writing = self._link.declare(packed_tables(now), place.js_seq, self._owner, source.plant_seq)
            self._declaring = writing, now
            return
        message = copying.next()
        assert message is not None
        self._writing = self._link.publish(message.data, message.after, self._owner, source.plant_seq)

    def _take(self, copying: Copying, source: Source) -> None:
        found = source.poll(STEP_S)
        if source.restarted:
            raise Unavailable("the tickerplant was started anew")
        for some in found:
            seq = some.first.seq
            if seq != copying.expected and not source.lacks(copying.expected, seq):
                raise Unavailable(f"seq {seq} came, expected {copying.expected}; the journal is read again")
            copying.take(some)

    def _written(self, copying: Copying, writing: "Future[int]") -> None:
        if not _ended(writing):
            return
        self._writing = None
        message = copying.acked(writing.result())
        self._vitals.seq_seen = message.mark.seq
        self._vitals.rows += message.rows
        assert self._source is not None
        self._telling.mirrored(message.mark.seq, self._source.epoch)
        self._well(self._source)

    def _declaration_written(self, copying: Copying, writing: "Future[int]", declared: Declared) -> None:
        if not _ended(writing):
            return
        self._declaring = None
        js_seq = writing.result()
        copying.beside(js_seq)
        self._declared = declared
        if self._standing is not None:
            self._standing = self._standing._replace(declared_at=js_seq)

    def _look_at_the_stream(self) -> None:
        """Now and then see where the stream begins; declare the tables again if it has forgotten how they are."""
        if self._looking is None and self._look.due():
            self._looking = self._link.present()
        if self._looking is None or not self._looking.done():
            return
        looking, self._looking = self._looking, None
        self._standing = looking.result()
        if not self._standing.declared_at:
            self._declared = None

    def _begin_anew(self, reason: str) -> None:
        """Forget what is known of the stream; it is opened again in a moment."""
        self._drop_source()
        self._opening = self._looking = self._writing = self._declaring = None
        if self._copying is not None:
            self._copying.failed()
        self._not_before = time.monotonic() + PAUSE_S
        self._note(f"begins anew: {reason}")
        try:
            behind = int(self._journal.status(STEP_S)["seq"]) - self._vitals.seq_seen
        except Unavailable:
            return
        self._vitals.doing = f"{behind:,} batches behind" if self._vitals.seq_seen else ""

    def _drop_source(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _well(self, source: Source) -> None:
        """Tell that all goes well, as far as it does, and how far the stream is."""
        standing = self._standing
        self._note("no tickerplant" if not source.connected else (standing and standing.unchecked) or "ok")
        seq = self._vitals.seq_seen
        behind = max(source.plant_seq - seq, 0)
        kept = (
            f", {self._link.stream} from its message {standing.first:,}, {standing.replicas} replicas"
            if standing
            else ""
        )
        self._vitals.doing = f"{behind:,} batches behind{kept}"

    def _note(self, state: str) -> None:
        """Let this be the process's state, and log that it changed."""
        if state != self._vitals.state:
            self._vitals.state = state
            log.info(self.name, state=state, seq=self._vitals.seq_seen)


class _Flushed:
    """A publisher whose rows are handed over before it is closed."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def close(self) -> None:
        self._publisher.close(2.0)


def _ended(work: "Future[Any]") -> bool:
    """Return whether some work has ended, waiting for it a moment."""
    wait((work,), STEP_S)
    return work.done()


def main() -> None:
    """Run a mirror."""
    run(Mirror, name="mirror")


if __name__ == "__main__":
    main()
