"""Indicators and bars on request, over history and today: what `calculate` and `candles` are answered with."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plant.calendars.assignment import Calendars
from plant.client.plant_connection import PlantConnection
from plant.client.seam import seq_of
from plant.errors import QueryError, nearest_names
from plant.indicators.bars import CHOSEN, OF_A_BAR
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import Declaration, declaration_of
from plant.query.questions import Calculate, Candles, Select
from plant.rows.arrow import arrow_column, columns_from_arrow
from plant.rows.columns import Columns, Symbols
from plant.rows.intervals import interval_name
from plant.rows.tables import schema_of
from plant.rows.tables_candles import BUILT
from processor.candles.on_request import BarsOnRequest, Range
from processor.counting import Counting
from processor.open_bars import PRICES
from processor.recorded import bars_before
from processor.trades.folding import VALUES
from processor.vectors.batch import computed

_BARS = schema_of()["bars"]


class Calculator:
    """Computes over the bars that a plant has; any thread.

    calendars, session   which symbol has which exchange's sessions, and which bars count ([processor] session)
    folder               where classes of the user's own lie
    """

    def __init__(self, plant: PlantConnection, calendars: Calendars, session: str, folder: Path) -> None:
        self._plant, self._calendars, self._session, self._folder = plant, calendars, session, folder

    def calculate(self, declaration: Declaration, question: Calculate, timeout_s: float | None = None) -> pa.Table:
        """Return an indicator over bars: time, sym, interval, its outputs. Raises QueryError.

        The metadata of the answer have its `seq`.
        """
        sym, interval = question.sym[0], interval_name(question.interval)
        counting = Counting(self._calendars, self._session)
        asked = Range(question.start, question.end, question.last, bars_before((declaration,), interval))
        bars, ahead, seq = self._bars(sym, interval, asked, counting, timeout_s)
        session = counting.sessions_of(sym).days(bars["time"])
        known = {**{name: bars[name] for name in ("time", *PRICES)}, "session": session}
        return _answer(sym, interval, bars["time"], computed([declaration], known, self._folder), ahead, seq)

    def candles(self, question: Candles, timeout_s: float | None = None) -> pa.Table:
        """Return bars: the columns of `bars`; made ones have the source built:request. Raises QueryError."""
        sym, interval = question.sym[0], interval_name(question.interval)
        asked = Range(question.start, question.end, question.last, 0)
        bars, ahead, seq = self._bars(sym, interval, asked, Counting(self._calendars, question.session), timeout_s)
        values: Columns = {name: bars[name] for name in VALUES[:5]}
        count = len(bars["time"])
        source = bars["source"] if "source" in bars else Symbols([BUILT + "request"], np.zeros(count, np.int32))
        values["source"] = source
        values |= {name: bars[name] if name in bars else np.full(count, np.nan) for name in VALUES[5:]}
        return _answer(sym, interval, bars["time"], values, ahead, seq)

    def _bars(
        self, sym: str, interval: str, asked: Range, counting: Counting, timeout_s: float | None
    ) -> tuple[Columns, int, int | None]:
        """Return bars, how many of them come ahead of what is asked, and up to which seq everything is in them."""
        seqs: list[int] = []
        select = partial(self._select, seqs, sym, timeout_s)
        on_request = BarsOnRequest(sym, select, lambda: self._stored(sym, timeout_s), counting.counted)
        bars, ahead = on_request.of(interval, asked, lambda source: counting.sessions_of(sym, source))
        return bars, ahead, min(seqs, default=None)

    def _select(
        self, seqs: list[int], sym: str, timeout_s: float | None, interval: str, start: Any, end: Any, last: int | None
    ) -> Columns:
        where = (("interval", "==", interval),)
        question = Select(_BARS.name, (sym,), start, end, _BARS.names, where, last=last)
        found = self._plant.answer_to(question, timeout_s)
        if (seq := seq_of(found)) is not None:
            seqs.append(seq)
        return columns_from_arrow(found, _BARS, _BARS.names)

    def _stored(self, sym: str, timeout_s: float | None) -> list[str]:
        """Return the intervals that a symbol has bars of."""
        name = sym.replace("'", "''")
        sql = f"select distinct interval from bars where sym = '{name}'"
        found = self._plant.sql(sql, frames="arrow", timeout_s=timeout_s)
        return [str(interval) for interval in found.column(0).to_pylist()]


def declaration_in(question: Calculate) -> Declaration:
    """Return what a question declares, of the catalogue alone: who asks may be another than who runs the process.

    Raises QueryError for another kind, for parameters that are no JSON object, SettingsError for one that cannot be.
    """
    if question.kind not in CATALOGUE:
        near = nearest_names(question.kind, CATALOGUE, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise QueryError(f"calculate: no indicator {question.kind!r}{hint} in the catalogue")
    try:
        parameters = json.loads(question.parameters)
        if not isinstance(parameters, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise QueryError(f"calculate: parameters must be a JSON object, found {question.parameters[:100]!r}") from None
    return declaration_named(question.kind, parameters)


def declaration_named(kind: str, parameters: dict[str, Any]) -> Declaration:
    """Return the declaration of an indicator on request; its main output is called as its kind.

    Raises SettingsError for what the catalogue does not have, QueryError for an input that no bar has.
    """
    name = "".join(c if c.isalnum() else "_" for c in str(kind).rpartition(":")[2].lower()).lstrip("_0123456789")
    found = declaration_of({**parameters, "name": name or "x", "kind": kind}, "calculate")
    for column in found.inputs:
        if column not in OF_A_BAR:
            near = nearest_names(column, CHOSEN, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise QueryError(f"calculate: no bar has a column {column!r}{hint}; inputs are {', '.join(CHOSEN)}")
    return found


def _answer(sym: str, interval: str, times: np.ndarray, values: Columns, ahead: int, seq: int | None) -> pa.Table:
    count = len(times)
    named = {"sym": sym, "interval": interval}
    columns: Columns = {
        "time": times,
        **{name: Symbols([text], np.zeros(count, np.int32)) for name, text in named.items()},
        **{name: np.ascontiguousarray(each) if isinstance(each, np.ndarray) else each for name, each in values.items()},
    }
    answer = pa.table({name: arrow_column(column, name == "time") for name, column in columns.items()})
    return answer[ahead:].replace_schema_metadata(None if seq is None else {"seq": str(seq)})
