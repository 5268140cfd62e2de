"""Strategies as objects: what a body says, checked, as columns of `strategies`; how each is; what may be done."""

import json
from collections.abc import Mapping
from typing import Any

from api.answers.problems import Problem, invalid
from api.answers.times import told_time
from api.desk.objects import json_of
from plant.conditions.definition import definition_of
from plant.control.books import Seen
from plant.control.writing import told_nearest
from plant.errors import ConditionError, QueryError, nearest_names
from plant.rows.intervals import interval_name
from plant.state.newest import Row
from plant.state.runs import ENDED
from plant.state.schemas import faults_of
from plant.state.strategies import PAUSED, PYTHON, RESERVED, RUNNING, STOPPED

CONDITIONS = "Conditions"
"""The class of strategies that are JSON documents."""

ACTIONS = {"start": RUNNING, "stop": STOPPED, "pause": PAUSED, "resume": RUNNING}
"""What may be done, and what the strategy is to be then."""

_DOCUMENT = (
    *("id", "name", "description", "sym", "interval", "indicators", "signals", "risk", "tags", "enabled", "version"),
)
_BESIDE = ("account", "mode", "note", "parameters")
_OF_A_CLASS = ("id", "class_name", "sym", "interval", "name", "description", "tags", "enabled", *_BESIDE, "version")
_LONGEST_NAME = 64

_WORDS = ("name", "description", "tags", "enabled")
_OF_SOURCE = (PYTHON, *_WORDS)

Faults = list[tuple[str, str]]


def columns_of(body: Any, name: str | None) -> tuple[str, dict[str, Any]]:
    """Return the name of a strategy and its columns, as a whole definition says them.

    body   a JSON document of conditions (`signals`, `indicators`, ...), of a class ({"class_name", "parameters"}), or
           of a class's source ({"python": source, "parameters"})
    name   the id in the path, which `id` of the body must be if it is there; None: `id` must be there

    Raises Problem invalid with every place that is wrong.
    """
    faults: Faults = []
    if not isinstance(body, Mapping):
        raise invalid("$", f"expected an object, found {body!r}")
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise invalid("$", f"expected texts of Unicode, not nested without end: {error}") from None
    source = PYTHON in body
    known: tuple[str, ...] = _OF_A_CLASS if source or "class_name" in body else (*_DOCUMENT, *_BESIDE)
    known += (PYTHON,) if source else ()
    for key in body:
        if key not in known:
            near = nearest_names(key, (*known, "class_name"), 1)
            hint = f" (did you mean {near[0]!r}?)" if near else f"; keys are: {', '.join(known)}"
            faults.append((f"$.{key}", f"unknown key{hint}"))
    name = _name(body, name, faults)
    columns: dict[str, Any] = {"symbols": _symbols(body.get("sym"), faults), "interval": _interval(body, faults)}
    for key, usual in (("account", ""), ("mode", "paper"), ("note", "")):
        columns[key] = body.get(key, usual)
        if not isinstance(columns[key], str):
            faults.append((f"$.{key}", f"expected a text, found {body[key]!r}"))
    if columns["mode"] not in ("paper", "live"):
        faults.append(("$.mode", f"expected paper or live, found {columns['mode']!r}"))
    columns["parameters"] = body.get("parameters", {})
    if not isinstance(columns["parameters"], dict):
        faults.append(("$.parameters", f"expected an object, found {columns['parameters']!r}"))
    if source:
        columns |= {
            "class_name": body.get("class_name", ""),
            "definition": {k: body[k] for k in _OF_SOURCE if k in body},
        }
        if not isinstance(body[PYTHON], str) or not body[PYTHON].strip():
            faults.append(("$.python", "expected the source of a class, or of run_strategy, a text"))
    elif "class_name" in body:
        columns |= {"class_name": body["class_name"], "definition": {k: body[k] for k in _WORDS if k in body} or ""}
    else:
        document = {key: body[key] for key in _DOCUMENT if key in body and key != "version"} | {"id": name}
        columns |= {"class_name": CONDITIONS, "definition": document}
        faults += _document_faults(document)
        if not document.get("signals"):
            faults.append(("$.signals", "is missing: a strategy needs a signal, or a class_name"))
    if not isinstance(columns["class_name"], str):
        faults.append(("$.class_name", f"expected a name, found {columns['class_name']!r}"))
    refuse(faults)
    return name, columns


def is_source(columns: Mapping[str, Any]) -> bool:
    """Return whether columns are those of a strategy that is given as Python source."""
    return isinstance(columns["definition"], Mapping) and PYTHON in columns["definition"]


def refuse(faults: Faults) -> None:
    """Raise Problem invalid for the faults, (place, sentence) each, if there are any."""
    if faults:
        told = [{"place": place, "detail": sentence} for place, sentence in dict.fromkeys(faults)]
        raise Problem("invalid", "; ".join(f"{each['place']}: {each['detail']}" for each in told), errors=told)


