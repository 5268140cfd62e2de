"""Sums that are the same in any order, and right."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processor.trades.exact_sums import limbs, total

SIZES = st.floats(0, 1e15) | st.integers(0, 10**9).map(float) | st.integers(0, 10**12).map(lambda n: n / 1e8)


@given(st.lists(SIZES | SIZES.map(lambda x: -x), min_size=1, max_size=30), st.randoms())
def test_a_sum_is_the_same_in_any_order_and_grouping_and_right(values: list[float], chance: object) -> None:
    found = limbs(np.array(values))
    whole = total(found.sum(axis=0)[None])[0]
    half = len(values) // 2
    assert total((found[half:].sum(axis=0) + found[:half][::-1].sum(axis=0))[None])[0] == whole
    assert math.isclose(whole, math.fsum(values), rel_tol=3e-16, abs_tol=1e-15)


def test_whole_numbers_are_exact() -> None:
    values = np.array([2.0**52, 1.0, 3.0, 300.0])
    assert total(limbs(values).sum(axis=0)[None]).tolist() == [2.0**52 + 304]
