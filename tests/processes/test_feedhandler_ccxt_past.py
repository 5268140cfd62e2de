"""The past of an exchange by CCXT's client: pages, ends, refusals, an exchange that does not go back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from binance_server import MS, BinanceServer
from ccxt_market import market

from feedhandler.backfilling import venue_of
from feedhandler.ccxt.past import MOST_TRIES, CcxtPast
from feedhandler.ccxt.settings import CcxtFeedSettings
from feedhandler.venue.dialogue import Hole
from plant.errors import SettingsError
from plant.runtime.sections import FeedSection

ccxt = pytest.importorskip("ccxt")
AT_MS = 1_672_515_780_000
MINUTE_MS = 60_000


class Exchange:
    """An exchange with the calls that are made: `trades` and `bars` as CCXT gives them, `fails` errors before."""

    def __init__(self, trades: list[dict[str, Any]], goes_back: bool = True, fails: tuple[Exception, ...] = ()) -> None:
        self.has = {"fetchTrades": True, "fetchOHLCV": True}
        self.trades, self.goes_back, self.fails = trades, goes_back, list(fails)
        self.asked: list[tuple[int | None, int]] = []
        self.gives_newest = 0

    def fetch_trades(self, sym: str, since: int | None, limit: int) -> list[dict[str, Any]]:
        self.asked.append((since, limit))
        if self.fails:
            raise self.fails.pop(0)
        if self.gives_newest:  # and CCXT's client leaves out what is older
            newest = self.trades[-self.gives_newest :]
            return [trade for trade in newest if since is None or trade["timestamp"] >= since][:limit]
        if not self.goes_back or since is None:
            return self.trades[-min(limit, 3) :]
        return [trade for trade in self.trades if trade["timestamp"] >= since][: min(limit, 3)]


def trade(number: int, at: int | None = None) -> dict[str, Any]:
    return {
        "timestamp": AT_MS + (number if at is None else at),
        "price": number + 0.5,
        "amount": 2.0,
        "id": str(number),
    }


def past(exchange: Exchange) -> CcxtPast:
    return CcxtPast(CcxtFeedSettings(name="mine"), lambda: exchange, (ccxt.OperationFailed,))


def hole(first: int, last: int) -> Hole:
    return Hole("trades", "BTC/USDT", "", (AT_MS + first) * MS, (AT_MS + last + 1) * MS)


def test_trades_come_page_by_page_each_once_and_only_those_of_the_hole() -> None:
    times = [1, 2, 2, 2, 3, 5, 5, 8, 9, 12, 13]
    exchange = Exchange([trade(number, at) for number, at in enumerate(times)])
    rows, missing = past(exchange).fetch(hole(2, 9))
    assert missing == ""
    assert [row.trade_id for row in rows] == [str(n) for n in range(1, 9)]  # type: ignore[union-attr]


def test_more_trades_of_one_moment_than_a_page_has_are_no_circle() -> None:
    exchange = Exchange([trade(number, at) for number, at in enumerate([1, 4, 4, 4, 4, 4, 6, 7])])
    rows, missing = past(exchange).fetch(hole(1, 7))
    assert missing == ""
    assert [row.trade_id for row in rows] == ["0", "1", "2", "3", "6", "7"]  # type: ignore[union-attr]


def test_an_exchange_that_gives_its_newest_trades_alone_is_told() -> None:
    rows, missing = past(Exchange([trade(n) for n in range(1, 9)], goes_back=False)).fetch(hole(2, 9))
    assert (rows, missing) == ([], "the exchange gives its newest trades alone, whatever time is asked for")


def test_an_exchange_that_gives_its_newest_trades_whatever_is_asked_for_is_told_though_its_client_hides_it() -> None:
    exchange = Exchange([trade(n) for n in range(1, 9)])
    exchange.gives_newest = 5
    rows, missing = past(exchange).fetch(hole(2, 9))
    assert [row.trade_id for row in rows] == ["4", "5", "6", "7", "8"]  # type: ignore[union-attr]
    assert missing.startswith("the exchange has nothing older than 2022-12-31 19:43:00 UTC, which may be")
    assert past(exchange).fetch(hole(4, 9))[1] == ""


@pytest.mark.parametrize("before", [-1_000, -7_200_000])
def test_a_quiet_hour_before_the_first_trade_is_no_missing_past(before: int) -> None:
    rows, missing = past(Exchange([trade(0, before), trade(1, 5), trade(2, 6)])).fetch(hole(2, 9))
    assert ([row.trade_id for row in rows], missing) == (["1", "2"], "")  # type: ignore[union-attr]


def test_what_passes_by_itself_is_tried_again_and_all_else_not() -> None:
    slept: list[float] = []
    exchange = Exchange([trade(1)], fails=(ccxt.RateLimitExceeded("too many"), ccxt.RequestTimeout("slow")))
    rows, missing = past(exchange).fetch(hole(1, 9), sleep=slept.append)
    assert (len(rows), missing, slept) == (1, "", [2.0, 4.0])
    exchange = Exchange([trade(1)], fails=(ccxt.RequestTimeout("slow"),) * MOST_TRIES)
    assert past(exchange).fetch(hole(1, 9), sleep=slept.append) == ([], "RequestTimeout: slow")
    exchange = Exchange([trade(1)], fails=(ccxt.BadSymbol("no such"),))
    assert past(exchange).fetch(hole(1, 9)) == ([], "BadSymbol: no such")
    assert len(exchange.asked) == 1


@pytest.fixture
def server() -> Iterator[BinanceServer]:
    with BinanceServer() as made:
        yield made


def test_ccxts_own_client_has_trades_and_closed_bars(server: BinanceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from feedhandler.ccxt.feed import CcxtFeed

    def asked(settings: CcxtFeedSettings) -> Any:
        made = ccxt.binance({"enableRateLimit": False})
        made.set_markets([market("BTCUSDT")])
        made.urls["api"]["public"] = f"{server.rest_url}/api/v3"
        return made

    monkeypatch.setattr(CcxtFeed, "asked", staticmethod(asked))
    for k in range(30):
        server.trade("BTCUSDT", time_ms=AT_MS + k)
    for k in range(4):
        server.kline("BTCUSDT", AT_MS + k * MINUTE_MS, f"{101 + k}", True, 5)
    section = FeedSection(
        kind="ccxt", name="mine", exchange="binance", symbols=["BTC/USDT"], channels=["trades", "bars"]
    )
    found = venue_of(section, Path("plant.toml"))
    assert (found.has(hole(0, 1)), found.has(Hole("quotes", "BTC/USDT"))) == (True, False)
    rows, missing = found.fetch(hole(5, 24))
    assert missing == ""
    assert [row.time // MS - AT_MS for row in rows] == [*range(5, 25)]  # type: ignore[union-attr]
    bars = Hole("bars", "BTC/USDT", "1m", (AT_MS + MINUTE_MS) * MS, (AT_MS + 3 * MINUTE_MS + 1) * MS)
    rows, missing = found.fetch(bars)
    assert ([row.close for row in rows], missing) == ([102.0, 103.0], "")  # type: ignore[union-attr]
    assert found.fetch(hole(0, 1)._replace(sym="NOPE/USDT"))[1].startswith("BadSymbol")
    found.close()
    with pytest.raises(SettingsError, match=r"feed 'mine': exchange: CCXT knows none called 'krakn'"):
        venue_of(FeedSection(kind="ccxt", name="mine", exchange="krakn"), Path("plant.toml"))
