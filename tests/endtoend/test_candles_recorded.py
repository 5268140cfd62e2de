"""Recorded trades through a plant of real processes: the vendor's minutes, and larger bars of a plain computation."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from recorded_trades import SYMBOLS, check_like_the_vendor_s, plainly, recorded, trades_of
from running import RunningPlant, all_stopped

INTERVALS = ("1m", "5m", "15m", "1h", "1d")
CALENDAR = f"[bars]\ncalendars = {{ XNYS = {list(SYMBOLS)} }}\n".replace("'", '"')
COLUMNS = ("open", "high", "low", "close", "volume", "vwap", "trades")


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        processor = f"intervals = {list(INTERVALS)}".replace("'", '"')
        made = RunningPlant(tmp_path / "plant", toml=CALENDAR, timer_s=60.0, processor=processor)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


@recorded
def by_interval(bars: pd.DataFrame) -> dict[str, dict[int, Any]]:
    """Return interval -> start, ns -> the values of each bar."""
    return {
        interval: dict(zip(of["time"].astype("int64").tolist(), of[list(COLUMNS)].itertuples(index=False), strict=True))
        for interval, of in bars.groupby("interval", observed=True)
    }


@pytest.mark.parametrize(
    "syms",
    [
        pytest.param(("AIG",), id="AIG"),
        pytest.param(SYMBOLS, id="all", marks=(pytest.mark.soak, pytest.mark.timeout(900))),
    ],
)
def test_recorded_trades_give_the_vendor_s_minutes_and_larger_bars_of_those(
    syms: tuple[str, ...], plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    feed, db, day = plant.publisher("vendor"), plant.ask(), "20131007"
    minutes = {}
    for sym in syms:
        rows = trades_of(sym, day)
        minutes[sym] = len(np.unique(rows["time"] // (60 * 10**9)))
        for at in range(0, len(rows["time"]), 20_000):
            feed.publish("trades", {name: column[at : at + 20_000] for name, column in rows.items()})
    feed.flush()
    closed = {"interval": "1m"}
    eventually(
        lambda: all(db.count("bar_closes", sym, where=closed) == minutes[sym] for sym in syms), 300.0, lambda: db
    )
    eventually(lambda: db.count("bar_closes", where={"interval": "1d"}) == len(syms), 60.0, lambda: db)

    def settled() -> bool:
        """Whether larger bars have all of their minutes: they go on behind them."""
        for sym in syms:
            found = by_interval(db.select("bars", sym))
            for interval in INTERVALS[1:]:
                bars, wanted = found.get(interval, {}), plainly(found["1m"], interval)
                if not all(key in bars and bars[key][6] == bar[6] for key, bar in wanted.items()):
                    return False
        return True

    eventually(settled, 60.0, lambda: db.select("bars"))
    for sym in syms:
        bars = db.select("bars", sym)
        assert set(bars["source"]) == {"built:vendor"}
        found = by_interval(bars)
        check_like_the_vendor_s(sym, day, found["1m"])
        for interval in INTERVALS[1:]:
            wanted = plainly(found["1m"], interval)
            assert list(found[interval]) == sorted(wanted)
            ours, theirs = (np.array([tuple(of[key]) for key in sorted(wanted)]) for of in (found[interval], wanted))
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
