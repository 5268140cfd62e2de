import json
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from dashboard_market import SESSION_BARS, Market

from dashboard.bars import chart_bars
from dashboard.charts import figure as figure_of
from dashboard.charts import signal_label, signal_markers
from dashboard.indicators.choice import SIGNALS, VOLUME, declared_choices
from dashboard.panes import DARK, LIGHT
from dashboard.tables import chart_signals
from plant.indicators.declarations import DEFAULTS

MARKET = Market(500)
CHOICES = tuple(declared_choices(DEFAULTS).values())
LAYERS = (VOLUME, *(choice.text for choice in CHOICES), SIGNALS)


def figure(bars: pd.DataFrame, signals: pd.DataFrame | None, shown: tuple[str, ...], **options: Any) -> dict[str, Any]:
    return figure_of(bars, signals, shown, options.pop("choices", CHOICES), **options)


def bars_of(market: Market = MARKET) -> pd.DataFrame:
    rows, indicators = market.rows("bars"), market.rows("indicators")
    return chart_bars(rows[rows["sym"] == "AAPL"], indicators[indicators["sym"] == "AAPL"], "1m", "America/New_York")


def signals_of(market: Market = MARKET) -> pd.DataFrame | None:
    return chart_signals(market.rows("signals"), "AAPL", "1m")


def traces(shown: tuple[str, ...] = LAYERS) -> dict[str, Any]:
    return {trace["uid"]: trace for trace in figure(bars_of(), signals_of(), shown, key="AAPL 1m")["data"]}


def test_plotly_accepts_the_whole_figure() -> None:
    made = figure(bars_of(), signals_of(), LAYERS, key="AAPL 1m")
    drawn = go.Figure(made)  # raises ValueError for a property it does not know
    assert len(drawn.data) == len(made["data"]) == 16


def test_the_figure_is_strict_json_although_indicators_begin_unknown() -> None:
    text = json.dumps(figure(bars_of(), signals_of(), LAYERS, key="AAPL 1m"), allow_nan=False)
    assert json.loads(text)["data"][0]["type"] == "candlestick"
    assert traces()["sma_20"]["y"][:19] == [None] * 19


@pytest.mark.parametrize(
    ("layer", "uids"),
    [
        ("volume", {"volume"}),
        ("sma_20", {"sma_20"}),
        ("ema_20", {"ema_20"}),
        ("ema_50", {"ema_50"}),
        ("bb", {"bb_upper", "bb_middle", "bb_lower", "bb_fill"}),
        ("rsi_14", {"rsi_14"}),
        ("macd", {"macd", "macd_signal", "macd_histogram"}),
        ("signals", {"buy", "sell", "withdrawn"}),
    ],
)
def test_each_layer_can_be_switched_off(layer: str, uids: set[str]) -> None:
    without = traces(tuple(name for name in LAYERS if name != layer))
    assert traces().keys() - without.keys() == uids
    assert traces((layer,)).keys() == {"candles", *uids}


def test_panes_share_the_height_without_touching_and_follow_what_is_shown() -> None:
    def domains(shown: tuple[str, ...]) -> list[tuple[float, float]]:
        layout = figure(bars_of(), None, shown, key="k")["layout"]
        return [tuple(axis["domain"]) for name, axis in layout.items() if name.startswith("yaxis")]

    full = domains(LAYERS)
    assert len(full) == 4
    assert full[0][1] == 1.0
    assert full[-1][0] == 0.0
    assert all(upper[0] > lower[1] for upper, lower in pairwise(full))
    assert domains(("sma_20",)) == [(0.0, 1.0)]


def test_bars_lie_side_by_side_over_the_night_and_a_line_marks_the_new_day() -> None:
    made = figure(bars_of(), None, LAYERS, key="k")
    assert made["data"][0]["x"] == list(range(500))
    days = [shape["x0"] for shape in made["layout"]["shapes"] if shape.get("xref") == "x"]
    assert days == [SESSION_BARS - 0.5]


def test_zoom_is_kept_while_the_key_stays() -> None:
    assert figure(bars_of(), None, (), key="AAPL 1m")["layout"]["uirevision"] == "AAPL 1m"


