"""The page of the service over a real plant, in Chromium: what it asks and shows, what is traded and drawn on it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import service_plant
from chromium import chromium
from page_visitor import (
    APART,
    APP,
    BARS,
    BARS_OF_CHARTS,
    LAST_CLOSES,
    SEEN_BARS,
    SHOWN,
    SYMS,
    Market,
    Visitor,
)
from service_plant import ServicePlant
from trading_plant import TOML

pytestmark = pytest.mark.timeout(360)

QUIET = '[annotations]\nsymbols = ["NONE"]\n'
"""Nothing is found but what a test publishes."""

BUILT = 'intervals = ["1m", "2m", "5m", "15m", "1d"]'

WIDTHS = ((1500, 900), (900, 1100), (390, 844))


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    folder = tmp_path_factory.mktemp("page") / "plant"
    with service_plant.started(
        folder, "hdb", "processor", "trading", rows=False, toml=TOML + QUIET, processor=BUILT
    ) as made:
        yield made


@pytest.fixture(scope="module")
def market(plant: ServicePlant) -> Market:
    made = Market(plant)
    made.go(BARS)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def desk(browser: Any, plant: ServicePlant, market: Market) -> Iterator[Visitor]:
    """One page for all tests: it is not opened anew, as a person's is not."""
    visitor = Visitor(browser, plant).open()
    yield visitor
    visitor.close()


@pytest.fixture
def visitor(desk: Visitor) -> Visitor:
    """The page as it is at first: AAPL, charts, nothing chosen, nothing said."""
    page = desk.page
    page.keyboard.press("Escape")
    page.evaluate(f"async () => {{ {APP} app.chooseSymbol('AAPL'); app.stage.tab('charts'); app.useTool(null) }}")
    page.evaluate("document.querySelector('#toasts').replaceChildren(); document.activeElement.blur()")
    desk.until(lambda: min(page.evaluate(BARS_OF_CHARTS)) > 20, "bars on all charts")
    return desk


def lines(visitor: Visitor) -> list[str]:
    """What stands at the lines of orders and positions."""
    found: list[str] = visitor.page.evaluate(
        f"async () => {{ {APP} return app.orderLinesOf('AAPL').map((l) => l.text) }}"
    )
    return found


def test_watchlist_and_charts_follow_the_plant(visitor: Visitor, market: Market) -> None:
    assert visitor.page.locator(".watch li").count() == len(SYMS)
    before = visitor.page.evaluate(BARS_OF_CHARTS)
    market.go(16)
    told = f"{market.last():.2f}"
    visitor.until(lambda: visitor.page.evaluate(LAST_CLOSES) == [market.last()] * 3, "the newest close on all charts")
    visitor.until(lambda: told in visitor.text("#heading"), f"{told} in the heading")
    visitor.until(lambda: told in visitor.text(".watch li"), f"{told} in the watchlist")
    after = visitor.page.evaluate(BARS_OF_CHARTS)
    assert after[0] - before[0] in (8, 9), "eight bars of 2m came, none twice"
    assert after[2] - before[2] in (1, 2)


def test_made_up_prices_say_so_wherever_they_stand(visitor: Visitor) -> None:
    said = f"async () => {{ {APP} return app.stage.charts.map((chart) => chart.said) }}"
    assert visitor.page.evaluate(said) == [""] * 3, "no word over prices of a market"
    made_up = visitor.page.locator(".watch li", has_text="MSFT")
    visitor.until(lambda: "SIMULATED" in made_up.inner_text(), "the word in the watchlist")
    made_up.get_by_role("button").click()
    visitor.until(lambda: "SIMULATED" in visitor.text("#notices"), "the word at the top")
    visitor.until(lambda: visitor.page.evaluate(said) == ["SIMULATED PRICES"] * 3, "the words across the charts")


def test_an_order_is_armed_then_bought_on_paper(visitor: Visitor, market: Market, plant: ServicePlant) -> None:
    page = visitor.page
    assert "PAPER" in visitor.text("#order .mode")
    assert page.locator("#order .buy").is_disabled()
    visitor.button("Arm this order").click()
    assert "Quantity is missing" in visitor.text("#order .problems")
    page.get_by_label("Risk, in money").fill("100")
    page.get_by_label("Stop loss").fill(f"{market.last() - 2:.2f}")
    visitor.button("Take this quantity").click()
    assert page.get_by_label("Quantity", exact=True).input_value() == "50"
    visitor.button("Arm this order").click()
    page.keyboard.press("Escape")
    assert page.locator("#order .buy").is_disabled(), "Escape disarms"
    visitor.button("Arm this order").click()
    assert "50 AAPL at market paper" in visitor.text("#order .buy")
    page.locator("#order .buy").click()
    visitor.until(lambda: "BUY 50 AAPL" in visitor.text("#order .answer"), "an answer")
    assert page.locator("#order .buy").is_disabled(), "an order is sent once"
    market.go(2)
    position = page.locator("table[aria-label=Positions]")
    visitor.until(lambda: position.count() and "50" in position.inner_text(), "the position")
    rows = plant.get("/api/v1/orders").json()["rows"]
    assert [row["qty"] for row in rows if row["kind"] == "market"] == [50.0]
    visitor.until(lambda: any("long 50" in text for text in lines(visitor)), "the line of the position")


