"""What a user asks: a connection to a process that answers questions about its tables."""

import datetime as dt
from typing import Any

import msgpack
import pyarrow as pa

from plant import query
from plant.errors import PlantError, UnknownTable
from plant.frames import as_frame, check_frames, from_ipc
from plant.request import Requester
from plant.table_view import TableView, overview_html, overview_text
from plant.terms import Duration, Moment, Syms, aggregates_of, conditions_of, duration_of, moment_of, names_of
from plant.watching import Watch


class Connection:
    """Ask a process of the plant about its tables.

    who, address    e.g. "rdb", "tcp://127.0.0.1:5006"
    frames          what answers are: "pandas", "pandas-arrow", "arrow", "polars" or "numpy" (plant.frames)
    zone            zone of times that are given without one
    timeout_s       after which a question raises Unavailable; the process stops working on it then
    client          who asks, for the table `queries`; default: script/pid@host

    A table is an attribute: `db.bars.tail(5)`. Use from several threads is safe, and one question does not wait for
    another; a lost connection is renewed by the next question. Every question takes `frames` and `timeout_s` of its
    own, and raises Unavailable, QueryError, QueryLimit, Cancelled (the connection was closed meanwhile), UnknownTable
    or UnknownColumn; WireError if it is another process that answers.

    >>> import rdb
    >>> db = rdb.connect()
    >>> db.trades.tail(2)[["sym", "price", "size"]]
        sym   price   size
    0  MSFT  410.25  200.0
    1  AAPL  190.75  100.0
    """

    def __init__(
        self,
        who: str,
        address: str,
        *,
        frames: str = "pandas",
        zone: dt.tzinfo = dt.UTC,
        timeout_s: float = 10.0,
        client: str = "",
    ) -> None:
        check_frames(frames)
        self.address = address
        self._who = who
        self._frames = frames
        self._zone = zone
        self._requester = Requester(address, who, timeout_s, client)
        self._names: list[str] = []

    def tables(self, frames: str | None = None, *, timeout_s: float | None = None) -> Any:
        """Return one row per table: table, rows, first, last (times).

        >>> db.tables()[["table", "rows"]].head(3)
            table  rows
        0    bars    12
        1  trades     8
        2  quotes     7
        """
        return self._ask(query.Tables(), frames, timeout_s)

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
        """Return rows of `table`, in order of time.

        sym        one symbol or several: text, list, tuple, set, array, Series; None: all
        start, end a time range [start, end): "09:30" (today), "2026-11-20 09:30", a datetime, a Timestamp, ns
        columns    only these; `seq` (of the journal) and `received` (by the tickerplant) can be asked for too
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
        question = query.Select(table, *terms, conditions_of(where, self._zone), first, last)
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
        return self._ask(query.Last(table, *terms, conditions_of(where, self._zone)), frames, timeout_s)

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
        answer = self._ask(query.Count(table, *terms), "arrow", timeout_s)
        return int(answer.column("count")[0].as_py())

    def resample(
        self,
        table: str,
        interval: str,
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
        return self._ask(query.Resample(table, interval, *terms), frames, timeout_s)

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
        return self._ask(query.Asof(left, right, *terms), frames, timeout_s)

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
        question = query.Window(
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
        return self._ask(query.Sql(query_text), frames, timeout_s)

    def watch(
        self,
        table: str,
        sym: Syms = None,
        *,
        start: Moment = None,
        last: int | None = None,
        where: Any = None,
        columns: Syms = None,
        interval_s: float = 0.0,
        conflate: bool = False,
        frames: str | None = None,
    ) -> Watch:
        """Return a live iterator: first a frame of the present rows, then frames of what comes, row by row or together.

        sym, where, columns   as in select; columns: also `seq` and `received`
        start, last           which of the present rows: from a time on, or the newest so many (0: none)
        interval_s            gather at least so long; 0: a frame as soon as anything comes
        conflate              only the newest row of each key (of each symbol) in a frame; else every revision

        No row is missing between the first frame and the second, and none twice. It never ends by itself; leaving the
        loop, or close(), disconnects. Raises as a question does, and Unavailable if there is no tickerplant.

        >>> for frame in db.watch("trades", "AAPL", last=2):
        ...     print(frame["price"].tolist())
        ...     break
        [190.5, 190.75]
        """
        return Watch(
            self,
            table,
            names_of(sym),
            self._ns(start),
            last,
            conditions_of(where, self._zone),
            names_of(columns, "columns"),
            interval_s,
            conflate,
            frames or self._frames,
        )

    def symbols(self, table: str) -> list[str]:
        """Return the symbols that have rows in a table, sorted.

        >>> db.symbols("trades")
        ['AAPL', 'MSFT']
        """
        return sorted(set(self.last(table, columns=["sym"], frames="arrow").column("sym").to_pylist()))

    def answer_to(self, question: query.Question, timeout_s: float | None = None) -> pa.Table:
        """Return the answer to a question of plant.query as an Arrow table; all questions come here.

        >>> db.answer_to(query.Count("trades", ("AAPL",))).to_pylist()
        [{'count': 4}]
        """
        fields = question.to_wire()
        query.question_of(fields)
        return from_ipc(self._requester.table(fields, timeout_s))

    def status(self) -> dict[str, Any]:
        """Return what the process says of itself: name, pid, seq, rows, memory, ...

        >>> db.status()["name"], db.status()["state"]
        ('rdb', 'ok')
        """
        return dict(msgpack.unpackb(self._requester.ask(ask="status")[0]))

    def close(self) -> None:
        """Disconnect; questions under way in other threads end with Cancelled. The next question connects again.

        >>> with rdb.connect() as other:  # closes at the end
        ...     other.count("trades")
        8
        """
        self._requester.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> TableView:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._known(name):
            raise AttributeError(str(UnknownTable.named(name, self._names)))
        return TableView(self, name)

    def __getitem__(self, name: str) -> TableView:
        if name not in self._known(name):
            raise UnknownTable.named(name, self._names)
        return TableView(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._ipython_key_completions_()]

    def _ipython_key_completions_(self) -> list[str]:
        try:
            return self._known()
        except PlantError:
            return self._names  # a process that is away does not hold up the TAB key with an error

    def __repr__(self) -> str:
        return overview_text(f"{self._who} at {self.address}", self._overview())

    def _repr_html_(self) -> str:
        return overview_html(self._who, self.address, self._overview())

    def _overview(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask(query.Tables(), "arrow", None).to_pylist()
        self._names = [row["table"] for row in rows]
        return rows

    def _known(self, name: str = "") -> list[str]:
        """Return the names of the tables; asks if none are known, or not this one."""
        if not self._names or (name and name not in self._names):
            self._overview()
        return self._names

    def _ns(self, moment: Moment) -> int | None:
        return moment_of(moment, self._zone)

    def _ask(self, question: query.Question, frames: str | None, timeout_s: float | None) -> Any:
        wanted = frames or self._frames
        check_frames(wanted)
        return as_frame(self.answer_to(question, timeout_s), wanted)
