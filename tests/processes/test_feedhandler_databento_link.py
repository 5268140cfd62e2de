"""What a feed says whose client is not installed; replays of several schemas, each with an end of its own."""

import struct
import sys
import time
from typing import Any

import pytest

from feedhandler.databento.feed import DatabentoFeed
from feedhandler.databento.link import DatabentoLink, _Session
from feedhandler.databento.records import REPLAY_COMPLETED, SYSTEM
from feedhandler.databento.settings import DatabentoFeedSettings
from plant.transport.connection_state import Pauses
from plant.transport.secret import Secret


def test_a_client_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", "db-" + "x" * 29)
    monkeypatch.setitem(sys.modules, "databento", None)
    with pytest.raises(ValueError, match=r"Databento's client is not installed .*pip install 'tickplant\[databento\]'"):
        DatabentoFeed(DatabentoFeedSettings(dataset="XNAS.ITCH"))


class Client:
    def subscribe(self, **terms: Any) -> None:
        """Take any."""

    def terminate(self) -> None:
        """Nothing is open."""


def test_the_end_of_one_schemas_replay_is_not_the_end_of_the_others() -> None:
    """Bars are few, so that their replay ends before that of the trades has begun: what comes again is left out."""
    link = DatabentoLink(DatabentoFeedSettings(dataset="X"), Secret("k"), time.monotonic, Pauses())
    now = time.time_ns()
    trade = struct.pack("<BBHIQqIccBBQiI", 12, 0, 1, 7, now, 10**9, 5, b"T", b"A", 0, 0, now, 0, 1)
    bar = struct.pack("<BBHIQqqqqQ", 14, 33, 1, 7, now - now % (60 * 10**9), *(10**9,) * 4, 5)
    over = bytes([80, SYSTEM]) + bytes(317) + bytes([REPLAY_COMPLETED])
    link._session = session = _Session(Client())

    def come(*records: bytes) -> None:
        session.records.extend((now, record) for record in records)

    come(trade, bar)
    assert link.receive(0.0) == [trade, bar]
    link.drop("cut")
    assert [(note.table, note.state) for note in link.notes] == [("trades", "opened"), ("bars", "opened")]
    link._session = session = _Session(Client())
    for schema in ("trades", "ohlcv-1m"):
        link._subscribe(session.client, schema, ["A"])
    come(bar, over, trade)
    assert link.receive(0.0) == [over]
    assert len(link.notes) == 2, "the trades are not there yet"
    come(over)
    assert link.receive(0.0) == [over]
    assert [note.state for note in link.notes[2:]] == ["healed", "healed"]
    come(trade)
    assert link.receive(0.0) == [trade], "an equal one later is another"
    link.close()
