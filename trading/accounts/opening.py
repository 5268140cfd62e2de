"""What a run begins with besides its own: what others of its account hold, halts and limits that were told before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.state.commands import GivenCommand
from plant.state.newest import Row
from trading.accounts.commands import arguments_for

_NONE: NDArray[np.int64] = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Opening:
    """What a run begins with besides its own.

    rows      (table, row): the newest of `positions` of each strategy and symbol, and open orders, of other runs
    after     runs of its strategy that were under way: it gives no orders until they are over
    halts     "account" or "strategy" -> why it is halted
    limits    likewise, numbers that a command told
    times, equity   int64[n]: market times and equities, 1e-8 of the currency, that rows of the account told since the
                    last resume and deposit; `peak` the highest of all since that deposit
    deposits  cash that came into the account, or left it, and that no fill tells of; 1e-8 of the currency
    late      rows of `fills` of its strategy that came after their runs were over
    ends      runs of its strategy that were over -> the seq up to which each took what it was handed
    """

    rows: tuple[tuple[str, Row], ...] = ()
    after: frozenset[str] = frozenset()
    halts: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    times: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    equity: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    peak: int | None = None
    deposits: int = 0
    late: tuple[Row, ...] = ()
    ends: Mapping[str, int] = field(default_factory=dict)


def remembered(
    commands: Iterable[GivenCommand], halted: Iterable[tuple[str, Row]], run: str, strategy: str, account: str
) -> tuple[dict[str, str], dict[str, dict[str, Any]], int]:
    """Return which halts hold, which limits were told, and the `received` of the last resume of the account, or 0.

    commands   that count, in the order of the journal
    halted     ("account" or "strategy", row of `risk_events`) of halts
    """
    halts: dict[str, tuple[int, str]] = {of: (row["time"], row["detail"]) for of, row in halted}
    limits: dict[str, dict[str, Any]] = {}
    resumed = 0
    for told in commands:
        arguments = arguments_for(told, run, strategy, account, ())
        if arguments is None:
            continue
        of = arguments.pop("of", "")
        if told.command == "limits":
            limits[of] = arguments
        elif told.command == "kill":
            halts[of] = max(halts.get(of, (0, "")), (told.received, "killed by hand"))
        elif told.command == "resume":
            for name in ("account", "strategy") if of == "account" else ("strategy",):
                if name in halts and halts[name][0] <= told.received:
                    del halts[name]
            resumed = told.received if of == "account" else resumed
    return {of: why for of, (_, why) in halts.items()}, limits, resumed
