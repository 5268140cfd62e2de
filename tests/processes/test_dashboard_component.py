"""The chart in a real browser: what only plotly.js, Streamlit's frontend and a pointer can show."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import SLOW_MS, chromium
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(360)
SCRIPT = """
from itertools import count
from pathlib import Path

import streamlit as st

from dashboard.app import main
from dashboard.refresh import beat
from dashboard_market import Market

if __name__ == "page":
    app = st.App("page.py", routes=beat.routes())


@st.cache_resource
def connections():
    market = Market(1200, ahead=3000)  # more than a page loads: at every new bar the oldest one drops out
    asked = count(1)

    def happen():
        n = next(asked)
        if Path("still").exists():
            market.away = set()
            return
        market.advance()
        if not Path("corrections").exists():
            return
        market.correct("AAPL", back=(3, 200, 700)[n % 3])
        if n % 5 == 0:
            market.withdraw("AAPL", back=60)
        newest = market.shown - 1
        market.away = {newest - 2} if n % 7 < 4 else set()  # a bar comes late
        if 30 < n % 40 < 36:
            market.away = set(range(newest - 300))  # an rdb that was started again, and is still reading

    market.on_ask = happen
    return market.connections(refresh_s=1.0)


if __name__ == "__main__":
    main(connections())
"""
CHART_OF = """
    const address = performance.getEntriesByType("resource").find((entry) => entry.name.endsWith("/chart.js"))?.name
    const { chartOf, default: show } = address ? await import(address) : {}
"""
BARS = f"""async () => {{
    {CHART_OF}
    const graph = document.querySelector(".tp-graph"), root = document.querySelector(".tp-chart")
    const chart = root && chartOf?.(root)
    if (!graph?._fullLayout?.xaxis || !chart || !root.dataset.painted) return null
    const [left, right] = graph._fullLayout.xaxis.range, {{ first, bars }} = root.dataset
    const oldest = Number(first), loaded = Number(bars), open = (x) => chart.traces.candles.open[x - oldest] ?? null
    return {{ range: [left, right], first: open(Math.ceil(left)), last: open(Math.floor(right)),
             newest: oldest + loaded - 1, oldest, loaded,
             sma: graph._fullData.find((trace) => trace.uid === "sma_20").visible,
             ticks: graph._fullLayout.xaxis.ticktext }}
}}"""

TURNS_OF_A_SLOW_BROWSER = """async () => {
    const graph = document.querySelector(".tp-graph"), relayout = window.Plotly.relayout
    const span = () => { const [left, right] = graph._fullLayout.xaxis.range; return right - left }
    const pause = (ms) => new Promise((done) => setTimeout(done, ms))
    let drawing = 0
    window.Plotly.relayout = (...change) => {
        drawing += 1
        return relayout(...change).then(() => pause(500)).finally(() => { drawing -= 1 })
    }
    const spans = [span()]
    for (let turn = 1; turn <= 3; turn++) {
        const layer = graph.querySelector(".nsewdrag"), place = layer.getBoundingClientRect()
        const clientX = place.x + place.width / 2, clientY = place.y + place.height / 2
        const wheel = { deltaY: -200, clientX, clientY, bubbles: true, cancelable: true }
        layer.dispatchEvent(new WheelEvent("wheel", wheel))
        spans.push(span())
        for (let waited = 0; !drawing && waited < 5000; waited += 10) await pause(10)
    }
    while (drawing) await pause(10)
    window.Plotly.relayout = relayout
    return spans
}"""
"""Turns the wheel again while the chart is still drawn for the turn before; returns how many bars were in view."""

OVERTAKEN = f"""async () => {{
    {CHART_OF}
    const root = document.querySelector(".tp-chart")
    const data = {{ revision: root.dataset.revision, whole: chartOf(root), notes: [], stale: false }}
    show({{ data, parentElement: root.parentElement }})()
}}"""
"""What Streamlit does on a slow page: it cleans up after a call of the component that newer data overtook.

