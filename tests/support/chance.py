"""How often a test kills or cuts, and the seed of its chance.

`make test` runs a few faults, `make soak` as many as the test names, by the same code. What is random is made from
SEED, which every test of faults prints at its start; TICKPLANT_SEED sets it, to repeat a run that failed.
"""

import os

import pytest

SEED = int(os.environ.get("TICKPLANT_SEED", "20261120"))
FEW = 5
SOAK = bool(os.environ.get("TICKPLANT_SOAK"))


def times(faults: str, soak: int, timeout_s: int = 600) -> pytest.MarkDecorator:
    """Run a test with its argument `faults` ("kills", "cuts") being FEW; in a soak, `soak`, within `timeout_s`."""
    long = (pytest.mark.soak, pytest.mark.timeout(timeout_s))
    return pytest.mark.parametrize(
        faults, [pytest.param(FEW, id=f"{FEW} {faults}"), pytest.param(soak, id=f"{soak} {faults}", marks=long)]
    )


def cases(few: int, soak: int, timeout_s: int = 1800, at_once: int = 25) -> pytest.MarkDecorator:
    """Run a test with its argument `numbers` being those of `few` cases; in a soak, of `soak`, within `timeout_s`.

    The few come `at_once` a test, so that no worker is left alone with all of them at the end.
    """
    short, long = pytest.mark.timeout(600), (pytest.mark.soak, pytest.mark.timeout(timeout_s))
    some = [range(start, min(start + at_once, few)) for start in range(0, few, at_once)]
    return pytest.mark.parametrize(
        "numbers",
        [
            *(pytest.param(each, id=f"cases {each.start} to {each.stop - 1}", marks=short) for each in some),
            pytest.param(range(soak), id=f"{soak} cases", marks=long),
        ],
    )


def examples(number: int) -> int:
    """Return how many examples Hypothesis tries of a property: all in a soak, else a third, others each time."""
    return number if SOAK else max(number // 3, min(number, 10))
