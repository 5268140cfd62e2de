"""Days that only the archive has are answered about as they were when the history had them, to the last value.

Two histories of the same rows: one whose old days went into the archive, the other one whole.
"""

import random
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from archives import archive
from chance import SEED
from histories import History
from history_files import HOURS
from plain_rows import NOON, SCHEMA, bar, quote, trade

from hdb.reader.answering import HistoryAnswerer
from hdb.writer.housekeeping import Housekeeping
from plant.errors import HistoryError, QueryLimit
from plant.history.warehouse import Warehouse
from plant.query import questions
from plant.query.limits import Budget, Limits

DAY = 24 * HOURS
SYMS = ("A", "B", "C")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[HistoryAnswerer, HistoryAnswerer, History]:
    """Answerers of the history that archives and of the whole one, and the former; late rows came for old days."""
    print(f"seed {SEED}")
    folder, chance = tmp_path_factory.mktemp("archived"), random.Random(SEED)
    histories = [History(folder / "archived"), History(folder / "whole")]
    house = Housekeeping(histories[0].store, 0.0, 1.0, 0.0)
    for day in range(5):
        batches = [("trades", [trade(NOON + day * DAY + chance.randrange(10**12), s, 1.0 + i, trade_id=f"{day}{i}")
                               for i, s in enumerate(SYMS * 3)]),
                   ("quotes", [quote(NOON + day * DAY + chance.randrange(10**12), s) for s in SYMS * 3]),
                   ("bars", [bar(NOON + d * DAY, s, close=10.0 + day) for d in range(max(day - 3, 0), day + 1)
                             for s in SYMS if chance.random() < 0.7])]  # fmt: skip
        for history in histories:
            for table, rows in batches:
                if rows:
                    history.publish(table, rows)
            history.part(f"2026-11-{20 + day}")
            history.close()
        archive(histories[0], folder / "warehouse")
        while house.work(threading.Event()):
            pass
    assert {f.table for f in histories[0].store.catalogue.archived} == {"trades", "quotes", "bars"}
    assert {f.path.split("/")[0] for f in histories[0].store.catalogue.archived} >= {"trades", "bars"}
    far = HistoryAnswerer(histories[0].folder, SCHEMA, warehouse=Warehouse(str(folder / "warehouse")))
    return far, HistoryAnswerer(histories[1].folder, SCHEMA), histories[0]


def rows_of(found: pa.Table) -> list[dict[str, object]]:
    columns = {}
    for name in found.column_names:
        column = found.column(name)
        columns[name] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


