"""Whether a strategy looks ahead: it is run again over rows that end, and over rows that differ, after some moment.

What it decided up to that moment must be the same. That finds a peek by way of what the engine hands out. What it can
reach beside that (a frame of the notebook, an array of its class or module) is changed as well while it runs; since
such a series may have been computed of what comes later, it is not proved either, and neither is what it reads from a
file. A function of a frame (`frame_strategy`) must have the same rows whether or not later bars are there.
"""

import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from trading.backtests.backtest import backtest
from trading.backtests.beside import SHIFT, Held, changed_after, held_by, reads_told
from trading.backtests.market import PRICES, loaded, times_of
from trading.backtests.refusals import OrdersRefused
from trading.backtests.result import Result
from trading.desk.ledger import TableRow
from trading.engine import available
from trading.strategies.frame import Frame, shown_frame
from trading.strategy import Strategy

CUTS = 20
FRAMES = 100
"""So many parts of the bars, at most, a function of a frame is shown besides."""

_DECIDED = ("sym", "side", "kind", "qty", "limit_price", "stop_price", "trail", "time_in_force", "tag", "market_time")
_CLOSE = 1e-9
"""So near, relatively, numbers of a frame are the same: sums over another part of it are rounded otherwise."""


@dataclass(frozen=True)
class Difference:
    """One decision that changed: how the rows did ("cut", "shifted"), after which moment (ns), and what differs."""

    how: str
    after: int
    was: str
    became: str

    def __str__(self) -> str:
        moment = str(np.datetime64(self.after, "s" if self.after % 10**9 == 0 else "ns"))
        return f"bars {self.how} after {moment}: it decided {self.became}, with all bars {self.was}"


@dataclass(frozen=True)
class Checked:
    """What the check found: differences, over how many cuts, and what it could not prove; none is what one wants."""

    cuts: int
    differences: tuple[Difference, ...]
    unproved: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no decision changed, and all that it can read was cut and shifted."""
        return not self.differences and not self.unproved

    def __str__(self) -> str:
        if self.passed:
            return f"no look-ahead: {self.cuts} cuts, and as many shifts, changed no decision before them"
        found = []
        if self.differences:
            count = len(self.differences)
            found.append(f"{count} decisions changed with what came later; the first: {self.differences[0]}")
        if self.unproved:
            found.append(
                f"not proved free of look-ahead: {'; '.join(self.unproved)}; hand it on as bars or a parameter"
            )
        return "\n".join(found)


class Decision(NamedTuple):
    """An order as it was asked for, a cancellation, or a plot; `place` is when its event could be known, or its seq."""

    place: int
    told: Mapping[str, Any]


def check_look_ahead(strategy: type[Strategy], bars: Any, *, cuts: int = CUTS, seed: int = 0, **terms: Any) -> Checked:
    """Run a strategy over rows that are cut, and shifted by 10 %, after `cuts` moments chosen by `seed`.

    terms: those of `backtest`. Raises as that does.
    """
    sources = list(_frames_of(bars, terms.get("trades"), terms.get("quotes")))
    given, terms, seen = _loaded(bars, terms)
    with reads_told() as reads:
        whole, decided = _decided(strategy, given, terms, seen)
    assert whole is not None
    terms.setdefault("interval", whole.interval)
    starts = np.unique(np.concatenate([window.time for window in whole.bars.values()]))
    held = held_by(strategy, min(len(window.time) for window in whole.bars.values()))
    beside = held + [each for each in sources if all(each.data is not other.data for other in held)]
    differences: list[Difference] = []
    moments = _moments(given["bars"], starts, seen, random.Random(seed), cuts)
    for moment, place in moments:
        for how, changed in (("cut", _cut), ("shifted", _shifted)):
            rows = {table: _each(changed, table, frames, place, seen) for table, frames in given.items()}
            with changed_after(beside, moment, starts) if how == "shifted" else nullcontext():
                _, again = _decided(strategy, rows, terms, seen, place)
            found = _first_difference(_until(decided, place), _until(again, place))
            if found is not None:
                differences.append(Difference(how, moment, *found))
    if issubclass(strategy, Frame):
        differences += _of_frames(strategy, whole, terms.get("parameters") or {})
    unproved = [f"it can reach {each}" for each in held] + [f"it {read}" for read in reads]
    return Checked(len(moments), tuple(differences), tuple(unproved))


def check_warm_up(strategy: type[Strategy], bars: Any, warm_up: int, **terms: Any) -> list[str]:
    """Return the decisions that differ with half and with double the warm-up, as sentences. Raises as `backtest`."""
    given, terms, seen = _loaded(bars, terms)
    plain = _told_of(strategy, given, {**terms, "warm_up": warm_up}, seen)
    found: list[str] = []
    for other in (warm_up // 2, warm_up * 2):
        differs = _first_difference(plain, _told_of(strategy, given, {**terms, "warm_up": other}, seen))
        if differs is not None:
            found.append(f"with {other} bars of warm-up it decided {differs[1]}, with {warm_up} {differs[0]}")
    return found


def _loaded(bars: Any, terms: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, Any], bool]:
    """Return the rows by table and symbol, the terms without them, and whether they are in the journal's order."""
    sources = {"bars": bars, "trades": terms.get("trades"), "quotes": terms.get("quotes")}
    seen = bool(terms.get("as_seen", False))
    read = {
        table: loaded(table, source, terms.get("sym"), terms.get("interval") or "", seen)
        for table, source in sources.items()
        if source is not None
    }
    numbered = all("seq" in frame for frames in read.values() for frame in frames.values())
    return read, {name: value for name, value in terms.items() if name not in sources}, seen and numbered


