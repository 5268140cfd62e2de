"""What an answer of the plant must equal: the questions of plant.query.questions, answered by a model of plain rows."""

import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from plain_rows import Row

from plant.query import questions
from plant.rows.schema import Schema, Table

OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OHLCV = ["open", "high", "low", "close", "volume", "vwap"]

Answer = tuple[list[str], list[tuple[Any, ...]]]
"""Names of columns, and rows of plain values; times int ns, what is not known None."""

Frame = TypeVar("Frame")


@dataclass(frozen=True)
class Grouped:
    """A SELECT of a table's rows within [start, end), by symbol and, if `bucket_s`, by bars of so many seconds.

    It counts them all and those in which `number` is known, of which it takes the sum, the least and the greatest; and
    takes it of the first and of the last row.
    """

    table: str
    number: str
    start: int
    end: int
    bucket_s: int = 0

    @property
    def text(self) -> str:
        """The question in DuckDB's SQL."""
        bucket = f"time_bucket(interval '{self.bucket_s} seconds', t.time)" if self.bucket_s else "0"
        first, last = (str(np.datetime64(ns, "ns")).replace("T", " ") for ns in (self.start, self.end))
        order = f"{self.number} order by t.time, t.seq, t.seq_row"
        return (
            f"select sym, {bucket} bucket, count(*) n, count({self.number}) known, sum({self.number}) total, "
            f"min({self.number}) low, max({self.number}) high, first({order}) open, last({order}) close "
            f"from {self.table} t where t.time >= '{first}' and t.time < '{last}' group by all"
        )


class ModelAnswers(ABC, Generic[Frame]):
    """Answers about `rows`, by table, in order of arrival, with seq, seq_row and received."""

    def __init__(self, rows: dict[str, list[Row]], schema: Schema) -> None:
        self.schema = schema
        self.frames = {name: self._frame(schema[name], found) for name, found in rows.items()}

    def answer(self, question: questions.Question) -> Answer:
        """Return what the plant must answer."""
        match question:
            case questions.Select():
                return self._plain(self._select(question))
            case questions.Last():
                return self._plain(self._last(question))
            case questions.Count():
                return ["count"], [(len(self._met(question.table, question)),)]
            case questions.Resample():
                return self._plain(self._resample(question))
            case questions.Asof():
                return self._plain(self._asof(question))
            case questions.Window():
                return self._plain(self._window(question))
        raise NotImplementedError(question)

    @abstractmethod
    def grouped(self, asked: Grouped) -> Answer:
        """Return what the plant must answer to its SQL, in order of symbol and bucket."""

    def _names(self, question: Any) -> list[str]:
        return list(self.schema[question.table].names if question.columns is None else question.columns)

    @staticmethod
    @abstractmethod
    def _frame(table: Table, rows: list[Row]) -> Frame:
        """Return the rows in force in order of time, then arrival; of a key the newest is."""

    @staticmethod
    @abstractmethod
    def _plain(frame: Frame) -> Answer: ...

    @abstractmethod
    def _met(self, table: str, question: Any) -> Frame:
        """Return the rows in force that a question's terms leave, in order of time, then arrival."""

    @abstractmethod
    def _select(self, question: questions.Select) -> Frame: ...

    @abstractmethod
    def _last(self, question: questions.Last) -> Frame: ...

    @abstractmethod
    def _resample(self, question: questions.Resample) -> Frame: ...

    @abstractmethod
    def _asof(self, question: questions.Asof) -> Frame: ...

    @abstractmethod
    def _window(self, question: questions.Window) -> Frame: ...
