"""What becomes of each message a publisher sends: the tickerplant's decisions, free of sockets and files.

A turn is all that waited in the socket. `hello` and `take` are called for each message; the turn then holds the
stamped records to write (`chunks`), what to publish (`runs`), and, once they are written, what to answer (`acks`,
`answers`). `undo` forgets a turn whose write failed.

A publisher numbers its rows 1, 2, 3, ...; a record carries the number of its last row (source_seq). So a record is new
if it begins right after the last row we hold of that source, a repetition if it ends at or before it, and otherwise
something was lost on the way: the publisher is told what we hold and sends again from there.
"""

import json
from collections.abc import Iterable

import numpy as np

from plant.errors import BadRows, PlantError, SourceTaken, TakesNoRows, WireError
from plant.intake.rejects import rejected
from plant.journal.position import Position
from plant.rows.columns import Columns
from plant.rows.evolution import columns_as_declared
from plant.rows.schema import Schema, Table
from plant.wire import messages
from plant.wire.envelope import HEADER_BYTES, MORE, Header, stamp
from plant.wire.payload import decode_payload
from plant.wire.record import encode, records, source_id_of
from tickerplant import bounded_records, validation
from tickerplant.group_commit import Source, Turn
from tickerplant.repeats import telling
from tickerplant.repeats.remembered import TRADES, Remembered
from tickerplant.repeats.trade_ids import TradeIds, Verdict
from tickerplant.sessions import Sessions
from tickerplant.waiting_acks import WaitingAcks

REJECTS_IN_ONE = 10_000
"""Most rows in one record of the table rejects."""


