"""The newest row of each object: whatever the order, the portions and the repetitions, as a plain model has it."""

import random
from typing import Any

import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import journaled, numbered

from plant.rows.batch import Batch
from plant.rows.columns import taken
from plant.state.newest import Newest, columns_of_batch
from plant.state.orders import FINAL, Orders
from plant.state.performance import Fills, Metrics, RoundTrips
from plant.state.positions import Positions
from plant.state.runs import Runs

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)

STATES = ("accepted", "partially_filled", "filled", "cancelled")

ORDERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.sampled_from(STATES), st.integers(0, 2)), max_size=12
)


def model(rows: list[dict[str, Any]], ids: tuple[str, ...], then: str) -> dict[Any, Any]:
    """Return the newest row of each id: a loop over all rows."""
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        name = tuple(row[c] for c in ids)
        best = found.get(name)
        if best is None or (row["seq"], row[then], row["seq_row"]) > (best["seq"], best[then], best["seq_row"]):
            found[name] = row
    return found


@law
@given(ORDERS, st.randoms(use_true_random=False))
def test_orders_are_those_of_the_model(given: list[Any], chance: random.Random) -> None:
    made = [{"order_id": i, "n": n, "state": s, "side": "buy", "qty": 1.0, "run": "r"} for i, n, s, _ in given]
    seq, seqs = 0, []
    for *_, step in given:
        seq += step
        seqs.append(seq)
    rows = numbered(made, seqs)
    chance.shuffle(rows)
    again = rows + chance.sample(rows, len(rows) // 2)
    fold = Orders()
    at = 0
    while at < len(again):
        more = chance.randrange(1, len(again) + 1)
        changed = fold.take(journaled("orders", again[at : at + more]))
        assert all(fold[row["order_id"]] == row for row in changed)
        at += more
    expected = model(rows, ("order_id",), "n")
    assert {name: (r["seq"], r["n"], r["state"]) for name, r in fold.items()} == {
        name[0]: (r["seq"], r["n"], r["state"]) for name, r in expected.items()
    }
    assert {r["order_id"] for r in fold.open} == {r["order_id"] for r in expected.values() if r["state"] not in FINAL}
    assert len(fold.of_run("r")) == len(fold)
    assert not fold.of_run("s")


@pytest.mark.parametrize(
    ("fold", "table", "ids"),
    [
        (Fills(), "fills", ("fill_id",)),
        (RoundTrips(), "round_trips", ("run", "number")),
        (Metrics(), "metrics", ("run", "name")),
        (Positions(), "positions", ("account", "strategy", "run", "sym")),
        (Runs(), "runs", ("run",)),
    ],
)
def test_what_is_told_twice_counts_as_it_was_told_last(fold: Newest, table: str, ids: tuple[str, ...]) -> None:
    chance = random.Random(7)
    needed = {"fills": {"side": "buy", "qty": 1.0}, "runs": {"state": "running"}}.get(table, {})

    def id_of(name: str) -> Any:
        return chance.randrange(1, 3) if name == "number" else chance.choice("ab")

    made = [{**needed, **{name: id_of(name) for name in ids}, "time": 1 + i} for i in range(60)]
    rows = numbered(made, (i // 3 for i in range(60)))
    for at in range(0, 60, 7):
        fold.take(journaled(table, rows[at : at + 7]))
    expected = model(rows, ids, "seq_row")
    assert {name: row["time"] for name, row in fold.items()} == {
        (name[0] if len(name) == 1 else name): row["time"] for name, row in expected.items()
    }
    assert fold.take(journaled(table, rows)) == []


def test_rows_of_a_batch_have_its_numbers() -> None:
    columns = journaled("metrics", [{"run": "r", "name": n} for n in "abc"])
    own = {name: column for name, column in columns.items() if name not in ("seq", "seq_row")}
    batch = Batch("metrics", own, 8, 1, 99)
    found = columns_of_batch(batch)
    assert (found["seq"].tolist(), found["seq_row"].tolist(), found["received"].tolist()) == (
        [8] * 3,
        [0, 1, 2],
        [99] * 3,
    )
    assert columns_of_batch(batch.filtered(taken(columns, [2])["seq_row"] + 1))["seq_row"].tolist() == [1]


def test_what_is_held_is_asked_for_runs() -> None:
    fold = Positions()
    rows = [
        {"account": "paper", "strategy": "s", "run": r, "qty": q} for r, q in (("p1", 2.0), ("b1", 9.0), ("p2", 0.0))
    ]
    fold.take(journaled("positions", numbered(rows, (1, 2, 3))))
    assert [row["qty"] for row in fold.held("paper", {"p1", "p2"})] == [2.0]
    assert fold.held("other", {"p1"}) == []


def test_runs_that_have_not_ended_are_active() -> None:
    fold = Runs()
    states = [("a", "running", 5), ("b", "paused", 3), ("c", "completed", 1), ("a", "failed", 5), ("d", "draft", 9)]
    rows = [{"run": r, "state": s, "first_seq": f} for r, s, f in states]
    fold.take(journaled("runs", numbered(rows, range(5))))
    assert [row["run"] for row in fold.active] == ["b", "d"]
    assert [row["run"] for row in fold.of_strategy("X")] == ["c", "b", "a", "d"]


def test_metrics_of_a_run_are_by_name() -> None:
    fold = Metrics()
    rows = [{"run": "r", "name": "sharpe", "value": 1.0}, {"run": "s", "name": "cagr", "value": 2.0}]
    fold.take(journaled("metrics", numbered(rows, (1, 1))))
    assert fold.of_run("r") == {"sharpe": 1.0}
