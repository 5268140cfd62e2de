"""Trades as they come, over the service's WebSocket; after a break it goes on where it was, each trade once."""

import json

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect


def main(url: str = "ws://127.0.0.1:8000/api/v1/ws", sym: str = "AAPL", trades: int | None = None) -> None:
    """Print trades of a symbol until stopped, or until so many have come."""
    known, seen = {}, 0  # known: how far we are, and in which journal
    while trades is None or seen < trades:
        try:
            with connect(url) as socket:
                epoch = json.loads(socket.recv())["epoch"]
                socket.send(json.dumps({"op": "subscribe", "channel": "trades", "sym": sym, "last": 10, **known}))
                for message in map(json.loads, socket):
                    for trade in message.get("rows", []):
                        print(trade["time"], trade["price"], trade["size"])
                        seen += 1
                    if message["type"] in ("snapshot", "update", "mark"):
                        known = {"after": message["seq"], "epoch": epoch}
                    if trades is not None and seen >= trades:
                        break
        except (WebSocketException, OSError) as error:
            print("again in a second:", error)


if __name__ == "__main__":
    main()
