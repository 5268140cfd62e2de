"""Files that only the archive has, read where they are: their times become what they were, to the nanosecond."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa

from hdb.reader.footers import Footer
from plant.errors import HistoryError, PlantError
from plant.history.catalogue import ArchivedFile
from plant.history.projection import REST, of_history, restored
from plant.history.warehouse import Warehouse
from plant.rows.arrow import kind_of
from plant.rows.schema import Table


class ArchivedFooter(Footer):
    """What a file in the archive says of its rows. Raises HistoryError if the archive does not give it."""

    apart = True

    def __init__(self, warehouse: Warehouse, file: ArchivedFile) -> None:
        self._warehouse = warehouse
        self._where = warehouse.uri(file.path)
        self._columns: frozenset[str] = frozenset()
        super().__init__(Path(file.path), file)
        self._columns, self.names = self.names, frozenset(of_history(self.metadata.schema.to_arrow_schema()))

    def _opened(self) -> pa.NativeFile:
        return self._source()

    def _source(self) -> pa.NativeFile:
        return self._warehouse.filesystem.open_input_file(self._warehouse.path(self.file.path))

    def _explaining(self) -> AbstractContextManager[None]:
        return _Explaining(self._where)

    def _read(self, groups: Any, table: Table, columns: Any, symbols: Any, threads: bool) -> pa.Table:
        rest = [f"{name}{REST}" for name in columns if f"{name}{REST}" in self._columns - self.names]
        found = restored(super()._read(groups, table, [*columns, *rest], symbols, True), columns)
        for name in columns:
            if name in table.names and kind_of(table, name) == "text":
                place = found.column_names.index(name)
                found = found.set_column(place, name, found.column(name).cast(pa.large_string()))
        return found

    def _times(self, group: int) -> tuple[int, int]:
        stored = self.metadata.row_group(group).column(self._place["time"]).statistics
        if stored is None or not stored.has_min_max:
            return self.file.first_time, self.file.last_time
        return stored.min_raw * 1000, stored.max_raw * 1000 + 999


class _Explaining(AbstractContextManager[None]):
    """Turn what goes wrong with a file of the archive into HistoryError, naming it."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError | pa.ArrowException) and not isinstance(error, PlantError):
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise HistoryError(
                f"{self._where} cannot be read: {said}; only the archive has this day: see to the store, or leave such "
                "days out of the question"
            ) from None
