"""Rows of the market as events of a run that follows the plant; bars need their sessions, and are made by it."""

from plant.state.newest import Row
from trading.events import Quote, Signal, Trade


def trade_of(row: Row) -> Trade:
    """Return a row of `trades` as a run hears it."""
    return Trade(row["sym"], row["time"], row["received"], row["seq"], row["seq_row"], row["price"], row["size"])


def quote_of(row: Row) -> Quote:
    """Return a row of `quotes` as a run hears it."""
    numbers = (row[name] for name in ("bid", "ask", "bid_size", "ask_size"))  # NaN as in a backtest: nobody offers
    return Quote(row["sym"], row["time"], row["received"], row["seq"], row["seq_row"], *numbers)


def signal_of(row: Row) -> Signal:
    """Return a row of `signals` as a run hears it."""
    place = (row["sym"], row["time"], row["received"], row["seq"], row["seq_row"])
    return Signal(*place, row["interval"], row["signal"], row["side"], row["price"], row["detail"])
