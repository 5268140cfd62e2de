"""Many backtests of one strategy over a grid of its parameters, on all CPUs.

sweep(Cross, {"fast": [10, 20, 50], "slow": [100, 200]}, bars=frame, sym="EURUSD", interval="1h", tick=1e-5)
"""

import itertools
import multiprocessing
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from plant.errors import SettingsError
from trading.backtests.backtest import backtest
from trading.backtests.market import loaded
from trading.backtests.metrics import NAMES
from trading.backtests.refusals import OrdersRefused
from trading.parameters import values_of
from trading.strategy import Strategy

if TYPE_CHECKING:
    import pandas as pd


class Point(NamedTuple):
    """What a worker tells of a point: its metrics, and what was refused (Result.refused)."""

    metrics: dict[str, float]
    refused: str


Grid = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]

_work: Callable[[int], Point] | None = None
"""What a worker does with the number of a point; set before workers are forked, so that classes of a notebook do."""


def points_of(grid: Grid) -> list[dict[str, Any]]:
    """Return the points of a grid: every combination of a mapping's values, or the mappings of a list as they are.

    >>> points_of({"fast": [5, 10], "slow": [50]})
    [{'fast': 5, 'slow': 50}, {'fast': 10, 'slow': 50}]
    """
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            if isinstance(values, str) or not hasattr(values, "__iter__"):
                raise SettingsError(f"grid: {name} must have a list of values, found {values!r}")
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*map(list, grid.values()))]
    return [dict(point) for point in grid]


def sweep(
    strategy: type[Strategy],
    grid: Grid,
    bars: Any,
    *,
    parameters: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: bool | Callable[[int, int], None] = True,
    **terms: Any,
) -> "pd.DataFrame":
    """Run a backtest at every point of a grid; return one row a point: its parameters, then its metrics.

    grid        {"fast": [5, 10], "slow": [50, 100]}, or a list of mappings
    parameters  those that are the same everywhere; further terms are those of `backtest`
    workers     processes; None: as many as this one may use CPUs; 1: none but this one
    progress    whether a bar is drawn, or a function that is told (points done, points)

    Warns once of points at which orders were refused. Raises SettingsError for a point that the strategy does not
    allow, before anything runs, and what a run raises.
    """
    import pandas as pd

    points = points_of(grid)
    fixed = dict(parameters or {})
    for point in points:
        own = {name: value for name, value in {**fixed, **point}.items() if name != "limits"}
        values_of(strategy.parameters, own, strategy.__name__)
    if not points:
        raise SettingsError("grid: it has no points")
    seen, interval = terms.get("as_seen", False), terms.get("interval") or ""
    sources = {"bars": bars, "trades": terms.pop("trades", None), "quotes": terms.pop("quotes", None)}
    read: dict[str, Any] = {
        table: loaded(table, source, terms.get("sym"), interval, seen)
        for table, source in sources.items()
        if source is not None
    }

    def work(number: int) -> Point:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OrdersRefused)  # told once, below
            result = backtest(strategy, parameters={**fixed, **points[number]}, **read, **terms)
        return Point({row["name"]: row["value"] for row in result.rows["metrics"]}, result.refused)

    found = _all(work, len(points), workers, progress)
    if refused := [point.refused for point in found if point.refused]:
        told = f"at {len(refused):,} of {len(points):,} points; the first: {refused[0]}"
        warnings.warn(told, OrdersRefused, stacklevel=2)
    return pd.DataFrame(
        [{**point, **{name: of.metrics[name] for name in NAMES}} for point, of in zip(points, found, strict=True)]
    )


def _all(
    work: Callable[[int], Point],
    count: int,
    workers: int | None,
    progress: bool | Callable[[int, int], None],
) -> list[Point]:
    processes = min(workers or len(os.sched_getaffinity(0)), count)
    done: list[Point] = []
    with _Shown(count, progress) as shown:
        if processes == 1:
            for number in range(count):
                done.append(work(number))
                shown(len(done))
            return done
        global _work
        _work = work
        try:
            with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
                for point in pool.map(_in_a_worker, range(count)):
                    done.append(point)
                    shown(len(done))
        finally:
            _work = None
    return done


def _in_a_worker(number: int) -> Point:
    assert _work is not None
    return _work(number)


class _Shown:
    """A bar of rich on a terminal or in a notebook, a function, or nothing."""

    def __init__(self, count: int, progress: bool | Callable[[int, int], None]) -> None:
        self._count, self._tell = count, progress if callable(progress) else None
        self._bar: Any = None
        if progress is True:
            from rich.progress import Progress

            self._bar = Progress(transient=True)
            self._task = self._bar.add_task("backtests", total=count)

    def __enter__(self) -> "_Shown":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int) -> None:
        if self._tell is not None:
            self._tell(done, self._count)
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
