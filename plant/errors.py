"""Every error a user of the plant can meet.

    PlantError
    ├── SettingsError          plant.toml or the environment says something we cannot use
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
    │   └── SourceTaken        a newer publisher uses the same source name
    └── Unavailable            a peer did not answer in time

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
        more = f", ... {len(known):,} in all" if len(known) > _LISTED else ""
        shown = ", ".join(known[:_LISTED]) or "none"
        return cls(f"{table} has no symbol {name!r}{_nearest(name, known)}; symbols are: {shown}{more}")


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


def _nearest(name: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _tree(kind: type[PlantError]) -> dict[str, type[PlantError]]:
    found = {kind.__name__: kind}
    for child in kind.__subclasses__():
        found |= _tree(child)
    return found


_KINDS = _tree(PlantError)
