"""What a frame of a venue means: rows, and controls. Symbols are as the venue writes them, times UTC ns.

    Event = TradeRow | QuoteRow | BarRow | CorrectionRow | OtherRow | Skipped
          | Ready | Subscribed | Unsubscribed | NotKnown | KeyRefused | Wait | Ended | Complaint | Malformed | Reply
          | Standing | Alive

Numbers are made of the venue's own text (float("0.10"), or what json.loads made of a number), and never computed with.
"""

from typing import Any, NamedTuple

NAN = float("nan")


class Topic(NamedTuple):
    """What is subscribed: a channel ("trades", "quotes", "bars", ... as plant.toml names it) of a symbol."""

    channel: str
    sym: str


class TradeRow(NamedTuple):
    """A row of `trades`. `venue_seq` is the venue's own number within the symbol, 0: none."""

    time: int
    sym: str
    price: float
    size: float
    trade_id: str = ""
    conditions: str = ""
    tape: str = ""
    exchange: str = ""
    venue_seq: int = 0


class QuoteRow(NamedTuple):
    """A row of `quotes`. `order`: a number that grows within the symbol; one that comes behind a greater is dropped."""

    time: int
    sym: str
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    order: int = 0


class BarRow(NamedTuple):
    """A row of `bars`, `time` its start. `order`: of revisions of one bar, the one that is behind a greater is dropped.

    `closed`: the venue says that it is whole.
    """

    time: int
    sym: str
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float = NAN
    trades: float = NAN
    order: int = 0
    closed: bool = False


class CorrectionRow(NamedTuple):
    """A row of `trade_corrections`; `action` is "cancel" or "correct"."""

    time: int
    sym: str
    trade_id: str
    action: str
    venue_seq: int = 0
    price: float = NAN
    size: float = NAN
    conditions: str = ""


class OtherRow(NamedTuple):
    """A row of any other table, by its columns without `source`; `sym` stands in it as the venue writes it."""

    table: str
    columns: dict[str, Any]


class Skipped(NamedTuple):
    """A number within a symbol, as `venue_seq` of its trades, of what is no trade here: it is not missing."""

    time: int
    sym: str
    venue_seq: int


class Ready(NamedTuple):
    """The venue let us in: it takes subscriptions from now on."""


class Subscribed(NamedTuple):
    """The venue has acknowledged these topics; it may name some that nobody asked for."""

    topics: tuple[Topic, ...]


class Unsubscribed(NamedTuple):
    """The venue has acknowledged that these are over."""

    topics: tuple[Topic, ...]


class NotKnown(NamedTuple):
    """The venue does not have this topic, or not for us; all others go on. It is not asked for again."""

    topic: Topic
    reason: str


class KeyRefused(NamedTuple):
    """The key is wrong, or its plan has not what was asked: no retry helps, the connection is given up."""

    reason: str


class Wait(NamedTuple):
    """The venue wants no connection of ours for so long, as after too many; this one is given up."""

    seconds: float
    reason: str


class Ended(NamedTuple):
    """The venue ends this connection as it had announced, or must: the next may follow at once."""

    reason: str


class Complaint(NamedTuple):
    """The venue complains; nothing is to be done but to show it."""

    reason: str


class Standing(NamedTuple):
    """What is unusual of a symbol's market, as "halted", until another word comes; "": it trades as usual."""

    sym: str
    words: str


class Malformed(NamedTuple):
    """What cannot be read: what was expected, what was found. Counted, the first one shown."""

    reason: str


class Reply(NamedTuple):
    """Send this message: the answer to one of the venue's."""

    message: str


class Alive(NamedTuple):
    """A sign of life, and nothing else."""


Row = TradeRow | QuoteRow | BarRow | CorrectionRow | OtherRow
Control = (
    Ready
    | Subscribed
    | Unsubscribed
    | NotKnown
    | KeyRefused
    | Wait
    | Ended
    | Complaint
    | Standing
    | Malformed
    | Reply
    | Alive
)
Event = Row | Skipped | Control

ORDERED = frozenset((TradeRow, QuoteRow, BarRow, CorrectionRow, OtherRow, Skipped))
"""What goes through the seams (seams.py); all else is a control."""
