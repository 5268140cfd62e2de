"""What is said on the tickerplant's sockets, for both ends of each: verbs and fields, free of sockets (docs/wire.md).

    publishing     [verb, body], a publisher's `hello` and `update`, and the plant's answers to them
    subscribing    [topic, ...], records under the topic of their table, and the beats
    the journal    questions, maps with "ask", and the bodies of their answers (framed by plant.transport.request)

What one end makes by a function called as a message, the other reads by that name and `_of`; these raise WireError, and
QueryError if it is a question.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgpack

from plant.errors import PlantError, QueryError, WireError, from_wire, to_wire
from plant.rows.schema import Table
from plant.wire.numbering import Told

HELLO, UPDATE = b"hello", b"upd"
WELCOME, ACK, SAY_HELLO, AGAIN, ERROR = b"welcome", b"ack", b"hello?", b"again", b"error"
REPEATS, HELD = b"repeats", b"held"

FOLLOWS, FENCED = "follows", "fenced"
"""Why a plant takes no publishers, in its beats: it follows another plant; another plant has taken its place."""

ACKS_WAIT = "acknowledgements wait"
"""The state of a tickerplant that begins so is of one that keeps and publishes what comes."""

BEAT_TOPIC = b"\0beat"
"""Topic of the tickerplant's beats; a table's topic is its name and a zero byte."""

CHUNK_BYTES = 4 * 2**20
"""Most a reader of the journal gets at once."""

WAIT_S = 1.0
"""A question for records that are still to come is answered after so long, without any, if none has come."""

REPORT_S = 1.0
"""Pause between a subscriber's reports of how far it is."""

Said = list[Any]
"""A verb and its body."""

_ACK = struct.Struct("<QQ")


class Hello(NamedTuple):
    """Who publishes from now on: its name, and when it was made, ns since 1970 UTC.

    unique_trade_ids: it promises that a trade_id is that of one trade within (source, sym, day).
    """

    source: str
    session: int
    unique_trade_ids: bool = False


class Welcome(NamedTuple):
    """The last row of a source that is acknowledged, the journal's seq, and the last row that is in the journal.

    The two rows differ in a plant that acknowledges what is mirrored: the publisher keeps what lies between them, and
    sends what is behind both. `unsure`: such a plant does not know yet whether its journal is the one that the stream
    has; a publisher whose rows it does not fit waits, or goes on to another plant. `sessions`: who numbered the rows up
    to `held`; empty: the plant does not know.
    """

    source_seq: int
    seq: int
    held: int
    unsure: bool = False
    sessions: Told = ()


class Repeats(NamedTuple):
    """Trades of a source that promises unique ids, counted.

    dropped     came again: they were in the plant
    conflicts   came again with another price or size: they are in `rejects`
    unchecked   were taken without a comparison: of a day behind the newest two, or far ahead of the clock
    forgotten   ids that the plant no longer remembers, there being too many of their day
    """

    dropped: int = 0
    conflicts: int = 0
    unchecked: int = 0
    forgotten: int = 0


class Beat(NamedTuple):
    """Where the plant stands: in its beats, and beside each answer of the journal.

    seq         of the newest record; `synced`: up to which the journal is fsynced
    first_seq   of the oldest record that was not removed
    confirmed   up to which days are closed: the history has their rows
    tables      the last table_seq of each table
    epoch       when this tickerplant started, ns since 1970 UTC
    mirrored    up to which the mirror has said that the replicated stream holds the journal; 0: it has said nothing
    role        "" of a plant that takes publishers; FOLLOWS or FENCED
    """

    seq: int
    tables: dict[str, int]
    epoch: int
    synced: int = 0
    first_seq: int = 1
    confirmed: int = 0
    time: int = 0
    state: str = ""
    mirrored: int = 0
    role: str = ""


class JournalQuestion(NamedTuple):
    """Records from the first whose seq is at least `seq`, at most so many bytes; `check`: each verified first.

    wait: if there is none yet, the answer is for when there is, or for when WAIT_S is over.
    """

    seq: int
    max_bytes: int
    check: bool
    wait: bool


