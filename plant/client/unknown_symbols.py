"""A symbol that a question names and no row has: an empty answer does not tell it from a quiet one, a warning does.

What is known of symbols is free as long as answers show them. Only a symbol that an answer does not show, and none
before it did, costs a question for the names that there are; so it costs nothing once for each symbol with rows.
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from plant.errors import PlantError, UnknownSymbolWarning
from plant.query import questions
from plant.transport.request import Requester

if TYPE_CHECKING:
    import pyarrow as pa

LOOK_S = 1.0
"""Longest to wait for the word of a process that a warning needs."""

PAUSE_S = 0.01
"""Pause between looks how far a process is."""

Ask = Callable[[questions.Question], "pa.Table"]


class KnownSymbols:
    """The symbols that answers have shown, by table; of one connection, any thread."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}

    def doubtful(self, question: questions.Question, answer: "pa.Table") -> tuple[str, set[str]]:
        """Return the table whose rows are asked for, and the symbols named of which neither this answer nor one before
        it shows a row."""
        table = getattr(question, "table", "") or getattr(question, "left", "")
        named = _named(question)
        known = self._known.setdefault(table, set())
        if named - known:
            known |= _shown(named, question, answer)
        return table, named - known

    def learn(self, ask: Ask, table: str) -> set[str]:
        """Return all symbols that a table has, asked for anew. Raises what `ask` does."""
        known = self._known[table]
        known |= names_in(ask, table)
        return known


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


def has_all(status: Callable[[], dict[str, Any]], host: str) -> bool:
    """Return whether a process of a host has taken all that is in the journal by now; it has LOOK_S to do so.

    Raises what `status` does, which asks how the process is.
    """
    found = status()
    if found.get("caught_up") is False:
        return False
    if "journal_port" not in found:
        return True
    journal = Requester(f"{host}:{found['journal_port']}", "tickerplant", LOOK_S)
    try:
        position = journal.status()["seq"]
    except PlantError:
        return True  # nothing comes without it
    finally:
        journal.close()
    deadline = time.monotonic() + LOOK_S
    while found["seq"] < position and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        found = status()
    return bool(found["seq"] >= position)


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


def _shown(named: set[str], question: questions.Question, answer: "pa.Table") -> set[str]:
    """Return names of symbols that the answer shows to have rows."""
    if isinstance(question, questions.Count):
        return named if len(named) == 1 and answer.column("count")[0].as_py() else set()
    if "sym" not in answer.column_names:
        return named if len(named) == 1 and answer.num_rows else set()
    return {name for chunk in answer.column("sym").chunks for name in chunk.dictionary.to_pylist()}
