"""A venue's limits, kept: never more than it takes, in any stretch of time."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

from feedhandler.venue import token_bucket
from feedhandler.venue.token_bucket import TokenBucket


def test_the_example_holds() -> None:
    assert doctest.testmod(token_bucket).failed == 0


@given(
    waits=st.lists(st.tuples(st.floats(0, 3), st.sampled_from([0.5, 1.0, 2.0])), max_size=40),
    tokens=st.sampled_from([1.0, 5.0]),
    per_s=st.sampled_from([0.5, 2.0]),
)
def test_no_stretch_of_time_has_more_than_the_limit(
    waits: list[tuple[float, float]], tokens: float, per_s: float
) -> None:
    bucket = TokenBucket(tokens, per_s)
    now, taken = 1_000.0, []
    for wait_s, weight in waits:
        now += wait_s
        if bucket.take(now, min(weight, tokens)):
            taken.append((now, min(weight, tokens)))
    for k, (start, _) in enumerate(taken):
        for end, _ in taken[k:]:
            inside = sum(weight for at, weight in taken if start <= at <= end)
            assert inside <= tokens + (end - start) * per_s + 1e-6


@given(weight=st.floats(0.1, 20))
def test_it_gives_after_the_wait_that_it_told(weight: float) -> None:
    bucket = TokenBucket(5.0, 2.0)
    bucket.take(0.0, 5.0)
    wait_s = bucket.wait_s(0.0, weight)
    assert not bucket.take(wait_s * 0.99, weight)
    assert bucket.take(wait_s + 1e-6, weight)


def test_the_venues_word_counts_over_that() -> None:
    bucket = TokenBucket(5.0, 2.0)
    bucket.pause(60.0, 10.0)
    bucket.pause(5.0, 10.0)
    assert bucket.wait_s(30.0) == 40
    assert (bucket.paused(69.9), bucket.paused(70.0)) == (True, False)
    assert bucket.take(70.0)
