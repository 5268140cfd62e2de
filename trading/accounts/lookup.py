"""What is known of a symbol when its first order comes: its instrument, its bars, its last price, as of a seq."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from plant.calendars.sessions import Sessions
from plant.rows.intervals import interval_ns
from plant.rows.schema import Schema
from plant.runtime.settings import Settings
from plant.state.instruments import Instruments
from plant.state.newest import Row
from trading.instruments import Instrument
from trading.live.reading import rows_of
from trading.live.setups import assumptions, instrument_of, why_not_live

_BARS = 500
"""Among so many closed bars the shortest interval is looked for."""


class Listed(NamedTuple):
    """A symbol as a standing run lists it.

    interval   of its bars, the shortest there are; "": there are none
    fills_on   what its orders are filled on
    table, priced   the newest row that tells its price; None: there is none, so nothing can be ordered
    assumed    sentences on what is taken for granted
    refused    why it cannot be ordered, "" if it can
    """

    instrument: Instrument
    sessions: Sessions | None
    interval: str
    fills_on: str
    table: str
    priced: Row | None
    assumed: tuple[str, ...]
    refused: str = ""


def listed(
    db: Any,
    schema: Schema,
    settings: Settings,
    instruments: Instruments,
    fills_on: str,
    sym: str,
    seq: int,
    time: int,
    currency: str = "USD",
    mode: str = "paper",
) -> Listed:
    """Return what was known of a symbol at a seq, when it was `time`.

    db            a connection to history and today that has all rows up to the seq
    instruments   what was known of them at the seq
    currency, mode   of the account, as fills_on; "": quotes where the symbol has them, else trades, else bars

    Raises what the connection's questions raise.
    """
    row = instruments.at(sym, time)
    instrument = instrument_of(sym, row)
    code = settings.calendars.code(sym) or instrument.calendar
    bars = rows_of(db, schema, "bar_closes", [("seq", "<=", seq)], [sym], _BARS)
    interval = min((bar["interval"] for bar in bars), key=interval_ns, default="")
    newest: dict[str, Row | None] = {
        "quotes": _newest(db, schema, "quotes", sym, seq, [("bid", ">", 0.0), ("ask", ">", 0.0)]),
        "trades": _newest(db, schema, "trades", sym, seq),
        "bars": next((bar for bar in reversed(bars) if bar["interval"] == interval), None),
    }
    filled = fills_on or next((name for name, found in newest.items() if found is not None), "bars")
    table, priced = max(newest.items(), key=lambda each: (each[1]["seq"], each[1]["seq_row"]) if each[1] else (-1, -1))
    if newest[filled] is None:
        priced = None  # nothing would ever fill it
    return Listed(
        instrument,
        settings.calendars.sessions(code) if code else None,
        interval,
        filled,
        "bar_closes" if table == "bars" else table,
        priced,
        assumptions(sym, row, currency),
        why_not_live(sym, row, currency) if mode == "live" else "",
    )


def _newest(
    db: Any, schema: Schema, table: str, sym: str, seq: int, also: Sequence[tuple[str, str, Any]] = ()
) -> Row | None:
    found = rows_of(db, schema, table, [("seq", "<=", seq), *also], [sym], 1)
    return found[-1] if found else None
