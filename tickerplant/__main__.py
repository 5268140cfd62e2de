"""The tickerplant's process: sockets and files around the Sequencer.

A step takes all that waits in the ingest socket as one turn: number and check it, write it to the journal, publish it,
acknowledge it. In that order: no subscriber sees, and no publisher is told of, what is not in the journal.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import zmq

from plant import batch, request, sockets
from plant.errors import JournalError, QueryError
from plant.journal import Journal
from plant.lifecycle import Process, Timer, Vitals, log, run
from plant.publishing import ACK
from plant.schema import Table
from plant.segment import NotIndexed
from plant.upkeep import Upkeep
from tickerplant.readers import Readers
from tickerplant.relay import Relay
from tickerplant.sequencer import Own, Sequencer
from tickerplant.sessions import FILE, Sessions
from tickerplant.turn import Turn

TURN_MESSAGES = 2000
"""At most this many messages make a turn, so that the first of them need not wait for long."""

TURN_ANSWERS = 4
"""At most so many questions are answered between two turns: capture comes first."""

MESSAGE_BYTES = 128 * 1024
"""Most that is published as one message, unless one record is longer; ahead of that go empty messages, one for each so
many bytes of it. ZeroMQ counts what waits for a slow subscriber in messages: so `publish_queue` bounds bytes, too."""

SMALL_FRAMES = 8
"""More records than this in a message are joined to one frame."""

BEAT_S = 0.2
"""Seconds between beats: the plant's position, by which a subscriber notices that it missed the end."""

CHUNK_BYTES = 4 * 2**20
"""Most a reader of the journal gets at once."""


