"""What the plant holds, asked of a connection: today and history as one."""

from typing import Any

import pyarrow as pa

from plant.intake.forms import columns_of
from plant.rows.columns import Columns
from plant.rows.evolution import without_nulls
from plant.rows.schema import Schema


class RecordedRows:
    """Recorded by a connection with frames="arrow" and warn_unknown=False, of `plant.connect` or to an rdb."""

    def __init__(self, db: Any, schema: Schema) -> None:
        self._db, self._schema = db, schema

    def trades(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trades` of a symbol with start <= time < end (ns)."""
        return self._rows("trades", sym, start, end)

    def corrections(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trade_corrections` likewise."""
        return self._rows("trade_corrections", sym, start, end)

    def bars(self, sym: str, interval: str, start: int, end: int) -> Columns:
        """Return the newest revisions of bars likewise; interval "": of every one."""
        return self._rows("bars", sym, start, end, {"interval": interval} if interval else None)

    def _rows(self, name: str, sym: str, start: int, end: int, where: Any = None) -> Columns:
        table = self._schema[name]
        found = self._db.select(name, sym, start, end, columns=[*table.names, "seq", "seq_row"], where=where)
        columns = columns_of(table, {n: without_nulls(found.column(n), table.column(n)) for n in table.names})
        numbers = {n: found.column(n).cast(pa.int64()).fill_null(0).to_numpy() for n in ("seq", "seq_row")}
        return {**columns, **numbers}
