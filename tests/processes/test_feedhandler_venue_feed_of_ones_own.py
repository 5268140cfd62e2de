"""`examples/my_websocket_feed.py`, which docs/feeds.md shows, against a server that speaks what it says."""

import importlib.util
import json
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up_venue import Clock, MadeUpFeed, MadeUpSettings
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from feedhandler.kinds import checked
from feedhandler.venue.feed import VenueFeed
from plant.runtime.sections import FeedSection

ROOT = Path(__file__).parents[2]


class Venue:
    """Sends a trade of each symbol that is subscribed, then something that is none; cuts the first connection."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.connections = 0
        self.server = serve(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/ws"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        try:
            for text in connection:
                said = json.loads(text)
                self.said.append(said)
                if said["op"] == "subscribe":
                    connection.send(json.dumps({"subscribed": said["symbols"]}))
                    for sym in said["symbols"]:
                        row = {"symbol": sym, "price": "1.25", "size": "3", "id": self.connections, "ms": 1_500}
                        connection.send(json.dumps(row))
                    connection.send("[]")
                if self.connections == 1:
                    return
        except ConnectionClosed:
            pass


@pytest.fixture
def venue() -> Iterator[Venue]:
    made = Venue()
    yield made
    made.server.shutdown()
    made.thread.join(10)


def test_the_example_feeds_and_connects_again(venue: Venue) -> None:
    spec = importlib.util.spec_from_file_location("my_websocket_feed", ROOT / "examples/my_websocket_feed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    keys = {"name": "mine", "symbols": ("BTC-USD",), "url": venue.url}
    clock = Clock()
    feed = module.MyFeed(module.VenueSettings(**keys), clock=clock)
    feed.start(0)
    rows: list[dict[str, Any]] = []
    gaps: list[tuple[str, str]] = []
    deadline = time.monotonic() + 20
    while len(rows) < 2 or len(gaps) < 2 or "malformed" not in feed.status():
        assert time.monotonic() < deadline, feed.status()
        for table, columns in feed.poll(time.time_ns(), 0.01):
            if table == "gaps":
                gaps += zip(columns["state"], columns["detail"], strict=True)
                continue
            assert table == "trades"
            rows += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        clock.skipped_s += 1 if "reconnecting" in feed.status() else 0
    assert [(row["sym"], row["price"], row["trade_id"], row["source"]) for row in rows] == [
        ("BTC-USD", 1.25, "1", "mine"),
        ("BTC-USD", 1.25, "2", "mine"),
    ]
    assert gaps == [
        ("opened", "BTC-USD: there is no connection"),
        ("lost", "BTC-USD: the venue has no such past"),
    ]
    feed.resubscribe(feed.settings.model_copy(update={"symbols": ("ETH-USD",)}))
    while len(venue.said) < 4:
        assert time.monotonic() < deadline, venue.said
        feed.poll(0, 0.01)
    assert venue.said[2:] == [
        {"op": "unsubscribe", "symbols": ["BTC-USD"]},
        {"op": "subscribe", "symbols": ["ETH-USD"]},
    ]
    feed.close()


def test_the_page_has_the_example_as_it_is_and_lines_of_plant_toml_that_make_it_a_feed() -> None:
    page = (ROOT / "docs/feeds.md").read_text()
    text = (ROOT / "examples/my_websocket_feed.py").read_text()
    assert text[text.index("class MyDialogue") :].strip() in page
    lines = text[text.index("[[feeds]]") : text.index('"""', 3)].strip()
    assert lines in page
    [section] = tomllib.loads(lines)["feeds"]
    made_of, settings = checked(FeedSection(**section), ROOT / "examples/plant.toml")
    assert issubclass(made_of, VenueFeed)
    assert settings.symbols == ("BTC-USD",)  # type: ignore[attr-defined]


def test_a_past_without_an_address_is_refused_with_a_sentence() -> None:
    class Feed(MadeUpFeed):
        key_variables = ()

    with pytest.raises(ValueError, match=r"rest_url: expected where the venue's past is fetched, found none; docs"):
        Feed(MadeUpSettings(rest_url="http://x").model_copy(update={"rest_url": ""}))
