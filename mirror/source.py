"""The journal as the mirror reads it: every record, as it is, in order, from behind the last one of the stream."""

from plant.errors import JournalError
from plant.journal.files import paths_between, segment_at
from plant.journal.position import Position
from plant.rows.schema import Schema
from plant.runtime.settings import Settings
from plant.stream.mirrored import Before, Declared
from plant.stream.stream import Mark
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.decoding import Relayed, as_it_is
from plant.wire.record import records


class Source:
    """A subscriber to all tables as the tickerplant declares them, whatever plant.toml says by now.

    Raises Unavailable while the tickerplant does not answer. One that was `restarted` may declare them otherwise: then
    a new source is needed.
    """

    def __init__(self, settings: Settings, journal: Requester, mark: Mark) -> None:
        self._settings, self._journal = settings, journal
        self.epoch = int(journal.status()["epoch"])
        (every,), (in_force,) = journal.ask(**messages.ask_schema(every=True)), journal.ask(**messages.ask_schema())
        self._every = {t.schema_id: t for t in messages.declarations_of(every)}
        declared = messages.declarations_of(in_force)
        self._in_force = [t.schema_id for t in declared]
        schema = Schema(declared)
        self._subscriber = Subscriber(
            schema, schema, settings.publish_address, settings.journal_address,
            cursor=mark if mark.seq else 0, name=settings.source_name("mirror"),
            decode=as_it_is, as_journaled=True, spin_us=settings.plant.spin_us,
        )  # fmt: skip
        self._subscriber.stream.by_id.update(self._every)  # also of tables that are declared no longer

    @property
    def restarted(self) -> bool:
        """Whether another tickerplant beats by now than the one that told how tables are declared."""
        return self._subscriber.epoch not in (0, self.epoch)

    @property
    def compared(self) -> bool:
        """Whether the journal was seen to have the stream's last record: until then it may be another one."""
        return not self._subscriber.stream.in_doubt

    @property
    def connected(self) -> bool:
        """Whether the tickerplant beats."""
        return self._subscriber.connected

    @property
    def plant_seq(self) -> int:
        """How far the journal is, as far as is known."""
        return max(self._subscriber.stream.plant_seq, self._subscriber.stream.cursor or 0)

    def poll(self, timeout_s: float) -> list[Relayed]:
        """Return the records that have come. Raises JournalDiverged if the journal has not what the stream has."""
        return self._subscriber.poll(timeout_s)

    def lacks(self, first: int, next_seq: int) -> bool:
        """Return whether the journal itself goes on with `next_seq` where `first` should be: it lost those between."""
        _, found = self._journal.ask(**messages.ask_journal(first, check=True, max_bytes=1))
        head = next(records(found), None) if found else None
        return head is not None and head[0].seq == next_seq

    def declared(self, first: int, known: Declared | None) -> Declared:
        """Return how tables are declared, what was known of before included.

        Without that, also where the plant stood before its record `first`. Raises JournalError.
        """
        if known is None:
            return Declared(tuple(self._every.values()), tuple(self._in_force), self._before(first), 0, 0)
        return known.joined(self._every.values(), self._in_force)

    def close(self) -> None:
        """Disconnect."""
        self._subscriber.close()

    def _before(self, first: int) -> Before:
        if first <= 1:
            return Before(0, {}, {})
        folder = self._settings.plant.data / "journal"
        paths = paths_between(folder, first, first)
        if not paths:
            raise JournalError(f"{folder}: seq {first} is in no segment; `plant journal verify` tells")
        position = Position.before(segment_at(paths[0]))
        return Before(position.seq, position.table_seqs, position.sources)
