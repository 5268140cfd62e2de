"""Who is asked: our table in memory, Polars, DuckDB and pandas, each with the same rows in the form that suits it.

Every method answers one question, as the system's own kind of frame; `as_arrow` turns that into Arrow.
"""

from collections.abc import Callable
from typing import Any, Protocol

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

from benchmarks.query.market import HOUR_NS, OPEN_NS, Market
from plant.query import questions
from plant.query.answers import Answerer

MINUTES_NS = 5 * 60 * 10**9
DEAR = 499.5
"""A tenth of a percent of all trades cost more."""


class System(Protocol):
    """One alternative."""

    name: str

    def one_day(self) -> Any: ...
    def one_hour(self) -> Any: ...
    def one_last_100(self) -> Any: ...
    def last(self) -> Any: ...
    def asof(self) -> Any: ...
    def bars_of_one(self) -> Any: ...
    def bars_of_all(self) -> Any: ...
    def vwap(self) -> Any: ...
    def dear(self) -> Any: ...
    def as_arrow(self, answer: Any) -> pa.Table: ...


QUESTIONS: dict[str, tuple[str, float, str]] = {
    "one_day": ("one symbol, all day", 20, "price"),
    "one_hour": ("one symbol, one hour", 20, "price"),
    "last": ("last row of each symbol", 30, "price"),
    "asof": ("as-of join of one symbol", 10, "bid"),
    "bars_of_one": ("5-minute bars of one symbol", 20, "close"),
    "bars_of_all": ("5-minute bars of all symbols", 1, "close"),
    "vwap": ("VWAP of all symbols", 1, "vwap"),
    "dear": ("trades above a price", 1, "price"),
}
"""Method: its name, how many times faster than Polars and DuckDB it shall be, and the column that is compared."""

FROM, TO = OPEN_NS + 2 * HOUR_NS, OPEN_NS + 3 * HOUR_NS


class Ours:
    """The rdb's tables and answers."""

    name = "tickplant"

    def __init__(self, market: Market) -> None:
        self.sym = (market.one,)
        self.tables = {name: market.in_memory(name) for name in ("trades", "quotes")}
        self._ask: Callable[[questions.Question], pa.Table] = Answerer(self.tables).answer

    def one_day(self) -> Any:
        return self._ask(questions.Select("trades", self.sym))

    def one_hour(self) -> Any:
        return self._ask(questions.Select("trades", self.sym, FROM, TO))

    def one_last_100(self) -> Any:
        return self._ask(questions.Select("trades", self.sym, last=100))

    def last(self) -> Any:
        return self._ask(questions.Last("trades"))

    def asof(self) -> Any:
        return self._ask(questions.Asof("trades", "quotes", self.sym))

    def bars_of_one(self) -> Any:
        return self._ask(questions.Resample("trades", "5m", self.sym))

    def bars_of_all(self) -> Any:
        return self._ask(questions.Resample("trades", "5m"))

    def vwap(self) -> Any:
        return self._ask(questions.Resample("trades", "1d"))

    def dear(self) -> Any:
        return self._ask(questions.Select("trades", where=(("price", ">", DEAR),)))

    def as_arrow(self, answer: Any) -> pa.Table:
        return answer


