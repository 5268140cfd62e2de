"""All declared indicators of all series: each fed with bars, or with the columns of those before it."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plant.indicators.declarations import Declaration, computing_order
from processor.vectors.each import WHOLE_BAR, Each
from processor.vectors.parts import Floats
from processor.vectors.vector import KERNELS, Bars, Ints, Vector, checked_slots, column_of


class DeclaredIndicators:
    """The columns that are declared, computed for many series at once.

    A slot is a series, numbered from 0; `len()` is their number. Answers are dicts of `columns` -> float64, one value
    for each slot asked for, NaN for null; a declaration that does not cover a series is null there. A refused call
    changes nothing. Not for several threads at once.

        indicators = DeclaredIndicators(declared(entries))
        indicators.grow(2)
        indicators.cover(0, "AAPL", "1m")
        indicators.cover(1, "AAPL", "5m")
        indicators.update([0, 1], {"time": ..., "open": ..., "high": ..., "low": ..., "close": ..., "volume": ...})

    `unstored` are the names of declarations whose state is not among `arrays`. Raises SettingsError if a class of the
    user's own cannot be imported, `folder` being that of plant.toml, or made.
    """

    def __init__(self, declarations: Sequence[Declaration], folder: Path | None = None) -> None:
        self.declarations = tuple(declarations)
        self.columns = tuple(column for one in self.declarations for column in one.columns)
        self._computed: dict[str, Vector | Each] = {
            one.name: Vector(one) if one.kind in KERNELS else Each(one, folder)
            for one in computing_order(self.declarations)
        }
        self.unstored = tuple(name for name, one in self._computed.items() if isinstance(one, Each))
        self._covered: dict[str, NDArray[np.bool_]] = {name: np.ones(0, bool) for name in self._computed}
        self._slots = 0

    def __len__(self) -> int:
        return self._slots

    def grow(self, slots: int) -> None:
        """Make the slots 0..slots-1 usable: new ones are empty and all covered, old ones stay; never shrinks."""
        more = slots - self._slots
        if more > 0:
            for name, one in self._computed.items():
                one.grow(slots)
                self._covered[name] = np.concatenate([self._covered[name], np.ones(more, bool)])
            self._slots = slots

    def cover(self, slot: int, sym: str, interval: str) -> None:
        """Say which series a slot is, so that it is computed what is declared for it. Raises IndexError."""
        checked_slots([slot], self._slots)
        for name, one in self._computed.items():
            self._covered[name][slot] = one.declaration.covers(sym, interval)

    def cover_from(self, first: int, series: Sequence[tuple[str, str]]) -> None:
        """Do what `cover` does for the slots first, first + 1, ..: `series` are their symbols and intervals."""
        for name, one in self._computed.items():
            declared = one.declaration
            covered: NDArray[np.bool_] = np.ones(len(series), bool)
            if declared.intervals or declared.symbols:
                covered = np.array([declared.covers(*each) for each in series], bool)
            self._covered[name][first : first + len(series)] = covered

    @property
    def lacking(self) -> NDArray[np.bool_]:
        """Which slots have an indicator whose state is not among `arrays`, bool[slots]."""
        found = np.zeros(self._slots, bool)
        for name in self.unstored:
            found |= self._covered[name]
        return found

    def reset(self, slots: ArrayLike) -> None:
        """Forget the bars of some slots. Raises IndexError for one that does not exist."""
        which = checked_slots(slots, self._slots)
        for one in self._computed.values():
            one.reset(which)

    def update(self, slots: ArrayLike, bars: Bars, only: Collection[str] | None = None) -> dict[str, Floats]:
        """Close one bar in each of some slots and return all columns of those bars.

        `slots`: int64[k], each at most once, in any order. `bars`: columns of k values; `session` may be among them.
        `only`: names of declarations, to warm up those that were not stored; columns of others that these take in must
        be among `bars` then. Raises IndexError, ValueError, KeyError, as Vector.update does.
        """
        return self._advance(slots, bars, True, only)

    def peek(self, slots: ArrayLike, bars: Bars) -> dict[str, Floats]:
        """Return what `update` would, and change nothing: the values of bars that are still forming."""
        return self._advance(slots, bars, False, None)

    def run(self, slot: int, bars: Bars, only: Collection[str] | None = None) -> dict[str, Floats]:
        """Close m bars of one slot, oldest first: the same values, to the last bit, as m calls of `update`, but faster.

        `bars`: columns of m values. Raises as `update` does.
        """
        (which,) = checked_slots([slot], self._slots)
        asked = [one for name, one in self._computed.items() if only is None or name in only]
        count = len(np.asarray(next(iter(bars.values()))))
        known = dict(bars) | self._taken(asked, bars, count)
        found: dict[str, Floats] = {}
        for one in asked:
            if self._covered[one.declaration.name][which]:
                values = one.run(which, known)
            else:
                values = {output: np.full(count, np.nan) for output in one.declaration.outputs}
            columns = dict(zip(one.declaration.columns, values.values(), strict=True))
            known |= columns
            found |= columns
        return {column: found[column] for column in self.columns if column in found}

    def errors(self) -> dict[str, str]:
        """Return what was raised first by each indicator of which a bar raised something: name -> a sentence."""
        return {name: one.error for name, one in self._computed.items() if isinstance(one, Each) and one.error}

    def arrays(self) -> dict[str, Floats]:
        """Return the state of all slots, copied, for a checkpoint: "name/array" -> float64[slots, n]."""
        return {
            f"{name}/{key}": array
            for name, one in self._computed.items()
            if isinstance(one, Vector)
            for key, array in one.arrays().items()
        }

    def restore(self, arrays: Mapping[str, Floats]) -> None:
        """Go on from what `arrays` gave, with as many slots, all covered (`cover`); the unstored are empty.

        Raises ValueError if it is the state of other indicators; then a new one must be made.
        """
        parts: dict[str, dict[str, Floats]] = {}
        for key, array in arrays.items():
            name, _, part = key.partition("/")
            parts.setdefault(name, {})[part] = array
        stored = {name: one for name, one in self._computed.items() if isinstance(one, Vector)}
        if parts.keys() != stored.keys():
            raise ValueError(f"expected the state of {', '.join(stored)}, found that of {', '.join(parts)}")
        for name, one in stored.items():
            one.restore(parts[name])
        counts = {len(one) for one in stored.values()}
        if len(counts) > 1:
            raise ValueError(f"expected the state of equally many slots, found {sorted(counts)}")
        self._slots = 0
        self._covered = {name: np.ones(0, bool) for name in self._computed}
        self.grow(max(counts, default=0))

    def _advance(self, slots: ArrayLike, bars: Bars, keep: bool, only: Collection[str] | None) -> dict[str, Floats]:
        which = checked_slots(slots, self._slots)
        asked = [one for name, one in self._computed.items() if only is None or name in only]
        known = dict(bars) | self._taken(asked, bars, len(which))
        found: dict[str, Floats] = {}
        for one in asked:
            values = self._of(one, which, known, keep)
            columns = dict(zip(one.declaration.columns, values.values(), strict=True))
            known |= columns
            found |= columns
        return {column: found[column] for column in self.columns if column in found}

    def _taken(self, asked: list[Vector | Each], bars: Bars, count: int) -> dict[str, Floats]:
        """Return what is taken in of the bars themselves: what is missing shows before anything is computed."""
        computed = {column for one in asked for column in one.declaration.columns}
        names = {name for one in asked for name in one.declaration.inputs or WHOLE_BAR} - computed
        columns = {name: column_of(bars, name, count) for name in sorted(names)}
        return {name: values for name, values in columns.items() if name != "session"}  # ns are more than a float holds

    def _of(self, one: Vector | Each, slots: Ints, bars: Bars, keep: bool) -> dict[str, Floats]:
        covered = self._covered[one.declaration.name][slots]
        if covered.all():
            return one.advance(slots, bars, keep)
        found = {output: np.full(len(slots), np.nan) for output in one.declaration.outputs}
        if covered.any():
            some = {name: np.asarray(values)[covered] for name, values in bars.items()}
            for output, values in one.advance(slots[covered], some, keep).items():
                found[output][covered] = values
        return found
