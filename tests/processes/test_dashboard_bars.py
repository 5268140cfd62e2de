import numpy as np
import pandas as pd
import pytest
from dashboard_market import MINUTE_NS, OPEN_NS, Market

from dashboard.bars import INDICATORS, PRICES, chart_bars, intervals, price_digits

NEW_YORK = "America/New_York"


def of(market: Market, table: str, sym: str = "AAPL") -> pd.DataFrame:
    rows = market.rows(table)
    return rows[rows["sym"] == sym]


def test_bars_come_oldest_first_with_utc_and_exchange_time() -> None:
    bars = chart_bars(of(Market(60), "bars").iloc[::-1], None, "1m", NEW_YORK)
    assert bars["time_ns"].tolist() == [OPEN_NS + i * MINUTE_NS for i in range(60)]
    assert str(bars["local"].iloc[0]) == "2025-11-20 09:30:00"
    assert bars[list(PRICES)].notna().all().all()


def test_only_the_newest_bars_are_kept_up_to_the_limit() -> None:
    bars = chart_bars(of(Market(60), "bars"), None, "1m", "UTC", limit=10)
    assert bars["time_ns"].tolist() == [OPEN_NS + i * MINUTE_NS for i in range(50, 60)]


def test_a_revised_bar_counts_once_with_its_last_values() -> None:
    rows = of(Market(3), "bars")
    revision = rows.tail(1).assign(close=999.0)
    assert chart_bars(pd.concat([rows, revision]), None, "1m", "UTC")["close"].tolist()[-1] == 999.0
    assert len(chart_bars(pd.concat([rows, revision]), None, "1m", "UTC")) == 3


def test_a_bar_without_a_price_is_left_out() -> None:
    rows = of(Market(5), "bars").reset_index(drop=True)
    rows.loc[2, "close"] = np.nan
    assert len(chart_bars(rows, None, "1m", "UTC")) == 4


def test_indicators_stand_beside_their_bar_and_are_unknown_for_newer_ones() -> None:
    market = Market(80)
    indicators = of(market, "indicators").iloc[:-2]
    bars = chart_bars(of(market, "bars"), indicators, "1m", "UTC")
    assert np.array_equal(bars["sma_20"].to_numpy()[:-2], indicators["sma_20"].to_numpy(), equal_nan=True)
    assert bars[list(INDICATORS)].tail(2).isna().all().all()


def test_indicators_without_a_bar_add_no_row() -> None:
    market = Market(80)
    assert len(chart_bars(of(market, "bars").tail(5), of(market, "indicators"), "1m", "UTC")) == 5


def test_bars_of_another_interval_are_left_out() -> None:
    rows = of(Market(5), "bars")
    mixed = pd.concat([rows, rows.assign(interval="5m")])
    assert intervals(mixed) == ["1m", "5m"]
    assert len(chart_bars(mixed, None, "5m", "UTC")) == 5


@pytest.mark.parametrize("frame", [None, Market(1).rows("bars").head(0)])
def test_no_bars_are_an_empty_frame_with_all_columns(frame: pd.DataFrame | None) -> None:
    bars = chart_bars(frame, None, "1m", "UTC")
    assert bars.empty
    assert set(bars.columns) == {"time_ns", "local", "source", *PRICES, *INDICATORS}
    assert intervals(frame) == []


@pytest.mark.parametrize(
    ("prices", "digits"),
    [
        ([242.5, 241.0], 2),
        ([1.08412], 5),
        ([0.00001234], 8),
        ([187.123456789], 2),
        ([1.23456e-8, 1.3e-8], 13),
        ([4e-12], 12),
        ([1.0, 2e-7], 7),
        ([np.nan], 2),
        ([], 2),
        ([0.0], 2),
    ],
)
def test_prices_show_as_many_decimals_as_they_have(prices: list[float], digits: int) -> None:
    assert price_digits(np.array(prices)) == digits
