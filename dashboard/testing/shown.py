"""Backtests as a person reads them: runs, metrics beside each other, round trips. Frames in, frames out; pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from dashboard.bars import local_times
from dashboard.freshness import utc_nanoseconds
from plant.state.newest import Row

TESTED = ("backtest", "replay")
"""Modes of runs that the page is about."""

TRIP_COLUMNS = (
    "time", "sym", "run", "number", "side", "entry_at", "entry_price", "entry_tag", "exit_at", "exit_price", "exit_tag",
    "qty", "profit", "profit_pct", "commission", "run_up", "drawdown", "bars", "open", "seq", "seq_row",
)  # fmt: skip
METRIC_COLUMNS = ("time", "sym", "run", "name", "value", "detail", "seq", "seq_row")
EQUITY_COLUMNS = ("time", "sym", "run", "market_time", "equity", "drawdown", "seq", "seq_row")

PERCENT = frozenset(("total_return", "cagr", "volatility", "max_drawdown", "win_rate", "exposure"))
"""Metrics that are ratios, shown as %."""

COUNTS = frozenset(("trades", "longest_losing_row"))
UNKNOWN = "-"


def tested(runs: Iterable[Row]) -> list[Row]:
    """Return the backtests and replays, newest first."""
    return sorted((row for row in runs if row["mode"] in TESTED), key=lambda row: -row["first_seq"])


def runs_table(runs: Sequence[Row], time_zone: str) -> pd.DataFrame:
    """Return a row for each run: when it was given (wall clock), what it is of, its state, how far it is, and why."""
    at = np.array([row["time"] for row in runs], dtype=np.int64)
    return pd.DataFrame(
        {
            "given": local_times(at, time_zone),
            "strategy": [row["sym"] for row in runs],
            "symbols": [", ".join(_list(row["symbols"])) for row in runs],
            "interval": [row["interval"] for row in runs],
            "parameters": [parameters_text(row["parameters"]) for row in runs],
            "state": [row["state"] for row in runs],
            "progress": [_part(row) for row in runs],
            "why": [row["detail"] for row in runs],
            "run": [row["run"] for row in runs],
        }
    )


def parameters_text(text: str) -> str:
    """Return parameters for people.

    >>> parameters_text('{"length": 20, "size": 1.5}')
    'length=20, size=1.5'
    """
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return text
    return ", ".join(f"{name}={value}" for name, value in found.items()) if isinstance(found, dict) else text


def metrics_table(metrics: pd.DataFrame | None, runs: Sequence[str], names: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each metric and a column of text for each run, called `names[run]`; in the order they came.

    `metrics` are rows of that table; of one (run, name) the newest counts.
    """
    if metrics is None or metrics.empty:
        return pd.DataFrame({"metric": pd.Series([], dtype=str)})
    rows = metrics.sort_values(["seq", "seq_row"], kind="stable").drop_duplicates(["run", "name"], keep="last")
    known = {
        (str(run), str(name)): float(value)
        for run, name, value in zip(rows["run"], rows["name"], rows["value"], strict=True)
    }
    order = list(dict.fromkeys(rows["name"].astype(str)))
    table: dict[str, list[str]] = {"metric": [name.replace("_", " ") for name in order]}
    for run in runs:
        table[names[run]] = [metric_text(name, known.get((run, name), math.nan)) for name in order]
    return pd.DataFrame(table)


def metric_text(name: str, value: float) -> str:
    """Return a metric for people; one that is not defined as a dash.

    >>> metric_text("win_rate", 0.5125), metric_text("trades", 12.0), metric_text("sharpe", float("nan"))
    ('51.25 %', '12', '-')
    """
    if math.isnan(value):
        return UNKNOWN
    if name in PERCENT:
        return f"{value * 100:,.2f} %"
    return f"{value:,.0f}" if name in COUNTS else f"{value:,.2f}"


