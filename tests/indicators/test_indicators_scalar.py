"""Scalar indicators: the laws of incremental computation, published tables, TA-Lib where the definitions agree."""

import doctest
from collections.abc import Sequence
from math import nan

import numpy as np
import pandas as pd
import pytest
import talib
from bars_for_indicators import columns_of, walk
from recordings import RECORDINGS

from plant.indicators import scalar as module
from plant.indicators.bars import Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.ours import OURS
from plant.indicators.scalar import STEPS, scalar

needs_data = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no market data in {RECORDINGS}")
NAMES = [kind.name for kind in OURS]


def history(kind: str, bars: Sequence[Bar], **told: object) -> dict[str, np.ndarray]:
    """Return an indicator's outputs over bars, by the names of its outputs."""
    indicator = scalar(kind, **told)
    rows = np.array([np.atleast_1d(indicator.update(bar)) for bar in bars])
    return dict(zip(CATALOGUE[kind].outputs, rows.T, strict=True))


def test_doctests_of_the_module_hold() -> None:
    assert doctest.testmod(module).failed == 0


def test_every_kind_of_ours_has_what_computes_it() -> None:
    assert set(STEPS) == set(NAMES)


@pytest.mark.parametrize("kind", CATALOGUE, ids=str)
def test_a_kind_is_ready_after_its_warm_up_and_peek_is_update_on_a_copy(kind: str) -> None:
    told = {"periods": "volume"} if kind == "MAVP" else {}
    start = 0.5 if kind in ("ACOS", "ASIN") else 100.0
    bars = [bar._replace(volume=bar.volume + 1) for bar in walk(1, 140, 1e-3, start)]
    indicator, ready_at = scalar(kind, **told), None
    for i, bar in enumerate(bars):
        before = indicator.value
        peeked = [indicator.peek(bar), indicator.peek(bar)] if i % 9 == 0 or i > 130 else []
        assert repr(indicator.value) == repr(before)
        if i == 120:
            fork = indicator.copy()
            for other in bars[:20]:
                fork.update(other)
        found = indicator.update(bar)
        assert [repr(value) for value in peeked] == [repr(found)] * len(peeked)
        if indicator.ready and ready_at is None:
            ready_at = i
    assert ready_at == CATALOGUE[kind].warm_up(CATALOGUE[kind].defaults)


def test_ut_bot_gives_the_published_stops_and_signals() -> None:
    high = [10, 11, 12, 13, 12.5, 11.5, 10.5, 10, 11.5, 13, 14, 13.5, 12, 11]
    low = [9, 9.8, 10.8, 11.9, 11.2, 10.1, 9.4, 9, 9.8, 11.4, 12.8, 12.1, 10.6, 9.9]
    close = [9.5, 10.8, 11.8, 12.2, 11.4, 10.3, 9.6, 9.9, 11.3, 12.8, 13.6, 12.3, 10.9, 10.2]
    bars = [Bar(0, c, h, lo, c, 1.0) for h, lo, c in zip(high, low, close, strict=True)]
    found = history("ut_bot", bars, period=3)
    stops = [10.5667, 10.9778, 10.9778, 11.5988, 10.8325, 10.8325, 9.9633, 11.3422, 12.2281, 12.2281, 12.4097, 11.5731]
    np.testing.assert_allclose(found["stop"], [nan, nan, *stops], atol=5e-5)
    position = found["position"]
    assert [i for i in range(1, 14) if position[i] == 1 and position[i - 1] <= 0] == [8]
    assert [i for i in range(1, 14) if position[i] == -1 and position[i - 1] >= 0] == [5, 12]
    ranges = [1.2333, 1.2222, 1.2481, 1.2988, 1.2325, 1.1550, 1.3367, 1.4578, 1.3719, 1.4146, 1.5097, 1.3731]
    np.testing.assert_allclose(history("atr", bars, period=3)[""], [nan, nan, *ranges], atol=5e-5)


# -- TA-Lib, where it defines the same


SAME = {
    "sma": ("SMA", ("close",), (20,), {}, 0),
    "ema": ("EMA", ("close",), (20,), {}, 0),
    "wma": ("WMA", ("close",), (9,), {}, 0),
    "rma": ("RMA", ("close",), (14,), {}, 0),
    "rsi": ("RSI", ("close",), (14,), {}, 0),
    "macd": ("MACD", ("close",), (12, 26, 9), {}, 250),
    "bollinger": ("BBANDS", ("close",), (20, 2.0, 2.0), {}, 0),
    "stdev": ("STDDEV", ("close",), (20,), {}, 0),
    "atr": ("ATR", ("high", "low", "close"), (14,), {}, 380),
    "donchian": ("DONCHIAN", ("high", "low"), (20,), {}, 0),
    "stochastic": ("STOCH", ("high", "low", "close"), (14, 3, 0, 3, 0), {"smooth": 3}, 17),
    "cci": ("CCI", ("high", "low", "close"), (20,), {}, 0),
    "williams_r": ("WILLR", ("high", "low", "close"), (14,), {}, 0),
    "roc": ("ROC", ("close",), (9,), {}, 0),
    "volume_sma": ("SMA", ("volume",), (20,), {}, 0),
    "heikin_ashi": ("HA", ("open", "high", "low", "close"), (), {}, 0),
    "true_range": ("TRANGE", ("high", "low", "close"), (), {}, 1),
    "mfi": ("MFI", ("high", "low", "close", "volume"), (14,), {}, 14),
}
"""Ours -> TA-Lib's, its inputs and parameters, ours if they are not the defaults, from which bar they are the same."""


