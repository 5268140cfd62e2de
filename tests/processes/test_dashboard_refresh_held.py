import json
import random
from collections import deque
from typing import Any

import pytest

from dashboard.refresh.changes import changed
from dashboard.refresh.held import KEPT, Held, HeldChart

Chart = dict[str, Any]


class Market:
    """Charts of one symbol after another: bars come and drop out, are corrected, come late; markers come and go."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.key = "A 1m"
        self.bars = [(minute, self.random.random()) for minute in range(200, 400, 2)]

    def step(self) -> None:
        bars, last = self.bars, self.bars[-1][0]
        what = self.random.choice(["tick", "tick", "new", "new", "correct", "front", "between", "fewer", "symbol"])
        if what == "symbol" and self.random.random() < 0.2:
            self.key = f"{self.random.choice('AB')} 1m"
            bars[:] = [(minute, self.random.random()) for minute in range(200, 400, 2)]
        elif what == "tick":
            bars[-1] = (last, self.random.random())
        elif what == "new":
            bars += [(last + 2 + 2 * i, self.random.random()) for i in range(self.random.randrange(1, 4))]
        elif what == "correct":
            i = self.random.randrange(len(bars))
            bars[i] = (bars[i][0], 7.5)
        elif what == "front":
            bars.insert(0, (bars[0][0] - 2, 0.5))
        elif what == "between":
            bars.append((last - 3, 0.25))
            bars.sort()
        elif what == "fewer":
            del bars[max(2, len(bars) - self.random.randrange(5)) :]
        self.bars = bars[-100:]

    def chart(self) -> Chart:
        """What a page that is opened now is sent."""
        marked = [x for x, (_, close) in enumerate(self.bars) if close > 0.8]
        return {
            "key": self.key,
            "times": [time for time, _ in self.bars],
            "traces": {
                "candles": {"close": [close for _, close in self.bars]},
                "buy": {"x": [*marked, None], "y": [self.bars[x][1] for x in marked]},
            },
            "layout": {"shapes": [{"xref": "x", "x0": x - 0.5, "x1": x - 0.5} for x in marked[:3]] + [{"y0": 70}]},
        }


class Browser:
    """What `chart/chart.js` does with a message."""

    def __init__(self) -> None:
        self.kept: dict[str, Chart] = {}
        self.says: deque[dict[str, str]] = deque()

    def show(self, message: dict[str, Any]) -> Chart | None:
        """Return the chart that is drawn, None if it cannot be told what it is."""
        if "whole" not in message and message["base"] not in self.kept:
            self.says.append({"lacks": message["base"]})
            return None
        chart = message["whole"] if "whole" in message else changed(self.kept[message["base"]], message["changes"])
        if message["tell"]:
            self.kept[message["revision"]] = chart
            self.says.append({"has": message["revision"]})
        return chart


def as_new(chart: Chart) -> Chart:
    """Return a chart with the x of a page that is opened now."""
    first = chart["first"]
    buy = chart["traces"]["buy"]
    shapes = [
        {**s, "x0": s["x0"] - first, "x1": s["x1"] - first} if "x0" in s else s for s in chart["layout"]["shapes"]
    ]
    x = [None if at is None else at - first for at in buy["x"]]
    traces = {**chart["traces"], "buy": {**buy, "x": x}}
    return {**chart, "traces": traces, "layout": {"shapes": shapes}, "first": 0}


@pytest.mark.parametrize("seed", range(6))
def test_every_chart_that_is_drawn_is_the_one_of_that_moment_whatever_is_lost(seed: int) -> None:
    market, chance = Market(seed), random.Random(seed)
    held, browser = HeldChart(), Browser()
    changes = 0
    for _ in range(400):
        market.step()
        message = json.loads(json.dumps(held.message(market.chart())))
        if chance.random() < 0.1:
            browser = Browser()  # loaded anew, or another place in the page
        if chance.random() < 0.02:
            held = HeldChart()  # the dashboard was started again, and the page is still there
        if chance.random() < 0.8:  # else passed over: newer data came before it was drawn
            drawn = browser.show(message)
            if drawn is not None:
                changes += "changes" in message
                assert as_new(drawn) == {**market.chart(), "first": 0}
        while browser.says and chance.random() < 0.7:
            held.told(browser.says.popleft())
    assert changes > 50, "most of the time little was sent"


def test_a_browser_that_lacks_the_chart_is_sent_the_whole_one() -> None:
    market, held = Market(1), HeldChart()
    first = held.message(market.chart())
    assert "whole" in first
    assert "whole" in held.message(market.chart()), "it has not said yet that it has one"
    held.told({"has": first["revision"]})
    assert held.message(market.chart()) == {
        "revision": first["revision"], "base": first["revision"], "changes": None, "tell": False
    }  # fmt: skip
    held.told({"lacks": "another"})
    assert "changes" in held.message(market.chart())
    held.told({"lacks": first["revision"]})
    assert "whole" in held.message(market.chart())


@pytest.mark.parametrize("what", [None, "has", [], {}, {"has": None}, {"has": ["x"]}, {"has": "unknown"}, {"lacks": 5}])
def test_what_no_browser_of_ours_says_changes_nothing(what: Any) -> None:
    market, held = Market(2), HeldChart()
    held.told({"has": held.message(market.chart())["revision"]})
    held.told(what)
    assert "changes" in held.message(market.chart())


def test_charts_that_the_browser_never_speaks_of_are_forgotten() -> None:
    market, held = Market(3), HeldChart()
    for _ in range(50):
        market.step()
        held.message(market.chart())
    assert len(held._sent) <= KEPT


def test_long_changes_are_told_and_those_after_it_are_short() -> None:
    market, held = Market(4), HeldChart()
    market.bars = [(minute, 0.5) for minute in range(2000)]
    held.told({"has": held.message(market.chart())["revision"]})
    market.bars += [(minute, 0.123456789) for minute in range(2000, 2200)]
    grown = held.message(market.chart())
    assert grown["tell"]
    held.told({"has": grown["revision"]})
    market.bars.append((2200, 0.5))
    after = held.message(market.chart())
    assert after["base"] == grown["revision"]
    assert len(json.dumps(after)) < 300


def test_a_table_is_sent_whole_and_then_its_new_rows() -> None:
    held, browser = Held(), Browser()
    rows = [[f"2025-11-20 14:{i // 60:02}:{i % 60:02}", "AAPL", "why " * 20] for i in range(220)]
    for first in range(20):
        message = json.loads(json.dumps(held.message({"rows": rows[first : first + 200]})))
        assert browser.show(message) == {"rows": rows[first : first + 200]}
        while browser.says:
            held.told(browser.says.popleft())
        assert first == 0 or len(json.dumps(message)) < 5000
