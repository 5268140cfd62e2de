"""CCXT's own client against the local server that speaks Binance's protocol: streams, cuts, polling, refusals."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import chance
import pytest
from binance_server import MS, BinanceServer
from ccxt_market import market

from feedhandler.ccxt import streams
from feedhandler.ccxt.feed import CcxtFeed
from feedhandler.ccxt.settings import CcxtFeedSettings
from feedhandler.past.catching_up import Held
from feedhandler.venue.seam import key_by
from plant.transport.connection_state import Pauses

pytest.importorskip("ccxt.pro")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class LocalFeed(CcxtFeed):
    """CCXT's binance, with the addresses of the server.

    streaming   False: an exchange that has no streams
    newest      not 0: its past is so many of its newest trades, whatever time is asked for; CCXT's client leaves out
                what is older than that
    """

    server: BinanceServer
    streaming = True
    newest = 0

    def exchange(self) -> Any:
        made = super().exchange()
        made.set_markets([market(sym) for sym in self.server.trades])
        made.urls["api"]["ws"]["spot"] = f"{self.server.url}/ws"
        made.urls["api"]["public"] = f"{self.server.rest_url}/api/v3"
        if not self.streaming:
            made.has = {**made.has, "watchOHLCV": False, "watchTrades": False}
        if self.newest:
            whole = made.fetch_trades

            async def fetch_trades(sym: str, since: int | None = None, limit: int | None = None) -> list[Any]:
                found = (await whole(sym, since and 1))[-self.newest :]
                return [trade for trade in found if since is None or trade["timestamp"] >= since]

            made.fetch_trades = fetch_trades
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
        feed = LocalFeed(
            CcxtFeedSettings(
                **{"name": "mine", "exchange": "binance", "symbols": ("BTC/USDT",), "catch_up_h": 0, **keys}
            )
        )
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
        self.rows: dict[str, list[dict[str, Any]]] = {
            "trades": [],
            "bars": [],
            "quotes": [],
            "instruments": [],
            "gaps": [],
        }

    def poll(self) -> None:
        for table, columns in self.feed.poll(time.time_ns(), 0.02):
            named = {name: list(values) for name, values in columns.items()}
            self.rows[table] += [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]

    def until(self, condition: Callable[[], object], what: str, more: Callable[[], object] = str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            shown = {table: (len(rows), rows[-2:]) for table, rows in self.rows.items()}
            assert time.monotonic() < deadline, f"{what}: {more()} {self.feed.status()}; {shown}"
            self.poll()


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


@pytest.mark.parametrize(("newest", "state"), [(4, "lost"), (9, "healed")])
def test_a_cut_of_an_exchange_that_gives_its_newest_trades_alone_is_healed_only_if_they_go_back_to_it(
    server: BinanceServer, begin: Callable[..., Polled], monkeypatch: pytest.MonkeyPatch, newest: int, state: str
) -> None:
    monkeypatch.setattr(LocalFeed, "newest", newest)
    at_ms = 1_672_515_780_000
    plant = begin(channels=("trades",))
    plant.until(server.names, "the stream")
    for k in range(5):
        server.trade("BTCUSDT", time_ms=at_ms + 2_000 * k)
    plant.until(lambda: len(plant.rows["trades"]) == 5, "the first rows")
    server.drop()
    for k in range(5, 11):
        server.trade("BTCUSDT", time_ms=at_ms + 2_000 * k)
    plant.until(server.names, "the stream again")
    server.trade("BTCUSDT", time_ms=at_ms + 22_000)
    plant.until(lambda: len(plant.rows["gaps"]) == 2, "what became of the cut")
    opened, ended = plant.rows["gaps"]
    assert (opened["state"], ended["state"]) == ("opened", state)
    assert (ended["first"], ended["last"]) == ((at_ms + 8_000) * MS, (at_ms + 22_000) * MS)
    if state == "lost":
        assert "the exchange does not give what followed on the newest row" in ended["detail"]
    there = [(row["time"] // MS - at_ms) // 2_000 for row in plant.rows["trades"]]
    assert there == ([*range(5), 8, 9, 10, 11] if state == "lost" else [*range(12)])


@pytest.mark.parametrize(("newest", "state"), [(3, "lost"), (30, "healed")])
def test_what_fell_between_two_runs_is_told_if_the_exchange_does_not_go_back_so_far(
    server: BinanceServer, begin: Callable[..., Polled], monkeypatch: pytest.MonkeyPatch, newest: int, state: str
) -> None:
    monkeypatch.setattr(LocalFeed, "newest", newest)
    at_ms = 1_672_515_780_000
    for k in range(20):
        server.trade("BTCUSDT", time_ms=at_ms + 2_000 * k)
    plant = begin(channels=("trades",), catch_up_h=1.0)
    plant.until(server.names, "the stream")
    known = key_by("1010", (at_ms + 20_000) * MS, "", 100.0, 1.5)
    plant.feed.had({("trades", "BTC/USDT", ""): Held((at_ms + 20_000) * MS, (at_ms + 20_000) * MS, (known,))})
    server.trade("BTCUSDT", time_ms=at_ms + 40_000)
    plant.until(lambda: len(plant.rows["gaps"]) == 2, "what became of it")
    assert [row["state"] for row in plant.rows["gaps"]] == ["opened", state]
    assert (plant.rows["gaps"][1]["first"], plant.rows["gaps"][1]["last"]) == (
        (at_ms + 20_000) * MS,
        (at_ms + 40_000) * MS,
    )
    there = sorted((row["time"] // MS - at_ms) // 2_000 for row in plant.rows["trades"])
    assert there == ([18, 19, 20] if state == "lost" else [*range(11, 21)])


def test_an_exchange_that_is_asked_again_and_again_and_was_faster_than_that_is_told(
    server: BinanceServer, begin: Callable[..., Polled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalFeed, "newest", 3)
    monkeypatch.setattr(LocalFeed, "streaming", False)
    at_ms = 1_672_515_780_000
    for k in range(3):
        server.trade("BTCUSDT", time_ms=at_ms + 2_000 * k)
    plant = begin(channels=("trades",))
    plant.until(lambda: len(plant.rows["trades"]) == 3, "the first rows")
    for k in range(3, 5):  # two and one that is known: nothing is missing
        server.trade("BTCUSDT", time_ms=at_ms + 2_000 * k)
    plant.until(lambda: len(plant.rows["trades"]) == 5, "the next")
    assert plant.rows["gaps"] == []
    for k in range(5, 10):
        server.trade("BTCUSDT", time_ms=at_ms + 2_000 * k)
    plant.until(lambda: len(plant.rows["gaps"]) == 2, "what is missing")
    assert [row["state"] for row in plant.rows["gaps"]] == ["opened", "lost"]
    assert [(row["time"] // MS - at_ms) // 2_000 for row in plant.rows["trades"]] == [*range(5), 7, 8, 9]


@chance.times("cuts", 1000, 3600)
def test_every_trade_is_there_once_and_in_order_whatever_is_cut(
    server: BinanceServer, begin: Callable[..., Polled], cuts: int
) -> None:
    """Each has a millisecond of its own: the exchange's past has other numbers, and is matched by time."""
    print(f"seed {chance.SEED}")
    dice = random.Random(chance.SEED)
    at_ms = time.time_ns() // MS - 3_600_000
    made = server.trades["BTCUSDT"]

    def trade() -> None:
        server.trade("BTCUSDT", time_ms=at_ms + len(made))

    def all_there() -> bool:
        done = len(plant.rows["trades"]) >= len(made)
        if not done and dice.random() < 0.1:
            trade()  # what came while nobody asked the client hands out when more comes
        return done

    def missing() -> str:
        there = {row["time"] // MS - at_ms for row in plant.rows["trades"]}
        holes = [
            (r["state"], r["first"] // MS - at_ms, r["last"] // MS - at_ms, r["detail"]) for r in plant.rows["gaps"]
        ]
        return f"{[n for n in range(len(made)) if n not in there]} of {len(made)}, {holes[-6:]}"

    plant = begin(channels=("trades",))
    plant.until(server.names, "the stream")
    for _ in range(cuts):
        for _ in range(dice.randrange(1, 30)):
            trade()
            if dice.random() < 0.2:
                plant.poll()
        fault = dice.randrange(3)
        if fault == 0:
            server.drop()
        elif fault == 1:
            server.close(1001, "going away")
        else:
            server.cut_in_mid_message({"stream": "btcusdt@trade", "data": made[-9:]})
        for _ in range(dice.randrange(20)):
            trade()
        plant.until(server.names, "the stream again")
        trade()
        if dice.random() < 0.7:
            plant.until(all_there, "all there", missing)
    plant.until(all_there, "all there in the end", missing)
    assert [row["time"] // MS - at_ms for row in plant.rows["trades"]] == [*range(len(made))]
    assert [row["price"] for row in plant.rows["trades"]] == [float(trade["p"]) for trade in made]
    states = [row["state"] for row in plant.rows["gaps"]]
    assert states == ["opened", "healed"] * (len(states) // 2)
    assert len(states) >= cuts
    assert {(row["sym"], row["table_name"]) for row in plant.rows["gaps"]} == {("feed-mine", "trades")}


def test_what_came_since_the_newest_row_of_the_plant_is_fetched_once(
    server: BinanceServer, begin: Callable[..., Polled]
) -> None:
    at_ms = 1_672_515_780_000
    for k in range(40):
        server.trade("BTCUSDT", time_ms=at_ms + k)
    server.kline("BTCUSDT", at_ms - 60_000, "101", True, 5)
    server.kline("BTCUSDT", at_ms, "102", True, 5)
    plant = begin(channels=("trades", "bars"), catch_up_h=1.0)
    assert plant.feed.asks_for() == [("trades", "BTC/USDT", ""), ("bars", "BTC/USDT", "1m")]
    plant.until(lambda: len(server.names()) == 2, "two streams")
    server.trade("BTCUSDT", time_ms=at_ms + 40)
    server.kline("BTCUSDT", at_ms + 60_000, "103", False, 5)
    for _ in range(5):
        plant.poll()
    assert plant.rows["trades"] == []  # they wait for the plant's word
    known = tuple(key_by(str(1_000 + k), (at_ms + k) * MS, "", 100.0, 1.5) for k in range(8, 11))
    same = ((at_ms - 60_000) * MS, 100.0, 200.0, 50.0, 101.0, 10.0)
    plant.feed.had(
        {
            ("trades", "BTC/USDT", ""): Held((at_ms + 10) * MS, (at_ms + 8) * MS, known),
            ("bars", "BTC/USDT", "1m"): Held((at_ms - 60_000) * MS, (at_ms - 60_000) * MS, (same,)),
        }
    )
    plant.until(lambda: len(plant.rows["trades"]) >= 30 and len(plant.rows["bars"]) >= 2, "what came before")
    assert [row["time"] // MS - at_ms for row in plant.rows["trades"]] == [40, *range(11, 40)]
    assert [row["close"] for row in plant.rows["bars"]] == [103.0, 102.0]
    details = {(row["table_name"], row["state"]): row["detail"] for row in plant.rows["gaps"]}
    assert details["trades", "healed"] == "BTC/USDT: fetched later, 29 rows"
    assert details["bars", "healed"] == "BTC/USDT 1m: fetched later, 1 rows"


def test_trades_that_the_plant_has_do_not_come_again_at_the_start(
    server: BinanceServer, begin: Callable[..., Polled]
) -> None:
    """Many exchanges send their last trades to whoever subscribes."""
    at_ms = 1_672_515_780_000
    plant = begin(channels=("trades",), catch_up_h=1.0)
    plant.until(server.names, "the stream")
    sent = [server.trade("BTCUSDT", time_ms=at_ms + k) for k in range(6)]
    known = tuple(key_by(str(one["t"]), at_ms * MS, "", float(one["p"]), 1.5) for one in sent[:4])
    plant.feed.had({("trades", "BTC/USDT", ""): Held((at_ms + 3) * MS, at_ms * MS, known)})
    plant.until(lambda: len(plant.rows["trades"]) >= 2, "what is new")
    for _ in range(5):
        plant.poll()
    assert [row["time"] // MS - at_ms for row in plant.rows["trades"]] == [4, 5]


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
