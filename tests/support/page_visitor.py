"""Somebody at the page of the service, in Chromium, and the market that he looks at."""

import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from chromium import SLOW_MS
from service_plant import ServicePlant
from trading_plant import closed_bars

MINUTE = 60 * 10**9
BARS, MORE = 400, 60
SYMS = ("AAPL", "MSFT")
BUSY = ("status of 503", "status of 504", "ERR_CONNECTION_", "ERR_SOCKET_NOT_CONNECTED")
"""What Chromium complains of where a process is away or slow; the page says it in words."""

APP = "const { app } = await import('/page/main.js');"
"""The page's own object: what is drawn on a canvas cannot be read off the document."""

BARS_OF_CHARTS = f"async () => {{ {APP} return app.stage.charts.map((chart) => chart.bars.list.length) }}"
LAST_CLOSES = f"async () => {{ {APP} return app.stage.charts.map((chart) => chart.bars.last?.close) }}"
SEEN_BARS = f"""async () => {{ {APP}
    return app.stage.charts[0].bars.list.map((bar) => [bar.ms, bar.open, bar.high, bar.low, bar.close]) }}"""
SHOWN = f"""async () => {{ {APP}
    return app.annotationsOf(app.sym, '15m')
        .map((each) => [each.kind, each.source, each.top, each.bottom, each.text]) }}"""
PLACE = f"""async (price) => {{ {APP}
    const chart = app.stage.charts[2]
    const box = chart.canvas.getBoundingClientRect()
    return [box.left, box.top + chart.candles.priceToCoordinate(price), box.width] }}"""


APART = f"""async (price) => {{ {APP}
    const candles = app.stage.charts[2].candles
    return candles.coordinateToPrice(candles.priceToCoordinate(price) + 60) }}"""


class Market:
    """The bars of the test: one source of real names, one that makes prices up."""

    def __init__(self, plant: ServicePlant) -> None:
        self.plant = plant
        # All are over by the clock: one of now would close, and an order on it be filled, when its minute ends.
        self.start = (time.time_ns() // MINUTE - BARS - MORE - 1) * MINUTE
        self.bars = {
            sym: list(closed_bars(random.Random(n), BARS + MORE, (sym,), self.start)) for n, sym in enumerate(SYMS)
        }
        self.given = 0

    def go(self, count: int) -> None:
        """Publish the next bars, and that they closed."""
        feed = self.plant.publisher(f"bars-{time.time_ns()}")
        for sym, rows in self.bars.items():
            for row in rows[self.given : self.given + count]:
                prices = {name: row[name] for name in ("open", "high", "low", "close", "volume")}
                source = "finazon" if sym == "AAPL" else "simulated"
                feed.publish(
                    "bars", {"time": row["market_time"], "sym": sym, "interval": "1m", **prices, "source": source}
                )
        feed.flush()
        self.given += count

    def last(self, sym: str = "AAPL") -> float:
        """The close of the newest bar."""
        return float(self.bars[sym][self.given - 1]["close"])


class Visitor:
    """Somebody at the page; what it asked for and complained of is kept."""

    def __init__(self, browser: Any, plant: ServicePlant, width: int = 1500, height: int = 900) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.page.set_default_timeout(SLOW_MS)
        self.plant, self.asked, self.wrong = plant, list[str](), list[str]()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: self._heard(said.type, said.text))

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and not any(word in text for word in BUSY):
            self.wrong.append(text)

    def open(self) -> "Visitor":
        """Open the page, and wait until the charts have bars."""
        self.page.goto(self.plant.url)
        self.until(lambda: min(self.page.evaluate(BARS_OF_CHARTS)) > 20, "bars on all charts")
        return self

    def until(self, condition: Callable[[], Any], what: str, deadline_s: float = 60.0) -> Any:
        end = time.monotonic() + deadline_s
        while not (found := condition()):
            assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}; {self.wrong}; {self.text('#toasts')}"
            self.page.wait_for_timeout(50)
        return found

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def button(self, name: str, **options: Any) -> Any:
        return self.page.get_by_role("button", name=name, **options)

    def drag(self, price: float, start: tuple[float, int], end: tuple[float, int]) -> None:
        """Drag on the third chart, from and to a share of its width, so many pixels below a price."""
        left, top, width = self.page.evaluate(PLACE, price)
        self.page.mouse.move(left + width * start[0], top + start[1])
        self.page.mouse.down()
        self.page.mouse.move(left + width * end[0], top + end[1], steps=4)
        self.page.mouse.up()

    def close(self) -> None:
        """Close the page; nothing may have gone wrong on it, and nothing been asked of another host."""
        host = urlsplit(self.plant.url).netloc
        hosts = {urlsplit(url).netloc for url in self.asked if not url.startswith(("data:", "blob:"))}
        self.page.close()
        assert hosts == {host}
        assert not self.wrong
