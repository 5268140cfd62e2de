"""The pages Strategies, Testing and Orders over a real plant: in Chromium, and as Streamlit draws them."""

import os
import random
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import SLOW_MS, chromium
from forked import Forker
from running import RunningPlant, all_stopped
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest
from trading_plant import TOML, TradingPlant, closed_bars

from dashboard.connections import Connections, live_connections
from plant.control.writing import give_command
from plant.errors import Refused

Eventually = Callable[..., Any]

BARS = 400
pytestmark = pytest.mark.timeout(360)

REAL = """
[[accounts]]
name = "swing-1"
broker = "alpaca"
mode = "live"
limits = { max_order_qty = 100, max_daily_loss = 500 }
"""
"""An account with real money, without a key: its ticket is drawn, and nothing is ever sent."""


class PagesPlant(TradingPlant):
    """A TradingPlant with the dashboard, and bars of AAPL."""

    def served(self) -> str:
        """Start the dashboard, and return its address once it answers."""
        self.processes["dashboard"] = RunningPlant.spawn(self, "dashboard")
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.settings.dashboard_url}/_stcore/health", timeout=2):
                    return self.settings.dashboard_url
            except OSError:
                assert time.monotonic() < deadline, self.log("dashboard")
                time.sleep(0.1)

    def trade(self, count: int, start: int = 0) -> None:
        """Publish bars of AAPL, and that they closed."""
        feed = self.publisher(f"bars-{time.time_ns()}")
        for row in closed_bars(random.Random(count), count, ("AAPL",), start):
            told = {name: row[name] for name in ("sym", "interval", "open", "high", "low", "close", "volume")}
            feed.publish("bars", {**told, "time": row["market_time"]})
            feed.publish("bar_closes", row)
        feed.flush()


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, forker: Forker) -> Iterator[PagesPlant]:
    with all_stopped() as plants:
        made = PagesPlant(tmp_path_factory.mktemp("pages") / "plant", forker, toml=TOML + REAL)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "trading")
        made.trade(BARS)
        yield made


@pytest.fixture(scope="module")
def connections(plant: PagesPlant) -> Connections:
    before = os.environ.get("PLANT_CONFIG")
    os.environ["PLANT_CONFIG"] = str(plant.config)
    try:
        return live_connections()
    finally:
        os.environ.pop("PLANT_CONFIG")
        if before is not None:
            os.environ["PLANT_CONFIG"] = before


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


class Visitor:
    """Somebody at the page: what is clicked and typed, and what the page asked for."""

    def __init__(self, browser: Any, address: str) -> None:
        self.page = browser.new_page(viewport={"width": 1400, "height": 1000})
        self.page.set_default_timeout(SLOW_MS)
        self.address, self.asked, self.errors = address, list[str](), list[str]()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def click(self, name: str, exact: bool = True) -> None:
        self.page.get_by_role("button", name=name, exact=exact).first.click()

    def see(self, text: str) -> None:
        self.page.get_by_text(re.compile(text)).first.wait_for()

    def pick(self, label: str, value: str) -> None:
        box = self.page.get_by_role("combobox", name=label).first
        box.click()
        box.fill(value)
        self.page.get_by_role("option", name=value, exact=True).first.click()
        self.page.keyboard.press("Escape")

    def write(self, key: str, text: str) -> None:
        self.page.locator(f".st-key-{key} input").fill(text)
        self.page.keyboard.press("Enter")

    def all_well(self) -> None:
        own = urlsplit(self.address).netloc
        elsewhere = {u for u in self.asked if not u.startswith(("data:", "blob:")) and urlsplit(u).netloc != own}
        assert not elsewhere
        assert not self.errors


