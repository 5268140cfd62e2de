"""When a level is tested, and when it is broken: one rule for all levels.

A bar whose range touches a level tests it, one that closes beyond it by BEYOND_ATR average true ranges breaks it; a
broken one stays broken. Beyond is above for a level that was above the price, a resistance, and below for one that was
below, a support. Which of the two a level is that is neither by what it means (the close before, say) the first bar
decides whose open, or else whose close, lies on one side of it.
"""

from plant.detectors.annotation import UPDATE, Annotation, Change, written
from plant.detectors.machine import ClosedBar

BEYOND_ATR = 0.1

ABOVE, EITHER, BELOW = 1, 0, -1
"""Where a level is broken to: above (resistance), below (support), or not known yet."""

Watched = tuple[Annotation, int]
"""A level and where it is broken to."""


def watch(levels: list[Watched], bar: ClosedBar, atr: float, final: bool = True) -> list[Change]:
    """Have levels tested by a bar, in place, and return what changed. A broken one leaves the list: it is over."""
    changes: list[Change] = []
    gone, (high, low, close), margin = False, bar[3:6], BEYOND_ATR * atr
    for i, (level, side) in enumerate(levels):
        price = level.price
        if side == EITHER:
            side = _side(price, bar)
            levels[i] = level, side
        touched = low <= price <= high
        beyond = (close - price) * side
        if beyond > 0 and beyond >= margin:
            where = "above" if side == ABOVE else "below"
            reason = f"closed at {written(close)}, {where} {written(price)} by 0.1 ATR ({written(atr)}) or more"
            changes.append(Change(bar.end, UPDATE, level._replace(state="broken"), reason, final))
            gone = True
        elif touched and level.state == "active":
            reason = f"the bar from {written(low)} to {written(high)} touched {written(price)}"
            level = level._replace(state="tested")
            levels[i] = level, side
            changes.append(Change(bar.end, UPDATE, level, reason))
    if gone:
        broken = {change.annotation.id for change in changes if change.annotation.state == "broken"}
        levels[:] = [one for one in levels if one[0].id not in broken]
    return changes


def expired(levels: list[Watched], time: int) -> list[Change]:
    """Return the end of levels, in place, whose end_at is not behind `time`, ns."""
    over = [level for level, _ in levels if level.end_at <= time]
    if over:
        levels[:] = [one for one in levels if one[0].end_at > time]
    return [Change(time, UPDATE, level._replace(state="expired"), "its time is over", final=True) for level in over]


def _side(price: float, bar: ClosedBar) -> int:
    for value in (bar.open, bar.close):
        if value != price:
            return ABOVE if value < price else BELOW
    return EITHER