class Sequencer:
    """Number, check and order what publishers send; `position` is where the plant stands.

    `earlier` are declarations that tables had before: a publisher that still has them is taken, and its rows become
    what they would be had it left out the columns that were added since. `remembered` has the ids of the trades of
    those that promise that each is unique: what they send again is dropped. `waiting` has what is not acknowledged
    before it is mirrored, None if nothing waits for that.
    """

    def __init__(
        self,
        schema: Schema,
        position: Position,
        refusal: str = "",
        sessions: Sessions | None = None,
        earlier: Iterable[Table] = (),
        remembered: Remembered | None = None,
        waiting: WaitingAcks | None = None,
    ) -> None:
        self.schema = schema
        known = {t.schema_id: t for t in earlier if t.name in schema} | schema.by_id
        self._declared = {schema_id: (t, schema[t.name]) for schema_id, t in known.items()}  # as it was, as it is
        self._refusal = refusal  # why nobody may publish here, if so
        self._waiting = waiting
        self.sessions = sessions or Sessions()
        self.position = position
        self.remembered = remembered or Remembered()
        self._arriving: dict[int, tuple[bytes, messages.Hello]] = {}  # whose ids are being read, by source id
        self._touched: list[TradeIds] = []  # ids that this turn adds to
        self._sources: dict[int, Source] = {}
        self._peers: dict[bytes, Source] = {}
        self._saved = position
        self.turn = Turn(position.seq + 1)

    def begin(self) -> None:
        """Start a turn, remembering where the plant stands; the one before was kept, unless it was undone."""
        for ids in self._touched:
            ids.settle()
        self._touched = []
        self._saved = self.position.copy()
        self.turn = Turn(self.position.seq + 1)

    def undo(self) -> None:
        """Forget the turn: nothing of it was kept, so nothing of it is acknowledged."""
        self.position.restore(self._saved)
        for ids in self._touched:
            ids.drop()
        self._touched = []
        for source in self.turn.acks.values():
            source.seq = 0
        self.turn = Turn(self.position.seq + 1)

    def fence(self, refusal: str) -> list[list[bytes]]:
        """Take nobody's rows any more, and return what to say to all who publish here: why."""
        self._refusal = refusal
        peers, self._peers, self._sources, self._arriving = self._peers, {}, {}, {}
        return [[peer, *messages.refused(TakesNoRows(refusal))] for peer in peers]

    def peer_of(self, source_id: int) -> bytes | None:
        """Return who publishes under a source id at present, None if nobody does."""
        source = self._sources.get(source_id)
        return source.peer if source else None

    def message(self, frames: list[bytes], now: int) -> None:
        """Take one message as the ingest socket received it: [peer, verb, body]; `now` is ns since 1970."""
        peer = frames[0]
        verb, body = (frames[1], frames[2]) if len(frames) == 3 else (b"", b"")
        if verb == messages.UPDATE:
            self.take(peer, bytearray(body), now)
            return
        try:
            said = messages.hello_of(body if verb == messages.HELLO else b"")
        except WireError:
            self._refuse(
                peer,
                WireError(
                    'the ingest socket takes [b"hello", msgpack {source, session}] and '
                    f'[b"upd", records]; found {[f[:20] for f in frames[1:]]}; see docs/wire.md'
                ),
            )
            return
        self.hello(peer, said, now)

    def welcome_arrived(self, now: int) -> None:
        """Welcome those who waited until their trade ids had been read."""
        for source_id in self.remembered.ready():
            if arriving := self._arriving.get(source_id):
                self.hello(*arriving, now)
            else:
                self.remembered.of(source_id)  # nobody waits any more

    def hello(self, peer: bytes, said: messages.Hello, now: int) -> None:
        """Make `peer` the publisher of a name, unless a newer session has that name already.

        Before it is welcomed, `sessions` must be saved: after a restart an older one could else come first. One that
        promises unique trade ids is welcomed once those that the plant has are known.
        """
        name, session, unique = said
        if self._refusal:
            self._refuse(peer, TakesNoRows(self._refusal))
            return
        if name == Own.NAME:
            self._refuse(peer, SourceTaken(f"{name!r} is the tickerplant's own name; give the publisher another"))
            return
        source_id = source_id_of(name)
        told = self.position.told(source_id)
        if self.sessions.held(name, session, now, told[-1][0] if told else 0):
            self._refuse(peer, SourceTaken(f"a newer publisher is called {name!r}; give each its own name"))
            return
        self.sessions.note(name, session)
        holder = self._sources.get(source_id)
        if holder and holder.peer != peer:
            self._peers.pop(holder.peer, None)
            if holder.session != session:
                self._refuse(holder.peer, SourceTaken(f"a newer publisher took over the name {name!r}"))
        source = Source(name, source_id, session, peer)
        self._arriving.pop(source_id, None)
        if unique:
            source.ids = self.remembered.of(source_id)
            if source.ids is None:
                self._sources.pop(source_id, None)
                self._peers.pop(peer, None)
                self._arriving[source_id] = peer, said
                return
        else:
            self.remembered.forget(source_id)
        self._sources[source_id] = self._peers[peer] = source
        held = self.position.sources.get(source_id, 0)
        waiting = self._waiting
        acknowledged, unsure = (waiting.of(source_id), waiting.unsure) if waiting else (held, False)
        self._say(peer, messages.welcome(acknowledged, self.position.seq, held, unsure, told))

    def take(self, peer: bytes, message: bytearray, now: int) -> None:
        """Take the records of one message; what is wrong with them becomes a row in rejects or an error answer."""
        source = self._peers.get(peer)
        if source is None:
            if self._refusal:
                self._refuse(peer, TakesNoRows(self._refusal))
            else:
                self._say(peer, messages.say_hello())
            return
        try:
            for header, start in records(message):
                self._take_record(source, header, message, start, now)
        except WireError as error:
            self._refuse(peer, error)

    def _take_record(self, source: Source, header: Header, message: bytearray, start: int, now: int) -> None:
        if header.source_id != source.source_id or header.flags or not header.rows:
            raise WireError(
                f"expected rows of {source.name!r} without flags, found source id {header.source_id:#x}, "
                f"flags {header.flags}, {header.rows} rows"
            )
        held = self.position.sources.get(source.source_id, 0)
        self.turn.acks[source.peer] = source
        if header.source_seq <= held:
            return  # sent again, and we have it
        if header.source_seq - header.rows != held:
            self._say(source.peer, messages.again(held))
            return
        known = self._declared.get(header.schema_id)
        if known is None:
            self._reject_all(
                source,
                header,
                "?",
                f"no table with schema id {header.schema_id:#010x}: unknown table, or "
                "declared differently; update the publisher or [[tables]] in plant.toml",
                now,
            )
            return
        end = start + header.length
        declared, table = known
        try:
            columns = decode_payload(declared, memoryview(message)[start:end], header.rows)
        except WireError as error:
            self._reject_all(source, header, table.name, str(error), now)
            return
        if declared is not table:
            columns = columns_as_declared(columns, table)
        bad, reasons = validation.bad_rows(table, columns, header.rows)
        large = header.length > bounded_records.RECORD_BYTES
        if large:
            bad, reasons = _with_too_long(columns, bad, reasons)
        verdict = source.ids.check(columns, bad, now) if source.ids and table.name == TRADES else telling.NOTHING
        if len(verdict.conflicts):
            bad, reasons = telling.with_conflicts(columns, bad, reasons, verdict)
        if declared is table and not reasons and not large and not len(verdict.repeats):
            begin = start - HEADER_BYTES
            self.add(table, message if begin == 0 and end == len(message) else message[begin:end], header.rows, now)
        else:
            try:
                parts = self._divided(source, header, table, columns, bad, reasons, verdict.repeats, now)
            except WireError as error:  # symbols and a source's name so long that their rejects fit in no record
                self._reject_all(source, header, table.name, str(error), now)
                return
            for part, record, rows in parts:
                self.add(part, record, rows, now)
        if source.ids:
            self._keep_ids(source, source.ids, verdict)
        self.position.take(header)
        source.seq = self.position.seq

    def _divided(
        self,
        source: Source,
        header: Header,
        table: Table,
        columns: Columns,
        bad: np.ndarray,
        reasons: list[str],
        repeats: np.ndarray,
        now: int,
    ) -> list[tuple[Table, bytearray, int]]:
        """Return (table, record, rows) of the good rows, and of the rejects; all but the last say that more follows.

        Trades that came again are told in one row of rejects for each symbol. So the journal also tells that it has
        this record of the source when every row of it came again.
        """
        parts: list[tuple[Table, Columns]] = []
        if len(bad) or len(repeats):
            keep = np.ones(header.rows, dtype=bool)
            keep[bad] = keep[repeats] = False
            good = {name: column[keep] for name, column in columns.items()}
        else:
            good = columns
        parts += [(table, piece) for piece in bounded_records.pieces(good)]
        for i in range(0, len(bad), REJECTS_IN_ONE):
            some = slice(i, i + REJECTS_IN_ONE)
            refused = validation.rejects(columns, bad[some], reasons[some], source.name, table.name, now)
            parts += [(self.schema["rejects"], piece) for piece in bounded_records.pieces(refused)]
        if len(repeats):
            told = telling.rejects_of(columns, repeats, source.name, now)
            parts += [(self.schema["rejects"], piece) for piece in bounded_records.pieces(told)]
        flags = [MORE] * (len(parts) - 1) + [0]
        return [
            (of, encode(of, rows, source.source_id, header.source_seq, flag, header.session), len(rows["time"]))
            for (of, rows), flag in zip(parts, flags, strict=True)
        ]

    def _keep_ids(self, source: Source, ids: TradeIds, verdict: Verdict) -> None:
        """Keep the ids of new trades until the turn is written, and tell the source what came again."""
        ids.keep(verdict)
        if ids not in self._touched:
            self._touched.append(ids)
        if any(counted := ids.counted(verdict)):
            self._say(source.peer, messages.repeats(counted))

    def _reject_all(self, source: Source, header: Header, table: str, reason: str, now: int) -> None:
        """Record that a whole batch could not be read, and say so to its publisher."""
        rejects = self.schema["rejects"]
        row = json.dumps({"rows": header.rows, "bytes": header.length})
        refused = rejected(["?"], [reason], [row], source.name, table, now)
        record = encode(rejects, refused, source.source_id, header.source_seq, session=header.session)
        self.add(rejects, record, 1, now)
        self.position.take(header)
        source.seq = self.position.seq
        self._refuse(
            source.peer,
            BadRows(f"{header.rows} rows up to row {header.source_seq} of {source.name!r} went to rejects: {reason}"),
        )

    def add(self, table: Table, record: bytearray, rows: int, now: int) -> None:
        """Number a record and put it into the turn."""
        position, turn = self.position, self.turn
        position.seq += 1
        table_seq = position.table_seqs[table.name] = position.table_seqs.get(table.name, 0) + 1
        stamp(record, 0, position.seq, table_seq, now)
        turn.add(table.name, record, rows)

    def _refuse(self, peer: bytes, error: PlantError) -> None:
        self._say(peer, messages.refused(error))

    def _say(self, peer: bytes, said: messages.Said) -> None:
        self.turn.answers.append([peer, *said])


def _with_too_long(columns: Columns, bad: np.ndarray, reasons: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return bad rows and their reasons with the rows that fit in no record."""
    found = dict(zip(bad.tolist(), reasons, strict=True))
    for position in bounded_records.too_long(columns).tolist():
        found.setdefault(position, f"a row may have at most {bounded_records.RECORD_BYTES:,} bytes")
    positions = sorted(found)
    return np.array(positions, dtype=np.int64), [found[p] for p in positions]


class Own:
    """The tickerplant's own rows (its heartbeats): numbered like those of any other publisher."""

    NAME = "tickerplant"

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._source_id = source_id_of(self.NAME)

    def add(self, table: str, columns: Columns, now: int) -> None:
        """Put rows of `table` into the present turn."""
        sequencer, rows = self._sequencer, len(columns["time"])
        source_seq = sequencer.position.sources.get(self._source_id, 0) + rows
        declared = sequencer.schema[table]
        sequencer.add(declared, encode(declared, columns, self._source_id, source_seq), rows, now)
        sequencer.position.sources[self._source_id] = source_seq
