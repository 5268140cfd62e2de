"""The rows a run is handed: of history what the journal no longer has, then the journal, then what comes, in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.schema import Schema
from plant.state.newest import Row, columns_of_batch, rows_of_columns
from plant.stream.subscriber import Subscriber

CONTROL = ("strategies", "commands")
"""Tables that every run is handed."""


class Input(NamedTuple):
    """A row of the journal, as a run is handed it."""

    table: str
    row: Row


def tables_of(fills_on: str, hears: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the tables that a run needs: `fills_on` quotes, trades or bars, `hears` says which callbacks it has."""
    wanted = ["bar_closes"]
    wanted += ["trades"] * (fills_on == "trades" or hears("on_trade"))
    wanted += ["quotes"] * (fills_on == "quotes" or hears("on_quote"))
    return (*CONTROL, *wanted, *(["signals"] * hears("on_signal")))


class Inputs:
    """Hands on what a run needs of the plant: rows of its symbols and interval, and all of CONTROL.

    earlier      what it is handed first: rows that the journal has no more
    subscriber   to its tables, from behind those
    """

    def __init__(
        self,
        schema: Schema,
        symbols: Sequence[str],
        interval: str,
        earlier: list[Input],
        subscriber: Subscriber,
    ) -> None:
        self._schema, self._symbols, self._interval = schema, tuple(symbols), interval
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
            wanted = self._wanted(columns)
            if not wanted.any():
                return
            if not wanted.all():
                columns = taken(columns, wanted)
        for row in rows_of_columns(columns, self._schema[batch.table].times):
            yield Input(batch.table, row)

    def _wanted(self, columns: Columns) -> np.ndarray:
        sym: Symbols = columns["sym"]
        found = np.array([name in self._symbols for name in sym.names], dtype=bool)[sym.codes]
        return found & (columns["interval"] == self._interval) if "interval" in columns else found