@pytest.mark.soak  # one run of eight waits in vain for something on a page, also on a quiet machine
def test_a_strategy_is_created_tested_and_stopped_and_orders_are_given_cancelled_and_halted(
    plant: PagesPlant, browser: Any, eventually: Eventually
) -> None:
    visitor = Visitor(browser, plant.served())
    page = visitor.page

    visitor.go("/strategies")
    visitor.see("No strategy yet")
    visitor.click("New strategy", exact=False)
    visitor.write("new-name", "cross")
    visitor.pick("Class", "Cross")
    page.get_by_role("spinbutton", name="length").wait_for()
    visitor.write("new-Cross-length", "4")
    visitor.pick("Symbols", "AAPL")
    visitor.click("Create and start")
    visitor.see("cross is there: version 1, wanted running")
    visitor.see("1 strategy: 1 running")
    assert plant.rows("strategies")[0]["parameters"] == '{"length": 4, "size": 10.0}'
    visitor.click("Pause", exact=False)
    visitor.see("1 strategy: 1 paused")
    visitor.click("Stop", exact=False)
    visitor.see("1 strategy: 1 completed")

    page.get_by_role("link", name="Testing").click()
    visitor.pick("Class", "Cross")
    visitor.pick("Symbols", "AAPL")
    visitor.click("Run Cross on AAPL, 1m", exact=False)
    visitor.see("Backtest [0-9a-f]{12} is given")
    page.get_by_role("button", name="Download CSV").wait_for()
    page.locator(".tp-chart[data-revision]").wait_for()
    (run,) = {row["run"] for row in plant.rows("metrics")}
    page.wait_for_url(f"**runs={run}*")
    trips = {row["number"] for row in plant.rows("round_trips", where={"run": run})}
    visitor.see(f"{len(trips)} round trips")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 1 + len(trips)

    page.get_by_role("link", name="Orders").click()
    visitor.pick("Kind", "Limit")
    page.locator(".st-key-ticket-limit").wait_for()
    visitor.write("ticket-limit", "95")
    visitor.write("ticket-qty", "10")
    visitor.click("Buy 10 AAPL on PAPER account paper", exact=False)
    visitor.see("Buy 10 AAPL on PAPER account paper is accepted")
    (command,) = plant.rows("commands", where={"command": "order"})
    visitor.see("10 AAPL, limit 95, day")
    visitor.click("Cancel", exact=False)
    visitor.see("None is open")
    newest = plant.rows("orders", where={"cause_seq": command["seq"]})[-1]
    assert (newest["state"], newest["limit_price"], newest["strategy"]) == ("cancelled", 95.0, "manual")

    visitor.click("Kill switch", exact=False)
    visitor.click("Halt paper")
    visitor.see("halted by user:")
    visitor.write("ticket-qty", "10")
    visitor.click("Buy 10 AAPL on PAPER account paper", exact=False)
    visitor.see("is refused: risk: halted")
    visitor.click("Resume", exact=False)
    visitor.click("Resume paper")
    visitor.see("Account paper is resumed")
    visitor.all_well()
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("Orders", "Strategies", "Testing"):  # by its link: a page that is loaded anew costs seconds
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=name).wait_for()
        box = page.locator('[data-testid="stMain"]').evaluate("(main) => [main.scrollWidth, main.clientWidth]")
        assert box[0] <= box[1], f"{name} is wider than a phone"
    page.close()


def test_a_page_that_waits_for_the_trader_goes_on_by_itself(plant: PagesPlant, browser: Any) -> None:
    visitor = Visitor(browser, plant.served())
    page = visitor.page
    plant.kill("trading", signal.SIGSTOP)
    try:
        visitor.go("/testing")
        visitor.see("The trader is not answering")
        visitor.see("A backtest is run by the trader")
    finally:
        plant.kill("trading", signal.SIGCONT)
    page.get_by_role("combobox", name="Class").first.wait_for()
    assert page.get_by_text("The trader is not answering").count() == 0
    visitor.all_well()
    page.close()


