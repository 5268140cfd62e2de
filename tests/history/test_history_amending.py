"""Amendments: the rows in force, what was there before, and that nothing else moves; against a plain list."""

import dataclasses
import itertools
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.errors import BadRows
from plant.history.amending import Amendment, amendment, amendments_of, apply
from plant.history.layout import partition_schema, told_schema
from plant.intake.forms import columns_of
from plant.rows.row_hashes import MODULUS, row_sum
from plant.rows.schema import Table
from plant.rows.tables import schema_of

SCHEMA = schema_of()
TRADES, BARS = SCHEMA["trades"], SCHEMA["bars"]


def trade(time: int, sym: str, seq: int, price: float | None = 1.0, **other: Any) -> dict[str, Any]:
    fixed = {"size": 1.0, "source": "x", "trade_id": "", "seq_row": 0, "received": seq * 10}
    untold = {"conditions": "", "tape": "", "exchange": "", "venue_seq": 0}
    return {"time": time, "sym": sym, "price": price, "seq": seq, **fixed, **untold, **other}


def table(rows: list[dict[str, Any]], declared: Table = TRADES) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=partition_schema(declared))


def plain(rows: pa.Table) -> list[dict[str, Any]]:
    columns = zip(rows.column_names, rows.columns, strict=True)
    return pa.table({n: c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for n, c in columns}).to_pylist()


def decided(row: dict[str, Any], changes: dict[str, Any] | None, by: int, reason: str = "wrong") -> Amendment:
    return dataclasses.replace(amendment(TRADES, row, changes, reason), amended_by=by, received=by * 10, place=0)


def test_a_replaced_row_has_the_amendments_seq_and_the_old_one_is_kept_with_the_reason() -> None:
    rows = [trade(1, "A", 5), trade(1, "A", 7, 2.0), trade(2, "A", 6), trade(1, "B", 5)]
    done = apply(TRADES, table(rows), [decided(rows[0], {"price": 9, "trade_id": "z"}, 100, "fat finger")])
    assert plain(done.rows) == [rows[1], trade(1, "A", 100, 9.0, trade_id="z", received=1000), rows[2], rows[3]]
    assert plain(done.replaced) == [{**rows[0], "replaced_by": 100, "replaced_reason": "fat finger"}]
    assert done.unmatched == []
    assert done.rows.schema == partition_schema(TRADES)
    assert done.replaced.schema.names == told_schema(partition_schema(TRADES)).names


def test_a_removed_row_is_gone_and_kept_among_the_replaced() -> None:
    rows = [trade(1, "A", 5), trade(2, "A", 6)]
    done = apply(TRADES, table(rows), [decided(rows[0], None, 100)])
    assert plain(done.rows) == [rows[1]]
    assert plain(done.replaced) == [{**rows[0], "replaced_by": 100, "replaced_reason": "wrong"}]


def test_rows_alike_have_their_turn_and_a_second_round_meets_them_again() -> None:
    rows = [trade(1, "A", 5), trade(1, "A", 5)]
    asked = [decided(rows[0], {"price": p}, by) for p, by in ((2.0, 100), (3.0, 100), (4.0, 200))]
    done = apply(TRADES, table(rows), asked)
    assert sorted((r["price"], r["seq"]) for r in plain(done.rows)) == [(3.0, 100), (4.0, 200)]
    assert [(r["price"], r["replaced_by"]) for r in plain(done.replaced)] == [(1.0, 100), (1.0, 100), (2.0, 200)]


def test_rows_amended_by_one_batch_stand_in_the_order_of_their_amendments() -> None:
    rows = [trade(1, "A", 5, p, seq_row=i) for i, p in enumerate((1.0, 2.0, 3.0))]
    asked = [dataclasses.replace(decided(row, {"price": 9.0 - i}, 100), place=i) for i, row in enumerate(rows[::-1])]
    done = apply(TRADES, table(rows), asked)
    assert [(r["price"], r["seq"], r["seq_row"]) for r in plain(done.rows)] == [
        (9.0, 100, 0),
        (8.0, 100, 1),
        (7.0, 100, 2),
    ]


def test_an_amendment_of_an_amended_row_finds_it_by_its_new_seq_or_by_its_old() -> None:
    row = trade(1, "A", 5)
    first = decided(row, {"price": 2.0}, 100)
    for second in (
        decided({**row, "price": 2.0, "seq": 100, "received": 1000}, {"price": 3.0}, 200),
        decided(row, {"price": 3.0}, 200),
    ):
        done = apply(TRADES, table([row]), [first, second])
        assert [(r["price"], r["seq"]) for r in plain(done.rows)] == [(3.0, 200)]
        assert [(r["price"], r["seq"], r["replaced_by"]) for r in plain(done.replaced)] == [
            (1.0, 5, 100),
            (2.0, 100, 200),
        ]


def test_an_amendment_of_a_row_that_is_not_there_is_unmatched_and_harms_nothing() -> None:
    rows = [trade(1, "A", 5)]
    wrong = [
        decided(trade(1, "A", 6), None, 100),
        decided(trade(1, "A", 5, 1.5), None, 100),
        decided(trade(1, "B", 5), None, 100),
    ]
    nothing = [Amendment("trades", "A", 1, 5, {"": "{"}, "remove", {}, "r"),
               Amendment("trades", "A", 1, 5, {}, "replace", {"price": "x"}, "r"),
               Amendment("trades", "A", 1, 5, {}, "replace", {"size": 2**70, "no": 1}, "r")]  # fmt: skip
    other = Amendment("quotes", "A", 1, 5, {}, "remove", {}, "r")
    done = apply(TRADES, table(rows), [*wrong, *nothing, other])
    assert (plain(done.rows), done.replaced.num_rows) == (rows, 0)
    assert done.unmatched == [*wrong, *nothing]


