"""What one trades: its tick, lot and costs, and the border between floats and whole ticks, lots and 1e-8 of a currency.

Inside the engine nothing is a float. A tick of 1e-5 is the fraction 1/100000, so a price of 1.09689 is 109689 ticks and
comes back as 1.09689, which 109689 * 1e-5 is not.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from plant.errors import SettingsError
from trading.events import Side

MONEY = 10**8
"""So many units of money are one of the currency."""

NEAR = 1e-4
"""A level so close to a tick, in ticks, is that tick: levels are computed in floats."""

NEAR_LOT = 1e-6
"""A quantity so close to a whole lot, in lots, is that lot."""

_MOST = 2**62
"""Ticks or lots; beyond it a row could not hold them."""


def exact(number: float | int | str | Fraction) -> Fraction:
    """Return a number as it is written: 1e-05 is 1/100000, not the float nearest to it."""
    return (
        number
        if isinstance(number, Fraction)
        else Fraction(Decimal(repr(number) if isinstance(number, float) else number))
    )


def money_of(amount: float | int) -> int:
    """Return an amount of the currency in 1e-8 of it, rounded half-even."""
    return round(exact(amount) * MONEY)


def amount_of(money: int) -> float:
    """Return money as a float of the currency, the nearest there is.

    >>> amount_of(money_of(0.1))
    0.1
    """
    return money / MONEY


@dataclass(frozen=True)
class Instrument:
    """One symbol as it is traded; the columns of the table `instruments`.

    tick, lot        least step of price (quote currency) and of quantity (units); numbers as they are written
    multiplier       currency that one unit moves for a price of 1
    min_notional     least value of an order, currency; 0: none
    maker_bps, taker_bps   commission in 1e-4 of a fill's value
    fee_per_unit     commission of each unit, currency
    min_fee          least commission of a fill, currency
    calendar         code of its exchange's calendar, "" for none
    shortable        whether it may be sold short

    Raises SettingsError for a tick or lot that is not more than 0, and other numbers that are not finite or negative.

    >>> euro = Instrument("EURUSD", tick=1e-5, lot=1.0)
    >>> euro.ticks(1.09689), euro.price(109689), euro.level(1.096891, Side.BUY, stop=True)
    (109689, 1.09689, 109690)
    """

    sym: str
    tick: float | Fraction = 0.01
    lot: float | Fraction = 1.0
    multiplier: float | Fraction = 1.0
    currency: str = "USD"
    asset_class: str = ""
    min_notional: float = 0.0
    maker_bps: float = 0.0
    taker_bps: float = 0.0
    fee_per_unit: float = 0.0
    min_fee: float = 0.0
    calendar: str = ""
    shortable: bool = True
    since: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("tick", "lot", "multiplier"):
            self._checked(name, above_zero=True)
        for name in ("min_notional", "maker_bps", "taker_bps", "fee_per_unit", "min_fee"):
            self._checked(name, above_zero=False)

    def _checked(self, name: str, above_zero: bool) -> None:
        value = getattr(self, name)
        good = isinstance(value, int | float | Fraction) and not isinstance(value, bool) and math.isfinite(value)
        if not good or value < 0 or (above_zero and value == 0):
            bound = "more than 0" if above_zero else "0 or more"
            raise SettingsError(f"instrument {self.sym!r}: {name} must be a number, {bound}; found {value!r}")

    @cached_property
    def _tick(self) -> Fraction:
        return exact(self.tick)

    @cached_property
    def _lot(self) -> Fraction:
        return exact(self.lot)

    @cached_property
    def unit(self) -> Fraction:
        """Money that one lot moves by for one tick, in 1e-8 of the currency."""
        return self._tick * self._lot * exact(self.multiplier) * MONEY

    @cached_property
    def _unit_parts(self) -> tuple[int, int]:
        return self.unit.numerator, self.unit.denominator

    @cached_property
    def _per_tick(self) -> tuple[int, int]:
        return self._tick.numerator, self._tick.denominator

    def ticks(self, price: float) -> int:
        """Return the nearest tick of a price, the even one of two. Raises SettingsError for one that is not finite."""
        numerator, denominator = self._per_tick
        if not -_MOST < price < _MOST:
            raise SettingsError(f"{self.sym}: expected a finite price, found {price!r}")
        return round(price * denominator / numerator)

    def level(self, price: float, side: Side, stop: bool) -> int:
        """Return a level in ticks, never in the order's favour of being filled.

        A stop of a purchase and a limit of a sale are rounded up, the others down; a level within NEAR of a tick is
        that tick.
        """
        if not -_MOST < price < _MOST:
            raise SettingsError(f"{self.sym}: expected a finite level, found {price!r}")
        at = price * self._per_tick[1] / self._per_tick[0]
        nearest = round(at)
        if abs(at - nearest) <= NEAR:
            return nearest
        return math.ceil(at) if (side is Side.BUY) == stop else math.floor(at)

    def price(self, ticks: int | Fraction) -> float:
        """Return the price of so many ticks: the float nearest to it."""
        numerator, denominator = self._per_tick
        if isinstance(ticks, int):
            return ticks * numerator / denominator
        return float(ticks * self._tick)

    def average(self, paid: int | Fraction, lots: int) -> float:
        """Return the price of lots that were traded for `paid` lots * ticks, on average: the float nearest to it."""
        numerator, denominator = self._per_tick
        if isinstance(paid, int):
            return paid * numerator / (lots * denominator)
        return float(paid * self._tick / lots)

    def cost_price(self, cost: int, lots: int) -> float:
        """Return the price at which lots are worth a cost, 1e-8 of the currency: the float nearest to it."""
        tick, unit = self._per_tick, self._unit_parts
        return cost * unit[1] * tick[0] / (lots * unit[0] * tick[1])

    def lots(self, qty: float) -> int:
        """Return a quantity in lots, rounded down; one within 1e-6 of a lot is that lot."""
        if not -_MOST < qty < _MOST:
            raise SettingsError(f"{self.sym}: expected a finite quantity, found {qty!r}")
        at = qty * self._lot.denominator / self._lot.numerator
        nearest = round(at)
        return nearest if abs(at - nearest) <= NEAR_LOT else math.floor(at)

    def covering(self, qty: float) -> int:
        """Return a quantity in lots, rounded up; one within 1e-6 of a lot is that lot."""
        at = exact(qty) / self._lot
        return nearest if abs(at - (nearest := round(at))) <= NEAR_LOT else math.ceil(at)

    def qty(self, lots: int) -> float:
        """Return lots in units: the float nearest to it."""
        return lots * self._lot.numerator / self._lot.denominator

    def value(self, lots: int, ticks: int | Fraction) -> int:
        """Return the value of lots at a price, in 1e-8 of the currency, rounded half-even; lots may be negative."""
        numerator, denominator = self._unit_parts
        if denominator == 1:
            worth = lots * ticks * numerator
            return worth if type(worth) is int else round(worth)
        return round(Fraction(lots * ticks * numerator, denominator))

    def commission(self, lots: int, ticks: int | Fraction, liquidity: str) -> int:
        """Return what a fill of lots (more than 0) costs, in 1e-8 of the currency, rounded half-even."""
        bps = self.maker_bps if liquidity == "maker" else self.taker_bps
        if not (bps or self.fee_per_unit or self.min_fee):
            return 0
        by_value = lots * abs(Fraction(ticks)) * self.unit * exact(bps) / 10_000
        cost = by_value + lots * self._lot * exact(self.fee_per_unit) * MONEY
        return round(max(cost, exact(self.min_fee) * MONEY))
