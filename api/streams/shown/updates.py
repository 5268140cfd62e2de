"""What came, on its way to subscriptions: rows encoded once, and those of it that each wants."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic_core import to_json

from api.answers.rows import plain_columns
from api.streams.pieces import Piece
from api.streams.shown.channels import CHARTS, RUNS, ZONES, Wanted
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, taken
from plant.state.newest import columns_of_batch


class Update:
    """Rows of one stream that came together.

    columns  by which rows are chosen, of equal length: Symbols, or arrays; `seq` among them, never falling
    shown    the rows as they are told, as an Arrow table
    seq      everything up to it that the stream has is in this, or was before
    """

    def __init__(self, stream: str, columns: Columns, shown: pa.Table, seq: int) -> None:
        self.stream, self.columns, self.shown, self.seq = stream, columns, shown, seq
        self._keys: dict[tuple[str, ...], list[Any]] = {}

    def __len__(self) -> int:
        return len(self.columns["seq"])

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """Each row as a JSON object."""
        return json_rows(self.shown)

    @cached_property
    def seqs(self) -> tuple[int, ...]:
        """The number of each row."""
        return tuple(self.columns["seq"].tolist())

    @cached_property
    def times(self) -> tuple[int, ...]:
        """The time of each row, ns."""
        return tuple(self.columns["time"].tolist())

    def piece(self, wanted: Wanted) -> Piece | None:
        """Return the rows that are wanted, None if none is."""
        chosen = self._chosen(wanted)
        if chosen is not None and not len(chosen):
            return None
        keys = tuple(self._keys_of(wanted.keys)) if wanted.keys else ()
        whole = Piece(self.seq, self.rows, self.seqs, keys, self.times if wanted.by_time else ())
        return whole if chosen is None else whole.chosen(chosen.tolist())

    def _chosen(self, wanted: Wanted) -> np.ndarray | None:
        tests = [*wanted.where, *([("sym", wanted.sym)] if wanted.sym is not None else [])]
        if not tests:
            return None
        good = np.ones(len(self), dtype=bool)
        for name, words in tests:
            good &= _of_words(self.columns[name], words)
        return np.flatnonzero(good)

    def _keys_of(self, names: tuple[str, ...]) -> list[Any]:
        if names not in self._keys:
            self._keys[names] = list(zip(*(self.columns[name].tolist() for name in names), strict=True))
        return self._keys[names]


def update_of(batch: Batch, stream: str = "", syms: Collection[str] | None = None) -> Update | None:
    """Return rows of a table as they came, or as a stream shows them; only of some symbols, None if there are none.

    What nobody wants is not encoded: much comes in one batch when a file is imported.
    """
    columns = columns_of_batch(batch)
    if syms is not None:
        rows = _of_words(columns["sym"], syms)
        if not rows.any():
            return None
        if not rows.all():
            columns, batch = taken(columns, rows), batch.filtered(rows)
    return Update(stream or batch.table, columns, dressed(batch.arrow(), stream), batch.seq)


def _of_words(column: Symbols, words: Collection[str]) -> np.ndarray:
    """Return which rows have one of some words, bool[n]."""
    right = np.array([*(known in words for known in column.names), False])  # the last is that of NULL, -1
    found: np.ndarray = right[column.codes]
    return found


def dressed(shown: pa.Table, stream: str) -> pa.Table:
    """Return rows of a table as a stream shows them: runs with how far they are."""
    if stream != RUNS:
        return shown
    bars, progress = shown.column("bars").to_pylist(), shown.column("progress").to_pylist()
    totals = [_total(n, part) for n, part in zip(bars, progress, strict=True)]
    named = {"run_id": "run", "current_index": "bars", "latest_bar": "market_time", "summary": "detail"}
    for name, column in named.items():
        shown = shown.append_column(name, shown.column(column))
    return shown.append_column("total", pa.array(totals, pa.int64()))


def _total(bars: int | None, progress: float | None) -> int | None:
    """Return of how many bars so many are this part; what anybody writes must not end the service."""
    if bars is None or not progress or not progress > 0:
        return None
    total = bars / progress
    return round(total) if abs(total) < 2**53 else None


def cues_of(batch: Batch) -> Update | None:
    """Return which charts a batch of `bars`, `bar_closes` or `annotations` changes, each once; None: none."""
    columns = columns_of_batch(batch)
    charts = [ZONES] * len(batch) if batch.table == "annotations" else columns["interval"].tolist()
    found: dict[tuple[str, str], int] = {}
    for chart, sym, seq in zip(charts, columns["sym"].tolist(), columns["seq"].tolist(), strict=True):
        found.pop((chart, sym), None)
        found[chart, sym] = seq
    return cues(list(found), list(found.values()), batch.seq)


def cues(found: Sequence[tuple[str, str | None]], seqs: Sequence[int], seq: int) -> Update | None:
    """Return that charts are to be looked at, each of a symbol, or of all (None)."""
    if not found:
        return None
    shown = pa.table({"chart": [chart for chart, _ in found], "sym": pa.array([sym for _, sym in found], pa.string())})
    charts, syms = (Symbols.of([pair[i] or "" for pair in found]) for i in (0, 1))
    columns = {"chart": charts, "sym": syms, "seq": np.array(seqs, np.int64), "time": np.zeros(len(found), np.int64)}
    return Update(CHARTS, columns, shown, seq)


def json_rows(shown: pa.Table) -> tuple[str, ...]:
    """Return each row of an Arrow table as a JSON object; NaN, and what is not known, is null."""
    columns = plain_columns(shown)
    names = tuple(columns)
    return tuple(to_json(dict(zip(names, row, strict=True))).decode() for row in zip(*columns.values(), strict=True))