LATER = NOON + 2 * DAY + 12345
QUESTIONS = {
    "everything": questions.Select("trades"),
    "a symbol": questions.Select("trades", sym=("B",)),
    "times to the ns": questions.Select("trades", start=NOON + DAY + 1, end=LATER),
    "a condition": questions.Select("trades", where=(("price", ">", 4.0),)),
    "the last ones": questions.Select("trades", last=7),
    "the first ones": questions.Select("quotes", first=5),
    "columns": questions.Select("quotes", columns=("time", "sym", "bid", "received")),
    "revised": questions.Select("bars"),
    "revised, a symbol": questions.Select("bars", sym=("A",)),
    "newest": questions.Last("bars"),
    "count": questions.Count("bars"),
    "tables": questions.Tables(),
    "asof": questions.Asof("trades", "quotes"),
    "bars": questions.Resample("trades", "1h"),
    "sql": questions.Sql(
        "select sym, count(*) as n, max(time) as last, sum(price) as p from trades group by sym order by sym"
    ),
    "sql, revised": questions.Sql("select time, sym, close from bars order by time, sym"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answer_is_what_it_was_when_the_day_was_here(
    both: tuple[HistoryAnswerer, HistoryAnswerer, History], name: str
) -> None:
    far, whole, _ = both
    assert rows_of(far.answer(QUESTIONS[name])) == rows_of(whole.answer(QUESTIONS[name]))


def test_as_of_every_end_of_day_it_is_the_same_too(both: tuple[HistoryAnswerer, HistoryAnswerer, History]) -> None:
    far, whole, history = both
    for seq in (3, 6, 9, 12, history.store.catalogue.closed):
        for table in ("bars", "trades"):
            question = questions.Select(table, as_of=seq)
            assert rows_of(far.answer(question)) == rows_of(whole.answer(question)), (table, seq)


def test_without_reading_the_archive_such_days_are_not_there(
    both: tuple[HistoryAnswerer, HistoryAnswerer, History],
) -> None:
    *_, history = both
    local = HistoryAnswerer(history.folder, SCHEMA)
    kept = sum(f.rows for f in history.store.catalogue.days_of("trades"))
    assert len(rows_of(local.answer(QUESTIONS["everything"]))) == kept < 45


def test_sql_over_more_archived_rows_than_a_question_may_have_is_refused(
    both: tuple[HistoryAnswerer, HistoryAnswerer, History],
) -> None:
    with pytest.raises(QueryLimit):
        both[0].answer(QUESTIONS["sql"], Budget(limits=Limits(30.0, 5, 2**20)))


def test_a_file_that_the_archive_does_not_give_is_an_error_that_says_so(
    both: tuple[HistoryAnswerer, HistoryAnswerer, History], tmp_path: Path
) -> None:
    answerer = HistoryAnswerer(both[2].folder, SCHEMA, warehouse=Warehouse(str(tmp_path)))
    with pytest.raises(HistoryError, match=r"cannot be read: .*; only the archive has this day: see to the store"):
        answerer.answer(QUESTIONS["everything"])
    newest = questions.Select("trades", start=NOON + 4 * DAY)
    assert len(rows_of(answerer.answer(newest))) > 0


def test_a_day_that_was_read_here_is_read_in_the_archive_once_it_went_there(tmp_path: Path) -> None:
    history = History(tmp_path / "data")
    far = HistoryAnswerer(history.folder, SCHEMA, warehouse=Warehouse(str(tmp_path / "warehouse")))
    for day in (0, 3):
        history.publish("trades", [trade(NOON + day * DAY + i, "A", 1.0 + i) for i in range(5)])
        history.part(f"2026-11-{20 + day}")
        history.close()
    before = rows_of(far.answer(QUESTIONS["everything"]))
    archive(history, tmp_path / "warehouse")
    assert Housekeeping(history.store, 0.0, 1.0, 0.0).work(threading.Event())
    assert rows_of(far.answer(QUESTIONS["everything"])) == before


def test_a_revision_of_an_archived_row_counts_in_a_file_of_a_month_with_rows_that_came_before_it(
    tmp_path: Path,
) -> None:
    history, whole = History(tmp_path / "data"), History(tmp_path / "whole")
    every = (history, whole)

    def day(number: int, *rows: dict[str, object]) -> None:
        for each in every:
            for row in rows:
                each.publish("bars", [row])
            each.part(f"2026-11-{20 + number}" if number <= 10 else f"2026-12-{number - 10:02}")
            each.close()

    day(0, bar(NOON + 9 * DAY, close=1.0), bar(NOON, close=2.0))  # the first one came before its day
    day(10, bar(NOON + 10 * DAY, close=3.0))
    archive(history, tmp_path / "warehouse")
    house = Housekeeping(history.store, 0.0, 5.0, 0.0)
    assert house.work(threading.Event())
    day(15, bar(NOON, close=77.0))  # revises what only the archive has
    months = Housekeeping(history.store, 16.0, 0.0, 0.0)
    assert months.work(threading.Event())
    far = HistoryAnswerer(history.folder, SCHEMA, warehouse=Warehouse(str(tmp_path / "warehouse")))
    question = questions.Select("bars")
    assert rows_of(far.answer(question)) == rows_of(HistoryAnswerer(whole.folder, SCHEMA).answer(question))