def drawn(name: str, connections: Connections, **state: Any) -> AppTest:
    """Return a page as Streamlit draws it; `state` is what its session has, and `query` its address."""

    def script(name, connections):  # type: ignore[no-untyped-def]
        import importlib

        getattr(importlib.import_module(f"dashboard.{name}.page"), name)(connections)

    at = AppTest.from_function(script, args=(name, connections), default_timeout=60)
    for key, value in state.pop("query", {}).items():
        at.query_params[key] = value
    for key, value in state.items():
        at.session_state[key] = value
    found = at.run()
    assert not found.exception
    return found


def told(at: AppTest) -> str:
    """Return all that a page says in words."""
    kinds = (at.markdown, at.caption, at.error, at.success, at.warning, at.info)
    return re.sub(r"\\(.)", r"\1", " ".join(element.value for kind in kinds for element in kind))


def place(node: Any, key: str) -> list[int] | None:
    """Return by which numbers one comes to a widget of a page from its top, None if it is not there."""
    for number, child in getattr(node, "children", {}).items():
        if getattr(child, "key", None) == key:
            return [number]
        if (found := place(child, key)) is not None:
            return [number, *found]
    return None


def test_a_message_that_comes_or_goes_moves_nothing_of_the_page(connections: Connections) -> None:
    """Streamlit knows a fragment by its place, and loses a click in one that has moved meanwhile."""
    places = [
        place(drawn("orders", connections, **told).main, "earnings-by")
        for told in ({}, {"told_by_desk": ("success", "done")})
    ]
    assert places[0] is not None
    assert places[0] == places[1]


def test_a_form_that_stood_open_does_not_overwrite_what_another_wrote(
    plant: PagesPlant, connections: Connections
) -> None:
    plant.cross("shared", syms=("AAPL",), wanted="stopped", code_sha="")
    at = drawn("strategies", connections, query={"strategy": "shared"})
    assert "Cross · AAPL · 1m" in told(at)
    plant.change("shared", note="somebody else")
    at.number_input(key="edit-shared-1-Cross-length").set_value(9)
    at.button(key="save-shared").click().run()
    assert "shared is at version 2 by now, written by test; you saw version 1. Nothing was written" in told(at)
    at.number_input(key="edit-shared-2-Cross-length").set_value(9)
    at.button(key="save-shared").click().run()
    assert "shared: version 3 is written" in told(at)
    newest = [row for row in plant.rows("strategies") if row["sym"] == "shared"][-1]
    assert newest["parameters"] == ('{"length": 9, "size": 10.0, "limits": {"stale_s": 0}}')
    assert at.button(key="danger-delete-shared").disabled
    at.text_input(key="delete-name-shared").set_value("shared").run()
    at.button(key="danger-delete-shared").click().run()
    assert "shared is deleted" in told(at)


def test_what_cannot_be_is_said_in_a_sentence_before_it_is_written(connections: Connections) -> None:
    at = drawn("strategies", connections, new_strategy=True)
    at.selectbox(key="new-class").select("Conditions").run()
    assert "write its definition: a JSON document" in told(at)
    at.text_area(key="new-definition").set_value('{"sym": [').run()
    assert "the definition is no JSON" in told(at)
    at.selectbox(key="new-class").select("Cross").run()
    assert "name at least one symbol" in told(at)
    assert at.button(key="create-running").disabled
    at.multiselect(key="new-symbols").set_value(["AAPL"]).run()
    at.button(key="create-running").click().run()
    assert "give it a name" in told(at)


