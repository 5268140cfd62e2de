"""What a client may subscribe to, and which rows that is: pure.

A channel shows rows of a table, or what is made of several. Where a channel takes a term, it is compared with a column;
a list is any of its words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from plant.errors import nearest_names
from plant.rows.intervals import interval_name
from plant.rows.schema import Schema

DEFAULT_LAST, MOST_LAST = 500, 50_000

MOST_SERIES, MOST_ROWS = 2_000, 250_000
"""Questions that one snapshot is made of at most, and rows that it may have: it is one message in memory."""

SECRET_TABLES = ("api_keys", "audit")
"""Tables for the role admin."""

BARS, CHARTS, RUNS = "bars with closes", "charts", "runs with progress"
"""Streams that show more than rows of one table as they are; every other is called as its table."""

ZONES = "zones"
"""The chart of which annotations are told."""


class Refused(Exception):
    """What a client asked for cannot be given: a code, and a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class Channel:
    """A channel.

    table    whose rows it shows; "": the client names one
    terms    what the client may say besides `sym`, and the column that is compared with it
    ids      columns that tell objects apart: a snapshot has the newest row of each; empty: rows
    stream   what is followed; "": the table
    newest   only the newest row of each symbol counts, by time

    No term is about what changes in the life of an object: it would leave without a word.
    """

    table: str
    terms: Mapping[str, str]
    ids: tuple[str, ...] = ()
    stream: str = ""
    newest: bool = False


_RUN = {"run_id": "run", "run": "run"}
_OWN = {"account": "account", "strategy": "strategy", **_RUN}

CHANNELS = {
    "bars": Channel("bars", {"interval": "interval"}, stream=BARS),
    "trades": Channel("trades", {}),
    "quotes": Channel("quotes", {}),
    "last": Channel("", {"interval": "interval"}, newest=True),
    "indicators": Channel("indicators", {"interval": "interval"}),
    "signals": Channel("signals", {"interval": "interval", "signal": "signal", "side": "side"}),
    "annotations": Channel("annotations", {"interval": "interval", "kind": "kind", "source": "source"}, ("id",)),
    "charts": Channel("bars", {"chart": "chart", "interval": "chart"}, stream=CHARTS),
    "orders": Channel("orders", _OWN, ("order_id",)),
    "fills": Channel("fills", _OWN),
    "positions": Channel("positions", _OWN, ("account", "strategy", "run", "sym")),
    "strategies": Channel("strategies", {}, ("sym",)),
    "runs": Channel("runs", {**_RUN, "mode": "mode"}, ("run",), RUNS),
    "status": Channel("heartbeats", {}, newest=True),
    "table": Channel("", {}),
}
"""Every channel by its name."""

TERMS = ("channel", "sym", "table", "last", "conflate", *sorted({t for c in CHANNELS.values() for t in c.terms}))
"""All that a subscription may say, but how it is resumed."""


@dataclass(frozen=True)
class Wanted:
    """A subscription as the plant knows it; equal for all clients that want the same.

    sym        symbols, None: all
    where      columns, and the words that each may have
    last       rows of a snapshot: of each symbol that is named, else of all together
    conflates  the newest row of each key is enough for a slow client; `keys` are the columns
    by_time    of rows with one key the one with the latest time counts
    """

    channel: str
    table: str
    stream: str
    sym: tuple[str, ...] | None
    where: tuple[tuple[str, tuple[str, ...]], ...]
    last: int
    keys: tuple[str, ...]
    ids: tuple[str, ...] = ()
    by_time: bool = False

    @property
    def conflates(self) -> bool:
        """Whether its rows have keys."""
        return bool(self.keys)

    @property
    def cues(self) -> bool:
        """Whether each of its rows is a message of its own."""
        return self.stream == CHARTS

    @property
    def secret(self) -> bool:
        """Whether it is for the role admin."""
        return self.table in SECRET_TABLES


def wanted_of(given: Mapping[str, Any], schema: Schema) -> Wanted:
    """Return what a client wants. Raises Refused unknown_channel, unknown_table or invalid, with a sentence."""
    name = given.get("channel")
    if not isinstance(name, str) or name not in CHANNELS:
        raise Refused("unknown_channel", _unknown("channel", name, CHANNELS))
    channel = CHANNELS[name]
    allowed = ["channel", "sym", "last", "conflate", *channel.terms, *([] if channel.table else ["table"])]
    for term in given:
        if term not in allowed:
            raise Refused("invalid", f"channel {name}: {_unknown('term', term, allowed)}")
    table = channel.table or given.get("table", "trades" if name == "last" else None)
    if not isinstance(table, str) or table not in schema:
        raise Refused("unknown_table", _unknown("table", table, schema))
    declared = schema[table]
    where: dict[str, tuple[str, ...]] = {}
    for term, column in channel.terms.items():
        if term not in given:
            continue
        if column not in (*declared.names, "chart"):
            raise Refused("invalid", f"channel {name}: table {table} has no column {column}")
        where[column] = _words(term, given[term])
        if term == "interval":
            where[column] = tuple(_interval(word) for word in where[column])
    if channel.newest and any(len(words) > 1 for words in where.values()):
        raise Refused("invalid", f"channel {name}: one interval, since one row of each symbol is shown")
    last = given.get("last", DEFAULT_LAST)
    if type(last) is not int or not 0 <= last <= MOST_LAST:
        raise Refused("invalid", f"last must be a whole number from 0 to {MOST_LAST:,}, found {_short(last)}")
    conflate = given.get("conflate", False)
    if type(conflate) is not bool:
        raise Refused("invalid", f"conflate must be true or false, found {_short(conflate)}")
    newest = channel.newest or (conflate and not declared.key)
    keys = ("chart", "sym") if channel.stream == CHARTS else ("sym",) if newest else declared.key
    sym = _words("sym", given["sym"]) if given.get("sym") is not None else None
    stream = channel.stream or table
    if not channel.ids and stream != CHARTS:
        _check_size(
            name, (1 if sym is None or newest else len(sym)) * prod(map(len, where.values())), 1 if newest else last
        )
    return Wanted(name, table, stream, sym, tuple(where.items()), last, keys, channel.ids, newest)


def _check_size(name: str, series: int, last: int) -> None:
    """Refuse a snapshot of more series, or of more rows, than one may have."""
    if series > MOST_SERIES:
        told = f"{series:,} combinations of symbols and words, at most {MOST_SERIES:,}"
        raise Refused("invalid", f"channel {name}: {told}; subscribe several times, or to all and choose")
    if series * last > MOST_ROWS:
        told = f"up to {last:,} rows of each of {series:,} series at first, at most {MOST_ROWS:,} in all"
        raise Refused("invalid", f"channel {name}: {told}; ask for a smaller last, or subscribe several times")


def _words(term: str, given: Any) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list) or not words or not all(isinstance(w, str) and w for w in words):
        raise Refused("invalid", f"{term} must be a word or a list of words, found {_short(given)}")
    return tuple(sorted(set(words)))


def _interval(word: str) -> str:
    try:
        return interval_name(word)
    except Exception as error:
        raise Refused("invalid", f"interval: {error}") from None


def _unknown(what: str, given: Any, known: Any) -> str:
    near = nearest_names(given, known, 1) if isinstance(given, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"there is no {what} {_short(given)}{hint}; {what}s are {', '.join(known)}"


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:80]}..."
