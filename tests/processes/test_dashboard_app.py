import doctest
import importlib
import json
import pkgutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from dashboard_market import PRICES, Market, alerts
from streamlit import config
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard.connections import Connections
from plant.runtime.sections import FeedSection

HOME = Path(dashboard.__file__).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules([str(HOME)]))


def page(connections: Connections) -> AppTest:
    def script(connections):  # type: ignore[no-untyped-def]
        from dashboard.app import main

        main(connections)

    return AppTest.from_function(script, args=(connections,), default_timeout=100).run()


def badges(at: AppTest) -> str:
    return " ".join(element.value for element in at.markdown)


def charts(at: AppTest) -> list[Any]:
    found = [element.proto for element in at.get("bidi_component")]
    return [proto for proto in found if proto.component_name == "tickplant.chart"]


def signals(at: AppTest) -> list[list[str]]:
    """Return the rows of the list of signals, oldest first."""
    found = [element.proto for element in at.get("bidi_component")]
    (proto,) = [proto for proto in found if proto.component_name == "tickplant.signals"]
    rows: list[list[str]] = json.loads(proto.json)["whole"]["rows"]
    return rows


def test_a_live_plant_shows_chart_signals_and_what_it_is() -> None:
    at = page(Market().connections())
    assert not at.exception
    assert not at.error
    assert len(charts(at)) == 1
    for text in ("rdb up", "processor up", "live · last tick", "simulated data"):
        assert text in badges(at)
    assert at.selectbox(key="symbol").options == sorted(PRICES)
    assert len(signals(at)) > 10


class TwoIntervals(Market):
    """A market in which AAPL has 5-minute bars too, of the same times."""

    def rows(self, table: str) -> pd.DataFrame:
        rows = super().rows(table)
        if "interval" not in rows.columns:
            return rows
        return pd.concat([rows, rows[rows["sym"] == "AAPL"].assign(interval="5m")]).sort_values("time", kind="stable")


def test_intervals_are_switched_and_a_symbol_without_the_interval_shows_its_own() -> None:
    at = page(TwoIntervals().connections())
    switch = at.get_by_key("interval")
    assert (switch.options, switch.value) == (["1m", "5m"], "1m")
    switch.set_value("5m").run()
    assert '"AAPL 5m"' in charts(at)[0].json
    at.selectbox(key="symbol").select("TSLA").run()
    assert not at.exception
    assert '"TSLA 1m"' in charts(at)[0].json


def test_data_of_another_source_is_not_called_simulated() -> None:
    assert "simulated data" not in badges(page(Market(source="finazon").connections()))


def test_a_recording_that_is_played_again_is_called_so() -> None:
    feed = FeedSection(kind="recorded", name="february")
    connections = replace(Market(source="built:february").connections(), feeds=(feed,))
    assert "played back, not live" in badges(page(connections))
    live = FeedSection(kind="finazon", name="february")
    assert "played back" not in badges(page(replace(connections, feeds=(live,))))


def test_another_symbol_is_asked_for_and_shown() -> None:
    market = Market()
    at = page(market.connections())
    at.selectbox(key="symbol").select("TSLA").run()
    assert not at.exception
    asked = [(table, query["sym"]) for who, table, query in market.asked if query.get("sym") == "TSLA"]
    assert {table for table, _ in asked} == {"bars", "indicators", "signals"}
    assert '"TSLA 1m"' in charts(at)[0].json


def test_a_new_session_begins_with_the_symbol_and_interval_of_its_address() -> None:
    def script(connections):  # type: ignore[no-untyped-def]
        from dashboard.app import main

        main(connections)

    at = AppTest.from_function(script, args=(TwoIntervals().connections(),), default_timeout=100)
    at.query_params["symbol"] = "AAPL"
    at.query_params["interval"] = "5m"
    assert '"AAPL 5m"' in charts(at.run())[0].json
    at.selectbox(key="symbol").select("TSLA").run()
    assert '"TSLA 1m"' in charts(at)[0].json, "what is picked then counts, not the address"


def test_signals_of_cheap_and_dear_symbols_show_each_price_with_its_digits() -> None:
    class Cheap(Market):
        def rows(self, table: str) -> pd.DataFrame:
            rows = super().rows(table)
            if table == "signals":
                rows.loc[rows["sym"] == "TSLA", "price"] = 1.23456e-8
            return rows

    at = page(Cheap().connections())
    assert "0.0000000123456" in {row[5] for row in signals(at)}


