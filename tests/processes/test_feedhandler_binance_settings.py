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


def test_an_interval_is_known_by_its_one_name() -> None:
    assert BinanceFeedSettings(interval="60min").interval == "1h"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"symbols": ("btcusdt",)}, "expected a symbol in upper case, such as BTCUSDT, found 'btcusdt'"),
        ({"channels": ("depth",)}, "expected some of trades, aggTrades, quotes, bars, found 'depth'"),
        ({"channels": ("trades", "aggTrade")}, "expected trades or aggTrades, found both"),
        ({"interval": "7m"}, "interval: expected one of 1s, 1m, 3m"),
        ({"url": "https://stream.binance.com"}, "expected wss://host/... or ws://host/..."),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match="validation error") as error:
        BinanceFeedSettings(**keys)
    assert reason in str(error.value)
