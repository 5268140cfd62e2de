"""A few rows of 2026-11-20, known by heart: what the examples in docstrings and documents are about.

Two trades of MSFT have one time and come in one batch: only by seq_row are they told apart.
"""

from pathlib import Path
from typing import Any

from running import RunningPlant

DAY = "2026-11-20T"

TRADES = {
    "AAPL": [("14:30:00", 190.00, 100), ("14:30:20", 190.25, 50), ("14:31:05", 190.50, 100), ("14:36:00", 190.75, 100)],
    "MSFT": [("14:30:10", 410.00, 200), ("14:30:40", 410.75, 50), ("14:35:30", 410.50, 200), ("14:35:30", 410.25, 200)],
}
QUOTES = {
    "AAPL": [("14:29:59", 189.75, 190.00), ("14:30:15", 190.00, 190.25), ("14:31:00", 190.25, 190.50),
             ("14:35:59", 190.50, 190.75)],
    "MSFT": [("14:30:05", 409.75, 410.25), ("14:30:30", 410.50, 411.00), ("14:35:00", 410.00, 410.50)],
}  # fmt: skip
CLOSES = {
    "AAPL": (190.25, 190.50, 190.50, 190.25, 190.50, 190.75),
    "MSFT": (410.75, 411.0, 410.5, 410.75, 410.0, 410.25),
}


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of trades, quotes and bars, in order of time."""
    trades = [
        {
            "time": DAY + at,
            "sym": sym,
            "price": price,
            "size": float(size),
            "source": "example",
            "trade_id": f"{sym}{n}",
        }
        for sym, found in TRADES.items()
        for n, (at, price, size) in enumerate(found)
    ]
    quotes = [
        {"time": DAY + at, "sym": sym, "bid": bid, "ask": ask, "bid_size": 300.0, "ask_size": 200.0}
        for sym, found in QUOTES.items()
        for at, bid, ask in found
    ]
    bars = [
        {"time": f"{DAY}14:3{n}:00", "sym": sym, "interval": "1m", "open": close - 0.25, "high": close + 0.25,
         "low": close - 0.5, "close": close, "volume": 100.0 * (n + 1)}
        for sym, closes in CLOSES.items()
        for n, close in enumerate(closes)
    ]  # fmt: skip
    found = {"trades": trades, "quotes": quotes, "bars": bars}
    return {table: sorted(some, key=lambda row: row["time"]) for table, some in found.items()}


def start(folder: Path) -> RunningPlant:
    """Return a running tickerplant and rdb that hold these rows."""
    plant = RunningPlant(folder)
    plant.start("tickerplant", "rdb")
    with plant.publisher("example") as feed:
        for table, some in rows().items():
            feed.publish(table, some)
        seq = feed.flush()
    db = plant.ask()
    while db.status()["seq"] < seq:
        pass
    return plant
