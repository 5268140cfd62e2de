"""A symbol that a question names and no row has: an empty answer does not tell it from a quiet one, a warning does.

What is known of symbols is free as long as answers show them. Only a symbol that an answer does not show, and none
before it did, costs a question for the names that there are; so it costs nothing once for each symbol with rows.
"""

import sys
import warnings
from collections.abc import Callable, Iterable

import pyarrow as pa

from plant.errors import UnknownSymbolWarning
from plant.query import questions

Ask = Callable[[questions.Question], pa.Table]


class KnownSymbols:
    """The symbols that answers have shown, by table; of one connection, any thread."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}

    def lacking(self, question: questions.Question, answer: pa.Table, ask: Ask) -> tuple[list[str], set[str]]:
        """Return the symbols that a question names and its table does not have, and those it has.

        `ask` is asked for the names, if the answer does not show that all are there. Raises what it raises.
        """
        table = getattr(question, "table", "") or getattr(question, "left", "")
        named = _named(question)
        if not table or not named:
            return [], set()
        known = self._known.setdefault(table, set())
        if named <= known:
            return [], known
        known |= _shown(named, question, answer)
        if not named <= known:
            known |= names_in(ask, table)
        return sorted(named - known), known


def lacking(ask: Ask, tables: Iterable[str], syms: Iterable[str]) -> list[str]:
    """Return the symbols that none of these tables has, sorted. Raises what `ask` does."""
    left = set(syms)
    for table in tables:
        if left:
            left -= names_in(ask, table, tuple(sorted(left)))
    return sorted(left)


def names_in(ask: Ask, table: str, sym: tuple[str, ...] | None = None) -> set[str]:
    """Return the symbols that a table has, of those named. Raises what `ask` does."""
    found = ask(questions.Last(table, sym, columns=("sym",))).column("sym")
    return {name for name in found.to_pylist() if name is not None}


def warn_user(warning: UnknownSymbolWarning) -> None:
    """Warn as the line of the user that asked, whatever of the plant lies between."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("plant."):
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)


def _named(question: questions.Question) -> set[str]:
    """Return the symbols that the rows asked for must have one of; none if they may have any."""
    given: tuple[str, ...] | None = getattr(question, "sym", None)
    if given is not None:
        return set(given)
    equal = [value for name, operator, value in getattr(question, "where", ()) if (name, operator) == ("sym", "==")]
    return {value for value in equal if isinstance(value, str)}


def _shown(named: set[str], question: questions.Question, answer: pa.Table) -> set[str]:
    """Return names of symbols that the answer shows to have rows."""
    if isinstance(question, questions.Count):
        return named if len(named) == 1 and answer.column("count")[0].as_py() else set()
    if "sym" not in answer.column_names:
        return named if len(named) == 1 and answer.num_rows else set()
    return {name for chunk in answer.column("sym").chunks for name in chunk.dictionary.to_pylist()}
