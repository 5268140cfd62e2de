"""Books: rows of trading folded, whatever portions they come in, and asked for behind what is known."""

import random
from typing import Any

import pyarrow as pa
import pytest
from chance import SEED
from state_rows import NOON, journaled

from dashboard.orders.shown import of_account, open_orders
from plant.control.books import Books, Folds
from plant.errors import PlantError, Unavailable
from plant.rows.arrow import arrow_column
from plant.rows.columns import taken
from plant.rows.schema import META_COLUMNS
from plant.rows.tables import schema_of

SCHEMA = schema_of()
FILL = {"order_id": "o", "side": "buy", "qty": 1.0, "price": 1.0}


def run(name: str, seq: int, mode: str = "paper", **more: Any) -> tuple[str, dict[str, Any]]:
    return "runs", {"run": name, "sym": "s", "mode": mode, "state": "running", "seq": seq, **more}


ROWS: list[tuple[str, dict[str, Any]]] = [
    ("strategies", {"sym": "s", "version": 1, "action": "create", "wanted": "running", "seq": 1}),
    run("p", 2),
    run("b", 3, "backtest"),
    (
        "orders",
        {"order_id": "o", "n": 1, "side": "buy", "qty": 1.0, "run": "p", "account": "a", "state": "accepted", "seq": 4},
    ),
    (
        "orders",
        {"order_id": "x", "n": 1, "side": "buy", "qty": 1.0, "run": "b", "account": "a", "state": "accepted", "seq": 5},
    ),
    ("fills", {"fill_id": "1", "run": "p", "account": "a", "seq": 6, **FILL}),
    ("fills", {"fill_id": "2", "run": "b", "account": "a", "seq": 7, **FILL}),
    ("fills", {"fill_id": "3", "run": "p", "account": "c", "seq": 8, **FILL}),
    ("equity", {"sym": "a", "run": "p", "equity": 5.0, "seq": 9}),
    ("equity", {"sym": "a", "run": "b", "equity": 6.0, "seq": 10}),
    ("positions", {"sym": "X", "account": "a", "strategy": "s", "run": "b", "qty": 1.0, "seq": 11}),
    ("commands", {"sym": "*", "id": "k", "command": "kill", "seq": 12}),
    ("commands", {"sym": "*", "id": "t", "command": "backtest", "seq": 13}),
    ("risk_events", {"account": "a", "strategy": "s", "action": "refused", "seq": 14}),
    ("risk_events", {"account": "a", "strategy": "s", "action": "halted", "seq": 15}),
    (
        "orders",
        {"order_id": "o", "n": 2, "side": "buy", "qty": 1.0, "run": "p", "account": "a", "state": "filled", "seq": 16},
    ),
]
"""What a small plant has: a paper run that holds, and a backtest that must not."""


def columns(table: str, rows: list[dict[str, Any]]) -> Any:
    found = journaled(table, [{"time": NOON, **row} for row in rows])
    return {**found, "received": found["time"]}


def test_what_backtests_made_is_left_out_and_the_newest_counts() -> None:
    folds = Folds(SCHEMA, ("a",))
    for table, row in ROWS[:-1]:
        folds.take(table, columns(table, [row]))
    before = folds.seen(0.0)
    assert [row["order_id"] for row in open_orders(before, "a")] == ["o"]
    folds.take("orders", columns("orders", [ROWS[-1][1]]))
    seen = folds.seen(0.0)
    assert open_orders(seen, "a") == []
    assert [row["order_id"] for row in open_orders(before, "a")] == ["o"], "what was handed out does not change"
    assert set(seen.orders) == {"o"}
    assert of_account(seen.fills, "a")["fill_id"].tolist() == ["1"]
    assert seen.equity["a"]["equity"] == 5.0
    assert seen.positions == ()
    assert [row.get("command") or row["action"] for row in seen.halts] == ["kill", "halted"]
    assert folds.where("orders") == [("seq", ">", 16), ("account", "!=", "backtest")]


def test_an_account_of_that_name_is_asked_for() -> None:
    assert Folds(SCHEMA, ("backtest",)).where("orders") == [("seq", ">", -1)]


