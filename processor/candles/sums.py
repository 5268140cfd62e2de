"""Bars added to bars that follow on them, and what a day's bar has besides its minutes."""

from collections.abc import Sequence

import numpy as np

from processor.trades.counting import Print


def sums_of(values: np.ndarray) -> np.ndarray:
    """Return bars (float64[k, 7], as VALUES) with what was paid in the place of vwap: what can be added up."""
    found = values.copy()
    found[:, 5] = np.where(values[:, 4] > 0, values[:, 5] * values[:, 4], 0.0)
    return found


def added(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return each bar with the one that follows on it; NaN as open: there is none. float64[k, 7] of both."""
    found = np.empty_like(one)
    found[:, 0] = one[:, 0]
    found[:, 1], found[:, 2] = np.maximum(one[:, 1], other[:, 1]), np.minimum(one[:, 2], other[:, 2])
    found[:, 3] = other[:, 3]
    found[:, 4:] = one[:, 4:] + other[:, 4:]
    none, no_other = np.isnan(one[:, 0]), np.isnan(other[:, 0])
    found[none] = other[none]
    found[no_other] = one[no_other]
    return found


def together(sums: np.ndarray) -> np.ndarray:
    """Return bars that follow on one another as one: float64[7] of float64[k, 7], k > 0; both as `sums_of` has them."""
    there = sums[~np.isnan(sums[:, 0])]
    if not len(there):
        return sums[0]
    added_up = np.cumsum(there[:, 4:], axis=0)[-1]  # one after the other, as `added` does it
    return np.array([there[0, 0], there[:, 1].max(), there[:, 2].min(), there[-1, 3], *added_up])


def values_from(sums: np.ndarray) -> np.ndarray:
    """Return bars with their vwap: what `sums_of` began with."""
    found = sums.copy()
    found[:, 5] = np.nan
    np.divide(sums[:, 5], sums[:, 4], out=found[:, 5], where=sums[:, 4] > 0)
    return found


def with_prints(sums: np.ndarray, prints: Sequence[Print]) -> np.ndarray:
    """Return a day's bar with the trades that set its close after it: sums of one bar, float64[7]."""
    found = sums.copy()
    for each in sorted(prints, key=lambda one: one.key):
        found[1], found[2], found[3] = max(found[1], each.price), min(found[2], each.price), each.price
        if each.size:
            found[4:] += (each.size, each.size * each.price, 1.0)
    return found


def emptied_of(had: np.ndarray) -> np.ndarray:
    """Return bars that lost their last trade: at their close, volume 0, no trades. float64[k, 7]."""
    found = np.repeat(had[:, 3:4], had.shape[1], axis=1)
    found[:, 4], found[:, 5], found[:, 6] = 0.0, np.nan, 0.0
    return found