def test_a_value_that_is_not_known_is_found_and_can_be_set() -> None:
    row = trade(1, "A", 5, size=None)
    done = apply(TRADES, table([row]), [decided(row, {"size": 3.0}, 9)])
    assert plain(done.rows)[0]["size"] == 3.0
    again = apply(TRADES, done.rows, [decided(plain(done.rows)[0], {"size": None}, 10)])
    assert plain(again.rows)[0]["size"] is None


@pytest.mark.parametrize(
    ("changes", "reason", "complaint"),
    [
        ({"price": 2.0}, " ", "an amendment needs a reason"),
        ({"prices": 2.0}, "r", "trades has no column 'prices'"),
        ({"time": 2}, "r", r"trades.time says which row it is; remove that row and publish the right one"),
        ({"price": "2"}, "r", "trades.price: expected float, found '2'"),
        ({"price": True}, "r", "trades.price: expected float, found True"),
        ({"trade_id": 2}, "r", "trades.trade_id: expected text, found 2"),
        ({"price": -2.0}, "r", "seq 5, as amended: price must be a positive finite number"),
        ({"price": None}, "r", "seq 5, as amended: price must be a positive finite number"),
    ],
)
def test_what_cannot_be_amended_is_refused(changes: dict[str, Any], reason: str, complaint: str) -> None:
    with pytest.raises(BadRows, match=complaint):
        amendment(TRADES, trade(1, "A", 5), changes, reason)


def test_a_bars_key_stays_and_an_amendment_survives_its_own_row() -> None:
    row = {"time": 1, "sym": "A", "interval": "1m", "open": 1.0, "high": 2.0, "low": 0.1 + 0.2, "close": 1.0,
           "volume": 3.0, "source": "Ä", "vwap": None, "trades": None,
           "seq": 5, "seq_row": 3, "received": 50}  # fmt: skip
    with pytest.raises(BadRows, match=r"bars.interval says which row it is"):
        amendment(BARS, row, {"interval": "5m"}, "r")
    made = amendment(BARS, row, {"close": 2}, "r")
    kept = columns_of(SCHEMA["amendments"], made.columns(77))
    stored = pa.table({"seq": [100], "received": [1000], **{n: kept[n].tolist() for n in kept}})
    (read,) = amendments_of(stored)
    assert read == dataclasses.replace(made, amended_by=100, received=1000)
    done = apply(BARS, table([row], BARS), [read])
    assert plain(done.rows) == [
        {**row, "close": 2.0, "seq": 100, "seq_row": None, "received": 1000}
    ]  # `stored` is of before


def test_an_amendment_whose_json_is_broken_names_no_row() -> None:
    made = amendment(TRADES, trade(1, "A", 5), None, "r")
    row = {**made.columns(7), "seq": 9, "received": 9}
    for broken in ({"row": "{"}, {"row": "[]"}, {"changes": "3"}):
        (read,) = amendments_of(pa.Table.from_pylist([{**row, **broken}]))
        assert apply(TRADES, table([trade(1, "A", 5)]), [read]).unmatched == [read]


ROWS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from("AB"), st.integers(1, 4), st.integers(1, 2)), max_size=12)
ASKED = st.lists(st.tuples(st.integers(0, 11), st.none() | st.integers(1, 3)), max_size=8)


@given(ROWS, ASKED)
def test_amending_equals_a_plain_list_in_which_rows_are_exchanged(
    given_rows: list[tuple[int, str, int, int]], asked: list[tuple[int, int | None]]
) -> None:
    rows = [trade(t, s, q, float(p)) for t, s, q, p in sorted(given_rows, key=lambda r: (r[1], r[0], r[2]))]
    model: list[dict[str, Any] | None] = list(rows)
    replaced, amendments = [], []
    for by, (pick, price) in zip(itertools.count(100), asked, strict=False):
        if pick >= len(rows) or (row := model[pick]) is None:
            continue
        alike = [i for i, r in enumerate(model) if r == row]
        amendments.append(decided(row, None if price is None else {"price": float(price)}, by))
        replaced.append({**row, "replaced_by": by, "replaced_reason": "wrong"})
        fresh = None if price is None else {**row, "price": float(price), "seq": by, "received": by * 10}
        model[alike[0]] = fresh
    done = apply(TRADES, table(rows), amendments)
    left = [r for r in model if r is not None]
    order = [(r["sym"], r["time"], r["seq"]) for r in plain(done.rows)]
    assert order == sorted(order)
    key = lambda r: sorted((k, str(v)) for k, v in r.items())  # noqa: E731
    assert sorted(plain(done.rows), key=key) == sorted(left, key=key)
    assert plain(done.replaced) == replaced
    assert done.unmatched == []
    columns = done.rows.column_names
    gone, made = done.replaced.select(columns), done.made
    assert (row_sum(done.rows) + row_sum(gone)) % MODULUS == (row_sum(table(rows)) + row_sum(made)) % MODULUS
