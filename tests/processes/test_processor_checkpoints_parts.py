"""Rows of a batch behind a seq and up to it are together the batch, with the numbers that they had."""

import numpy as np
from candle_plant import columns_of_rows
from hypothesis import given
from hypothesis import strategies as st

from plant.rows.batch import Batch
from processor.candles.rows import arrivals
from processor.checkpoints.parts import behind, up_to


def batch_of(sizes: list[int]) -> Batch:
    """Return batches with seqs 2, 4, 6, ... as one."""
    rows = [{"time": i, "sym": "A", "price": float(i)} for i in range(sum(sizes))]
    starts, seqs = np.cumsum([0, *sizes[:-1]]), 2 * np.arange(1, len(sizes) + 1)
    columns = columns_of_rows("trades", rows)
    if len(sizes) == 1:
        return Batch("trades", columns, 2, 1, 200)
    return Batch("trades", columns, int(seqs[-1]), len(sizes), int(seqs[-1]) * 100, (), (starts, seqs, seqs * 100))


def numbers(batch: Batch | None) -> list[tuple[int, ...]]:
    if batch is None:
        return []
    seqs, received = arrivals(batch)
    assert batch.seq == seqs[-1]
    columns = (batch.columns["time"], seqs, batch.seq_rows(), received)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.integers(0, 12))
def test_the_parts_are_the_batch(sizes: list[int], seq: int) -> None:
    batch = batch_of(sizes)
    first, last = up_to(batch, seq), behind(batch, seq)
    assert numbers(first) + numbers(last) == numbers(batch)
    assert all(number[1] <= seq for number in numbers(first))
    assert all(number[1] > seq for number in numbers(last))
