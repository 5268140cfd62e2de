"""A run under way: its rows come in, what it makes is compared or published."""

import time
from collections.abc import Callable, Iterator
from itertools import chain

from plant.errors import PlantError, Unavailable
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


class LiveRun:
    """A run, what it is handed, and what the plant has of it already. `publish` takes what is new."""

    def __init__(
        self,
        wanted: Wanted,
        machine: RunMachine,
        inputs: Inputs,
        repeated: Repeated,
        publish: Callable[[Made], None],
    ) -> None:
        self.wanted, self.machine, self.inputs = wanted, machine, inputs
        self._repeated, self._publish = repeated, publish
        self._checked, self._not_before, self._pause = False, 0.0, AGAIN_S
        self._held: Input | None = None  # a row that cannot be taken yet
        self._coming: Iterator[Input] | None = None

    @property
    def recovering(self) -> bool:
        """Whether it is still made again."""
        return not self._checked

    @property
    def busy(self) -> bool:
        """Whether it has more to take at once, without anything coming."""
        return (self.recovering or self._coming is not None) and time.monotonic() >= self._not_before

    def begin(self, begins: Beginning) -> None:
        """Make the rows that a run begins with. Raises repeated.Diverged, Unavailable."""
        self._take(begins.begin())

    def step(self) -> int:
        """Take what has come, for TURN_S at most; return how many rows. Raises repeated.Diverged, Broken."""
        count, until = 0, time.monotonic() + TURN_S
        if until < self._not_before + TURN_S:
            return 0
        if self._held is not None:
            self._coming, self._held = chain((self._held,), self._coming or ()), None  # what comes, behind it
        if self._coming is None:
            self._coming = self.inputs.poll()
        for each in self._coming:
            count += 1
            try:
                made = self.machine.take(each.table, each.row)
            except Unavailable:
                self._held, self._not_before = each, time.monotonic() + self._pause
                self._pause = min(2 * self._pause, LATEST_S)
                return count - 1
            except Exception as error:  # whatever it is: the other runs go on
                raise Broken(f"{each.table} at seq {each.row['seq']:,}: {type(error).__name__}: {error}") from error
            self._pause = AGAIN_S
            if made:
                self._take(made)
            if self.machine.ended or time.monotonic() > until:
                break
        else:
            self._coming = None
        if not self._checked and (self.machine.ended or (self._coming is None and self.inputs.caught_up)):
            self._repeated.finish()
            self._checked = True
        return count

    def close(self) -> None:
        """Disconnect."""
        self.inputs.close()

    def _take(self, made: list[Made]) -> None:
        for each in self._repeated.compare(made):
            self._publish(each)
