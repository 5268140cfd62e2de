"""How much to buy or sell, so that a stop costs no more than was meant to be risked."""

import math
from fractions import Fraction
from typing import NamedTuple

from plant.errors import QueryError


class Size(NamedTuple):
    """A quantity (units), what a unit loses at the stop, and what all of it does (account currency)."""

    qty: float
    risk_per_unit: float
    risk: float


def size_of(side: str, risk: float, entry: float, stop: float, lot: float = 1.0, multiplier: float = 1.0) -> Size:
    """Return the most whole lots whose loss from `entry` to `stop` is at most `risk`, money before costs.

    Raises QueryError if there is no such quantity: what is risked is not more than 0, the stop is no stop of this side,
    or it is less than one lot.

    >>> size_of("buy", risk=1000.0, entry=190.5, stop=188.0)
    Size(qty=400.0, risk_per_unit=2.5, risk=1000.0)
    """
    for name, value in (("risk", risk), ("entry", entry), ("stop", stop), ("lot", lot), ("multiplier", multiplier)):
        if not math.isfinite(value) or value <= 0:
            raise QueryError(f"size: {name} must be more than 0, found {value:g}")
    if (stop >= entry) if side == "buy" else (stop <= entry):
        raise QueryError(f"a stop of a {side} lies {'below' if side == 'buy' else 'above'} {entry:g}, found {stop:g}")
    money, first, last, step, scale = (Fraction(repr(float(v))) for v in (risk, entry, stop, lot, multiplier))
    each = abs(first - last) * scale
    lots = money // (each * step)
    if not lots:
        raise QueryError(f"{risk:,.2f} at risk is less than one lot of {lot:g}, which loses {float(each * step):,.2f}")
    return Size(float(lots * step), float(each), float(lots * step * each))
