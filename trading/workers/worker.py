"""A backtest or replay as a process: `python -m trading.workers.worker`, its job the first line of stdin, JSON.

It publishes what the run makes, as source run-<run>, and tells the trader how far it is, a JSON object a line on
stdout: {"progress": 0.3}, at the end {"state", "detail", "bars", ...}, columns of its row of `runs`. It ends with the
trader. A replay goes at its pace, and publishes what it makes with each bar; further lines of stdin are words to it.
"""

import ctypes
import hashlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from plant.client.connect import connect
from plant.client.connection import Connection
from plant.errors import SettingsError
from plant.rows.tables_trading import TRADING_TABLES
from plant.runtime.settings import Settings, load
from plant.state.instruments import Instruments
from plant.state.strategies import PYTHON
from plant.stream.publisher import Publisher
from plant.transport import sockets
from trading.desk.ledger import TableRow
from trading.events import Bar
from trading.live.catalogue import Catalogue
from trading.live.setups import instrument_of
from trading.run import fill_rules
from trading.workers.bounds import bind, sentence_of
from trading.workers.pace import Pace, held

PUBLISH_ROWS = 2_000
TELL_S = 0.5
"""Pause between words on how far it is."""

_OF_A_REPLAY = ("bars_per_s",)

_TERMS = ("start", "end", "fills", "fills_on", "as_seen", "capital", "commission", "calendar", "seed", "warm_up")
"""Arguments of a command `backtest` that `backtest` takes as they are."""

KNOWN = frozenset(
    (
        *_TERMS,
        *_OF_A_REPLAY,
        "strategy",
        "class_name",
        "definition",
        "python",
        "parameters",
        "sym",
        "symbols",
        "interval",
        "account",
    )
)
"""All arguments of the commands `backtest` and `replay`."""


def main() -> None:
    """Run the job on stdin. Exit code 0: its end was told, well or not."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nobody else would tell of its end
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as lines:  # nothing is read ahead
        job = json.loads(lines.readline())
    settings = load(job["config"])
    sockets.use_keys(settings.plant.keys)
    bind(settings.trading)
    try:
        told = run(job, settings)
    except Exception as error:  # the strategy is somebody else's
        told = {"state": "failed", "detail": sentence_of(error, settings.trading)}
    tell(**told)


def tell(**columns: Any) -> None:
    """Tell the trader something of the run."""
    print(json.dumps(columns), flush=True)


def run(job: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Run a backtest, publish its rows, and return what is to be told of its end. Raises what it raises."""
    from trading.backtests.backtest import backtest

    arguments, told_at = job["arguments"], [0.0]

    def progress(part: float) -> None:
        if time.monotonic() - told_at[0] > TELL_S:
            told_at[0] = time.monotonic()
            tell(progress=round(part, 4))

    terms = terms_of(arguments)
    fills_on = terms.get("fills_on", "bars")
    made_of, parameters, symbols, interval = job_of(arguments, settings)
    limits = parameters.pop("limits", {})
    with connect(config=job["config"], frames="arrow", timeout_s=600.0) as db:
        ticks: dict[str, Any] = {table: db for table in ("trades", "quotes") if fills_on == table}
        replay = Replay(job, settings) if job["mode"] == "replay" else None
        if replay is not None:
            terms.pop("warm_up", None)
        result = backtest(
            made_of,
            bars=db,
            sym=symbols,
            interval=interval,
            parameters=parameters,
            limits=limits,
            instruments=instruments_of(db, settings, symbols),
            run=job["run"],
            called=job["strategy"],
            account=arguments.get("account", "backtest"),
            at=job["at"],
            progress=progress,
            after=replay.after if replay is not None else None,
            **ticks,
            **terms,
        )
    if replay is None:
        publish(settings, job["run"], result.rows)
    else:
        replay.finish(result.rows)
    bars = sum(len(window.time) for window in result.bars.values())
    digest = hashlib.sha256()
    for sym, window in result.bars.items():
        digest.update(sym.encode())
        for column in window:
            digest.update(column.tobytes())
    told: dict[str, Any] = {"state": "completed", "detail": result.refused, "bars": bars, "progress": 1.0}
    told |= {"data_sha": digest.hexdigest(), "class_name": made_of.__name__, "interval": interval}
    told |= {"symbols": json.dumps(list(symbols)), "parameters": json.dumps(parameters)}
    return told | {"fills": json.dumps({**asdict(terms["fills"]), "fills_on": fills_on}), "risk": json.dumps(limits)}


