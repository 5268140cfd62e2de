"""What a user holds: a connection to a process that answers questions, a publisher, a subscriber.

import rdb, plant
db = rdb.connect()
db.bars.tail(5)
for batch in plant.subscribe("trades", sym="AAPL", since="09:30"): ...
with plant.publisher("my-feed") as feed: feed.publish("trades", frame)
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import msgpack
import numpy as np
import pyarrow as pa

from plant import query, sockets
from plant.batch import nanoseconds
from plant.errors import BadRows, QueryError, UnknownTable
from plant.publishing import Publisher
from plant.request import Requester
from plant.server import from_ipc
from plant.settings import Settings, load
from plant.subscriber import Subscriber, only

FRAMES = ("pandas", "arrow", "polars", "numpy")

Syms = str | Iterable[str] | None
Moment = Any
"""int ns since 1970 UTC, a datetime, a Timestamp, ISO 8601 text, or a time of day ("09:30": today)."""


class Connection:
    """Ask a process of the plant about its tables.

    who, address    e.g. "rdb", "tcp://127.0.0.1:5006"
    frames          what answers are: "pandas", "arrow", "polars" or "numpy" (a dict of arrays)
    zone            zone of times that are given without one
    timeout_s       after which a question raises Unavailable

    A table is an attribute: `db.bars.tail(5)`. Use from several threads is safe; a lost connection is renewed by the
    next question. Every question raises Unavailable, QueryError, QueryLimit, UnknownTable or UnknownColumn;
    WireError if it is another process that answers.
    """

    def __init__(
        self, who: str, address: str, *, frames: str = "pandas", zone: dt.tzinfo = dt.UTC, timeout_s: float = 10.0
    ) -> None:
        _check_frames(frames)
        self.address = address
        self._who = who
        self._frames = frames
        self._zone = zone
        self._requester = Requester(address, who, timeout_s)
        self._names: list[str] = []

    def tables(self, frames: str | None = None) -> Any:
        """Return one row per table: table, rows, first, last (times)."""
        return self._ask(query.Tables(), frames)

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
    ) -> Any:
        """Return rows of `table`, in order of time.

        sym        one symbol or several; None: all
        start, end a time range [start, end)
        columns    only these; `seq` (of the journal) and `received` (by the tickerplant) can be asked for too
        where      {"interval": "1m"} or [("price", ">", 100.0), ...]; all must hold
        first, last    only so many rows, the earliest or the newest
        """
        return self._ask(
            query.Select(table, _syms(sym), self._ns(start), self._ns(end), _syms(columns), _where(where), first, last),
            frames,
        )

    def last(
        self,
        table: str,
        sym: Syms = None,
        at: Moment = None,
        columns: Syms = None,
        *,
        where: Any = None,
        frames: str | None = None,
    ) -> Any:
        """Return the newest row of each symbol, or the newest at a time `at`."""
        return self._ask(query.Last(table, _syms(sym), self._ns(at), _syms(columns), _where(where)), frames)

    def count(
        self, table: str, sym: Syms = None, start: Moment = None, end: Moment = None, *, where: Any = None
    ) -> int:
        """Return the number of rows that `select` would return."""
        answer = self._ask(query.Count(table, _syms(sym), self._ns(start), self._ns(end), _where(where)), "arrow")
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
        frames: str | None = None,
    ) -> Any:
        """Return bars of `interval` ("5m") made of trades or of finer bars; q calls it xbar."""
        return self._ask(
            query.Resample(table, interval, _syms(sym), self._ns(start), self._ns(end), _where(where)), frames
        )

    def asof(
        self,
        left: str,
        right: str,
        sym: Syms = None,
        start: Moment = None,
        end: Moment = None,
        *,
        tolerance: Any = None,
        strict: bool = False,
        frames: str | None = None,
    ) -> Any:
        """Return each row of `left` with the row of `right` in force at its time; q calls it aj.

        tolerance   how old that row may be, e.g. "5s" or a timedelta; strict: it must be older than the left row
        """
        return self._ask(
            query.Asof(left, right, _syms(sym), self._ns(start), self._ns(end), _duration(tolerance), strict), frames
        )

    def sql(self, query_text: str, frames: str | None = None) -> Any:
        """Return the answer to a SELECT in DuckDB's dialect over the tables."""
        return self._ask(query.Sql(query_text), frames)

    def status(self) -> dict[str, Any]:
        """Return what the process says of itself: name, pid, seq, rows, memory, ..."""
        return dict(msgpack.unpackb(self._requester.ask(ask="status")[0]))

    def close(self) -> None:
        """Disconnect."""
        self._requester.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> "TableView":
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._table_names():
            raise AttributeError(str(UnknownTable.named(name, self._names)))
        return TableView(self, name)

    def __getitem__(self, name: str) -> "TableView":
        if name not in self._table_names():
            raise UnknownTable.named(name, self._names)
        return TableView(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._table_names()]

    def __repr__(self) -> str:
        lines = [f"{self._who} at {self.address}"]
        shown = [(r["table"], f"{r['rows']:,}", _shown(r["first"]), _shown(r["last"])) for r in self._overview()]
        widths = [max(len(row[i]) for row in [("table", "rows", "first", "last"), *shown]) for i in range(4)]
        for table, rows, first, last in [("table", "rows", "first", "last"), *shown]:
            lines.append(f"  {table:<{widths[0]}}  {rows:>{widths[1]}}  {first:<{widths[2]}}  {last}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(r['table'])}</td><td>{r['rows']:,}</td><td>{_shown(r['first'])}</td>"
            f"<td>{_shown(r['last'])}</td></tr>"
            for r in self._overview()
        )
        return (
            f"<b>{escape(self._who)}</b> at {escape(self.address)}<table><thead><tr><th>table</th><th>rows</th>"
            f"<th>first</th><th>last</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def _overview(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask(query.Tables(), "arrow").to_pylist()
        return rows

    def _table_names(self) -> list[str]:
        if not self._names:
            self._names = [r["table"] for r in self._overview()]
        return self._names

    def _ns(self, moment: Moment) -> int | None:
        try:
            return None if moment is None else nanoseconds(moment, self._zone)
        except BadRows as error:
            raise QueryError(str(error)) from None

    def _ask(self, question: query.Question, frames: str | None) -> Any:
        wanted = frames or self._frames
        _check_frames(wanted)
        fields = question.to_wire()
        query.question_of(fields)
        return as_frame(from_ipc(self._requester.ask(**fields)[0]), wanted)


class TableView:
    """One table of a connection: `db.bars.tail(5)`, `db.bars.select(sym="AAPL")`, `len(db.bars)`."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    def tail(self, n: int = 5, sym: Syms = None, frames: str | None = None) -> Any:
        """Return the newest n rows."""
        return self._connection.select(self.name, sym, last=n, frames=frames)

    def head(self, n: int = 5, sym: Syms = None, frames: str | None = None) -> Any:
        """Return the earliest n rows."""
        return self._connection.select(self.name, sym, first=n, frames=frames)

    def select(self, *args: Any, **terms: Any) -> Any:
        """Return rows; the terms are those of Connection.select."""
        return self._connection.select(self.name, *args, **terms)

    def last(self, *args: Any, **terms: Any) -> Any:
        """Return the newest row of each symbol."""
        return self._connection.last(self.name, *args, **terms)

    def count(self, *args: Any, **terms: Any) -> int:
        """Return the number of rows."""
        return self._connection.count(self.name, *args, **terms)

    def resample(self, interval: str, *args: Any, **terms: Any) -> Any:
        """Return bars of `interval`."""
        return self._connection.resample(self.name, interval, *args, **terms)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        answer: pa.Table = self._connection.select(self.name, last=0, frames="arrow")
        return list(answer.column_names)

    def __len__(self) -> int:
        return self.count()

    def __repr__(self) -> str:
        return f"{self.name}: {len(self):,} rows; columns {', '.join(self.columns)}"


def as_frame(table: pa.Table, frames: str) -> Any:
    """Return an Arrow table as "arrow", "pandas", "polars" or "numpy" (dict of arrays; times datetime64[ns] in UTC)."""
    if frames == "arrow":
        return table
    if frames == "polars":
        import polars

        return polars.from_arrow(table)
    if frames == "numpy":
        return {name: _numpy(table.column(name)) for name in table.column_names}
    return table.to_pandas()


def connect(address: str | None = None, *, config: str | None = None, **options: Any) -> Connection:
    """Return a connection to the plant of plant.toml: today's tables (history joins it with the hdb)."""
    return connect_to("rdb", address, config=config, **options)


def connect_to(who: str, address: str | None = None, *, config: str | None = None, **options: Any) -> Connection:
    """Return a connection to a process ("rdb", "processor", "hdb") at an address, or where plant.toml says it is.

    Raises Unavailable at once if it does not answer within `timeout_s` (10 s).
    """
    settings = _plant_of(config)
    address = address or settings.address(getattr(settings, who).port)
    connection = Connection(who, address, **{"zone": settings.zone, **options})
    connection.status()
    return connection


def publisher(
    name: str, address: str | None = None, *, config: str | None = None, timeout_s: float = 10.0
) -> Publisher:
    """Return a publisher called `name`, connected: rows are acknowledged, sent again when in doubt, never doubled.

    `address` is the tickerplant's ingest socket; default: as in plant.toml. Raises Unavailable if it does not answer.
    """
    settings = _plant_of(config)
    made = Publisher(name, address or settings.address(settings.tickerplant.ingest_port), settings.table_schema)
    try:
        made.wait_connected(timeout_s)
    except BaseException:
        made.close(0)
        raise
    return made


def subscribe(
    tables: Syms = None,
    sym: Syms = None,
    since: Moment | None = None,
    *,
    after: int | None = None,
    conflate: bool = False,
    name: str = "",
    config: str | None = None,
) -> Subscriber:
    """Return an iterator of Batch: what the journal holds, then what comes, with no seam; it never ends by itself.

    tables   one name or several; None: all
    sym      only rows of these symbols
    since    None: only what comes from now on; "start": all the journal holds; a time ("09:30", a datetime, ns):
             rows of that time and later
    after    a journal sequence number already known: everything behind it
    conflate only the newest row of each key (of each symbol) of what came since the last batch was taken: for a screen
             that need not see every step
    name     under which `plant status` shows how far the subscriber is behind
    """
    settings = _plant_of(config)
    options = {"conflate": conflate, "name": name}
    return subscriber_of(settings, _syms(tables), _syms(sym), since, after, **options)


def subscriber_of(
    settings: Settings,
    tables: tuple[str, ...] | None,
    sym: tuple[str, ...] | None = None,
    since: Moment | None = "start",
    after: int | None = None,
    **options: Any,
) -> Subscriber:
    """Return `subscribe` for settings already loaded; options are those of Subscriber."""
    since_ns = None if since in (None, "start") else nanoseconds(since, settings.zone)
    ports = settings.tickerplant
    return Subscriber(
        settings.table_schema,
        settings.table_schema if tables is None else tables,
        settings.address(ports.publish_port),
        settings.address(ports.journal_port),
        cursor=after if after is not None else None if since is None else 0,
        keep=only(sym, since_ns),
        **options,
    )


def _plant_of(config: str | None) -> Settings:
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    return settings


def _syms(value: Syms) -> tuple[str, ...] | None:
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


def _where(value: Any) -> query.Where:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return tuple((name, "==", _scalar(v)) for name, v in value.items())
    if isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[0], str):
        value = [value]
    try:
        return tuple((name, operator, _scalar(v)) for name, operator, v in value)
    except (TypeError, ValueError):
        raise QueryError(f'where is {{"interval": "1m"}} or [("price", ">", 100.0)], found {value!r}') from None


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _duration(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    import pandas as pd

    try:
        return int(pd.Timedelta(value).as_unit("ns").value)
    except ValueError:
        raise QueryError(f'expected a duration ("5s", a timedelta, ns), found {value!r}') from None


def _numpy(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        return np.array(column.to_pylist(), dtype=object)
    array: np.ndarray = column.to_numpy()
    return array


def _check_frames(frames: str) -> None:
    if frames not in FRAMES:
        raise QueryError(f"frames must be one of {', '.join(FRAMES)}; found {frames!r}")


def _shown(moment: Any) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
