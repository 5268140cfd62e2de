"""Records of many rows decoded in one step hold what each of them holds, whatever is in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import EVERY_KIND, bits, columns_from, plain_rows, trades

from plant.errors import WireError
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols
from plant.rows.ordering import joined
from plant.rows.schema import Column, Table
from plant.rows.tables import schema_of
from plant.wire.decoding import decoded
from plant.wire.envelope import HEADER_BYTES, envelope, stamp
from plant.wire.record import encode
from plant.wire.runs import Run
from plant.wire.several import several

TRADES = schema_of()["trades"]
KINDS = [("time", "time"), ("sym", "symbol"), *((f"c{i}", "float") for i in range(20))]
WIDE = Table("wide", tuple(Column(name, kind) for name, kind in KINDS))
"""Of more columns than msgpack counts in one byte."""


def message_of(table: Table, parts: Sequence[Columns]) -> tuple[bytes, list[int]]:
    """Return records of these columns, and where their payloads start."""
    message, starts = bytearray(), []
    for seq, columns in enumerate(parts, 1):
        record = encode(table, columns, 1, seq)
        stamp(record, 0, 3 * seq, seq, 100 + seq)
        starts.append(len(message) + HEADER_BYTES)
        message += record
    return bytes(message), starts


def one_by_one(table: Table, message: bytes, starts: list[int]) -> list[Batch]:
    headers = [envelope(message, start) for start in starts]
    return [decoded(table, Run(message, [s], h, h)) for s, h in zip(starts, headers, strict=True)]


def whole(table: Table, batches: list[Batch]) -> dict[str, list[Any]]:
    return bits({name: joined([b.columns[name] for b in batches]) for name in table.names})


@settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
@given(st.lists(plain_rows(), min_size=1, max_size=6))
def test_columns_are_those_of_each_record(given_rows: list[dict[str, list[Any]]]) -> None:
    message, starts = message_of(EVERY_KIND, [columns_from(EVERY_KIND, rows) for rows in given_rows])
    batch = several(EVERY_KIND, message, starts)
    assert batch is not None
    assert bits(batch.columns) == whole(EVERY_KIND, one_by_one(EVERY_KIND, message, starts))
    counts = [len(rows["time"]) for rows in given_rows]
    assert batch.parts is not None
    assert [p.tolist() for p in batch.parts] == [
        [sum(counts[:i]) for i in range(len(counts))],
        [3 * i for i in range(1, len(counts) + 1)],
        [100 + i for i in range(1, len(counts) + 1)],
    ]
    assert (batch.seq, batch.table_seq, batch.received) == (3 * len(counts), len(counts), 100 + len(counts))


@settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)
@given(st.lists(plain_rows(max_rows=3), min_size=1, max_size=3), st.data())
def test_what_cannot_be_decoded_is_never_taken_for_something_else(
    given_rows: list[dict[str, list[Any]]], data: st.DataObject
) -> None:
    message, starts = message_of(EVERY_KIND, [columns_from(EVERY_KIND, rows) for rows in given_rows])
    damaged = bytearray(message)
    at = data.draw(st.sampled_from([start for i in starts for start in range(i, i + envelope(message, i).length)]))
    damaged[at] = data.draw(st.integers(0, 255))
    batch = several(EVERY_KIND, bytes(damaged), starts)
    try:
        expected = whole(EVERY_KIND, one_by_one(EVERY_KIND, bytes(damaged), starts))
    except (WireError, IndexError, TypeError, AttributeError, UnicodeDecodeError):
        assert batch is None
        return
    assert batch is None or bits(batch.columns) == expected


LONG = ["x" * 31, "y" * 32, "z" * 255, "Ünïcode", "A", ""]


@pytest.mark.parametrize("count", [1, 20, 2_000, 9_000])
@pytest.mark.parametrize("names", [["A", "BB", "CCC"], LONG, [f"S{i}" for i in range(1500)]])
def test_records_of_any_length_and_any_strings_are_decoded_in_one_step(count: int, names: list[str]) -> None:
    parts = []
    for first in range(3):
        plain = trades(first, count) | {"sym": [names[(first + i) % len(names)] for i in range(count)]}
        parts.append(columns_from(TRADES, plain))
    message, starts = message_of(TRADES, parts)
    batch = several(TRADES, message, starts)
    assert batch is not None
    assert bits(batch.columns) == whole(TRADES, one_by_one(TRADES, message, starts))


def test_a_table_of_many_columns_is_decoded_in_one_step() -> None:
    rows = {name: [1.5, 2.5] if kind == "float" else [1, 2] for name, kind in KINDS} | {"sym": ["A", "B"]}
    message, starts = message_of(WIDE, [columns_from(WIDE, rows)] * 4)
    batch = several(WIDE, message, starts)
    assert batch is not None
    assert bits(batch.columns) == whole(WIDE, one_by_one(WIDE, message, starts))


def test_a_code_beyond_its_own_records_strings_is_not_taken_for_one_of_the_next() -> None:
    parts = [columns_from(TRADES, trades(i, 2, "AB"[i])) for i in range(2)]
    parts[0]["sym"] = Symbols(["A"], np.array([0, 1], dtype=np.int32))
    message, starts = message_of(TRADES, parts)
    assert several(TRADES, message, starts) is None


def test_a_symbol_of_256_bytes_is_left_to_who_decodes_one_by_one() -> None:
    message, starts = message_of(TRADES, [columns_from(TRADES, trades(1, 2, "A" * 256))] * 4)
    assert several(TRADES, message, starts) is None