def check_class(columns: Mapping[str, Any], classes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise Problem invalid if there is no such class, or its parameters cannot be."""
    name = columns["class_name"]
    found = classes.get(name)
    if found is None:
        told = f"there is no class {name!r}{told_nearest(name, classes)}; classes are {', '.join(classes)}"
        raise invalid("$.class_name", told, found=name)
    if found["error"]:
        raise invalid("$.class_name", f"the class {name} cannot be used: {found['error']}", found=name)
    check_parameters(columns, found)


def check_source(columns: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise Problem invalid if a source cannot be used, or its parameters cannot be; `found` tells what it is."""
    if found["error"]:
        raise invalid("$.python", found["error"])
    check_parameters(columns, found)


def check_parameters(columns: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise Problem invalid if parameters are not as a class says, every place of them."""
    faults = faults_of(columns["parameters"], found["parameters"])
    refuse([(f"$.parameters{place.removeprefix('$')}", sentence) for place, sentence in faults])


def strategy_object(row: Row) -> dict[str, Any]:
    """Return a version of a strategy as an object."""
    document = json_of(row["definition"], {})
    words = {"name": row["sym"], "description": "", "tags": [], "enabled": True}
    told = {word: document.get(word, usual) for word, usual in words.items()}
    return {
        "id": row["sym"],
        "version": row["version"],
        **told,
        "class_name": row["class_name"],
        "definition": document if row["class_name"] == CONDITIONS or PYTHON in document else None,
        "parameters": json_of(row["parameters"], {}),
        "sym": json_of(row["symbols"], []),
        **{name: row[name] for name in ("interval", "account", "mode", "wanted", "action", "who", "note")},
        "time": told_time(row["time"]),
        "seq": row["seq"],
    }


def newest_run(seen: Seen, name: str) -> Row | None:
    """Return the newest run of a strategy that follows the plant, None if none ever did."""
    runs = [seen.runs[run] for run in seen.followed if seen.runs[run]["sym"] == name]
    return max(runs, key=lambda row: row["first_seq"], default=None)


def state_of_strategy(row: Row, run: Row | None) -> str:
    """Return how a strategy is: stopped, starting, running, paused, stopping, failed, or as its run ended."""
    if run is None or (run["state"] in ENDED and run["seq"] < row["seq"] and row["wanted"] != STOPPED):
        return "stopped" if row["wanted"] == STOPPED else "starting"
    if run["state"] not in ENDED:
        return "stopping" if row["wanted"] == STOPPED else str(run["state"])
    return "failed" if run["state"] == "failed" else "stopped"


def status_object(row: Row, seen: Seen) -> dict[str, Any]:
    """Return how a strategy is: `bars` and `signals` (orders that it made) of its newest run, `since` it is so."""
    run = newest_run(seen, row["sym"])
    state = state_of_strategy(row, run)
    made = [order for order in seen.orders.values() if run is not None and order["run"] == run["run"]]
    since = max(row["time"], run["time"]) if run is not None and state in ("failed", "stopped") else row["time"]
    return {
        "id": row["sym"],
        "state": state,
        "wanted": row["wanted"],
        "since": told_time(since),
        "mode": row["mode"],
        "run": run and run["run"],
        "bars": run["bars"] if run is not None else 0,
        "signals": len(made),
        "last_error": (run["detail"] or None) if run is not None and run["state"] == "failed" else None,
        "version": row["version"],
    }


def check_action(action: str, row: Row, state: str) -> None:
    """Raise Problem wrong_state if what is asked for makes no sense by now: the start of a running strategy."""
    wanted = row["wanted"]
    ended = state in ("failed", "stopped")
    possible = {
        "start": wanted == STOPPED or ended,
        "stop": wanted != STOPPED,
        "pause": wanted == RUNNING and not ended,
        "resume": wanted == PAUSED and not ended,
    }
    if not possible[action]:
        told = ", ".join(name for name, can in possible.items() if can)
        raise Problem(
            "wrong_state",
            f"{row['sym']} is to be {wanted} and is {state}: it cannot {action} now; it can {told}",
            found=state,
        )


def version_in(header: str | None, newest: int, what: str) -> int:
    """Return the version that a writer saw, by If-Match. Raises Problem version_required or version_conflict."""
    if header is None:
        raise Problem("version_required", f'send If-Match: "{newest}", the version of {what} that you saw')
    text = header.strip().removeprefix("W/").strip('"')
    if text != str(newest):
        raise Problem(
            "version_conflict",
            f"{what} is at version {newest}, you saw {text}; look at it as it is now, and try again",
            expected=newest,
            found=int(text) if text.isdecimal() else text,
        )
    return newest


def _name(body: Mapping[str, Any], name: str | None, faults: Faults) -> str:
    told = body.get("id", name)
    if not isinstance(told, str) or not told or len(told) > _LONGEST_NAME or told != told.strip() or "/" in told:
        faults.append(("$.id", f"expected a name, 1 to {_LONGEST_NAME} characters without a slash, found {told!r}"))
        return ""
    if name is not None and told != name:
        faults.append(("$.id", f"expected {name!r}, which the path says, found {told!r}"))
    if told in (*RESERVED, "status"):
        faults.append(("$.id", f"no strategy may be called {told!r}; give it another name"))
    return told


def _symbols(told: Any, faults: Faults) -> list[str]:
    found = [told] if isinstance(told, str) else told
    if not isinstance(found, list) or not found or not all(isinstance(sym, str) and sym for sym in found):
        faults.append(("$.sym", f"expected a list of symbols, found {told!r}"))
        return []
    return list(dict.fromkeys(found))


def _interval(body: Mapping[str, Any], faults: Faults) -> str:
    try:
        return interval_name(body.get("interval", ""))
    except QueryError as error:
        faults.append(("$.interval", str(error)))
        return ""


def _document_faults(document: Mapping[str, Any]) -> Faults:
    try:
        definition_of(document)
    except ConditionError as error:
        return list(error.faults) or [("$", str(error))]
    return []
