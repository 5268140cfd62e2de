"""Which rows of a file a question is about: its conditions on columns, and the few rows that are first or last."""

from collections.abc import Callable, Sequence

import numpy as np

from hdb.reader.footers import Footer
from plant.query.view import Terms, condition
from plant.rows.columns import Columns, Symbols
from plant.rows.ordering import group_starts
from plant.rows.schema import Table

Pick = Callable[[Columns], np.ndarray]
"""Takes rows with time, seq, seq_row and sym, and returns the positions of those that are needed, ascending."""


class Conditions:
    """What rows must meet, given what their file and its row groups say of all of them.

    table            the declaration of theirs
    footer, groups   the row groups that are read; None: rows of which nothing is known
    as_of            only rows of this seq and before; `replaced`: that were replaced later
    columns          names of the columns that must be read to tell
    """

    def __init__(
        self,
        table: Table,
        terms: Terms,
        footer: Footer | None = None,
        groups: Sequence[int] = (),
        as_of: int | None = None,
        replaced: bool = False,
    ) -> None:
        self._conditions: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = []
        sym, file = terms.sym, footer.file if footer else None
        if sym is not None and not (footer and len(sym) == 1 and all(footer.is_only(g, sym[0]) for g in groups)):
            self._add("sym", lambda column: _is_one_of(column, sym))
        start, end = terms.start, terms.end
        if start is not None and not (footer and footer.begin_at(groups, start)):
            self._add("time", lambda column: column >= start)
        if end is not None and not (footer and footer.end_before(groups, end)):
            self._add("time", lambda column: column < end)
        if terms.beyond and not (file and file.first_seq > terms.beyond):
            self._add("seq", lambda column: column > terms.beyond)
        if as_of is not None and not (file and file.last_seq <= as_of):
            self._add("seq", lambda column: column <= as_of)
        if as_of is not None and replaced:
            self._add("replaced_by", lambda column: column > as_of)
        for name, operator, value in terms.where:
            self._add(name, condition(table, name, operator, value))

    @property
    def columns(self) -> list[str]:
        """Names of the columns that conditions are on."""
        return [name for name, _ in self._conditions]

    def rows_of(self, columns: Columns) -> slice | np.ndarray | None:
        """Return the positions of the rows that meet them all, as a slice if they follow on each other; None: all."""
        if not self._conditions:
            return None
        keep = np.ones(len(columns[self._conditions[0][0]]), dtype=bool)
        for name, holds in self._conditions:
            keep &= holds(columns[name])
        rows = np.flatnonzero(keep)
        if len(rows) == len(keep):
            return None
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            return slice(int(rows[0]), int(rows[-1]) + 1)
        return rows

    def _add(self, name: str, holds: Callable[..., np.ndarray]) -> None:
        self._conditions.append((name, holds))


def newest_of_each_symbol(columns: Columns) -> np.ndarray:
    """Return the positions of the newest row of each symbol, as `order_of` has them; ordered by the symbols' names."""
    sym = columns["sym"]
    order = order_of(columns, sym.codes)
    starts = group_starts(sym.codes[order])
    newest = order[np.append(starts[1:], len(order)) - 1] if len(order) else order
    names = sym.names
    codes = sym.codes[newest].tolist()
    return newest[sorted(range(len(codes)), key=lambda i: names[codes[i]])]


def earliest(count: int) -> Pick:
    """Return what picks the first `count` rows, as `order_of` has them."""
    return lambda columns: np.sort(order_of(columns)[:count])


def latest(count: int) -> Pick:
    """Return what picks the last `count` rows, as `order_of` has them."""
    return lambda columns: np.sort(order_of(columns)[-count:])


def order_of(columns: Columns, *above: np.ndarray) -> np.ndarray:
    """Return the order of rows by `above`, time, seq, seq_row, int64[n].

    Rows that stand in the order of their seq_row already come without that column. Those of old files, where it is
    null, keep the order they have.
    """
    return np.lexsort((*_keys(columns)[::-1], *above))


def in_order(columns: Columns) -> np.ndarray | None:
    """Return `order_of` rows, None if that is how they stand."""
    after = np.zeros(max(len(columns["time"]) - 1, 0), dtype=bool)
    for key in _keys(columns)[::-1]:
        after = (key[1:] < key[:-1]) | (after & (key[1:] == key[:-1]))
    return order_of(columns) if after.any() else None


def _keys(columns: Columns) -> list[np.ndarray]:
    return [np.ma.filled(columns[name], 0) for name in ("time", "seq", "seq_row") if name in columns]


def _is_one_of(column: Symbols, names: Sequence[str]) -> np.ndarray:
    wanted = set(names)
    return np.array([*(name in wanted for name in column.names), False])[column.codes]