class Replay:
    """Hands on what a run makes while it goes at its pace."""

    def __init__(self, job: dict[str, Any], settings: Settings) -> None:
        arguments = job["arguments"]
        at_once = int(arguments.get("warm_up") or 0) - 1  # the first bar waits for nothing
        self._pace = Pace(max(at_once, 0), float(arguments.get("bars_per_s") or 1.0))
        self._feed = Publisher(f"run-{job['run']}", settings.ingest_address, settings.table_schema)
        self._published: dict[str, int] = {}
        self._said = b""
        self._paused = False
        self._bars = 0

    def after(self, event: Any, actions: Any) -> None:
        """Publish what followed from an event, and wait until the next bar is due."""
        for action in actions:
            if isinstance(action, TableRow):
                self._publish(action.table, action.row)
        if isinstance(event, Bar):
            self._bars += 1
            told: dict[str, Any] = {"market_time": event.market_time, "bars": self._bars}
            held(self._pace, time.monotonic, lambda wait_s: self._hear(wait_s, told))

    def finish(self, rows: Any) -> None:
        """Publish what is left, and wait for the acknowledgement."""
        for table, found in rows.items():
            for row in found[self._published.get(table, 0) :]:
                self._publish(table, row)
        self._feed.flush(60.0)
        self._feed.close(10.0)

    def _publish(self, table: str, row: Any) -> None:
        self._published[table] = self._published.get(table, 0) + 1
        self._feed.publish(table, row, strict=True)

    def _hear(self, wait_s: float | None, told: dict[str, Any]) -> list[str]:
        """Return the words that have come within some seconds, None: however long it takes; tell of a pause."""
        if self._pace.paused != self._paused or wait_s is None:
            self._paused = self._pace.paused
            tell(state="paused" if self._paused else "running", **told)
        if not select.select([sys.stdin], [], [], wait_s)[0]:
            return []
        self._said += os.read(sys.stdin.fileno(), 65_536)
        *words, self._said = self._said.split(b"\n")
        return [word.decode() for word in words]


def terms_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments of a command `backtest` that `backtest` takes as they are. Raises SettingsError."""
    terms = {name: arguments[name] for name in _TERMS if arguments.get(name) is not None}
    return terms | {"fills": fill_rules(terms.get("fills", "careful"))}


def job_of(arguments: dict[str, Any], settings: Settings) -> tuple[Any, dict[str, Any], tuple[str, ...], str]:
    """Return class, parameters, symbols and interval of a command `backtest`. Raises SettingsError."""
    if unknown := sorted(arguments.keys() - KNOWN):
        raise SettingsError(f"backtest: unknown argument {unknown[0]!r}; arguments are {', '.join(sorted(KNOWN))}")
    definition = arguments.get("definition") or {}
    if isinstance(definition, str):
        definition = json.loads(definition)
    if arguments.get("python"):
        definition = {PYTHON: arguments["python"]}
    class_name = arguments.get("class_name") or ("Conditions" if definition and PYTHON not in definition else "")
    if not class_name and PYTHON not in definition:
        raise SettingsError("backtest: expected strategy, class_name, definition or python")
    found = Catalogue(settings.strategies_folder).named(class_name, definition)
    parameters = dict(arguments.get("parameters") or {})
    if definition and PYTHON not in definition:
        parameters["definition"] = json.dumps(definition)
    symbols = arguments.get("symbols") or arguments.get("sym") or definition.get("sym") or ()
    symbols = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    interval = arguments.get("interval") or definition.get("interval") or ""
    if not symbols or not interval:
        raise SettingsError(f"backtest: expected sym and interval, found {symbols} and {interval!r}")
    return found.made_of, parameters, symbols, interval


def instruments_of(db: Connection, settings: Settings, symbols: tuple[str, ...]) -> dict[str, Any]:
    """Return what the plant knows of the symbols that it knows, for the engine."""
    from plant.rows.arrow import columns_from_arrow
    from plant.rows.schema import META_COLUMNS

    table, fold = settings.table_schema["instruments"], Instruments()
    names = (*table.names, *META_COLUMNS)
    fold.take(columns_from_arrow(db.select("instruments", columns=names, frames="arrow"), table, names))
    rows = {sym: fold.at(sym, time.time_ns()) for sym in symbols}
    return {sym: instrument_of(sym, row) for sym, row in rows.items() if row is not None}


def publish(settings: Settings, name: str, rows: Any) -> None:
    """Publish the rows of a run, table by table, from behind those that are in the journal already."""
    feed = Publisher(f"run-{name}", settings.ingest_address, settings.table_schema)
    try:
        skip = feed.wait_connected()
        for table, some in _portions(rows):
            if skip >= len(some):
                skip -= len(some)
                continue
            feed.publish(table, list(some[skip:]), strict=True)
            skip = 0
        feed.flush(120.0)
    finally:
        feed.close(10.0)


def _portions(rows: Any) -> Iterator[tuple[str, Any]]:
    for table in (table.name for table in TRADING_TABLES):
        found = rows.get(table, ())
        for first in range(0, len(found), PUBLISH_ROWS):
            yield table, found[first : first + PUBLISH_ROWS]


if __name__ == "__main__":
    main()