def open_orders(plant: ServicePlant, kind: str) -> list[float]:
    """The prices of the orders of a kind that rest."""
    rows = plant.get("/api/v1/orders", state="open").json()["rows"]
    return [row[f"{kind}_price"] for row in rows if row["kind"] == kind]


def test_an_order_is_dragged_and_a_stop_set_after_a_question(
    visitor: Visitor, market: Market, plant: ServicePlant
) -> None:
    page, asked = visitor.page, visitor.page.locator("#question")
    price = round(page.evaluate(APART, market.last()), 2)
    body = {"sym": "AAPL", "side": "buy", "type": "limit", "limit_price": price, "qty": 5, "time_in_force": "gtc"}
    assert plant.send("POST", "/api/v1/orders", body).status_code == 201
    visitor.until(lambda: f"buy 5 limit {price:.2f}" in lines(visitor), "the line of the order")
    visitor.drag(price, (0.3, 0), (0.3, 25))
    visitor.until(lambda: "Move the order?" in asked.inner_text(), "a question")
    asked.get_by_role("button", name="No").click()
    assert open_orders(plant, "limit") == [price], "nothing happens that was not said yes to"
    visitor.drag(price, (0.3, 0), (0.3, 25))
    asked.get_by_role("button", name="Move it").click()
    (moved,) = visitor.until(lambda: (now := open_orders(plant, "limit")) != [price] and now, "the order moved")
    assert moved < price
    visitor.until(lambda: f"buy 5 limit {moved:.2f}" in lines(visitor), "its line")
    stops = open_orders(plant, "stop")
    average = plant.get("/api/v1/positions").json()["rows"][0]["average"]
    visitor.drag(average, (0.7, 0), (0.7, 30))
    visitor.until(lambda: "Set a stop?" in asked.inner_text(), "a question")
    assert "(paper)" in asked.inner_text()
    asked.get_by_role("button", name="Set it").click()
    (more,) = visitor.until(lambda: set(open_orders(plant, "stop")) - set(stops), "the stop")
    assert more < average


def test_a_position_is_closed_and_the_kill_switch_stops_everything(
    visitor: Visitor, market: Market, plant: ServicePlant
) -> None:
    page, asked = visitor.page, visitor.page.locator("#question")
    assert plant.send("DELETE", "/api/v1/orders").status_code == 200
    page.keyboard.press("b")
    page.locator("table[aria-label=Positions]").get_by_role("button", name="Close").click()
    visitor.until(lambda: "Close 50 AAPL at market" in asked.inner_text(), "a question")
    asked.get_by_role("button", name="Close it").click()
    visitor.until(lambda: "asked for" in visitor.text("#toasts"), "that it is asked for")
    market.go(2)
    visitor.until(lambda: "No position" in visitor.text("#lower"), "no position")
    below = round(market.last() - 1, 2)
    rests = {"sym": "AAPL", "side": "buy", "type": "limit", "limit_price": below, "qty": 5, "time_in_force": "gtc"}
    assert plant.send("POST", "/api/v1/orders", rests).status_code == 201
    visitor.button("Halt", exact=True).click()
    asked.get_by_role("button", name="Halt now").click()
    visitor.until(lambda: visitor.text("#halt").upper() == "HALTED", "that it is halted")
    visitor.until(lambda: not open_orders(plant, "limit"), "no open order")
    assert visitor.button("Arm this order").is_disabled()
    order = {"sym": "AAPL", "side": "buy", "type": "market", "qty": 1}
    refused = plant.send("POST", "/api/v1/orders", order)
    assert (refused.status_code, refused.json()["code"]) == (422, "refused")
    assert plant.send("POST", "/api/v1/risk/resume", {}, "admin").status_code == 200
    visitor.until(lambda: visitor.text("#halt").upper() == "HALT", "that an admin resumed")
    assert visitor.button("Arm this order").is_enabled()


