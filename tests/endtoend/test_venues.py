"""Feeds of venues as processes beside a tickerplant, each against a local server that speaks its protocol."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from alpaca_server import KEY as ALPACA_KEY
from alpaca_server import SECRET as ALPACA_SECRET
from alpaca_server import AlpacaServer
from binance_server import BinanceServer
from running import RunningPlant

KINDS = {
    "binance": (BinanceServer, "/stream", "BTCUSDT"),
    "alpaca": (AlpacaServer, "/v2/iex", "AAPL"),
}
FEED = """
[[feeds]]
kind = "feedhandler.{kind}.feed:{kind_class}Feed"
name = "{kind}"
symbols = ["{sym}"]
channels = ["trades"]
url = "{url}"
rest_url = "{rest_url}"
record = true
"""


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", ALPACA_KEY)
    monkeypatch.setenv("ALPACA_API_SECRET", ALPACA_SECRET)


def test_each_venue_has_every_trade_in_the_journal_once_and_no_key_anywhere(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any]
) -> None:
    with ExitStack() as stack:
        servers: dict[str, Any] = {kind: stack.enter_context(made_of()) for kind, (made_of, _, _) in KINDS.items()}
        feeds = "".join(
            FEED.format(
                kind=kind,
                kind_class=kind.capitalize(),
                sym=sym,
                url=servers[kind].url + path,
                rest_url=servers[kind].rest_url,
            )
            for kind, (_, path, sym) in KINDS.items()
        )
        plant = start_plant("tickerplant", toml=feeds)
        for kind in KINDS:
            plant.start(f"feedhandler {kind}")

        def listening() -> bool:
            return all(server.names() for server in servers.values())

        def shown() -> str:
            return "\n".join(plant.log(f"feedhandler {kind}")[-800:] for kind in KINDS)

        def found(kind: str) -> list[float]:
            rows = [batch.columns for batch in plant.journal("trades")]
            return [
                price
                for row in rows
                for source, price in zip(row["source"], row["price"], strict=True)
                if source == kind
            ]

        eventually(listening, 30, shown)
        for kind, (_, _, sym) in KINDS.items():
            for _ in range(20):
                servers[kind].trade(sym)
        eventually(lambda: all(len(found(kind)) == 20 for kind in KINDS), 20, shown)
        for kind, (_, _, sym) in KINDS.items():
            servers[kind].drop()
            servers[kind].trade(sym)
        eventually(listening, 30, shown)
        eventually(lambda: plant.journal("instruments"), 20, shown)
        deadline = time.monotonic() + 20
        while any(len(found(kind)) < len(servers[kind].trades[KINDS[kind][2]]) for kind in KINDS):
            assert time.monotonic() < deadline, shown()
            for kind, (_, _, sym) in KINDS.items():
                if len(servers[kind].trades[sym]) < 30:
                    servers[kind].trade(sym)
            time.sleep(0.1)
        for kind, (_, _, sym) in KINDS.items():
            trades = servers[kind].trades[sym]
            assert found(kind) == [float(trade["p"]) for trade in trades], kind
            log = plant.log(f"feedhandler {kind}")
            assert "does not fit" not in log
            assert not [key for key in (ALPACA_KEY, ALPACA_SECRET) if key in log]
            assert list((plant.settings.plant.data / "frames" / kind).glob("*.frames.zst"))