def test_rsi_has_its_lines_at_30_and_70_and_a_range_of_its_own() -> None:
    layout = figure(bars_of(), None, ("rsi_14",), key="k")["layout"]
    assert layout["yaxis2"]["range"] == [0, 100]
    assert {30, 70} <= {shape["y0"] for shape in layout["shapes"] if shape["yref"] == "y2"}


def test_signals_become_markers_at_their_bars_with_their_reasons() -> None:
    signals = signals_of()
    assert signals is not None
    buy, sell, withdrawn = signal_markers(bars_of(), signals)
    assert withdrawn["x"] == []
    assert len(buy["x"]) + len(sell["x"]) == len(signals.drop_duplicates(["time_ns", "side"]))
    assert len(buy["x"]) > 0
    lows = bars_of()["low"]
    assert all(y < lows[x] for x, y in zip(buy["x"], buy["y"], strict=True))
    first = signals[signals["side"] == "buy"].iloc[0]
    assert buy["customdata"][0][0] == [signal_label(first["signal"]), first["detail"]]


def test_two_signals_of_one_bar_share_a_marker() -> None:
    signals = signals_of()
    assert signals is not None
    one = signals[signals["side"] == "buy"].head(1)
    buy, *_ = signal_markers(bars_of(), pd.concat([one, one.assign(signal="macd_cross_up", detail="why")]))
    assert len(buy["x"]) == 1
    assert [signal for signal, _ in buy["customdata"][0]][1] == "MACD cross up"


def test_signals_of_bars_not_loaded_or_of_no_known_side_have_no_marker() -> None:
    signals = signals_of()
    assert signals is not None
    elsewhere = pd.concat([signals.assign(time_ns=5), signals.assign(side="hold")])
    assert [trace["x"] for trace in signal_markers(bars_of(), elsewhere)] == [[], [], []]
    assert [trace["x"] for trace in signal_markers(bars_of(), None)] == [[], [], []]


def test_a_single_bar_makes_a_figure() -> None:
    made = figure(bars_of(Market(1)), None, LAYERS, key="k")
    assert made["layout"]["xaxis"]["range"] == [-0.5, 6.5]


def test_a_hole_in_the_bands_stays_open() -> None:
    bars = bars_of()
    bars.loc[100:119, ["bb_upper", "bb_lower"]] = np.nan
    fill = next(t for t in figure(bars, None, LAYERS, key="k")["data"] if t["uid"] == "bb_fill")
    outlines = [[*run] for known, run in groupby(fill["x"], lambda x: x is not None) if known]
    assert [(min(xs), max(xs)) for xs in outlines] == [(50, 99), (120, 499)]
    assert all(xs[0] == xs[-1] for xs in outlines), "there and back again"
    assert not any("fill" in t for t in figure(bars, None, LAYERS, key="k")["data"] if t["uid"] != "bb_fill")


@pytest.mark.parametrize("size", [1e-8, 1e-12, 1e-30])
def test_small_prices_are_drawn_and_told_with_their_digits(size: float) -> None:
    bars = bars_of()
    prices = ["open", "high", "low", "close", "sma_20", "bb_upper"]
    expected = bars[prices] * size / 100
    small = bars.assign(**{name: expected[name] for name in prices})
    made = figure(small, None, LAYERS, key="k")
    drawn = {trace["uid"]: trace for trace in made["data"]}
    assert drawn["candles"]["close"] == pytest.approx(expected["close"].tolist(), rel=1e-9, abs=0)
    assert drawn["sma_20"]["y"][60:] == pytest.approx(expected["sma_20"].tolist()[60:], rel=1e-9, abs=0)
    assert float(made["layout"]["meta"]["last"]["text"]) == pytest.approx(expected["close"].iloc[-1], rel=1e-5, abs=0)


def test_small_volumes_are_told_with_their_digits() -> None:
    made = figure(bars_of().assign(volume=0.00125), None, LAYERS, key="k")["data"]
    assert next(trace for trace in made if trace["uid"] == "volume")["meta"]["digits"] == 5


def test_a_light_page_has_a_light_chart() -> None:
    layout = figure(bars_of(), None, LAYERS, key="k", palette=LIGHT)["layout"]
    assert (layout["paper_bgcolor"], layout["xaxis"]["gridcolor"]) == ("#ffffff", LIGHT.grid)
    assert figure(bars_of(), None, LAYERS, key="k")["layout"]["paper_bgcolor"] == DARK.surface
