"""Numbers at the border to a broker: exact decimal texts of whole ticks and lots, and back; no float between."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from plant.errors import SettingsError
from trading.instruments import MONEY, Instrument, exact

_MOST_DIGITS = 40


def number_of(value: object) -> Fraction:
    """Return a number of a broker's JSON, a text or a Decimal or an int, as it is written. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"expected a number, found {value!r}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise ValueError(f"expected a number, found {value!r}")
    return Fraction(number)


def decimal_text(number: int | Fraction) -> str:
    """Return a number as a decimal without an exponent. Raises ValueError if it has no finite one.

    >>> decimal_text(Fraction(109689, 100000)), decimal_text(Fraction(3, 2)), decimal_text(7)
    ('1.09689', '1.5', '7')
    """
    number = Fraction(number)
    for digits in range(_MOST_DIGITS):
        if 10**digits % number.denominator == 0:
            break
    else:
        raise ValueError(f"{number} has no finite decimal; a broker takes decimals only")
    whole, rest = divmod(abs(number.numerator) * (10**digits // number.denominator), 10**digits)
    text = f"{whole}.{rest:0{digits}d}" if digits else str(whole)
    return f"-{text}" if number < 0 else text


def price_text(instrument: Instrument, ticks: int) -> str:
    """Return the price of so many ticks as a broker is sent it.

    >>> price_text(Instrument("EURUSD", tick=1e-5), 109689)
    '1.09689'
    """
    return _text(instrument, "tick", ticks * exact(instrument.tick))


def qty_text(instrument: Instrument, lots: int) -> str:
    """Return the quantity of so many lots as a broker is sent it."""
    return _text(instrument, "lot", lots * exact(instrument.lot))


def in_ticks(instrument: Instrument, value: object) -> int | Fraction:
    """Return a broker's price in ticks, a Fraction only between two of them. Raises ValueError."""
    return _whole(number_of(value) / exact(instrument.tick))


def in_lots(instrument: Instrument, value: object) -> int | Fraction:
    """Return a broker's quantity in lots, a Fraction only between two of them. Raises ValueError."""
    return _whole(number_of(value) / exact(instrument.lot))


def in_money(value: object) -> int:
    """Return a broker's amount in 1e-8 of its currency, rounded half-even. Raises ValueError."""
    return round(number_of(value) * MONEY)


def _text(instrument: Instrument, what: str, number: Fraction) -> str:
    try:
        return decimal_text(number)
    except ValueError:
        step = getattr(instrument, what)
        raise SettingsError(
            f"instrument {instrument.sym!r}: {what} {step!r} has no finite decimal, and brokers take nothing else"
        ) from None


def _whole(number: Fraction) -> int | Fraction:
    return int(number) if number.denominator == 1 else number
