"""CCXT's own client against the local server that speaks Binance's protocol: streams, cuts, polling, refusals."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from binance_server import MS, BinanceServer

from feedhandler.ccxt import streams
from feedhandler.ccxt.feed import CcxtFeed
from feedhandler.ccxt.settings import CcxtFeedSettings
from plant.transport.connection_state import Pauses

pytest.importorskip("ccxt.pro")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def market(sym: str) -> dict[str, Any]:
    base = sym.removesuffix("USDT")
    kind = {
        "type": "spot",
        "spot": True,
        "margin": False,
        "swap": False,
        "future": False,
        "option": False,
        "contract": False,
    }
    limits = {name: {"min": None, "max": None} for name in ("amount", "price", "cost")}
    named = {"id": sym, "lowercaseId": sym.lower(), "symbol": f"{base}/USDT", "base": base, "quote": "USDT"}
    named |= {"baseId": base, "quoteId": "USDT", "active": True, "precision": {"amount": 1e-5, "price": 0.01}}
    return {**named, **kind, "limits": limits, "info": {}}


class LocalFeed(CcxtFeed):
    """CCXT's binance, with the addresses of the server; `streams` False: an exchange that has none."""

    server: BinanceServer
    streaming = True

    def exchange(self) -> Any:
        made = super().exchange()
        made.set_markets([market(sym) for sym in self.server.trades])
        made.urls["api"]["ws"]["spot"] = f"{self.server.url}/ws"
        made.urls["api"]["public"] = f"{self.server.rest_url}/api/v3"
        if not self.streaming:
            made.has = {**made.has, "watchOHLCV": False, "watchTrades": False}
        return made


@pytest.fixture
def server() -> Iterator[BinanceServer]:
    with BinanceServer() as made:
        yield made


@pytest.fixture
def begin(server: BinanceServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., "Polled"]]:
    monkeypatch.setattr(LocalFeed, "server", server, raising=False)
    monkeypatch.setattr(streams, "PAUSES", Pauses(first_s=0.05, most_s=0.2, refused_s=None))
    made: list[CcxtFeed] = []

    def begin(**keys: Any) -> Polled:
        feed = LocalFeed(CcxtFeedSettings(**{"name": "mine", "exchange": "binance", "symbols": ("BTC/USDT",), **keys}))
        made.append(feed)
        feed.start(0)
        return Polled(feed)

    yield begin
    for feed in made:
        feed.close()


class Polled:
    """Polls a feed, and keeps what it published."""

    def __init__(self, feed: CcxtFeed) -> None:
        self.feed = feed
        self.rows: dict[str, list[dict[str, Any]]] = {"trades": [], "bars": [], "quotes": [], "instruments": []}

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.feed.status()}; {self.rows}"
            for table, columns in self.feed.poll(time.time_ns(), 0.02):
                named = {name: list(values) for name, values in columns.items()}
                self.rows[table] += [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]


def test_trades_and_bars_become_rows_and_nothing_is_missing_after_a_cut(
    server: BinanceServer, begin: Callable[..., Polled]
) -> None:
    plant = begin(channels=("trades", "bars"))
    plant.until(lambda: len(server.names()) == 2, "two streams")
    at_ms = 1_672_515_780_000
    for k in range(5):
        server.trade("BTCUSDT", time_ms=at_ms + k)
    server.kline("BTCUSDT", at_ms, "101", False, 5)
    plant.until(lambda: len(plant.rows["trades"]) == 5 and plant.rows["bars"], "the first rows")
    server.drop()
    for k in range(5, 9):  # nobody hears these; REST has them under other numbers
        server.trade("BTCUSDT", time_ms=at_ms + k)
    plant.until(lambda: len(server.names()) == 2, "two streams again")

    def enough() -> bool:
        # The client hands out what came while nobody asked only when more comes.
        server.trade("BTCUSDT", time_ms=at_ms + len(server.trades["BTCUSDT"]))
        return len(plant.rows["trades"]) >= 12

    plant.until(enough, "trades after the cut")
    count = len(plant.rows["trades"])
    assert [row["time"] // MS - at_ms for row in plant.rows["trades"]] == [*range(count)]
    prices = [float(trade["p"]) for trade in server.trades["BTCUSDT"]]
    assert [row["price"] for row in plant.rows["trades"]] == prices[:count]
    (instrument,) = plant.rows["instruments"]
    assert (instrument["sym"], instrument["tick"], instrument["lot"]) == ("BTC/USDT", 0.01, 1e-5)
    first = plant.rows["bars"][0]
    assert (first["time"], first["sym"], first["interval"], first["close"]) == (at_ms * MS, "BTC/USDT", "1m", 101.0)
    assert first["source"] == "mine"


def test_an_exchange_without_streams_is_asked_again_and_again(
    server: BinanceServer, begin: Callable[..., Polled]
) -> None:
    LocalFeed.streaming = False
    try:
        at_ms = time.time_ns() // MS // 60_000 * 60_000 - 600_000
        server.kline("BTCUSDT", at_ms, "101", True, 1)
        plant = begin(channels=("bars",), names={"BTC": "BTC/USDT"}, symbols=("BTC",))
        plant.until(lambda: plant.rows["bars"], "a bar")
        server.kline("BTCUSDT", at_ms + 60_000, "102", True, 1)
        plant.until(lambda: plant.rows["bars"][-1]["close"] == 102.0, "the next one")
        assert plant.rows["bars"][-1]["sym"] == "BTC"
        assert server.names() == set()
    finally:
        LocalFeed.streaming = True


def test_an_unknown_symbol_costs_itself_only_and_a_list_may_change(
    server: BinanceServer, begin: Callable[..., Polled]
) -> None:
    plant = begin(channels=("trades",), symbols=("NOPE/USDT", "BTC/USDT"))
    plant.until(lambda: "trades of NOPE/USDT is not to be had: BadSymbol" in plant.feed.status(), "told")
    plant.until(lambda: server.names() == {"btcusdt@trade"}, "the other one")
    plant.feed.resubscribe(plant.feed.settings.model_copy(update={"symbols": ("ETH/USDT",)}))
    plant.until(lambda: "ethusdt@trade" in server.names(), "the new one")
    server.trade("ETHUSDT")
    plant.until(lambda: plant.rows["trades"] and plant.rows["trades"][-1]["sym"] == "ETH/USDT", "its trade")
    assert "NOPE" not in plant.feed.status()


def test_an_exchange_that_nobody_knows_is_refused_with_those_that_are_like_it() -> None:
    with pytest.raises(ValueError, match=r"exchange: CCXT knows none called 'krakn'; did you mean kraken"):
        CcxtFeed(CcxtFeedSettings(exchange="krakn"))


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"channels": ("depth",)}, "expected some of trades, quotes, bars, found 'depth'"),
        ({"record": True}, "CCXT hands out no frames, so that none can be kept"),
        ({"url": "wss://x"}, "at most 0 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match="validation error") as error:
        CcxtFeedSettings(**keys)
    assert reason in str(error.value)
