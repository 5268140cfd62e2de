"""Orders: what one is, the states it goes through, and what a report makes of it.

    created ──► submitting ──► accepted ──► partially_filled ──► filled
       │            │   │          └──► cancelling ──► cancelled, expired, replaced
       ▼            ▼   ▼
    refused   rejected  unknown ──► accepted, rejected, cancelled, ...: what the broker says when asked

`refused` is ours (risk), `rejected` the broker's word; what it rejected, or did not know, and has after all is
`accepted` again. Of `cancelling` an order comes back only by a reason, that of a broker which does not cancel it: an
`accepted` without one was under way before the cancel was. A fill is taken in every state, also after `cancelled`: it
may have raced.
An order is never changed; `transition` returns the one that follows, and `Orders` keeps the newest of each.
"""

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from plant.errors import PlantError
from trading.events import Fill, OrderReport, Side


class State(StrEnum):
    """What an order is in."""

    CREATED = "created"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REFUSED = "refused"
    REPLACED = "replaced"


FINAL = frozenset((State.FILLED, State.CANCELLED, State.EXPIRED, State.REJECTED, State.REFUSED, State.REPLACED))
"""In these an order is done; only a fill that raced may still come."""

_LIVE = (State.CANCELLED, State.EXPIRED, State.REPLACED)
_FOLLOWS: dict[State, tuple[State, ...]] = {
    State.CREATED: (State.SUBMITTING, State.REFUSED),
    State.SUBMITTING: (State.ACCEPTED, State.REJECTED, State.UNKNOWN, State.CANCELLING, *_LIVE),
    State.UNKNOWN: (State.ACCEPTED, State.REJECTED, State.CANCELLING, *_LIVE),
    State.ACCEPTED: (State.CANCELLING, State.REJECTED, *_LIVE),
    State.PARTIALLY_FILLED: (State.CANCELLING, *_LIVE),
    State.CANCELLING: (State.REJECTED, *_LIVE),
    State.REJECTED: (State.ACCEPTED,),
}
"""What may follow each state by a report without a fill; fills lead to partially_filled and filled from every state."""


class Kind(StrEnum):
    """What makes an order be filled."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING = "trailing"


class Order(NamedTuple):
    """An order as it is after its n-th transition: the columns of the table `orders`, in lots and ticks; never changed.

    qty           lots; 0 of one that is sized when it is filled, until then
    paid          the sum of lots * ticks of its fills: average = paid / filled
    parent        the order whose fill sets this one free; `oco`: of a group, one that is filled cancels the others
    cause_seq     seq of the event that caused it

    Not in the table, what the exchange is told besides:
    reverses      its fill takes the opposite position with it (`enter`)
    reduces       it never fills more than the position (`close`, stop_loss, take_profit)
    percent       sized at its fill, as so many percent of the equity; 0: not
    stop_loss, take_profit, trailing_stop   levels in ticks, of the last the distance, of orders that its fill sets free
    id            the strategy's own name for it
    pair          the other of two exits that a broker is sent as one: a limit, which names both, and a stop
    """

    order_id: str
    sym: str
    run: str
    strategy: str
    account: str
    side: Side
    kind: Kind
    qty: int
    n: int = 1
    client_order_id: str = ""
    limit_price: int | None = None
    stop_price: int | None = None
    trail: int | None = None
    time_in_force: str = "day"
    parent: str = ""
    oco: str = ""
    tag: str = ""
    filled: int = 0
    paid: int | Fraction = 0
    state: State = State.CREATED
    reason: str = ""
    broker_id: str = ""
    market_time: int = 0
    made_at: int = 0
    cause_seq: int = 0
    reverses: bool = False
    reduces: bool = False
    percent: Fraction = Fraction(0)
    stop_loss: int | None = None
    take_profit: int | None = None
    trailing_stop: int | None = None
    id: str = ""
    pair: str = ""

    @property
    def done(self) -> bool:
        """Whether it is in a final state."""
        return self.state in FINAL

    @property
    def open_qty(self) -> int:
        """Lots that are not filled."""
        return max(self.qty - self.filled, 0)

    @property
    def average(self) -> Fraction | None:
        """The weighted price of its fills in ticks; None before the first."""
        return Fraction(self.paid) / self.filled if self.filled else None


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ALLOWED = frozenset(_DIGITS + "-")
MOST_CHARACTERS = 36
"""Of an order's id: Binance takes no more; Alpaca 48."""
MOST_OF_RUN = 16
"""Characters of a run's id."""


def base36(number: int) -> str:
    """Return a number, 0 or more, in base 36.

    >>> [base36(n) for n in (0, 35, 36, 81234)]
    ['0', 'z', '10', '1qoi']
    """
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits


def order_id(run: str, cause_seq: int, n: int) -> str:
    """Return the id of the n-th order (from 0) that the event at `cause_seq` caused in a run.

    It is made of nothing else, never of a clock or chance, so a decision that is made again is the same order. Raises
    PlantError for a run's id that is not 1 to 16 of [a-z0-9-], and an id that is too long for a broker.

    >>> order_id("7f3a", 81234, 0)
    'tp-7f3a-1qoi-0'
    """
    check_run(run)
    made = f"tp-{run}-{base36(cause_seq)}-{base36(n)}"
    if len(made) > MOST_CHARACTERS:
        raise PlantError(
            f"order id {made!r} has {len(made)} characters, brokers take {MOST_CHARACTERS}; shorten the run's id"
        )
    return made


def check_run(run: str) -> None:
    """Raise PlantError if a run's id is not 1 to 16 of [a-z0-9-]."""
    if not 1 <= len(run) <= MOST_OF_RUN or not set(run) <= _ALLOWED:
        raise PlantError(f"expected a run id of 1 to {MOST_OF_RUN} characters of a-z, 0-9 and -, found {run!r}")


