"""What `processor.connect()` gives: questions about what it computed, the catalogue, and any indicator on request."""

from typing import Any

import pandas as pd

from plant.calendars.assignment import Calendars
from plant.client.arguments import Moment
from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.errors import QueryError
from plant.indicators.catalogue import CATALOGUE
from plant.query.frames import as_frame
from plant.query.questions import Calculate
from plant.rows.intervals import interval_of
from plant.rows.tables import schema_of
from plant.runtime.settings import file_of
from processor.asked.calculating import Calculator, declaration_named


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
        declaration = declaration_named(kind, parameters)
        if not isinstance(sym, str):
            raise QueryError(f"calculate: sym must be one symbol, found {sym!r}")
        status, db = self.status(timeout_s), self._whole()
        calendars = Calendars(status["calendars"], status["feed_calendars"])
        calculator = Calculator(db, calendars, status["session"], file_of().parent)
        terms: dict[str, Any] = {"start": self._ns(start), "end": self._ns(end), "last": last}
        answer = calculator.calculate(declaration, Calculate(kind, (sym,), interval_of(interval), **terms), timeout_s)
        return as_frame(answer.replace_schema_metadata(None), frames or self._frames)

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
