"""Vectorised indicators: equal to the scalar ones to the last bit, whatever the bars, and the laws of their state."""

import doctest
import itertools
import re
from math import inf, nan
from random import Random

import numpy as np
import pytest
from bars_for_indicators import columns_of, walk
from chance import examples
from former_indicators import Indicators
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.indicators.bars import Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS, Declaration, declaration_of
from plant.indicators.ours import OURS
from plant.indicators.scalar import scalar
from processor.vectors import vector as module
from processor.vectors.parts import Floats
from processor.vectors.vector import KERNELS, Vector

law = settings(max_examples=examples(20), deadline=None, derandomize=True, database=None)
NAMES = [kind.name for kind in OURS]
SHORT = {
    "macd": {"fast": 3, "slow": 6, "signal": 3},
    "ichimoku": {"conversion": 2, "base": 3, "span": 4, "displacement": 3},
    "keltner": {"period": 3, "atr_period": 2},
    "stochastic": {"period": 3, "smooth": 2, "signal": 2},
    "adx": {"period": 2, "smoothing": 3},
}


def one_of(kind: str, **told: object) -> Declaration:
    return declaration_of({"name": "x", "kind": kind, **told})


def short(kind: str) -> Declaration:
    """Return a kind with parameters so small that few bars warm it up."""
    periods = {p.name: 3 for p in CATALOGUE[kind].parameters if p.name == "period"}
    return one_of(kind, **(SHORT.get(kind) or periods))


def tuples(found: dict[str, Floats]) -> list[tuple[float, ...]]:
    return list(zip(*(values.tolist() for values in found.values()), strict=True))


def same(a: object, b: object) -> bool:
    """Whether two values, or tuples of them, are equal to the bit, NaN and NaN included."""
    return np.array_equal(np.atleast_1d(a), np.atleast_1d(b), equal_nan=True)


def test_doctests_of_the_module_hold() -> None:
    assert doctest.testmod(module).failed == 0


def test_every_kind_of_ours_is_vectorised() -> None:
    assert list(KERNELS) == NAMES


# -- scalar = vectorised

prices = st.one_of(
    st.sampled_from([100.0, 100.01, 99.99, 0.0, -37.63, 1e6, 1e6 + 1e-3, 1e-9, 1e149]),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2)),
)
odd = st.sampled_from([nan, inf, -inf, 2e150])


@st.composite
def histories(draw: st.DrawFn) -> list[list[Bar]]:
    """Draw up to 30 bars of each of three series: flat, jumping, without volume, negative, with unknown values."""
    flat = draw(st.booleans())

    def bar(i: int, last: float) -> Bar:
        price = last if flat and draw(st.integers(0, 5)) else draw(prices)
        up, down = draw(st.sampled_from([(0.0, 0.0), (0.5, 0.0), (0.01, 2.0)]))
        volume = draw(st.sampled_from([0.0, 1.0, 250.0, 1e9]) if draw(st.integers(0, 9)) else odd)
        close = price if draw(st.integers(0, 19)) else draw(odd)
        return Bar(i * 11 * 3600 * 10**9, price, price + up, price - down, close, volume)

    def series() -> list[Bar]:
        bars: list[Bar] = []
        for i in range(draw(st.integers(1, 30))):
            bars.append(bar(i, bars[-1].open if bars else 100.0))
        return bars

    return [series() for _ in range(3)]


@law
@given(histories(), st.randoms(use_true_random=False))
def test_a_value_is_that_of_the_series_alone_to_the_last_bit_and_peek_is_update_on_a_copy(
    every: list[list[Bar]], random: Random
) -> None:
    alone = {kind: [scalar(short(kind)) for _ in every] for kind in NAMES}
    vectors = {kind: Vector(short(kind)) for kind in NAMES}
    for vector in vectors.values():
        vector.grow(len(every))
    for bars in itertools.zip_longest(*every):
        slots = [i for i, bar in enumerate(bars) if bar is not None]
        random.shuffle(slots)
        columns = columns_of([bars[slot] for slot in slots])
        for kind, vector in vectors.items():
            peeked, found = vector.peek(slots, columns), vector.update(slots, columns)
            assert same(tuples(peeked), tuples(found)), kind
            expected = [np.atleast_1d(alone[kind][slot].update(bars[slot])).tolist() for slot in slots]
            assert same(tuples(found), expected), (kind, slots, tuples(found), expected)
            assert not np.isinf(expected).any()


@pytest.mark.parametrize("kind", NAMES)
def test_a_value_does_not_depend_on_how_many_slots_are_updated(kind: str) -> None:
    bars = walk(3, 70)
    declaration = short(kind)
    alone, many = Vector(declaration), Vector(declaration)
    alone.grow(1)
    many.grow(501)
    for bar in bars:
        one = alone.update([0], columns_of([bar]))
        found = many.update(np.arange(501), columns_of([bar] * 501))
    for output, values in found.items():
        assert set(values.tolist()) == {one[output][0]}


# -- the columns that are always there


