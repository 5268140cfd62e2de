"""What a backtest is run over: bars, trades and quotes as columns, checked, and as events in their one order."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.calendars.sessions import Sessions
from plant.errors import BadRows, SettingsError
from trading.events import Bar, MarketEvent, Quote, Trade
from trading.strategy import Window

_BLOCK = 4096
"""Rows that are made into events together."""

PRICES: dict[str, tuple[str, ...]] = {
    "bars": ("open", "high", "low", "close"),
    "trades": ("price",),
    "quotes": ("bid", "ask"),
}
"""Columns of each table that are prices."""
_SIZES: dict[str, tuple[str, ...]] = {"bars": ("volume",), "trades": ("size",), "quotes": ("bid_size", "ask_size")}
_MAY_LACK = {"bars": (), "trades": ("size",), "quotes": ("bid", "ask", "bid_size", "ask_size")}
"""What may be NaN: a trade whose size nobody told, a side of a quote without an offer."""

_EVENTS: dict[str, type] = {"bars": Bar, "trades": Trade, "quotes": Quote}

_RANK = {"quotes": 0, "trades": 1, "bars": 2}
"""Which table is first in one instant."""


class Rows(NamedTuple):
    """Rows of one symbol of one table, in order: times int64[n], ns; numbers float64[n].

    time        when it happened, of a bar its start; `available` when it could be known: of a bar its end
    known_at    when it was learned; decided_at of a row of bar_closes its `time`, else 0
    """

    table: str
    sym: str
    interval: str
    time: NDArray[np.int64]
    available: NDArray[np.int64]
    known_at: NDArray[np.int64]
    decided_at: NDArray[np.int64]
    seq: NDArray[np.int64]
    seq_row: NDArray[np.int64]
    numbers: dict[str, NDArray[np.float64]]

    @property
    def window(self) -> Window:
        """The bars as arrays."""
        return Window(self.time, *(self.numbers[name] for name in Window._fields[1:]))

    def since(self, start: int, stop: int) -> "Rows":
        """Return the rows at [start, stop)."""
        cut = {name: getattr(self, name)[start:stop] for name in Rows._fields[3:9]}
        return self._replace(**cut, numbers={name: column[start:stop] for name, column in self.numbers.items()})

    def only(self, kept: NDArray[np.bool_]) -> "Rows":
        """Return the rows that are kept, bool[n]."""
        cut = {name: getattr(self, name)[kept] for name in Rows._fields[3:9]}
        return self._replace(**cut, numbers={name: column[kept] for name, column in self.numbers.items()})

    def events(self, progress: Callable[[int], None] | None = None) -> Iterator[MarketEvent]:
        """Yield the rows as events, in order; `progress` is told how many rows come next."""
        makes = {name: partial(tuple.__new__, kind) for name, kind in _EVENTS.items()}  # _make, without its check
        make, numbers = makes[self.table], list(self.numbers.values())
        for first in range(0, len(self.time), _BLOCK):
            block = slice(first, first + _BLOCK)
            time = self.time[block].tolist()
            ends = self.available[block].tolist() if self.table == "bars" else time
            known = ends if self.known_at is self.available else self.known_at[block].tolist()
            values = [column[block].tolist() for column in numbers]
            columns: list[Any] = [repeat(self.sym), time, known, _listed(self.seq, block), _listed(self.seq_row, block)]
            if self.table == "bars":
                decided = _listed(self.decided_at, block)
                columns += [repeat(self.interval), ends, *values, repeat(None), decided]
            else:
                columns += values
            if progress is not None:
                progress(len(time))
            yield from map(make, zip(*columns, strict=False))


def _listed(column: NDArray[np.int64], block: slice) -> Iterable[int]:
    """Return the rows of a block; of nothing but 0, as where there is no journal, without making a list of it."""
    part = column[block]
    return part.tolist() if part.any() else repeat(0)


def merged(parts: list[Rows], by_seq: bool, progress: Callable[[int], None] | None = None) -> Iterator[MarketEvent]:
    """Return the rows of all parts as events: by (available, table, sym, seq, seq_row), or all by (seq, seq_row)."""
    if len(parts) == 1:
        return parts[0].events(progress)

    def keyed(part: Rows) -> Iterator[tuple[tuple[Any, ...], MarketEvent]]:
        rank, sym = _RANK[part.table], part.sym
        for available, event in zip(_each(part.available), part.events(progress), strict=True):
            place = (event.seq, event.seq_row)
            yield (place if by_seq else (available, rank, sym, *place)), event

    return (event for _, event in heapq.merge(*map(keyed, parts), key=lambda item: item[0]))


def _each(column: NDArray[np.int64]) -> Iterator[int]:
    for first in range(0, len(column), _BLOCK):
        yield from column[first : first + _BLOCK].tolist()


def loaded(table: str, source: Any, sym: Any, interval: str, as_seen: bool) -> dict[str, Any]:
    """Return what a source has as DataFrames by symbol, read once: for many runs over the same. Raises as `rows_of`."""
    return dict(_frames(table, source, sym, interval, as_seen))


def rows_of(
    table: str,
    source: Any,
    sym: str | tuple[str, ...] | None,
    interval: str,
    sessions: Mapping[str, Sessions],
    end: int | None = None,
    as_seen: bool = False,
) -> list[Rows]:
    """Return the rows of a table by symbol, checked.

    `source`: a DataFrame, the path of a CSV, Excel, Parquet or Arrow file, a mapping of symbols to such, or a
    connection of the plant, which needs `sym`. `interval` of bars "": it is not known yet; rows are of any, and end
    when the next could begin. Rows at `end` and later are left out. Raises BadRows for rows that are
    unsorted, doubled or not numbers, SettingsError for a source that cannot be read.
    """
    found: list[Rows] = []
    for name, frame in _frames(table, source, sym, interval, as_seen):
        rows = _checked(table, name, frame, interval or "1s", sessions.get(name), as_seen)
        if end is not None:
            rows = rows.only(rows.time < end)
        found.append(rows)
    return found


def _frames(table: str, source: Any, sym: Any, interval: str, as_seen: bool) -> Iterator[tuple[str, Any]]:
    """Yield each symbol with its rows as a DataFrame whose columns have our names."""
    import pandas as pd

    wanted = (sym,) if isinstance(sym, str) else tuple(sym or ())
    if isinstance(source, Mapping):
        for name, part in source.items():
            yield from _frames(table, part, str(name), interval, as_seen)
        return
    if isinstance(source, str | Path):
        source = _read(Path(source))
    elif hasattr(source, "to_pandas"):  # Arrow, Polars
        source = source.to_pandas()
    elif hasattr(source, "select") and not isinstance(source, pd.DataFrame):
        source = _selected(table, source, wanted, interval, as_seen)
    if not isinstance(source, pd.DataFrame):
        raise SettingsError(
            f"{table}: expected a DataFrame, a path, a mapping of symbols to such, or a connection, found "
            f"{type(source).__name__}"
        )
    frame = source.rename(columns=lambda column: str(column).strip().lower())
    if "time" not in frame and isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.assign(time=frame.index)
    if "interval" in frame and interval and table == "bars":
        frame = frame[frame["interval"].astype(str) == interval]
    if "sym" in frame:
        for name in wanted or dict.fromkeys(frame["sym"].astype(str)):
            part = frame[frame["sym"].astype(str) == name]
            if not len(part):
                raise BadRows(f"{table}: no row has sym {name!r}")
            yield name, part
    elif len(wanted) > 1:
        raise SettingsError(f"{table}: {len(wanted)} symbols are named, but the rows have no column sym")
    else:
        yield (wanted[0] if wanted else "BARS"), frame


def _selected(table: str, connection: Any, wanted: tuple[str, ...], interval: str, as_seen: bool) -> Any:
    if not wanted:
        raise SettingsError(f"{table} of a connection: name the symbols, sym='AAPL'")
    seen = table == "bars" and as_seen
    columns = ["sym", "time", *PRICES[table], *_SIZES[table], "seq", "seq_row", "received"]
    columns += ["market_time"] if seen else []
    where = {"interval": interval} if table == "bars" else None
    if table == "bars" and not interval:
        raise SettingsError('bars of a connection: name the interval, interval="1m"')
    name = "bar_closes" if seen else table
    return connection.select(name, sym=list(wanted), columns=columns, where=where, frames="pandas")


def _read(path: Path) -> Any:
    import pandas as pd

    if not path.is_file():
        raise SettingsError(f"{path}: there is no such file")
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    readers: dict[str, Any] = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "arrow": pd.read_feather,
        "feather": pd.read_feather,
        "xlsx": pd.read_excel,
    }
    if suffix not in readers:
        raise SettingsError(f"{path}: expected a file of {', '.join(readers)}, found {suffix!r}")
    return readers[suffix](path)


def _checked(table: str, sym: str, frame: Any, interval: str, sessions: Sessions | None, as_seen: bool) -> Rows:
    where = f"{table} of {sym}"
    names = (*PRICES[table], *_SIZES[table])
    missing = [name for name in ("time", *names) if name not in frame]
    if missing:
        raise BadRows(
            f"{where}: expected the columns time, {', '.join(names)}; there is no {', '.join(missing)} among "
            f"{', '.join(map(str, frame.columns))}"
        )
    if not len(frame):
        raise BadRows(f"{where}: there are no rows")
    by_seq = as_seen and "seq" in frame
    if by_seq:  # what the journal has in its order, a late trade or bar among it, is not in that of time
        frame = frame.sort_values([name for name in ("seq", "seq_row") if name in frame], kind="stable")
    seen = as_seen and table == "bars" and "market_time" in frame
    told = times_of(frame["time"], where)
    time = times_of(frame["market_time"], where) if seen else told
    numbers = {name: _numbers(frame[name], time, where, name in _MAY_LACK[table]) for name in names}
    if table == "bars" or not by_seq:
        _check_order(table, time, where)
    if table == "bars":
        _check_bars(numbers, time, where)
    count = len(time)
    nothing = np.zeros(count, dtype=np.int64)
    available = ends_of(time, interval, sessions) if table == "bars" else time
    if table == "bars" and (over := np.flatnonzero(available[:-1] > time[1:])).size:
        at = int(over[0])
        raise BadRows(
            f"{where}: the bar of {_shown(time[at + 1])} begins before that of {_shown(time[at])} ends; their interval "
            f"is said to be {interval}"
        )
    seq = _ints(frame, "seq", np.arange(1, count + 1, dtype=np.int64))
    known = times_of(frame["received"], where) if as_seen and "received" in frame else available
    decided = told if seen else nothing
    return Rows(table, sym, interval, time, available, known, decided, seq, _ints(frame, "seq_row", nothing), numbers)


def _check_order(table: str, time: NDArray[np.int64], where: str) -> None:
    step = np.diff(time)
    if (back := np.flatnonzero(step < 0)).size:
        at = int(back[0]) + 1
        raise BadRows(
            f"{where}: the row at {at} is of {_shown(time[at])}, the one before of {_shown(time[at - 1])}; sort by time"
        )
    if table == "bars" and (twice := np.flatnonzero(step == 0)).size:
        at = int(twice[0]) + 1
        raise BadRows(f"{where}: two bars are of {_shown(time[at])} (rows {at - 1} and {at}); keep one")


def _check_bars(numbers: dict[str, NDArray[np.float64]], time: NDArray[np.int64], where: str) -> None:
    high, low = numbers["high"], numbers["low"]
    inside = (high >= np.maximum(numbers["open"], numbers["close"])) & (
        low <= np.minimum(numbers["open"], numbers["close"])
    )
    for good, told in (
        (inside, "its high and low do not hold its open and close"),
        (numbers["volume"] >= 0, "its volume is negative"),
    ):
        if (bad := np.flatnonzero(~good)).size:
            raise BadRows(f"{where}: the bar of {_shown(time[int(bad[0])])} is no bar: {told}")


def _numbers(column: Any, time: NDArray[np.int64], where: str, may_lack: bool) -> NDArray[np.float64]:
    try:
        found = np.array(column, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadRows(f"{where}: {column.name} must be numbers, found {column.dtype}") from None
    if (bad := np.flatnonzero(np.isinf(found) if may_lack else ~np.isfinite(found))).size:
        at = int(bad[0])
        raise BadRows(
            f"{where}: {column.name} of {_shown(time[at])} (row {at}) is {found[at]}; drop the row or fill it"
        )
    return found


def _ints(frame: Any, name: str, otherwise: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array(frame[name], dtype=np.int64) if name in frame else otherwise


def times_of(values: Any, where: str) -> NDArray[np.int64]:
    """Return times as ns since 1970 UTC, int64[n]; without a zone they are UTC. Raises BadRows for what is no time."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        raise BadRows(
            f"{where}: time must be times, found numbers ({values.dtype}); make them times first, as by "
            'pandas.to_datetime(column, unit="s", utc=True)'
        )
    try:
        found = pd.DatetimeIndex(pd.to_datetime(values, utc=True)).as_unit("ns")
    except (TypeError, ValueError) as error:
        raise BadRows(f"{where}: time cannot be read: {error}") from None
    if found.hasnans:
        raise BadRows(f"{where}: row {int(np.flatnonzero(found.isna())[0])} has no time")
    return np.array(found.asi8)


def ends_of(time: NDArray[np.int64], interval: str, sessions: Sessions | None) -> NDArray[np.int64]:
    """Return when bars end: their start + interval, or the end of their session if that is earlier."""
    ends: NDArray[np.int64] = (sessions or Sessions()).ends(time, interval)
    return ends


def _shown(time: Any) -> str:
    return str(np.datetime64(int(time), "ns")).rstrip("0").rstrip(".").replace("T", " ")