def test_a_switched_off_layer_leaves_the_figure() -> None:
    at = page(Market().connections())
    assert '"rsi_14"' in charts(at)[0].json
    shown = at.get_by_key("layers")
    shown.set_value([layer for layer in shown.value if layer != "rsi_14"]).run()
    assert '"rsi_14"' not in charts(at)[0].json


def test_no_bars_yet_asks_whether_a_feed_is_running() -> None:
    at = page(Market(bars=0).connections())
    assert not at.exception
    assert "No bars yet" in badges(at)
    assert any("Is a feed running" in caption.value for caption in at.caption)
    assert at.dataframe[0].value["process"].tolist() == ["feed-simulated", "processor", "rdb", "tickerplant"]
    assert not charts(at)


def test_every_process_has_a_badge() -> None:
    shown = badges(page(Market().connections())).replace("\\", "")
    for name in ("tickerplant", "rdb", "processor", "hdb", "feed-simulated"):
        assert f"{name} up" in shown
    assert "capture stopped" not in shown


def test_without_the_tickerplant_capture_is_stopped_and_nothing_is_called_live() -> None:
    market = Market()
    at = page(market.connections())
    market.capturing = False
    at.run()
    assert not at.exception
    assert ":red-badge[:material/emergency_home: capture stopped]" in badges(at)
    assert "feed-simulated not known" in badges(at).replace("\\", "")
    assert "live" not in badges(at)
    assert "Capture stopped" in at.error[0].value
    assert "supervisorctl start tickerplant" in at.error[0].value


def test_a_paused_page_judges_nothing_by_rows_that_it_does_not_ask_for() -> None:
    at = page(Market().connections())
    at.toggle(key="paused").set_value(True).run()
    shown = badges(at).replace("\\", "")
    for text in (
        "paused",
        "tickerplant up",
        "feed-simulated not known",
        ":gray-badge[:material/sensors_off: last known",
    ):
        assert text in shown
    at.toggle(key="paused").set_value(False).run()
    assert "feed-simulated up" in badges(at).replace("\\", "")


def test_symbols_with_trades_or_quotes_and_no_bars_are_shown_too() -> None:
    market = Market()
    minutes = pd.date_range("2025-11-20 15:00", periods=30, freq="20s", tz="UTC")
    market.trades = pd.DataFrame({"time": minutes, "sym": "PEPE", "price": 1.23e-8})
    market.quotes = pd.DataFrame({"time": minutes[:1], "sym": "ZBOND", "bid": [99.5], "ask": [float("nan")]})
    at = page(market.connections())
    assert at.selectbox(key="symbol").options == sorted([*PRICES, "PEPE", "ZBOND"])
    at.selectbox(key="symbol").select("PEPE").run()
    assert not at.exception
    assert "PEPE has trades, and no bars yet" in at.info[0].value
    assert "intervals is empty" in at.info[0].value
    at.selectbox(key="symbol").select("ZBOND").run()
    assert not at.exception
    assert "bid 99" in at.info[0].value
    assert "ask not known" in at.info[0].value


def test_a_plant_of_quotes_alone_has_a_page() -> None:
    market = Market(bars=0)
    market.quotes = pd.DataFrame({"time": pd.to_datetime([0], utc=True), "sym": "ZBOND", "bid": [99.5], "ask": [100.5]})
    at = page(market.connections())
    assert not at.exception
    assert "No bars yet" not in badges(at)
    assert at.selectbox(key="symbol").options == ["ZBOND"]


def test_an_rdb_that_never_answered_says_where_it_was_sought_and_what_to_do() -> None:
    market = Market()
    market.up = False
    at = page(market.connections())
    assert not at.exception
    assert "rdb down" in badges(at)
    assert "No data: the rdb is not answering" in badges(at)
    assert "tcp://127.0.0.1:5006" in at.error[0].value
    assert "supervisorctl start rdb" in at.error[0].value


def test_an_rdb_that_went_away_leaves_the_chart_marked_stale_and_comes_back() -> None:
    market = Market()
    at = page(market.connections())
    market.up = False
    at.run()
    assert not at.exception
    assert '"stale": true' in charts(at)[0].json
    assert "stale chart" in charts(at)[0].json
    assert "last known tick" in badges(at)
    market.up = True
    at.run()
    assert not at.error
    assert '"stale": false' in charts(at)[0].json


def test_without_the_processor_candles_stay_live_and_overlays_are_called_old() -> None:
    market = Market()
    at = page(market.connections())
    market.processor_up = False
    market.advance(3)
    at.run()
    assert not at.exception
    assert "processor down" in badges(at)
    assert "rdb up" in badges(at)
    assert '"stale": false' in charts(at)[0].json
    assert "overlays as of" in charts(at)[0].json


