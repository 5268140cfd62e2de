"""The tickerplant's process: sockets and files around the Sequencer.

A step takes all that waits in the ingest socket as one turn: number and check it, write it to the journal, publish it,
acknowledge it. In that order: no subscriber sees, and no publisher is told of, what is not in the journal. With
`[tickerplant] ack = "mirrored"` an acknowledgement also waits for the mirror's word; nothing else does.
"""

import time
from typing import Any

import zmq

from plant.errors import JournalError
from plant.intake.forms import columns_of
from plant.journal.journal import Journal
from plant.rows.built_in import is_of_a_user
from plant.runtime.lifecycle import Process, Timer, Vitals, log, run
from plant.transport import sockets
from plant.transport.spinning import Poller
from plant.wire import messages
from tickerplant.control import Control, log_damage, send
from tickerplant.fanout import FanOut
from tickerplant.group_commit import Turn
from tickerplant.keeper import Keeper
from tickerplant.mirrored import Mirrored
from tickerplant.repeats.remembered import Remembered
from tickerplant.sequencer import Own, Sequencer
from tickerplant.sessions import FILE, Sessions
from tickerplant.upkeep import Upkeep
from tickerplant.upstream.relay import Relay
from tickerplant.waiting_acks import WaitingAcks

TURN_MESSAGES = 2000
"""At most this many messages make a turn, so that the first of them need not wait for long."""

