"""Tradier's feed against a local server of its protocol: sessions, lists, unknown symbols, cuts, the past."""

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import chance
import pytest
from polled_feed import fetched, polled
from tradier_server import KEY, MS, TradierServer

from feedhandler.past.catching_up import Held
from feedhandler.tradier.feed import TradierFeed
from feedhandler.tradier.history import TradierHistory
from feedhandler.tradier.settings import TradierFeedSettings
from feedhandler.venue.dialogue import Hole

DAY_MS = 86_400_000


@pytest.fixture
def server() -> Iterator[TradierServer]:
    with TradierServer() as made:
        yield made


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADIER_API_KEY", KEY)


def keys(server: TradierServer, **more: Any) -> dict[str, Any]:
    return {"url": server.url, "rest_url": server.rest_url, "symbols": ("SPY", "AAPL"), **more}


def test_without_a_token_the_variable_and_the_page_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADIER_API_KEY")
    with pytest.raises(ValueError, match=r"no TRADIER_API_KEY; docs/feeds.md#tradier"):
        TradierFeed(TradierFeedSettings())


def test_a_print_becomes_one_row(server: TradierServer) -> None:
    with polled(TradierFeed, **keys(server, name="mine", channels=("trades", "quotes"))) as plant:
        plant.until(lambda: len(server.names()) == 4, "the list")
        assert "connected" in plant.until_status("connected")
        server.trade("SPY", "282.09", "100", 1_557_758_874_355)
        server.trade("SPY", "282.10")
        first, second = plant.until_rows("trades", 2)
        for _ in range(5):
            plant.poll()
        assert len(plant.rows["trades"]) == 2
    assert (first["time"], first["price"], first["size"]) == (1_557_758_874_355 * MS, 282.09, 100.0)
    assert (first["venue_seq"], first["conditions"], first["source"]) == (352_795, "@", "mine")
    assert second["price"] == 282.1


