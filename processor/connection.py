"""What `processor.connect()` gives: questions about what it computed, the catalogue, and any indicator on request."""

from typing import Any

import numpy as np
import pandas as pd

from plant.client.arguments import Moment
from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.errors import QueryError
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import declaration_of
from plant.query.frames import as_frame
from plant.rows.arrow import arrow_column, columns_from_arrow
from plant.rows.tables import schema_of
from processor.open_bars import PRICES
from processor.recorded import bars_before
from processor.vectors.batch import computed

_READ = ("time", "sym", "interval", *PRICES)


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
        interval: str,
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
        start, end    of bars [start, end); last: only the newest so many
        parameters    the kind's own, and `input`, a column of the bar

        As many bars ahead of the first are read as the indicator needs to have forgotten what was before. Raises
        SettingsError for what the catalogue does not have, QueryError if there are no bars of the interval.
        """
        name = "".join(c if c.isalnum() else "_" for c in kind.rpartition(":")[2].lower()).lstrip("_0123456789")
        declaration = declaration_of({"name": name, "kind": kind, **parameters}, "calculate")
        db = self._whole()
        terms: dict[str, Any] = {"where": {"interval": interval}, "columns": _READ, "frames": "arrow"}
        terms["timeout_s"] = timeout_s
        ahead = bars_before((declaration,))
        if last is not None:
            found = db.select("bars", sym, start, end, last=last + ahead, **terms)
            before = 0
        else:
            found = db.select("bars", sym, start, end, **terms)
            earlier = db.select("bars", sym, None, start, last=ahead, **terms) if start is not None else found[:0]
            before, found = len(earlier), _joined(earlier, found)
        if not len(found):
            raise QueryError(f"calculate: no bars of {sym} have the interval {interval!r}; ask for one that is stored")
        bars = columns_from_arrow(found, schema_of()["bars"], _READ)
        values = computed([declaration], {name: bars[name] for name in ("time", *PRICES)})
        first = max(len(found) - last, 0) if last is not None else before
        answer = found.select(["time", "sym", "interval"])
        for column, numbers in values.items():
            answer = answer.append_column(column, arrow_column(np.ascontiguousarray(numbers), False))
        return as_frame(answer[first:], frames or self._frames)

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


def _joined(one: Any, other: Any) -> Any:
    import pyarrow as pa

    return pa.concat_tables([one, other]) if len(one) else other
