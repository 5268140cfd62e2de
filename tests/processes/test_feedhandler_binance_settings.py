"""What plant.toml may say of a Binance feed, and what it is told if it says something else."""

from typing import Any

import pytest
from pydantic import ValidationError

from feedhandler.binance.settings import BinanceFeedSettings


def test_the_venues_own_names_of_channels_are_taken() -> None:
    assert BinanceFeedSettings(channels=("trade", "kline", "bookTicker", "bars")).channels == (
        "trades",
        "bars",
        "quotes",
    )


def test_a_name_of_klines_says_their_length() -> None:
    settings = BinanceFeedSettings(channels=["kline_5m", "trade"])
    assert (settings.channels, settings.interval) == (("bars", "trades"), "5m")


def test_an_interval_is_known_by_its_one_name() -> None:
    assert BinanceFeedSettings(interval="60min").interval == "1h"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"symbols": ("btcusdt",)}, "expected a symbol in upper case, such as BTCUSDT, found 'btcusdt'"),
        ({"channels": ("depth",)}, "expected some of trades, aggTrades, quotes, bars, found 'depth'"),
        ({"channels": ("trades", "aggTrade")}, "expected trades or aggTrades, found both"),
        ({"channels": ("kline_1m", "kline_5m")}, "expected bars of one length, found 1m, 5m; another feed may have"),
        ({"channels": ("kline_1m",), "interval": "1h"}, "expected bars of one length, found 1m, 1h"),
        ({"interval": "7m"}, "interval: expected one of 1s, 1m, 3m"),
        ({"url": "https://stream.binance.com"}, "expected wss://host/... or ws://host/..."),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match="validation error") as error:
        BinanceFeedSettings(**keys)
    assert reason in str(error.value)