def test_a_processor_that_was_never_there_leaves_candles_without_overlays() -> None:
    market = Market()
    market.processor_up = False
    at = page(market.connections())
    assert not at.exception
    assert "no overlays" in charts(at)[0].json
    assert "No signals yet." in [caption.value for caption in at.caption]


def test_the_data_panel_shows_the_bars_and_the_system_panel_the_processes() -> None:
    at = page(Market(120).connections())
    at.session_state["panel"] = "Data"
    at.run()
    assert len(at.dataframe[0].value) == 120
    at.session_state["panel"] = "System"
    at.run()
    assert not at.exception
    assert at.dataframe[0].value["process"].tolist() == ["feed-simulated", "processor", "rdb", "tickerplant"]


def test_intervals_that_are_built_are_a_choice_and_so_are_those_that_only_the_plant_has() -> None:
    market = TwoIntervals()
    at = page(market.connections(intervals=("1m", "1h")))
    assert at.get_by_key("interval").options == ["1m", "5m", "1h"]
    at.get_by_key("interval").set_value("1h").run()
    assert not at.exception
    assert "No bars of AAPL in 1h are known" in at.info[0].value
    at.get_by_key("interval").set_value("5m").run()
    assert '"AAPL 5m"' in charts(at)[0].json
    market.sql_up = False
    at.run()
    assert at.get_by_key("interval").options == ["1m", "5m", "1h"], "the newest bars tell it too"


def test_a_symbol_that_has_only_trades_waits_for_the_processors_candles() -> None:
    market = Market(bars=0)
    market.trades = pd.DataFrame({"time": pd.to_datetime([0], utc=True), "sym": "PEPE", "price": [1.0]})
    at = page(market.connections(intervals=("1m", "5m")))
    assert not at.exception
    assert "The processor builds them as soon as it sees the trades" in at.info[0].value
    assert at.get_by_key("interval").options == ["1m", "5m"]


def test_withdrawn_signals_are_told_in_the_list_and_on_the_chart() -> None:
    market = Market()
    market.withdraw("AAPL", back=300)
    at = page(market.connections())
    assert {row[7] for row in signals(at)} == {"", "withdrawn"}
    chart = json.loads(charts(at)[0].json)["whole"]
    assert len(chart["traces"]["withdrawn"]["x"]) > 3


def test_alerts_have_a_tab() -> None:
    market = Market(120)
    at = page(market.connections())
    at.session_state["panel"] = "Alerts"
    at.run()
    assert any("No alert yet" in caption.value for caption in at.caption)
    market.alerts = alerts(
        ("2025-11-20 15:00", "AAPL", "golden_cross", "json://127.0.0.1", "sent", 1, 0, "SMA 20 crossed"),
        ("2025-11-20 15:01", "feed-simulated", "feed_stale", "json://127.0.0.1", "failed", 3, 2, "silent for 60 s"),
    )
    at.run()
    assert not at.exception
    assert at.dataframe[0].value["state"].tolist() == ["failed", "sent"]


@pytest.fixture
def on_loopback() -> Iterator[None]:
    """As the configuration beside the script says, which AppTest does not read."""
    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


@pytest.mark.usefixtures("on_loopback")
def test_the_script_itself_stands_a_plant_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dashboard.connections.TIMEOUT_S", 0.05)
    for section in ("RDB", "PROCESSOR"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            monkeypatch.setenv(f"PLANT_{section}__PORT", str(free.getsockname()[1]))
    st.cache_resource.clear()
    at = AppTest.from_file(str(HOME / "app.py"), default_timeout=100).run()
    assert not at.exception
    assert "No data: the rdb is not answering" in badges(at)
    assert "processor down" in badges(at)


def test_settings_that_cannot_be_used_are_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLANT_CONFIG", str(tmp_path / "missing.toml"))
    st.cache_resource.clear()
    at = AppTest.from_file(str(HOME / "app.py"), default_timeout=100).run()
    assert not at.exception
    assert "missing" in at.error[0].value


def test_no_module_is_named_like_a_package_that_others_import() -> None:
    """`streamlit run dashboard/app.py` puts dashboard/ first on the path, so such a name would hide the package."""
    elsewhere = [path for path in sys.path if Path(path or ".").resolve() != HOME]
    hidden = {module.name for module in pkgutil.iter_modules(elsewhere)} | set(sys.stdlib_module_names)
    assert not hidden & set(MODULES)


def test_the_time_zone_of_the_settings_reaches_the_header() -> None:
    at = page(Market().connections(time_zone="Asia/Tokyo"))
    assert any("Asia/Tokyo" in caption.value for caption in at.caption)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docstrings_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"dashboard.{name}")).failed == 0