def test_a_size_by_risk_is_told_before_it_is_sent_and_one_click_sends_one_order(
    plant: PagesPlant, connections: Connections
) -> None:
    at = drawn("orders", connections)
    at.get_by_key("ticket-by").set_value("risk").run()
    assert "A size by risk needs a stop loss." in told(at)
    last = float(plant.db.last("bars", "AAPL", columns=["close"]).column("close")[0].as_py())
    at.number_input(key="ticket-stop-loss").set_value(round(last - 2.0, 2)).run()
    sized = re.search(r"1 % of [\d,.]+ USD \(.*\) is ([\d,.]+): ([\d,]+) AAPL lose ([\d,.]+) from", told(at))
    assert sized, told(at)
    risk, qty, lost = (float(text.replace(",", "")) for text in sized.groups())
    assert (qty, lost) == (risk // 2.0, pytest.approx(qty * 2.0))
    button = at.button(key="send-paper")
    assert button.label == f"Buy {qty:,.0f} AAPL on PAPER account paper"
    before = len(plant.rows("commands"))
    at.number_input(key="ticket-take-profit").set_value(round(last + 5.0, 2))
    button.click().run()
    assert "Nothing was sent: look at it as it is now" in told(at), "the button did not say that yet"
    assert len(plant.rows("commands")) == before
    at.button(key="send-paper").click().run()
    assert f"Buy {qty:,.0f} AAPL on PAPER account paper is" in told(at)
    assert len(plant.rows("commands")) == before + 1


def test_real_money_is_told_in_words_and_asks_for_the_accounts_name(
    plant: PagesPlant, connections: Connections
) -> None:
    at = drawn("orders", connections, query={"account": "swing-1"})
    assert "REAL MONEY" in told(at)
    at.number_input(key="ticket-qty").set_value(10.0).run()
    button = at.button(key="send-real")
    assert (button.label, button.disabled) == ("Buy 10 AAPL on REAL MONEY account swing\\-1", True)
    at.text_input(key="ticket-account-0").set_value("swing").run()
    assert at.button(key="send-real").disabled
    at.text_input(key="ticket-account-0").set_value("swing-1").run()
    assert not at.button(key="send-real").disabled
    at.selectbox(key="account").select("paper").run()
    assert "REAL MONEY" not in told(at)
    assert at.button(key="send-paper").label == "Buy 10 AAPL on PAPER account paper"


def test_limits_are_changed_on_the_page_and_hold_for_the_next_order(
    plant: PagesPlant, connections: Connections, eventually: Eventually
) -> None:
    at = drawn("orders", connections)
    (button,) = [each for each in at.button if each.key == "go-limits"]
    assert (button.label, button.disabled) == ("Change limits of PAPER account paper", True)
    at.get_by_key("limits-paper-0-0-max_order_qty").set_value(0.0).run()
    assert "max_order_qty must be greater than 0, found 0.0" in told(at)
    assert at.button(key="go-limits").disabled
    at.get_by_key("limits-paper-0-0-max_order_qty").set_value(5.0).run()
    assert "max_order_qty: none → 5" in told(at)
    at.button(key="go-limits").click().run()
    (command,) = plant.rows("commands", where={"command": "limits"})
    assert f"Limits of paper are told (seq {command['seq']:,}): max_order_qty 5" in told(at)
    assert (command["sym"], command["arguments"]) == ("paper", '{"account": "paper", "max_order_qty": 5.0}')
    desk = connections.desk
    assert desk is not None
    with pytest.raises(Refused, match=f"by somebody else meanwhile, at seq {command['seq']:,}; you saw those of seq 0"):
        desk.limit(desk.accounts[0], "", {"long_only": True}, 0)
    give_command(str(plant.config), "AAPL", "order", {"account": "paper", "side": "buy", "qty": 6})

    def refused() -> list[str]:
        return [row["reason"] for row in plant.rows("orders") if row["state"] == "refused" and row["qty"] == 6.0]

    eventually(lambda: "risk: max_order_qty allows 5, this is 6" in refused(), 30.0, refused)
    at.get_by_key(f"limits-paper-{command['seq']}-1-max_order_qty").set_value(None).run()
    at.button(key="go-limits").click().run()
    assert '"max_order_qty": null' in plant.rows("commands", where={"command": "limits"})[-1]["arguments"]
    real = drawn("orders", connections, query={"account": "swing-1"})
    real.get_by_key("limits-swing-1-0-0-max_order_qty").set_value(50.0).run()
    assert real.button(key="danger-limits").disabled
    real.get_by_key("limits-swing-1-0-0-account").set_value("swing-1").run()
    assert not real.button(key="danger-limits").disabled


def test_a_result_stays_when_the_browser_has_not_taken_it_and_sends_what_it_had(
    plant: PagesPlant, connections: Connections, eventually: Eventually
) -> None:
    what = {"class_name": "Cross", "symbols": ["AAPL"], "interval": "1m", "parameters": {"length": 7}}
    first, _ = give_command(str(plant.config), "Cross", "backtest", what)

    def over(run: str) -> bool:
        return any(row["run"] == run and row["state"] == "completed" for row in plant.rows("runs"))

    eventually(lambda: over(first), 60.0, lambda: plant.log("trading"))
    at = drawn("testing", connections, query={"runs": first})

    def results() -> Any:
        return next(box for box in at.multiselect if box.label == "Results")

    assert results().value == [first]
    had = results()._widget_state
    at.get_by_key("test--symbols").set_value(["AAPL"])
    at.selectbox(key="test--class").select("Cross").run()
    at.button(key="run-backtest").click().run()
    second = plant.rows("commands", where={"command": "backtest"})[-1]["id"]
    eventually(lambda: over(second), 60.0, lambda: plant.log("trading"))
    eventually(lambda: at.run() and results().value == [second])
    stale = WidgetStates()
    stale.widgets.extend(one for one in at._tree.get_widget_states().widgets if one.id != results().proto.id)
    stale.widgets.append(had)
    at._run(stale)  # as a page does that is told by its chart, or by a timer, what it is to draw again
    assert not at.exception
    assert results().value == [second]
    assert at.query_params["runs"] in (second, [second])


@pytest.mark.soak
def test_runs_are_compared_and_one_that_failed_says_why(
    plant: PagesPlant, connections: Connections, eventually: Eventually
) -> None:
    runs = []
    for length in (3, 5, 500):
        what = {"class_name": "Cross", "symbols": ["AAPL"], "interval": "1m", "parameters": {"length": length}}
        runs.append(give_command(str(plant.config), "Cross", "backtest", what)[0])

    def ended() -> bool:
        found = {row["run"]: row["state"] for row in plant.rows("runs")}
        return [found.get(run) for run in runs] == ["completed", "completed", "failed"]

    eventually(ended, 60.0, lambda: plant.log("trading"))
    at = drawn("testing", connections, query={"runs": ",".join(runs)})
    assert "is failed: Cross.length must be a whole number from 1 to 50, found 500" in told(at).replace(
        "Cross: ", "Cross."
    )
    metrics = at.dataframe[0].value
    assert [name.split(" · ")[0] for name in metrics.columns[1:]] == ["length=3", "length=5"]
    trades = {row["run"]: row["value"] for row in plant.rows("metrics") if row["name"] == "trades"}
    assert metrics.set_index("metric").loc["trades"].tolist() == [f"{trades[run]:,.0f}" for run in runs[:2]]


def test_a_run_under_way_shows_how_far_it_is_and_is_cancelled(
    plant: PagesPlant, connections: Connections, eventually: Eventually
) -> None:
    what = {"class_name": "Cross", "symbols": ["AAPL"], "interval": "1m", "bars_per_s": 0.01}
    run, _ = give_command(str(plant.config), "Cross", "replay", what)

    def state() -> str:
        return next((row["state"] for row in reversed(plant.rows("runs")) if row["run"] == run), "")

    eventually(lambda: state() == "running", 30.0, lambda: plant.log("trading"))
    at = drawn("testing", connections)
    assert [bar.proto.text for bar in at.get("progress")] == [f"Cross · replay {run} · 0%"]
    at.button(key=f"cancel-{run}").click().run()
    assert f"{run} is to be cancelled" in told(at)
    eventually(lambda: state() == "cancelled", 30.0, lambda: plant.log("trading"))
    eventually(lambda: f"cancel-{run}" not in {button.key for button in at.run().button})
