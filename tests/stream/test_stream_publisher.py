"""What a publisher says to a tickerplant, here a ROUTER of the test, and what it does when that stalls."""

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from plain_rows import NOON
from scripted_tickerplant import ROWS, SCHEMA, ScriptedTickerplant, trades
from stranger import Stranger

from plant.errors import BadRows, SourceTaken, Unavailable, to_wire
from plant.stream import line
from plant.stream import publisher as publishing
from plant.stream.publisher import Publisher
from plant.transport import sockets
from plant.wire import record
from plant.wire.messages import ack
from plant.wire.record import decode


@pytest.fixture
def tickerplant() -> Iterator[ScriptedTickerplant]:
    made = ScriptedTickerplant()
    yield made
    made.socket.close(0)


def test_a_publisher_that_is_not_acknowledged_takes_no_more_than_its_bound_and_then_goes_on(
    tickerplant: ScriptedTickerplant,
) -> None:
    bound = 100_000
    feed = Publisher("feed", tickerplant.address, SCHEMA, outbox_bytes=bound)
    tickerplant.welcome()
    feed.wait_connected()
    taken = 0
    while feed._outbox.bytes < bound:
        feed.publish("trades", trades(taken * ROWS))
        taken += 1
    with pytest.raises(Unavailable, match=r"has not acknowledged [\d,]+ bytes within 0.2 s"):
        feed.publish("trades", trades(taken * ROWS), timeout_s=0.2)
    assert 2 <= taken < 20
    assert bound <= feed._outbox.bytes < 2 * bound
    found: list[float] = []
    while len(found) < taken * ROWS:
        found += tickerplant.rows_of(1)
    feed.publish("trades", trades(taken * ROWS), timeout_s=10.0)
    found += tickerplant.rows_of(1)
    assert found == [float(n) for n in range((taken + 1) * ROWS)], "the rows that were not taken are not sent either"
    assert feed.flush() == 1
    feed.close()


def test_a_publisher_that_met_another_program_on_the_port_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SILENCE_S", 0.2)
    stranger = Stranger()
    feed = Publisher("feed", stranger.address, SCHEMA)
    assert stranger.met.wait(10)
    stranger.close()
    tickerplant = ScriptedTickerplant(stranger.address)
    tickerplant.welcome()
    assert feed.wait_connected() == 0
    feed.close()
    tickerplant.socket.close(0)


def test_what_was_refused_is_kept_up_to_a_bound_though_nobody_flushes(
    tickerplant: ScriptedTickerplant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MOST_ERRORS", 3)
    feed = Publisher("feed", tickerplant.address, SCHEMA)
    tickerplant.welcome()
    feed.wait_connected()
    feed.publish("trades", trades(0))
    for i in range(5):
        tickerplant.say(b"error", msgpack.packb(to_wire(BadRows(f"refused {i}"))))
    tickerplant.rows_of(1)  # its acknowledgement comes behind the errors
    for i in range(2, 5):
        with pytest.raises(BadRows, match=f"refused {i}"):
            feed.flush()
    assert feed.flush() == 1
    feed.close()


def test_a_publisher_whose_name_was_taken_says_no_more(
    tickerplant: ScriptedTickerplant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "HELLO_AGAIN_S", 0.02)
    feed = Publisher("feed", tickerplant.address, SCHEMA)
    assert tickerplant.hear() == b"hello"
    tickerplant.say(b"error", msgpack.packb(to_wire(SourceTaken("a newer publisher has this name"))))
    feed._keeper.join(10)
    assert not feed._keeper.is_alive()
    while tickerplant.socket.poll(0):
        tickerplant.hear()  # hellos that were on their way
    for ask in (feed.flush, feed.wait_connected, lambda: feed.publish("trades", {"time": 1, "sym": "A"})):
        with pytest.raises(SourceTaken, match="a newer publisher"):
            ask()
    assert not tickerplant.socket.poll(100), "it speaks again"
    feed.close()


BAD = [
    ("trades", {"sym": "\ud800"}, "expected symbol"),
    ("bars", {"interval": "60"}, 'bars.interval: expected an interval like "30s"'),
    ("trades", {"price": 2**70}, "expected float"),
]


@pytest.mark.parametrize(("table", "wrong", "reason"), BAD, ids=[reason for _, _, reason in BAD])
def test_a_row_that_turns_out_bad_once_it_was_taken_is_a_row_of_rejects(
    tickerplant: ScriptedTickerplant, table: str, wrong: dict[str, Any], reason: str
) -> None:
    prices = dict.fromkeys(("price", "size") if table == "trades" else ("open", "high", "low", "close", "volume"), 1.0)
    good = {"time": NOON, "sym": "A", **prices, **({} if table == "trades" else {"interval": "1m"})}
    with Publisher("p", tickerplant.address, SCHEMA) as source:
        tickerplant.welcome()
        source.wait_connected()
        source.publish(table, good)
        for row in (*[{**good, "price": 1}] * ("price" in wrong), {**good, **wrong}, good, good):
            source.publish(table, row)
        rows = 4 if "price" in wrong else 3
        with pytest.raises(BadRows):
            source.publish(table, {**good, **wrong}, strict=True)
        found: dict[str, list[Any]] = {table: [], "rejects": []}
        while len(found[table]) < rows or not found["rejects"]:
            assert tickerplant.hear() in (b"upd", b"hello")
            for header, start in record.records(tickerplant.body):
                declared = SCHEMA.by_id[header.schema_id]
                columns = decode(declared, header, memoryview(tickerplant.body)[start : start + header.length]).columns
                found[declared.name] += columns["sym" if declared.name == table else "reason"].tolist()
                tickerplant.source_seq = header.source_seq
            tickerplant.say(*ack(tickerplant.source_seq, 1))
        source.flush()
    assert found[table] == ["A"] * rows
    (told,) = found["rejects"]
    assert told.startswith("row 0 of 1 (counted from 0): ")
    assert reason in told
