"""Sums that do not depend on the order of what is summed.

A float is written as five limbs of 40 bits, the lowest worth 2**-100; limbs are summed as ints, which is exact, and
only the total is rounded. So bars of the same trades are the same to the last digit, whatever came first and in which
batches: 0.1 + 0.2 + 0.3 of floats is not 0.3 + 0.2 + 0.1. 2**23 values may be summed, each of less than 2**99 (6e29);
what is smaller than 2**-100 (8e-31) is left out.
"""

import numpy as np

BEYOND = 2.0**99
"""What is this large cannot be summed so."""

LIMBS = 5
_BITS = 40
_LOWEST = -100
_MASK = (1 << _BITS) - 1


def limbs(values: np.ndarray) -> np.ndarray:
    """Return the limbs of floats of less than BEYOND, lowest first: int64[n, LIMBS]. Their sums are exact."""
    found = np.empty((len(values), LIMBS), dtype=np.int64)
    rest = np.abs(np.asarray(values, dtype=np.float64))
    for at in range(LIMBS - 1, -1, -1):
        unit = 2.0 ** (_LOWEST + at * _BITS)
        whole = np.floor(rest / unit)  # exact: a power of two
        found[:, at] = whole
        rest = rest - whole * unit
        if not rest.any():  # whole numbers, as most sizes are
            found[:, :at] = 0
            break
    negative = np.signbit(values)
    found[negative] = -found[negative]
    return found


def total(sums: np.ndarray) -> np.ndarray:
    """Return what sums of limbs are worth, float64[n]: the same for the same exact sum, within a rounding of it."""
    negative = _carried(sums)[:, -1] < 0
    whole = _carried(np.where(negative[:, None], -sums, sums))
    result = np.zeros(len(sums))
    for at in range(LIMBS):  # from the lowest: what is lost is lost below the last digit
        result = result + whole[:, at].astype(np.float64) * 2.0 ** (_LOWEST + at * _BITS)
    return np.where(negative, -result, result)


def _carried(sums: np.ndarray) -> np.ndarray:
    """Return the same sums with each limb but the highest in [0, 2**40): one form for each sum."""
    found = sums.copy()
    for at in range(LIMBS - 1):
        found[:, at + 1] += found[:, at] >> _BITS
        found[:, at] &= _MASK
    return found