class Tickerplant(Process):
    """Sequence, journal and fan out."""

    name = "tickerplant"

    def startup(self) -> dict[str, Any]:
        """Open the journal and the three sockets."""
        settings, plant = self.settings.tickerplant, self.settings
        self.schema = plant.table_schema
        self.journal = Journal(
            plant.plant.data / "journal", self.schema, settings.segment_mb * 2**20, settings.segment_hours
        )
        self._report_damage()
        refusal = f"this plant follows {plant.upstream.publish}; publish there" if plant.upstream.publish else ""
        sessions = Sessions(self.journal.folder / FILE)
        earlier = map(Table.declared, self.journal.tables())
        self.sequencer = Sequencer(self.schema, self.journal.position, refusal, sessions, earlier)
        self.own = Own(self.sequencer)
        self.relay = Relay(plant, self.schema, self.journal) if plant.upstream.publish else None
        self.written = self.synced = self.journal.position.seq
        self.epoch = time.time_ns()
        self.vitals = Vitals(self.name)
        context = sockets.context()
        self.ingest, ingest = sockets.bind(
            context, zmq.ROUTER, plant.address(settings.ingest_port), RCVHWM=TURN_MESSAGES
        )
        self.publish, publish = sockets.bind(
            context, zmq.XPUB, plant.address(settings.publish_port), XPUB_VERBOSE=1, SNDHWM=settings.publish_queue
        )
        self.control, control = sockets.bind(context, zmq.ROUTER, plant.address(settings.journal_port), SNDHWM=16)
        self._watch()
        self.readers = Readers()
        self._later: dict[bytes, list[bytes]] = {}  # by peer: its question that waits for the index of a segment
        self._unpublished: list[tuple[str, list[bytes | bytearray]]] = []
        self._batch_timer = Timer(settings.batch_ms / 1000, 0)
        self._beat_timer = Timer(BEAT_S, 0)
        self._heartbeat_timer = Timer(plant.plant.heartbeat_s)
        self._stopping = threading.Event()
        self._syncer = threading.Thread(target=self._sync_now_and_then, name="syncer", daemon=True)
        self._syncer.start()
        self.upkeep = Upkeep(
            self.journal,
            compress=settings.compress,
            keep_days=settings.keep_days,
            keep_gb=settings.keep_gb,
            report=lambda line: log.info("journal", upkeep=line),
        )
        self.upkeep.start()
        self._states = {"write": "ok", "sync": "ok"}
        self.vitals.state = "ok"
        return {"ingest": ingest, "publish": publish, "journal": control, "seq": self.journal.position.seq}

    def step(self) -> None:
        """Serve whichever socket has something, then the timers."""
        wait_ms = self.settings.tickerplant.batch_ms if self._unpublished else BEAT_S * 500
        ready = dict(self._poller.poll(int(wait_ms)))
        if self.ingest in ready:
            self._turn()
        if self.relay is not None and any(socket in ready for socket in self.relay.sockets):
            self._relay_turn(self.relay)
        if self.publish in ready:
            self._welcome_subscribers()
        if self.control in ready:
            self._answer_questions()
        self._answer_later()
        if self._heartbeat_timer.due():
            self._heartbeat()
        if self._unpublished and self._batch_timer.due():
            self._publish()
        if self._beat_timer.due():
            self._beat()

    def shutdown(self) -> None:
        """Write down what is still in memory and close."""
        if hasattr(self, "_stopping"):
            self._stopping.set()
            self._syncer.join()
            self.upkeep.stop()
            for socket in (self.ingest, self.publish, self.control):
                socket.close(0)
            if self.relay is not None:
                self.relay.close()
            self.journal.close()

    def _watch(self) -> None:
        """Poll the sockets there are now."""
        self._poller = zmq.Poller()
        for socket in (self.ingest, self.publish, self.control, *(self.relay.sockets if self.relay else ())):
            self._poller.register(socket, zmq.POLLIN)

    def _relay_turn(self, relay: Relay) -> None:
        """Keep and pass on what came from the plant we follow; if it cannot be kept, ask for it again."""
        relay.begin()
        if not self._keep(relay.turn):
            relay.undo()
            self._watch()

    def _turn(self) -> None:
        sequencer = self.sequencer
        sequencer.begin()
        now = time.time_ns()
        for _ in range(TURN_MESSAGES):
            try:
                frames = self.ingest.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            sequencer.message(frames, now)
        turn = sequencer.turn
        if not (self._sessions_saved() and self._keep(turn)):
            sequencer.undo()
        else:
            # Answers first: they tell of a moment within the turn, an ack of its end. A welcome behind the ack of a row
            # that it does not know of yet would look like a plant that lost its tail.
            for peer, verb, fields in turn.answers:
                self._send(self.ingest, [peer, verb, msgpack.packb(fields)])
            for source in turn.acks.values():
                source_seq = sequencer.position.sources.get(source.source_id, 0)
                self._send(self.ingest, [source.peer, b"ack", ACK.pack(source_seq, sequencer.position.seq)])

    def _sessions_saved(self) -> bool:
        """Keep who the newest publishers are, before any of them is welcomed; False if that cannot be written."""
        try:
            self.sequencer.sessions.save()
        except JournalError as error:
            self._note("write", str(error))
            return False
        return True

    def _keep(self, turn: Turn) -> bool:
        """Write the turn to the journal and publish it; False, and nothing kept, if the journal cannot be written."""
        if not turn.chunks:
            return True
        try:
            each_batch = self.settings.tickerplant.sync_s == 0
            self.journal.append(turn.chunks, turn.first_seq, durable=each_batch)
            self.written = self.sequencer.position.seq
            if each_batch:
                self.synced = self.written
        except JournalError as error:
            self._note("write", str(error))
            return False
        self._note("write", "ok")
        self._unpublished += turn.runs
        if not self.settings.tickerplant.batch_ms:
            self._publish()
        self.vitals.rows += turn.rows
        try:
            self.journal.roll_if_full()
        except JournalError as error:  # what this turn wrote is safe in the old segment
            self._note("write", str(error))
        return True

    def _publish(self) -> None:
        """Publish what is in the journal and has not been published: runs of records of one table."""
        for table, chunks in self._unpublished:
            topic = sockets.topic_of(table)
            for some in messages(chunks):
                for _ in range(len(some[0]) // MESSAGE_BYTES):
                    self.publish.send_multipart([topic])
                small = len(some) > SMALL_FRAMES  # then one copy costs less than so many frames
                self.publish.send_multipart([topic, *([b"".join(some)] if small else some)])
        self._unpublished.clear()

    def _note(self, what: str, state: str) -> None:
        """Note how writing or syncing the journal went; a change is logged, and `plant status` shows what is wrong."""
        if state != self._states[what]:
            self._states[what] = state
            (log.info if state == "ok" else log.error)(f"journal {what}", state=state)
            self.vitals.state = next((s for s in self._states.values() if s != "ok"), "ok")

    def _welcome_subscribers(self) -> None:
        """Beat as soon as somebody subscribes to the beats, so that a new subscriber knows that it is connected."""
        while self.publish.poll(0):
            if self.publish.recv() == b"\1" + sockets.BEAT_TOPIC:
                self._beat()

    def _beat(self) -> None:
        self._publish()  # a beat shows no batch that did not go before it
        self.publish.send_multipart([sockets.BEAT_TOPIC, msgpack.packb(self._position())])

    def _heartbeat(self) -> None:
        if self.relay is not None:
            return  # its numbers are the other plant's: no row can be added here
        self.vitals.seq_seen = self.sequencer.position.seq
        self.sequencer.begin()
        row = self.vitals.row()
        self.own.add("heartbeats", batch.columns_of(self.schema["heartbeats"], row), row["time"])
        if not self._keep(self.sequencer.turn):
            self.sequencer.undo()

    def _position(self) -> dict[str, Any]:
        position = self.sequencer.position
        return {
            "seq": position.seq,
            "synced": self.synced,
            "first_seq": self.journal.first_seq,
            "confirmed": self.journal.confirmed,
            "tables": position.table_seqs,
            "epoch": self.epoch,
            "time": time.time_ns(),
            "state": self.vitals.state,
        }

    def _answer_questions(self) -> None:
        for _ in range(TURN_ANSWERS):
            if not self.control.poll(0):
                return
            self._answer(self.control.recv_multipart())

    def _answer(self, frames: list[bytes]) -> None:
        """Answer a question; one about a segment without an index later, in place of an earlier one of the same peer.

        To go through a segment takes seconds, in which nothing would be captured: the upkeep does it.
        """
        self._must_wait = False
        answer = request.answer(frames, self._handle)
        if self._must_wait:
            self._later[frames[0]] = frames
        else:
            self._send(self.control, answer)

    def _answer_later(self) -> None:
        """Answer a question that had to wait for an index, once there is one."""
        if self._later and self.journal.unindexed is None:
            self._answer(self._later.pop(next(iter(self._later))))

    def _handle(self, fields: dict[str, Any]) -> list[Any]:
        ask = fields["ask"]
        if ask == "status":
            return [
                msgpack.packb({**self._position(), "readers": self.readers.lags(self.sequencer.position.table_seqs)})
            ]
        if ask == "report":
            self.readers.note(fields, self.sequencer.position.table_seqs)
            return [b""]
        if ask == "schema":
            every = bool(fields.get("every"))
            return [msgpack.packb(self.journal.tables() if every else [t.declaration() for t in self.schema.values()])]
        if ask == "journal":
            seq, most, check = fields.get("seq", 1), fields.get("max_bytes", CHUNK_BYTES), bool(fields.get("check"))
            if type(seq) is not int or type(most) is not int:
                raise QueryError(f"journal: expected whole numbers seq and max_bytes, found {seq!r} and {most!r}")
            found = b""
            if seq <= self.sequencer.position.seq:
                try:
                    found = self.journal.read(seq, min(max(most, 0), CHUNK_BYTES), check, walk=False)
                except NotIndexed:
                    self._must_wait = True
            self._report_damage()
            return [msgpack.packb(self._position()), found]
        if ask == "confirmed":
            seq = fields.get("seq")
            if type(seq) is not int:
                raise QueryError(f"confirmed: expected a whole number seq, found {seq!r}")
            self.journal.confirm(seq)
            return [msgpack.packb({"confirmed": self.journal.confirmed})]
        raise QueryError(f"the tickerplant answers journal, schema, status and confirmed; found {ask!r}")

    def _report_damage(self) -> None:
        while self.journal.damage:
            log.warning("journal damaged", damage=str(self.journal.damage.pop(0)))

    def _sync_now_and_then(self) -> None:
        interval_s = self.settings.tickerplant.sync_s
        while interval_s and not self._stopping.wait(interval_s):
            seq = self.written
            if seq > self.synced:
                try:
                    self.journal.sync()
                    self.synced = seq
                    self._note("sync", "ok")
                except JournalError as error:
                    self._note("sync", str(error))

    @staticmethod
    def _send(socket: zmq.Socket[bytes], frames: list[Any]) -> None:
        try:
            socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:  # the peer is gone or takes nothing; it will ask again
            log.debug("answer dropped", reason=str(error))


def messages(chunks: list[bytes | bytearray]) -> Iterator[list[bytes | bytearray]]:
    """Yield records in groups of at most MESSAGE_BYTES; a longer one is alone."""
    group: list[bytes | bytearray] = []
    size = 0
    for chunk in chunks:
        if group and size + len(chunk) > MESSAGE_BYTES:
            yield group
            group, size = [], 0
        group.append(chunk)
        size += len(chunk)
    if group:
        yield group


def main() -> None:
    """Run a tickerplant."""
    run(Tickerplant, name="tickerplant")


if __name__ == "__main__":
    main()