def trips_table(trips: pd.DataFrame | None, time_zone: str) -> pd.DataFrame:
    """Return the round trips of one run, newest first, times as wall clock: the columns of the CSV without its ids."""
    rows = newest_trips(trips)
    if rows.empty:
        return pd.DataFrame()
    table = rows.drop(columns=["time", "run", "seq", "seq_row"])
    for name in ("entry_at", "exit_at"):
        table[name] = local_times(utc_nanoseconds(table[name]), time_zone)
    table["open"] = table["open"].astype(bool)
    return table.iloc[::-1].reset_index(drop=True)


def newest_trips(trips: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of `round_trips` that count, of each number the newest, in their order."""
    if trips is None or trips.empty:
        return pd.DataFrame(columns=list(TRIP_COLUMNS))
    rows = trips.sort_values(["seq", "seq_row"], kind="stable").drop_duplicates(["run", "number"], keep="last")
    return rows.sort_values("number", kind="stable").reset_index(drop=True)


def trips_csv(trips: pd.DataFrame | None) -> bytes:
    """Return the round trips as CSV, oldest first, times ISO 8601 UTC, numbers in full."""
    rows = newest_trips(trips).drop(columns=["time", "seq", "seq_row"])
    for name in ("entry_at", "exit_at"):
        rows[name] = [stamp.isoformat() for stamp in pd.DatetimeIndex(utc_nanoseconds(rows[name]), tz="UTC")]
    return rows.to_csv(index=False).encode()


def marks_of(trips: pd.DataFrame, sym: str) -> pd.DataFrame:
    """Return entries and exits of a symbol as signals of a chart: time_ns, side, signal, detail, state, one row each.

    An exit says what it earned; that of a trip that is still open is left out.
    """
    rows = trips[trips["sym"].astype(str) == sym]
    long = (rows["side"].astype(str) == "long").to_numpy()
    entries = pd.DataFrame(
        {
            "time_ns": utc_nanoseconds(rows["entry_at"]),
            "side": np.where(long, "buy", "sell"),
            "signal": [f"Enter {side}" for side in rows["side"].astype(str)],
            "detail": [
                f"{qty:g} at {price:g}{_tag(tag)}"
                for qty, price, tag in zip(rows["qty"], rows["entry_price"], rows["entry_tag"], strict=True)
            ],
        }
    )
    closed = rows[rows["open"] == 0]
    long = (closed["side"].astype(str) == "long").to_numpy()
    exits = pd.DataFrame(
        {
            "time_ns": utc_nanoseconds(closed["exit_at"]),
            "side": np.where(long, "sell", "buy"),
            "signal": [f"Exit {side}" for side in closed["side"].astype(str)],
            "detail": [
                f"{qty:g} at {price:g}, {profit:+,.2f}{_tag(tag)}"
                for qty, price, profit, tag in zip(
                    closed["qty"], closed["exit_price"], closed["profit"], closed["exit_tag"], strict=True
                )
            ],
        }
    )
    marks = pd.concat([entries, exits]).assign(state="")
    return marks.sort_values("time_ns", kind="stable").reset_index(drop=True)


def trip_line(trip: pd.Series) -> str:
    """Return a round trip in a line: "trip 3: long 10, 98.43 to 98.5, +0.70"."""
    end = "still open" if trip["open"] else f"to {trip['exit_price']:g}"
    return (
        f"trip {int(trip['number']):,}: {trip['side']} {trip['qty']:g}, {trip['entry_price']:g} {end}, "
        f"{trip['profit']:+,.2f}"
    )


def _tag(tag: object) -> str:
    return f" ({tag})" if str(tag) and tag is not None else ""


def _part(row: Row) -> float:
    """Return how far a run is, 0 to 100; NaN where that cannot be said."""
    part = row["progress"]
    return 100.0 * part if part is not None else math.nan


def _list(text: str) -> list[str]:
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    return [str(each) for each in found] if isinstance(found, list) else [str(found)]
