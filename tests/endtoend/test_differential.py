"""Every question on nasty rows, before and after days are closed, against pandas and Polars: the same answer thrice.

What keeps the rows is what serves: tables in memory, history written, merged and closed by the hdb's own code, and
the seam between them. `make test` asks of 100 markets, `make soak` of 1,000; TICKPLANT_SEED=... repeats a run.
"""

import math
import os
import random
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from chance import SEED, cases
from model_answers import OPERATORS, Answer, Grouped
from nasty_market import (
    DAY,
    HOUR,
    HUGE,
    MINUTE,
    ROWS,
    SCHEMA,
    SECOND,
    START,
    Ask,
    Kept,
    Market,
    market_of,
    smallest,
    time_of,
)
from pandas_answers import PandasAnswers
from polars_answers import PolarsAnswers

from plant.history import merging, partition_file
from plant.query import questions
from plant.query.frames import as_frame
from plant.rows.schema import META_COLUMNS

_SYM = (None, None, None, None, ("AAPL",), ("AAPL",), ("C", "nobody", "AAPL"), ("Bé", "C"), ())
_LIMIT: list[dict[str, int]] = [{}, {}, {"first": 1}, {"first": 4}, {"last": 1}, {"last": 3}, {"last": 0}]
_CONDITIONS: dict[str, dict[str, list[Any]]] = {
    "trades": {"price": [1.0, 2.0], "size": [0.0, 2.5], "trade_id": ["", "a"]},
    "quotes": {"bid": [0.0, 2.5], "ask": [1.0, 7.0], "source": ["", "nan"]},
    "bars": {"close": [1.5, 2.0], "volume": [0.0, 1.0], "interval": ["1s"]},
    "my_orders": {
        "order_id": [0, HUGE],
        "qty": [1, HUGE - 1, HUGE],
        "venue": ["", "a"],
        "remark": ["x", ""],
        "seen": [START, START + DAY + MINUTE],
    },
}
_NUMBERS = {"quotes": ["bid", "ask"], "bars": ["close", "volume"], "my_orders": ["price", "qty"], "trades": ["size"]}
_REACH = [(-MINUTE, 0), (-HOUR, HOUR), (-2 * DAY, -DAY), (0, 0), (SECOND, MINUTE), (-DAY, DAY)]
_SESSIONS: list[dict[str, str]] = [
    {}, {}, {"zone": "America/New_York"}, {"at": "09:30", "zone": "America/New_York"}, {"at": "22:15"}
]  # fmt: skip


