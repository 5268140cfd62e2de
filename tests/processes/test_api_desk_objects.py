"""Rows as objects and pages."""

import random

import pytest

from api.answers.problems import Problem
from api.desk.earned import performance_of
from api.desk.limits import LimitsBody
from api.desk.objects import arrow_of, newest_first, object_of
from plant.control.limits import told_of_target
from plant.rows.tables import schema_of
from plant.state.commands import GivenCommand
from plant.state.newest import Row

POSITIONS = schema_of()["positions"]


def test_pages_have_every_row_once_newest_first() -> None:
    rows: list[Row] = [{"seq": seq, "seq_row": row} for seq in range(7) for row in range(3)]
    random.Random(3).shuffle(rows)
    found: list[Row] = []
    cursor = None
    while True:
        page, cursor = newest_first(rows, 4, cursor, 6)
        found += page
        if cursor is None:
            break
    assert found == sorted(rows, key=lambda row: (row["seq"], row["seq_row"]), reverse=True)
    with pytest.raises(Problem):
        newest_first(rows, 4, "7-x", 6)


def test_an_object_that_changes_while_pages_are_read_is_on_one_of_them() -> None:
    rows: dict[str, Row] = {name: {"name": name, "seq": seq, "seq_row": 0} for seq, name in enumerate("abcdef")}
    page, cursor = newest_first(rows.values(), 2, None, 5)
    assert [row["name"] for row in page] == ["f", "e"]
    rows["a"]["seq"], rows["f"]["seq"], rows["c"]["seq"] = 6, 7, 8
    found: list[str] = []
    while cursor is not None:
        page, cursor = newest_first(rows.values(), 2, cursor, 8)
        found += [row["name"] for row in page]
    assert found == ["d", "b", "a", "f", "c"], "those that changed once more, behind the others"


def test_what_is_not_known_is_null() -> None:
    unknown = {"time": None, "float": float("nan"), "int": 0}
    plain = {column.name: unknown.get(column.kind, "") for column in POSITIONS.columns}
    row = {**plain, "time": 1_795_185_000 * 10**9, "qty": 2.0, "seq": 4}
    told = object_of(row, POSITIONS.times)
    assert (told["time"], told["market_time"]) == ("2026-11-20T14:30:00Z", None)
    assert (told["average"], told["qty"]) == (None, 2.0)
    assert arrow_of([row], POSITIONS).column("market_time").null_count == 1
    assert arrow_of([], POSITIONS).num_rows == 0


def test_metrics_are_those_of_the_newest_run_that_follows_the_plant() -> None:
    def metric(run: str, name: str, value: float, seq: int) -> Row:
        return {"run": run, "name": name, "value": value, "seq": seq, "time": seq}

    rows = [metric("live1", "sharpe", 1.0, 1), metric("live1", "sharpe", 2.0, 2), metric("back", "sharpe", 9.0, 3)]
    told = performance_of(rows, frozenset(("live1",)))
    assert (told["run"], told["metrics"]["sharpe"], told["metrics"]["return"]) == ("live1", 2.0, None)
    assert performance_of(rows, frozenset())["metrics"]["sharpe"] == 9.0
    assert set(performance_of([], frozenset())["metrics"].values()) == {None}


def test_limits_are_those_that_were_told_last() -> None:
    def limits(seq: int, **arguments: object) -> GivenCommand:
        return GivenCommand("c", "limits", "paper", dict(arguments), 0, 0, seq, 0)

    told = [limits(3, account="paper", max_order_qty=5), limits(7, account="paper", max_order_qty=None),
            limits(9, strategy="up", max_order_qty=1)]  # fmt: skip
    assert told_of_target(told, "account", "paper") == ({"max_order_qty": None}, 7)
    assert told_of_target(told, "account", "two") == ({}, 0)
    assert LimitsBody(account="paper", max_order_qty=None).told == {"max_order_qty": None}
