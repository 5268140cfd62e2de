"""Rows of signals and gaps as events, each in its newest state."""

import numpy as np

from monitor.happened import Happened, taken_of
from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.rows.tables import schema_of

S = 10**9
T0 = 1_763_649_060 * S
SCHEMA = schema_of()


def batch(table: str, received: int, *rows: dict) -> Batch:
    return Batch(table, columns_of(SCHEMA[table], list(rows)), 1, 1, received)


def test_a_signal_has_a_head_of_its_own_its_newest_state_and_the_end_of_its_bar() -> None:
    row = {"time": T0, "sym": "AAPL", "interval": "5m", "signal": "cross", "side": "buy", "price": 1.5, "detail": "why"}
    happened = Happened()
    happened.take(batch("signals", T0 + 301 * S, row, {**row, "interval": "1m"}))
    happened.take(batch("signals", T0 + 302 * S, {**row, "state": "withdrawn"}))
    first, second = happened.drained()
    assert first.detail == "withdrawn: cross AAPL 5m, bar of 2025-11-20 14:31:00 UTC | buy at 1.5: why"
    assert (first.ended, first.taken, first.interval) == (T0 + 300 * S, T0 + 302 * S, "5m")
    assert (second.state, second.ended, second.taken) == ("", T0 + 60 * S, T0 + 301 * S)
    assert happened.drained() == []


def test_a_gap_is_one_event_from_opened_to_healed() -> None:
    row = {"time": T0, "sym": "rdb", "table_name": "bars", "first": 5, "last": 7, "detail": "slow"}
    happened = Happened()
    for state, told in (("opened", ""), ("healed", "over: "), ("lost", "lost: ")):
        happened.take(batch("gaps", T0, {**row, "state": state}))
        (cause,) = happened.drained()
        assert cause.detail == f"{told}rdb missed batches 5 to 7 of bars | slow"
        assert (cause.event, cause.sym) == ("gap", "rdb")


def test_rows_of_several_batches_as_one_know_when_each_was_taken() -> None:
    row = {"time": T0, "sym": "rdb", "table_name": "bars", "first": 1, "last": 1, "state": "opened"}
    columns = columns_of(SCHEMA["gaps"], [row] * 3)
    parts = (np.array([0, 2]), np.array([1, 2]), np.array([T0 + 1, T0 + 2]))
    merged = Batch("gaps", columns, 2, 2, T0 + 2, (), parts)
    assert taken_of(merged).tolist() == [T0 + 1, T0 + 1, T0 + 2]
