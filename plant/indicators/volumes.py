"""Scalar indicators of prices and volumes together."""

from math import nan, sqrt

from plant.indicators.incremental import Step, empty_window, total


class Vwap(Step):
    """main, upper, lower: the mean price of the session so far by volume, and bands in deviations around it.

    NaN until a session has a volume. Mean and variance move by each bar's share of the volume, so neither can cancel.
    """

    __slots__ = ("deviations", "mean", "session", "variance", "volume")

    def __init__(self, deviations: float) -> None:
        self.deviations = deviations
        self.session, self.volume, self.mean, self.variance = nan, 0.0, 0.0, 0.0

    def update(self, x: float, volume: float, session: float) -> tuple[float, float, float]:
        """Return the mean and its bands with `x`; `session` tells one session from the next."""
        if session != self.session:
            self.session, self.volume, self.mean, self.variance = session, 0.0, 0.0, 0.0
        if volume > 0:
            self.volume += volume
            share, distance = volume / self.volume, x - self.mean
            self.mean += share * distance
            self.variance = (1 - share) * (self.variance + share * (distance * distance))
        if not self.volume:
            return nan, nan, nan
        width = self.deviations * sqrt(self.variance)
        return self.mean, self.mean + width, self.mean - width


class Obv(Step):
    """The volume of bars that rose less that of bars that fell, since the first bar, which counts 0."""

    __slots__ = ("balance", "before")

    def __init__(self) -> None:
        self.before, self.balance = nan, 0.0

    def update(self, x: float, volume: float) -> float:
        """Return the balance with this bar."""
        self.balance += volume * ((x > self.before) - (x < self.before))
        self.before = x
        return self.balance


class Mfi(Step):
    """The share of money (price * volume) of bars that rose, in percent, over the last `period`; 50 if there was none.

    The first bar of all, as in Pine, counts on both sides.
    """

    __slots__ = ("before", "falling", "rising")

    def __init__(self, period: int) -> None:
        self.rising, self.falling, self.before = empty_window(period - 1), empty_window(period - 1), nan

    def update(self, x: float, volume: float) -> float:
        """Return the index with this bar."""
        money = volume * x
        up, down = 0.0 if x <= self.before else money, 0.0 if x >= self.before else money
        rising, falling = total(up, self.rising), total(down, self.falling)
        self.rising.append(up)
        self.falling.append(down)
        self.before = x
        both = rising + falling
        return 100 * (rising / both) if both else 50.0