class Mirrored(NamedTuple):
    """The replicated stream holds the journal up to `seq`; `epoch`: of the tickerplant it was copied from, or 0."""

    seq: int
    epoch: int = 0


class Report(NamedTuple):
    """How far a subscriber is: the last table_seq it handed on of each of its tables."""

    name: str
    tables: dict[str, int]


def hello(source: str, session: int, unique_trade_ids: bool = False) -> Said:
    """Return what a publisher says first on every connection."""
    promise = {"unique_trade_ids": True} if unique_trade_ids else {}
    return [HELLO, msgpack.packb({"source": source, "session": session, **promise})]


def hello_of(body: bytes) -> Hello:
    """Read a hello."""
    fields = _map(body)
    source, session = fields.get("source"), fields.get("session")
    if type(source) is not str or not source or type(session) is not int:
        raise WireError(f"a hello has a source and a session number, found {str(fields)[:80]}")
    return Hello(source, session, fields.get("unique_trade_ids") is True)


def update(records: bytes | bytearray) -> Said:
    """Return a publisher's records, one or more, joined."""
    return [UPDATE, records]


def welcome(source_seq: int, seq: int, held: int | None = None, unsure: bool = False, sessions: Told = ()) -> Said:
    """Return the answer to a hello: the last row of the source that is acknowledged, and the journal's seq.

    held      the last row of the source that is in the journal, if that is another
    unsure    whether this may be another journal than the one that is mirrored
    sessions  who numbered the rows up to `held`, if that is known
    """
    more: dict[str, Any] = {} if held in (None, source_seq) else {"held": held}
    more |= {"unsure": True} if unsure else {}
    more |= {"sessions": sessions} if sessions else {}
    return [WELCOME, msgpack.packb({"source_seq": source_seq, "seq": seq, **more})]


def welcome_of(body: bytes) -> Welcome:
    """Read a welcome."""
    fields = _map(body)
    held = fields.get("held", fields["source_seq"])
    sessions = tuple((session, last) for session, last in fields.get("sessions", ()))
    return Welcome(fields["source_seq"], fields["seq"], held, fields.get("unsure") is True, sessions)


def ack(source_seq: int, seq: int) -> Said:
    """Return an acknowledgement: rows up to `source_seq` are in the journal, at or before `seq`."""
    return [ACK, _ACK.pack(source_seq, seq)]


def held(source_seq: int, seq: int) -> Said:
    """Return the word that rows up to `source_seq` are in the journal and will be acknowledged later: keep them."""
    return [HELD, _ACK.pack(source_seq, seq)]


def ack_of(body: bytes) -> tuple[int, int]:
    """Read an acknowledgement, or the word that rows are held: (source_seq, seq)."""
    source_seq, seq = _ACK.unpack(body)
    return source_seq, seq


def repeats(counted: Repeats) -> Said:
    """Return what became of trades that a source sent again, since it was told so last."""
    return [REPEATS, msgpack.packb(counted._asdict())]


def repeats_of(body: bytes) -> Repeats:
    """Read what became of trades that were sent again; what a newer tickerplant says besides is passed over."""
    fields = _map(body)
    return Repeats(**{name: fields[name] for name in Repeats._fields if name in fields})


def say_hello() -> Said:
    """Return the answer to records of a publisher that has not said hello."""
    return [SAY_HELLO, msgpack.packb({})]


def again(source_seq: int) -> Said:
    """Return the answer to records that do not follow on from row `source_seq`: say hello, and send from there."""
    return [AGAIN, msgpack.packb({"source_seq": source_seq})]


def refused(error: PlantError) -> Said:
    """Return the answer that says what was wrong."""
    return [ERROR, msgpack.packb(to_wire(error))]


def refused_of(body: bytes) -> PlantError:
    """Read what was wrong."""
    return from_wire(_map(body))


def topic_of(table: str) -> bytes:
    """Return the topic under which a table's records are published (the zero byte ends the prefix match)."""
    return table.encode() + b"\0"


def beat(standing: Beat) -> bytes:
    """Return the body of a beat, and of the first frame of an answer about the journal."""
    return _packed(standing._asdict())


