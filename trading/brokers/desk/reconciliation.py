"""What the books and the broker say of positions and cash, compared; pure.

A spot exchange takes its fee of a purchase in what was bought: 1 BTC ordered is 0.999 BTC held. That is no error of
the books, and no halt: as far as executions told of such fees, the whole lots of it are a difference of kind `fee`,
and less than one lot is none, as nobody can trade it.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

CENT = 10**6
"""1e-8 of the currency; cash that differs by less is equal: brokers round, each its own way."""


class What(StrEnum):
    """What a reconciliation found."""

    POSITION = "position"
    FEE = "fee"
    CASH = "cash"
    ORPHAN = "orphan"
    ADOPTED = "adopted"
    FILLS = "fills"


class Finding(NamedTuple):
    """Something that the broker says, and the books do not.

    what     position, fee: book `theirs - ours` lots to strategy `unallocated`; cash: book it as a deposit, 1e-8;
             orphan: an order of ours that the journal lacks, its cancel is under way; adopted: an order that turned up
             after all; fills: what was executed cannot be told
    halts    whether a live account is to be halted
    """

    what: What
    sym: str = ""
    order_id: str = ""
    ours: int | Fraction = 0
    theirs: int | Fraction = 0
    detail: str = ""
    halts: bool = False


def positions_compared(
    ours: Mapping[str, int], theirs: Mapping[str, int | Fraction], in_kind: Mapping[str, Fraction]
) -> list[Finding]:
    """Return where positions differ, in lots, by symbol.

    in_kind   lots that the broker took as fees since the last comparison that found equal, at most

    >>> [one.detail for one in positions_compared({"A": 5, "B": 2}, {"A": 5, "C": 1}, {})]
    ['B: the books have 2 lots, the broker has 0', 'C: the books have 0 lots, the broker has 1']
    """
    found = []
    for sym in sorted({*ours, *theirs}):
        here, there = ours.get(sym, 0), theirs.get(sym, 0)
        missing = Fraction(here) - Fraction(there)
        if abs(missing) < 1:
            continue
        if 0 < missing < in_kind.get(sym, Fraction(0)) + 1:
            lots = math.floor(missing)
            detail = f"{lots} lots of {sym} went to the broker as fees"
            found.append(Finding(What.FEE, sym, "", here, here - lots, detail))
        else:
            detail = f"{sym}: the books have {here} lots, the broker has {there}"
            found.append(Finding(What.POSITION, sym, "", here, there, detail, True))
    return found


def cash_compared(ours: int | None, theirs: int | None) -> Finding | None:
    """Return that cash differs by a cent or more, 1e-8 each; None if not, or one of them is not told."""
    if ours is None or theirs is None or abs(ours - theirs) < CENT:
        return None
    return Finding(
        What.CASH, "", "", ours, theirs, f"cash: the books and the broker differ by {(theirs - ours) / 1e8:.2f}"
    )
