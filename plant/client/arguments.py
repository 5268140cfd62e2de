"""What a user may write for symbols, times, durations and conditions, as the plain values of plant.query.questions."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from plant.errors import BadRows, QueryError
from plant.query import questions
from plant.rows.times import nanoseconds, spoken, unit_like

Syms = str | Iterable[str] | None
"""One name, or several: a list, tuple, set, array, pandas or Polars Series, ...; None: all."""

Moment = Any
"""int ns since 1970 UTC, a datetime or date, a Timestamp, ISO 8601 text, a time of day ("09:30": today), or one
counted from now: "now", "-5m", a timedelta (ago), "today", "yesterday 15:30"."""

Duration = Any
"""int ns, a timedelta, or text ("5s", "2min")."""


def names_of(value: Syms, term: str = "sym") -> tuple[str, ...] | None:
    """Return names as a tuple, None for None. Raises QueryError for anything else than text."""
    if value is None:
        return None
    if isinstance(value, str):
        return (str(value),)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return names_of(value.item(), term)
    if hasattr(value, "to_pylist"):
        value = value.to_pylist()  # Arrow
    wrong = value
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        found = list(value)
        wrong = next((v for v in found if not isinstance(v, str)), None)
        if wrong is None and None not in found:
            return tuple(str(v) for v in found)
    raise QueryError(f"{term} is text, or several texts (list, array, Series, ...); found {wrong!r}")


def moment_of(value: Moment, zone: dt.tzinfo) -> int | None:
    """Return a moment as int ns since 1970 UTC, None for None; without a zone it is in `zone`.

    Raises QueryError, also for an int that looks like another unit than ns.
    """
    if isinstance(value, int | np.integer) and (unit := unit_like(int(value))) not in (None, "ns"):
        raise QueryError(
            f"expected int ns since 1970 UTC, found {value!r}, which looks like {unit}: as ns it is in 1970"
            f'; write pd.Timestamp({value}, unit={unit!r}, tz="UTC")'
        )
    try:
        return None if value is None else nanoseconds(spoken(value, zone), zone)
    except (BadRows, OverflowError) as error:
        raise QueryError(str(error)) from None


def duration_of(value: Duration) -> int | None:
    """Return a duration as int ns, None for None. Raises QueryError."""
    if value is None or isinstance(value, int):
        return value
    import pandas as pd

    try:
        return int(pd.Timedelta(value).as_unit("ns").value)
    except ValueError:
        raise QueryError(f'expected a duration ("5s", a timedelta, ns), found {value!r}') from None


def conditions_of(value: Any, zone: dt.tzinfo) -> questions.Where:
    """Return conditions from {"interval": "1m"}, ("price", ">", 100.0), or several such triples. Raises QueryError.

    A moment is compared as ns since 1970; text is a moment for the columns time and received.
    """
    if value is None:
        return ()
    if isinstance(value, Mapping):
        value = [(name, "==", v) for name, v in value.items()]
    elif isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[0], str):
        value = [value]
    try:
        return tuple((name, operator, _compared(name, v, zone)) for name, operator, v in value)
    except (TypeError, ValueError):
        raise QueryError(f'where is {{"interval": "1m"}} or [("price", ">", 100.0)], found {value!r}') from None


def aggregates_of(value: Any) -> tuple[tuple[str, ...], ...]:
    """Return aggregates from {"top": ("max", "bid")} or [("top", "max", "bid")]. Raises QueryError."""
    if isinstance(value, Mapping):
        value = [(name, *terms) if isinstance(terms, list | tuple) else terms for name, terms in value.items()]
    if isinstance(value, list | tuple) and all(isinstance(one, list | tuple) for one in value):
        return tuple(tuple(one) for one in value)
    raise QueryError(f'aggregates are {{"top": ("max", "bid")}} or [("top", "max", "bid")], found {value!r}')


def _compared(name: Any, value: Any, zone: dt.tzinfo) -> Any:
    of_time = name in ("time", "received") and isinstance(value, str | int | np.integer)
    if of_time or isinstance(value, dt.date | np.datetime64):
        return moment_of(value, zone)
    return value.item() if isinstance(value, np.generic) else value
