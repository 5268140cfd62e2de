"""Annotations over a real plant: by HTTP, in the terminal, on the dashboard's chart; two writers, and restarts."""

import json
import re
import shlex
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import service_plant
from chromium import SLOW_MS, chromium
from typer.testing import CliRunner

from api.access.audit import Request
from api.access.changes import Change
from api.annotations.command import app
from plant.errors import PlantError
from plant.state.annotations import AUTO, Annotations

Eventually = Callable[..., Any]

PAGE = Path(__file__).parents[2] / "docs/annotations.md"
MINUTE = 60 * 10**9
START = 1_763_649_000_000_000_000  # 2025-11-20 14:30 UTC, before the bars of small_market
ROUTE = "/api/v1/annotations"
pytestmark = pytest.mark.timeout(360)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[service_plant.ServicePlant]:
    with service_plant.started(tmp_path_factory.mktemp("annotations") / "plant", "hdb") as made:
        yield made


def drawn(plant: service_plant.ServicePlant, **fields: Any) -> dict[str, Any]:
    """Draw a level, or what else is told, and return it."""
    told = {"sym": "AAPL", "kind": "level", "price": 190.5, "start_at": "2026-11-20T14:30:00Z", **fields}
    answer = plant.send("POST", ROUTE, {name: value for name, value in told.items() if value is not None})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def published(plant: service_plant.ServicePlant, *rows: dict[str, Any]) -> int:
    """Publish rows as a detector does, or another writer, and return the seq; the service has them by then."""
    with plant.publisher(f"rows-{uuid.uuid4()}") as feed:
        feed.publish("annotations", list(rows), strict=True)
        seq = feed.flush()
    plant.until(lambda: plant.ask().status()["seq"] >= seq)
    return seq


def found_by_the_plant(name: str, **columns: Any) -> dict[str, Any]:
    told = {"sym": "AAPL", "kind": "level", "type": "prev_day_high", "interval": "1d", "price": 191.0, **columns}
    return Annotations().changed(name, "create", AUTO, START, **{"start_at": START, **told})


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Return the problem that an answer is, of this status and code."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    told: dict[str, Any] = answer.json()
    assert told["code"] == code
    return told


def test_a_level_is_drawn_moved_and_deleted_and_every_version_is_kept(plant: service_plant.ServicePlant) -> None:
    answer = plant.send(
        "POST",
        ROUTE,
        {"sym": "LIFE", "kind": "zone", "top": 192, "bottom": 191, "start_at": "2026-11-20T14:30:00Z",
         "end_at": "2026-11-20T16:00:00Z", "text": "gap", "style": {"colour": "orange"}, "interval": "5Min"},
    )  # fmt: skip
    made = answer.json()
    assert answer.status_code == 201
    assert uuid.UUID(made["id"]).version == 7
    assert (answer.headers["etag"], answer.headers["location"]) == ('"1"', f"{ROUTE}/{made['id']}")
    assert (made["version"], made["source"], made["type"], made["state"]) == (1, "user:anonymous", "user", "active")
    assert (made["start_at"], made["interval"], made["price"]) == ("2026-11-20T14:30:00Z", "5m", None)
    assert json.loads(made["style"]) == {"colour": "orange"}
    place = f"{ROUTE}/{made['id']}"
    moved = plant.send("PATCH", place, {"top": 193, "end_at": None}, "trade", {"If-Match": '"1"'})
    assert (moved.status_code, moved.json()["top"], moved.json()["bottom"], moved.json()["end_at"]) == (
        200, 193.0, 191.0, None,
    )  # fmt: skip
    assert (moved.json()["version"], moved.json()["source"]) == (2, "user:trade of a test")
    assert moved.json()["seq"] > made["seq"]
    one = plant.get(place).json()
    assert (one["version"], [row["version"] for row in one["history"]]) == (2, [1, 2])
    assert [row["top"] for row in one["history"]] == [192.0, 193.0]
    gone = plant.send("DELETE", place, headers={"If-Match": '"2"'})
    assert (gone.status_code, gone.json()["action"], gone.json()["version"]) == (200, "delete", 3)
    assert "deleted by user:anonymous" in problem(plant.get(place), 404, "not_found")["detail"]
    assert plant.get(ROUTE, sym="LIFE").json()["rows"] == []
    events = plant.get(f"{ROUTE}/events", sym="LIFE").json()["rows"]
    assert [row["action"] for row in events] == ["create", "update", "delete"]
    at = plant.get(ROUTE, sym="LIFE", as_of_seq=made["seq"]).json()
    assert ([row["version"] for row in at["rows"]], at["seq"]) == ([1], made["seq"])
    between = plant.get(ROUTE, sym="LIFE", at=moved.json()["time"]).json()["rows"]
    assert [row["version"] for row in between] == [2]
    assert plant.get(ROUTE, sym="LIFE", at="2026-11-20").json()["rows"] == []