class Asking:
    """Makes questions about tables."""

    def __init__(self, chance: random.Random, tables: list[str]) -> None:
        self.chance, self.tables = chance, tables
        self.pick = chance.choice

    def every(self) -> list[questions.Question]:
        """Return some of each kind."""
        kinds = (self.select, self.select, self.last, self.count, self.resample, self.asof, self.window)
        return [kind() for kind in kinds]

    def moment(self) -> int | None:
        """Return a time, mostly none."""
        return self.pick([None, None, None, time_of(self.chance)])

    def terms(self) -> dict[str, Any]:
        """Return terms that most questions have."""
        return {"sym": self.pick(_SYM), "start": self.moment(), "end": self.moment()}

    def where(self, table: str) -> questions.Where:
        """Return conditions, mostly none."""
        found = []
        for name in self.chance.sample(list(_CONDITIONS[table]), self.pick([0, 0, 0, 1, 2])):
            value = self.pick(_CONDITIONS[table][name])
            found.append((name, self.pick(["==", "!="] if isinstance(value, str) else list(OPERATORS)), value))
        return tuple(found)

    def select(self) -> questions.Question:
        """Return a Select."""
        table = self.pick(self.tables)
        every = [*SCHEMA[table].names, *META_COLUMNS]
        columns = self.pick([None, tuple(self.chance.sample(every, 3))])
        return questions.Select(table, **self.terms(), columns=columns, where=self.where(table), **self.pick(_LIMIT))

    def last(self) -> questions.Question:
        """Return a Last."""
        table = self.pick(self.tables)
        return questions.Last(table, self.pick(_SYM), self.moment(), None, self.where(table))

    def count(self) -> questions.Question:
        """Return a Count."""
        table = self.pick(self.tables)
        return questions.Count(table, **self.terms(), where=self.where(table))

    def resample(self) -> questions.Question:
        """Return a Resample."""
        table = self.pick([name for name in self.tables if name in ("trades", "bars")] or ["trades"])
        session = self.pick(_SESSIONS)
        interval = self.pick(["7h", "12h", "1h", "1d", *([] if session else ["1w", "1M"])])
        options = {"where": self.where(table), "empty": self.pick(["skip", "skip", "fill"]), **session}
        return questions.Resample(table, interval, **self.terms(), **options)

    def asof(self) -> questions.Question:
        """Return an Asof."""
        left, right = self.pick(self.tables), self.pick(self.tables)
        options = {"tolerance": self.pick([None, None, 0, MINUTE, DAY]), "strict": self.pick([False, True])}
        return questions.Asof(left, right, **self.terms(), **options)

    def window(self) -> questions.Question:
        """Return a Window."""
        left, right = self.pick(self.tables), self.pick(self.tables)
        number = self.pick(_NUMBERS[right])
        functions = self.chance.sample(["min", "max", "sum", "count", "first", "last"], 3)
        aggregates: list[tuple[str, ...]] = [(f"x_{function}", function, number) for function in functions]
        floats = [name for name in _NUMBERS[right] if SCHEMA[right].column(name).kind == "float"]  # sums of others are
        value, weight = self.pick(floats), self.pick(floats)  # too large for what is left of a difference
        aggregates += [("x_mean", "mean", value), ("x_wavg", "wavg", value, weight), ("x_text", "last", "sym")]
        if right == "my_orders":
            of_times = self.chance.sample(["min", "max", "count", "first", "last"], 2)
            aggregates += [(f"x_seen_{function}", function, "seen") for function in of_times]
        reach = self.pick(_REACH)
        options = {"prevailing": self.pick([True, False])}
        return questions.Window(left, right, *reach, tuple(aggregates), **self.terms(), **options)

    def sql(self) -> Grouped:
        """Return a question in SQL."""
        table, start = self.pick(self.tables), time_of(self.chance)
        number = self.pick(_NUMBERS[table])
        end, bucket_s = start + self.pick([HOUR, 3 * DAY]), self.pick([0, 60, 3600])
        return Grouped(table, number, start - DAY, end, bucket_s)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ranges, row groups and joined parts small, so that few rows meet their edges."""
    monkeypatch.setattr(merging, "RANGE_ROWS", 4)
    monkeypatch.setattr(partition_file, "ROW_GROUP_ROWS", 2)
    monkeypatch.setattr("hdb.writer.store.JOINED", 2)
    monkeypatch.setattr(os, "fsync", lambda number: None)  # a tenth of the time, and no power is cut here


def plain(answer: pa.Table) -> Answer:
    """Return an answer as plain values; times int ns."""
    columns = []
    for column in answer.columns:
        of_time = pa.types.is_timestamp(column.type)
        whole = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()) if of_time else column
        columns.append(whole.to_pylist())
    return answer.column_names, list(zip(*columns, strict=True))


def shown(frame: Any) -> Answer:
    """Return a frame of pandas or Polars as plain values; times int ns."""
    if isinstance(frame, pl.DataFrame):
        return plain(frame.to_arrow())
    columns = []
    for name in frame:
        values = frame[name].astype(object).tolist()
        columns.append([None if pd.isna(v) else v.value if isinstance(v, pd.Timestamp) else v for v in values])
    return list(frame), list(zip(*columns, strict=True))


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float | int):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return type(found) is type(expected) and bool(found == expected)


def same(found: Answer, expected: Answer) -> bool:
    """Return whether two answers are equal; sums of floats may be in another order."""
    names, rows = expected
    return (found[0], len(found[1])) == (names, len(rows)) and all(
        all(map(_equal, one, other)) for one, other in zip(found[1], rows, strict=True)
    )


def check(question: questions.Question, ask: Ask, expected: dict[str, Answer]) -> pa.Table:
    """Return the answer; fail unless it is what each of those expects."""
    answer = ask(questions.question_of(question.to_wire()))
    found = plain(answer)
    for who, wanted in expected.items():
        assert same(found, wanted), f"{question}\n{found}\n{who}: {wanted}"
    return answer


def check_frames_of(answer: pa.Table) -> None:
    """Fail unless every frame that a user may hold has what the answer has."""
    for frames in ("pandas", "pandas-arrow", "polars"):
        frame = as_frame(answer, frames)
        assert same(shown(frame), plain(answer)), f"{answer}\n{frames}: {frame}"


def check_sql(asked: Grouped, ask: Ask, expected: dict[str, Answer]) -> None:
    """Fail unless the answer in SQL is what each of those expects."""
    names, rows = plain(ask(questions.Sql(asked.text)))
    for who, wanted in expected.items():
        assert same((names, sorted(rows, key=lambda row: row[:2])), wanted), f"{asked.text}\n{rows}\n{who}: {wanted}"


def answered(market: Market, asked: list[questions.Question], sql: Grouped, folder: Path) -> None:
    """Fail unless every place in which a plant keeps these rows answers as pandas and Polars do."""
    kept = Kept(market, folder)
    models = {"pandas": PandasAnswers(kept.rows, SCHEMA), "polars": PolarsAnswers(kept.rows, SCHEMA)}
    wanted = [{who: model.answer(question) for who, model in models.items()} for question in asked]
    in_sql = {who: model.grouped(sql) for who, model in models.items()}
    for question, expected in zip(asked, wanted, strict=True):
        assert same(expected["pandas"], expected["polars"]), f"{question}: who is right? {expected}"
    places = [kept.answer] if kept.let_go else [kept.answer, kept.rdb]
    for closed in (False, True):
        for place in places:
            for question, expected in zip(asked, wanted, strict=True):
                answer = check(question, place, expected)
                if place is places[-1]:
                    check_frames_of(answer)
            check_sql(sql, place, in_sql)
        if not closed:
            kept.close()
            places = [kept.answer, kept.hdb]


def fails(market: Market, asked: list[questions.Question], sql: Grouped) -> str:
    """Return what is wrong about a market, "" if nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            answered(market, asked, sql, Path(folder) / "data")
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""


@cases(few=25, soak=1000, timeout_s=3600)
def test_every_question_is_answered_as_pandas_and_polars_do(small: None, numbers: range) -> None:
    print(f"TICKPLANT_SEED={SEED}")
    for number in numbers:
        chance = random.Random(f"{SEED} {number}")
        market = market_of(chance)
        asking = Asking(chance, [step[1] for step in market.steps if step[0] == "publish"] or list(ROWS))
        asked, sql = asking.every(), asking.sql()
        if fails(market, asked, sql):
            for one in [[question] for question in asked]:
                asked = one if fails(market, one, sql) else asked
            market = smallest(market, partial(fails, asked=asked, sql=sql))
            wrong = fails(market, asked, sql)
            pytest.fail(f"case {number} of TICKPLANT_SEED={SEED}; as small as it gets: {market}\n{wrong}")
