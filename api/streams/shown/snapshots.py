"""What a subscription begins with: its rows up to a seq, by questions to today and history as one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pyarrow as pa

from api.answers.problems import Problem
from api.streams.pieces import Piece
from api.streams.shown.bars import Bar, Bars, Ended, never
from api.streams.shown.channels import BARS, Wanted
from api.streams.shown.updates import Update, dressed
from plant.query import questions
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns
from plant.rows.schema import Schema, Table
from plant.state.annotations import counting

Ask = Callable[[questions.Question], Awaitable[tuple[pa.Table, int]]]
"""Asks a question, and returns the answer and up to which seq everything is in it."""

AT_ONCE = 16
"""Questions of one snapshot under way."""

_PLACE = ("seq", "seq_row")


class Snapshots:
    """Asks for what subscriptions begin with.

    schema   has the plant's tables
    whole    the history has all days there ever were (plant.state.annotations)
    stored   intervals of which bars come, whether there are any yet or not
    """

    def __init__(
        self, ask: Ask, schema: Schema, ended: Ended = never, whole: bool = True, stored: Sequence[str] = ()
    ) -> None:
        self._ask, self._schema, self._ended = ask, schema, ended
        self._whole, self._stored = whole, stored

    async def read(self, wanted: Wanted) -> tuple[int, Piece]:
        """Return rows and the seq up to which they are complete; those that have keys may be newer."""
        if wanted.cues:
            _, seq = await self._ask(questions.Select("bars", columns=("time",), last=0))
            return seq, Piece(seq, (), ())
        table = self._schema[wanted.table]
        asked = self._questions(wanted, table)
        rows, seq = await self._all(asked)
        bars = Bars(table, self._ended)
        if wanted.stream == BARS:
            await self._check_stored(wanted, rows)
            seq = min(seq, await self._closes(wanted, rows, bars))
        return seq, await asyncio.to_thread(_piece, wanted, table, rows, seq, bars, self._whole)

    async def bars(self, missing: list[Bar]) -> list[pa.Table]:
        """Return the rows of some bars, as far as they are known."""
        spans: dict[str, list[Bar]] = {}
        for bar in missing:
            spans.setdefault(bar.interval, []).append(bar)
        found = []
        for interval, of in spans.items():
            times, syms = [bar.time for bar in of], tuple(sorted({bar.sym for bar in of}))
            where = (("interval", "==", interval),)
            rows, _ = await self._ask(questions.Select("bars", syms, min(times), max(times) + 1, where=where))
            found.append(rows)
        return found

    def _questions(self, wanted: Wanted, table: Table) -> list[questions.Question]:
        """Return what is asked: of each symbol that is named, and each combination of words, its newest rows."""
        columns = (*table.names, *_PLACE)
        if wanted.ids:  # all of it: an object's newest row is what counts
            return [questions.Select(table.name, wanted.sym, columns=columns)]
        names = [name for name, _ in wanted.where]
        wheres = [
            tuple((name, "==", word) for name, word in zip(names, words, strict=True))
            for words in product(*(words for _, words in wanted.where))
        ]
        if wanted.by_time:
            return [questions.Last(table.name, wanted.sym, columns=columns, where=where) for where in wheres]
        syms = [None] if wanted.sym is None else [(sym,) for sym in wanted.sym]
        return [
            questions.Select(table.name, sym, columns=columns, where=where, last=wanted.last)
            for sym in syms
            for where in wheres
        ]

    async def _all(self, asked: list[questions.Question]) -> tuple[pa.Table, int]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(question: questions.Question) -> tuple[pa.Table, int]:
            async with turn:
                return await self._ask(question)

        found = await asyncio.gather(*map(one, asked))
        whole = pa.concat_tables([rows for rows, _ in found]).unify_dictionaries()
        return whole, min(seq for _, seq in found)

    async def _check_stored(self, wanted: Wanted, rows: pa.Table) -> None:
        """Raise Problem for an interval that is made when it is asked for: no stream would ever tell of it.

        That is so if there are bars of other intervals, and none of this one. Of a symbol that is new any may come.
        """
        there = {"1m", *self._stored, *rows.column("interval").unique().to_pylist()}
        for interval in dict(wanted.where).get("interval", ()):
            if interval in there:
                continue
            found, others = [
                (await self._ask(questions.Select("bars", wanted.sym, columns=("time",), where=where, last=1)))[0]
                for where in ((("interval", "==", interval),), ())
            ]
            if others.num_rows and not found.num_rows:
                raise Problem(
                    "invalid",
                    f"interval: there are no bars of {interval}, which a stream could follow, only of others; GET bars "
                    "makes them when it is asked. A stream has what [processor] intervals names, and what a feed sends",
                )

    async def _closes(self, wanted: Wanted, rows: pa.Table, bars: Bars) -> int:
        """Have `bars` know which of some rows are closed; return up to which seq that is so."""
        every = sorted(rows.column("interval").unique().to_pylist())
        asked: list[questions.Question] = [
            questions.Last(
                "bar_closes",
                wanted.sym,
                columns=("time", "sym", "interval", "market_time"),
                where=(("interval", "==", interval),),
            )
            for interval in every
        ]
        if not asked:
            return 2**62
        found, seq = await self._all(asked)
        times = found.column("market_time").cast(pa.int64())
        told = (column.to_pylist() for column in (found.column("sym"), found.column("interval"), times))
        for sym, interval, time in zip(*told, strict=True):
            bars.closed[sym, interval] = time
        return seq


def _piece(wanted: Wanted, table: Table, rows: pa.Table, seq: int, bars: Bars, whole: bool) -> Piece:
    columns = columns_from_arrow(rows, table, (*table.names, *_PLACE))
    chosen = _chosen(wanted, columns, seq, whole)
    rows, columns = rows.take(pa.array(chosen)), {name: column[chosen] for name, column in columns.items()}
    shown = dressed(rows.select(list(table.names)), wanted.stream)
    if wanted.stream == BARS:
        shown = bars.marked(shown)
    update = Update(wanted.stream, columns, shown, seq)
    everything = replace(wanted, sym=None, where=()) if not wanted.ids else wanted
    piece = update.piece(everything) or Piece(seq, (), ())
    return piece.chosen(range(max(len(piece) - wanted.last, 0), len(piece))) if wanted.ids else piece


def _chosen(wanted: Wanted, columns: Columns, seq: int, whole: bool) -> np.ndarray:
    """Return which rows are shown, in order; the newest of each object, and none twice once what comes is added.

    Of two writers that wrote one version only the first one's row counts.
    """
    number, place = np.asarray(columns["seq"]), np.asarray(columns["seq_row"])
    if not wanted.ids:
        order = np.lexsort((place, number, columns["time"]))
        return order if wanted.conflates else order[number[order] <= seq]
    order = np.lexsort((place, number))
    order = order[number[order] <= seq]
    if "version" in columns:
        versions = {"id": columns[wanted.ids[0]][order], "version": columns["version"][order], "place": order}
        versions |= {name: columns[name][order] for name in _PLACE}
        order = counting(versions, whole and wanted.table == "annotations")["place"]
    names = zip(*(columns[name][order].tolist() for name in wanted.ids), strict=True)
    newest = order[sorted({name: i for i, name in enumerate(names)}.values())]
    return newest[np.asarray(columns["action"] != "delete")[newest]] if "action" in columns else newest
