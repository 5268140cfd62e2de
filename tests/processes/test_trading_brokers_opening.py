"""Which broker an account gets, and that real money needs every switch."""

from pathlib import Path
from typing import Any

import pytest

from plant.errors import SettingsError
from trading.brokers.alpaca import Alpaca
from trading.brokers.opening import broker_of
from trading.instruments import Instrument

KEYS = {"ALPACA_API_KEY": "PK1", "ALPACA_API_SECRET": "s1", "BINANCE_API_KEY": "B1", "BINANCE_API_SECRET": "s2"}


def opened(tmp_path: Path, **given: Any) -> Any:
    settings = {"account": "swing-1", "broker": "alpaca", "mode": "paper", "live_allowed": False, "limits": {}}
    settings |= {"currency": "USD", "symbols": ["AAPL"], "environment": KEYS, "folder": tmp_path, **given}
    adapter = broker_of(instruments=Instrument, **settings)
    adapter.close()
    return adapter


def test_paper_is_the_brokers_own_paper_endpoint(tmp_path: Path) -> None:
    adapter = opened(tmp_path)
    assert isinstance(adapter, Alpaca)
    assert adapter._rest._url == "https://paper-api.alpaca.markets/v2"
    assert adapter._socket._url == "wss://paper-api.alpaca.markets/stream"


def test_binances_paper_is_its_testnet(tmp_path: Path) -> None:
    pytest.importorskip("ccxt")
    adapter = opened(tmp_path, broker="binance")
    assert adapter._exchange.urls["api"]["private"] == "https://testnet.binance.vision/api/v3"
    assert adapter._socket._url == "wss://ws-api.testnet.binance.vision/ws-api/v3"


def test_another_server_that_speaks_as_the_broker_does(tmp_path: Path) -> None:
    adapter = opened(tmp_path, url="http://127.0.0.1:9/v2")
    assert (adapter._rest._url, adapter._socket._url) == ("http://127.0.0.1:9/v2", "ws://127.0.0.1:9/stream")
    adapter = opened(tmp_path, url="http://127.0.0.1:9/v2", stream_url="ws://127.0.0.1:8/s")
    assert adapter._socket._url == "ws://127.0.0.1:8/s"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            {"live_allowed": False, "limits": {"max_order_qty": 1}},
            r'mode = "live", which needs \[trading\] live = true',
        ),
        ({"live_allowed": True, "limits": {}}, 'mode = "live", which needs limits'),
    ],
)
def test_real_money_needs_every_switch(tmp_path: Path, given: dict[str, Any], error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        opened(tmp_path, mode="live", **given)
    adapter = opened(tmp_path, mode="live", live_allowed=True, limits={"max_order_qty": 1})
    assert adapter._rest._url == "https://api.alpaca.markets/v2"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"broker": "ib"}, "expected broker = 'alpaca' or 'binance', found 'ib'"),
        ({"mode": "dry"}, "expected mode = 'paper' or 'live', found 'dry'"),
        ({"environment": {}}, "account 'swing-1' has no credentials"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, given: dict[str, Any], error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        opened(tmp_path, **given)
