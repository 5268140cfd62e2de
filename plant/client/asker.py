"""The questions a user asks, as methods: what is written becomes a question, its answer a frame."""

import datetime as dt
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from plant.client.arguments import (
    Duration,
    Moment,
    Syms,
    aggregates_of,
    conditions_of,
    duration_of,
    moment_of,
    names_of,
)
from plant.client.unknown_symbols import KnownSymbols, warn_user
from plant.errors import PlantError, UnknownSymbolWarning
from plant.query import questions
from plant.query.frames import as_frame, check_frames
from plant.rows.intervals import interval_of

if TYPE_CHECKING:
    import pyarrow as pa


class Asker(ABC):
    """Every question, whoever answers it; a subclass says how in `answer_to`.

    frames     what answers are: one of plant.query.frames.FRAMES
    zone       zone of times that are given without one
    warn_unknown   whether to warn (UnknownSymbolWarning) of a symbol that is asked for and that no row has
    """

    def __init__(self, frames: str, zone: dt.tzinfo, warn_unknown: bool = True) -> None:
        check_frames(frames)
        self._frames = frames
        self._zone = zone
        self._warn_unknown = warn_unknown
        self._symbols = KnownSymbols()

    @abstractmethod
    def answer_to(self, question: questions.Question, timeout_s: float | None = None) -> "pa.Table":
        """Return the answer to a question of plant.query.questions as an Arrow table; all questions come here."""

    def tables(self, frames: str | None = None, *, timeout_s: float | None = None) -> Any:
        """Return one row per table: table, rows, first, last (times).

        >>> db.tables()[["table", "rows"]].head(3)
            table  rows
        0    bars    12
        1  trades     8
        2  quotes     7
        """
        return self._ask(questions.Tables(), frames, timeout_s)

    def select(
        self,
        table: str,
        sym: Syms = None,
        start: Moment = None,
        end: Moment = None,
        columns: Syms = None,
        *,
        where: Any = None,
        first: int | None = None,
        last: int | None = None,
        frames: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Return rows of `table`, in order of time, those of one time in the order they came (`seq`, `seq_row`).

        sym        one symbol or several: text, list, tuple, set, array, Series; None: all
        start, end a time range [start, end): "09:30" (today), "2026-11-20 09:30", a datetime, a Timestamp, ns
        columns    only these; `seq` (of the journal), `seq_row` (the row's place within its seq) and `received` (by the
                   tickerplant) can be asked for too
        where      {"interval": "1m"} or [("price", ">", 100.0), ...]; all must hold
        first, last    only so many rows, the earliest or the newest

        >>> db.select("trades", sym=["AAPL"], start="2026-11-20 14:31", columns=["time", "price"])
                               time   price
        0 2026-11-20 14:31:05+00:00  190.50
        1 2026-11-20 14:36:00+00:00  190.75
        >>> db.select("trades", where=("price", ">", 400), first=1, frames="arrow").column("price").to_pylist()
        [410.0]
        """
        terms = (names_of(sym), self._ns(start), self._ns(end), names_of(columns, "columns"))
        question = questions.Select(table, *terms, conditions_of(where, self._zone), first, last)
        return self._ask(question, frames, timeout_s)

    def last(
        self,
        table: str,
        sym: Syms = None,
        at: Moment = None,
        columns: Syms = None,
        *,
        where: Any = None,
        frames: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Return the newest row of each symbol, or the newest at a time `at`; q: select by sym.

        >>> db.last("trades", columns=["sym", "price"])
            sym   price
        0  AAPL  190.75
        1  MSFT  410.25
        >>> db.last("trades", "AAPL", at="2026-11-20 14:30:30", frames="numpy")["price"]
        array([190.25])
        """
        terms = (names_of(sym), self._ns(at), names_of(columns, "columns"))
        return self._ask(questions.Last(table, *terms, conditions_of(where, self._zone)), frames, timeout_s)

    def count(
        self,
        table: str,
        sym: Syms = None,
        start: Moment = None,
        end: Moment = None,
        *,
        where: Any = None,
        timeout_s: float | None = None,
    ) -> int:
        """Return the number of rows that `select` would return.

        >>> db.count("trades"), db.count("trades", "MSFT")
        (8, 4)
        """
        terms = (names_of(sym), self._ns(start), self._ns(end), conditions_of(where, self._zone))
        answer = self._ask(questions.Count(table, *terms), "arrow", timeout_s)
        return int(answer.column("count")[0].as_py())

    def resample(
        self,
        table: str,
        interval: str | dt.timedelta,
        sym: Syms = None,
        start: Moment = None,
        end: Moment = None,
        *,
        where: Any = None,
        at: str | None = None,
        zone: str | None = None,
        empty: str = "skip",
        frames: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Return bars of `interval` ("5m") made of trades or of finer bars; q calls it xbar.

        at, zone   a session's start, e.g. "09:30", "America/New_York": bars are counted from it every day; else they
                   begin at multiples of the interval since 1970 UTC
        empty      "skip": an interval without rows has no bar; "fill": it has one of the close before it, with volume 0

        >>> db.resample("trades", "5m", "AAPL")[["time", "open", "high", "low", "close", "volume"]]
                               time    open    high     low   close  volume
        0 2026-11-20 14:30:00+00:00  190.00  190.50  190.00  190.50   250.0
        1 2026-11-20 14:35:00+00:00  190.75  190.75  190.75  190.75   100.0
        """
        terms = (names_of(sym), self._ns(start), self._ns(end), conditions_of(where, self._zone), at, zone, empty)
        return self._ask(questions.Resample(table, interval_of(interval), *terms), frames, timeout_s)

    def asof(
        self,
        left: str,
        right: str,
        sym: Syms = None,
        start: Moment = None,
        end: Moment = None,
        *,
        tolerance: Duration = None,
        strict: bool = False,
        frames: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Return each row of `left` with the row of `right` in force at its time; q calls it aj.

        tolerance   how old that row may be, e.g. "5s" or a timedelta; strict: it must be older than the left row

        >>> db.asof("trades", "quotes", "AAPL")[["price", "bid", "ask"]]
            price     bid     ask
        0  190.00  189.75  190.00
        1  190.25  190.00  190.25
        2  190.50  190.25  190.50
        3  190.75  190.50  190.75
        """
        terms = (names_of(sym), self._ns(start), self._ns(end), duration_of(tolerance), strict)
        return self._ask(questions.Asof(left, right, *terms), frames, timeout_s)

    def window(
        self,
        left: str,
        right: str,
        before: Duration,
        after: Duration,
        aggregates: Any,
        sym: Syms = None,
        start: Moment = None,
        end: Moment = None,
        *,
        prevailing: bool = True,
        frames: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Return each row of `left` with aggregates of the rows of `right` around it; q calls it wj.

        before, after   the window [time + before, time + after], e.g. "-60s" and "0s"
        aggregates      {"top": ("max", "bid"), "mid": ("wavg", "bid", "bid_size")}: name of the column, function (min,
                        max, sum, mean, count, first, last, wavg), column of `right` and, for wavg, that of the weights
        prevailing      whether the row in force when the window opens belongs to it; False: q's wj1

        >>> db.window("trades", "quotes", "-60s", "0s", {"top": ("max", "bid")}, "AAPL")[["price", "top"]]
            price     top
        0  190.00  189.75
        1  190.25  190.00
        2  190.50  190.25
        3  190.75  190.50
        """
        reach = (duration_of(before) or 0, duration_of(after) or 0)
        question = questions.Window(
            left, right, *reach, aggregates_of(aggregates), names_of(sym), self._ns(start), self._ns(end), prevailing
        )
        return self._ask(question, frames, timeout_s)

    def sql(self, query_text: str, frames: str | None = None, *, timeout_s: float | None = None) -> Any:
        """Return the answer to a SELECT in DuckDB's dialect over the tables.

        >>> db.sql("select sym, count(*) n, max(price) top from trades group by sym order by sym")
            sym  n     top
        0  AAPL  4  190.75
        1  MSFT  4  410.75
        """
        return self._ask(questions.Sql(query_text), frames, timeout_s)

    def symbols(self, table: str) -> list[str]:
        """Return the symbols that have rows in a table, sorted.

        >>> db.symbols("trades")
        ['AAPL', 'MSFT']
        """
        return sorted(set(self.last(table, columns=["sym"], frames="arrow").column("sym").to_pylist()))

    def _ns(self, moment: Moment) -> int | None:
        return moment_of(moment, self._zone)

    def _ask(self, question: questions.Question, frames: str | None, timeout_s: float | None) -> Any:
        wanted = frames or self._frames
        check_frames(wanted)
        answer = self.answer_to(question, timeout_s)
        if self._warn_unknown:
            self._warn(question, answer, timeout_s)
        return as_frame(answer, wanted)

    def _warn(self, question: questions.Question, answer: "pa.Table", timeout_s: float | None) -> None:
        table, doubtful = self._symbols.doubtful(question, answer)
        if not doubtful:
            return
        try:
            if (where := self._looked_into()) is None:
                return
            known = self._symbols.learn(lambda other: self.answer_to(other, timeout_s), table)
        except PlantError:
            return  # the answer is there; who cannot say more says nothing
        for name in sorted(doubtful - known):
            warn_user(UnknownSymbolWarning.named(name, [table], known, where))

    @abstractmethod
    def _looked_into(self) -> str | None:
        """Return what answers are about, as UnknownSymbolWarning says it; None: it is not complete at the moment."""
