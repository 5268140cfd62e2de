"""A stream that takes records in runs, as the rdb's does, and hands on a batch for each as any other does."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from plant.rows.batch import Batch
from plant.rows.schema import Schema, Table
from plant.stream.stream import Mark, Stream
from plant.wire.decoding import decoded
from plant.wire.runs import Run, runs


class StreamOfRuns(Stream):
    """A Stream whose records come in runs, however few they are."""

    def __init__(self, schema: Schema, tables: Iterable[str], cursor: int | Mark | None) -> None:
        super().__init__(schema, tables, cursor, _each, partial(runs, few=0))

    def live(self, message: bytes) -> list[Any]:
        return _flat(super().live(message))

    def replayed(self, *args: Any, **options: Any) -> list[Any]:
        return _flat(super().replayed(*args, **options))


def _each(table: Table, run: Run) -> list[Batch]:
    return [decoded(table, one) for one in run.each()]


def _flat(found: list[Any]) -> list[Batch]:
    return [batch for item in found for batch in (item if isinstance(item, list) else [item])]
