"""Objects with versions: a row counts only if it is one more than the last, as a plain model has it."""

from itertools import pairwise
from typing import Any

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import journaled, numbered

from plant.state.strategies import Strategies

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)

ROWS = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(1, 5), st.sampled_from(("create", "update", "delete")), st.booleans()),
    max_size=14,
)


def rows_of(given: list[Any]) -> list[dict[str, Any]]:
    made = [
        {"sym": sym, "version": v, "action": a, "wanted": "stopped", "note": str(i)}
        for i, (sym, v, a, _) in enumerate(given)
    ]
    seq, seqs = 0, []
    for *_, later in given:
        seq += later
        seqs.append(seq)
    return numbered(made, seqs)


def model(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each object that count, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda r: (r["seq"], r["version"], r["seq_row"])):
        own = found.setdefault(row["sym"], [])
        if row["version"] == (own[-1]["version"] if own else 0) + 1:
            own.append(row)
    return found


@law
@given(ROWS, st.lists(st.integers(0, 14), max_size=4), st.integers(0, 5))
def test_the_rows_that_count_are_those_of_the_model(given: list[Any], cuts: list[int], again: int) -> None:
    rows = rows_of(given)
    seqs = sorted({row["seq"] for row in rows})
    bounds = sorted({0, *(seqs[c] for c in cuts if c < len(seqs)), 10**9})
    fold, counted = Strategies(), 0
    for first, last in pairwise(bounds):
        counted += len(fold.take(journaled("strategies", [r for r in rows if first <= r["seq"] < last])))
        fold.take(journaled("strategies", [r for r in rows if first <= r["seq"] < min(first + again, last)]))
    expected = model(rows)
    assert counted == sum(map(len, expected.values()))
    assert {name: fold[name]["note"] for name in fold} == {
        name: own[-1]["note"] for name, own in expected.items() if own and own[-1]["action"] != "delete"
    }
    for name, own in expected.items():
        assert fold.version(name) == len(own)
        for row in own:
            assert fold.writer(name, row["version"]) == (row["seq"], row["seq_row"])
        assert fold.writer(name, len(own) + 1) is None


def test_of_two_writers_the_second_finds_out() -> None:
    fold = Strategies()
    fold.take(journaled("strategies", numbered([fold.changed("s", "create", "one", 1, class_name="C")], [1])))
    assert fold["s"]["class_name"] == "C"
    ours, theirs = fold.changed("s", "update", "one", 2, note="ours"), fold.changed("s", "update", "two", 3)
    fold.take(journaled("strategies", numbered([theirs, ours], [7, 8])))
    assert fold.writer("s", ours["version"]) == (7, 0)
    assert (fold["s"]["who"], fold["s"]["class_name"], fold["s"]["note"]) == ("two", "C", "")


def test_a_change_is_the_whole_object_one_version_on() -> None:
    fold = Strategies()
    first = fold.changed("s", "create", "me", 1, symbols=["A"], parameters={"n": 2}, wanted="running", note="go")
    assert (first["version"], first["symbols"], first["parameters"], first["mode"]) == (1, '["A"]', '{"n": 2}', "paper")
    fold.take(journaled("strategies", numbered([first], [1])))
    paused = fold.changed("s", "update", "me", 2, wanted="paused")
    assert (paused["version"], paused["symbols"], paused["wanted"], paused["note"]) == (2, '["A"]', "paused", "")
    fold.take(
        journaled("strategies", numbered([paused, fold.changed("s", "delete", "me", 3) | {"version": 3}], [2, 3]))
    )
    assert "s" not in fold
    assert len(fold) == 0
    again = fold.changed("s", "create", "me", 4)
    assert (again["version"], again["symbols"]) == (4, '["A"]')


def test_what_is_left_of_a_history_may_begin_with_any_version() -> None:
    rows = numbered([{"version": v, "action": "update", "wanted": "stopped"} for v in (4, 6, 5)], (1, 2, 3))
    part, whole = Strategies(whole=False), Strategies()
    assert [row["version"] for row in part.take(journaled("strategies", rows))] == [4, 5]
    assert whole.take(journaled("strategies", rows)) == []