def test_a_repeat_of_a_drawing_that_nobody_answered_draws_nothing_more(plant: service_plant.ServicePlant) -> None:
    """The row came to the journal, and the service was killed before it wrote down what it had done."""
    drawing = {"sym": "TWICE", "kind": "level", "price": 5, "start_at": "2026-11-20"}
    key = {"Idempotency-Key": "once-1"}
    first = plant.send("POST", ROUTE, drawing, "", key).json()
    assert uuid.UUID(first["id"]).version == 7
    assert plant.send("POST", ROUTE, drawing, "", key).json() == first
    change = Change(Request("anonymous", "POST", ROUTE, "", "", "once-2"))
    fields = {"sym": "TWICE", "kind": "level", "price": 6.0, "start_at": START}
    row = Annotations().changed(change.fresh_id(), "create", "user:anonymous", time.time_ns(), **fields)
    published(plant, row)
    again = plant.send("POST", ROUTE, drawing, "", {"Idempotency-Key": "once-2"})
    assert (again.status_code, again.json()["id"], again.json()["price"]) == (201, row["id"], 6.0)
    assert len(plant.get(ROUTE, sym="TWICE").json()["rows"]) == 2


@pytest.mark.parametrize(
    ("told", "places"),
    [
        ({"kind": "zone", "price": None, "top": 190, "bottom": 191}, {"$.top"}),
        ({"price": -1, "end_at": "2026-11-20T14:29:59Z"}, {"$.price", "$.end_at"}),
        ({"start_at": None}, {"$.start_at"}),
        ({"start_at": "noon"}, {"$.start_at"}),
        ({"style": {"color": "red"}}, {"$.style.color"}),
        ({"kind": "flag"}, {"$.kind"}),
        ({"price": "190"}, {"$.price"}),
        ({"colour": "red"}, {"$.colour"}),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_every_place(
    plant: service_plant.ServicePlant, told: dict[str, Any], places: set[str]
) -> None:
    whole = {"sym": "BAD", "kind": "level", "price": 190.5, "start_at": "2026-11-20T14:30:00Z", **told}
    answer = plant.send("POST", ROUTE, {name: value for name, value in whole.items() if value is not None})
    assert {each["place"] for each in problem(answer, 422, "invalid")["errors"]} == places
    assert plant.get(f"{ROUTE}/events", sym="BAD").json()["rows"] == []


def test_who_did_not_see_the_newest_version_writes_nothing_and_comes_back(plant: service_plant.ServicePlant) -> None:
    made = drawn(plant, sym="TWO")
    place = f"{ROUTE}/{made['id']}"
    problem(plant.send("PATCH", place, {"price": 191}), 428, "version_required")
    problem(plant.send("DELETE", place), 428, "version_required")
    assert plant.send("PATCH", place, {"price": 191}, headers={"If-Match": '"1"'}).status_code == 200
    late = problem(plant.send("PATCH", place, {"text": "mine"}, headers={"If-Match": '"1"'}), 412, "version_conflict")
    assert "is at version 2 by now, written by user:anonymous; you saw version 1" in late["detail"]
    problem(plant.send("DELETE", place, headers={"If-Match": '"7"'}), 412, "version_conflict")
    published(plant, {**_row(plant, made["id"]), "version": 2, "price": 1.0})  # lost: there is a version 2
    newest = plant.get(place).json()
    assert (newest["version"], newest["price"], len(newest["history"])) == (2, 191.0, 2)
    assert len(plant.get(f"{ROUTE}/events", sym="TWO").json()["rows"]) == 3
    again = plant.send("PATCH", place, {"text": "mine"}, headers={"If-Match": f'"{newest["version"]}"'})
    assert (again.json()["version"], again.json()["price"], again.json()["text"]) == (3, 191.0, "mine")
    bad = problem(plant.send("PATCH", place, {"price": 0}, headers={"If-Match": '"3"'}), 422, "invalid")
    assert [each["place"] for each in bad["errors"]] == ["$.price"]
    problem(plant.send("PATCH", f"{ROUTE}/nothing", {"price": 1}, headers={"If-Match": '"1"'}), 404, "not_found")
    problem(plant.send("PATCH", place, {"price": 1}, "read", {"If-Match": '"3"'}), 403, "forbidden")


def _row(plant: service_plant.ServicePlant, name: str) -> dict[str, Any]:
    fold = Annotations()
    for batch in plant.journal("annotations"):
        for row in batch.rows():
            if row["id"] == name:
                return {column: row[column] for column in plant.settings.table_schema["annotations"].names}
    raise AssertionError(f"no row of {name} in {fold}")


def test_what_the_plant_found_is_not_edited_but_deleted(plant: service_plant.ServicePlant) -> None:
    name = "prev_day_high/BTC/USDT/2026-11-20"
    published(plant, found_by_the_plant(name, sym="BTC/USDT"))
    place = f"{ROUTE}/{name}"
    assert plant.get(place).json()["type"] == "prev_day_high"
    told = problem(plant.send("PATCH", place, {"price": 1}, headers={"If-Match": '"1"'}), 409, "automatic")
    assert "copy it" in told["detail"]
    assert plant.send("DELETE", place, headers={"If-Match": '"1"'}).json()["version"] == 2
    assert plant.get(ROUTE, sym="BTC/USDT").json()["rows"] == []


def test_a_repeated_post_draws_once(plant: service_plant.ServicePlant) -> None:
    body = {"sym": "ONCE", "kind": "text", "price": 1, "text": "once", "start_at": "2026-11-20T14:30:00Z"}
    answers = [plant.send("POST", ROUTE, body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(plant.get(ROUTE, sym="ONCE").json()["rows"]) == 1


def test_one_asks_for_kinds_prices_times_and_pages(plant: service_plant.ServicePlant) -> None:
    day = "2026-11-20T"
    drawn(plant, sym="ASK", price=100)
    zone = {"kind": "zone", "price": None, "top": 112, "bottom": 110, "end_at": f"{day}15:00:00Z", "interval": "15m"}
    drawn(plant, sym="ASK", **zone)
    line = {"kind": "line", "price": 90, "price_end": 130, "start_at": f"{day}16:00:00Z", "end_at": f"{day}17:00:00Z"}
    drawn(plant, sym="ASK", **line)
    drawn(plant, sym="ASK", kind="marker", price=105)

    def kinds(**terms: Any) -> list[str]:
        return [row["kind"] for row in plant.get(ROUTE, sym="ASK", **terms).json()["rows"]]

    assert kinds() == ["level", "zone", "line", "marker"]
    assert kinds(kind=["zone", "line"]) == ["zone", "line"]
    assert kinds(interval="5m") == ["level", "line", "marker"]
    assert kinds(low=111, high=120) == ["zone", "line"]
    assert kinds(start=f"{day}15:30:00Z") == ["level", "line"]
    assert kinds(end=f"{day}16:00:00Z", state="active") == ["level", "zone", "marker"]
    assert kinds(state="broken") == []
    problem(plant.get(ROUTE, kind="circle"), 422, "invalid")
    problem(plant.get(ROUTE, interval="60"), 422, "invalid")
    problem(plant.get(ROUTE, cursor="x"), 422, "invalid")
    for route in (ROUTE, f"{ROUTE}/events"):
        pages, cursor = [], ""
        while cursor is not None:
            page = plant.get(route, sym="ASK", limit=3, **({"cursor": cursor} if cursor else {})).json()
            pages.append([row["kind"] for row in page["rows"]])
            cursor = page["next"]
            drawn(plant, sym="ASK", kind="marker", price=106)  # what comes meanwhile is not in these pages
        assert pages[0] == ["level", "zone", "line"]
        assert sum(map(len, pages)) == (4 if route == ROUTE else 6)
    csv = plant.client.get(ROUTE, params={"sym": "ASK"}, headers={"Accept": "text/csv"})
    assert csv.text.splitlines()[0].startswith('"time","sym","id","version"')
    columns = plant.get(ROUTE, sym="ASK", layout="columns", times="ms").json()["columns"]
    assert columns["price"][:2] == [100.0, None]
    assert columns["end_at"][0] is None
    assert isinstance(columns["time"][0], int)


def ran(plant: service_plant.ServicePlant, line: str) -> str:
    """Return what a line of the terminal prints."""
    words = shlex.split(line)
    assert words[:2] == ["plant", "annotations"]
    result = CliRunner().invoke(app, [*words[2:], "--config", str(plant.config)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_commands_of_the_page_do_what_it_says(plant: service_plant.ServicePlant) -> None:
    (block,) = re.findall(r"```\n(plant annotations.*?)```", PAGE.read_text(), re.DOTALL)
    name = ""
    for line in block.splitlines():
        told = ran(plant, line.replace(" ID", f" {name}"))
        if " add " in line:
            name = told.split()[0]
            assert f"{name} is drawn: version 1" in told
        elif " show " in line:
            assert "AAPL zone" in told
            assert "2026-11-20 09:30:00" in told
        elif " delete " in line:
            assert "is deleted: version" in told
    assert name
    levels = ran(plant, "plant annotations list --sym AAPL --kind level")
    assert "prior high" in levels
    rows = [json.loads(row) for row in ran(plant, "plant annotations list --sym AAPL --json").splitlines()]
    level = next(row for row in rows if row["text"] == "prior high")
    assert (level["price"], level["top"], level["end_at"], json.loads(level["style"])) == (
        190.5, None, None, {"colour": "orange"},
    )  # fmt: skip
    assert level["time"].endswith("Z")
    shown = [json.loads(row) for row in ran(plant, f"plant annotations show {level['id']} --json").splitlines()]
    assert [row["version"] for row in shown] == [1]
    moved = ran(plant, f"plant annotations change {level['id']} --price 191.5 --version 1")
    assert "is changed: version 2" in moved
    with pytest.raises(PlantError, match="you saw version 1"):
        ran(plant, f"plant annotations delete {level['id']} --version 1")
    with pytest.raises(PlantError, match=r"\$.top: expected more than bottom"):
        ran(plant, "plant annotations add AAPL zone --top 1 --bottom 2")


def test_what_was_drawn_survives_restarts(plant: service_plant.ServicePlant) -> None:
    made = drawn(plant, sym="KEPT", text="for good")
    for process in ("tickerplant", "rdb", "api"):
        plant.kill(process)
    plant.start("tickerplant", "rdb", "api")
    kept = plant.until(lambda: _rows(plant, "KEPT"), "what was drawn is there again", 60)
    assert kept == [made]
    place, match = f"{ROUTE}/{made['id']}", {"If-Match": '"1"'}
    moved = plant.until(lambda: _done(plant.send("PATCH", place, {"price": 192}, headers=match)), "it is moved")
    assert moved["version"] == 2


def _rows(plant: service_plant.ServicePlant, sym: str) -> Any:
    try:
        answer = plant.get(ROUTE, sym=sym)
    except httpx.HTTPError:
        return None
    return answer.status_code == 200 and answer.json()["rows"]


def _done(answer: Any) -> Any:
    return answer.status_code == 200 and answer.json()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


class Hand:
    """Somebody who draws on the dashboard's chart of DRAW; a point is (part of the width, part of the height)."""

    def __init__(self, plant: service_plant.ServicePlant, browser: Any) -> None:
        self.page = browser.new_page(viewport={"width": 1400, "height": 900})
        self.page.set_default_timeout(SLOW_MS)
        self.asked, self.errors = list[str](), list[str]()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{plant.settings.dashboard_url}/?symbol=DRAW&interval=5m")
        self.chart = self.page.locator(".tp-chart[data-painted]")
        self.chart.wait_for()
        self.page.get_by_text("Watchlist").wait_for()  # what stands over the chart is there: it moves no more

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        box = self.page.locator(".tp-chart .draglayer .nsewdrag").first.bounding_box()
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    def click(self, point: tuple[float, float]) -> None:
        self.page.mouse.click(*self.at(point))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)), steps=3)
        self.page.mouse.move(*self.at(end), steps=3)
        self.page.mouse.up()

    def tool(self, name: str) -> None:
        self.page.locator(f".tp-tool-{name}").click()

    def see(self, attribute: str, value: str) -> None:
        self.page.locator(f'.tp-chart[data-{attribute}="{value}"]').wait_for()

    def said(self) -> str:
        self.page.locator(".tp-said:not([hidden])").wait_for()
        return str(self.page.locator(".tp-said").text_content())


def test_on_the_chart_one_draws_pulls_writes_and_deletes(
    plant: service_plant.ServicePlant, browser: Any, eventually: Eventually
) -> None:
    bars = [
        {"time": START + 5 * MINUTE * n, "sym": "DRAW", "interval": "5m", "open": 100.0, "high": 104.0, "low": 96.0,
         "close": 101.0, "volume": 5.0}
        for n in range(100)
    ]  # fmt: skip
    with plant.publisher("bars-to-draw-on") as feed:
        feed.publish("bars", bars)
        feed.flush()
    found = {"sym": "DRAW", "start_at": START}
    expired = found_by_the_plant("old", **found, price=97.0, state="expired")
    published(plant, found_by_the_plant("prev_day_high/DRAW", **found, price=103.0), expired)
    plant.processes["dashboard"] = plant.spawn("dashboard")
    eventually(lambda: _answers(plant.settings.dashboard_url), 120, lambda: plant.log("dashboard"))
    hand = Hand(plant, browser)
    hand.see("marks", "1")
    view = hand.chart.get_attribute("data-range")

    def rows() -> dict[str, dict[str, Any]]:
        return {row["kind"]: row for row in plant.get(ROUTE, sym="DRAW").json()["rows"] if row["source"] != AUTO}

    hand.tool("zone")
    hand.drag((0.2, 0.5), (0.4, 0.7))
    hand.see("marks", "2")
    zone = rows()["zone"]
    assert zone["top"] > zone["bottom"]
    assert zone["source"].startswith("user:")
    assert (zone["start_at"] < zone["end_at"], zone["start_at"][-4:]) == (True, ":00Z")
    hand.tool("text")
    hand.click((0.7, 0.8))
    hand.page.locator(".tp-field:focus").wait_for()
    hand.page.keyboard.type("<b>gap?</b>")
    hand.page.keyboard.press("Enter")
    hand.see("marks", "3")
    assert rows()["text"]["text"] == "<b>gap?</b>"
    hand.click((0.3, 0.6))
    hand.see("chosen", zone["id"])
    hand.drag((0.3, 0.6), (0.35, 0.4))
    moved = eventually(lambda: (now := rows()["zone"])["version"] == 2 and now, deadline_s=30)
    assert moved["top"] > zone["top"]
    assert moved["start_at"] > zone["start_at"]
    assert moved["top"] - moved["bottom"] == pytest.approx(zone["top"] - zone["bottom"], abs=0.02)

    y = _height_of(hand, 103.0)
    hand.drag((0.8, y), (0.8, y + 0.1))
    assert "found by the plant" in hand.said()
    assert "cannot be moved" in hand.said()
    hand.see("chosen", "prev_day_high/DRAW")
    hand.tool("copy")
    hand.see("marks", "4")
    assert rows()["level"]["price"] == 103.0
    hand.page.keyboard.press("Escape")

    hand.page.get_by_role("button", name="Annotations").click()
    hand.page.get_by_text("Broken and expired ones, dimmed").click()
    hand.see("marks", "5")
    hand.page.wait_for_url("**ended*")
    hand.page.keyboard.press("Escape")
    hand.click((0.7, 0.8))
    hand.see("chosen", rows()["text"]["id"])
    hand.page.keyboard.press("Delete")
    hand.see("marks", "4")
    assert "text" not in rows()
    assert hand.chart.get_attribute("data-range") == view, "drawing does not move the view"
    own = urlsplit(plant.settings.dashboard_url).netloc
    assert not {u for u in hand.asked if not u.startswith(("data:", "blob:")) and urlsplit(u).netloc != own}
    assert not hand.errors
    hand.page.close()


def _height_of(hand: Hand, price: float) -> float:
    """Return where a price is on the pane of prices, as part of its height from the top."""
    low, high = hand.page.evaluate("() => document.querySelector('.tp-graph')._fullLayout.yaxis.range")
    return float((high - price) / (high - low))


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except OSError:
        return False
