"""What a run takes over of earlier runs of its strategy: what they left, and fills that came after their end."""

import math
from collections.abc import Mapping
from typing import Any

from plant.errors import PlantError
from trading.accounts.late_fills import fill_of
from trading.desk.guard import Guard
from trading.desk.ledger import ADOPTED, Ledger
from trading.events import Event
from trading.risk import Breach
from trading.run import RunSetup


class Takeover:
    """Books it, and puts out the rows that tell of it."""

    def __init__(self, setup: RunSetup, ledger: Ledger, guard: Guard) -> None:
        self._setup, self._ledger, self._guard = setup, ledger, guard

    def adopt(self, sym: str, event: Event) -> None:
        """Take over what runs of the strategy left of a symbol, and say so."""
        setup, shared, ledger = self._setup, self._ledger.shared, self._ledger
        held = shared.released(setup.strategy, sym)
        if held is None:
            return
        text = f"holds {held.qty:g} {sym}, which runs of {setup.strategy} before this one left"
        try:
            ledger.adopt(sym, held, event)
        except PlantError as error:
            shared.told(setup.strategy, sym, held)
            text = str(error)
        else:
            if held.qty:
                self._guard.tells(ADOPTED, ADOPTED, event, breach=Breach(text, math.nan, held.qty), sym=sym)
        if held.qty:
            told = {"run": setup.run, "market_time": event.market_time, "kind": "log", "detail": text}
            ledger.row("strategy_events", event, sym=setup.strategy, **told)

    def inherit(self, row: Mapping[str, Any], event: Event) -> bool:
        """Take over a fill of an order whose run was over, and say so; return whether it closed the position."""
        setup, ledger, sym = self._setup, self._ledger, row["sym"]
        fill, before = fill_of(row, setup.instruments[sym], event), ledger.position(sym).lots
        ledger.inherit(fill, event)
        signed = row["qty"] * fill.side.sign
        text = f"takes over {signed:+g} {sym}: {fill.order_id} was filled after run {row['run']} was over"
        self._guard.tells(ADOPTED, ADOPTED, event, breach=Breach(text, math.nan, signed), sym=sym)
        told = {"run": setup.run, "market_time": fill.market_time, "kind": "log", "detail": text}
        ledger.row("strategy_events", event, sym=setup.strategy, **told)
        ledger.sample(event, event.market_time or fill.market_time)
        return bool(before) and before * ledger.position(sym).lots <= 0