class Plant:
    """Rows in memory, answered as a connection does: those up to `newest`, of which the rdb let go up to `released`."""

    def __init__(self) -> None:
        self.newest, self.released, self.up = 0, 0, True
        self.asked: list[str] = []
        self.stuck = ""  # a table that is not answered

    def connection(self, name: str) -> Any:
        plant = self

        class Connection:
            def status(self, timeout_s: float) -> dict[str, Any]:
                if not plant.up:
                    raise Unavailable("nobody listens")
                return {"seq": plant.newest, "released": plant.released, "caught_up": True}

            def select(self, table: str, columns: tuple[str, ...], where: Any, frames: str) -> pa.Table:
                if table == "runs":
                    plant.asked.append(name)
                if table == plant.stuck:
                    raise Unavailable("it takes too long")
                known = [row for each, row in ROWS if each == table and row["seq"] <= plant.newest]
                if name == "today":
                    known = [row for row in known if row["seq"] > plant.released]
                found = globals()["columns"](table, known)
                for column, operator, value in where:
                    keep = (found[column] > value) if operator == ">" else (found[column] != value)
                    found = taken(found, keep)
                declared = SCHEMA[table]
                times = {*declared.times, "received"}
                return pa.table({c: arrow_column(found[c], c in times) for c in (*declared.names, *META_COLUMNS)})

        return Connection()

    def books(self) -> Books:
        now = iter(range(0, 10**7, 10))
        return Books(
            SCHEMA, ("a",), lambda: self.connection("whole"), lambda: self.connection("today"), lambda: next(now)
        )


def test_any_portions_of_looks_and_closed_days_give_what_one_look_gives() -> None:
    print(f"TICKPLANT_SEED={SEED}")
    chance = random.Random(SEED)
    for _ in range(20):
        plant = Plant()
        books = plant.books()
        while plant.newest < 16:
            plant.newest = min(16, plant.newest + chance.randint(1, 6))
            plant.released = chance.choice((plant.released, chance.randint(plant.released, plant.newest)))
            if chance.random() < 0.8:
                books.look()
        seen, whole = books.look(), plant.books().look()
        assert (seen.seq, whole.seq) == (16, 16)
        for name in ("strategies", "runs", "followed", "orders", "positions", "equity", "halts"):
            assert repr(getattr(seen, name)) == repr(getattr(whole, name)), (
                name
            )  # numbers that are not known are not equal
        assert sorted(seen.fills["fill_id"].tolist()) == sorted(whole.fills["fill_id"].tolist())


def test_further_looks_ask_the_rdb_alone_until_it_let_go_of_what_is_not_known() -> None:
    plant = Plant()
    books = plant.books()
    plant.newest = 8
    books.look()
    plant.newest = 12
    books.look()
    plant.newest = plant.released = 16
    books.look()
    assert plant.asked == ["whole", "today", "whole"]


def test_without_an_answer_the_last_one_is_shown_with_the_error_and_a_new_plant_begins_anew() -> None:
    plant = Plant()
    books = plant.books()
    plant.newest = 16
    assert set(books.look().orders) == {"o"}
    plant.up = False
    stale = books.look()
    assert (set(stale.orders), str(stale.error)) == ({"o"}, "nobody listens")
    assert isinstance(stale.error, PlantError)
    plant.up, plant.newest = True, 3  # its journal was deleted
    fresh = books.look()
    assert (fresh.error, fresh.orders, set(fresh.runs)) == (None, {}, {"p", "b"})


def test_what_came_ahead_of_an_answer_that_failed_is_seen_at_the_next_look() -> None:
    plant = Plant()
    books = plant.books()
    plant.newest = 15
    assert open_orders(books.look(), "a")
    plant.newest, plant.stuck = 16, "fills"  # asked for behind orders
    assert books.look().error is not None
    plant.stuck = ""
    assert open_orders(books.look(), "a") == []


def test_of_an_empty_plant_in_the_place_of_another_nothing_is_seen() -> None:
    plant = Plant()
    books = plant.books()
    plant.newest = 16
    assert books.look().orders
    plant.newest = 0
    assert not books.look().orders


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_rows_of_a_run_whose_own_row_is_still_to_come_count(mode: str) -> None:
    folds = Folds(SCHEMA, ("a",))
    folds.take("orders", columns("orders", [ROWS[3][1]]))
    assert set(folds.seen(0.0).orders) == {"o"}
    folds.take("runs", columns("runs", [run("p", 20, mode)[1]]))
    assert set(folds.seen(0.0).orders) == {"o"}
