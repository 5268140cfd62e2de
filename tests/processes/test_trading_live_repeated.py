"""What a run makes again is compared with what the plant has; the rest is handed on, in order."""

from typing import Any

import pytest
from state_rows import through_the_plant

from plant.rows.tables import schema_of
from plant.state.newest import Row
from trading.live.machine import Made
from trading.live.repeated import Diverged, Repeated

SCHEMA = schema_of()


def plot(number: int, value: float = float("nan")) -> Made:
    told = {"time": number, "sym": "A", "run": "r", "market_time": number, "interval": "1m", "name": "x"}
    return Made("plots", {**told, "value": value})


def event(number: int, **columns: Any) -> Made:
    return Made("strategy_events", {"time": number, "sym": "s", "run": "r", "kind": "log", "detail": "", **columns})


def there(*made: Made) -> dict[str, list[Row]]:
    """Return rows as the plant has them once they went through it."""
    found: dict[str, list[Row]] = {}
    for seq, each in enumerate(made, 1):
        found.setdefault(each.table, []).append(
            {**through_the_plant(each.table, each.row), "seq": seq, "seq_row": 0, "received": 5}
        )
    return found


ALL = [event(1), plot(2), plot(3, 1.5), event(3), plot(4), event(9)]


@pytest.mark.parametrize("count", range(len(ALL) + 1))
def test_what_the_plant_has_is_not_published_again_and_the_rest_is_in_order(count: int) -> None:
    repeated = Repeated(SCHEMA, there(*ALL[:count]))
    new = [each for made in ALL for each in repeated.compare([made])]
    assert new == ALL[count:]
    assert (repeated.compared, repeated.missed) == (count, 0)
    repeated.finish()


def test_nothing_is_published_before_all_that_there_is_was_made_again() -> None:
    repeated = Repeated(SCHEMA, there(plot(1), plot(2)))
    assert not repeated.holds
    assert repeated.compare([event(1), plot(1)]) == []
    assert repeated.holds
    assert repeated.compare([plot(2)]) == [event(1)]
    assert not repeated.holds


def test_another_value_is_told_with_both() -> None:
    repeated = Repeated(SCHEMA, there(plot(1, 2.0)))
    with pytest.raises(Diverged, match=r"plots\.value: expected 2\.0, as the plant has it at seq 1, found 2\.5"):
        repeated.compare([plot(1, 2.5)])
    with pytest.raises(Diverged, match=r"strategy_events\.detail: expected 'a'"):
        Repeated(SCHEMA, there(event(1, detail="a"))).compare([event(1, detail="b")])


def test_what_is_left_out_or_not_known_is_what_the_plant_makes_of_it() -> None:
    known = {"time": 5, "sym": "s ", "run": "r", "kind": "log", "detail": " as it is "}
    made = [Made("strategy_events", known), Made("runs", {"time": 5, "sym": "s", "run": "r", "state": "x", "bars": 3})]
    repeated = Repeated(SCHEMA, there(*made))
    assert repeated.compare(made) == []
    for column, value in (("start_at", 7), ("progress", 0.5), ("bars", 4), ("class_name", "C")):
        with pytest.raises(Diverged, match=rf"runs\.{column}: "):
            Repeated(SCHEMA, there(*made)).compare([Made("runs", {**made[1].row, column: value})])


def test_a_row_that_is_not_made_again_is_told() -> None:
    repeated = Repeated(SCHEMA, there(plot(1), plot(2)))
    repeated.compare([plot(1)])
    with pytest.raises(Diverged, match="a row of plots that was not made again: time=2, sym=A"):
        repeated.finish()
