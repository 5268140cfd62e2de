"""What the page shows beside candles, from its address, its switches and its picker, by Streamlit's own AppTest."""

import json
from typing import Any

import numpy as np
import pytest
from dashboard_market import Market
from streamlit.testing.v1 import AppTest

from dashboard.bars import chart_bars
from dashboard.connections import Connections
from dashboard.indicators.choice import picked
from plant.indicators.bars import Bar
from plant.indicators.declarations import declared
from plant.indicators.scalar import Scalar

OWN = declared([{"name": "fast", "kind": "ema", "period": 9}, {"name": "hourly", "kind": "ema", "intervals": ["1h"]}])


def page(connections: Connections, **address: str) -> AppTest:
    def script(connections):  # type: ignore[no-untyped-def]
        from dashboard.app import main

        main(connections)

    at = AppTest.from_function(script, args=(connections,), default_timeout=100)
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def chart(at: AppTest) -> dict[str, Any]:
    protos = [element.proto for element in at.get("bidi_component")]
    found: dict[str, Any] = next(json.loads(p.json) for p in protos if p.component_name == "tickplant.chart")
    return found


def test_at_first_the_usual_is_shown_and_the_address_says_nothing_of_it() -> None:
    at = page(Market().connections())
    whole = chart(at)["whole"]
    assert whole["address"] == {"symbol": "AAPL", "interval": "1m", "show": None, "annotations": None}
    assert {"candles", "volume", "sma_20", "ema_50", "rsi_14", "macd", "bb_fill", "buy"} <= set(whole["order"])
    assert "ema_20" not in whole["order"]


def test_what_is_picked_is_drawn_and_stands_in_the_address_from_which_a_new_session_shows_it() -> None:
    market = Market()
    at = page(market.connections())
    at.selectbox(key="pick_kind").select("stochastic").run()
    at.number_input(key="of_stochastic_period").set_value(21).run()
    at.button(key="add_indicator").click().run()
    assert not at.exception
    text = picked("stochastic", {"period": 21}).text
    whole = chart(at)["whole"]
    assert whole["address"]["show"].endswith(f"macd;bb;{text};signals")
    k, d = picked("stochastic", {"period": 21}).columns
    assert {k, d} <= set(whole["order"])
    again = page(market.connections(), show=whole["address"]["show"])
    assert chart(again)["whole"]["address"]["show"] == whole["address"]["show"]
    assert chart(again)["whole"]["traces"][k]["y"] == whole["traces"][k]["y"]
    levels = {shape["y0"] for shape in whole["layout"]["shapes"] if shape["yref"] == whole["traces"][k]["yaxis"]}
    assert levels == {20, 80}


def test_what_is_picked_has_the_numbers_of_all_bars_that_the_plant_has() -> None:
    market = Market(1500)
    at = page(market.connections(), show="rma(period=30)")
    choice = picked("rma", {"period": 30})
    rows = market.rows("bars")
    bars = chart_bars(rows[rows["sym"] == "AAPL"], None, "1m", "UTC", limit=1500)
    one = Scalar(choice.declaration)
    names = ("time_ns", "open", "high", "low", "close", "volume")
    values = [one.update(Bar(*row)) for row in zip(*(bars[name] for name in names), strict=True)]
    (column,) = choice.columns
    drawn = chart(at)["whole"]["traces"][column]["y"]
    assert len(drawn) == 1000
    np.testing.assert_allclose(drawn, values[-1000:], rtol=1e-10)
    market.advance()
    at.run()
    assert not at.exception


def test_what_is_picked_can_be_switched_off_and_taken_away() -> None:
    at = page(Market().connections(), show="sma_20;ema(period=9);rsi(period=5)")
    first, second = picked("ema", {"period": 9}), picked("rsi", {"period": 5})
    layers = at.get_by_key("layers")
    assert layers.value == ["sma_20", first.text, second.text]
    layers.set_value(["sma_20", second.text]).run()
    assert chart(at)["whole"]["address"]["show"] == f"sma_20;{second.text}"
    assert first.columns[0] not in chart(at)["whole"]["order"]
    at.multiselect(key="on_chart").set_value([first.text]).run()
    assert not at.exception
    assert at.get_by_key("layers").value == ["sma_20"]
    assert len(at.get_by_key("layers").options) == 9


def test_what_is_declared_can_be_shown_and_says_where_it_is_not_computed() -> None:
    class Declared(Market):
        def rows(self, table: str) -> Any:
            rows = super().rows(table)
            return rows.assign(fast=rows["close"] - 1, hourly=np.nan) if table == "indicators" else rows

    at = page(Declared().connections(declarations=OWN))
    at.selectbox(key="pick_declared").select("fast").run()
    at.button(key="show_declared").click().run()
    assert not at.exception
    assert "fast" in chart(at)["whole"]["order"]
    at.selectbox(key="pick_declared").select("hourly").run()
    at.button(key="show_declared").click().run()
    assert "hourly is not declared for AAPL 1m" in json.dumps(chart(at)["notes"])
    assert chart(at)["whole"]["address"]["show"].endswith(";fast;hourly;signals")


@pytest.mark.parametrize("show", ["rsi(period=0)", "rsi_41", "<img src=x onerror=alert(1)>", "MA(timeperiod=99999999)"])
def test_an_address_with_what_cannot_be_shown_says_so_and_shows_the_rest(show: str) -> None:
    at = page(Market().connections(), show=f"sma_20;{show}")
    assert not at.exception
    assert "cannot be shown" in at.toast[0].value
    assert chart(at)["whole"]["order"] == ["candles", "sma_20"]


def test_parameters_that_only_talib_refuses_are_told_above_the_chart() -> None:
    at = page(Market().connections(), show="MACDEXT(fastperiod=100000)")
    assert not at.exception
    assert chart(at)["whole"]["order"][0] == "candles"


def test_the_processor_being_away_leaves_what_is_computed_here() -> None:
    market = Market()
    market.processor_up = False
    at = page(market.connections(), show="ema(period=9)")
    (column,) = picked("ema", {"period": 9}).columns
    assert None not in chart(at)["whole"]["traces"][column]["y"][8:]
