"""A model: the six signals as they were written before there were conditions.

Every signal is a line that crosses a level: another line, or a number. It crosses above when it was at or below on the
previous bar and is above now; it crosses below when it was at or above and is below now (Pine's ta.crossover and
ta.crossunder). A null (NaN, or a column that is absent) on either bar gives no event. So a signal comes with the bar
that parts the two, never with the bar on which they only touch.

Two bars cannot tell whether lines that touch came from above or from below: above, touch, above would be a second
crossing above. `settle` keeps the last bar on which they were apart, for use as `previous`:

    previous = {}
    for current in closed_bars:
        events = signals(previous, current)
        previous = settle(previous, current)

Lines that touched ever since they stopped being null (a price that never moved) do cross when they part.

Closer than ROUNDING of the price (for the RSI: of the level) is touching. While a price moves in a straight line, the
macd and its signal run into the same limit and tremble around each other in their last bits: no crossings either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, isnan, log10, nan

ROUNDING = 1e-12  # relative; the averages' own rounding is some 1e-15 of the price


@dataclass(frozen=True, slots=True)
class Signal:
    """One event: a row of the table `signals` but for time, sym, interval and price.

    `signal` is that of a rule, `side` is "buy" or "sell", `detail` a sentence such as
    "RSI 14 fell below 30 (29.4, was 31.2)".
    """

    signal: str
    side: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What raises a signal: the column `line` crosses `level`, a column or a number, upwards if `above`."""

    signal: str
    side: str
    line: str
    above: bool
    level: str | float


RULES = (
    Rule("golden_cross", "buy", "sma_20", True, "ema_50"),
    Rule("death_cross", "sell", "sma_20", False, "ema_50"),
    Rule("rsi_oversold", "buy", "rsi_14", False, 30.0),
    Rule("rsi_overbought", "sell", "rsi_14", True, 70.0),
    Rule("macd_cross_up", "buy", "macd", True, "macd_signal"),
    Rule("macd_cross_down", "sell", "macd", False, "macd_signal"),
)

_WORDS = {"sma_20": "SMA 20", "ema_50": "EMA 50", "rsi_14": "RSI 14", "macd": "MACD", "macd_signal": "its signal line"}
_DIGITS = {"sma_20": 6, "rsi_14": 3, "macd": 3}  # significant digits in a sentence, more where two numbers need them


def signals(previous: Mapping[str, float], current: Mapping[str, float]) -> list[Signal]:
    """Return the events of a bar that has just closed, in the order of RULES.

    `previous` and `current` are the indicators of the bar before and of this one, column -> value; `previous` is empty
    for the first bar, and comes from `settle` where touching lines must not cross twice.

    >>> signals({"rsi_14": 31.2}, {"rsi_14": 29.4})
    [Signal(signal='rsi_oversold', side='buy', detail='RSI 14 fell below 30 (29.4, was 31.2)')]
    """
    found = []
    for rule in RULES:
        before, now = _gap(rule, previous), _gap(rule, current)
        crossed = before <= 0 < now if rule.above else before >= 0 > now  # false if either is NaN
        if crossed:
            found.append(Signal(rule.signal, rule.side, _detail(rule, previous, current)))
    return found


def settle(previous: Mapping[str, float], current: Mapping[str, float]) -> dict[str, float]:
    """Return what to give as `previous` with the bar after `current`.

    It is `current`, but where a line touches its level there, both are those of the last bar on which they were apart.
    The RSI has two levels and one memory: if it falls from above 70 to 30 itself in one bar, it has not left 70 yet.
    """
    settled = dict(current)
    for rule in RULES:
        before = _gap(rule, previous)
        if _gap(rule, current) == 0 and before != 0 and not isnan(before):
            settled.update({name: previous[name] for name in (rule.line, rule.level) if isinstance(name, str)})
    return settled


def _gap(rule: Rule, bar: Mapping[str, float]) -> float:
    if isinstance(rule.level, str):
        level = bar.get(rule.level, nan)
        scale = bar.get("sma_20", 0.0)  # also for the macd: a small difference, with the rounding of the price
    else:
        level = scale = rule.level
    gap = bar.get(rule.line, nan) - level
    return 0.0 if abs(gap) <= ROUNDING * abs(scale) else gap


def _detail(rule: Rule, previous: Mapping[str, float], current: Mapping[str, float]) -> str:
    crossing = "rose above" if rule.above else "fell below"
    significant = _DIGITS[rule.line]
    if isinstance(rule.level, str):
        level = _WORDS[rule.level]
        now, was = (
            " against ".join(_decimals(bar[rule.line], bar[rule.level], significant)) for bar in (current, previous)
        )
    else:
        level = f"{rule.level:g}"
        now, was = (_decimals(bar[rule.line], rule.level, significant)[0] for bar in (current, previous))
    return f"{_WORDS[rule.line]} {crossing} {level} ({now}, was {was})"


def _decimals(a: float, b: float, significant: int) -> tuple[str, str]:
    """Return two numbers with so many digits of the larger, and up to 6 more until they can be told apart."""
    largest = max(abs(a), abs(b))
    places = max(0, significant - 1 - floor(log10(largest))) if largest else 0
    for more in range(7 if a != b else 1):
        texts = f"{a:z.{places + more}f}", f"{b:z.{places + more}f}"
        if texts[0] != texts[1]:
            break
    return texts