def test_the_defaults_are_the_numbers_they_always_were() -> None:
    vectors, before = [Vector(one) for one in DEFAULTS], Indicators()
    closes = np.array([[bar.close for bar in walk(seed, 200, move)] for seed, move in ((1, 1e-4), (2, 1e-2), (3, 0))])
    for vector in (*vectors, before):
        vector.grow(3)
    for close in closes.T:
        expected = before.update([0, 1, 2], close)
        found = {}
        for vector in vectors:
            columns = vector.declaration.columns
            found |= dict(zip(columns, vector.update([0, 1, 2], {"close": close}).values(), strict=True))
        assert list(found) == list(expected)
        for name in expected:
            assert same(found[name], expected[name]), name


# -- state


@pytest.mark.parametrize("kind", NAMES)
def test_restored_grown_and_reset_state_goes_on_as_though_nothing_had_been(kind: str) -> None:
    bars, others = walk(4, 120), walk(5, 120)
    declaration = short(kind)
    whole, vector = Vector(declaration), Vector(declaration)
    whole.grow(1)
    vector.grow(2)
    for bar, other in zip(bars[:60], others, strict=False):
        whole.update([0], columns_of([bar]))
        vector.update([1, 0], columns_of([bar, other]))
    restored = Vector(declaration)
    restored.restore(vector.arrays())
    vector.update([0], columns_of(others[60:61]))  # the arrays were copies
    restored.grow(9)
    restored.reset([0])
    anew = Vector(declaration)
    anew.grow(1)
    for bar, other in zip(bars[60:], others, strict=False):
        expected = (
            tuples(whole.update([0], columns_of([bar])))[0],
            *[tuples(anew.update([0], columns_of([other])))[0]] * 2,
        )
        assert same(tuples(restored.update([1, 0, 8], columns_of([bar, other, other]))), expected)


@pytest.mark.parametrize("kind", NAMES)
def test_many_bars_of_one_slot_at_once_are_as_one_by_one_and_so_is_what_follows(kind: str) -> None:
    bars = walk(12, 90)
    bars[20], bars[70] = bars[20]._replace(close=nan, volume=nan), bars[70]._replace(close=nan, volume=nan)
    declaration = short(kind)
    slow, fast = Vector(declaration), Vector(declaration)
    for vector in (slow, fast):
        vector.grow(3)
        vector.update([2, 0], columns_of([bars[30], bars[31]]))
    expected = [tuples(slow.update([1], columns_of([bar])))[0] for bar in bars]
    found: list[tuple[float, ...]] = []
    for start, end in ((0, 0), (0, 1), (1, 2), (2, 50), (50, 80)):
        found += tuples(fast.run(1, columns_of(bars[start:end])))
    found += [tuples(fast.update([1], columns_of([bar])))[0] for bar in bars[80:]]
    assert same(found, expected)
    for name, values in slow.arrays().items():
        assert same(fast.arrays()[name], values)


def test_state_of_another_indicator_is_refused() -> None:
    vector = Vector(one_of("sma", period=5))
    vector.grow(3)
    with pytest.raises(ValueError, match=re.escape("x: expected the arrays")):
        Vector(one_of("sma", period=6)).restore(vector.arrays())
    with pytest.raises(ValueError, match="expected the arrays"):
        Vector(one_of("rsi")).restore({})


def test_an_answer_is_not_changed_by_later_updates() -> None:
    bars = walk(6, 60)
    for kind in NAMES:
        vector = Vector(short(kind))
        vector.grow(1)
        for bar in bars[:40]:
            found = vector.update([0], columns_of([bar]))
        kept = {name: values.copy() for name, values in found.items()}
        vector.update([0], columns_of(bars[50:51]))
        assert same(tuples(found), tuples(kept)), kind


@pytest.mark.parametrize(
    ("slots", "close", "error", "message"),
    [
        ([0, 3], [1.0, 1.0], IndexError, r"slot 3 does not exist, there are 3; call grow\(4\) first"),
        ([1, -1], [1.0, 1.0], IndexError, "slot -1 does not exist"),
        ([2, 1, 2], [1.0, 1.0, 1.0], ValueError, "slot 2 is given more than once"),
        ([0, 1], [1.0], ValueError, r"close: expected float64\[2\], one per slot, found shape \(1,\)"),
        ([0.0], [1.0], ValueError, r"slots: expected int64\[k\], found float64\[1\]"),
    ],
)
def test_wrong_slots_and_shapes_are_refused_with_the_remedy(
    slots: object, close: object, error: type[Exception], message: str
) -> None:
    vector = Vector(one_of("ema"))
    vector.grow(3)
    with pytest.raises(error, match=message):
        vector.update(slots, {"close": close})


def test_a_column_that_is_not_given_is_named() -> None:
    vector = Vector(one_of("atr"))
    vector.grow(1)
    with pytest.raises(KeyError, match="no column 'high'; there are close"):
        vector.update([0], {"close": [1.0]})


@pytest.mark.parametrize("kind", NAMES)
def test_no_slots_give_empty_columns(kind: str) -> None:
    vector = Vector(one_of(kind))
    for slots in (0, 3):
        vector.grow(slots)
        assert [values.tolist() for values in vector.update([], columns_of([])).values()] == [[]] * len(
            vector.declaration.outputs
        )
