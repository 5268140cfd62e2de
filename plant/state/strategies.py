"""The strategies there are: rows of `strategies`, folded."""

import json
from typing import Any

from plant.rows.tables import schema_of
from plant.state.newest import Row
from plant.state.positions import UNALLOCATED
from plant.state.versioned import Versioned

STOPPED, RUNNING, PAUSED = "stopped", "running", "paused"

MANUAL = "manual"
"""The strategy of orders by hand."""

PYTHON = "python"
"""The key under which a definition has the source of its own class."""

RESERVED = (MANUAL, UNALLOCATED)
"""Names that no strategy may have: positions are told apart by them."""

_TABLE = schema_of()["strategies"]


class Strategies(Versioned):
    """The strategies by name. `whole` as in Versioned."""

    def __init__(self, whole: bool = True) -> None:
        super().__init__(_TABLE.times, whole)

    def changed(self, name: str, action: str, who: str, time: int, **columns: Any) -> Row:
        """Return the row that changes a strategy (or creates it) from what it is now: the next version, whole.

        `columns` are those that become otherwise; `parameters`, `symbols` and `definition` may be given as what they
        mean, and become JSON.
        """
        before = self.newest(name) or {"wanted": STOPPED, "mode": "paper"}
        row = {c: before[c] for c in _TABLE.names if c in before}
        told = {c: json.dumps(v) if isinstance(v, dict | list | tuple) else v for c, v in columns.items()}
        fixed = {"time": time, "sym": name, "version": self.version(name) + 1, "action": action, "who": who}
        return row | {"note": ""} | told | fixed
