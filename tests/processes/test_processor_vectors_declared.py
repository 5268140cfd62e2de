"""All declared indicators of all series: columns that take in one another, whom they are for, their state."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from bars_for_indicators import columns_of, walk

from plant.errors import SettingsError
from plant.indicators.bars import Bar
from plant.indicators.declarations import declared
from plant.indicators.scalar import scalar
from processor.vectors.declared import DeclaredIndicators

ENTRIES = [
    {"name": "smooth", "kind": "sma", "period": 3, "input": "strength"},
    {"name": "strength", "kind": "rsi", "period": 4, "input": "hl2"},
    {"name": "theirs", "kind": "STOCH"},
    {"name": "of_theirs", "kind": "ema", "period": 2, "input": "theirs_slowk"},
    {"name": "range", "kind": "atr", "period": 2, "intervals": ["1m"], "symbols": ["A*"]},
    {"name": "own", "kind": f"{__name__}:Reach", "outputs": ["up", "down"]},
    {"name": "day", "kind": "vwap"},
]


SERIES = [("AAPL", "1m"), ("AAPL", "5m"), ("TSLA", "1m")]


class Reach:
    outputs = ("up", "down")

    def __init__(self) -> None:
        self.highest = 0.0

    def update(self, bar: Bar) -> tuple[float, float]:
        self.highest = max(self.highest, bar.high)
        if bar.volume == 13:
            raise ValueError("unlucky")
        return self.highest, -bar.low


def indicators(slots: int = 3) -> DeclaredIndicators:
    found = DeclaredIndicators(declared(ENTRIES, defaults=False))
    found.grow(slots)
    for slot, series in zip(range(slots), SERIES, strict=False):
        found.cover(slot, *series)
    return found


def rows(bars: list[list[Bar]]) -> Iterator[dict[str, np.ndarray]]:
    return (columns_of(list(side)) for side in zip(*bars, strict=True))


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return list(a) == list(b) and all(np.array_equal(a[name], b[name], equal_nan=True) for name in a)


def test_columns_take_in_one_another_and_are_those_of_scalars_in_a_chain() -> None:
    bars = [walk(seed, 60) for seed in (1, 2, 3)]
    found = indicators()
    strength, smooth = ([scalar(kind, **told) for _ in range(3)] for kind, told in (
        ("rsi", {"period": 4, "input": "hl2"}), ("sma", {"period": 3})))  # fmt: skip
    stochastic, of_theirs = [scalar("STOCH") for _ in range(3)], [scalar("ema", period=2) for _ in range(3)]
    for columns, side in zip(rows(bars), zip(*bars, strict=True), strict=True):
        peeked, given = found.peek([0, 1, 2], columns), found.update([0, 1, 2], columns)
        assert same(peeked, given)
        assert tuple(given) == found.columns
        for slot, bar in enumerate(side):
            value = strength[slot].update(bar)
            assert repr(float(given["strength"][slot])) == repr(value)
            assert repr(float(given["smooth"][slot])) == repr(smooth[slot].update(value))
            slow = stochastic[slot].update(bar).slowk
            assert repr(float(given["of_theirs"][slot])) == repr(of_theirs[slot].update(slow))
    assert np.isfinite(given["range"]).tolist() == [True, False, False]
    assert given["own_up"].tolist() == [max(bar.high for bar in series) for series in bars]


def test_many_bars_of_one_series_at_once_are_as_one_by_one_and_so_is_what_follows() -> None:
    bars, slow, fast = walk(11, 70), indicators(), indicators()
    for slot in (0, 1):
        expected = [slow.update([slot], columns_of([bar])) for bar in bars]
        found = [fast.run(slot, columns_of(bars[:20])), fast.run(slot, columns_of(bars[20:60]))]
        found += [fast.update([slot], columns_of([bar])) for bar in bars[60:]]
        whole = [
            {name: np.concatenate([part[name] for part in parts]) for name in slow.columns}
            for parts in (found, expected)
        ]
        assert same(*whole)


def test_a_bar_that_raises_has_no_value_is_told_once_and_everything_goes_on() -> None:
    bars = walk(4, 4)
    bars[1], bars[2] = bars[1]._replace(volume=13.0), bars[2]._replace(volume=13.0)
    found = indicators(1)
    assert found.errors() == {}
    values = [found.update([0], columns_of([bar]))["own_down"][0] for bar in bars]
    assert np.isfinite(values).tolist() == [True, False, False, True]
    assert found.errors() == {"own": f"{__name__}:Reach: ValueError: unlucky"}


def test_state_is_restored_and_the_unstored_are_warmed_up_from_bars() -> None:
    bars = [walk(seed, 60) for seed in (5, 6, 7)]
    whole, computed = indicators(), []
    for columns in rows([series[:40] for series in bars]):
        computed.append((columns, whole.update([0, 1, 2], columns)))
    assert whole.unstored == ("theirs", "own")
    restored = DeclaredIndicators(whole.declarations)
    restored.restore(whole.arrays())
    for slot, series in enumerate(SERIES):
        restored.cover(slot, *series)
    for columns, before in computed:
        warmed = restored.update([0, 1, 2], columns | before, only=restored.unstored)
        assert same(warmed, {name: before[name] for name in warmed})
        assert set(warmed) == {"theirs_slowk", "theirs_slowd", "own_up", "own_down"}
    for columns in rows([series[40:] for series in bars]):
        assert same(restored.update([2, 0], {k: v[[2, 0]] for k, v in columns.items()}), {
            name: values[[2, 0]] for name, values in whole.update([0, 1, 2], columns).items()})  # fmt: skip


def test_reset_and_growing_begin_anew_and_leave_the_others() -> None:
    bars, found, anew = walk(8, 50), indicators(), indicators()
    for bar in bars:
        found.update([0, 1], columns_of([bar, bar]))
    found.reset([0])
    found.grow(5)
    for bar in bars:
        expected = anew.update([0], columns_of([bar]))
        assert same(found.update([0], columns_of([bar])), expected)
    assert np.isfinite(found.update([4], columns_of([bars[0]]))["range"]).tolist() == [False]
    assert np.isfinite(found.update([1], columns_of([bars[0]]))["smooth"]).tolist() == [True]


def test_sessions_begin_as_the_bars_say() -> None:
    found = indicators(1)
    bars = [bar._replace(volume=1.0) for bar in walk(9, 6)]
    sessions = [10**18, 10**18, 10**18 + 3600 * 10**9] * 2
    for bar, session in zip(bars, sessions, strict=True):
        given = found.update([0], columns_of([bar]) | {"session": np.array([session])})
        alone = scalar("vwap").update(bar)
        assert (given["day"][0] == alone.vwap) == (bar not in (bars[1], bars[4]))


def test_what_is_missing_shows_before_anything_is_computed() -> None:
    bars, found, anew = walk(10, 30), indicators(1), indicators(1)
    for bar in bars:
        columns = columns_of([bar])
        with pytest.raises(KeyError, match="no column 'volume'"):
            found.update([0], {name: values for name, values in columns.items() if name != "volume"})
        assert same(found.update([0], columns), anew.update([0], columns))


def test_state_of_other_declarations_is_refused() -> None:
    found = DeclaredIndicators(declared([]))
    with pytest.raises(ValueError, match=re.escape("expected the state of sma_20, ema_20, ema_50, rsi_14, macd, bb")):
        found.restore(indicators().arrays())


def test_a_class_that_cannot_be_imported_is_refused() -> None:
    with pytest.raises(SettingsError, match="'nowhere:X' cannot be imported"):
        DeclaredIndicators(declared([{"name": "x", "kind": "nowhere:X"}]))
