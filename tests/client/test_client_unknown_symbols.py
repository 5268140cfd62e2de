"""A symbol that no row ever had: an answer says so in a warning, and one that is merely quiet costs nothing."""

import inspect
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from history_files import journaled, write_history
from plain_rows import NOON, SCHEMA, SECOND, bar, quote, tables_of, trade

from hdb.reader.answering import HistoryAnswerer
from plant.client import unknown_symbols
from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.errors import UnknownSymbolWarning
from plant.serving.server import QueryServer

TABLES = tables_of(
    trades=[[trade(NOON + k * SECOND, sym) for k, sym in enumerate(["AAPL", "APLE", "MSFT", "AAPL"])]],
    quotes=[[quote(NOON, "AAPL")]],
    bars=[[bar(NOON, "AAPL")]],
)
QUESTIONS: dict[str, Callable[..., Any]] = {
    "select": lambda db, sym: db.select("trades", sym),
    "a condition": lambda db, sym: db.select("trades", where={"sym": sym}, columns=["price"]),
    "first": lambda db, sym: db.select("trades", sym, first=3),
    "tail": lambda db, sym: db.trades.tail(3, sym),
    "last": lambda db, sym: db.last("trades", sym),
    "count": lambda db, sym: db.count("trades", sym),
    "resample": lambda db, sym: db.resample("trades", "1m", sym),
    "asof": lambda db, sym: db.asof("trades", "quotes", sym),
    "window": lambda db, sym: db.window("trades", "quotes", "-1s", "0s", {"n": ("count", "bid")}, sym),
    "one of several": lambda db, sym: db.select("trades", ["AAPL", sym]),
    "one of several unseen": lambda db, sym: db.count("trades", ["AAPL", sym]),
}


@pytest.fixture(scope="module")
def status() -> dict[str, Any]:
    return {"name": "rdb", "pid": 7, "seq": 12, "caught_up": True}


@pytest.fixture(scope="module")
def address(status: dict[str, Any]) -> Iterator[str]:
    server = QueryServer("tcp://127.0.0.1:*", TABLES, lambda: status)
    yield server.address
    server.close()


class Counting(Connection):
    """A connection that counts what it asks."""

    asked = 0

    def answer_to(self, *question: Any) -> Any:
        self.asked += 1
        return super().answer_to(*question)


@pytest.fixture
def db(address: str) -> Iterator[Counting]:
    with Counting("rdb", address) as made:
        yield made


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=list(QUESTIONS))
def test_every_question_warns_of_a_symbol_that_no_row_has_and_names_the_nearest(db: Counting, ask: Any) -> None:
    with pytest.warns(UnknownSymbolWarning) as told:
        ask(db, "APPL")
    assert [str(one.message) for one in told] == [
        "no row of table trades in the rdb has sym 'APPL'; nearest: AAPL, APLE"
    ]
    assert told[0].filename == __file__
    assert told[0].lineno == inspect.getsourcelines(ask)[1]


def test_nothing_like_it_lists_the_symbols_and_case_does_not_count(db: Counting) -> None:
    with pytest.warns(UnknownSymbolWarning, match="has sym 'XYZ'; symbols are: AAPL, APLE, MSFT"):
        db.last("trades", "XYZ")
    with pytest.warns(UnknownSymbolWarning, match="has sym 'msft'; nearest: MSFT"):
        db.last("trades", "msft")


def test_a_symbol_with_rows_never_warns_and_is_asked_about_at_most_once(db: Counting) -> None:
    assert "trades" in dir(db)
    for ask in QUESTIONS.values():
        before = db.asked
        ask(db, "MSFT")
        assert db.asked - before == 1
    for sym in (None, [], "AAPL", ["AAPL", "APLE", "MSFT"]):
        db.select("trades", sym, end=NOON - 1)
    with Counting("rdb", db.address) as other:
        assert not len(other.select("trades", "MSFT", end=NOON - 1))
        assert other.asked == 2, "the answer, and once the names"
        assert other.count("trades", "MSFT", end=NOON - 1) == 0
        assert other.count("trades", "AAPL", end=NOON - 1) == 0
        assert other.asked == 4


def test_who_wants_no_warning_gets_none_and_pays_nothing(address: str) -> None:
    with Counting("rdb", address, warn_unknown=False) as db, pickle.loads(pickle.dumps(db)) as again:
        for one in (db, again):
            assert not len(one.select("trades", "APPL"))
        assert db.asked == 1


def test_an_rdb_that_still_reads_the_journal_is_not_believed(db: Counting, status: dict[str, Any]) -> None:
    status["caught_up"] = False
    try:
        assert not len(db.select("trades", "APPL"))
    finally:
        status["caught_up"] = True


def test_an_rdb_that_is_behind_the_journal_is_waited_for_and_then_not_believed(
    db: Counting, status: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown_symbols, "LOOK_S", 0.3)
    journal = QueryServer("tcp://127.0.0.1:*", {}, lambda: {"seq": 13})
    try:
        status["journal_port"] = int(journal.address.rpartition(":")[2])
        assert not len(db.select("trades", "APPL"))
        threading.Timer(0.1, lambda: status.update(seq=13)).start()
        with pytest.warns(UnknownSymbolWarning, match="nearest: AAPL"):
            db.select("trades", "APPL")
    finally:
        status["seq"] = 12
        del status["journal_port"]
        journal.close()


def test_history_and_today_know_a_symbol_together(address: str, tmp_path: Path) -> None:
    rows = journaled([[trade(NOON - 10 * SECOND, "OLDER")]])
    write_history(tmp_path, {SCHEMA["trades"]: rows}, 1, (1,)).save(tmp_path)
    server = QueryServer("tcp://127.0.0.1:*", HistoryAnswerer(tmp_path, SCHEMA), lambda: {"name": "hdb"})
    try:
        with PlantConnection(address, server.address, SCHEMA) as both:
            for sym in ("OLDER", "MSFT"):
                assert not len(both.select("trades", sym, NOON + 60 * SECOND))
            with pytest.warns(
                UnknownSymbolWarning, match="^no row of table trades ever had sym 'OLDE'; nearest: OLDER$"
            ):
                both.last("trades", "OLDE")
            with pytest.warns(UnknownSymbolWarning, match="^no row of table trades in the hdb has sym 'MSFT'"):
                both.history.last("trades", "MSFT")
            with pytest.warns(UnknownSymbolWarning, match="^no row of table trades as of seq 0 has sym 'OLDER'"):
                both.as_of(0).last("trades", "OLDER")
    finally:
        server.close()


def test_a_warning_may_be_made_an_error(db: Counting) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownSymbolWarning)
        with pytest.raises(UnknownSymbolWarning, match="nearest: AAPL"):
            db.select("trades", "APPL")
