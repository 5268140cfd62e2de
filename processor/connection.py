"""What `processor.connect()` gives: questions about what it computed, the catalogue, and any indicator on request."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plant.calendars.assignment import Calendars
from plant.client.arguments import Moment
from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.errors import QueryError, nearest_names
from plant.indicators.bars import CHOSEN, OF_A_BAR
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import Declaration, declaration_of
from plant.query.frames import as_frame
from plant.rows.arrow import arrow_column, columns_from_arrow
from plant.rows.columns import Columns, Symbols
from plant.rows.intervals import interval_of
from plant.rows.tables import schema_of
from plant.runtime.settings import file_of
from processor.candles.on_request import BarsOnRequest, Range
from processor.counting import Counting
from processor.open_bars import PRICES
from processor.recorded import bars_before
from processor.vectors.batch import computed

_BARS = schema_of()["bars"]


class ProcessorConnection(Connection):
    """A connection to the processor, which also computes any indicator of the catalogue over history and today."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._plant: PlantConnection | None = None

    def catalogue(self) -> pd.DataFrame:
        """Return the kinds of indicators: name, description, category, parameters, inputs, outputs, pane, levels."""
        return pd.DataFrame([kind.data() for kind in CATALOGUE.values()])

    def calculate(
        self,
        kind: str,
        sym: str,
        interval: Any,
        *,
        start: Moment = None,
        end: Moment = None,
        last: int | None = None,
        frames: str | None = None,
        timeout_s: float | None = None,
        **parameters: Any,
    ) -> Any:
        """Return an indicator over bars of history and today, without declaring it: time, sym, interval, its outputs.

        kind          of the catalogue, or "mypackage.module:MyIndicator"; the main output's column is called as it
        interval      of bars that are stored, or one that can be made of them: "3m" of 1m, "1w" of days
        start, end    of bars [start, end); last: only the newest so many
        parameters    the kind's own, and `input`, a column of the bar

        As many bars ahead of the first are read as the indicator needs to have forgotten what was before. Sessions are
        those of the plant's calendars, and bars outside of regular ones count as [processor] `session` says. Raises
        SettingsError for what the catalogue does not have, QueryError for an input that no bar has, a symbol without
        bars, and an interval that cannot be made.
        """
        declaration = _declaration(kind, parameters)
        if not isinstance(sym, str):
            raise QueryError(f"calculate: sym must be one symbol, found {sym!r}")
        length = interval_of(interval)
        status, db = self.status(timeout_s), self._whole()
        counting = Counting(Calendars(status["calendars"], status["feed_calendars"]), status["session"])
        select = partial(_select, db, sym, timeout_s)
        on_request = BarsOnRequest(sym, select, lambda: _stored(db, sym, timeout_s), counting.counted)
        asked = Range(self._ns(start), self._ns(end), last, bars_before((declaration,), length))
        bars, ahead = on_request.of(length, asked, lambda source: counting.sessions_of(sym, source))
        session = counting.sessions_of(sym).days(bars["time"])
        known = {**{name: bars[name] for name in ("time", *PRICES)}, "session": session}
        values = computed([declaration], known, file_of().parent)
        count = len(bars["time"])
        named = {"sym": sym, "interval": length}
        columns: Columns = {
            "time": bars["time"],
            **{name: Symbols([text], np.zeros(count, np.int32)) for name, text in named.items()},
            **{name: np.ascontiguousarray(numbers) for name, numbers in values.items()},
        }
        answer = pa.table({name: arrow_column(column, name == "time") for name, column in columns.items()})
        return as_frame(answer[ahead:], frames or self._frames)

    def close(self) -> None:
        """Disconnect; the next question connects again."""
        if self._plant is not None:
            self._plant.close()
        super().close()

    def _whole(self) -> PlantConnection:
        """Return a connection to rdb and hdb of the same plant, on the same host."""
        if self._plant is None:
            status, host = self.status(), self.address.rpartition(":")[0]
            rdb, hdb = (f"{host}:{status[name]}" for name in ("rdb_port", "hdb_port"))
            self._plant = PlantConnection(rdb, hdb, schema_of(), zone=self._zone, warn_unknown=self._warn_unknown)
        return self._plant


def _declaration(kind: str, parameters: dict[str, Any]) -> Declaration:
    name = "".join(c if c.isalnum() else "_" for c in str(kind).rpartition(":")[2].lower()).lstrip("_0123456789")
    found = declaration_of({"name": name or "x", "kind": kind, **parameters}, "calculate")
    for column in found.inputs:
        if column not in OF_A_BAR:
            near = nearest_names(column, CHOSEN, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise QueryError(f"calculate: no bar has a column {column!r}{hint}; inputs are {', '.join(CHOSEN)}")
    return found


def _stored(db: PlantConnection, sym: str, timeout_s: float | None) -> list[str]:
    """Return the intervals that a symbol has bars of."""
    name = sym.replace("'", "''")
    found = db.sql(f"select distinct interval from bars where sym = '{name}'", frames="arrow", timeout_s=timeout_s)
    return [str(interval) for interval in found.column(0).to_pylist()]


def _select(
    db: PlantConnection, sym: str, timeout_s: float | None, interval: str, start: Any, end: Any, last: int | None
) -> Columns:
    where = {"interval": interval}
    options: dict[str, Any] = {"columns": _BARS.names, "frames": "arrow", "timeout_s": timeout_s}
    return columns_from_arrow(db.select("bars", sym, start, end, where=where, last=last, **options), _BARS, _BARS.names)
