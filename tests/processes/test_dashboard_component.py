"""The chart in a real browser: what only plotly.js, Streamlit's frontend and a pointer can show."""

import hashlib
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

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
SCRIPT = """
import streamlit as st

from dashboard.app import main
from dashboard_market import Market


@st.cache_resource
def connections():
    market = Market(1200)  # more than a page loads: at every new bar the oldest one drops out
    market.on_ask = market.advance
    return market.connections(refresh_s=1.0)


main(connections())
"""
BARS = """() => {
    const graph = document.querySelector(".tp-graph")
    if (!graph?._fullLayout?.xaxis || !graph.data?.length) return null
    const [left, right] = graph._fullLayout.xaxis.range
    const price = graph.data.find((trace) => trace.uid === "candles")
    const first = price.x.indexOf(Math.ceil(left)), last = price.x.indexOf(Math.floor(right))
    return { range: [left, right], first: price.open[first] ?? null, last: price.close[last] ?? null,
             newest: price.x.at(-1), oldest: price.x[0], loaded: price.x.length,
             sma: graph._fullData.find((trace) => trace.uid === "sma_20").visible,
             ticks: graph._fullLayout.xaxis.ticktext }
}"""

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

OVERTAKEN = """async () => {
    const root = document.querySelector(".tp-chart")
    const data = { revision: root.dataset.revision, notes: [], stale: false }
    const address = performance.getEntriesByType("resource").find((entry) => entry.name.endsWith("/chart.js")).name
    const show = (await import(address)).default
    show({ data, parentElement: root.parentElement })()
}"""
"""What Streamlit does on a slow page: it cleans up after a call of the component that newer data overtook."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
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


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        yield page
        browser.close()


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
    page.wait_for_selector(".tp-chart[data-revision]", timeout=30_000)
    _next_update(page)
    shown = _shown(page)
    assert shown["range"][1] > shown["newest"], "at first the newest bar is in view"
    assert shown["loaded"] == 1000
    assert any("<b>" in label for label in shown["ticks"]), "the date stands where the day changes"

    _zoom(page)
    page.locator(".legendtoggle").nth(1).click()
    page.wait_for_function(f"({BARS})()?.sma === 'legendonly'", timeout=20_000)
    zoomed = _shown(page)
    assert zoomed["range"][1] - zoomed["range"][0] < shown["range"][1] - shown["range"][0]
    page.evaluate(OVERTAKEN)
    _next_update(page)
    _next_update(page)
    later = _shown(page)
    assert later["newest"] > zoomed["newest"], "bars arrived"
    assert later["oldest"] > zoomed["oldest"], "and old ones dropped out"
    assert later["range"] == pytest.approx(zoomed["range"])
    assert (later["first"], later["last"]) == (zoomed["first"], zoomed["last"]), "the same bars are in view"
    assert later["sma"] == "legendonly"

    page.get_by_role("button", name="Go to latest").click()
    page.wait_for_selector('.tp-chart[data-follow="true"]', timeout=20_000)
    _next_update(page)
    latest = _shown(page)
    assert latest["range"][1] > latest["newest"] > latest["range"][0]

    page.locator('.tp-watchlist button[data-sym="TSLA"]').click()
    page.wait_for_selector('.tp-watchlist button[data-sym="TSLA"][aria-pressed="true"]', timeout=20_000)
    page.wait_for_function("document.querySelector('.tp-graph').layout.uirevision === 'TSLA 1m'", timeout=20_000)

    own = urlsplit(address).netloc
    others = {url for url in asked if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != own}
    assert not others
    assert not errors


def test_a_reload_shows_the_same_symbol_and_the_same_bars_and_a_phone_the_chart_at_its_top(
    page: Any, address: str
) -> None:
    page.goto(f"{address}/?symbol=TSLA")
    page.wait_for_selector(".tp-chart[data-revision]", timeout=30_000)
    _zoom(page)
    page.wait_for_function("new URL(window.location.href).searchParams.has('until')", timeout=20_000)
    before = _shown(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.wait_for_selector('.tp-chart[data-follow="false"]', timeout=30_000)
    after = _shown(page)
    assert after["last"] == before["last"]
    assert after["range"][1] - after["range"][0] == pytest.approx(before["range"][1] - before["range"][0], abs=1)
    assert page.locator(".tp-graph").evaluate("(graph) => graph.layout.uirevision") == "TSLA 1m"
    assert _box(page, ".tp-graph")["y"] < 500


def test_a_turn_of_the_wheel_that_comes_while_the_one_before_is_drawn_is_not_lost(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".tp-chart[data-revision]", timeout=30_000)
    _next_update(page)
    _shown(page)
    spans = page.evaluate(TURNS_OF_A_SLOW_BROWSER)
    assert spans == sorted(spans, reverse=True)
    _next_update(page)
    _next_update(page)
    left, right = _shown(page)["range"]
    assert right - left == pytest.approx(spans[-1], abs=1)  # as the page's address has it, in whole bars


def _zoom(page: Any) -> None:
    """Turn the wheel over the chart until fewer bars are in view, and the chart no longer follows the newest."""
    deadline = time.monotonic() + 30
    left, right = _shown(page)["range"]
    narrower = f"(span) => {{ const [a, b] = ({BARS})()?.range ?? [0, span]; return b - a < span }}"
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
    found: dict[str, float] = page.wait_for_function(where, arg=selector, timeout=30_000).json_value()
    return found


def _shown(page: Any) -> dict[str, Any]:
    """Wait until a figure is drawn, and return what of it is in view."""
    found: dict[str, Any] = page.wait_for_function(BARS, timeout=30_000).json_value()
    return found


def _next_update(page: Any) -> None:
    """Wait until the chart was drawn with data that it did not have before."""
    revision = "document.querySelector('.tp-chart')?.dataset.revision"
    before = page.wait_for_function(revision, timeout=30_000).json_value()
    newer = f"(before) => {{ const now = {revision}; return now && now !== before }}"
    page.wait_for_function(newer, arg=before, timeout=30_000)


def _wait_until_served(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"streamlit does not serve on port {port}; its log:\n{log.read_text()}")
