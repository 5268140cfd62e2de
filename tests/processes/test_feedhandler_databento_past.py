"""The past of a dataset by Databento's historical client, against a local server of its one request."""

import base64
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from feedhandler.backfilling import venue_of
from feedhandler.databento.past import DatabentoPast
from feedhandler.venue.dialogue import Hole
from plant.errors import SettingsError
from plant.runtime.sections import FeedSection

pytest.importorskip("databento")
import databento_dbn as dbn
import zstandard
from databento_gateway import KEY, START

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SECOND = 10**9
HOLE = Hole("trades", "AAPL", "", START, START + 10 * SECOND)


class Historical:
    """POST /v0/timeseries.get_range: `records` as they lie, or the `refusals` first; `asked` is what came."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.refusals: list[int] = []
        self.asked: list[dict[str, str]] = []
        self.keys: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                outer.asked.append({name: values[0] for name, values in form.items()} | {"path": self.path})
                outer.keys.append(base64.b64decode(self.headers["Authorization"].split()[1]).decode())
                status = outer.refusals.pop(0) if outer.refusals else 200
                body = outer.body() if status == 200 else b'{"detail": "no ' + outer.keys[-1][:-1].encode() + b'"}'
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def body(self) -> bytes:
        metadata: Any = dbn.Metadata(
            dataset="XNAS.ITCH", start=START, stype_in=dbn.SType.RAW_SYMBOL, stype_out=dbn.SType.INSTRUMENT_ID,
            schema=dbn.Schema.TRADES, symbols=["AAPL"], partial=[], not_found=[], mappings=[], version=3,
        )  # fmt: skip
        return zstandard.compress(metadata.encode() + b"".join(self.records))

    def trade(self, number: int, at_ns: int, price: int) -> None:
        """Make a trade; `price` in 1e-9."""
        record = dbn.TradeMsg(
            publisher_id=2, instrument_id=7 + number % 2, ts_event=at_ns, price=price, size=5, action=dbn.Action.TRADE,
            side=dbn.Side.ASK, depth=0, ts_recv=at_ns + 100, flags=0, ts_in_delta=3, sequence=number,
        )  # fmt: skip
        self.records.append(bytes(record))

    def bar(self, publisher: int, start_ns: int) -> None:
        """Make a bar of a minute."""
        fields = (SECOND, 3 * SECOND, SECOND // 2, 2 * SECOND, 10)
        record = struct.pack("<BBHIQ", 14, 33, publisher, 7, start_ns) + struct.pack("<qqqqQ", *fields)
        self.records.append(record)


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Historical]:
    monkeypatch.setenv("DATABENTO_API_KEY", KEY)
    made = Historical()
    usual = DatabentoPast.client

    def client(self: DatabentoPast) -> Any:
        found = usual(self)
        found.timeseries._base_url = f"{made.url}/v0/timeseries"  # the client speaks to https alone
        return found

    monkeypatch.setattr(DatabentoPast, "client", client)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


def past(**keys: Any) -> Any:
    return venue_of(FeedSection(kind="databento", name="mine", dataset="XNAS.ITCH", **keys), Path("plant.toml"))


def test_trades_of_the_hole_are_rows_of_the_symbol_that_was_asked_for(venue: Historical) -> None:
    for number, at_s in enumerate((-1, 0, 3, 3, 9, 10)):
        venue.trade(number, START + at_s * SECOND, 101_250_000_000 + number)
    found = past()
    rows, missing = found.fetch(HOLE)
    assert missing == ""
    assert [(row.sym, row.time - START, row.venue_seq, row.exchange) for row in rows] == [
        ("AAPL", 0, 1, "2"),
        ("AAPL", 3 * SECOND, 2, "2"),
        ("AAPL", 3 * SECOND, 3, "2"),
        ("AAPL", 9 * SECOND, 4, "2"),
    ]
    assert rows[0].price == 101.250000001
    [asked] = venue.asked
    assert (asked["path"], asked["dataset"], asked["symbols"]) == ("/v0/timeseries.get_range", "XNAS.ITCH", "AAPL")
    assert (asked["schema"], asked["stype_in"]) == ("trades", "raw_symbol")
    assert venue.keys == [f"{KEY}:"]
    found.close()


def test_bars_that_were_over_are_taken_and_those_of_two_publishers_are_none(venue: Historical) -> None:
    hole = HOLE._replace(table="bars", interval="1m", end=START + 120 * SECOND)
    for minute in range(3):
        venue.bar(1, START + minute * 60 * SECOND)
    rows, missing = past().fetch(hole)
    assert ([(row.time - START) // SECOND for row in rows], missing) == ([0, 60], "")
    assert venue.asked[0]["schema"] == "ohlcv-1m"
    venue.bar(2, START)
    rows, missing = past().fetch(hole)
    assert (rows, missing) == (
        [], "bars of AAPL come of publishers 1 and 2, and cannot be made one: fill in its trades",
    )  # fmt: skip


def test_trouble_is_tried_again_and_a_refusal_is_told_without_the_key(venue: Historical) -> None:
    slept: list[float] = []
    venue.refusals = [503, 429]
    venue.trade(1, START, SECOND)
    rows, missing = past().fetch(HOLE, sleep=slept.append)
    assert (len(rows), missing, slept) == (1, "", [2.0, 4.0])
    venue.refusals = [401]
    rows, missing = past().fetch(HOLE, sleep=slept.append)
    assert rows == []
    assert "401" in missing
    assert KEY not in missing
    assert len(slept) == 2


def test_without_a_key_the_variable_and_the_page_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABENTO_API_KEY", raising=False)
    with pytest.raises(SettingsError, match=r"feed 'mine': the environment has no DATABENTO_API_KEY; docs/feeds.md"):
        past()
