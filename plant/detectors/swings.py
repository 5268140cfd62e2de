"""Turning points: pivots that stand out from their neighbours, and the zigzag of moves of some size."""

from math import inf, nan

from plant.detectors.annotation import CREATE, UPDATE, Annotation, Change, moment, written
from plant.detectors.machine import ClosedBar, Machine, Place

PIVOTS = ("pivot_high", "pivot_low")
ZIGZAG = "zigzag"


class Pivots(Machine):
    """pivot_high and pivot_low of one symbol and interval."""

    STATE = ("bars",)

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.bars: list[ClosedBar] = []  # the last 2 n + 1

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take a bar of a regular session."""
        n = self.place.terms.pivot_bars
        self.bars.append(bar)
        del self.bars[: -(2 * n + 1)]
        if len(self.bars) < 2 * n + 1:
            return []
        middle, before, after = self.bars[n], self.bars[:n], self.bars[n + 1 :]
        changes = []
        high = all(middle.high > one.high for one in before) and all(middle.high >= one.high for one in after)
        low = all(middle.low < one.low for one in before) and all(middle.low <= one.low for one in after)
        for type_, so, price in zip(PIVOTS, (high, low), (middle.high, middle.low), strict=True):
            if so and type_ in self.place.terms.types:
                name = f"{type_}/{self.place.sym}/{self.place.interval}/{moment(middle.time)}"
                text = type_.replace("_", " ")
                pivot = Annotation(
                    name, "pivot", type_, self.place.interval, middle.time, price=price, state="confirmed", text=text
                )
                beyond = "above" if type_ == PIVOTS[0] else "below"
                changes.append(
                    Change(bar.end, CREATE, pivot, f"{written(price)}, {beyond} {n} bars on either side", final=True)
                )
        return changes


UP, DOWN, UNKNOWN = 1, -1, 0


Seen = tuple[int, float, float]
"""Start of a bar (ns), its high and its low."""


class ZigZag(Machine):
    """zigzag of one symbol and interval: confirmed pivots, which alternate, and the leg that runs.

    A bar that is the extreme and far enough from it as well confirms nothing: its high and its low have no order.
    """

    STATE = ("direction", "pivot", "high", "low", "after")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.direction = UNKNOWN  # of the leg that runs
        self.pivot: Seen = (0, nan, nan)  # where it began
        self.high: Seen = (0, -inf, -inf)  # the bar of the highest high since then
        self.low: Seen = (0, inf, inf)
        self.after: list[Seen] = []  # bars behind the one that may become the next pivot

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take a bar of a regular session."""
        seen = (bar.time, bar.high, bar.low)
        begins = not self.high[0]
        moved = self._take(seen)
        if begins:
            return []
        if self.direction != DOWN and self.high != seen and self._far(self.high[1] - bar.low, self.high[1], atr):
            return self._confirmed(UP, bar)
        if self.direction != UP and self.low != seen and self._far(bar.high - self.low[2], self.low[2], atr):
            return self._confirmed(DOWN, bar)
        return [self._leg(bar.end, UPDATE)] if self.direction != UNKNOWN and moved else []

    def _take(self, seen: Seen) -> bool:
        """Take a bar into the leg that runs, and return whether it is its extreme now."""
        higher, lower = seen[1] > self.high[1], seen[2] < self.low[2]
        self.after.append(seen)
        if self.direction == UNKNOWN:
            self.high = seen if higher else self.high
            self.low = seen if lower else self.low
            first = min(self.high[0], self.low[0])
            if higher or lower:
                self.after = [one for one in self.after if one[0] > first]
            return False
        if not (higher if self.direction == UP else lower):
            return False
        self.high, self.low = (seen, self.low) if self.direction == UP else (self.high, seen)
        self.after = []
        return True

    def _far(self, distance: float, extreme: float, atr: float) -> bool:
        size = self.place.terms.zigzag
        return distance >= (size * extreme if size < 1 else size * atr)

    def _confirmed(self, leg: int, bar: ClosedBar) -> list[Change]:
        """Return the pivot at the end of a leg, and the leg that runs from there."""
        first = self.direction == UNKNOWN
        self.pivot = self.high if leg == UP else self.low
        time, price = self.pivot[0], self.pivot[1 if leg == UP else 2]
        text = "high" if leg == UP else "low"
        name = f"{ZIGZAG}/{self.place.sym}/{self.place.interval}/{moment(time)}"
        pivot = Annotation(name, "pivot", ZIGZAG, self.place.interval, time, price=price, state="confirmed", text=text)
        reach = written(bar.low if leg == UP else bar.high)
        found = Change(bar.end, CREATE, pivot, f"{text} {written(price)}, from which a bar reached {reach}", final=True)
        rest = [seen for seen in self.after if seen[0] > time]
        self.direction = DOWN if leg == UP else UP
        if leg == UP:
            self.low = min(rest, key=lambda seen: seen[2])
            extreme = self.low
        else:
            self.high = max(rest, key=lambda seen: seen[1])
            extreme = self.high
        self.after = [seen for seen in rest if seen[0] > extreme[0]]
        return [found, self._leg(bar.end, CREATE if first else UPDATE)]

    def _leg(self, time: int, action: str) -> Change:
        up = self.direction == UP
        extreme = self.high if up else self.low
        price, reached = (self.pivot[2], extreme[1]) if up else (self.pivot[1], extreme[2])
        leg = Annotation(
            f"{ZIGZAG}/{self.place.sym}/{self.place.interval}/leg", "line", ZIGZAG, self.place.interval,
            self.pivot[0], extreme[0], price, reached, state="forming", text="up" if up else "down",
        )  # fmt: skip
        return Change(time, action, leg, f"{leg.text} from {written(price)} to {written(reached)}")
