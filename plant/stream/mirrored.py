"""The journal in a stream of NATS JetStream, as who writes it and who reads it see it (docs/scale.md); no sockets.

A message of the journal's subject is records as the journal has them, whole publishes one behind the other; with
`[mirror] compress` a longer one is compressed. Ahead of the first that needs them goes a message of the subject for
tables: how tables are and were declared, since records have only a declaration's id. Each message says who wrote it,
and is accepted only right behind the one its writer knew last.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgpack
import pyarrow as pa

from plant.errors import WireError
from plant.rows.schema import Table
from plant.wire.envelope import Header
from plant.wire.numbering import Numbered, packed_sessions, unpacked_sessions
from plant.wire.record import records

OWNER = "Tickplant-Owner"
"""Header of each message: which plant wrote it, a random text that a plant keeps."""

PLANT_SEQ = "Tickplant-Seq"
"""Header of a message of the journal: up to which seq the journal was written at that moment, as far as was known."""

PLAIN = "Tickplant-Plain"
"""Header of a message of the journal whose body is a zstd frame: how many bytes of records are in it."""

PLAIN_BYTES = 4096
"""Shorter messages stay as they are: of those a server's work is the message, not its bytes."""

MOST_BYTES = 64 * 2**20
"""The longest message there may be, whatever it says of itself."""

_ZSTD = pa.Codec("zstd", 1)


class Before(NamedTuple):
    """Where the plant stood before the first record that was copied, as plant.journal.position.Position tells it."""

    seq: int
    table_seqs: dict[str, int]
    sources: dict[int, int]
    sessions: dict[int, Numbered] = {}  # noqa: RUF012 — never written to


class Declared(NamedTuple):
    """How tables are declared: `every`, those of older records first, and the ids of those in force.

    before      where the plant stood before the stream's first record
    seq, crc    of the last record ahead of this message: its number, and the header_crc of its envelope; 0: none
    """

    every: tuple[Table, ...]
    in_force: tuple[int, ...]
    before: Before
    seq: int
    crc: int

    def joined(self, every: Iterable[Table], in_force: Iterable[int]) -> "Declared":
        """Return this with what is declared now; what was declared before stays known."""
        known = {t.schema_id: t for t in self.every}
        now = {t.schema_id: t for t in every}
        return self._replace(
            every=(*(t for i, t in known.items() if i not in now), *now.values()), in_force=tuple(in_force)
        )

    def same_tables(self, other: "Declared | None") -> bool:
        """Return whether another one declares the same."""
        return (
            other is not None
            and {t.schema_id for t in self.every} == {t.schema_id for t in other.every}
            and set(self.in_force) == set(other.in_force)
        )


def stream_of(name: str) -> str:
    """Return what the stream of a plant's journal is called."""
    return f"plant-{name}"


def journal_subject(name: str) -> str:
    """Return the subject of its records."""
    return f"plant.{name}.journal"


def tables_subject(name: str) -> str:
    """Return the subject of how tables are declared."""
    return f"plant.{name}.tables"


def packed_tables(declared: Declared) -> bytes:
    """Return the body of a message about tables."""
    tables = [table.declaration() for table in declared.every]
    before = declared.before
    sessions = {"sessions": packed_sessions(before.sessions)} if before.sessions else {}
    return bytes(msgpack.packb({**declared._asdict(), "every": tables, "before": list(before[:3]), **sessions}))


def unpacked_tables(body: bytes) -> Declared:
    """Read a message about tables. Raises WireError for what is none, SchemaError for a broken declaration."""
    try:
        fields: Mapping[str, Any] = msgpack.unpackb(body, strict_map_key=False)
        every = tuple(Table.declared(each) for each in fields["every"])
        seq, table_seqs, sources = fields["before"]
        before = Before(seq, table_seqs, sources, unpacked_sessions(fields.get("sessions", {})))
        return Declared(every, tuple(fields["in_force"]), before, fields["seq"], fields["crc"])
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise WireError(
            f"expected how tables are declared, found {body[:40]!r} ({type(error).__name__}: {error}); "
            "is the stream another program's? [mirror] name gives this plant another one"
        ) from None


def packed_records(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body of a message with these records, and the headers that say how to read it."""
    if len(data) >= PLAIN_BYTES and len(body := _ZSTD.compress(data, asbytes=True)) < len(data):
        return body, {PLAIN: str(len(data))}
    return data, {}


def unpacked_records(body: bytes, headers: Mapping[str, str] | None) -> bytes:
    """Return the records of a message. Raises WireError if its body is not what its headers say."""
    plain = (headers or {}).get(PLAIN)
    if plain is None:
        return body
    size = int(plain) if plain.isdecimal() and len(plain) < 10 else -1
    try:
        if not 0 < size <= MOST_BYTES:
            raise ValueError(f"at most {MOST_BYTES:,} bytes are allowed")
        found = bytes(_ZSTD.decompress(body, size, asbytes=True))
    except (OSError, ValueError) as error:  # Arrow's errors among them
        raise WireError(f"expected a zstd frame of {plain[:20]!r} bytes of records: {error}") from None
    if len(found) != size:
        raise WireError(f"expected a zstd frame of {size:,} bytes of records, found {len(found):,}")
    return found


def last_record(data: bytes) -> Header:
    """Return the envelope of the last record of a message. Raises WireError if a record is damaged or there is none."""
    last: Header | None = None
    for header, _ in records(data):
        last = header
    if last is None:
        raise WireError("expected records of a journal, found an empty message; is the stream another program's?")
    return last


def login_of(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return how to log in at NATS: by NATS_CREDS (a file), or NATS_USER and NATS_PASSWORD; {} if none is there."""
    found = {}
    if creds := environment.get("NATS_CREDS"):
        found["user_credentials"] = creds
    if user := environment.get("NATS_USER"):
        found |= {"user": user, "password": environment.get("NATS_PASSWORD", "")}
    return found
