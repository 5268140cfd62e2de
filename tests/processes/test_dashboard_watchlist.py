import pandas as pd
import pytest
from dashboard_market import SESSION_BARS, Market

from dashboard.watchlist import BATCH, SPARK_BARS, DayOpens, day_starts, watch_rows

NEW_YORK = "America/New_York"
NOW = 1_790_000_000 * 10**9


def last_bars(market: Market) -> pd.DataFrame:
    return market.rows("bars").groupby("sym").tail(1)


def learned(market: Market) -> DayOpens:
    opens = DayOpens()
    opens.learn(market.rows("bars"), opens.unknown(last_bars(market), NEW_YORK))
    return opens


def test_change_is_against_the_first_bar_of_the_exchanges_day() -> None:
    market = Market(SESSION_BARS + 50)
    bars = market.rows("bars")
    aapl = bars[bars["sym"] == "AAPL"]
    row = watch_rows(last_bars(market), bars, learned(market), NEW_YORK, NOW)[0]
    expected = aapl["close"].iloc[-1] / aapl["open"].iloc[SESSION_BARS] - 1
    assert row["sym"] == "AAPL"
    assert row["change"] == pytest.approx(expected)
    assert row["change_text"] == f"{expected * 100:+.2f} %"


def test_without_the_days_first_bar_the_change_is_a_dash() -> None:
    market = Market(20)
    row = watch_rows(last_bars(market), None, DayOpens(), NEW_YORK, NOW)[0]
    assert (row["change"], row["change_text"], row["spark"]) == (0.0, "-", [row["last"]])


def test_a_bar_of_another_day_says_which() -> None:
    market = Market(20)
    newest = last_bars(market).assign(time=pd.Timestamp("2019-02-15 20:59", tz="UTC"))
    later = pd.Timestamp("2019-02-16 09:00", tz=NEW_YORK).value
    for now, told in ((later - 12 * 3600 * 10**9, "15:59"), (later, "15 Feb"), (NOW, "15 Feb 2019")):
        row = watch_rows(newest, None, DayOpens(), NEW_YORK, now)[0]
        assert row["detail"] == f"{row['detail'].partition(' ')[0]} · {told}"


def test_a_price_that_rises_from_below_nothing_has_risen() -> None:
    market = Market(20)
    bars = market.rows("bars").assign(open=-40.0, close=10.0)
    newest, opens = bars.groupby("sym").tail(1), DayOpens()
    opens.learn(bars, opens.unknown(newest, NEW_YORK))
    row = watch_rows(newest, bars, opens, NEW_YORK, NOW)[0]
    assert (row["change"], row["change_text"]) == (1.25, "+125.00 %")


def test_the_sparkline_is_the_newest_closes_in_order_of_time() -> None:
    market = Market(200)
    bars = market.rows("bars")
    row = watch_rows(last_bars(market), bars.iloc[::-1], DayOpens(), NEW_YORK, NOW)[3]
    assert row["spark"] == bars[bars["sym"] == "TSLA"]["close"].tail(SPARK_BARS).tolist()


def test_opens_are_asked_for_once_a_day_and_in_batches() -> None:
    market = Market(50, syms=tuple(f"S{i:02d}" for i in range(15)))
    opens = DayOpens()
    wanted = opens.unknown(last_bars(market), NEW_YORK)
    assert len(wanted) == BATCH
    opens.learn(market.rows("bars"), wanted)
    assert set(opens.unknown(last_bars(market), NEW_YORK)) == {f"S{i}" for i in range(10, 15)}


def test_a_new_day_has_a_new_open() -> None:
    market = Market(SESSION_BARS)
    opens = learned(market)
    yesterday = day_starts(last_bars(market), NEW_YORK)["AAPL"]
    market.advance()
    wanted = opens.unknown(last_bars(market), NEW_YORK)
    opens.learn(market.rows("bars"), wanted)
    assert set(wanted) == set(market.syms)
    assert opens.of("AAPL", wanted["AAPL"]) == last_bars(market)["open"].iloc[0]
    assert opens.of("AAPL", yesterday) is None
