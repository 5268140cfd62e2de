"""The rows a run is handed: of history what the journal no longer has, then the journal, then what comes, in order."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.schema import Schema
from plant.state.newest import Row, columns_of_batch, rows_of_columns
from plant.stream.subscriber import Subscriber
from trading.accounts.neighbours import NEIGHBOURS, Neighbours

CONTROL = ("strategies", "commands")
"""Tables that every run is handed."""

OF_ACCOUNTS = ("broker_reports",)
"""Tables of which a run with a broker is handed the rows of its account."""


class Input(NamedTuple):
    """A row of the journal, as a run is handed it."""

    table: str
    row: Row


def tables_of(fills_on: str, hears: Callable[[str], bool], simulated: bool = True) -> tuple[str, ...]:
    """Return the tables that a run needs: `fills_on` quotes, trades or bars, `hears` says which callbacks it has.

    simulated   whether the simulated exchange fills its orders, and not a broker
    """
    wanted = ["bar_closes"]
    wanted += ["trades"] * (fills_on == "trades" or hears("on_trade"))
    wanted += ["quotes"] * (fills_on == "quotes" or hears("on_quote"))
    wanted += ["signals"] * hears("on_signal")
    neighbours = [name for name in NEIGHBOURS if name != "fills" or not simulated]
    return (*CONTROL, *neighbours, *wanted, *(() if simulated else OF_ACCOUNTS))


class Inputs:
    """Hands on what a run needs of the plant: rows of the symbols and intervals that it follows, and all of CONTROL.

    follows      symbol -> interval, as it is when a row comes
    neighbours   which rows of other runs it is handed
    earlier      what it is handed first: rows that the journal has no more
    subscriber   to its tables, from behind those
    """

    def __init__(
        self,
        schema: Schema,
        follows: Mapping[str, str],
        neighbours: Neighbours,
        earlier: list[Input],
        subscriber: Subscriber,
    ) -> None:
        self._schema, self._follows, self._neighbours = schema, follows, neighbours
        self._earlier, self.subscriber = earlier, subscriber

    @property
    def caught_up(self) -> bool:
        """Whether all that the plant has was handed on."""
        return not self._earlier and self.subscriber.caught_up

    def poll(self) -> Iterator[Input]:
        """Yield what there is, in the order of the journal, without waiting."""
        yield from self._earlier
        self._earlier = []
        for batch in self.subscriber.poll(0):
            yield from self._rows(batch)

    def close(self) -> None:
        """Disconnect."""
        self.subscriber.close()

    def _rows(self, batch: Batch) -> Iterator[Input]:
        columns = columns_of_batch(batch)
        if batch.table not in CONTROL:
            if batch.table in NEIGHBOURS:
                wanted = self._neighbours.wanted(batch.table, columns)
            elif batch.table in OF_ACCOUNTS:
                wanted = columns["account"] == self._neighbours.account
            else:
                wanted = self._wanted(columns)
            if not wanted.any():
                return
            if not wanted.all():
                columns = taken(columns, wanted)
        for row in rows_of_columns(columns, self._schema[batch.table].times):
            if batch.table != "risk_events" or self._neighbours.made_by_others(row):
                yield Input(batch.table, row)

    def _wanted(self, columns: Columns) -> np.ndarray:
        sym: Symbols = columns["sym"]
        if "interval" not in columns:
            return np.array([name in self._follows for name in sym.names], dtype=bool)[sym.codes]
        found = np.zeros(len(sym), dtype=bool)
        for interval in {self._follows[name] for name in sym.names if name in self._follows}:
            of = np.array([self._follows.get(name) == interval for name in sym.names], dtype=bool)
            found |= of[sym.codes] & (columns["interval"] == interval)
        return found
