"""The order of rows of one time and one batch, before and after their day is closed: that in which they came."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chance import examples
from histories import History
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rows import NOON, SCHEMA, SECOND, Row, bar, trade

from hdb.reader.answering import HistoryAnswerer
from plant.client.gateway import Gateway
from plant.history.partition_file import PartitionFile
from plant.memory.table import MemoryTable
from plant.query import questions
from plant.query.answers import Answerer

law = settings(max_examples=examples(30), deadline=None, derandomize=True, database=None)

DAY = "2026-11-20"
SYMS = ("A", "Bé", "C")
AT, SYM, NUMBER = st.integers(0, 2).map(lambda t: NOON + t * SECOND), st.sampled_from(SYMS), st.integers(1, 99)
TRADES = st.lists(
    st.builds(lambda t, s, n: trade(t, s, float(n), 1.0, str(n)), AT, SYM, NUMBER), min_size=1, max_size=9
)
BARS = st.lists(st.builds(lambda t, s, n: bar(t, s, "1m", float(n)), AT, SYM, NUMBER), min_size=1, max_size=9)
BATCHES = st.lists(TRADES.map(lambda rows: ("trades", rows)) | BARS.map(lambda rows: ("bars", rows)), max_size=8)
SELECTS = st.lists(
    st.builds(
        lambda table, sym, limit, n: questions.Select(table, sym, **({limit: n} if limit else {})),
        st.sampled_from(["trades", "bars"]),
        st.sampled_from([None, None, ("A",), ("A", "C")]),
        st.sampled_from(["", "first", "last"]),
        st.integers(1, 9),
    ),
    min_size=6,
    max_size=6,
)
VALUE = {"trades": "price", "bars": "close"}


@pytest.fixture(scope="module")
def folders() -> Any:
    made = Path(tempfile.mkdtemp())
    yield (made / str(i) for i in range(10**6))
    shutil.rmtree(made)


def asked(answer: Any, question: questions.Select, seq_row: bool) -> list[tuple[Any, ...]]:
    columns = ("time", "sym", "seq", *(["seq_row"] if seq_row else []), VALUE[question.table])
    rows = answer(
        questions.Select(question.table, question.sym, columns=columns, first=question.first, last=question.last)
    )
    rows = rows.set_column(0, "time", rows.column("time").cast("int64"))
    return [tuple(row.values()) for row in rows.to_pylist()]


def expected(history: History, question: questions.Select, seq_row: bool) -> list[tuple[Any, ...]]:
    """Return what a plain list of the rows gives."""
    table, found = SCHEMA[question.table], list[Row]()
    for batch in history.batches:
        if batch.table == table.name:
            found += [{**row, "seq": batch.seq, "seq_row": i} for i, row in enumerate(batch.rows())]
    if table.key:
        found = list({tuple(row[k] for k in table.key): row for row in found}.values())
    found = [row for row in found if question.sym is None or row["sym"] in question.sym]
    found.sort(key=lambda row: (row["time"], row["seq"], row["seq_row"]))
    if question.last is not None:
        found = found[-question.last :]
    names = ("time", "sym", "seq", *(["seq_row"] if seq_row else []), VALUE[table.name])
    return [tuple(row[n] for n in names) for row in found[: question.first]]


def memory(history: History, beyond: int) -> Answerer:
    """Return who answers about the rows as the rdb has them, in small blocks, released up to a seq."""
    tables = {name: MemoryTable(SCHEMA[name], 4, 2) for name in SCHEMA}
    for batch in history.batches:
        tables[batch.table].append(batch)
        tables[batch.table].tidy()
    for made in tables.values():
        made.release(beyond)
    return Answerer(tables)


@law
@given(BATCHES, SELECTS, st.integers(0, 8), st.booleans())
def test_rows_have_one_order_in_memory_in_parts_across_the_seam_and_once_their_day_is_closed(
    folders: Any, batches: list[tuple[str, list[Row]]], selects: list[questions.Select], split: int, seq_row: bool
) -> None:
    history = History(next(folders))
    for i, (table, rows) in enumerate(batches):
        if i == split:
            history.part()
        history.publish(table, rows)
    wanted = [expected(history, question, seq_row) for question in selects]

    def all_of(answer: Any) -> list[Any]:
        return [asked(answer, question, seq_row) for question in selects]

    past, today = HistoryAnswerer(history.folder, SCHEMA), memory(history, 0)
    assert all_of(today.answer) == wanted
    assert all_of(Gateway(lambda q, t: past.answer(q), lambda q, t: today.answer(q), SCHEMA).answer) == wanted
    history.part(DAY)
    assert all_of(past.answer) == wanted
    history.close()
    assert all_of(past.answer) == wanted
    closed = memory(history, len(batches))
    assert all_of(Gateway(lambda q, t: past.answer(q), lambda q, t: closed.answer(q), SCHEMA).answer) == wanted
    history.store.close()


def test_a_day_written_before_there_was_a_seq_row_has_null_there_and_its_rows_in_its_own_order(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.publish(
        "trades", [trade(NOON, sym, price) for sym, price in (("C", 1.0), ("A", 2.0), ("C", 3.0), ("A", 4.0))]
    )
    history.part(DAY)
    (file,) = history.close().files
    rows = pq.read_table(history.folder / file.path).drop_columns("seq_row")
    with PartitionFile(history.folder, file.path, SCHEMA["trades"], DAY, DAY, rows.schema) as old:
        old.write(rows)
        made = old.finish()
        old.place()
    history.store.change(lambda c: {"files": [made]})

    def found() -> list[Row]:
        past = HistoryAnswerer(history.folder, SCHEMA)
        rows: list[Row] = past.answer(questions.Select("trades", columns=("seq_row", "price"))).to_pylist()
        query = "select seq_row, price from trades order by time, seq, seq_row, sym, price"
        assert past.answer(questions.Sql(query)).to_pylist() == rows
        return rows

    before = [{"seq_row": None, "price": price} for price in (2.0, 4.0, 1.0, 3.0)]
    assert found() == before
    history.publish("trades", [trade(NOON, "C", 5.0), trade(NOON, "A", 6.0)])  # late: the day is written anew
    history.part(DAY)
    history.close()
    assert found() == [*before, {"seq_row": 0, "price": 5.0}, {"seq_row": 1, "price": 6.0}]
    history.store.close()
