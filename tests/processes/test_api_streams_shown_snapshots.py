"""What a subscription begins with: of each object the newest row that counts."""

import asyncio
import json
from typing import Any

import pytest
from plain_rows import SCHEMA, batch_of

from api.streams.shown.channels import wanted_of
from api.streams.shown.snapshots import Snapshots
from plant.query import questions


def begun(table: str, rows: list[dict[str, Any]], whole: bool = True, **terms: Any) -> tuple[int, list[dict[str, Any]]]:
    """Return seq and rows of the snapshot of a channel, of a table whose rows came one after the other."""
    usual = {c.name: "" if c.kind in ("symbol", "text") else 0 for c in SCHEMA[table].columns}
    batch = batch_of(table, [{**usual, **row} for row in rows], 1)

    async def ask(question: questions.Question) -> tuple[Any, int]:
        import pyarrow as pa

        found = batch.arrow()
        count = pa.array(range(1, len(rows) + 1), pa.int64())
        return found.append_column("seq", count).append_column("seq_row", pa.array([0] * len(rows), pa.int64())), 9

    seq, piece = asyncio.run(Snapshots(ask, SCHEMA, whole=whole).read(wanted_of(terms, SCHEMA)))
    return seq, [json.loads(row) for row in piece.rows]


@pytest.mark.parametrize(("table", "name"), [("annotations", "id"), ("strategies", "sym")])
def test_the_row_of_a_writer_who_came_too_late_is_not_what_an_object_is(table: str, name: str) -> None:
    versions = [(1, "create", "first"), (2, "update", "faster"), (2, "update", "slower")]
    rows = [{name: "x", "version": v, "action": a, "interval": who} for v, a, who in versions]
    rows += [{name: "y", "version": 1, "action": "create"}, {name: "y", "version": 2, "action": "delete"}]
    rows += [{name: "y", "version": 2, "action": "update"}]
    seq, found = begun(table, rows, channel=table)
    assert [(row[name], row["version"], row["interval"]) for row in found] == [("x", 2, "faster")]
    assert seq == 9


def test_where_days_were_removed_the_first_version_may_be_any() -> None:
    rows = [{"id": "x", "version": 4, "action": "update"}, {"id": "x", "version": 5, "action": "update"}]
    assert [row["version"] for row in begun("annotations", rows, False, channel="annotations")[1]] == [5]
    assert begun("annotations", rows, True, channel="annotations")[1] == []
