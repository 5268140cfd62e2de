"""Indicators that are computed series by series: TA-Lib's functions, and the user's own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from plant.indicators.bars import LARGEST, Bar
from plant.indicators.declarations import Declaration
from plant.indicators.incremental import Step
from plant.indicators.own import load_own
from plant.indicators.scalar import step_of
from processor.vectors.parts import Floats
from processor.vectors.vector import Bars, Ints, checked_slots, column_of

WHOLE_BAR = ("open", "high", "low", "close", "volume", "session")
"""What one of the user's own takes in."""


class Each:
    """One declared indicator of TA-Lib's or of the user's own, of many series: a Vector, but for its state.

    That lies in objects that cannot be stored, so there is no `arrays`: after a restart it is warmed up from bars.
    `error` is what the first bar raised that did, "" if none did; such a bar has no value, and everything goes on.
    Raises SettingsError if a class of the user's cannot be imported (`folder` is that of plant.toml) or made.
    """

    def __init__(self, declaration: Declaration, folder: Path | None = None) -> None:
        own = load_own(declaration.kind, folder) if declaration.own else None
        self.declaration = declaration
        self.error = ""
        self._new: Callable[[], Step] = lambda: step_of(declaration, own)
        self._new()  # what is wrong shows here, not with the first bar
        self._steps: list[Step] = []

    def __len__(self) -> int:
        return len(self._steps)

    def grow(self, slots: int) -> None:
        """Make the slots 0..slots-1 usable: new ones are empty, old ones keep their state; never shrinks."""
        self._steps += [self._new() for _ in range(slots - len(self._steps))]

    def reset(self, slots: ArrayLike) -> None:
        """Forget the bars of some slots. Raises IndexError for one that does not exist."""
        for slot in checked_slots(slots, len(self)).tolist():
            self._steps[slot] = self._new()

    def update(self, slots: ArrayLike, bars: Bars) -> dict[str, Floats]:
        """Close one bar in each of some slots and return the values; as Vector.update, of whole bars for own ones."""
        return self.advance(checked_slots(slots, len(self)), bars, keep=True)

    def peek(self, slots: ArrayLike, bars: Bars) -> dict[str, Floats]:
        """Return what `update` would, and change nothing."""
        return self.advance(checked_slots(slots, len(self)), bars, keep=False)

    def run(self, slot: int, bars: Bars) -> dict[str, Floats]:
        """Close m bars of one slot, oldest first: the same values as m calls of `update`. Raises as that."""
        checked_slots([slot], len(self))
        count = len(np.asarray(next(iter(bars.values()))))
        rows = self._bars(bars, count) if self.declaration.own else self._inputs(bars, count)
        return self._over([self._steps[slot]] * count, rows, keep=True)

    def advance(self, slots: Ints, bars: Bars, keep: bool) -> dict[str, Floats]:
        """Do as `update`, or `peek` if not `keep`, with slots that are checked already."""
        rows = self._bars(bars, len(slots)) if self.declaration.own else self._inputs(bars, len(slots))
        return self._over([self._steps[slot] for slot in slots.tolist()], rows, keep)

    def _over(self, steps: Sequence[Step], rows: Sequence[tuple[Any, ...] | None], keep: bool) -> dict[str, Floats]:
        outputs = self.declaration.outputs
        found = np.full((len(rows), len(outputs)), np.nan)
        for i, (step, inputs) in enumerate(zip(steps, rows, strict=True)):
            if inputs is None:
                continue
            try:
                found[i] = step.update(*inputs) if keep else step.peek(*inputs)
            except Exception as error:  # the code is somebody else's
                self.error = self.error or f"{self.declaration.kind}: {type(error).__name__}: {error}"
        found[~np.isfinite(found)] = np.nan
        return {output: found[:, i] for i, output in enumerate(outputs)}

    def _inputs(self, bars: Bars, count: int) -> list[tuple[float, ...] | None]:
        """Return each bar's inputs, None if one of them is not known."""
        series = [column_of(bars, name, count) for name in self.declaration.inputs]
        good = np.ones(count, bool)
        for x in series:
            good &= np.abs(x) <= LARGEST
        rows = zip(*(x.tolist() for x in series), strict=True)
        return [row if is_good else None for row, is_good in zip(rows, good.tolist(), strict=True)]

    def _bars(self, bars: Bars, count: int) -> list[tuple[Bar]]:
        columns = [np.asarray(bars["time"], np.int64).tolist()]
        columns += [column_of(bars, name, count).tolist() for name in WHOLE_BAR[:-1]]
        if "session" in bars:
            columns.append(np.asarray(bars["session"], np.int64).tolist())
        return [(Bar(*row),) for row in zip(*columns, strict=True)]