class Step(NamedTuple):
    """What a report made of an order: the one that follows, or None where nothing changed; and the fill to book."""

    order: Order | None
    fill: Fill | None = None


def transition(order: Order, report: OrderReport) -> Step:
    """Return what a report makes of an order.

    Fills count by the order's cumulative quantity: what is not beyond `order.filled` is known and changes nothing.
    Where the broker names no fill, the difference is one, with its price made of the difference in `paid`. A report
    that does not fit the state is a row with the state as it was, and the reason. Pure; raises nothing for what a
    broker may say.
    """
    changes: dict[str, object] = {}
    if report.qty is not None and report.qty != order.qty:
        changes["qty"] = report.qty
    if report.broker_id and report.broker_id != order.broker_id:
        changes["broker_id"] = report.broker_id
    fill, state, told, reason = _new_fill(order, report), order.state, report.state, report.reason
    if fill is not None:
        qty, filled = changes.get("qty", order.qty), order.filled + fill.qty
        changes |= {"filled": filled, "paid": order.paid + fill.qty * fill.price}
        if filled >= qty:  # type: ignore[operator]  # an int
            state = State.FILLED
        elif not order.done and state is not State.CANCELLING:
            state = State.PARTIALLY_FILLED
        if filled > qty:  # type: ignore[operator]
            reason = f"filled {filled} of {qty} lots: the broker executed more than was ordered"
    elif "qty" in changes and 0 < report.qty <= order.filled and not order.done:  # type: ignore[operator]  # an int
        state = State.FILLED  # made smaller, to what is filled
    elif (report.filled or 0) > order.filled:
        reason = f"told that {report.filled} lots are filled, but no price; ask for its executions"
    kept = state is State.CANCELLING and told == State.ACCEPTED and bool(reason)
    if kept or told in _FOLLOWS.get(state, ()):
        state = State(told)
        if state is State.ACCEPTED and (order.filled or fill is not None):
            state = State.PARTIALLY_FILLED
    elif not _fits(state, told, order.filled):
        reason = f"reported {told} while {state}" + (f": {reason}" if reason else "")
    if state is order.state and not changes and reason in ("", order.reason):
        return Step(None)
    changes |= {"state": state, "n": order.n + 1, "market_time": report.market_time, "made_at": report.known_at}
    if reason:
        changes["reason"] = reason
    return Step(order._replace(**changes), fill)  # type: ignore[arg-type]  # names and kinds are the fields'


def _fits(state: State, told: str, filled: int) -> bool:
    """Return whether a report that leads nowhere is no surprise: nothing new, told late, or of fills booked already."""
    if told in (State.PARTIALLY_FILLED, State.FILLED):
        return filled > 0 or state in (State.PARTIALLY_FILLED, State.FILLED)
    late = told in (State.SUBMITTING, State.ACCEPTED, State.UNKNOWN) and state is not State.CREATED
    return late or told in ("", state)


def _new_fill(order: Order, report: OrderReport) -> Fill | None:
    """Return what a report tells of beyond what is booked, as one fill; None: nothing, or not at which price."""
    fill, filled = report.fill, report.filled
    beyond = (filled if filled is not None else order.filled + (fill.qty if fill else 0)) - order.filled
    if beyond <= 0:
        return None
    if fill is not None and (fill.qty == beyond or report.paid is None):
        return fill if fill.qty == beyond else fill._replace(qty=beyond)
    if report.paid is None:
        return None
    price = Fraction(report.paid - order.paid) / beyond
    whole = int(price) if price.denominator == 1 else price
    named = fill.fill_id if fill is not None else f"{order.order_id}-{base36(order.filled + beyond)}"
    return Fill(
        report.sym,
        report.market_time,
        report.known_at,
        report.seq,
        report.seq_row,
        named,
        order.order_id,
        order.side,
        beyond,
        whole,
        fill.commission if fill is not None else 0,
        fill.liquidity if fill is not None else "taker",
    )


class Orders:
    """The newest state of every order, those that are open apart, and the fills that are known by their id."""

    def __init__(self) -> None:
        self._all: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        self._fills: set[str] = set()

    def __iter__(self) -> Iterator[Order]:
        return iter(self._open.values())

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def __contains__(self, order_id: str) -> bool:
        """Whether an id was ever used."""
        return order_id in self._all

    def get(self, order_id: str) -> Order | None:
        """Return an order, None if there is none of this id."""
        return self._all.get(order_id)

    def add(self, order: Order) -> None:
        """Take a new order. Raises PlantError if its id was used."""
        if order.order_id in self._all:
            raise PlantError(f"order id {order.order_id!r} is used; an id is never used twice")
        self.put(order)

    def put(self, order: Order) -> None:
        """Take an order as it is now."""
        self._all[order.order_id] = order
        if order.done:
            self._open.pop(order.order_id, None)
        else:
            self._open[order.order_id] = order

    def take(self, report: OrderReport) -> Step:
        """Book a report: return the order that follows and the fill that is new.

        A fill whose id is known is left out; what the report says of the cumulative quantity still counts. Raises
        PlantError for no order of ours.
        """
        order = self._all.get(report.order_id)
        if order is None:
            raise PlantError(f"no order {report.order_id!r}; the report is of another account or run")
        if report.fill is not None and report.fill.fill_id in self._fills:
            report = report._replace(fill=None)
        step = transition(order, report)
        if step.order is not None:
            self.put(step.order)
        if step.fill is not None:
            self._fills.add(step.fill.fill_id)
        return step