def test_a_zone_that_is_drawn_is_there_after_a_reload_and_can_be_moved(visitor: Visitor, market: Market) -> None:
    page = visitor.page
    page.keyboard.press("d")
    visitor.drag(market.last(), (0.3, -30), (0.5, 20))
    drawn = visitor.until(lambda: [each for each in page.evaluate(SHOWN) if each[1].startswith("user:")], "the zone")
    assert [each[0] for each in drawn] == ["zone"]
    page.get_by_label("Label", exact=True).fill("mine")
    page.keyboard.press("Enter")
    visitor.until(lambda: page.evaluate(SHOWN)[0][4] == "mine", "its label")
    page.reload()
    kept = visitor.until(lambda: page.evaluate(SHOWN), "the zone after a reload")
    assert kept[0][2:] == [*drawn[0][2:4], "mine"]
    visitor.until(lambda: min(page.evaluate(BARS_OF_CHARTS)) > 20, "bars on all charts")
    page.keyboard.press("3")
    page.keyboard.press("]")
    page.keyboard.press("Shift+ArrowUp")
    moved = visitor.until(lambda: (now := page.evaluate(SHOWN)) != kept and now, "the zone moved")
    assert moved[0][2] == pytest.approx(kept[0][2] + 0.1)
    version = f"async () => {{ {APP} return app.chosenObject()?.version }}"
    visitor.until(lambda: page.evaluate(version) == 3, "the third version")
    page.keyboard.press("Delete")
    visitor.until(lambda: not page.evaluate(SHOWN), "no zone")


def test_what_the_plant_found_cannot_be_moved_and_says_why(
    visitor: Visitor, market: Market, plant: ServicePlant
) -> None:
    price = round(visitor.page.evaluate(APART, market.last()), 2)  # from the lines of orders and of the position
    level = {"sym": "AAPL", "id": "prev_day_high/AAPL/x", "version": 1, "action": "create", "kind": "level"}
    level |= {"type": "prev_day_high", "interval": "1d", "start_at": market.start, "price": price, "state": "active"}
    feed = plant.publisher("detector")
    feed.publish("annotations", {"time": time.time_ns(), **level, "source": "auto"}, strict=True)
    feed.flush()
    visitor.until(lambda: [each for each in visitor.page.evaluate(SHOWN) if each[1] == "auto"], "the level")
    visitor.drag(price, (0.4, 0), (0.4, -40))
    visitor.until(lambda: "found by the plant" in visitor.text("#toasts"), "why not")
    assert "cannot be moved" in visitor.text(".chosen")


@pytest.mark.parametrize(("width", "height"), WIDTHS)
def test_nothing_is_wider_than_the_window(visitor: Visitor, width: int, height: int) -> None:
    visitor.page.set_viewport_size({"width": width, "height": height})
    for keys in ("c", "z", "s", "b"):
        visitor.page.keyboard.press(keys)
        visitor.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
        assert visitor.page.evaluate("document.documentElement.scrollWidth") == width
    small = visitor.page.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter((each) => each.offsetParent && "
        "each.getBoundingClientRect().height < 15).map((each) => each.outerHTML)"
    )
    assert not small
    visitor.page.set_viewport_size({"width": 1500, "height": 900})


def test_everything_is_reached_by_tab_in_the_order_it_stands_and_shows_it(visitor: Visitor) -> None:
    visitor.page.evaluate("document.querySelector('.skip').focus()")
    found = []
    for _ in range(64):
        visitor.page.keyboard.press("Tab")
        found.append(
            visitor.page.evaluate("""() => {
                const active = document.activeElement
                const part = active.closest('.top, #watch, #stage, #bottom-splitter, #lower, #order, .foot')
                const ring = getComputedStyle(active).outlineStyle !== 'none' || active.matches('.canvas, .splitter')
                return [part ? part.id || part.className : '', ring]
            }""")
        )
    where = [part for part, _ in found]
    parts = [part for n, part in enumerate(where) if part and (n == 0 or part != where[n - 1])]
    assert parts[:6] == ["top", "watch", "stage", "bottom-splitter", "lower", "order"]
    assert all(ring for part, ring in found if part)


def test_keys_are_listed_and_can_be_switched_off(visitor: Visitor) -> None:
    page = visitor.page
    page.keyboard.press("?")
    assert "next symbol" in visitor.text("#shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    visitor.until(lambda: visitor.text("#heading").startswith("MSFT"), "the next symbol")
    page.keyboard.press("k")
    for on in (False, True):
        visitor.button("Settings").click()
        page.get_by_label("Shortcuts of a single key").set_checked(on)
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        visitor.until(lambda: visitor.text("#heading").startswith("MSFT" if on else "AAPL"), f"keys {on}")  # noqa: B023


def test_after_a_break_the_page_has_every_bar_once(visitor: Visitor, market: Market, plant: ServicePlant) -> None:
    plant.kill("api")
    visitor.until(lambda: "connection lost" in visitor.text("#connection"), "that the connection is lost")
    visitor.until(lambda: "NOT CONNECTED" in visitor.text("#notices"), "that prices stand still")
    market.go(10)
    plant.start("api")
    visitor.until(lambda: visitor.text("#connection") == "connected", "connected again")
    visitor.until(lambda: visitor.page.evaluate(LAST_CLOSES)[0] == market.last(), "what came meanwhile")
    seen = visitor.page.evaluate(SEEN_BARS)
    rows = plant.get("/api/v1/bars", sym="AAPL", interval="2m", last=len(seen), times="ms").json()["rows"]
    assert seen == [[row["time"], row["open"], row["high"], row["low"], row["close"]] for row in rows]
