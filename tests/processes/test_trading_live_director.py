"""Which runs rows of `strategies` ask for: the same for every trader that reads them."""

from typing import Any

import pytest

from plant.state.newest import Row
from trading.live.director import Director, has_ended, run_id

SECOND = 10**9


def row(seq: int, wanted: str = "running", **columns: Any) -> Row:
    found = {"sym": "s", "seq": seq, "seq_row": 0, "received": (1_795_000_000 + seq) * SECOND, "wanted": wanted}
    told = dict.fromkeys(("class_name", "definition", "code_sha", "parameters", "symbols", "interval", "account"), "")
    return found | told | {"action": "update", "mode": "paper"} | columns


def runs_of(*rows: Row, runs: dict[str, Row] | None = None) -> list[tuple[int, bool]]:
    """Return (first_seq, paused) of the runs that rows began."""
    director = Director()
    for each in rows:
        director.take([each])
    return [(each.first_seq, each.paused) for each in director.begun(runs or {}).values()]


def ended(seq: int, *, of: Row) -> dict[str, Row]:
    return {run_id(of): {"state": "failed", "seq": seq}}


def test_a_run_goes_on_until_it_is_stopped() -> None:
    rows = [row(1), row(2, "paused"), row(3), row(4, "stopped"), row(5)]
    assert runs_of(*rows[:1]) == [(1, False)]
    assert runs_of(*rows[:2]) == [(1, True)]
    assert runs_of(*rows[:3]) == [(1, False)]
    assert runs_of(*rows) == [(1, False), (5, False)]
    director = Director()
    director.take(rows[:4])
    assert director.wanted({}) == {}
    director.take(rows[4:])
    assert director.wanted({})["s"].run == run_id(rows[4])


@pytest.mark.parametrize("column", ["class_name", "definition", "parameters", "symbols", "interval", "account", "mode"])
def test_another_strategy_is_another_run(column: str) -> None:
    assert runs_of(row(1), row(2, note="why", **{column: "other"})) == [(1, False), (2, False)]
    assert runs_of(row(1), row(2, note="why")) == [(1, False)]


def test_a_run_that_ended_by_itself_is_begun_again_by_a_row_behind_its_end() -> None:
    first = row(1)
    assert runs_of(first, runs=ended(5, of=first)) == [(1, False)]
    assert runs_of(first, row(3), runs=ended(5, of=first)) == [(1, False)]
    assert runs_of(first, row(6), runs=ended(5, of=first)) == [(1, False), (6, False)]
    assert has_ended(run_id(first), ended(5, of=first))
    assert not has_ended(run_id(first), {})


def test_a_deleted_strategy_does_not_run() -> None:
    director = Director()
    director.take([row(1), row(2, action="delete")])
    assert director.wanted({}) == {}


def test_the_id_of_a_run_is_made_of_its_row_and_short_enough_for_a_broker() -> None:
    one, other = row(81_234), row(81_234, seq_row=1)
    assert run_id(one) == run_id(dict(one))
    assert run_id(one) != run_id(other)
    longest = run_id(row(10**9) | {"received": 4_000_000_000 * SECOND, "seq_row": 35})
    assert len(longest) <= 16
    assert set(longest) <= set("0123456789abcdefghijklmnopqrstuvwxyz-")
