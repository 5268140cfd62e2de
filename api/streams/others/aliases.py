"""The streams of four public systems, as their own clients know them; each is our subscriptions in other words.

/ws/chart-updates              Merced3/Flag-Zone-Bot, web_dash/ws_server.py
/ws/ohlcv                      joshuaunthank/trading-bot-v5, local_modules/utils/websocket-main.ts
/api/v1/market-data/ws/SYM     Chandrapalsingh12/Chandra-Shekhar-Trade-Platform-Fro, src/app/api/v1/market_data.py
/api/v1/runs/ID/stream         xylinanonunionised899/pine-vs-python
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, WebSocket

from api.streams.client import POLICY, Client
from api.streams.others.words import Candles, Prices, Told, chart_text, run_text
from api.streams.shown.channels import Refused
from api.streams.waiting import Message
from api.streams.websocket import follow

router = APIRouter()

TIMEFRAMES = ("2M", "5M", "15M")
"""What a client of chart updates is told at once, so that it draws."""

TOGETHER_S = 0.2
"""A chart is told once for all that changes it within so long."""


@router.websocket("/ws/chart-updates")
async def chart_updates(websocket: WebSocket) -> None:
    """Tell which charts are to be drawn anew: texts like chart:2M, and chart:zones."""
    due: dict[str, asyncio.Task[None]] = {}

    async def later(text: str) -> None:
        await asyncio.sleep(TOGETHER_S)
        del due[text]
        with contextlib.suppress(Exception):  # it went away meanwhile, which its reader notices
            await websocket.send_text(text)

    async def send(message: Message) -> None:
        text = chart_text(json.loads(message.text))
        if text is not None and text not in due:
            due[text] = asyncio.create_task(later(text))

    async def begin() -> None:
        for timeframe in TIMEFRAMES:
            await websocket.send_text(f"chart:{timeframe}")

    try:
        await follow(websocket, _listening(websocket, [{"channel": "charts"}], begin), send)
    finally:
        for task in due.values():
            task.cancel()


@router.websocket("/ws/ohlcv")
async def ohlcv(websocket: WebSocket, symbol: str = "BTC/USDT", timeframe: str = "1h", strategy: str = "") -> None:
    """Tell the bars of a symbol, all of them and then each that changes; and how the runs of a strategy are."""
    candles = Candles(symbol, timeframe, strategy)
    wanted: list[dict[str, Any]] = [{"channel": "bars", "sym": symbol, "interval": timeframe, "last": 1000}]
    wanted += [{"channel": "runs", "sym": strategy}] if strategy else []

    async def begin() -> None:
        await websocket.send_text(candles.connected())

    await follow(websocket, _listening(websocket, wanted, begin), _sending(websocket, candles.told))


@router.websocket("/api/v1/market-data/ws/{symbol:path}")
async def market_data(websocket: WebSocket, symbol: str) -> None:
    """Tell price, quote and trailing stop of a symbol with each change of its bar of one minute."""
    prices = Prices(symbol)
    wanted: list[dict[str, Any]] = [
        {"channel": "last", "table": "quotes", "sym": symbol},
        {"channel": "bars", "sym": symbol, "interval": "1m", "last": 1000},
    ]
    await follow(websocket, _listening(websocket, wanted), _sending(websocket, prices.told))


@router.websocket("/api/v1/runs/{run_id}/stream")
async def run_stream(websocket: WebSocket, run_id: str) -> None:
    """Tell how far a run is."""
    wanted = [{"channel": "runs", "run_id": run_id}]
    await follow(websocket, _listening(websocket, wanted), _sending(websocket, run_text))


def _sending(websocket: WebSocket, told: Told) -> Callable[[Message], Awaitable[None]]:
    async def send(message: Message) -> None:
        for text in told(json.loads(message.text)):
            await websocket.send_text(text)

    return send


def _listening(
    websocket: WebSocket, wanted: list[dict[str, Any]], begin: Callable[[], Awaitable[None]] | None = None
) -> Callable[[Client], Awaitable[None]]:
    """Return what subscribes, then hears nothing but the end: what these clients say means nothing."""

    async def listen(client: Client) -> None:
        if begin is not None:
            await begin()
        try:
            for terms in wanted:
                client.subscribe(terms)
        except Refused as refused:
            client.end(POLICY, refused.detail)
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass

    return listen
