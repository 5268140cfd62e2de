"""What a user asks: a connection to a process that answers questions about its tables."""

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from plant.client.arguments import Moment, Syms, conditions_of, names_of
from plant.client.asker import Asker
from plant.client.table_view import TableView, Watchable, overview_html, overview_text
from plant.client.unknown_symbols import has_all
from plant.errors import PlantError, QueryError, UnknownTable
from plant.query import questions
from plant.query.frames import check_frames
from plant.transport.request import Requester

if TYPE_CHECKING:
    import pyarrow as pa

    from plant.client.watch import Watch
    from plant.rows.schema import Schema


class Connection(Watchable):
    """Ask a process of the plant about its tables.

    who, address    e.g. "rdb", "tcp://127.0.0.1:5006"
    frames          what answers are: "pandas", "pandas-arrow", "arrow", "polars" or "numpy" (plant.query.frames)
    zone            zone of times that are given without one
    timeout_s       after which a question raises Unavailable; the process stops working on it then
    client          who asks, for the table `queries`; default: script/pid@host
    warn_unknown    whether to warn (UnknownSymbolWarning) of a symbol that is asked for and that no row has

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
        warn_unknown: bool = True,
    ) -> None:
        super().__init__(frames, zone, warn_unknown)
        self.address = address
        self._who = who
        self._requester = Requester(address, who, timeout_s, client)
        self._names: list[str] = []

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
    ) -> "Watch":
        """Return a live iterator: first a frame of the present rows, then frames of what comes, row by row or together.

        sym, where, columns   as in select; columns: also `seq`, `seq_row` and `received`
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
        from plant.client.watch import Watch
        from plant.query.view import known_columns
        from plant.stream.narrowing import only
        from plant.stream.subscriber import Subscriber

        syms, start_ns, conditions = names_of(sym), self._ns(start), conditions_of(where, self._zone)
        wanted = frames or self._frames
        check_frames(wanted)
        status = self.status()
        if not {"publish_port", "journal_port"} <= status.keys():
            raise QueryError(f"watch: {self.address} does not say where its tickerplant is; watch the rdb")
        host = self.address.rpartition(":")[0]
        publish, journal = f"{host}:{status['publish_port']}", f"{host}:{status['journal_port']}"
        schema = _schema(journal)
        declared = schema[table]
        shown = known_columns(declared, names_of(columns, "columns"))
        present = self.select(
            table,
            syms,
            start_ns,
            None,
            tuple(dict.fromkeys((*shown, "seq"))),
            where=list(conditions),
            last=last,
            frames="arrow",
        )
        subscriber = Subscriber(
            schema, [table], publish, journal, cursor=status["seq"], keep=only(syms, start_ns), name=f"watch {table}"
        )
        return Watch(declared, subscriber, present, shown, conditions, interval_s, conflate, wanted)

    def answer_to(self, question: questions.Question, timeout_s: float | None = None) -> "pa.Table":
        """Return the answer to a question of plant.query.questions as an Arrow table; all questions come here.

        >>> db.answer_to(questions.Count("trades", ("AAPL",))).to_pylist()
        [{'count': 4}]
        """
        from plant.query.streams import from_ipc  # Arrow is imported with the first question, not by who connects

        fields = question.to_wire()
        questions.question_of(fields)
        return from_ipc(self._requester.table(fields, timeout_s))

    def __reduce__(self) -> Any:
        """Pickled, it is a connection of the same kind to the same address."""
        return _remade, (self._who, self.address, self._options())

    def _options(self) -> dict[str, Any]:
        kept = {"frames": self._frames, "zone": self._zone, "warn_unknown": self._warn_unknown}
        return {**kept, "timeout_s": self._requester.timeout_s}

    def as_of(self, seq: int) -> "AsOf":
        """Return the same questions about history as it was known at a seq: later rows and corrections left out.

        Only history answers so: hdb.connect() and plant.connect(), for a seq that history holds already. It is exact
        for the end of any day (`db.days` has their seqs); of what was revised within a day before that day was closed,
        only the last revision is kept.

        >>> db.as_of(5).seq
        5
        """
        return AsOf(self, seq, self._frames, self._zone, self._warn_unknown)

    def status(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Return what the process says of itself: name, pid, seq, rows, memory, ...

        >>> db.status()["name"], db.status()["state"]
        ('rdb', 'ok')
        """
        return self._requester.status(timeout_s)

    def close(self) -> None:
        """Disconnect; questions under way in other threads end with Cancelled. The next question connects again.

        >>> with rdb.connect() as other:  # closes at the end
        ...     other.count("trades")
        8
        """
        self._requester.close()

    def __enter__(self) -> Self:
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
        return overview_text(self._title(), self._overview())

    def _repr_html_(self) -> str:
        return overview_html(self._who, self.address, self._overview())

    def _looked_into(self) -> str | None:
        return f"in the {self._who}" if has_all(self._requester.status, self.address.rpartition(":")[0]) else None

    def _title(self) -> str:
        return f"{self._who} at {self.address}"

    def _overview(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask(questions.Tables(), "arrow", None).to_pylist()
        self._names = [row["table"] for row in rows]
        return rows

    def _known(self, name: str = "") -> list[str]:
        """Return the names of the tables; asks if none are known, or not this one."""
        if not self._names or (name and name not in self._names):
            self._overview()
        return self._names


def _remade(who: str, address: str, options: dict[str, Any]) -> Connection:
    return Connection(who, address, **options)


class AsOf(Asker):
    """The questions of a connection, about history as of a seq; `Connection.as_of` makes it."""

    def __init__(
        self, connection: Connection, seq: int, frames: str, zone: dt.tzinfo, warn_unknown: bool = True
    ) -> None:
        super().__init__(frames, zone, warn_unknown)
        self.seq = seq
        self._connection = connection

    def answer_to(self, question: questions.Question, timeout_s: float | None = None) -> "pa.Table":
        """Return the answer to a question of plant.query.questions as an Arrow table; all questions come here."""
        return self._connection.answer_to(replace(question, as_of=self.seq), timeout_s)  # type: ignore[call-arg]

    def _looked_into(self) -> str:
        return f"as of seq {self.seq:,}"

    def __repr__(self) -> str:
        return f"<{self._connection.address} as of seq {self.seq:,}>"


def _schema(journal: str) -> "Schema":
    """Return the tables of the plant whose journal is at this address, also a user's own."""
    from plant.rows.schema import Schema
    from plant.wire import messages

    requester = Requester(journal, "tickerplant")
    try:
        (declarations,) = requester.ask(**messages.ask_schema())
    finally:
        requester.close()
    return Schema(messages.declarations_of(declarations))
