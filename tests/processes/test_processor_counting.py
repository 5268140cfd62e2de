"""Which bars count, by calendars and session, and to which trading day each belongs."""

import numpy as np
import pytest

from plant.calendars.assignment import Calendars
from plant.calendars.exchange import exchange
from plant.calendars.sessions import Sessions
from plant.rows.columns import Columns, Symbols
from processor.counting import Counting, TradingDays

OF = Calendars({"XNYS": ("SPY",)}, {"ny": "XNYS", "crypto": ""})
TIMES = ["2026-11-25T09:00", "2026-11-25T15:00", "2026-11-25T22:00", "2026-11-27T17:59", "2026-11-27T18:01"]
"""Pre-market, regular, after hours; a half-day's last regular minute, and one after it."""


def rows(*series: tuple[str, str, str]) -> Columns:
    """Bars of each of TIMES of some symbols, intervals and sources."""
    of = [one for one in series for _ in TIMES]
    names = zip(("sym", "interval", "source"), zip(*of, strict=True), strict=True)
    times = np.tile(np.array(TIMES, "M8[ns]").astype(np.int64), len(series))
    return {"time": times, **{name: Symbols.of(texts) for name, texts in names}}


def counted(counting: Counting, *series: tuple[str, str, str]) -> list[tuple[str, str, str]]:
    found = counting.counted(rows(*series))
    stamps = [str(time)[:16] for time in found["time"].astype("M8[ns]")]
    return list(zip(found["sym"].tolist(), found["interval"].tolist(), stamps, strict=True))


def test_regular_bars_count_of_symbols_with_a_calendar_and_all_of_others() -> None:
    found = counted(
        Counting(OF, "regular"),
        ("SPY", "1m", "any"),
        ("BTC", "1m", "crypto"),
        ("X", "5m", "built:ny"),
        ("SPY", "1d", "ny"),
    )
    regular = [TIMES[1], TIMES[3]]
    assert [time for sym, interval, time in found if (sym, interval) == ("SPY", "1m")] == regular
    assert [time for sym, _, time in found if sym == "X"] == regular
    assert [time for sym, _, time in found if sym == "BTC"] == TIMES
    assert [time for _, interval, time in found if interval == "1d"] == TIMES, "days are regular by themselves"
    assert len(counted(Counting(OF, "extended"), ("SPY", "1m", "any"))) == len(TIMES)
    assert len(counted(Counting(Calendars({}, {"a": ""}), "regular"), ("SPY", "1m", "a"))) == len(TIMES)


@pytest.mark.parametrize("session", ["regular", "extended"])
def test_the_calendar_of_the_feed_is_remembered_for_rows_that_do_not_tell_it(session: str) -> None:
    counting = Counting(OF, session)
    counting.counted(rows(("X", "1m", "ny")))
    assert counting.sessions_of("X").code == "XNYS"
    closes = rows(("X", "1m", ""))
    del closes["source"]
    assert len(counting.counted(closes)["time"]) == (2 if session == "regular" else len(TIMES))


def test_a_trading_day_goes_from_pre_market_to_after_hours_and_without_a_calendar_is_a_date() -> None:
    days = TradingDays(lambda sym: Sessions(exchange("XNYS")) if sym == "SPY" else Sessions())
    days.grow(["BTC"])
    days.grow(["SPY", "ETH"])
    times = np.array(["2026-11-25T09:00", "2026-11-26T00:59", "2026-11-26T01:00", "2026-11-27T05:00"], "M8[ns]").astype(
        int
    )
    shown = [str(day)[:16] for day in days.of(np.array([1, 1, 1, 1]), times).astype("M8[ns]")]
    assert shown == ["2026-11-25T05:00", "2026-11-25T05:00", "2026-11-27T05:00", "2026-11-27T05:00"]
    shown = [str(day)[:16] for day in days.of(np.array([0, 2, 0, 2]), times).astype("M8[ns]")]
    assert shown == ["2026-11-25T00:00", "2026-11-26T00:00", "2026-11-26T00:00", "2026-11-27T00:00"]