The call brings the chart that is drawn: a newer one may have come that is not drawn yet, and then this one is drawn.
"""

ANOTHER_PLACE = """() => {
    const place = document.createElement("div")
    place.className = "tp-chart"
    document.querySelector(".tp-chart").replaceWith(place)
}"""
"""What the component finds when Streamlit makes its place anew: nothing of what it was sent is there."""

DRAWN = f"""async () => {{
    {CHART_OF}
    const root = document.querySelector(".tp-chart"), graph = root.querySelector(".tp-graph")
    const chart = structuredClone(chartOf(root)), base = Number(root.dataset.first)
    const from = (x, first) => (x === null ? null : x - first)
    for (const trace of Object.values(chart.traces)) if (trace.x) trace.x = trace.x.map((x) => from(x, chart.first))
    const moved = (shapes, first) => shapes.map((shape) =>
        shape.xref === "x" ? {{ ...shape, x0: shape.x0 - first, x1: shape.x1 - first }} : shape)
    chart.layout.shapes = moved(chart.layout.shapes, chart.first)
    const {{ shapes, annotations, xaxis, yaxis }} = graph.layout
    const view = [xaxis.range.map((x) => from(x, base)), yaxis.range, xaxis.ticktext]
    return JSON.stringify({{ ...chart, first: 0, shapes: moved(shapes, base), annotations, view,
                            legend: graph.data.map((trace) => trace.name),
                            picture: root.querySelector("canvas.tp-bars").toDataURL(),
                            told: root.querySelector(".tp-readout").textContent }})
}}"""
"""All that the page shows as a chart, as of a page in which no bar has dropped out yet."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page that is served: a file `still` in it stops the market, `corrections` brings those."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    tmp_path = home
    (tmp_path / "page.py").write_text(SCRIPT)
    shutil.copytree(ROOT / "dashboard" / ".streamlit", tmp_path / ".streamlit")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "page.py", f"--server.port={port}"],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_served(port, server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(10)


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(SLOW_MS)
    yield page
    page.close()


def test_the_vendored_plotly_is_the_one_that_its_note_names() -> None:
    chart = ROOT / "dashboard" / "chart"
    found = hashlib.sha256((chart / "plotly-finance.min.js").read_bytes()).hexdigest()
    assert found in (chart / "plotly-finance.README.txt").read_text()


def test_zoom_and_legend_stay_while_bars_arrive_and_nothing_leaves_the_machine(page: Any, address: str) -> None:
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda websocket: asked.append(websocket.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".tp-chart[data-revision]", timeout=SLOW_MS)
    _next_update(page)
    shown = _shown(page)
    assert shown["range"][1] > shown["newest"], "at first the newest bar is in view"
    assert shown["loaded"] == 1000
    assert any("<b>" in label for label in shown["ticks"]), "the date stands where the day changes"

    _zoom(page)
    page.locator(".legendtoggle").nth(1).click()
    page.wait_for_function(f"async () => (await ({BARS})())?.sma === 'legendonly'", timeout=SLOW_MS)
    zoomed = _shown(page)
    assert zoomed["range"][1] - zoomed["range"][0] < shown["range"][1] - shown["range"][0]
    page.evaluate(OVERTAKEN)
    for _ in range(3):  # one may be that of OVERTAKEN
        _next_update(page)
    later = _shown(page)
    assert later["newest"] > zoomed["newest"], "bars arrived"
    assert later["oldest"] > zoomed["oldest"], "and old ones dropped out"
    assert later["range"] == pytest.approx(zoomed["range"])
    assert (later["first"], later["last"]) == (zoomed["first"], zoomed["last"]), "the same bars are in view"
    assert later["sma"] == "legendonly"

    page.get_by_role("button", name="Go to latest").click()
    page.wait_for_selector('.tp-chart[data-follow="true"]', timeout=SLOW_MS)
    _next_update(page)
    latest = _shown(page)
    assert latest["range"][1] > latest["newest"] > latest["range"][0]

    page.locator('.tp-watchlist button[data-sym="TSLA"]').click()
    page.wait_for_selector('.tp-watchlist button[data-sym="TSLA"][aria-pressed="true"]', timeout=SLOW_MS)
    page.wait_for_function("document.querySelector('.tp-graph').layout.uirevision === 'TSLA 1m'", timeout=SLOW_MS)

    own = urlsplit(address).netloc
    others = {url for url in asked if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != own}
    assert not others
    assert not errors


def test_a_reload_shows_the_same_symbol_and_the_same_bars_and_a_phone_the_chart_at_its_top(
    page: Any, address: str
) -> None:
    page.goto(f"{address}/?symbol=TSLA")
    page.wait_for_selector(".tp-chart[data-revision]", timeout=SLOW_MS)
    _zoom(page)
    page.wait_for_function("new URL(window.location.href).searchParams.has('until')", timeout=SLOW_MS)
    before = _shown(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.wait_for_selector('.tp-chart[data-follow="false"]', timeout=SLOW_MS)
    after = _shown(page)
    assert after["last"] == before["last"]
    assert after["range"][1] - after["range"][0] == pytest.approx(before["range"][1] - before["range"][0], abs=1)
    assert page.locator(".tp-graph").evaluate("(graph) => graph.layout.uirevision") == "TSLA 1m"
    assert _box(page, ".tp-graph")["y"] < 500


def test_a_turn_of_the_wheel_that_comes_while_the_one_before_is_drawn_is_not_lost(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".tp-chart[data-revision]", timeout=SLOW_MS)
    _next_update(page)
    _shown(page)
    spans = page.evaluate(TURNS_OF_A_SLOW_BROWSER)
    assert spans == sorted(spans, reverse=True)
    _next_update(page)
    _next_update(page)
    left, right = _shown(page)["range"]
    assert right - left == pytest.approx(spans[-1], abs=1)  # as the page's address has it, in whole bars


def test_what_is_picked_is_drawn_and_a_reload_of_its_address_shows_it_again(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".tp-chart[data-revision]", timeout=SLOW_MS)
    page.get_by_role("button", name="Indicators").click()
    page.get_by_role("combobox", name="From the catalogue").fill("UT Bot")
    page.get_by_role("option", name="UT Bot").first.click()
    page.get_by_role("button", name="Add UT Bot").click()
    drawn = f"""async () => {{
        {CHART_OF}
        const order = chartOf?.(document.querySelector(".tp-chart"))?.order ?? []
        return order.filter((uid) => uid.includes("_stop_")).length === 2
    }}"""
    page.wait_for_function(drawn, timeout=SLOW_MS)
    page.wait_for_function(
        "new URL(window.location.href).searchParams.get('show')?.includes('ut_bot()')", timeout=SLOW_MS
    )
    page.reload()
    page.wait_for_function(drawn, timeout=SLOW_MS)
    assert "show=" in page.url


def test_signals_are_filtered_where_they_are_shown(page: Any, address: str) -> None:
    page.goto(address)
    rows = page.locator(".tp-signals tbody tr:visible")
    page.wait_for_selector(".tp-signals[data-revision]", timeout=SLOW_MS)
    every = rows.count()
    page.get_by_label("Filter signals").fill("tsla rsi")
    page.locator(".tp-signals").get_by_role("button", name="sell").click()
    page.wait_for_selector(".tp-signals button[aria-pressed=true] >> text=sell", timeout=SLOW_MS)
    found = rows.all_inner_texts()
    assert 0 < len(found) < every
    assert all("TSLA" in row and "sell" in row and "RSI" in row for row in found)
    _next_update(page)
    assert all("TSLA" in row for row in rows.all_inner_texts()), "what comes is filtered too"


@pytest.mark.soak
def test_what_changed_makes_the_chart_that_a_new_page_is_sent(
    page: Any, browser: Any, address: str, home: Path
) -> None:
    """New bars, dropped ones, corrected ones, late ones, withdrawn signals, an rdb that was started again."""
    messages: list[dict[str, Any]] = []

    def received(frame: bytes | str) -> None:
        message = ForwardMsg.FromString(frame if isinstance(frame, bytes) else frame.encode())
        component = message.delta.new_element.bidi_component
        if component.component_name == "tickplant.chart" and component.json:
            messages.append(json.loads(component.json))

    page.on("websocket", lambda websocket: websocket.on("framereceived", received))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    (home / "corrections").touch()
    page.goto(address)
    for _ in range(12):
        _next_update(page)
    deadline = time.monotonic() + 2 * SLOW_MS / 1000  # a slow page says seldom what it has
    while (since := sum("changes" in message for message in messages)) <= 5:
        assert time.monotonic() < deadline, f"of {len(messages)} messages {since} were what changed"
        _next_update(page)
    page.evaluate(ANOTHER_PLACE)  # forgets the chart, as a place that Streamlit made anew does
    _next_update(page)
    _next_update(page)
    (home / "still").touch()
    try:
        _until_still(page)
        assert "changes" in messages[-1]
        other = browser.new_page(viewport={"width": 1400, "height": 1000})
        other.goto(address)
        other.wait_for_selector(".tp-chart[data-revision]", timeout=SLOW_MS)
        _until_still(other)
        old, new = json.loads(page.evaluate(DRAWN)), json.loads(other.evaluate(DRAWN))
        other.close()
    finally:
        (home / "still").unlink()
        (home / "corrections").unlink()
    assert {name: old[name] for name in old if old[name] != new[name]} == {}
    assert new.keys() == old.keys()
    assert len(old["times"]) == 1000
    assert not errors


def _until_still(page: Any) -> None:
    """Wait until two refreshes drew nothing new."""
    deadline = time.monotonic() + SLOW_MS / 1000
    before, since = None, time.monotonic()
    while time.monotonic() < since + 3:
        assert time.monotonic() < deadline, "the chart changes although nothing happens"
        now = page.evaluate("document.querySelector('.tp-chart')?.dataset.revision")
        if now != before:
            before, since = now, time.monotonic()
        page.wait_for_timeout(100)


def _zoom(page: Any) -> None:
    """Turn the wheel over the chart until fewer bars are in view, and the chart no longer follows the newest."""
    deadline = time.monotonic() + SLOW_MS / 1000
    left, right = _shown(page)["range"]
    narrower = f"async (span) => {{ const [a, b] = (await ({BARS})())?.range ?? [0, span]; return b - a < span }}"
    while not (page.locator('.tp-chart[data-follow="false"]').count() and page.evaluate(narrower, right - left)):
        assert time.monotonic() < deadline, "the wheel does not zoom"
        middle = _box(page, ".tp-graph .nsewdrag")
        page.mouse.move(middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2)
        page.mouse.wheel(0, -600)
        page.wait_for_timeout(1000)


def _box(page: Any, selector: str) -> dict[str, float]:
    """Wait until something is drawn there, and return where: a redraw takes elements away for a moment."""
    where = """(selector) => {
        const box = document.querySelector(selector)?.getBoundingClientRect()
        return box?.width && box.height ? { x: box.x, y: box.y, width: box.width, height: box.height } : null
    }"""
    found: dict[str, float] = page.wait_for_function(where, arg=selector, timeout=SLOW_MS).json_value()
    return found


def _shown(page: Any) -> dict[str, Any]:
    """Wait until a figure is drawn, and return what of it is in view."""
    found: dict[str, Any] = page.wait_for_function(BARS, timeout=SLOW_MS).json_value()
    return found


def _next_update(page: Any) -> None:
    """Wait until the chart was drawn with data that it did not have before."""
    revision = "document.querySelector('.tp-chart')?.dataset.revision"
    before = page.wait_for_function(revision, timeout=SLOW_MS).json_value()
    newer = f"(before) => {{ const now = {revision}; return now && now !== before }}"
    page.wait_for_function(newer, arg=before, timeout=SLOW_MS)


def _wait_until_served(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SLOW_MS / 1000
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"streamlit does not serve on port {port}; its log:\n{log.read_text()}")
