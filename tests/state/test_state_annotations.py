"""Annotations folded: as a plain model has them, as the SQL of their table has them, and from where one left off."""

import math
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import NOON, journaled, numbered, through_the_plant

from plant.rows.columns import taken
from plant.rows.tables import schema_of
from plant.state.annotations import Annotations, counting, history_of, selected, state_of
from plant.state.newest import rows_of_columns

law = settings(max_examples=examples(150), deadline=None, derandomize=True, database=None)

TIMES = schema_of()["annotations"].times
SQL = """select id, version from events
qualify row_number() over (partition by id order by seq desc, version desc) = 1 and action <> 'delete'"""

EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from((1, 1, 1, 0, 2)),  # how many versions further than the newest
        st.sampled_from(("create", "update", "update", "delete")),
        st.integers(0, 5),  # decided so long after NOON, in any order
        st.booleans(),  # in a later record than the row before
    ),
    max_size=14,
)


def events_of(given: list[Any]) -> list[dict[str, Any]]:
    """Return rows with seqs; the first of each id is its version 1."""
    made, seqs, seq, newest = list[dict[str, Any]](), list[int](), 1, dict[str, int]()
    for i, (name, step, action, time, later) in enumerate(given):
        known = newest.get(name, 0)
        version = known + step if known else 1
        newest[name] = max(known, version) if step == 1 or not known else known
        row = {"id": name, "version": version, "action": action, "kind": "level", "state": "active"}
        made.append({**row, "time": NOON + time, "text": str(i)})
        seq += later
        seqs.append(seq)
    return numbered(made, seqs)


