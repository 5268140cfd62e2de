"""A run under way: its rows come in, what it makes is compared or published."""

from collections.abc import Callable

from plant.errors import PlantError
from trading.live.inputs import Inputs
from trading.live.machine import Made, RunMachine
from trading.live.repeated import Repeated


class Broken(PlantError):
    """A run that cannot take a row it was handed."""


class LiveRun:
    """A run, what it is handed, and what the plant has of it already. `publish` takes what is new."""

    def __init__(
        self, machine: RunMachine, inputs: Inputs, repeated: Repeated, publish: Callable[[Made], None]
    ) -> None:
        self.machine, self.inputs = machine, inputs
        self._repeated, self._publish = repeated, publish
        self._checked = False

    @property
    def recovering(self) -> bool:
        """Whether it is still made again."""
        return not self._checked

    def begin(self, assumed: tuple[str, ...]) -> None:
        """Make the rows that a run begins with."""
        self._take(self.machine.begin(assumed))

    def step(self) -> int:
        """Take what has come; return how many rows. Raises repeated.Diverged, Broken."""
        count = 0
        for each in self.inputs.poll():
            count += 1
            try:
                made = self.machine.take(each.table, each.row)
            except Exception as error:  # whatever it is: the other runs go on
                raise Broken(f"{each.table} at seq {each.row['seq']:,}: {type(error).__name__}: {error}") from error
            if made:
                self._take(made)
            if self.machine.ended:
                break
        if not self._checked and (self.inputs.caught_up or self.machine.ended):
            self._repeated.finish()
            self._checked = True
        return count

    def close(self) -> None:
        """Disconnect."""
        self.inputs.close()

    def _take(self, made: list[Made]) -> None:
        for each in self._repeated.compare(made):
            self._publish(each)
