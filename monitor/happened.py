"""Rows of `signals` and `gaps` as causes: each one event, in the newest of its states."""

from typing import Any

import numpy as np

from monitor.causes import BEGUN, LOST, OVER, WITHDRAWN, Cause, clock, head_of
from plant.errors import QueryError
from plant.rows.batch import Batch
from plant.rows.intervals import interval_ns

_GAP_STATES = {"opened": BEGUN, "healed": OVER, "lost": LOST}


def taken_of(batch: Batch) -> np.ndarray:
    """Return when the plant took each row of a batch, ns UTC, int64[n]."""
    if batch.parts is None:
        return np.full(len(batch), batch.received, dtype=np.int64)
    starts, _, received = batch.parts
    return np.repeat(np.asarray(received, dtype=np.int64), np.diff(starts, append=len(batch)))


class Happened:
    """Causes of one event each, as their rows come; of each thing the newest state, where its first one stood."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, str, str], Cause] = {}

    def take(self, batch: Batch) -> None:
        """Take a batch of `signals` or `gaps`."""
        cause_of = _signal if batch.table == "signals" else _gap
        for row, taken in zip(batch.rows(), taken_of(batch).tolist(), strict=True):
            cause = cause_of(row, taken)
            self._causes[cause.event, cause.sym, cause.head] = cause

    def drained(self) -> list[Cause]:
        """Return what has come since this was called last."""
        found, self._causes = list(self._causes.values()), {}
        return found


def _signal(row: dict[str, Any], taken: int) -> Cause:
    signal, sym, interval, time = row["signal"], row["sym"], row["interval"], row["time"]
    try:
        ended = time + interval_ns(interval)
    except QueryError:  # a publisher's own word
        ended = time
    head = head_of(f"{signal} {sym} {interval}, bar of {clock(time)}")
    text = f"{row['side']} at {row['price']:.10g}: {row['detail']}"
    state = WITHDRAWN if row.get("state") == WITHDRAWN else BEGUN
    return Cause(signal, sym, head, text, state, ended, taken, interval or "-")


def _gap(row: dict[str, Any], taken: int) -> Cause:
    reader, table, first, last = row["sym"], row["table_name"], row["first"], row["last"]
    batches = f"batch {first}" if first == last else f"batches {first} to {last}"
    head = head_of(f"{reader} missed {batches} of {table or 'the plant'}")
    return Cause("gap", reader, head, row["detail"], _GAP_STATES.get(row["state"], BEGUN), taken, taken)
