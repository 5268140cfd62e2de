"""What an adapter of a broker owes, and what brokers say, in whole lots and ticks.

An adapter does the I/O and nothing else: it sends one request and tells what came of it. When to ask again, what to
send, whether a fill is new: that is decided by `trading.brokers.desk.desk`, which has neither sockets nor a clock.

    BrokerError
    ├── Denied         the broker said no, and nothing was done
    │   ├── Limited    too many requests; `retry_s` says when there may be more
    │   └── Duplicate  it has an order of this id already
    ├── Absent         it has no order of this id
    └── Unclear        no answer, or none that tells whether it was done
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, Protocol, runtime_checkable

from plant.errors import PlantError
from trading.events import Side
from trading.instruments import Instrument
from trading.orders import Order, State

OURS = "tp-"
"""With this begin the ids of our orders; any other order is a stranger's, and is left alone."""


class BrokerError(PlantError):
    """A request to a broker did not do what it was for."""


class Denied(BrokerError):
    """The broker said no; nothing was done."""


class Limited(Denied):
    """Too many requests: nothing was done, and nothing is to be sent for `retry_s` seconds."""

    def __init__(self, message: str, retry_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class Duplicate(Denied):
    """The broker has an order of this id, so an earlier attempt arrived."""


class Absent(BrokerError):
    """The broker has no such order."""


class Unclear(BrokerError):
    """Whether it was done is not known: no answer, a broken one, or one that says so itself."""


class Reference(NamedTuple):
    """What an order is asked for by; `broker_id` "" if the broker has not told it.

    leg_of   our id of the order that it was sent with, as its stop; "": it was sent by itself
    """

    order_id: str
    sym: str
    broker_id: str = ""
    leg_of: str = ""


class Execution(NamedTuple):
    """A part of an order that was executed, as a broker tells it.

    order_id     ours; "" where the broker names only its own id of the order
    qty, price   lots, and ticks (a Fraction between two of them)
    cumulative   lots of the order that are executed with this one
    commission   1e-8 of the account's currency
    fee_lots     lots of the symbol that the broker took as its fee, 0 where it takes money
    market_time  ns since 1970
    """

    fill_id: str
    order_id: str
    broker_id: str
    sym: str
    side: Side
    qty: int | Fraction
    price: int | Fraction
    cumulative: int | Fraction
    market_time: int
    commission: int = 0
    liquidity: str = "taker"
    fee_lots: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An order of ours as the broker has it.

    order_id     ours; "" where the broker names only its own id of the order
    leg_of       our id of the order that it was sent with, where it is the stop of a pair and has no id of ours
    qty          lots of the order, None: not told
    state        in our words; a state that says nothing new of a live order is `accepted`
    filled       lots executed, over all executions
    paid         sum of lots * ticks of those; None: not told
    executions   those it tells with it
    cancelling   whether the broker says that a cancel is under way
    """

    order_id: str
    broker_id: str
    sym: str
    state: State
    filled: int | Fraction
    paid: int | Fraction | None = None
    market_time: int = 0
    reason: str = ""
    executions: tuple[Execution, ...] = ()
    cancelling: bool = False
    leg_of: str = ""
    qty: int | Fraction | None = None

    @property
    def reference(self) -> Reference:
        """What the order is asked for by."""
        return Reference(self.order_id, self.sym, self.broker_id)


@dataclass(frozen=True, slots=True)
class Up:
    """The order socket is connected, and its subscription was confirmed."""


@dataclass(frozen=True, slots=True)
class Down:
    """The order socket is not connected."""

    reason: str = ""


News = Known | Up | Down
"""What an order socket tells."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A broker's account at one time: our open orders, executions, positions in lots, cash in 1e-8 (None: not told)."""

    open_orders: tuple[Known, ...] = ()
    executions: tuple[Execution, ...] = ()
    positions: Mapping[str, int | Fraction] = field(default_factory=dict)
    cash: int | None = None


Instruments = Callable[[str], Instrument]
"""Gives the instrument of a symbol; one that nobody declared has the defaults of `Instrument`."""


class Broker(Protocol):
    """One account with a broker. Every call is one answer or one BrokerError; none is repeated by itself.

    `events` is called by a thread of its own, the others by another one.
    """

    name: str

    def place(self, order: Order) -> Known:
        """Send an order, once. Raises Denied, Duplicate, Unclear."""

    def cancel(self, order: Reference) -> None:
        """Ask to cancel an order; it is cancelled when the broker says so. Raises Denied, Absent, Unclear."""

    def find(self, order: Reference) -> Known:
        """Return an order by the id that we gave it. Raises Absent, Denied, Unclear."""

    def open_orders(self) -> list[Known]:
        """Return our open orders, and stops that were sent with them; a stranger's are left out."""

    def executions(self, since: int) -> list[Execution]:
        """Return the account's executions since a time (ns), to the last page, in any order."""

    def executions_of(self, order: Reference) -> list[Execution]:
        """Return all executions of one order."""

    def positions(self) -> dict[str, int | Fraction]:
        """Return the account's positions by symbol, in lots, those that are not 0."""

    def cash(self) -> int | None:
        """Return the account's cash in 1e-8 of its currency."""

    def events(self, timeout_s: float) -> list[News]:
        """Return what the order socket told, after waiting at most about so many seconds; connects when it is time.

        Where orders of ours may lack an id of ours, a stranger's are told as well.
        """

    def close(self) -> None:
        """Disconnect for good."""


@runtime_checkable
class Lists(Protocol):
    """A broker that lists orders in every state by one request, so that many need not be asked for one by one."""

    def orders(self, since: int) -> list[Known]:
        """Return our orders that it took since a time (ns), open or done; a stranger's are left out."""


@runtime_checkable
class Pairs(Protocol):
    """A broker that takes a target and a stop of one position as one order, of which one cancels the other."""

    def place_pair(self, target: Order, stop: Order) -> list[Known]:
        """Send both, once, as one; return what it tells of each. Raises as `Broker.place` does, then of both."""
