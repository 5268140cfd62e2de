"""Every error a user of the plant can meet.

    PlantError
    ├── SettingsError          plant.toml or the environment says something we cannot use
    ├── ConditionError         a condition (of a signal, of a strategy) cannot be read
    ├── SchemaError            a declaration of a table is broken
    │   ├── UnknownTable       no such table
    │   ├── UnknownColumn      no such column in that table
    │   └── UnknownSymbol      no row of that table has this symbol
    ├── BadRows                rows handed to us do not fit their table
    ├── WireError              bytes that are not ours, or are damaged
    ├── JournalError           the journal cannot be opened, read or written
    │   ├── JournalLocked      another tickerplant holds it
    │   └── JournalDiverged    it does not hold what it published before
    ├── HistoryError           a file of the history is missing, damaged or cannot be written
    ├── QueryError             the question is wrong
    │   ├── QueryLimit         the question is right but too large or too slow
    │   └── Cancelled          its asker gave up
    ├── Refused                a peer answered, and said no
    │   ├── SourceTaken        a newer publisher uses the same source name
    │   └── TakesNoRows        this plant takes no publishers: it follows another, or another took its place
    └── Unavailable            a peer did not answer in time

A question that is right but names a symbol that no row has is answered, with a warning: UnknownSymbolWarning.

An error crosses a socket as its class name and its text (`to_wire`, `from_wire`) and is raised on the
other side as what it is. Messages say what was expected, what was found, where, and what to do.
"""

import difflib
from collections.abc import Iterable
from typing import Any

_LISTED = 20
"""Symbols an error lists."""


class PlantError(Exception):
    """The base of every error raised on purpose."""


class SettingsError(PlantError):
    """A setting is missing, misspelt or of the wrong kind."""


class ConditionError(PlantError):
    """A condition that cannot be read, or names what is not there.

    `faults` are the places of a document (`$.all[1].operator`), each with its sentence; empty for a text, whose message
    has the place in it.
    """

    def __init__(self, message: str, faults: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)

    @classmethod
    def at(cls, faults: Iterable[tuple[str, str]]) -> "ConditionError":
        """Return the error for the faults of a document, (place, sentence) each."""
        faults = tuple(faults)
        return cls("; ".join(f"{place}: {sentence}" for place, sentence in faults), faults)


class SchemaError(PlantError):
    """A table's declaration cannot be used."""


class UnknownTable(SchemaError):
    """No table has this name."""

    def __init__(self, message: str) -> None:
        super().__init__(message)

    @classmethod
    def named(cls, name: object, known: Iterable[str]) -> "UnknownTable":
        """Return the error for `name`, listing the tables there are and the nearest one."""
        return cls(f"unknown table {name!r}{_nearest(name, known)}; tables are: {', '.join(known)}")


class UnknownColumn(SchemaError):
    """The table has no column of this name."""

    @classmethod
    def named(cls, name: object, table: str, known: Iterable[str]) -> "UnknownColumn":
        """Return the error for column `name` of `table`, listing the columns and the nearest one."""
        known = list(known)
        return cls(f"{table} has no column {name!r}{_nearest(name, known)}; columns are: {', '.join(known)}")


class UnknownSymbol(SchemaError):
    """No row of the table has this symbol."""

    @classmethod
    def named(cls, name: object, table: str, known: Iterable[str]) -> "UnknownSymbol":
        """Return the error for symbol `name` of `table`, listing some of the symbols there are and the nearest one."""
        known = list(known)
        return cls(f"{table} has no symbol {name!r}{_nearest(name, known)}; symbols are: {_listed(known)}")


class UnknownSymbolWarning(UserWarning):
    """A question, or who watches, names a symbol that no row has: a warning, because one may come."""

    @classmethod
    def named(cls, name: str, tables: Iterable[str], known: Iterable[str], where: str = "") -> "UnknownSymbolWarning":
        """Return the warning for symbol `name` of tables, of which `known` are the symbols, with the nearest ones.

        where   what has been looked into, e.g. "in the rdb"; empty: everything there is
        """
        known = sorted(known)
        near = nearest_names(name, known, 3)
        others = f"nearest: {', '.join(near)}" if near else f"symbols are: {_listed(known)}"
        named = list(tables)
        of = f"table{'s' if len(named) > 1 else ''} {', '.join(named)}"
        return cls(f"no row of {of} {f'{where} has' if where else 'ever had'} sym {name!r}; {others}")


class BadRows(PlantError):
    """Rows do not fit the table they are meant for."""


class WireError(PlantError):
    """Bytes that do not follow docs/wire.md, or whose checksum is wrong."""


class JournalError(PlantError):
    """The journal cannot be opened, read or written."""


class JournalLocked(JournalError):
    """Another tickerplant has this journal open."""


class JournalDiverged(JournalError):
    """The journal does not hold what it published before: it lost its tail, or is another one."""


class HistoryError(PlantError):
    """A file of the history is missing, damaged, or cannot be written."""


class QueryError(PlantError):
    """A question that cannot be answered as asked."""


class QueryLimit(QueryError):
    """A question that needs more time, rows or memory than it may have."""


class Cancelled(QueryError):
    """A question whose asker gave up before it was answered."""


class Refused(PlantError):
    """A peer understood us and refused."""


class SourceTaken(Refused):
    """A newer publisher has taken over this source name."""


class TakesNoRows(Refused):
    """The plant takes no publishers: it follows another one, or another one has taken its place."""


class Unavailable(PlantError):
    """A peer did not answer in time; it may be down, starting, or at another address."""


def to_wire(error: Exception) -> dict[str, Any]:
    """Return the error as plain data: {"error": class name, "message": text}."""
    kind = type(error).__name__ if isinstance(error, PlantError) else "PlantError"
    text = str(error) if isinstance(error, PlantError) else f"{type(error).__name__}: {error}"
    return {"error": kind, "message": text}


def from_wire(fields: dict[str, Any]) -> PlantError:
    """Return the error that `to_wire` described; an unknown kind becomes a PlantError."""
    kind = _KINDS.get(str(fields.get("error")), PlantError)
    return kind(str(fields.get("message", "no message")))


def nearest_names(name: object, known: Iterable[str], count: int) -> list[str]:
    """Return at most `count` names that are like `name`, the nearest first; small and capital letters are alike.

    >>> nearest_names("aapl", ["AAPL", "APLE", "MSFT"], 2)
    ['AAPL', 'APLE']
    """
    written: dict[str, list[str]] = {}
    for other in known:
        written.setdefault(other.casefold(), []).append(other)
    folded = str(name).casefold()
    near = difflib.get_close_matches(folded, written, n=count + _LISTED)
    near.sort(key=lambda other: (-difflib.SequenceMatcher(None, other, folded).ratio(), other))
    return [other for one in near for other in written[one]][:count]


def _nearest(name: object, known: Iterable[str]) -> str:
    near = nearest_names(name, known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _listed(symbols: list[str]) -> str:
    more = f", ... {len(symbols):,} in all" if len(symbols) > _LISTED else ""
    return f"{', '.join(symbols[:_LISTED]) or 'none'}{more}"


def _tree(kind: type[PlantError]) -> dict[str, type[PlantError]]:
    found = {kind.__name__: kind}
    for child in kind.__subclasses__():
        found |= _tree(child)
    return found


_KINDS = _tree(PlantError)