def beat_of(body: bytes) -> Beat:
    """Read a beat; what an older or a newer tickerplant says besides is passed over."""
    fields = _map(body)
    return Beat(**{name: fields[name] for name in Beat._fields if name in fields})


def ask_journal(seq: int, check: bool = False, max_bytes: int = CHUNK_BYTES, wait: bool = False) -> dict[str, Any]:
    """Return the question for records from `seq` on; its answer is a beat and the records, joined."""
    asked = {"ask": "journal", "seq": seq, "check": check, "max_bytes": max_bytes}
    return {**asked, "wait": True} if wait else asked


def journal_question_of(fields: Mapping[str, Any]) -> JournalQuestion:
    """Read a question for records."""
    seq, most, check = fields.get("seq", 1), fields.get("max_bytes", CHUNK_BYTES), bool(fields.get("check"))
    if type(seq) is not int or type(most) is not int:
        raise QueryError(f"journal: expected whole numbers seq and max_bytes, found {seq!r} and {most!r}")
    return JournalQuestion(seq, min(max(most, 0), CHUNK_BYTES), check, bool(fields.get("wait")))


def ask_schema(every: bool = False) -> dict[str, Any]:
    """Return the question how tables are declared; `every`: also as only older records have them, those first."""
    return {"ask": "schema", "every": every}


def declarations(tables: Iterable[Table]) -> bytes:
    """Return the body of the answer to `ask_schema`."""
    return _packed([table.declaration() for table in tables])


def declarations_of(body: bytes) -> list[Table]:
    """Read how tables are declared. Raises SchemaError for one that is broken."""
    return [Table.declared(declaration) for declaration in msgpack.unpackb(body)]


def confirm(seq: int) -> dict[str, Any]:
    """Return the message that the history holds everything up to `seq`."""
    return {"ask": "confirmed", "seq": seq}


def confirm_of(fields: Mapping[str, Any]) -> int:
    """Read up to which seq the history holds everything."""
    seq = fields.get("seq")
    if type(seq) is not int:
        raise QueryError(f"confirmed: expected a whole number seq, found {seq!r}")
    return seq


def mirrored(seq: int, epoch: int = 0) -> dict[str, Any]:
    """Return the message that the replicated stream holds everything up to `seq`, copied from this `epoch`."""
    return {"ask": "mirrored", "seq": seq, "epoch": epoch}


def mirrored_of(fields: Mapping[str, Any]) -> Mirrored:
    """Read up to which seq the replicated stream holds everything."""
    seq, epoch = fields.get("seq"), fields.get("epoch", 0)
    if type(seq) is not int or type(epoch) is not int:
        raise QueryError(f"mirrored: expected whole numbers seq and epoch, found {seq!r} and {epoch!r}")
    return Mirrored(seq, epoch)


def diverged(reason: str) -> dict[str, Any]:
    """Return the message that another plant has taken the stream over: this one is fenced."""
    return {"ask": "diverged", "reason": reason}


def diverged_of(fields: Mapping[str, Any]) -> str:
    """Read why the plant is fenced."""
    reason = fields.get("reason")
    if type(reason) is not str or not reason.strip():
        raise QueryError(f"diverged: expected a reason in words, found {reason!r}")
    return " ".join(reason.split())


def report(name: str, tables: dict[str, int]) -> dict[str, Any]:
    """Return a subscriber's report of how far it is in each table."""
    return {"ask": "report", "name": name, "tables": tables}


def report_of(fields: Mapping[str, Any]) -> Report:
    """Read a report."""
    name, tables = fields.get("name"), fields.get("tables")
    if type(name) is not str or not isinstance(tables, dict) or not all(type(v) is int for v in tables.values()):
        raise QueryError(f"report: expected a name and {{table: table_seq}}, found {str(fields)[:80]}")
    return Report(name, tables)


def _packed(fields: Any) -> bytes:
    return bytes(msgpack.packb(fields))


def _map(body: bytes) -> dict[str, Any]:
    try:
        fields = msgpack.unpackb(body)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise WireError(f"expected a msgpack map, found bytes that are none ({error})") from None
    if not isinstance(fields, dict):
        raise WireError(f"expected a msgpack map, found {type(fields).__name__}")
    return fields
