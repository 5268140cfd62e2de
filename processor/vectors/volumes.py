"""Vectorised indicators of prices and volumes together: the formulas of plant/indicators/volumes.py."""

import numpy as np

from processor.vectors.parts import Floats, Parts, Windows, push, ratio, total


class Vwap:
    """main, upper, lower: the mean price of the session so far by volume, and bands in deviations around it."""

    def __init__(self, parts: Parts, deviations: float) -> None:
        self.deviations = deviations
        self.session, self.volume = parts.number(), parts.number(0.0)
        self.mean, self.variance = parts.number(0.0), parts.number(0.0)

    def __call__(
        self, s: Floats, w: Windows, x: Floats, volume: Floats, session: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return the means and their bands with `x`; `session` tells one session from the next."""
        same = session == s[self.session]
        before, mean, variance = (np.where(same, s[i], 0.0) for i in (self.volume, self.mean, self.variance))
        so_far = before + np.where(volume > 0, volume, 0.0)
        share = np.where(volume > 0, ratio(volume, so_far, 0.0), 0.0)
        distance = x - mean
        mean = np.where(share > 0, mean + share * distance, mean)
        variance = np.where(share > 0, (1 - share) * (variance + share * (distance * distance)), variance)
        s[self.session], s[self.volume], s[self.mean], s[self.variance] = session, so_far, mean, variance
        mean = np.where(so_far > 0, mean, np.nan)
        width = self.deviations * np.sqrt(variance)
        return mean, mean + width, mean - width


class Obv:
    """The volume of bars that rose less that of bars that fell, since the first bar, which counts 0."""

    def __init__(self, parts: Parts) -> None:
        self.before, self.balance = parts.number(), parts.number(0.0)

    def __call__(self, s: Floats, w: Windows, x: Floats, volume: Floats) -> Floats:
        """Return the balances with these bars."""
        before = s[self.before]
        s[self.balance] += volume * ((x > before).astype(np.float64) - (x < before))
        s[self.before] = x
        return s[self.balance].copy()


class Mfi:
    """The share of money (price * volume) of bars that rose, in percent; 50 if there was none."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.rising, self.falling, self.before = parts.window(period - 1), parts.window(period - 1), parts.number()

    def __call__(self, s: Floats, w: Windows, x: Floats, volume: Floats) -> Floats:
        """Return the indices with these bars."""
        money, before = volume * x, s[self.before]
        up, down = np.where(x <= before, 0.0, money), np.where(x >= before, 0.0, money)
        rising, falling = total(up, w[self.rising]), total(down, w[self.falling])
        push(w[self.rising], up)
        push(w[self.falling], down)
        s[self.before] = x
        return 100 * ratio(rising, rising + falling, 0.5)
