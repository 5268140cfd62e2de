"""What a publisher hears of trades that came again: counted together, and logged once of a kind."""

import logging

import pytest

from plant.rows.tables import schema_of
from plant.stream.publisher import Publisher
from plant.stream.repeated import noted, told
from plant.wire.messages import Repeats, repeats


def test_it_is_told_in_words() -> None:
    assert told(Repeats()) == ""
    assert told(Repeats(2, 1, 1, 2_000)) == (
        "dropped 2 repeated trades; refused 1 trade whose id came before with another price or size; "
        "1 trade of other days not compared with earlier ones; 2,000 older trade ids no longer remembered"
    )


def test_it_is_counted_and_each_kind_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        counted = Repeats()
        for more in (Repeats(2), Repeats(3), Repeats(1, 1)):
            counted = noted(counted, more, "venue")
    assert counted == Repeats(6, 1)
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "venue: dropped 2 repeated trades",
        "venue: refused 1 trade whose id came before with another price or size",
    ]


def test_a_publisher_counts_what_the_plant_tells_it() -> None:
    feed = Publisher("venue", "tcp://127.0.0.1:9", schema_of(), unique_trade_ids=True)
    try:
        for _ in range(2):
            feed._take(*repeats(Repeats(dropped=2)))
        assert feed.repeats == Repeats(dropped=4)
    finally:
        feed.close(0)
