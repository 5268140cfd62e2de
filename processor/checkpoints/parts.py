"""Rows of a batch by the seqs of the batches that it was made of."""

from plant.rows.batch import Batch


def behind(batch: Batch, seq: int) -> Batch | None:
    """Return a batch without its rows up to a seq, None if none is left; one of several keeps their numbers."""
    if batch.seq <= seq:
        return None
    if batch.parts is None or int(batch.parts[1][0]) > seq:
        return batch
    rows, seqs, _ = batch.parts
    at = int((seqs <= seq).sum())
    return _cut(batch, int(rows[at]), len(batch), at, len(seqs))


def up_to(batch: Batch, seq: int) -> Batch | None:
    """Return the rows of a batch up to a seq, None if there are none."""
    if batch.seq <= seq:
        return batch
    if batch.parts is None or int(batch.parts[1][0]) > seq:
        return None
    rows, seqs, _ = batch.parts
    at = int((seqs <= seq).sum())
    return _cut(batch, 0, int(rows[at]), 0, at)


def _cut(batch: Batch, start: int, stop: int, first: int, last: int) -> Batch:
    assert batch.parts is not None
    rows, seqs, received = (part[first:last] for part in batch.parts)
    columns = {name: column[start:stop] for name, column in batch.columns.items()}
    parts = (rows - start, seqs, received)
    return Batch(
        batch.table, columns, int(seqs[-1]), batch.table_seq, int(received[-1]), batch.key, parts, None, batch.times
    )
