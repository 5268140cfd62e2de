"""Who asked what, and what it cost: rows of the table `queries`, published in batches."""

import threading
import time
from collections import deque
from typing import Any

from plant.errors import Cancelled, QueryLimit
from plant.query import questions
from plant.serving.waiting import Asked
from plant.stream.publisher import Publisher

KEPT = 10_000
"""Rows that wait for the tickerplant; while it is away longer, older ones are counted and let go."""

SHOWN_CHARS = 1_000
"""Of a question's text, and of an error's."""

SHOWN_ITEMS = 20
CLIENT_CHARS = 200


class Usage:
    """The questions a process called `sym` answered lately. Any thread."""

    def __init__(self, sym: str) -> None:
        self._sym = sym
        self._rows: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._lost = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def note(self, asked: Asked, rows: int = 0, size: int = 0, error: Exception | None = None) -> None:
        """Keep a row about a question that was answered with `rows` rows in `size` bytes, or with an error."""
        row = {
            "time": time.time_ns(),
            "sym": self._sym,
            "client": _cut(asked.client, CLIENT_CHARS),
            "kind": asked.fields["ask"] if asked.fields["ask"] in questions.KINDS else "?",
            "question": _cut(shown(asked.fields), SHOWN_CHARS),
            "seconds": time.monotonic() - asked.arrived,
            "rows": rows,
            "bytes": size,
            "state": _state(error),
            "detail": "" if error is None else _cut(str(error), SHOWN_CHARS),
        }
        with self._lock:
            self._lost += len(self._rows) == KEPT
            self._rows.append(row)

    def publish(self, publisher: Publisher) -> None:
        """Hand the rows on, unless the tickerplant is away or behind; then they wait."""
        if not self._rows or not publisher.connected or publisher.crowded:
            return
        with self._lock:
            rows, lost = list(self._rows), self._lost
            self._rows.clear()
            self._lost = 0
        if lost:
            note = {
                "client": "",
                "kind": "?",
                "state": "lost",
                "detail": f"{lost} questions before this were not noted",
            }
            rows.insert(0, {**rows[0], **note, "question": "", "seconds": 0.0, "rows": 0, "bytes": 0})
        publisher.publish("queries", rows)


def shown(fields: dict[str, Any]) -> str:
    """Return a question's text: SQL as it is, else the terms that were given, e.g. "table='bars' last=5"."""
    kind = questions.KINDS.get(fields["ask"])
    if kind is None:
        return f"ask={fields['ask']!r}"
    if kind is questions.Sql:
        return str(fields.get("query"))[: SHOWN_CHARS + 1]
    given = []
    for name, usual in questions.TERMS[kind.ask].items():
        value = fields.get(name)
        if value is not None and value not in (usual, [], ()):
            given.append(f"{name}={_short(value)}")
    return " ".join(given)


def _short(value: Any, levels: int = 2) -> str:
    """Return the repr of a term; of a long list only its beginning, and of nothing deeper than a term is."""
    if type(value) is str and len(value) < SHOWN_ITEMS:
        return repr(value)
    if isinstance(value, list | tuple) and levels:
        more = [f"... {len(value)} in all"] if len(value) > SHOWN_ITEMS else []
        return f"[{', '.join([*(_short(v, levels - 1) for v in value[:SHOWN_ITEMS]), *more])}]"
    return _cut(repr(value), 200) if isinstance(value, str | int | float | bytes | None) else type(value).__name__


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _state(error: Exception | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, Cancelled):
        return "cancelled"
    return "limit" if isinstance(error, QueryLimit) else "error"