def counted(rows: list[dict[str, Any]], whole: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each id that count: a loop over all rows."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda r: (r["seq"], r["version"], r["seq_row"])):
        own = found.setdefault(row["id"], [])
        if row["version"] == (own[-1]["version"] + 1 if own else 1 if whole else row["version"]):
            own.append(row)
    return found


def texts(columns: Any) -> set[str]:
    return set(columns["text"].tolist())


@law
@given(
    EVENTS,
    st.lists(st.integers(0, 14), max_size=3),
    st.booleans(),
    st.none() | st.integers(-1, 5),
    st.none() | st.integers(0, 9),
)
def test_state_and_history_are_those_of_the_model(
    given: list[Any], cuts: list[int], whole: bool, time: int | None, seq: int | None
) -> None:
    rows = events_of(given)
    rows = rows[cuts[0] :] if cuts and not whole else rows  # what is left of a history
    expected = counted(rows, whole)
    events = journaled("annotations", rows)
    there = set[str]()
    for own in expected.values():
        known = [r for r in own if time is None or r["time"] <= NOON + time]
        known = [r for r in known if seq is None or r["seq"] <= seq]
        there |= {r["text"] for r in known[-1:] if r["action"] != "delete"}
    assert texts(state_of(events, None if time is None else NOON + time, seq, whole)) == there
    for name, own in expected.items():
        assert history_of(events, name, whole)["text"].tolist() == [row["text"] for row in own]
    seqs = sorted({row["seq"] for row in rows})
    bounds = sorted({0, *(seqs[c] for c in cuts if c < len(seqs)), 10**9})
    fold = Annotations(whole)
    for first, last in pairwise(bounds):
        fold.take(journaled("annotations", [row for row in rows if first <= row["seq"] < last]))
    assert {row["text"] for row in fold.values()} == texts(state_of(events, whole=whole))
    assert all(fold.version(name) == (own[-1]["version"] if own else 0) for name, own in expected.items())


@law
@given(EVENTS)
def test_without_writers_that_met_the_state_is_that_of_the_sql(given: list[Any]) -> None:
    rows = [row for own in counted(events_of(given)).values() for row in own]
    frame = pd.DataFrame({c: [r[c] for r in rows] for c in ("id", "version", "seq", "action")})
    with duckdb.connect() as db:
        db.register("events", frame.astype({"id": str, "action": str, "version": int, "seq": int}))
        found = db.sql(SQL).fetchall()
    state = state_of(journaled("annotations", rows))
    assert set(found) == set(zip(state["id"].tolist(), state["version"].tolist(), strict=True))


@law
@given(EVENTS, st.integers(0, 14))
def test_the_state_and_what_came_since_are_all_there_is(given: list[Any], cut: int) -> None:
    rows = events_of(given)
    cut = rows[cut]["seq"] if cut < len(rows) else 10**9
    before, rest = ([r for r in rows if (r["seq"] < cut) is early] for early in (True, False))
    state = [own[-1] for own in counted(before).values() if own]  # those that were deleted, too: their versions count
    fold = Annotations(whole=False)
    fold.take(journaled("annotations", state))
    fold.take(journaled("annotations", rest))
    whole = Annotations()
    whole.take(journaled("annotations", rows))
    assert {name: row["text"] for name, row in fold.items()} == {name: row["text"] for name, row in whole.items()}
    again = journaled("annotations", [*state, *rest])
    assert texts(state_of(again, whole=False)) == texts(state_of(journaled("annotations", rows)))


def test_of_two_writers_with_one_version_the_later_one_lost() -> None:
    fold = Annotations()
    first = fold.changed("x", "create", "user:one", NOON, kind="level", sym="A", price=10.0, start_at=NOON)
    fold.take(journaled("annotations", numbered([first], [1])))
    ours = fold.changed("x", "update", "user:one", NOON + 1, price=11.0)
    theirs = fold.changed("x", "update", "user:two", NOON + 2, price=12.0)
    events = numbered([first, theirs, ours], [1, 7, 8])
    fold.take(journaled("annotations", events))
    assert fold.writer("x", ours["version"]) == (7, 0)
    assert (fold["x"]["price"], fold["x"]["source"]) == (12.0, "user:two")
    assert history_of(journaled("annotations", events), "x")["price"].tolist() == [10.0, 12.0]


def test_a_row_that_is_there_twice_counts_once() -> None:
    rows = numbered([{"id": "a", "version": v, "action": "update", "kind": "text"} for v in (1, 2)], [1, 2])
    events = journaled("annotations", rows)
    twice = taken(events, np.array([1, 0, 1, 0, 0]))
    assert counting(twice)["version"].tolist() == [1, 2]
    assert counting(taken(events, np.array([1, 1])), whole=False)["version"].tolist() == [2]
    assert len(counting(taken(events, np.array([], dtype=int)))["seq"]) == 0
    assert len(state_of(taken(events, np.array([], dtype=int)))["seq"]) == 0


def test_a_changed_row_is_the_whole_object_one_version_on() -> None:
    fold = Annotations()
    row = fold.changed("x", "create", "user:me", NOON, sym="A", kind="zone", top=2.0, bottom=1.0, start_at=NOON)
    assert (row["version"], row["type"], row["state"], row["source"]) == (1, "user", "active", "user:me")
    assert (row["end_at"], row["text"], math.isnan(row["price"])) == (None, "", True)
    stored = through_the_plant("annotations", row)
    fold.take(journaled("annotations", [{**stored, "seq": 1, "seq_row": 0}]))
    moved = fold.changed("x", "update", "user:me", NOON + 1, top=3.0)
    assert {**moved, "top": 2.0} == pytest.approx(
        {**row, "version": 2, "action": "update", "time": NOON + 1}, nan_ok=True
    )
    gone = fold.changed("x", "delete", "user:you", NOON + 2, "not any more")
    fold.take(journaled("annotations", numbered([moved, gone | {"version": 3}], [2, 3])))
    assert ("x" in fold, fold.version("x"), fold.newest("x")["reason"]) == (False, 3, "not any more")  # type: ignore[index]
    assert fold.of("A") == []


def columns(*rows: dict[str, Any]) -> Any:
    blank = {"price": math.nan, "price_end": math.nan, "top": math.nan, "bottom": math.nan, "end_at": None}
    blank |= {"interval": "", "state": "active", "sym": "X", "version": 1, "action": "create"}
    told = [{**blank, "id": str(i), **row} for i, row in enumerate(rows)]
    return journaled("annotations", numbered(told, range(1, len(rows) + 1)))


SHOWN = columns(
    {"kind": "level", "price": 10.0, "start_at": NOON, "sym": "A"},
    {"kind": "zone", "top": 12.0, "bottom": 11.0, "start_at": NOON, "end_at": NOON + 5, "interval": "15m"},
    {"kind": "line", "price": 9.0, "price_end": 13.0, "start_at": NOON, "end_at": NOON + 9, "interval": "5m"},
    {"kind": "marker", "price": 10.5, "start_at": NOON + 2, "state": "expired"},
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "0123"),
        ({"sym": ["A"]}, "0"),
        ({"sym": ["nothing"]}, ""),
        ({"interval": ["5m"]}, "023"),
        ({"kind": ["zone", "line"]}, "12"),
        ({"state": ["expired"]}, "3"),
        ({"low": 11.5}, "12"),
        ({"high": 10.0}, "02"),
        ({"low": 12.5, "high": 12.9}, "2"),
        ({"start": NOON + 6}, "02"),
        ({"start": NOON + 2, "end": NOON + 3}, "0123"),
        ({"end": NOON}, ""),
        ({"end": NOON + 1}, "012"),
        ({"start": NOON + 5, "end": NOON + 6}, "012"),
    ],
)
def test_what_one_asks_for(asked: dict[str, Any], found: str) -> None:
    assert "".join(selected(SHOWN, **asked)["id"].tolist()) == found


def test_rows_of_the_state_read_as_rows_of_the_fold() -> None:
    fold = Annotations()
    fold.take(SHOWN)
    rows = rows_of_columns(state_of(SHOWN), TIMES)
    assert [{k: v for k, v in row.items() if v == v} for row in fold.values()] == [
        {k: v for k, v in row.items() if v == v} for row in rows
    ]
