"""Batches as one Arrow table: which seq every row has, and its place within it, also where rows were left out."""

import numpy as np
from plain_rows import NOON, SCHEMA, batch_of, trade

from plant.rows.batch import Batch, arrow_of
from plant.rows.evolution import as_declared
from plant.stream.narrowing import conflated, only


def places(*batches: Batch) -> list[tuple[int, int, float]]:
    return [(row["seq"], row["seq_row"], row["price"]) for row in arrow_of(list(batches)).to_pylist()]


def abc() -> Batch:
    return batch_of("trades", [trade(NOON, sym, price) for sym, price in (("A", 1.0), ("B", 2.0), ("A", 3.0))], 7)


def test_rows_are_counted_within_each_seq() -> None:
    parts = (np.array([0, 2]), np.array([5, 6]), np.array([50, 60]))
    two = Batch("trades", abc().columns, 6, 6, 60, parts=parts)
    assert places(two, abc()) == [(5, 0, 1.0), (5, 1, 2.0), (6, 0, 3.0), (7, 0, 1.0), (7, 1, 2.0), (7, 2, 3.0)]


def test_rows_keep_their_place_where_others_are_left_out() -> None:
    kept = [only([sym], None)(as_declared(abc(), SCHEMA["trades"])) for sym in ("B", "A")]  # type: ignore[misc]
    assert [places(batch) for batch in kept if batch] == [[(7, 1, 2.0)], [(7, 0, 1.0), (7, 2, 3.0)]]
    (newest,) = conflated([batch for batch in kept[1:] if batch])
    assert places(as_declared(newest, SCHEMA["trades"])) == [(7, 2, 3.0)]
