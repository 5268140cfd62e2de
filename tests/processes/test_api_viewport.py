"""What a chart shows beside its bars: what stands, and what was dealt; nothing that was only tried."""

import asyncio
from typing import Any

from memory_service import services_over
from plain_rows import NOON, SCHEMA, tables_of

from api.viewport import Seen, viewport_of


def row(table: str, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {c.name: "" if c.kind in ("symbol", "text") else 1 for c in SCHEMA[table].columns}
    return {**usual, "time": NOON, "sym": "AAPL", **more}


def test_signals_that_were_taken_back_and_fills_of_backtests_are_no_part_of_it() -> None:
    bars = [row("bars", interval="1m")]
    signals = [row("signals", interval="1m", signal=s, state=s) for s in ("fired", "withdrawn")]
    runs = [row("runs", sym="flip", run=f"r-{mode}", mode=mode) for mode in ("paper", "live", "backtest", "replay")]
    fills = [
        row("fills", strategy="flip", account="paper", run=run, fill_id=run)
        for run in ("r-paper", "r-live", "r-backtest", "r-replay", "r-new")
    ]
    services = services_over(tables_of(bars=[bars], signals=[signals], runs=[runs], fills=[fills]))
    found = asyncio.run(viewport_of(services, Seen("AAPL", "1m")))
    assert [each["signal"] for each in found["signals"]] == ["fired"]
    assert [each["run"] for each in found["fills"]] == ["r-paper", "r-live", "r-new"]
    assert len(found["bars"]) == 1
