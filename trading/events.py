"""What an engine is handed: bars, trades, quotes, signals, sessions, and what a broker says of an order.

Every event tells two times. `market_time` is when it happened in the market, of a bar its start; `known_at` is when the
plant learned it (`received` of its row), and what rows made of it are stamped with. Both are ns since 1970 UTC, as is
every time here. `seq` and `seq_row` are its place in the journal, (0, 0) where there is none. Prices of bars, trades,
quotes and signals are floats as their rows have them; what concerns orders is counted in whole lots and ticks.
"""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple


class Side(StrEnum):
    """What an order does."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """1 of a purchase, -1 of a sale."""
        return 1 if self is Side.BUY else -1


class Bar(NamedTuple):
    """A closed bar. An indicator takes it as it is: it has what plant.indicators.bars.Bar has.

    end       when it ended: its start + interval, or the end of its session if that is earlier
    volume    units, 0 in a bar without a trade
    session   tells bars of one session from those of the next; None: sessions are the days of UTC
    decided_at   when it was decided that it is closed, the `time` of its row of `bar_closes`; 0: with its end
    """

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    interval: str
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    session: int | None = None
    decided_at: int = 0

    @property
    def time(self) -> int:
        """When the bar starts, as in the table `bars`."""
        return self.market_time


class Trade(NamedTuple):
    """One trade of the market: `size` in units."""

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    price: float
    size: float

    @property
    def time(self) -> int:
        """When it was traded, as in the table `trades`."""
        return self.market_time


class Quote(NamedTuple):
    """The best bid and ask: prices, and sizes in units."""

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float

    @property
    def time(self) -> int:
        """When it was in force, as in the table `quotes`."""
        return self.market_time


class Signal(NamedTuple):
    """A row of the table `signals`."""

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    interval: str
    signal: str
    side: str
    price: float
    detail: str = ""


class Session(NamedTuple):
    """A session of the symbol's exchange opened or closed: `kind` is "open" or "close"; without a calendar a day."""

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    kind: str


class Fill(NamedTuple):
    """A part of an order that was executed.

    fill_id      the broker's execution id; a simulated one's is order_id-n
    qty          lots, more than 0
    price        ticks; a venue may fill between two of them, then a Fraction
    commission   1e-8 of the account's currency
    liquidity    "maker" or "taker"
    """

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    fill_id: str
    order_id: str
    side: Side
    qty: int
    price: int | Fraction
    commission: int
    liquidity: str


class OrderReport(NamedTuple):
    """What is known anew of an order: from the broker, the simulated exchange, or ourselves (submitting, refused).

    state       what the order is said to be in (orders.State); "" where only a fill is told
    filled      lots executed so far, over all fills; None: not said
    paid        the sum of lots * ticks of those, from which the average is made; None: not said
    fill        the execution it tells of, if the broker names one
    qty         lots of the order, where that is only known now (sized at its fill); None: as it was
    reason      why, in the broker's words or ours
    """

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    order_id: str
    state: str
    broker_id: str = ""
    filled: int | None = None
    paid: int | Fraction | None = None
    fill: Fill | None = None
    reason: str = ""
    qty: int | None = None


class Command(NamedTuple):
    """A person's word to a run, a row of the table `commands`: order, cancel, flatten, kill, resume, limits.

    And two that no person says, of what a broker has and the books do not: `halt` (arguments: rule, reason), `deposit`
    (money, 1e-8 of the currency).
    """

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    command: str
    arguments: Mapping[str, Any]
    id: str = ""


class Neighbour(NamedTuple):
    """What another run of the account told: a row of `positions`, `orders`, `risk_events` or `runs`."""

    sym: str
    market_time: int
    known_at: int
    seq: int
    seq_row: int
    table: str
    row: Mapping[str, Any]


MarketEvent = Bar | Trade | Quote | Signal | Session
"""What the market tells, and a strategy hears of."""

Event = MarketEvent | OrderReport | Command | Neighbour
"""All that an engine takes."""


def available(event: Event) -> int:
    """Return when an event could be known in the market: a bar with its end."""
    return event.end if isinstance(event, Bar) else event.market_time


def neighbour_of(table: str, row: Mapping[str, Any], market_time: int) -> Neighbour:
    """Return a row of another run as an event; `market_time` is that of the run it is handed to."""
    return Neighbour(row["sym"], market_time, row["received"], row["seq"], row["seq_row"], table, row)
