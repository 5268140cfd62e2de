"""Flags: a pole, and a line that falls (rises) from its tip over the bodies behind it, until a close crosses it.

After `Merced3/Flag-Zone-Bot`, `indicators/flag_manager.py`. One flag of each direction at a time: its tip is the
highest body (of bear flags the lowest) since the last one ended, with the bar that ended it as the first. A tip that
can be no flag's any more, as it was too many bars ago or too much of its pole was taken back, is given up likewise.
Bear flags are bull flags of negative prices.
"""

from math import inf, isnan, nan

from plant.detectors.annotation import CREATE, DELETE, UPDATE, Annotation, Change, moment, written
from plant.detectors.machine import ClosedBar, Machine, Place

BULL_FLAG, BEAR_FLAG = "bull_flag", "bear_flag"

LEAST_POLE_BARS, MOST_POLE_BARS = 3, 30
LEAST_BARS, MOST_BARS = 3, 20
MOST_RETRACED = 0.5


class Flag(Machine):
    """bull_flag or bear_flag of one symbol and interval; `sign` 1 or -1."""

    STATE = ("bots", "tip_time", "tip", "pole", "bars", "slope", "touched", "touched_bars", "lowest", "there")

    def __init__(self, place: Place, sign: int) -> None:
        super().__init__(place)
        self.sign, self.type = sign, BULL_FLAG if sign == 1 else BEAR_FLAG
        self.bots: list[float] = []  # of the last bars, MOST_POLE_BARS - 1 at most
        self.tip_time, self.tip = 0, -inf
        self.pole = nan  # its height; 0: none is needed; NaN: no pole leads to this tip
        self.bars = 0  # since the tip
        self.slope = -inf  # a bar
        self.touched, self.touched_bars = 0, 0  # the bar that the line goes to: its start, and bars since the tip
        self.lowest = inf  # body since the tip
        self.there = False  # whether there is an object

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take a bar of a regular session."""
        top, bot = (bar.top, bar.bot) if self.sign == 1 else (-bar.bot, -bar.top)
        changes = self._step(bar, top, bot, atr)
        self.bots.append(bot)
        del self.bots[: -(MOST_POLE_BARS - 1)]
        return changes

    def _step(self, bar: ClosedBar, top: float, bot: float, atr: float) -> list[Change]:
        if self.there:
            line = self.tip + self.slope * (self.bars + 1)
            if bar.close * self.sign > line and (bar.close - bar.open) * self.sign >= 0:
                where = f"closed at {written(bar.close)}, beyond the line at {written(line * self.sign)}"
                return [self._ended("confirmed", bar, where, top, atr, line)]
        if top > self.tip:
            changes = []
            if self.there:
                reason = f"the tip moved to {written(top * self.sign)}"
                changes = [Change(bar.end, DELETE, self._flag("forming"), reason, final=True)]
            self._begin(bar, top, atr)
            return changes
        self.bars += 1
        moved = (slope := (top - self.tip) / self.bars) > self.slope
        if moved:
            self.slope, self.touched, self.touched_bars = slope, bar.time, self.bars
        self.lowest = min(self.lowest, bot)
        retraced = self.pole > 0 and self.tip - self.lowest > MOST_RETRACED * self.pole
        if retraced or self.bars > MOST_BARS:
            return self._given_up(bar, top, atr, retraced)
        if isnan(self.pole) or self.bars < LEAST_BARS:
            return []
        if not self.there:
            self.there = True
            return [Change(bar.end, CREATE, self._flag("forming"), self._told())]
        return [Change(bar.end, UPDATE, self._flag("forming"), "the line moved")] if moved else []

    def _begin(self, bar: ClosedBar, top: float, atr: float) -> None:
        """Let a bar be the tip."""
        self.tip_time, self.tip, self.bars, self.slope, self.lowest = bar.time, top, 0, -inf, inf
        self.there = False
        least = self.place.terms.flag_pole_atr
        self.pole = 0.0
        if least:
            base = self.bots[: len(self.bots) - LEAST_POLE_BARS + 2]
            height = top - min(base) if base else nan
            self.pole = height if height >= least * atr else nan

    def _given_up(self, bar: ClosedBar, top: float, atr: float, retraced: bool) -> list[Change]:
        changes = []
        if self.there:
            part = f"{written((self.tip - self.lowest) / self.pole)} of the pole was taken back" if retraced else ""
            state, reason = ("failed", part) if retraced else ("expired", f"more than {MOST_BARS} bars")
            changes = [Change(bar.end, UPDATE, self._flag(state), reason, final=True)]
        self._begin(bar, top, atr)
        return changes

    def _ended(self, state: str, bar: ClosedBar, reason: str, top: float, atr: float, line: float) -> Change:
        flag = self._flag(state)._replace(end_at=bar.time, price_end=line * self.sign)
        self._begin(bar, top, atr)
        return Change(bar.end, UPDATE, flag, reason, final=True)

    def _flag(self, state: str) -> Annotation:
        name = f"{self.type}/{self.place.sym}/{self.place.interval}/{moment(self.tip_time)}"
        line = (self.tip + self.slope * self.touched_bars) * self.sign
        return Annotation(
            name, "flag", self.type, self.place.interval, self.tip_time, self.touched, self.tip * self.sign, line,
            state=state, text=self.type.replace("_", " "),
        )  # fmt: skip

    def _told(self) -> str:
        pole = f"a pole of {written(self.pole)}" if self.pole else "no pole asked for"
        return f"{self.bars} bars behind the tip at {written(self.tip * self.sign)}, {pole}"
