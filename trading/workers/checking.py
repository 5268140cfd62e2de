"""Whether a strategy looks ahead, over bars of the plant: what `plant backtest --check` asks."""

import json
from typing import Any

from plant.client.connect import connect
from plant.control.writing import read_folds, told_nearest
from plant.errors import QueryError
from plant.runtime.settings import load
from plant.state.strategies import Strategies


def looked_ahead(config: str | None, arguments: dict[str, Any]) -> Any:
    """Return whether a strategy looks ahead over bars of the plant (trading.backtests.lookahead.Checked)."""
    from trading.backtests.lookahead import check_look_ahead
    from trading.workers.worker import instruments_of, job_of

    settings = load(config)
    if name := arguments.pop("strategy", ""):
        fold = Strategies(whole=False)
        read_folds(config, strategies=fold)
        if name not in fold:
            raise QueryError(f"there is no strategy {name!r}{told_nearest(name, fold)}")
        row = fold[name]
        told = {n: json.loads(row[n]) for n in ("definition", "parameters", "symbols") if row[n]}
        arguments = {**told, "class_name": row["class_name"], "interval": row["interval"], **arguments}
    made_of, parameters, symbols, interval = job_of(arguments, settings)
    parameters.pop("limits", None)
    terms: dict[str, Any] = {n: arguments[n] for n in ("start", "end", "fills", "capital") if n in arguments}
    terms |= {"parameters": parameters, "sym": symbols, "interval": interval}
    with connect(config=config, frames="arrow", timeout_s=600.0) as db:
        return check_look_ahead(made_of, db, instruments=instruments_of(db, settings, symbols), **terms)
