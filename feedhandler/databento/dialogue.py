"""What is said on a connection to Databento, to its client: subscriptions, the begin of the session, records.

https://databento.com/docs/api-reference-live. Messages are JSON for the link (link.py), frames are DBN records. A
session begins once everything is subscribed; nothing is acknowledged by name, and nothing can be unsubscribed: what is
wanted no more is left out here.
"""

import json
from collections.abc import Sequence
from typing import Self

from feedhandler.databento.records import Mapping, Published, parse_record
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.venue.dialogue import Dialogue, Unreadable
from feedhandler.venue.events import BarRow, Event, Malformed, Topic, TradeRow
from feedhandler.venue.settings import VenueSettings


class DatabentoDialogue(Dialogue):
    """One session of Databento."""

    settings: DatabentoFeedSettings
    acknowledges = False
    messages_per_s = 10.0

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        super().__init__(settings, keys)
        self._symbols: dict[int, str] = {}
        self._publishers: dict[tuple[str, str], int] = {}  # of bars and of quotes: the first one's are taken
        self._over: set[str] = set()
        self._begun = False

    def follow(self, before: Self) -> None:
        self._publishers = before._publishers

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        messages = []
        for channel in dict.fromkeys(topic.channel for topic in added):
            symbols = [topic.sym for topic in added if topic.channel == channel]
            self._over.difference_update(symbols)
            messages.append(json.dumps({"schema": self.settings.schemas[channel], "symbols": symbols}))
        if not self._begun:
            self._begun = True
            messages.append(json.dumps({"start": True}))
        return messages

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        self._over |= {topic.sym for topic in removed} - {topic.sym for topic in whole}
        return []

    def parse(self, frame: bytes, received_ns: int) -> list[Event]:
        try:
            said = parse_record(frame, self._symbols)
        except Unreadable as error:
            return [Malformed(str(error))]
        if isinstance(said, Mapping):
            self._symbols[said.instrument] = said.sym
            return []
        if isinstance(said, Published):
            row = said.row
            interval = row.interval if isinstance(row, BarRow) else ""
            first = self._publishers.setdefault((row.sym, interval), said.publisher)
            if first != said.publisher:
                what = f"{'bars' if interval else 'quotes'} of {row.sym}"
                reason = f"{what} come of publishers {first} and {said.publisher}, and cannot be made one"
                more = "; subscribe trades, the plant makes bars of them" if interval else ""
                return [Malformed(f"{reason}: those of {first} are taken{more}")]
            return [] if row.sym in self._over else [row]
        return [] if isinstance(said, TradeRow) and said.sym in self._over else [said]