def _frames_of(*sources: Any) -> Iterator[Held]:
    """Yield the DataFrames that the check itself was given: a strategy may look into them."""
    for source in sources:
        for frame in source.values() if isinstance(source, Mapping) else (source,):
            if hasattr(frame, "loc"):
                yield Held("the rows", frame)


class _Enough(Exception):
    """What comes later decides nothing any more."""


def _decided(
    strategy: type[Strategy], rows: Mapping[str, Any], terms: Mapping[str, Any], seen: bool, until: int = 2**62
) -> tuple[Result | None, list[Decision]]:
    """Run it, up to a place, and return what it decided, each with the place of its event; None: it was cut off."""
    decided: list[Decision] = []

    def after(event: Any, actions: Any) -> None:
        place = event.seq if seen else available(event)
        if place > until:
            raise _Enough
        for action in actions:
            if isinstance(action, TableRow) and (told := _decision(action.table, action.row)) is not None:
                decided.append(Decision(place, told))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrdersRefused)
        try:
            return backtest(strategy, **rows, after=after, **terms), decided
        except _Enough:
            return None, decided


def _told_of(strategy: type[Strategy], rows: Any, terms: Any, seen: bool) -> list[Mapping[str, Any]]:
    return [decision.told for decision in _decided(strategy, rows, terms, seen)[1]]


def _decision(table: str, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if table == "orders" and row["n"] == 1:
        return {name: row[name] for name in _DECIDED}
    if table == "orders" and row["state"] == "cancelled" and row["reason"] == "cancelled by the strategy":
        return {"cancels": row["order_id"], "sym": row["sym"], "market_time": row["market_time"]}
    if table == "plots":
        return {name: row[name] for name in ("sym", "name", "value", "market_time")}
    return None


def _moments(
    frames: Mapping[str, Any], starts: Any, seen: bool, chance: random.Random, cuts: int
) -> list[tuple[int, int]]:
    """Return the moments, ns, chosen among the bars' starts, and the place up to which rows are kept at each."""
    traded = [
        times_of(f["market_time" if seen else "time"], sym)[(f["volume"] > 0).to_numpy()] for sym, f in frames.items()
    ]
    first = min((int(times[0]) for times in traded if len(times)), default=int(starts[0]))
    later = [at for at in range(1, len(starts)) if starts[at] > first]
    chosen = [int(starts[at]) for at in sorted(chance.sample(later, min(cuts, len(later))))]
    if not seen:
        return [(moment, moment) for moment in chosen]
    found = []
    for moment in chosen:
        known = [frame["seq"][times_of(frame["market_time"], sym) < moment].max() for sym, frame in frames.items()]
        found.append((moment, int(max(seq for seq in known if seq == seq))))
    return found


def _until(decisions: list[Decision], place: int) -> list[Mapping[str, Any]]:
    return [decision.told for decision in decisions if decision.place <= place]


def _kept(table: str, sym: str, frame: Any, place: int, seen: bool) -> Any:
    """Return which rows could be known at a place: of bars those that had ended."""
    if seen:
        return (frame["seq"] <= place).to_numpy()
    times = times_of(frame["time"], sym)
    return times < place if table == "bars" else times <= place


def _each(changed: Any, table: str, frames: Mapping[str, Any], place: int, seen: bool) -> dict[str, Any]:
    return {sym: changed(table, frame, _kept(table, sym, frame, place, seen)) for sym, frame in frames.items()}


def _cut(table: str, frame: Any, kept: Any) -> Any:
    """Return the rows that are kept; one at least, or there would be nothing to run over."""
    return frame[kept | (np.arange(len(frame)) == 0)]


def _shifted(table: str, frame: Any, kept: Any) -> Any:
    changed = frame.copy()
    for name in PRICES[table]:
        values = np.asarray(frame[name], dtype=np.float64)
        changed[name] = np.where(kept, values, values * SHIFT)
    return changed


def _of_frames(strategy: type[Frame], whole: Result, parameters: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield where a function's rows change once later bars are there: what it shows then it did not know."""
    function, longest = strategy.function, int(parameters.get("longest", strategy.parameters["longest"].default))
    assert function is not None
    for sym, window in whole.bars.items():
        times = window.time[-longest:]
        all_bars = shown_frame(window).tail(longest).reset_index(drop=True)
        with_all = function(all_bars.copy())
        for count in np.unique(np.linspace(1, len(times), FRAMES).astype(int))[:-1].tolist():
            then = function(all_bars.iloc[:count].copy())
            found = _first_row_apart(then, with_all.iloc[:count])
            if found is not None:
                row, name = found
                was = f"{name} = {with_all[name].iloc[row]} of {sym} at {times[row].astype('M8[ns]').astype('M8[s]')}"
                became = f"{name} = {then[name].iloc[row]}" if name in then else f"no {name}"
                yield Difference("cut", int(times[count]), was, became)


def _first_row_apart(then: Any, later: Any) -> tuple[int, str] | None:
    """Return row and column where two frames of the same rows differ first."""
    found: list[tuple[int, str]] = []
    for name in later:
        if name not in then:
            return 0, str(name)
        one, other = then[name].to_numpy(), later[name].to_numpy()
        if one.dtype.kind in "fiu" and other.dtype.kind in "fiu":
            apart = ~np.isclose(one.astype(float), other.astype(float), rtol=_CLOSE, atol=0.0, equal_nan=True)
        else:
            apart = np.array([repr(a) != repr(b) for a, b in zip(one, other, strict=True)], dtype=bool)
        if apart.any():
            found.append((int(apart.argmax()), str(name)))
    return min(found, default=None)


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
    if "cancels" in decision:
        return f"to cancel {decision['cancels']} at {moment}"
    return f"to {decision['side']} {decision['qty']:g} {decision['sym']} at {moment}"
