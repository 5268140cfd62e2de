"""A ticket: an order as a person fills it in, what is wrong with it, and what it becomes. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from plant.state.commands import is_obeyed, is_of_account, reaches
from plant.state.newest import Row

KINDS = ("market", "limit", "stop", "stop-limit", "trailing stop")
TIMES_IN_FORCE = ("day", "gtc", "ioc", "fok")

WITH_LIMIT, WITH_STOP, WITH_TRAIL = ("limit", "stop-limit"), ("stop", "stop-limit"), ("trailing stop",)
"""Kinds that need a limit price, a stop price, a distance."""


@dataclass(frozen=True)
class Traded:
    """What is known of a symbol: its steps, the money of a unit at a price of 1, and its newest price, NaN: none."""

    sym: str
    tick: float = 0.01
    lot: float = 1.0
    multiplier: float = 1.0
    currency: str = "USD"
    last: float = math.nan
    told: bool = False
    """Whether the plant has an instrument of it; else the steps are taken for granted."""


def traded(sym: str, row: Row | None, last: float = math.nan) -> Traded:
    """Return what a row of `instruments` tells of a symbol; None: nothing is known of it."""
    if row is None:
        return Traded(sym, last=last)
    return Traded(sym, row["tick"], row["lot"], row["multiplier"], row["currency"], last, True)


@dataclass(frozen=True)
class Ticket:
    """An order to be. Prices in quote currency, NaN where there is none; `qty` in units.

    account, live   whose it is, and whether that is real money
    """

    what: Traded
    account: str
    live: bool
    side: str = "buy"
    kind: str = "market"
    qty: float = math.nan
    limit: float = math.nan
    stop: float = math.nan
    trail: float = math.nan
    stop_loss: float = math.nan
    take_profit: float = math.nan
    tif: str = "day"
    tag: str = ""

    @property
    def entry(self) -> float:
        """The price at which it is thought to be filled: its limit, its stop, or the last price; NaN: unknown."""
        return next((v for v in (self.limit, self.stop, self.what.last) if not math.isnan(v)), math.nan)

    @property
    def faults(self) -> list[str]:
        """What is wrong with it, a sentence each."""
        return list(_faults(self))

    @property
    def button(self) -> str:
        """What the button says: all that matters, and above all whose money it is."""
        money = "REAL MONEY" if self.live else "PAPER"
        return f"{self.side.capitalize()} {number(self.qty)} {self.what.sym} on {money} account {self.account}"

    @property
    def sentence(self) -> str:
        """What becomes of it, in words."""
        said = [self.kind]
        for name, word in (("limit", "limit"), ("stop", "stop"), ("trail", "trailing by")):
            value = getattr(self, name)
            if not math.isnan(value):
                said.append(f"{word} {number(value)}")
        said.append(self.tif)
        exits = [
            f"{word} {number(value)}"
            for word, value in (("stop loss", self.stop_loss), ("take profit", self.take_profit))
            if not math.isnan(value)
        ]
        value = self.qty * self.entry * self.what.multiplier
        worth = "" if math.isnan(value) else f"; worth {value:,.2f} {self.what.currency}"
        return ", ".join(said) + (f"; then {' and '.join(exits)}" if exits else "") + worth

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the command `order`."""
        told: dict[str, Any] = {"account": self.account, "side": self.side, "qty": self.qty, "tif": self.tif}
        for name in ("limit", "stop", "trail", "stop_loss", "take_profit"):
            value = getattr(self, name)
            if not math.isnan(value):
                told[name] = value
        return told | ({"tag": self.tag} if self.tag else {})


def _faults(ticket: Ticket) -> Any:
    """Yield what is wrong with a ticket."""
    what = ticket.what
    if not what.sym:
        yield "name a symbol"
        return
    if ticket.live and not what.told:
        yield f"no [[instruments]] has {what.sym}: with real money its tick and lot must be known"
    if not ticket.qty > 0:
        yield "give a quantity"
    elif not whole(ticket.qty, what.lot):
        yield f"a quantity is a multiple of the lot, {number(what.lot)}; {number(ticket.qty)} is none"
    for kinds, name, word in (
        (WITH_LIMIT, "limit", "a limit price"),
        (WITH_STOP, "stop", "a stop price"),
        (WITH_TRAIL, "trail", "a distance"),
    ):
        if ticket.kind in kinds and not getattr(ticket, name) > 0:
            yield f"a {ticket.kind} order needs {word}"
    entry, buys = ticket.entry, ticket.side == "buy"
    if not math.isnan(entry):
        for name, word, below in (("stop_loss", "stop loss", buys), ("take_profit", "take profit", not buys)):
            value = getattr(ticket, name)
            if not math.isnan(value) and ((value >= entry) if below else (value <= entry)):
                yield f"the {word} of a {ticket.side} lies {'below' if below else 'above'} {number(entry)}"


def whole(qty: float, lot: float) -> bool:
    """Return whether a quantity is a whole number of lots, as far as floats can tell."""
    lots = qty / lot
    return abs(lots - round(lots)) < 1e-9 * max(1.0, abs(lots))


def number(value: float) -> str:
    """Return a number with the decimals that it has.

    >>> number(1250.0), number(0.001), number(190.5), number(float("nan"))
    ('1,250', '0.001', '190.5', '?')
    """
    if math.isnan(value):
        return "?"
    text = f"{value:,.8f}".rstrip("0").rstrip(".")
    return text or "0"


@dataclass(frozen=True)
class Halt:
    """Whether an account is halted: since when (ns UTC), by whom; and strategies that halted by themselves, and why."""

    since: int | None = None
    by: str = ""
    strategies: dict[str, str] = field(default_factory=dict)

    @property
    def halted(self) -> bool:
        """Whether anything is."""
        return self.since is not None or bool(self.strategies)


def halt_of(rows: tuple[Row, ...], account: str, strategies: Collection[str] = ()) -> Halt:
    """Return whether an account is halted: `rows` are commands `kill`, `resume` and rows of `risk_events`, in order.

    strategies   the names of the account's own, which a command may be for alone
    """
    since: int | None = None
    by, halted = "", dict[str, str]()
    for row in rows:
        command = row.get("command")
        if command is None:
            if row["account"] == account and row["rule"] != "kill":
                if row["action"] == "halted":
                    halted[row["strategy"]] = row["detail"]
                else:
                    halted.pop(row["strategy"], None)
        elif not is_obeyed(row) or not reaches(row["sym"], account, strategies):
            continue
        elif is_of_account(row["sym"], account):
            halted = {}
            since, by = (row["time"], row["who"]) if command == "kill" else (None, "")
        elif command == "kill":
            halted[row["sym"]] = f"killed by {row['who']}"
        else:
            halted.pop(row["sym"], None)
    return Halt(since, by, halted)
