"""Whether a strategy looks ahead: it is run again over bars that end, and over bars that differ, after some moment.

What it decided up to that moment must be the same. That finds a peek by way of what the engine hands out, and one into
the DataFrame that the check was given, which is shifted itself while the strategy runs, and put back. What a strategy
reads from elsewhere (a file, a copy made before) is beyond it.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from trading.backtests.backtest import backtest
from trading.backtests.market import loaded, times_of
from trading.backtests.result import Result
from trading.strategy import Strategy

CUTS = 20
SHIFT = 1.1
"""By what the prices after a cut are multiplied."""

_PRICES = ("open", "high", "low", "close")
_DECIDED = ("sym", "side", "kind", "qty", "limit_price", "stop_price", "trail", "time_in_force", "tag", "market_time")


@dataclass(frozen=True)
class Difference:
    """One decision that changed: how the bars did ("cut", "shifted"), after which moment (ns), and what differs."""

    how: str
    after: int
    was: str
    became: str

    def __str__(self) -> str:
        moment = str(np.datetime64(self.after, "s" if self.after % 10**9 == 0 else "ns"))
        return f"bars {self.how} after {moment}: it decided {self.became}, with all bars {self.was}"


@dataclass(frozen=True)
class Checked:
    """What the check found: the differences, and over how many cuts; none is what one wants."""

    cuts: int
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether no decision changed."""
        return not self.differences

    def __str__(self) -> str:
        if self.passed:
            return f"no look-ahead: {self.cuts} cuts, and as many shifts, changed no decision before them"
        return f"{len(self.differences)} decisions changed with what came later; the first: {self.differences[0]}"


def check_look_ahead(strategy: type[Strategy], bars: Any, *, cuts: int = CUTS, seed: int = 0, **terms: Any) -> Checked:
    """Run a strategy over bars that are cut, and shifted by 10 %, after `cuts` moments chosen by `seed`.

    terms: those of `backtest`. Raises as that does.
    """
    frames = loaded("bars", bars, terms.get("sym"), terms.get("interval") or "", terms.get("as_seen", False))
    whole = backtest(strategy, bars=frames, **terms)
    starts = np.unique(np.concatenate([window.time for window in whole.bars.values()]))
    chance = random.Random(seed)
    chosen = sorted(chance.sample(range(1, len(starts)), min(cuts, len(starts) - 1)))
    terms.setdefault("interval", whole.interval)
    differences: list[Difference] = []
    for at in chosen:
        moment = int(starts[at])
        for how, changed in (("cut", _cut), ("shifted", _shifted)):
            given = {sym: changed(sym, frame, moment) for sym, frame in frames.items()}
            with _shifted_itself(bars, moment) if how == "shifted" else nullcontext():
                again = backtest(strategy, bars=given, **terms)
            found = _first_difference(_decisions(whole, moment), _decisions(again, moment))
            if found is not None:
                differences.append(Difference(how, moment, *found))
    return Checked(len(chosen), tuple(differences))


def check_warm_up(strategy: type[Strategy], bars: Any, warm_up: int, **terms: Any) -> list[str]:
    """Return the decisions that differ with half and with double the warm-up, as sentences. Raises as `backtest`."""
    frames = loaded("bars", bars, terms.get("sym"), terms.get("interval") or "", terms.get("as_seen", False))
    plain = _decisions(backtest(strategy, bars=frames, warm_up=warm_up, **terms), 2**62)
    found: list[str] = []
    for other in (warm_up // 2, warm_up * 2):
        differs = _first_difference(plain, _decisions(backtest(strategy, bars=frames, warm_up=other, **terms), 2**62))
        if differs is not None:
            found.append(f"with {other} bars of warm-up it decided {differs[1]}, with {warm_up} {differs[0]}")
    return found


def _decisions(result: Result, before: int) -> list[Mapping[str, Any]]:
    """Return the orders, as they were made, and the plots of bars that began before a moment."""
    orders: list[Mapping[str, Any]] = [
        {name: row[name] for name in _DECIDED}
        for row in result.rows.get("orders", ())
        if row["n"] == 1 and row["market_time"] < before
    ]
    plots = [
        {name: row[name] for name in ("sym", "name", "value", "market_time")}
        for row in result.rows.get("plots", ())
        if row["market_time"] < before
    ]
    return orders + plots


def _first_difference(was: list[Mapping[str, Any]], became: list[Mapping[str, Any]]) -> tuple[str, str] | None:
    for one, other in zip(was, became, strict=False):
        if repr(one) != repr(other):  # NaN is like NaN
            return _told(one), _told(other)
    if len(was) != len(became):
        at = min(len(was), len(became))
        more = (was if len(was) > len(became) else became)[at]
        return (_told(more), "nothing") if len(was) > len(became) else ("nothing", _told(more))
    return None


def _told(decision: Mapping[str, Any]) -> str:
    moment = np.datetime64(int(decision["market_time"]), "ns").astype("M8[s]")
    if "name" in decision:
        return f"{decision['name']} = {decision['value']} at {moment}"
    return f"to {decision['side']} {decision['qty']:g} {decision['sym']} at {moment}"


@contextmanager
def _shifted_itself(bars: Any, moment: int) -> Iterator[None]:
    """Shift the prices of the frame that the caller holds, for as long as this lasts: a strategy may look into it."""
    names = {str(column).strip().lower(): column for column in getattr(bars, "columns", ())}
    if not hasattr(bars, "loc") or "time" not in names:
        yield
        return
    before = {names[name]: bars[names[name]] for name in _PRICES}
    later = times_of(bars[names["time"]], "bars") >= moment
    try:
        for column, values in before.items():
            bars[column] = np.where(later, np.asarray(values, dtype=np.float64) * SHIFT, values)
        yield
    finally:
        for column, values in before.items():
            bars[column] = values


def _cut(sym: str, frame: Any, moment: int) -> Any:
    """Return the rows up to the moment; one row at least, or there would be nothing to run over."""
    kept = times_of(frame["time"], sym) < moment
    kept[0] = True
    return frame[kept]


def _shifted(sym: str, frame: Any, moment: int) -> Any:
    later = times_of(frame["time"], sym) >= moment
    changed = frame.copy()
    for name in _PRICES:
        changed[name] = np.where(later, np.asarray(frame[name], dtype=np.float64) * SHIFT, frame[name])
    return changed