BEAT_S = 0.2
"""Seconds between beats: the plant's position, by which a subscriber notices that it missed the end."""


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
        log_damage(self.journal)
        followed = plant.upstream.followed
        refusal = f"this plant follows {followed}; publish there" if followed else ""
        sessions = Sessions(self.journal.folder / FILE)
        earlier = [table for table in self.journal.segments.tables() if not is_of_a_user(table)]
        self.remembered = Remembered(self.journal.folder, plant.days, settings.trade_ids)
        waits = settings.ack == "mirrored" and not refusal
        self.waiting = WaitingAcks(self.journal.position) if waits else None
        self.sequencer = Sequencer(
            self.schema, self.journal.position, refusal, sessions, earlier, self.remembered, self.waiting
        )
        self.own = Own(self.sequencer)
        self.relay = Relay(plant, self.schema, self.journal, self._declared) if followed else None
        self.epoch = time.time_ns()
        self.vitals = Vitals(self.name)
        self.keeper = Keeper(self.journal, settings.sync_s, self.vitals)
        context = sockets.context()
        self.ingest, ingest = sockets.bind(
            context, zmq.ROUTER, plant.address(settings.ingest_port), RCVHWM=TURN_MESSAGES
        )
        publish_socket, publish = sockets.bind(
            context, zmq.XPUB, plant.address(settings.publish_port), XPUB_VERBOSE=1, SNDHWM=settings.publish_queue
        )
        control_socket, control = sockets.bind(context, zmq.ROUTER, plant.address(settings.journal_port), SNDHWM=16)
        self.fan_out = FanOut(publish_socket, settings.batch_ms)
        self.mirrored = Mirrored(self.journal, self.keeper, self.sequencer, self.waiting, self._answer, self.epoch)
        self.control = Control(control_socket, self.journal, self._position, self.mirrored.answers)
        self._watch()
        self._beat_timer = Timer(BEAT_S, 0)
        self._heartbeat_timer = Timer(plant.plant.heartbeat_s)
        self.upkeep = Upkeep(
            self.journal,
            compress=settings.compress,
            keep_days=settings.keep_days,
            keep_gb=settings.keep_gb,
            report=lambda line: log.info("journal", upkeep=line),
        )
        self.vitals.state = "ok"
        if self.relay is None:
            self.mirrored.begin()
        self.keeper.start()
        self.upkeep.start()
        return {"ingest": ingest, "publish": publish, "journal": control, "seq": self.journal.position.seq}

    def step(self) -> None:
        """Serve whichever socket has something, then the timers."""
        ready = self._poller.poll(self.fan_out.wait_ms(BEAT_S * 500))
        if self.ingest in ready or self.remembered.ready():
            self._turn()
        if self.relay is not None and any(socket in ready for socket in self.relay.sockets):
            self._relay_turn(self.relay)
        if self.fan_out.socket in ready:
            for _ in self.fan_out.newcomers():
                self.fan_out.beat(self._position())
        if self.control.socket in ready:
            self.control.answer_some()
        self.control.answer_later()
        if self._heartbeat_timer.due():
            self._heartbeat()
        self.fan_out.publish_if_due()
        if self._beat_timer.due():
            self.mirrored.look()
            self.fan_out.beat(self._position())

    def shutdown(self) -> None:
        """Write down what is still in memory and close."""
        if hasattr(self, "upkeep"):
            self.keeper.stop()
            self.upkeep.stop()
            for socket in (self.ingest, self.fan_out.socket, self.control.socket):
                socket.close(0)
            if self.relay is not None:
                self.relay.close()
            self.journal.close()

    def _watch(self) -> None:
        """Poll the sockets there are now."""
        relayed = self.relay.sockets if self.relay else ()
        served = (self.ingest, self.fan_out.socket, self.control.socket, *relayed)
        self._poller = Poller(served, self.settings.plant.spin_us)

    def _relay_turn(self, relay: Relay) -> None:
        """Keep and pass on what came from the plant we follow; if it cannot be kept, ask for it again."""
        relay.begin()
        if not self._keep(relay.turn):
            relay.undo()
            self._watch()

    def _declared(self) -> None:
        """Have all who read the journal ask anew how tables are declared: as after a restart, from the next beat on."""
        self.epoch = self.mirrored.epoch = time.time_ns()
        self.fan_out.beat(self._position())

    def _turn(self) -> None:
        sequencer = self.sequencer
        sequencer.begin()
        now = time.time_ns()
        sequencer.welcome_arrived(now)
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
            for answer in turn.answers:
                send(self.ingest, answer)
            if self.waiting is not None:
                self.mirrored.written(self.waiting, turn)
            else:
                for source in turn.acks.values():
                    source_seq = sequencer.position.sources.get(source.source_id, 0)
                    seq = source.seq or sequencer.position.seq  # sent again, it came at some seq before
                    send(self.ingest, [source.peer, *messages.ack(source_seq, seq)])
            self.remembered.read_wanted()

    def _answer(self, frames: list[Any]) -> None:
        send(self.ingest, frames)

    def _sessions_saved(self) -> bool:
        """Keep who the newest publishers are, before any of them is welcomed; False if that cannot be written."""
        try:
            self.sequencer.sessions.save()
        except JournalError as error:
            self.keeper.note("write", str(error))
            return False
        return True

    def _keep(self, turn: Turn) -> bool:
        """Write the turn to the journal and publish it; False, and nothing kept, if the journal cannot be written."""
        if not turn.chunks:
            return True
        if not self.keeper.write(turn):
            return False
        self.fan_out.add(turn.runs)
        self.vitals.rows += turn.rows
        self.keeper.roll()
        return True

    def _heartbeat(self) -> None:
        if self.relay is not None or self.mirrored.fenced:
            return  # its numbers are the other plant's: no row can be added here
        self.vitals.seq_seen = self.sequencer.position.seq
        self.sequencer.begin()
        row = self.vitals.row()
        self.own.add("heartbeats", columns_of(self.schema["heartbeats"], row), row["time"])
        if not self._keep(self.sequencer.turn):
            self.sequencer.undo()

    def _position(self) -> messages.Beat:
        position = self.sequencer.position
        return messages.Beat(
            seq=position.seq,
            synced=self.keeper.synced,
            first_seq=self.journal.segments.first_seq,
            confirmed=self.journal.confirmed,
            tables=position.table_seqs,
            epoch=self.epoch,
            time=time.time_ns(),
            state=self.vitals.state,
            mirrored=self.keeper.mirrored,
            role=messages.FOLLOWS if self.relay is not None else messages.FENCED if self.mirrored.fenced else "",
        )


def main() -> None:
    """Run a tickerplant."""
    run(Tickerplant, name="tickerplant")


if __name__ == "__main__":
    main()
