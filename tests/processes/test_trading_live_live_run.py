"""A run under way: a row that cannot be taken yet is taken again, before those behind it."""

import time
from collections.abc import Iterator
from typing import Any

from plant.errors import Unavailable
from plant.rows.tables import schema_of
from trading.live.inputs import Input
from trading.live.live_run import LiveRun
from trading.live.machine import Made
from trading.live.repeated import Repeated


class Machine:
    """Takes rows; what has to be asked for `late` is not there at first."""

    def __init__(self, late: int) -> None:
        self.late, self.ended, self.taken = late, "", []

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
        self.rows = [Input("commands", {"seq": seq}) for seq in (1, 2, 3, 4)]

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
