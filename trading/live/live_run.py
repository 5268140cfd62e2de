"""A run under way: its rows come in, what it makes is compared or published."""

import time
from collections.abc import Callable, Iterator

from plant.errors import PlantError, Unavailable
from plant.state.newest import Row
from trading.accounts.beginning import Beginning
from trading.live.director import Wanted
from trading.live.inputs import Input, Inputs
from trading.live.machine import Made, RunMachine
from trading.live.repeated import Repeated

TURN_S = 0.2
"""Longest a run is worked at before the process looks at others, and at signals."""


AGAIN_S, LATEST_S = 0.02, 2.0
"""Pause before a row is taken again for which something had to be asked that was not there: it grows, to LATEST_S."""


class Broken(PlantError):
    """A run that cannot take a row it was handed."""


def never(run: "LiveRun", table: str, row: Row) -> bool:
    """Return whether a run has to wait before it takes a row: it need not, whatever others do."""
    return False


class LiveRun:
    """A run, what it is handed, and what the plant has of it already.

    publish   takes what is new
    waits     tells whether the run has to wait before it takes a row, for others to take it first
    place     the last row that it has taken, (seq, seq_row), all that it made of it being published
    """

    def __init__(
        self,
        wanted: Wanted,
        machine: RunMachine,
        inputs: Inputs,
        repeated: Repeated,
        publish: Callable[[Made], None],
        waits: Callable[["LiveRun", str, Row], bool] = never,
    ) -> None:
        self.wanted, self.machine, self.inputs = wanted, machine, inputs
        self._repeated, self._publish, self._waits = repeated, publish, waits
        self._checked, self._not_before, self._pause = False, 0.0, AGAIN_S
        self.place, self.waiting = (-1, -1), False
        self._held: Input | None = None  # a row that cannot be taken yet
        self._coming: Iterator[Input] | None = None

    @property
    def recovering(self) -> bool:
        """Whether it is still made again."""
        return not self._checked

    @property
    def busy(self) -> bool:
        """Whether it has more to take at once, without anything coming."""
        has_more = (self.recovering or self._coming is not None) and not self.waiting
        return has_more and time.monotonic() >= self._not_before

    def begin(self, begins: Beginning) -> None:
        """Make the rows that a run begins with. Raises repeated.Diverged, Unavailable."""
        self._take(begins.begin())

    def step(self) -> int:
        """Take what has come, for TURN_S at most; return how many rows. Raises repeated.Diverged, Broken."""
        count, until = 0, time.monotonic() + TURN_S
        if until < self._not_before + TURN_S:
            return 0
        while (each := self._next()) is not None:
            table, row = each
            self.waiting = self._waits(self, table, row)
            if self.waiting:
                self._held = each
                return count
            try:
                made = self.machine.take(table, row)
            except Unavailable:
                self._held, self._not_before = each, time.monotonic() + self._pause
                self._pause = min(2 * self._pause, LATEST_S)
                return count
            except Exception as error:  # whatever it is: the other runs go on
                raise Broken(f"{table} at seq {row['seq']:,}: {type(error).__name__}: {error}") from error
            self._pause = AGAIN_S
            count += 1
            if made:
                self._take(made)
            if not self._repeated.holds:
                self.place = row["seq"], row["seq_row"]
            if self.machine.ended or time.monotonic() > until:
                break
        self.machine.takings.passed(self.place)
        if not self._checked and (self.machine.ended or (self._coming is None and self.inputs.caught_up)):
            self._repeated.finish()
            self._checked = True
        return count

    def close(self) -> None:
        """Disconnect."""
        self.inputs.close()

    def _next(self) -> Input | None:
        """Return the next row that there is, None if there is none; what was held is before what comes."""
        if (held := self._held) is not None:
            self._held = None
            return held
        if self._coming is None:
            self._coming = self.inputs.poll()
        found = next(self._coming, None)
        if found is None:
            self._coming = None
        return found

    def _take(self, made: list[Made]) -> None:
        for each in self._repeated.compare(made):
            self._publish(each)
