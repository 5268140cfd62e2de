"""The trailing stop against its definition, computed anew at every bar."""

import random

import pytest

from api.streams.others.utbot import UtBot


def plainly(bars: list[tuple[float, float, float]], period: int) -> list[tuple[str, float | None, str]]:
    """Return action, stop and position after each bar, from the whole of those before it."""
    found: list[tuple[str, float | None, str]] = []
    stop, position = None, "FLAT"
    for n in range(len(bars)):
        action, close = "HOLD", bars[n][2]
        if n >= period:
            ranges = [
                max(high - low, abs(high - bars[i - 1][2]), abs(low - bars[i - 1][2]))
                for i, (high, low, _) in enumerate(bars)
                if n - period < i <= n
            ]
            atr = sum(ranges) / period
            if stop is None:
                stop, position = close - atr, "LONG"
            else:
                up = position == "LONG"
                stop = max(stop, close - atr) if up else min(stop, close + atr)
                if (close < stop) if up else (close > stop):
                    action, position = ("SELL", "SHORT") if up else ("BUY", "LONG")
                    stop = close + atr if up else close - atr
        found.append((action, stop, position))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_it_follows_its_definition(seed: int) -> None:
    chance, bars, price = random.Random(seed), [], 100.0
    for _ in range(300):
        price = max(price + chance.gauss(0, 1), 1.0)
        bars.append((price + chance.random(), price - chance.random(), price))
    bot, told = UtBot(), []
    for bar in bars:
        action = bot.take(*bar)
        told.append((action, bot.stop, bot.position))
    expected = plainly(bars, 10)
    assert [(a, p) for a, _, p in told] == [(a, p) for a, _, p in expected]
    assert [s for _, s, _ in told] == [s if s is None else pytest.approx(s) for _, s, _ in expected]
    assert {action for action, _, _ in told} == {"HOLD", "BUY", "SELL"}