@pytest.mark.parametrize("kind", SAME, ids=str)
def test_talib_gives_the_same(kind: str) -> None:
    function, inputs, parameters, told, since = SAME[kind]
    bars = walk(2, 600)
    columns = columns_of(bars)
    expected = getattr(talib, function)(*(columns[name] for name in inputs), *parameters)
    expected = expected if isinstance(expected, tuple | list) else (expected,)
    found = history(kind, bars, **told)
    assert len(expected) == len(found)
    for values, (output, ours) in zip(expected, found.items(), strict=True):
        np.testing.assert_allclose(ours[since:], values[since:], rtol=1e-8, atol=1e-8, err_msg=output)


# -- published tables

TOP, BOTTOM = "Bollinger Bands® 20 2 Top", "Bollinger Bands® 20 2 Bottom"


def table_of(file: str) -> pd.DataFrame:
    table = pd.read_csv(RECORDINGS / "oracle" / file)
    return table.rename(columns=str.strip)


def bars_of(table: pd.DataFrame) -> list[Bar]:
    """Return the table's bars; what it has not got is its close, and a volume of 1."""
    close = table.get("close", table.get("Close"))
    columns = [table.get(name, table.get(name.capitalize(), close)) for name in ("open", "high", "low", "close")]
    volume = table.get("Volume", close * 0 + 1)
    rows = zip(*(column.astype(float).tolist() for column in (*columns, volume)), strict=True)
    return [Bar(i, *row) for i, row in enumerate(rows)]


@needs_data
@pytest.mark.parametrize(
    ("column", "kind", "told"),
    [
        ("ta.sma(close, 10)", "sma", {"period": 10}),
        ("ta.sma(hl2, 20)", "sma", {"period": 20, "input": "hl2"}),
        ("ta.sma(hlc3, 15)", "sma", {"period": 15, "input": "hlc3"}),
        ("ta.ema(close, 20)", "ema", {"period": 20}),
        ("ta.ema(ohlc4, 10)", "ema", {"period": 10, "input": "ohlc4"}),
        ("ta.rma(high, 15)", "rma", {"period": 15, "input": "high"}),
        ("ta.wma(close, 5)", "wma", {"period": 5}),
        ("ta.wma(close, 20)", "wma", {"period": 20}),
        ("ta.mfi(close, 14)", "mfi", {"input": "close"}),
        ("ta.rsi(close, 14)", "rsi", {}),
        ("ta.tr(true)", "true_range", {}),
        ("ta.atr(14)", "atr", {}),
        ("ta.stoch(close, high, low, 20)", "stochastic", {"period": 20}),
    ],
)
def test_an_export_of_tradingview_is_reproduced_with_its_nulls(column: str, kind: str, told: dict[str, object]) -> None:
    files = ("ma.csv", "mfi+rsi+stoch.csv", "tr.csv")
    tables = [table_of(f"pynecore_tradingview/{file}") for file in files]
    (table,) = (table for table in tables if column in table)
    found, *_ = history(kind, bars_of(table), **told).values()
    np.testing.assert_allclose(found, table[column].to_numpy(float), rtol=1e-12, atol=0)


@needs_data
@pytest.mark.parametrize(
    ("file", "kind", "told", "columns", "since"),
    [
        ("lean/spy_bollinger_bands.txt", "bollinger", {}, [TOP, "Moving Average 20", BOTTOM], 0),
        ("lean/spy_ema.csv", "ema", {"period": 14}, ["EMA14"], 0),
        ("lean/spy_with_indicators.txt", "sma", {"period": 14}, ["SMA14"], 0),
        ("lean/spy_with_indicators.txt", "rsi", {}, ["RSI 14 Wilder"], 0),
        ("lean/spy_with_indicators.txt", "macd", {}, ["MACD 12 26"], 26),
        ("ta_chartschool/cs-bbands.csv", "bollinger", {}, ["HighBand", "MiddleBand", "LowBand"], 0),
    ],
)
def test_a_published_table_is_reproduced(
    file: str, kind: str, told: dict[str, object], columns: list[str], since: int
) -> None:
    table = table_of(file)
    found = list(history(kind, bars_of(table), **told).values())
    for name, values in zip(columns, found, strict=False):
        expected = table[name].to_numpy(float)
        assert np.isfinite(expected[since:]).sum() > 20
        digits = 1e-6 * table.get("close", table.get("Close")).max()  # macd is printed with those of the price
        np.testing.assert_allclose(values[since:], expected[since:], rtol=0, atol=digits, err_msg=name)


@needs_data
def test_a_published_plain_mean_of_the_true_range_is_reproduced() -> None:
    table = table_of("lean/spy_atr.txt")
    ranges, mean = history("true_range", bars_of(table))[""], scalar("sma", period=14)
    found = np.array([mean.update(x) for x in ranges])
    expected = table["Average True Range 14"].to_numpy(float)
    there = np.isfinite(expected) & (np.arange(len(table)) > 14) & (np.arange(len(table)) < len(table) - 1)
    assert there.sum() > 400
    np.testing.assert_allclose(found[there], expected[there], rtol=1e-5)


@needs_data
def test_a_published_on_balance_volume_moves_alike() -> None:
    table = table_of("lean/spy_with_obv.txt")
    expected, found = table["OBV"].to_numpy(float), history("obv", bars_of(table))[""]
    whole = slice(1, -1)  # the last row is of a bar that was still open
    np.testing.assert_allclose(np.diff(found)[whole], np.diff(expected)[whole], rtol=1e-5, atol=1e3)
