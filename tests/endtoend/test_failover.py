"""Two venues of one symbol: one falls silent, the other counts from the next minute on, and REST heals the one between.

Both are real feeds against the servers of their protocols; their rows go to the builder of candles as the plant hands
them on, by a clock of the test's.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from alpaca_server import KEY, SECRET, AlpacaServer
from candle_plant import MINUTE, CandlePlant
from polled_feed import Clock, Polled
from tradier_server import KEY as TOKEN
from tradier_server import MS, TradierServer

from feedhandler.alpaca.feed import AlpacaFeed
from feedhandler.tradier.feed import TradierFeed

START = 1_796_050_800 * 10**9  # 2026-11-30 15:00 UTC
SECOND = 10**9


class Watched(Polled):
    """A feed that is polled at a time of the test's; what it gives is handed on to a plant."""

    def __init__(self, kind: Any, plant: CandlePlant, name: str, **keys: Any) -> None:
        clock = Clock()
        self.plant, self.now_ns, self.handed = plant, START, 0
        super().__init__(
            kind(kind.Settings(name=name, symbols=("AAPL",), channels=("trades",), **keys), clock=clock), clock
        )

    def poll(self) -> None:
        for table, columns in self.feed.poll(self.now_ns, 0.01):
            found = {name: list(values) for name, values in columns.items()}
            rows = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
            self.rows[table] += rows
            if table == "trades":
                self.plant.send("trades", rows, self.now_ns)


@pytest.fixture
def plant() -> CandlePlant:
    return CandlePlant(ranked=("alpaca", "tradier"))


@pytest.fixture
def both(
    plant: CandlePlant, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[AlpacaServer, TradierServer, Watched, Watched]]:
    monkeypatch.setenv("ALPACA_API_KEY", KEY)
    monkeypatch.setenv("ALPACA_API_SECRET", SECRET)
    monkeypatch.setenv("TRADIER_API_KEY", TOKEN)
    with ExitStack() as stack:
        first, second = stack.enter_context(AlpacaServer()), stack.enter_context(TradierServer())
        alpaca = Watched(
            AlpacaFeed, plant, "alpaca", url=f"{first.url}/v2/sip", rest_url=first.rest_url, silence_s=500.0
        )
        stack.callback(alpaca.feed.close)
        tradier = Watched(TradierFeed, plant, "tradier", url=second.url, rest_url=second.rest_url)
        stack.callback(tradier.feed.close)
        for one, server in ((alpaca, first), (tradier, second)):
            one.until(lambda server=server, one=one: server.names() and "connected" in one.feed.status(), "connected")
        yield first, second, alpaca, tradier


def test_the_other_venue_takes_over_and_rest_heals_the_minute_between(
    plant: CandlePlant, both: tuple[AlpacaServer, TradierServer, Watched, Watched]
) -> None:
    first, second, alpaca, tradier = both

    def trade(at_s: int, silent: bool = False) -> None:
        """Make the same print at both venues; a silent one has it in its past alone."""
        now_ns = START + at_s * SECOND
        alpaca.now_ns = tradier.now_ns = now_ns
        clients = first.clients
        if silent:
            first.clients = []
        first.trade("AAPL", 100.0 + at_s, now_ns)
        first.clients = clients
        second.trade("AAPL", f"{500 + at_s}", "20", now_ns // MS)
        if not silent:
            alpaca.until_rows("trades", len(first.trades["AAPL"]))
        tradier.until_rows("trades", len(second.trades["AAPL"]))
        plant.tick(now_ns)

    for at_s in range(5, 51, 5):
        trade(at_s)
    for at_s in range(55, 151, 5):
        trade(at_s, silent=True)
    [taken] = [row for table, row in plant.published if table == "gaps"]
    assert taken["state"] == "opened"
    assert "AAPL: no trade of alpaca for 15 s; trades of tradier count from 2026-11-30T15:02:00Z on" in taken["detail"]
    closes = {(time - START) // MINUTE: (bar[3], bar[4]) for (_, time), bar in plant.bars().items()}
    assert closes == {0: (150.0, 100.0), 2: (650.0, 140.0)}  # nothing of the minute between

    alpaca.now_ns += 2 * SECOND
    alpaca.clock.ahead_s += 501.0  # stale, and then connected anew
    alpaca.until_status("stale")
    alpaca.clock.ahead_s += 501.0
    alpaca.until_status("reconnecting")
    alpaca.clock.ahead_s += 61.0
    alpaca.until(lambda: first.names() and "connected" in alpaca.feed.status(), "connected again")
    alpaca.clock.ahead_s += 2.0  # what the past has by then
    alpaca.until_rows("trades", len(first.trades["AAPL"]))
    plant.tick(START + 155 * SECOND)
    bars = {(time - START) // MINUTE: bar for (_, time), bar in plant.bars().items()}
    assert (bars[1][0], bars[1][3], bars[1][4], bars[1][6]) == (160.0, 215.0, 120.0, 12.0)  # whole, of alpaca alone
    assert (bars[0][3], bars[2][3]) == (155.0, 650.0)
    assert [row["state"] for row in alpaca.rows["gaps"]] == ["opened", "healed"]

    for at_s in (175, 185, 190):  # it sends again: from the next minute on it counts
        trade(at_s)
    states = [row["state"] for table, row in plant.published if table == "gaps"]
    assert states == ["opened", "healed"]
    plant.tick(START + 10 * MINUTE)
    found = {(time - START) // MINUTE: bar[3] for (_, time), bar in plant.bars().items()}
    assert found == {0: 155.0, 1: 215.0, 2: 675.0, 3: 290.0}
    assert {row["source"] for table, row in plant.published if table == "bars"} == {"built:alpaca", "built:tradier"}
