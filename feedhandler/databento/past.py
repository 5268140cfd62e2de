"""The past of a dataset by Databento's historical client, for `plant backfill`. It costs by the amount of data.

Each question is one request, for one symbol and schema. A record names its instrument by a number alone; as one symbol
is asked for, all are of it. Bars of two publishers, and quotes, cannot be made one (records.py): of bars their trades
are to be had then.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from feedhandler.databento.link import library
from feedhandler.databento.records import Published, parse_record
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.venue.dialogue import Hole, Unreadable
from feedhandler.venue.events import BarRow, Row, TradeRow
from feedhandler.venue.settings import keys_of, secret_of
from plant.progress import Progress, quietly
from plant.rows.intervals import interval_ns

MOST_TRIES = 4
RETRY_S = 2.0
"""Pause before the second try; each further one is twice as long."""

_TABLES = ("trades", "quotes", "bars")


class DatabentoPast:
    """A `Fetching` (feedhandler/backfilling.py). Raises ValueError without a key, or the client."""

    def __init__(self, settings: DatabentoFeedSettings, page: str) -> None:
        keys = keys_of(("DATABENTO_API_KEY",), page)
        self.settings = settings
        self._secret = secret_of(keys)
        self._made: Any = None
        library()

    def has(self, hole: Hole) -> bool:
        """Return whether the dataset has such rows."""
        return hole.table in _TABLES and hole.interval in ("", "1s", "1m", "1h")

    def fetch(
        self, hole: Hole, progress: Progress = quietly, sleep: Callable[[float], None] = time.sleep
    ) -> tuple[list[Row], str]:
        """Return the rows of a hole, and why some are missing, "" if none are."""
        schema = self.settings.model_copy(update={"interval": hole.interval or "1m"}).schemas[hole.table]
        trouble = ""
        for tries in range(MOST_TRIES):
            try:
                return self._rows(self._asked(schema, hole), hole, progress)
            except Unreadable as error:
                return [], str(error)
            except Exception as error:  # the client has its own kinds, for the network and for what it refuses
                trouble = self._secret.redact(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
                status = int(getattr(error, "http_status", 0) or 0)
                if 400 <= status < 500 and status not in (408, 429):
                    break
            if tries + 1 < MOST_TRIES:
                sleep(RETRY_S * 2**tries)
        return [], trouble

    def close(self) -> None:
        """Nothing is left open: each request has a connection of its own."""

    def client(self) -> Any:
        """Return Databento's client of the past."""
        if self._made is None:
            self._made = library().Historical(key=self._secret.reveal())
        return self._made

    def _asked(self, schema: str, hole: Hole) -> Any:
        return self.client().timeseries.get_range(
            dataset=self.settings.dataset, symbols=[hole.sym], schema=schema, stype_in="raw_symbol",
            start=hole.start, end=hole.end,
        )  # fmt: skip

    def _rows(self, records: Iterable[Any], hole: Hole, progress: Progress) -> tuple[list[Row], str]:
        rows: list[Row] = []
        publishers: set[int] = set()
        for each in records:
            record = bytes(each)
            said = parse_record(record, _Always(hole.sym))
            if isinstance(said, Published):
                publishers.add(said.publisher)
                if isinstance(said.row, BarRow):
                    inside = said.row.time + interval_ns(hole.interval) <= hole.end
                else:
                    inside = hole.start <= said.row.time < hole.end
                rows += [said.row] if inside else []
            elif isinstance(said, TradeRow) and hole.start <= said.time < hole.end:
                rows.append(said)
        progress(len(rows), None)
        if len(publishers) > 1:
            names = " and ".join(map(str, sorted(publishers)))
            what = f"{hole.table} of {hole.sym} come of publishers {names}, and cannot be made one"
            return [], f"{what}: fill in its trades" if hole.table == "bars" else what
        return rows, ""


class _Always(dict[int, str]):
    """One name for every number of an instrument."""

    def __init__(self, sym: str) -> None:
        super().__init__()
        self._sym = sym

    def get(self, key: object, default: Any = None) -> Any:
        return self._sym
