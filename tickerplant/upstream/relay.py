"""A chained tickerplant's source of turns: the records of another plant, with the numbers they have there.

It is a subscriber to every table that hands records on as they are, or a reader of the stream that they were copied to.
What it polls is a turn like the Sequencer's, for the same journal, publish socket and readers; only nobody publishes
here. So slow or remote readers load this plant and not the first, and see the same sequence numbers.

It goes on only if the other plant still holds the last record of our journal: one that lost its journal's tail gives
those numbers to other rows, and we would have both.
"""

from collections.abc import Callable
from typing import Protocol

import zmq

from plant.errors import JournalDiverged, SchemaError, SettingsError
from plant.journal.journal import Journal
from plant.journal.position import Position
from plant.rows.schema import Schema
from plant.runtime.sections import UpstreamSettings
from plant.runtime.settings import Settings
from plant.stream.stream import Mark
from plant.stream.subscriber import Subscriber
from plant.wire.decoding import Relayed, as_it_is
from tickerplant.group_commit import Turn


class Upstream(Protocol):
    """What a relay takes of whom it follows."""

    redeclared: str

    @property
    def connected(self) -> bool: ...
    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]: ...
    def poll(self, timeout_s: float, /) -> list[Relayed]: ...
    def close(self) -> None: ...


class Relay:
    """Follow the plant that [upstream] names, from where our journal ends.

    `declared` is called when the journal begins to declare more tables than it did, ahead of the first record of one:
    who reads it has to learn of them, or would pass such records over.
    """

    def __init__(self, settings: Settings, schema: Schema, journal: Journal, declared: Callable[[], None]) -> None:
        self._declared = declared
        if settings.upstream.publish and not settings.upstream.journal:
            raise SettingsError("[upstream] names publish but not journal: a chained tickerplant needs both addresses")
        self.position = journal.position
        self.turn = Turn(self.position.seq + 1)
        self._journal = journal
        self._settings = settings
        self._schema = schema
        self._saved = self.position
        self._subscriber = self._subscribe()

    @property
    def connected(self) -> bool:
        """Whether the upstream plant beats."""
        return self._subscriber.connected

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        """The sockets to poll."""
        return self._subscriber.sockets

    def begin(self) -> None:
        """Take what has come as a turn.

        Raises JournalDiverged if the other plant has not what our journal has, SchemaError if it begins to declare
        tables otherwise: records that no segment of ours declares could not be read.
        """
        self._saved = self.position.copy()
        self.turn = Turn(self.position.seq + 1)
        followed = self._settings.upstream.followed
        try:
            relayed: list[Relayed] = self._subscriber.poll(0)
        except JournalDiverged as error:
            raise JournalDiverged(
                f"{self._journal.folder} cannot go on behind seq {self.position.seq} with what "
                f"{followed} publishes: {error}, that is: stop this plant and everything that "
                "follows it, move the folder away and start them; the journal is then copied anew"
            ) from None
        if changed := self._subscriber.redeclared:
            raise SchemaError(
                f"the plant at {followed} was restarted with other declarations of tables: "
                f"{changed}; give this plant.toml the same [[tables]], and start again"
            )
        self._prepare(relayed)
        for table, header, record in relayed:
            if not self.turn.chunks:
                self.turn.first_seq = header.seq
            self.turn.add(table.name, record, header.rows)
            self.position.advance(header, table.name)

    def undo(self) -> None:
        """Forget the turn: nothing of it was kept. Follow anew from where the journal ends."""
        self.position.restore(self._saved)
        self.turn = Turn(self.position.seq + 1)
        self.close()
        self._subscriber = self._subscribe()

    def close(self) -> None:
        """Disconnect."""
        self._subscriber.close()

    def _prepare(self, relayed: list[Relayed]) -> None:
        """Have the journal declare the tables of these records, and begin where the journal that we copy began."""
        before = getattr(self._subscriber, "before", None)
        if relayed and before and before.seq and not self.position.seq:
            self._journal.begin_behind(Position(*before))
            self._saved = self.position.copy()
        if self._journal.declare({table.schema_id: table for table, _, _ in relayed}):
            self._declared()

    def _subscribe(self) -> Upstream:
        upstream, newest = self._settings.upstream, self._journal.newest()
        mark = Mark(self.position.seq, newest.seq, newest.header_crc) if newest else Mark(self.position.seq)
        if upstream.stream:
            return _reader_of(self._schema, upstream, mark)
        return Subscriber(
            self._schema,
            self._schema,
            upstream.publish,
            upstream.journal,
            cursor=mark if mark.seq else self.position.seq,
            name=f"tickerplant@{self._settings.plant.name or 'chained'}",
            decode=as_it_is,
            as_journaled=True,
        )


def _reader_of(schema: Schema, upstream: UpstreamSettings, mark: Mark) -> Upstream:
    """Return who reads a stream. Raises SettingsError without what an extra brings."""
    try:
        from tickerplant.upstream.stream_reader import StreamReader
    except ModuleNotFoundError as error:
        if error.name != "nats":
            raise
        raise SettingsError("[upstream] stream needs nats-py: pip install 'tickplant[nats]'") from None
    return StreamReader(schema, upstream, mark)
