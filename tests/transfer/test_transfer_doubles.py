"""Which rows are the same: by what they hold, counted where nothing tells them apart, and against what others have."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from plant.rows.tables import schema_of
from plant.transfer.doubles import contents_of, doubled_within, held_by, identities

TRADES = schema_of()["trades"]


def trades(ids: list[str | None], prices: list[float]) -> pa.Table:
    count = len(ids)
    columns = {
        "time": pa.array([10**18] * count).cast(pa.timestamp("ns", "UTC")),
        "sym": pa.array(["A"] * count).dictionary_encode(),
        "price": prices,
        "size": [1.0] * count,
        "source": pa.array(["x"] * count).dictionary_encode(),
        "trade_id": pa.array(ids, pa.large_string()),
    }
    columns["conditions"] = pa.array([""] * count, pa.large_string())
    columns |= dict.fromkeys(("tape", "exchange"), pa.array([""] * count).dictionary_encode())
    columns["venue_seq"] = pa.array([0] * count, pa.int64())
    return pa.table(columns).select(TRADES.names)


@pytest.mark.parametrize("count", [7, 70_000])
def test_alike_rows_without_an_id_are_told_apart_by_their_number_and_those_with_one_are_the_same(count: int) -> None:
    random = np.random.default_rng(count)
    ids = random.choice(["", "", "7", "8"], count).tolist()
    prices = random.choice([1.0, 2.0], count).tolist()
    rows = trades(ids, prices)
    identity = identities(TRADES, rows)
    seen: Counter[tuple[str, float]] = Counter()
    told = []
    for row in zip(ids, prices, strict=True):
        told.append((row, 0 if row[0] else seen[row]))
        seen[row] += 1
    assert len(set(identity.tolist())) == len(set(told)) == len(set(zip(told, identity.tolist(), strict=True)))
    replaced, same = doubled_within(TRADES, identity, contents_of(TRADES, rows, identity))
    first = {row: place for place, row in reversed([*enumerate(told)])}
    assert same.tolist() == [first[row] != place for place, row in enumerate(told)]
    assert not replaced.any()
    alike = identities(TRADES, rows, drop_alike=True)
    assert len(set(alike.tolist())) == len(set(zip(ids, prices, strict=True)))


def test_rows_of_which_the_id_is_not_known_are_the_same_however_many() -> None:
    identity = identities(TRADES, trades([None, None, "", ""], [1.0] * 4))
    assert identity[0] == identity[1]
    assert len(set(identity.tolist())) == 3


def test_of_those_that_others_have_the_last_tells_whether_it_is_equal() -> None:
    numbers = [np.array(each, dtype=np.uint64) for each in ([5, 6, 7], [1, 1, 1], [6, 5, 6], [9, 1, 1])]
    has, equal = held_by(*numbers)
    assert (has.tolist(), equal.tolist()) == ([True, True, False], [True, True, False])
    nothing = np.zeros(0, dtype=np.uint64)
    assert not held_by(numbers[0], numbers[1], nothing, nothing)[0].any()
