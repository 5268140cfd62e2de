"""A run under way: a row that cannot be taken yet is taken again, before those behind it."""

import time
from collections.abc import Iterator
from typing import Any

from state_rows import through_the_plant

from plant.errors import Unavailable
from plant.rows.tables import schema_of
from trading.live.inputs import Input
from trading.live.live_run import LiveRun
from trading.live.machine import Made
from trading.live.repeated import Repeated
from trading.turns.takings import Takings


class Machine:
    """Takes rows; what has to be asked for `late` is not there at first."""

    def __init__(self, late: int) -> None:
        self.late, self.ended, self.taken, self.takings = late, "", [], Takings()

    def take(self, table: str, row: dict[str, Any]) -> list[Made]:
        if row["seq"] == 2 and self.late:
            self.late -= 1
            raise Unavailable("the rdb is away")
        self.taken.append(row["seq"])
        return []


class Rows:
    """Hands on rows 1 to 4."""

    caught_up = True

    def __init__(self) -> None:
        self.rows = [Input("commands", {"seq": seq, "seq_row": 0}) for seq in (1, 2, 3, 4)]

    def poll(self) -> Iterator[Input]:
        while self.rows:
            yield self.rows.pop(0)


def test_a_row_for_which_something_could_not_be_asked_is_taken_before_those_behind_it() -> None:
    machine: Any = Machine(late=3)
    run = LiveRun(None, machine, Rows(), Repeated(schema_of(), {}), lambda made: None)  # type: ignore[arg-type]
    deadline = time.monotonic() + 20
    idle = False
    while machine.taken != [1, 2, 3, 4] and time.monotonic() < deadline:
        run.step()
        idle |= not run.busy
    assert machine.taken == [1, 2, 3, 4]
    assert idle, "it does not spin meanwhile"
    run.step()
    assert not run.recovering


class Making:
    """Makes a row of each row that it takes."""

    def __init__(self) -> None:
        self.ended, self.takings = "", Takings()

    def take(self, table: str, row: dict[str, Any]) -> list[Made]:
        told = {"time": row["seq"], "sym": "s", "run": "r", "market_time": row["seq"]}
        event = Made("strategy_events", {**told, "kind": "log", "detail": str(row["seq"])})
        return [event, Made("plots", {**told, "interval": "1m", "name": "x", "value": 1.0})]


def test_a_row_is_taken_once_its_turn_has_come_and_told_as_taken_once_all_of_it_is_published() -> None:
    plots = [Making().take("", {"seq": seq})[1] for seq in (1, 2)]
    there = {"plots": [through_the_plant("plots", each.row) | {"seq": 9} for each in plots]}
    machine: Any = Making()
    inputs: Any = Rows()
    inputs.rows = [Input("commands", {"seq": seq, "seq_row": 0}) for seq in (1, 2, 3, 4)]
    seen: list[tuple[int, int]] = []
    through = 2

    def waits(run: LiveRun, table: str, row: dict[str, Any]) -> bool:
        seen.append(run.place)
        return row["seq"] > through

    published: list[Made] = []
    run = LiveRun(None, machine, inputs, Repeated(schema_of(), there), published.append, waits)  # type: ignore[arg-type]
    for _ in range(100):
        run.step()
        assert run.waiting
        assert not run.busy
    assert seen[:3] == [(-1, -1), (-1, -1), (2, 0)], "of the first the plant has one row, not the other"
    assert [each.row["detail"] for each in published] == ["1", "2"]
    through = 4
    while run.recovering:
        run.step()
    assert (run.place, run.waiting) == ((4, 0), False)
