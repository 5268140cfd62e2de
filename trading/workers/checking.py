"""`plant backtest --check`: whether a strategy looks ahead over what the plant has, and hangs on its warm-up."""

import json
from typing import Any, NamedTuple

from plant.client.connect import connect
from plant.errors import QueryError, nearest_names
from plant.runtime.settings import load
from plant.state.strategies import Strategies
from trading.backtests.extent import TIMES_WARM_UP
from trading.backtests.lookahead import Checked, check_look_ahead, check_warm_up
from trading.engine import Engine
from trading.instruments import Instrument
from trading.run import RunSetup
from trading.workers.worker import instruments_of, job_of, terms_of

SECONDS = 600.0
"""Longest a question may take: it is for all bars."""


class Checks(NamedTuple):
    """What the checks found; `warm_up` has the decisions that differ with half and double of it, as sentences."""

    look_ahead: Checked
    warm_up: tuple[str, ...]
    bars: int

    @property
    def passed(self) -> bool:
        """Whether there is nothing to be told."""
        return self.look_ahead.passed and not self.warm_up

    def __str__(self) -> str:
        if self.warm_up:
            return "\n".join((str(self.look_ahead), *self.warm_up))
        warmed = f"; half and double the warm-up of {self.bars:,} bars changed none" if self.bars else ""
        return str(self.look_ahead) + warmed


def checked(config: str | None, arguments: dict[str, Any], strategies: Strategies) -> Checks:
    """Check a strategy with the arguments of a command `backtest`; `strategies` are those of the plant.

    The warm-up is checked if the run has one: with a `start`, of a strategy that uses indicators or of `warm_up` bars.
    Raises what the backtest raises.
    """
    settings = load(config)
    if name := str(arguments.pop("strategy", "")):
        if name not in strategies:
            near = nearest_names(name, strategies, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise QueryError(f"there is no strategy {name!r}{hint}; `plant strategy list` shows them")
        row = strategies[name]
        told = {n: json.loads(row[n]) for n in ("definition", "parameters", "symbols") if row[n]}
        arguments = {**told, "class_name": row["class_name"], "interval": row["interval"], **arguments}
    made_of, parameters, symbols, interval = job_of(arguments, settings)
    terms = terms_of(arguments)
    with connect(config=config, frames="arrow", timeout_s=SECONDS) as db:
        instruments = instruments_of(db, settings, symbols)
        terms |= {"sym": symbols, "interval": interval, "parameters": parameters, "instruments": instruments}
        if (table := terms.get("fills_on", "bars")) != "bars":
            terms[table] = db
        found = check_look_ahead(made_of, db, **terms)
        bars = int(terms.pop("warm_up", 0)) or _needed(made_of, parameters, symbols)
        if not bars or terms.get("start") is None:
            return Checks(found, (), 0)
        return Checks(found, tuple(check_warm_up(made_of, db, bars, **terms)), bars)


def _needed(made_of: Any, parameters: dict[str, Any], symbols: tuple[str, ...]) -> int:
    """Return the bars that a run is warmed up with by default."""
    own = {name: value for name, value in parameters.items() if name != "limits"}
    known = {sym: Instrument(sym) for sym in symbols}
    setup = RunSetup(
        run="check", strategy="check", strategy_class=made_of, symbols=symbols, parameters=own, instruments=known
    )
    return TIMES_WARM_UP * Engine(setup).warm_up
