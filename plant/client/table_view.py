"""How a connection shows its tables, and one table of it as an object."""

from abc import abstractmethod
from html import escape
from typing import TYPE_CHECKING, Any

from plant.client.arguments import Syms, names_of
from plant.client.asker import Asker
from plant.errors import PlantError, UnknownSymbol
from plant.query import questions

if TYPE_CHECKING:
    import pyarrow as pa

_TITLES = ("table", "rows", "first", "last")


class Watchable(Asker):
    """Who answers questions about its tables, and gives frames of what comes."""

    @abstractmethod
    def watch(self, table: str, *args: Any, **terms: Any) -> Any:
        """Return a live iterator over a table."""


class TableView:
    """One table of a connection: `db.bars.tail(5)`, `db.bars["AAPL"]`, `db.bars.select(sym="AAPL")`, `len(db.bars)`.

    >>> db.trades
    trades: 8 rows; columns time, sym, price, size, source, trade_id, conditions, tape, exchange, venue_seq
    >>> len(db.trades)
    8
    """

    def __init__(self, connection: Watchable, name: str) -> None:
        self._connection = connection
        self.name = name

    def tail(self, n: int = 5, sym: Syms = None, frames: str | None = None) -> Any:
        """Return the newest n rows.

        >>> db.trades.tail(2, "AAPL")["price"].tolist()
        [190.5, 190.75]
        """
        return self._connection.select(self.name, sym, last=n, frames=frames)

    def head(self, n: int = 5, sym: Syms = None, frames: str | None = None) -> Any:
        """Return the earliest n rows.

        >>> db.trades.head(2, "AAPL")["price"].tolist()
        [190.0, 190.25]
        """
        return self._connection.select(self.name, sym, first=n, frames=frames)

    def select(self, *args: Any, **terms: Any) -> Any:
        """Return rows; the terms are those of Connection.select.

        >>> db.trades.select(sym="MSFT", last=1, frames="numpy")["price"].tolist()
        [410.25]
        """
        return self._connection.select(self.name, *args, **terms)

    def last(self, *args: Any, **terms: Any) -> Any:
        """Return the newest row of each symbol; the terms are those of Connection.last.

        >>> db.trades.last(columns="price")["price"].tolist()
        [190.75, 410.25]
        """
        return self._connection.last(self.name, *args, **terms)

    def count(self, *args: Any, **terms: Any) -> int:
        """Return the number of rows; the terms are those of Connection.count.

        >>> db.trades.count("AAPL")
        4
        """
        return self._connection.count(self.name, *args, **terms)

    def resample(self, interval: str, *args: Any, **terms: Any) -> Any:
        """Return bars of `interval`; the terms are those of Connection.resample.

        >>> db.trades.resample("1h")["volume"].tolist()
        [350.0, 650.0]
        """
        return self._connection.resample(self.name, interval, *args, **terms)

    def watch(self, *args: Any, **terms: Any) -> Any:
        """Return a live iterator; the terms are those of Connection.watch.

        >>> with db.trades.watch(last=1) as frames:
        ...     next(frames)["price"].tolist()
        [190.75]
        """
        return self._connection.watch(self.name, *args, **terms)

    @property
    def columns(self) -> list[str]:
        """Names of the columns.

        >>> db.trades.columns
        ['time', 'sym', 'price', 'size', 'source', 'trade_id', 'conditions', 'tape', 'exchange', 'venue_seq']
        """
        answer: pa.Table = self._connection.select(self.name, last=0, frames="arrow")
        return list(answer.column_names)

    @property
    def symbols(self) -> list[str]:
        """Symbols that have rows, sorted.

        >>> db.trades.symbols
        ['AAPL', 'MSFT']
        """
        return self._connection.symbols(self.name)

    def __getitem__(self, sym: str) -> Any:
        """Return the rows of a symbol. Raises UnknownSymbol if it has none (`select` then answers no rows, and warns).

        >>> len(db.trades["AAPL"])
        4
        """
        rows = self._connection.answer_to(questions.Count(self.name, names_of(sym)))
        if not rows.column("count")[0].as_py():
            raise UnknownSymbol.named(sym, self.name, self.symbols)
        return self._connection.select(self.name, sym)

    def _ipython_key_completions_(self) -> list[str]:
        try:
            return self.symbols
        except PlantError:
            return []

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Any:
        raise TypeError(f"{self.name} is not a sequence; use .head(n), .tail(n), .select(...) or .watch()")

    def __repr__(self) -> str:
        return f"{self.name}: {len(self):,} rows; columns {', '.join(self.columns)}"

    def _repr_html_(self) -> str:
        newest = self._connection.select(self.name, last=5, frames="pandas").to_html(index=False)
        return f"<b>{escape(self.name)}</b>: {len(self):,} rows, the newest:{newest}"


def overview_text(title: str, tables: list[dict[str, Any]]) -> str:
    """Return the tables of a process as text, aligned, below a title."""
    rows = [_TITLES, *map(_shown, tables)]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"  {table:<{widths[0]}}  {count:>{widths[1]}}  {first:<{widths[2]}}  {last}".rstrip()
        for table, count, first, last in rows
    ]
    return "\n".join([title, *lines])


def overview_html(who: str, address: str, tables: list[dict[str, Any]]) -> str:
    """Return the tables of a process as an HTML table below its name and address."""
    head = "".join(f"<th>{title}</th>" for title in _TITLES)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _shown(row))}</tr>" for row in tables)
    return (
        f"<b>{escape(who)}</b> at {escape(address)}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _shown(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["table"], f"{row['rows']:,}", _moment(row["first"]), _moment(row["last"])


def _moment(moment: Any) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
