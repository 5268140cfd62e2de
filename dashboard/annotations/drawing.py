"""What a visitor draws: a message of the chart in the browser, written to the plant, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plant.control.annotations import Pen
from plant.errors import BadRows, PlantError, Unavailable

_TIMES = ("start_at", "end_at")
_MS = 1_000_000


def write(pen: Pen, what: Mapping[str, Any], sym: str, source: str) -> dict[str, Any]:
    """Do what a message says on the chart of a symbol; return its answer: {token, id, version, error}.

    what    {token, op: create | update | copy | delete, id, version, fields} as `chart/drawing.js` has it; whatever
            else a browser sends is answered with what is wrong with it
    """
    answer: dict[str, Any] = {"token": str(what.get("token"))}
    try:
        row = _written(pen, what, sym, source)
    except Unavailable as error:  # it may be in the journal; the sentence says so
        return answer | {"error": str(error)}
    except PlantError as error:
        return answer | {"error": f"Not written: {error}"}
    return answer | {"id": row["id"], "version": row["version"]}


def _written(pen: Pen, what: Mapping[str, Any], sym: str, source: str) -> dict[str, Any]:
    op, name, seen = what.get("op"), what.get("id"), what.get("version")
    if op == "create":
        return pen.create({**_fields(what), "sym": sym}, source)
    if not isinstance(name, str) or not (seen is None or isinstance(seen, int)):
        raise BadRows(f"expected the id and the version of an annotation, found {name!r} and {seen!r}")
    match op:
        case "update":
            return pen.update(name, _fields(what), source, seen)
        case "copy":
            return pen.copy(name, source)
        case "delete":
            return pen.delete(name, source, seen)
    raise BadRows(f"expected create, update, copy or delete, found {op!r}")


def _fields(what: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a message, times as ns."""
    fields = what.get("fields")
    if not isinstance(fields, dict):
        raise BadRows(f"expected the fields of an annotation, found {fields!r}")
    return {name: _ns(value) if name in _TIMES else value for name, value in fields.items()}


def _ns(value: Any) -> Any:
    """Return a time of ms as ns; what is none stays, and is refused as what it is."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value * _MS if isinstance(value, int) and not isinstance(value, bool) else value