def test_a_wrong_token_is_given_up_and_not_shown(server: TradierServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADIER_API_KEY", "wr0ng")
    with polled(TradierFeed, **keys(server)) as plant:
        shown = plant.until_status("given up")
        assert "Invalid Access Token" in shown
        assert "wr0ng" not in shown
    assert server.connects == 0


def test_an_unknown_symbol_costs_itself_only(server: TradierServer) -> None:
    with polled(TradierFeed, **keys(server, symbols=("SPY", "1234"))) as plant:
        plant.until_status("not to be had: 1234")
        server.trade("SPY")
        plant.until_rows("trades", 1)


def test_a_list_that_changes_replaces_the_one_before(server: TradierServer) -> None:
    with polled(TradierFeed, **keys(server)) as plant:
        plant.until(lambda: len(server.names()) == 2, "the list")
        plant.feed.resubscribe(plant.feed.settings.model_copy(update={"symbols": ("AAPL", "MSFT")}))
        plant.until(lambda: server.names() == {"timesale.AAPL", "timesale.MSFT"}, "the new list")
    assert server.connects == 1


def test_a_list_that_comes_too_late_for_its_session_is_sent_with_another(server: TradierServer) -> None:
    with polled(TradierFeed, **keys(server)) as plant:
        plant.until(lambda: len(server.names()) == 2, "the list")
        server.session_s = 0.0
        plant.feed.resubscribe(plant.feed.settings.model_copy(update={"symbols": ("AAPL", "MSFT")}))
        plant.until_status("session invalid or expired")
        server.session_s = 300.0
        plant.until(lambda: server.names() == {"timesale.AAPL", "timesale.MSFT"}, "the new list")
        plant.until(lambda: server.connects >= 2, "another connection")
    assert len(server.sessions) >= server.connects >= 2


def test_a_cancel_has_the_time_of_its_print(server: TradierServer) -> None:
    at = 1_557_758_874_355
    with polled(TradierFeed, **keys(server)) as plant:
        plant.until(lambda: len(server.names()) == 2, "the list")
        seq = server.trade("SPY", time_ms=at)
        sale = server.trades["SPY"][0]
        server.tell(sale | {"cancel": True, "date": str(at + 9_000)})
        server.tell(sale | {"correction": True, "seq": 5, "date": str(at + 9_000), "last": "1.5"})
        server.tell(sale | {"date": str(at + DAY_MS)})  # the same number, of the next day
        server.tell(sale | {"cancel": True, "date": str(at + DAY_MS + 9_000)})
        rows = plant.until_rows("trade_corrections", 3)
    assert [(row["time"], row["venue_seq"], row["action"]) for row in rows] == [
        (at * MS, seq, "cancel"),
        ((at + 9_000) * MS, 5, "correct"),
        ((at + DAY_MS) * MS, seq, "cancel"),
    ]


def test_what_fell_between_two_runs_is_told_as_lost_as_the_venue_has_no_past_of_prints(server: TradierServer) -> None:
    with polled(TradierFeed, **keys(server)) as plant:
        assert plant.feed.asks_for() == [("trades", "SPY", ""), ("trades", "AAPL", "")]
        known = ("352790", "Q", 282.09, 100.0)
        plant.feed.had(
            {("trades", "SPY", ""): Held(1_557_758_874_355 * MS, 1_557_758_869_355 * MS, (known,), (352_790,))}
        )
        plant.until(lambda: len(server.names()) == 2, "the list")
        server.trade("SPY")
        plant.until_rows("trades", 1)
        [lost] = plant.until_rows("gaps", 1)
    assert (lost["state"], lost["table_name"], lost["first"]) == ("lost", "trades", 1_557_758_874_355 * MS)
    assert lost["last"] > time.time_ns() - 60 * 10**9
    assert lost["detail"] == (
        "SPY: what came since the newest row in the plant, if anything did: the venue has no such past"
    )


@chance.times("cuts", 1000, 3600)
def test_every_print_of_a_connection_is_there_once_and_in_order(cuts: int) -> None:
    """The venue has no past of prints: what was sent while nobody listened is told as lost."""
    print(f"seed {chance.SEED}")
    dice = random.Random(chance.SEED)
    wanted: list[int] = []
    with TradierServer(chance.SEED) as server, polled(TradierFeed, **keys(server, symbols=("SPY",))) as plant:
        for _ in range(cuts):
            plant.until(lambda: plant.feed.status().startswith("connected") and server.names(), "connected")
            for _ in range(dice.randrange(1, 30)):
                wanted.append(server.trade("SPY"))
                server.tell(server.trades["SPY"][-1])  # once more
            plant.until(
                lambda: plant.rows["trades"] and plant.rows["trades"][-1]["venue_seq"] == wanted[-1], "all there"
            )
            if dice.random() < 0.7:
                plant.clock.ahead_s += 11.0
            server.drop() if dice.random() < 0.5 else server.close(1001)
            server.trade("SPY")
        plant.until(lambda: sum(row["state"] == "lost" for row in plant.rows["gaps"]) >= cuts - 1, "what was lost")
    assert [row["venue_seq"] for row in plant.rows["trades"]] == wanted
    assert {row["detail"] for row in plant.rows["gaps"] if row["state"] == "lost"} == {
        "SPY: the venue has no such past"
    }


def test_the_past_has_bars_by_new_yorks_clock() -> None:
    history = TradierHistory(TradierFeedSettings(), ("k",))
    request = history.request(Hole("bars", "AAPL", "5m", start=1_751_376_600 * 10**9, end=1_751_380_200 * 10**9))
    assert request is not None
    assert (request.path, request.headers) == ("/markets/timesales", {"Authorization": "Bearer k"})
    assert request.query == {
        "symbol": "AAPL",
        "interval": "5min",
        "start": "2025-07-01 09:30",
        "end": "2025-07-01 10:29",
        "session_filter": "all",
    }
    assert history.request(Hole("trades", "AAPL", start=1, end=2)) is None
    assert history.request(Hole("bars", "AAPL", "1h", start=1, end=2)) is None


def test_bars_of_the_past_are_those_of_the_hole() -> None:
    server = TradierServer()
    begin = 1_751_376_600
    prices = {"open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5, "volume": 10}
    server.bars["AAPL"] = [{"timestamp": begin + 60 * k, **prices} for k in range(10)]
    history = TradierHistory(TradierFeedSettings(rest_url="https://api.tradier.com"), (KEY,))

    def answer(request: Any) -> bytes:
        headers = {name.lower(): value for name, value in request.headers.items()} | {"accept": "application/json"}
        return json.dumps(server.answer("GET", request.path, request.query, headers)[1]).encode()

    hole = Hole("bars", "AAPL", "1m", start=(begin + 60) * 10**9, end=(begin + 299) * 10**9)
    assert [row.time // 10**9 - begin for row in fetched(history, hole, answer)] == [60, 120, 180]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"channels": ("bars",)}, "expected some of trades, quotes, found 'bars'"),
        ({"channels": ("trade",)}, "found 'trade'; of the same prints it sends only timesale is counted"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match="validation error") as error:
        TradierFeedSettings(**given)
    assert reason in str(error.value)