class Polars:
    """Two DataFrames in order of time, symbols categorical, all threads."""

    name = "Polars"

    def __init__(self, market: Market) -> None:
        self.sym = market.one
        self.trades, self.quotes = (
            pl.from_arrow(market.arrow(name)).with_columns(pl.col("time").set_sorted()) for name in ("trades", "quotes")
        )

    def one_day(self) -> Any:
        return self.trades.filter(pl.col("sym") == self.sym)

    def one_hour(self) -> Any:
        time = pl.col("time").to_physical()
        return self.trades.filter((time >= FROM) & (time < TO) & (pl.col("sym") == self.sym))

    def one_last_100(self) -> Any:
        return self.trades.filter(pl.col("sym") == self.sym).tail(100)

    def last(self) -> Any:
        return self.trades.group_by("sym").last()

    def asof(self) -> Any:
        left = self.trades.filter(pl.col("sym") == self.sym)
        right = self.quotes.filter(pl.col("sym") == self.sym).drop("sym", "source")
        return left.join_asof(right, on="time")

    def _bars(self, rows: Any) -> Any:
        price, size = pl.col("price"), pl.col("size")
        return rows.group_by("sym", (pl.col("time").to_physical() // MINUTES_NS).alias("bar")).agg(
            price.first().alias("open"), price.max().alias("high"), price.min().alias("low"),
            price.last().alias("close"), size.sum().alias("volume"),
            ((price * size).sum() / size.sum()).alias("vwap"),
        )  # fmt: skip

    def bars_of_one(self) -> Any:
        return self._bars(self.one_day())

    def bars_of_all(self) -> Any:
        return self._bars(self.trades)

    def vwap(self) -> Any:
        price, size = pl.col("price"), pl.col("size")
        return self.trades.group_by("sym").agg(((price * size).sum() / size.sum()).alias("vwap"))

    def dear(self) -> Any:
        return self.trades.filter(pl.col("price") > DEAR)

    def as_arrow(self, answer: Any) -> pa.Table:
        return answer.to_arrow()


class DuckDb:
    """Two tables of its own, symbols as an ENUM, all threads."""

    name = "DuckDB"

    def __init__(self, market: Market) -> None:
        self.sym = market.one
        self._database = duckdb.connect()
        self._database.execute("set TimeZone = 'UTC'")
        for name in ("trades", "quotes"):
            self._database.register("given", market.arrow(name))
            self._database.execute(
                f"create table {name} as select * replace (epoch_ns(time) as time, sym::varchar as sym) from given"
            )
            self._database.unregister("given")
        self._database.execute(
            "create type symbol as enum (select sym from trades union select sym from quotes order by sym)"
        )
        for name in ("trades", "quotes"):
            self._database.execute(f"alter table {name} alter sym type symbol")

    def _ask(self, sql: str) -> Any:
        return self._database.sql(sql).to_arrow_table()

    def one_day(self) -> Any:
        return self._ask(f"select * from trades where sym = '{self.sym}'")

    def one_hour(self) -> Any:
        return self._ask(f"select * from trades where sym = '{self.sym}' and time >= {FROM} and time < {TO}")

    def one_last_100(self) -> Any:
        return self._ask(f"select * from trades where sym = '{self.sym}' order by time desc limit 100")

    def last(self) -> Any:
        columns = ", ".join(f"arg_max({c}, time) as {c}" for c in ("price", "size", "source", "trade_id"))
        return self._ask(f"select sym, max(time) as time, {columns} from trades group by sym")

    def asof(self) -> Any:
        return self._ask(
            f"select t.*, q.bid, q.ask, q.bid_size, q.ask_size from (from trades where sym = '{self.sym}') t "
            f"asof left join (from quotes where sym = '{self.sym}') q on t.time >= q.time"
        )

    def _bars(self, rows: str) -> Any:
        return self._ask(
            f"select sym, time // {MINUTES_NS} bar, arg_min(price, time) as open, max(price) high, min(price) low, "
            f"arg_max(price, time) as close, sum(size) volume, sum(price * size) / sum(size) vwap "
            f"from {rows} group by all"
        )

    def bars_of_one(self) -> Any:
        return self._bars(f"(from trades where sym = '{self.sym}')")

    def bars_of_all(self) -> Any:
        return self._bars("trades")

    def vwap(self) -> Any:
        return self._ask("select sym, sum(price * size) / sum(size) vwap from trades group by sym")

    def dear(self) -> Any:
        return self._ask(f"select * from trades where price > {DEAR}")

    def as_arrow(self, answer: Any) -> pa.Table:
        return answer


class Pandas:
    """Two DataFrames in order of time, symbols categorical."""

    name = "pandas"

    def __init__(self, market: Market) -> None:
        self.sym = market.one
        self.trades, self.quotes = (market.arrow(name).to_pandas() for name in ("trades", "quotes"))

    def _of_one(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["sym"] == self.sym]

    def one_day(self) -> Any:
        return self._of_one(self.trades)

    def one_hour(self) -> Any:
        first, last = self.trades["time"].searchsorted([pd.Timestamp(t, tz="UTC") for t in (FROM, TO)])
        return self._of_one(self.trades.iloc[first:last])

    def one_last_100(self) -> Any:
        return self._of_one(self.trades).tail(100)

    def last(self) -> Any:
        return self.trades.groupby("sym", observed=True).tail(1)

    def asof(self) -> Any:
        right = self._of_one(self.quotes).drop(columns=["sym", "source"])
        return pd.merge_asof(self._of_one(self.trades), right, on="time")

    def _bars(self, rows: pd.DataFrame) -> Any:
        bar = rows["time"].astype("int64") // MINUTES_NS
        grouped = rows.assign(bar=bar, value=rows["price"] * rows["size"]).groupby(["sym", "bar"], observed=True)
        made = grouped.agg(
            open=("price", "first"), high=("price", "max"), low=("price", "min"), close=("price", "last"),
            volume=("size", "sum"), value=("value", "sum"),
        )  # fmt: skip
        made["vwap"] = made["value"] / made["volume"]
        return made.reset_index()

    def bars_of_one(self) -> Any:
        return self._bars(self.one_day())

    def bars_of_all(self) -> Any:
        return self._bars(self.trades)

    def vwap(self) -> Any:
        value = (self.trades["price"] * self.trades["size"]).groupby(self.trades["sym"], observed=True).sum()
        volume = self.trades.groupby("sym", observed=True)["size"].sum()
        return (value / volume).rename("vwap").reset_index()

    def dear(self) -> Any:
        return self.trades[self.trades["price"] > DEAR]

    def as_arrow(self, answer: Any) -> pa.Table:
        return pa.Table.from_pandas(answer, preserve_index=False)


SYSTEMS: dict[str, Callable[[Market], System]] = {s.name: s for s in (Ours, Polars, DuckDb, Pandas)}
