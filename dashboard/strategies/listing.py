"""Strategies as a person reads them: what each is, how its newest run does, and what may be done with it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plant.control.books import Seen
from plant.state.newest import Row
from plant.state.runs import ENDED, FAILED
from plant.state.strategies import PAUSED, RUNNING, STOPPED

ACTIONS: dict[str, tuple[str, str]] = {
    "Start": (RUNNING, "play_arrow"),
    "Pause": (PAUSED, "pause"),
    "Resume": (RUNNING, "play_arrow"),
    "Stop": (STOPPED, "stop"),
}
"""What may be done: what the strategy is to be then, and its sign."""


@dataclass(frozen=True)
class Listed:
    """One strategy. `run` is its newest that follows the plant, None if none ever did; `state` and `why` are of it."""

    row: Row
    run: Row | None
    state: str
    why: str

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.row["sym"])

    @property
    def symbols(self) -> list[str]:
        """What it trades."""
        return symbols_of(self.row)

    @property
    def actions(self) -> list[str]:
        """The names of ACTIONS that make sense by now."""
        wanted = self.row["wanted"]
        if wanted == STOPPED:
            return ["Start"]
        if self.state in ENDED:  # it failed, or was cancelled: another start begins another run
            return ["Start", "Stop"]
        return ["Resume", "Stop"] if wanted == PAUSED else ["Pause", "Stop"]

    @property
    def line(self) -> str:
        """What it is, in a line."""
        symbols = self.symbols
        named = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
        return f"{self.row['class_name']} · {named or 'no symbol'} · {self.row['interval'] or 'no interval'}"


def listed(seen: Seen, account: str) -> list[Listed]:
    """Return the strategies there are, by name; `account` is what one that names none has."""
    newest: dict[str, Row] = {}
    for run in sorted((seen.runs[name] for name in seen.followed), key=lambda row: row["first_seq"]):
        newest[run["sym"]] = run
    found = []
    for name in sorted(seen.strategies):
        row = {**seen.strategies[name]}
        row["account"] = row["account"] or account
        found.append(Listed(row, newest.get(name), *_state(row, newest.get(name))))
    return found


def _state(row: Row, run: Row | None) -> tuple[str, str]:
    """Return how a strategy is, and why."""
    if run is None or (run["state"] in ENDED and run["seq"] < row["seq"] and row["wanted"] != STOPPED):
        return ("stopped", "it was never started") if row["wanted"] == STOPPED else ("starting", "the trader begins it")
    state, why = run["state"], run["detail"]
    if run["state"] not in ENDED and row["wanted"] == STOPPED:
        return "stopping", why
    if state == FAILED:
        return state, why or "it does not say why"
    return state, why


def symbols_of(row: Mapping[str, Any]) -> list[str]:
    """Return the symbols of a row of `strategies` or `runs`, [] where they cannot be read."""
    return [str(each) for each in _json(row["symbols"], [])]


def parameters_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a row of `strategies` or `runs`, {} where they cannot be read."""
    found = _json(row["parameters"], {})
    return found if isinstance(found, dict) else {}


def _json(text: str, nothing: Any) -> Any:
    try:
        return json.loads(text) if text else nothing
    except ValueError:
        return nothing


def counted(rows: list[Listed]) -> str:
    """Return how many strategies there are and how they are, for people.

    >>> counted([])
    'no strategies'
    """
    if not rows:
        return "no strategies"
    states = [each.state for each in rows]
    told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states)))
    return f"{len(rows)} {'strategy' if len(rows) == 1 else 'strategies'}: {told}"
