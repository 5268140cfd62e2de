"""Databento's own client against a local gateway: login, records, a cut, the replay of what was missed."""

import random
import struct
import time
from collections.abc import Iterator
from typing import Any

import chance
import pytest
from polled_feed import polled

from feedhandler.databento.feed import DatabentoFeed
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.past.catching_up import Held
from feedhandler.venue.seam import key_by

pytest.importorskip("databento")
from databento_gateway import KEY, DatabentoGateway

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SECOND = 10**9


@pytest.fixture
def gateway() -> Iterator[DatabentoGateway]:
    with DatabentoGateway() as made:
        yield made


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", KEY)


def keys(gateway: DatabentoGateway, **more: Any) -> dict[str, Any]:
    return {"dataset": "XNAS.ITCH", "url": f"127.0.0.1:{gateway.port}", "symbols": ("AAPL",), **more}


def test_without_a_key_the_variable_and_the_page_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABENTO_API_KEY")
    with pytest.raises(ValueError, match=r"no DATABENTO_API_KEY; docs/feeds.md#databento"):
        DatabentoFeed(DatabentoFeedSettings(dataset="XNAS.ITCH"))


def test_a_wrong_key_is_given_up_and_not_shown(gateway: DatabentoGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", "db-" + "wr0n" * 7 + "g")
    with polled(DatabentoFeed, **keys(gateway)) as plant:
        shown = plant.until_status("given up")
        assert "wr0n" not in shown
    assert gateway.connects == 1


@chance.times("cuts", 1000, 3600)
def test_every_trade_is_there_once_and_in_order_whatever_is_cut(gateway: DatabentoGateway, cuts: int) -> None:
    print(f"seed {chance.SEED}")
    dice = random.Random(chance.SEED)
    number, now = 0, time.time_ns() - 3_600 * SECOND

    def trade() -> None:
        nonlocal number, now
        now += dice.choice((0, 0, 1, SECOND // 10, 2 * SECOND))
        number += 1
        gateway.trade(7, number * SECOND // 100, number // 2, now)

    with polled(DatabentoFeed, **keys(gateway)) as plant:
        plant.until(lambda: gateway.sessions, "a session")
        gateway.mapping(7, "AAPL")
        trade()
        plant.until_rows("trades", 1)
        for _ in range(cuts):
            for _ in range(dice.randrange(1, 20)):
                trade()
            gateway.drop()
            for _ in range(dice.randrange(0, 20)):
                trade()
            plant.until(lambda: gateway.sessions, "a session again")
            if dice.random() < 0.7:
                plant.clock.ahead_s += 11.0
        trade()
        plant.until_rows("trades", number)
        for _ in range(20):
            plant.poll()
    assert [row["price"] for row in plant.rows["trades"]] == [k * SECOND // 100 / SECOND for k in range(1, number + 1)]
    assert {row["sym"] for row in plant.rows["trades"]} == {"AAPL"}
    states = [row["state"] for row in plant.rows["gaps"]]
    assert states == ["opened", "healed"] * (len(states) // 2)
    assert len(states) >= cuts
    assert gateway.subscriptions[0] == {
        "schema": "trades", "stype_in": "raw_symbol", "symbols": "AAPL", "snapshot": "0", "id": "0", "is_last": "1",
    }  # fmt: skip


def test_what_was_read_and_not_handed_on_when_a_session_was_dropped_comes_with_the_next(
    gateway: DatabentoGateway,
) -> None:
    now = time.time_ns() - 60 * SECOND
    with polled(DatabentoFeed, **keys(gateway)) as plant:
        plant.until(lambda: gateway.sessions, "a session")
        gateway.mapping(7, "AAPL")
        gateway.trade(7, SECOND, 1, now)
        plant.until_rows("trades", 1)
        for k in range(2, 7):
            gateway.trade(7, k * SECOND, k, now + k)
        link: Any = plant.feed._lines[0].link
        deadline = time.monotonic() + 10
        while len(link._session.records) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        link.drop("no data for 200 s")
        plant.until_rows("trades", 6)
        for _ in range(5):
            plant.poll()
    assert [row["price"] for row in plant.rows["trades"]] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_what_came_since_the_newest_row_of_the_plant_is_replayed_less_what_it_has(gateway: DatabentoGateway) -> None:
    now = time.time_ns() - 600 * SECOND
    for k in range(1, 9):  # two in each second
        gateway.trade(7, k * SECOND, k, now + k // 2 * SECOND)
    with polled(DatabentoFeed, **keys(gateway, symbols=("AAPL", "MSFT"))) as plant:
        assert plant.feed.asks_for() == [("trades", "AAPL", ""), ("trades", "MSFT", "")]
        plant.poll()
        assert gateway.connects == 0
        known = tuple(key_by("", now + k // 2 * SECOND, "2", float(k), 5.0) for k in range(2, 5))
        plant.feed.had({("trades", "AAPL", ""): Held(now + 2 * SECOND, now + SECOND, known)})
        plant.until_rows("trades", 4)
        gateway.trade(7, 9 * SECOND, 9, now + 9)  # older than what the plant has, and yet it comes now
        plant.until_rows("trades", 5)
        gateway.drop()
        gateway.trade(7, 10 * SECOND, 10, now + 20 * SECOND)
        plant.until_rows("trades", 6)
    assert [row["price"] for row in plant.rows["trades"]] == [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    opened, healed, *_ = plant.rows["gaps"]
    assert (opened["state"], opened["detail"]) == ("opened", "XNAS.ITCH: since the newest row in the plant")
    assert (healed["state"], opened["first"], healed["first"]) == ("healed", now + 2 * SECOND, now + 2 * SECOND)


def test_a_plant_that_says_too_late_what_it_has_costs_what_came_since_and_that_is_told(
    gateway: DatabentoGateway,
) -> None:
    with polled(DatabentoFeed, **keys(gateway)) as plant:
        plant.until(lambda: gateway.sessions, "a session")
        plant.feed.had({("trades", "AAPL", ""): Held(SECOND, 0)})
        plant.until_rows("gaps", 1)
    [lost] = plant.rows["gaps"]
    assert (lost["state"], lost["first"]) == ("lost", SECOND)
    assert "plant backfill has what came since" in lost["detail"]


def test_no_record_is_lost_while_a_session_begins(gateway: DatabentoGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    import databento

    start = databento.Live.start

    def slowly(client: Any) -> None:
        start(client)
        time.sleep(0.3)

    monkeypatch.setattr(databento.Live, "start", slowly)
    now = time.time_ns() - 60 * SECOND
    with polled(DatabentoFeed, **keys(gateway)) as plant:
        plant.until(lambda: gateway.sessions, "a session")
        gateway.mapping(7, "AAPL")
        gateway.trade(7, SECOND, 1, now)
        plant.until_rows("trades", 1)
        gateway.drop()
        for k in range(2, 5):
            gateway.trade(7, k * SECOND, k, now + k)
        plant.until_rows("trades", 4)
    assert "malformed" not in plant.feed.status()


def test_what_is_older_than_the_gateway_replays_is_told_as_lost(gateway: DatabentoGateway) -> None:
    old = time.time_ns() - 30 * 3_600 * SECOND
    with polled(DatabentoFeed, **keys(gateway)) as plant:
        plant.until(lambda: gateway.sessions, "a session")
        gateway.mapping(7, "AAPL")
        gateway.trade(7, SECOND, 1, old)
        plant.until_rows("trades", 1)
        gateway.drop()
        plant.until_rows("gaps", 3)
    opened, lost, healed = plant.rows["gaps"]
    assert [row["state"] for row in (opened, lost, healed)] == ["opened", "lost", "healed"]
    assert (opened["table_name"], opened["first"], lost["first"]) == ("trades", old + 100, old + 100)
    assert lost["last"] == healed["first"] == pytest.approx(time.time_ns() - 23.9 * 3_600 * SECOND, abs=120 * SECOND)
    assert lost["detail"] == "XNAS.ITCH: older than what the gateway replays; plant backfill has it"


def test_a_halt_stands_in_the_state_until_the_symbol_trades_again(gateway: DatabentoGateway) -> None:
    def status(action: int) -> None:
        head = struct.pack("<BBHIQ", 10, 18, 2, 7, time.time_ns())
        gateway._send(head + struct.pack("<QHHHccc7x", time.time_ns(), action, 1, 0, b"N", b"N", b"~"))

    with polled(DatabentoFeed, **keys(gateway, channels=("trades", "statuses"))) as plant:
        plant.until(lambda: gateway.sessions, "a session")
        gateway.mapping(7, "AAPL")
        status(8)
        plant.until_status("; halted: AAPL")
        status(3)
        status(9)
        assert "halted" not in plant.until_status("; paused: AAPL")
        status(7)
        plant.until(lambda: "AAPL" not in plant.feed.status(), "as usual")
