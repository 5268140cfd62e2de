"""What the mirror tells this plant: up to where the stream has its journal, and that another plant took it over."""

from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from plant.errors import JournalError, TakesNoRows
from plant.journal.fence import fence, fenced_in
from plant.journal.journal import Journal
from plant.wire import messages
from tickerplant.group_commit import Turn
from tickerplant.keeper import Keeper
from tickerplant.sequencer import Sequencer
from tickerplant.waiting_acks import Acks, WaitingAcks

PATIENCE_S = 2.0
"""A mirror that tells nothing for longer, while acknowledgements wait for it, is in the state of the tickerplant."""


class Mirrored:
    """Takes the mirror's word: acknowledges what waited for it, or fences the plant.

    waiting    the acknowledgements that wait; None: none does
    send       sends frames, the first of them the peer, by the ingest socket
    epoch      of this tickerplant: what was copied from an earlier one may not be in the journal any more

    `fenced` is the sentence that says so, "" of a plant that is not.
    """

    def __init__(
        self,
        journal: Journal,
        keeper: Keeper,
        sequencer: Sequencer,
        waiting: WaitingAcks | None,
        send: Callable[[list[Any]], None],
        epoch: int,
    ) -> None:
        self.fenced = ""
        self._noted = False  # whether the disk says so, too
        self._journal = journal
        self._keeper = keeper
        self._sequencer = sequencer
        self._waiting = waiting
        self._send = send
        self.epoch = epoch

    @property
    def answers(self) -> Mapping[str, Callable[[dict[str, Any]], list[Any]]]:
        """The answers to what the mirror says on the socket for questions, by `ask`."""
        return {"mirrored": self._mirrored, "diverged": self._diverged}

    def begin(self) -> None:
        """Be fenced if the plant was before this start. Raises JournalError if that cannot be read."""
        if reason := fenced_in(self._journal.folder):
            self._noted = True
            self._fence(reason)

    def written(self, waiting: WaitingAcks, turn: Turn) -> None:
        """Acknowledge what of a turn that is in the journal is mirrored, and tell of the rest that it is held."""
        position = self._sequencer.position
        rows = {source.source_id: position.sources.get(source.source_id, 0) for source in turn.acks.values()}
        acks = waiting.written(position.seq, rows)
        for source in turn.acks.values():
            if source.source_id not in acks:
                self._send([source.peer, *messages.held(rows[source.source_id], position.seq)])
        self._acknowledge(acks)

    def look(self) -> None:
        """Let the state of the process say it if acknowledgements wait for a mirror that says nothing."""
        if self._waiting is not None and not self.fenced:
            self._keeper.note("mirror", "ok" if self._waiting.wait_s < PATIENCE_S else _silent(self._waiting.mirrored))

    def _mirrored(self, fields: dict[str, Any]) -> list[Any]:
        seq, epoch = messages.mirrored_of(fields)
        if self.fenced:
            raise TakesNoRows(self.fenced)
        if epoch not in (0, self.epoch):
            raise JournalError(f"mirrored: seq {seq} was copied from tickerplant {epoch}, this is {self.epoch}")
        if not 0 <= seq <= self._keeper.written:
            raise JournalError(f"mirrored: expected a seq up to {self._keeper.written}, found {seq}")
        self._keeper.mirrored = max(seq, self._keeper.mirrored)
        if self._waiting is not None:
            self._acknowledge(self._waiting.told(seq))
        return [msgpack.packb({"mirrored": self._keeper.mirrored})]

    def _diverged(self, fields: dict[str, Any]) -> list[Any]:
        reason = messages.diverged_of(fields)
        if not self.fenced:
            self._fence(reason)  # at once, whether or not it can be written down
        if not self._noted:
            fence(self._journal.folder, reason)
            self._noted = True
        return [msgpack.packb({"fenced": self.fenced})]

    def _fence(self, reason: str) -> None:
        self.fenced = f"this plant is fenced and takes no rows: {reason} (docs/scale.md says what to do)"
        if self._waiting is not None:
            self._waiting.drop()
        for answer in self._sequencer.fence(self.fenced):
            self._send(answer)
        self._keeper.note("fence", self.fenced)

    def _acknowledge(self, acks: Acks) -> None:
        """Tell who publishes under these source ids now."""
        for source_id, (source_seq, seq) in acks.items():
            if (peer := self._sequencer.peer_of(source_id)) is not None:
                self._send([peer, *messages.ack(source_seq, seq)])


def _silent(seq: int) -> str:
    told = f"it told of seq {seq:,} last" if seq else "it has told nothing since this tickerplant began"
    return f"{messages.ACKS_WAIT} for the mirror, {told}: see the process mirror in `plant status`"
