"""What a venue's list says of an instrument, as a row of `instruments`."""

from typing import Any

from plant.rows.schema import UNKNOWN_TIME

NAN = float("nan")


def instrument_row(
    sym: str,
    currency: str,
    asset_class: str,
    tick: float,
    lot: float,
    multiplier: float = 1.0,
    min_notional: float = NAN,
    shortable: bool = False,
) -> dict[str, Any]:
    """Return the columns but `time` and `source`. Commissions are an account's, and not known here.

    >>> row = instrument_row("BTCUSDT", "USDT", "crypto", 0.01, 1e-5)
    >>> row["tick"], row["taker_bps"], row["shortable"]
    (0.01, nan, 0)
    """
    return {
        "sym": sym,
        "since": UNKNOWN_TIME,
        "currency": currency,
        "asset_class": asset_class,
        "tick": tick,
        "lot": lot,
        "multiplier": multiplier,
        "min_notional": min_notional,
        "maker_bps": NAN,
        "taker_bps": NAN,
        "fee_per_unit": NAN,
        "calendar": "",
        "shortable": int(shortable),
    }
