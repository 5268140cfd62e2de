import json
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dashboard_market import Market

from dashboard.bars import PRICES, chart_bars
from dashboard.charts import figure
from dashboard.indicators.choice import Choice, picked
from dashboard.indicators.traces import flips, indicator_traces
from dashboard.panes import DARK, DOWN, UP
from plant.indicators.bars import Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.scalar import Scalar

MARKET = Market(260)
ROWS = MARKET.rows("bars")
BARS = chart_bars(ROWS[ROWS["sym"] == "AAPL"], None, "1m", "UTC", columns=())


def bars_with(*choices: Choice) -> pd.DataFrame:
    bars = BARS
    for choice in choices:
        one = Scalar(choice.declaration)
        rows_of = zip(bars["time_ns"], *(bars[name] for name in PRICES), strict=True)
        values = np.array([one.update(Bar(*row)) for row in rows_of], np.float64).reshape(len(bars), -1)
        bars = bars.assign(**dict(zip(choice.columns, values.T, strict=True)))
    return bars


def test_every_kind_of_the_catalogue_is_drawn_in_its_pane() -> None:
    for name, kind in CATALOGUE.items():
        choice = picked(name, {key: "close" for key, column in kind.inputs if key and not column})
        made = figure(bars_with(choice), None, [choice.text], [choice], key="k")
        json.dumps(made, allow_nan=False)
        axes = {trace["yaxis"] for trace in made["data"] if trace["uid"].startswith(("picked_", name))}
        assert axes == {"y" if kind.pane == "price" else "y2"}, name
        assert len({trace["uid"] for trace in made["data"]}) == len(made["data"])


def test_plotly_accepts_all_forms_together() -> None:
    choices = [
        picked(kind, {}) for kind in ("ut_bot", "psar", "heikin_ashi", "ichimoku", "macd", "CDLDOJI", "rsi", "cci")
    ]
    made = figure(bars_with(*choices), None, [choice.text for choice in choices], choices, key="k")
    go.Figure(made)
    assert made["layout"]["meta"]["height"] == 640 + 110
    levels = {shape["y0"] for shape in made["layout"]["shapes"] if shape["yref"] == "y4"}
    assert {30, 70} <= levels
    assert made["layout"]["yaxis4"]["range"] == [0, 100]


def test_the_ut_bot_is_a_line_that_changes_side_and_its_signals_are_markers() -> None:
    choice = picked("ut_bot", {"key": 2})
    bars = bars_with(choice)
    up, down = indicator_traces(bars, choice, "y", DARK.others, DARK)
    assert (up["line"]["color"], down["line"]["color"]) == (UP, DOWN)
    stop, position = (bars[column].to_numpy() for column in choice.columns)
    for trace, mine in ((up, position > 0), (down, position < 0)):
        given = np.array([np.nan if y is None else y for y in trace["y"]])
        np.testing.assert_allclose(given, np.where(mine, stop, np.nan), rtol=1e-11)
    assert up["showlegend"]
    assert not down["showlegend"]
    found = flips(bars, choice)
    assert not flips(bars, replace(choice, declared=True))  # those are rows of `signals`
    assert {side for _, side, *_ in found} == {"buy", "sell"}
    for i, side, name, reason in found:
        assert position[i] == (1 if side == "buy" else -1) != position[i - 1]
        assert name == choice.label
        assert "stop" in reason
    markers = {
        t["uid"]: t["x"]
        for t in figure(bars, None, [choice.text], [choice], key="k")["data"]
        if t["uid"] in ("buy", "sell")
    }
    assert markers["buy"] == [i for i, side, *_ in found if side == "buy"]
    assert markers["sell"] == [i for i, side, *_ in found if side == "sell"]


def test_a_bar_that_still_forms_raises_no_signal_of_the_ut_bot() -> None:
    choice = picked("ut_bot", {"key": 2})
    bars = bars_with(choice)
    last = max(i for i, *_ in flips(bars, choice))
    assert last not in [i for i, *_ in flips(bars.iloc[: last + 1], choice)]
    assert last in [i for i, *_ in flips(bars.iloc[: last + 2], choice)]


def test_two_edges_have_an_area_below_all_lines() -> None:
    choice = picked("keltner", {})
    made = figure(bars_with(choice), None, [choice.text], [choice], key="k")["data"]
    assert [trace["meta"].get("area") for trace in made][1] == [choice.columns[0], choice.columns[2]]
    assert sum(bool(trace["meta"].get("area")) for trace in made) == 1


def test_an_indicator_of_the_users_own_has_lines_in_a_pane_below() -> None:
    from dashboard.indicators.choice import declared_choices
    from plant.indicators.declarations import declared

    (own,) = declared_choices(
        declared([{"name": "mine", "kind": "my.mod:Mine", "outputs": ["a", "b"]}], False)
    ).values()
    bars = bars_with().assign(mine_a=1.0, mine_b=2.0)
    made = figure(bars, None, ["mine"], [own], key="k")
    assert [(t["uid"], t["yaxis"]) for t in made["data"]] == [("candles", "y"), ("mine_a", "y2"), ("mine_b", "y2")]
