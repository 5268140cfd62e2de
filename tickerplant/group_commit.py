"""A turn: what becomes of all that waited in a socket, to be written, published and answered as one."""

from dataclasses import dataclass, field

from tickerplant.repeats.trade_ids import TradeIds


@dataclass(slots=True)
class Source:
    """A publisher: its name and id, its session (when it was made, ns), and the peer it speaks from.

    `seq` is that of its last record, 0 if it has sent none since this tickerplant began; `ids` are those of its trades,
    None if it does not promise that each is that of one trade.
    """

    name: str
    source_id: int
    session: int
    peer: bytes
    seq: int = 0
    ids: TradeIds | None = None


@dataclass(slots=True)
class Turn:
    """Records to write (`chunks`, the first numbered `first_seq`), the same in runs of one table to publish (`runs`).

    Once they are written: `answers` ([peer, verb, body]) and `acks` go out.
    """

    first_seq: int
    chunks: list[bytes | bytearray] = field(default_factory=list)
    runs: list[tuple[str, list[bytes | bytearray]]] = field(default_factory=list)
    acks: dict[bytes, Source] = field(default_factory=dict)
    answers: list[list[bytes]] = field(default_factory=list)
    rows: int = 0

    def add(self, table: str, record: bytes | bytearray, rows: int) -> None:
        """Add a record of `rows` rows, numbered and in order."""
        self.chunks.append(record)
        self.rows += rows
        if self.runs and self.runs[-1][0] == table:
            self.runs[-1][1].append(record)
        else:
            self.runs.append((table, [record]))
