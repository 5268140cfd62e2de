"""Binance's adapter against a local server that speaks its protocol and checks signatures; and ccxt's own client."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from broker_harness import adapter_of, exits_of, listening, news, order_of
from fake_binance import FakeBinance
from fake_broker import KEY, SECRET, FakeBroker, Refusal

from plant.errors import SettingsError
from trading.brokers.binance import Binance
from trading.brokers.binance_messages import WrongTime
from trading.brokers.broker import Absent, Denied, Down, Duplicate, Known, Limited, Reference, Unclear, Up
from trading.brokers.credentials import Credentials
from trading.events import Side
from trading.instruments import Instrument
from trading.orders import Kind, State

pytest.importorskip("ccxt")


@pytest.fixture
def face() -> Iterator[FakeBinance]:
    with FakeBinance(FakeBroker()) as face:
        yield face


@pytest.fixture
def binance(face: FakeBinance) -> Iterator[Binance]:
    adapter = adapter_of(face)
    yield adapter
    adapter.close()


def sent(face: FakeBinance, name: str) -> dict[str, Any]:
    return {k: v for k, v in face.broker.orders[name].fields.items() if k not in ("timestamp", "signature")}


def test_an_order_goes_out_in_exact_decimals_and_comes_back_in_lots_and_ticks(
    face: FakeBinance, binance: Binance
) -> None:
    order = order_of(face, qty=3, kind=Kind.STOP_LIMIT, limit_price=6000010, stop_price=6000000, time_in_force="gtc")
    known = binance.place(order)
    assert sent(face, order.order_id) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "STOP_LOSS_LIMIT",
        "quantity": "0.00003",
        "timeInForce": "GTC",
        "price": "60000.10",
        "stopPrice": "60000",
        "newClientOrderId": "tp-r1-1-0",
        "newOrderRespType": "FULL",
        "recvWindow": "5000",
    } | {"price": "60000.1"}
    assert (known.order_id, known.state, known.filled) == (order.order_id, State.ACCEPTED, 0)
    face.broker.execute(order.order_id, Fraction("0.00002"), "60000.05")
    found = binance.find(known.reference)
    assert (found.state, found.filled, found.paid) == (State.ACCEPTED, 2, 2 * 6000005)
    assert face.windows == {"5000"}


@pytest.mark.parametrize("fate", ["lost", "cut", "hang", "broken", "busy"])
def test_without_an_answer_that_tells_it_is_not_known_and_nothing_is_sent_again(
    face: FakeBinance, binance: Binance, fate: str
) -> None:
    binance.cash()
    face.requests.clear()
    face.broker.fates.append(fate)
    with pytest.raises(Unclear):
        binance.place(order_of(face))
    assert len(face.requests) == 1
    assert face.broker.arrivals["tp-r1-1-0"] == (fate in ("cut", "hang", "broken"))


@pytest.mark.parametrize(
    ("status", "code", "text", "kind"),
    [
        (400, -1007, "Timeout waiting for response from backend server.", Unclear),
        (500, -1000, "An unknown error occurred.", Unclear),
        (403, None, "<html>WAF</html>", Unclear),
        (400, -2010, "Account has insufficient balance for requested action.", Denied),
        (400, -2010, "Duplicate order sent.", Duplicate),
        (400, -1013, "Filter failure: LOT_SIZE", Denied),
        (429, -1003, "Too many requests.", Limited),
        (400, -1015, "Too many new orders.", Limited),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", WrongTime),
    ],
)
def test_errors_mean_what_binance_says_they_mean(
    face: FakeBinance, binance: Binance, status: int, code: int | None, text: str, kind: type[Exception]
) -> None:
    face.broker.refuse_with = Refusal(status, {"code": code, "msg": text} if code is not None else text)  # type: ignore[arg-type]
    with pytest.raises(kind) as error:
        binance.place(order_of(face))
    assert type(error.value) is kind
    assert face.broker.arrivals["tp-r1-1-0"] == 1


def test_an_order_that_is_not_there_is_absent(face: FakeBinance, binance: Binance) -> None:
    with pytest.raises(Absent):
        binance.find(Reference("tp-r1-9-0", "BTCUSDT"))
    with pytest.raises(Absent):
        binance.cancel(Reference("tp-r1-9-0", "BTCUSDT"))


def test_what_binance_does_not_know_is_refused_before_it_is_sent(face: FakeBinance, binance: Binance) -> None:
    with pytest.raises(Denied, match=r"only in 0.01 %"):
        binance.place(order_of(face, kind=Kind.TRAILING, trail=5))
    with pytest.raises(Denied, match="times in force on Binance are day, gtc, ioc, fok"):
        binance.place(order_of(face, kind=Kind.LIMIT, limit_price=5, time_in_force="opg"))
    assert face.requests == []


def test_a_clock_that_is_an_hour_off_is_corrected_by_the_venues(face: FakeBinance, binance: Binance) -> None:
    face.ahead_ms = 3_600_000
    listening(binance)
    binance.place(order_of(face))
    face.ahead_ms = -3_600_000
    with pytest.raises(WrongTime):
        binance.place(order_of(face, 2))
    binance.place(order_of(face, 3))
    assert set(face.broker.orders) == {"tp-r1-1-0", "tp-r1-3-0"}


def test_executions_are_read_to_the_last_page_with_what_each_made_the_order(
    face: FakeBinance, binance: Binance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.brokers.binance.TRADES_A_PAGE", 4)
    for seq in (1, 2):
        binance.place(order_of(face, seq, qty=100))
    for number in range(11):
        face.broker.execute(f"tp-r1-{1 + number % 2}-0", Fraction("0.00001"), 100 + number)
    listed = binance.executions(0)
    assert len(listed) == 11
    first = [e for e in listed if e.broker_id == str(face.broker.orders["tp-r1-1-0"].number)]
    assert [(e.qty, e.price, e.cumulative) for e in first] == [(1, 10000 + 200 * k, k + 1) for k in range(6)]
    assert first == binance.executions_of(Reference("tp-r1-1-0", "BTCUSDT"))
    assert (first[0].commission, first[0].fee_lots) == (100, Fraction(1, 1000))
    assert binance.executions(time.time_ns() + 10**9) == []


def test_a_pair_is_one_request_and_both_have_our_ids(face: FakeBinance, binance: Binance) -> None:
    listening(binance)
    face.broker.moved = {"BTCUSDT": Fraction("0.00005")}
    stop, target = exits_of(face)
    both = binance.place_pair(target, stop)
    assert [(one.order_id, one.state) for one in both] == [(target.order_id, "accepted"), (stop.order_id, "accepted")]
    assert {one.order_id for one in binance.open_orders()} == {stop.order_id, target.order_id}
    assert binance.find(Reference(stop.order_id, "BTCUSDT", "", target.order_id)).broker_id == both[1].broker_id
    with pytest.raises(Denied, match="insufficient balance"):
        binance.place(order_of(face, 2, qty=1, side=Side.SELL))
    with pytest.raises(Duplicate):
        binance.place_pair(target, stop)
    face.broker.execute(target.order_id, Fraction("0.00002"), 110)
    told = [one for one in news(binance, lambda told: len(told) == 4) if isinstance(one, Known)]
    assert [(one.order_id, one.state, one.filled) for one in told] == [
        (target.order_id, "accepted", 0),
        (stop.order_id, "accepted", 0),
        (target.order_id, "accepted", 2),
        (stop.order_id, "expired", 0),
    ], "a fill of a part is enough"
    with pytest.raises(Denied, match="spot has no short position"):
        binance.place_pair(target._replace(side=Side.BUY), stop)
    with pytest.raises(Denied, match="relationship of the prices"):
        binance.place_pair(*(one._replace(order_id=f"{one.order_id}9", limit_price=1) for one in (target, stop)))


def test_a_cancel_of_one_of_a_pair_cancels_both(face: FakeBinance, binance: Binance) -> None:
    face.broker.moved = {"BTCUSDT": Fraction("0.00005")}
    stop, target = exits_of(face)
    binance.place_pair(target, stop)
    binance.cancel(Reference(stop.order_id, "BTCUSDT"))
    assert {binance.find(Reference(one.order_id, "BTCUSDT")).state for one in (stop, target)} == {"cancelled"}


def test_the_order_socket_tells_fills_and_cancels_by_our_id(face: FakeBinance, binance: Binance) -> None:
    listening(binance)
    face.broker.moved = {"BTCUSDT": Fraction(1)}
    order = order_of(face, side=Side.SELL)
    binance.place(order)
    face.broker.execute(order.order_id, Fraction("0.00002"), "60000.10")
    binance.cancel(Reference(order.order_id, "BTCUSDT"))
    told = [one for one in news(binance, lambda told: len(told) == 3) if isinstance(one, Known)]
    assert [(one.order_id, one.state, one.filled) for one in told] == [
        (order.order_id, State.ACCEPTED, 0),
        (order.order_id, State.ACCEPTED, 2),
        (order.order_id, State.CANCELLED, 2),
    ]
    ((fill,),) = [one.executions for one in told if one.executions]
    assert (fill.qty, fill.price, fill.cumulative, fill.side) == (2, 6000010, 2, Side.SELL)


def test_fees_are_money_of_the_quote_and_lots_of_the_base_asset(face: FakeBinance, binance: Binance) -> None:
    binance.positions()  # from here on the assets of the symbol are known
    face.broker.moved = {"BTCUSDT": Fraction(1)}
    listening(binance)
    for seq, side in ((1, Side.BUY), (2, Side.SELL)):
        binance.place(order_of(face, seq, qty=1000, side=side))
        face.broker.execute(f"tp-r1-{seq}-0", Fraction("0.01"), 50_000)
    told = news(binance, lambda told: len(told) == 4)
    bought, sold = [one.executions[0] for one in told if isinstance(one, Known) and one.executions]
    assert (bought.commission, bought.fee_lots) == (5 * 10**7, 1)
    assert (sold.commission, sold.fee_lots) == (5 * 10**7, 0)
    assert binance.positions() == {"BTCUSDT": 100_000 - 1}
    assert binance.cash() == (1_000_000 * 10**8) - 5 * 10**7


def test_a_stream_that_the_venue_ends_is_opened_again(face: FakeBinance, binance: Binance) -> None:
    listening(binance)
    face.send(json.dumps({"event": {"e": "serverShutdown", "E": 1}}))
    told = news(binance, lambda told: Up() in told)
    assert told[0] == Down("the venue ends the stream: serverShutdown")


def test_the_venues_own_instruments(binance: Binance) -> None:
    (found,) = binance.instruments(["BTCUSDT"])
    assert found == Instrument(
        "BTCUSDT",
        tick=Fraction(1, 100),
        lot=Fraction(1, 100_000),
        currency="USDT",
        asset_class="crypto",
        min_notional=5.0,
        shortable=False,
        source="binance",
    )


def test_without_ccxt_the_error_says_what_to_install(face: FakeBinance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(SettingsError, match=r"pip install 'tickplant\[crypto\]'"):
        adapter_of(face)


def test_importing_the_adapter_does_not_import_ccxt() -> None:
    code = "import sys, trading.brokers.binance, trading.brokers.live_account; print('ccxt' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_keys_that_are_refused_are_tried_again_only_after_a_minute(face: FakeBinance) -> None:
    adapter = adapter_of(face, Credentials(KEY, "another"), clock=time.monotonic)
    try:
        (down,) = news(adapter, lambda told: told)
        assert isinstance(down, Down)
        assert "the key was refused" in down.reason
        assert adapter._socket.retry_in_s > 50
    finally:
        adapter.close()


def test_ccxts_own_client_is_content_with_the_fake(face: FakeBinance) -> None:
    """A stranger's word that the fake speaks Binance's protocol, as far as we use it."""
    import ccxt

    options = {
        "fetchMargins": False,
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "defaultType": "spot",
    }
    client = ccxt.binance({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": options})
    client.has["fetchCurrencies"] = False
    client.urls["api"]["public"] = client.urls["api"]["private"] = face.url
    try:
        made = client.create_order("BTC/USDT", "limit", "buy", 0.00005, 60000.1, {"newClientOrderId": "stranger-1"})
        assert (made["clientOrderId"], made["status"], made["amount"]) == ("stranger-1", "open", 0.00005)
        face.broker.execute("stranger-1", Fraction("0.00002"), "60000.05")
        asked = client.fetch_order(None, "BTC/USDT", {"origClientOrderId": "stranger-1"})
        assert (asked["id"], asked["filled"], asked["average"]) == (made["id"], 0.00002, 60000.05)
        assert [one["id"] for one in client.fetch_open_orders("BTC/USDT")] == [made["id"]]
        (trade,) = client.fetch_my_trades("BTC/USDT")
        assert (trade["order"], trade["price"], trade["fee"]) == (
            made["id"],
            60000.05,
            {"cost": 2e-8, "currency": "BTC"},
        )
        assert client.fetch_balance()["BTC"]["total"] == 0.00001998
        client.cancel_order(made["id"], "BTC/USDT")
        assert client.fetch_order(made["id"], "BTC/USDT")["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            client.cancel_order(made["id"], "BTC/USDT")
    finally:
        client.session.close()


def test_ccxts_own_stream_is_content_with_the_fake(face: FakeBinance) -> None:
    pro = pytest.importorskip("ccxt.pro")

    async def watched() -> list[Any]:
        options = {"fetchMargins": False, "fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"}
        client = pro.binance({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": options})
        client.has["fetchCurrencies"] = False
        client.urls["api"]["public"] = client.urls["api"]["private"] = face.url
        client.urls["api"]["ws"]["ws-api"]["spot"] = face.stream_url
        try:
            watching = asyncio.ensure_future(client.watch_orders("BTC/USDT"))
            deadline = time.monotonic() + 15
            while not face.listeners:
                assert time.monotonic() < deadline, watching
                await asyncio.sleep(0.02)
            face.broker.place("x", "BTCUSDT", "buy", Fraction("0.00005"), {"type": "MARKET"})
            assert (await asyncio.wait_for(watching, 10))[-1]["status"] == "open"
            watching = asyncio.ensure_future(client.watch_orders("BTC/USDT"))
            await asyncio.sleep(0.2)  # what comes between two of its awaits is not returned
            face.broker.execute("x", Fraction("0.00005"), 60000)
            return list(await asyncio.wait_for(watching, 10))
        finally:
            await client.close()

    last = asyncio.run(watched())[-1]
    assert (last["clientOrderId"], last["filled"], last["average"]) == ("x", 0.00005, 60000.0)
