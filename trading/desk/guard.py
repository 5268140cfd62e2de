"""Risk around one run: the bounds of its strategy and of its account, what halts them, and the rows that tell of it."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trading.account import Account
from trading.accounts.neighbours import told_by
from trading.accounts.opening import Opening
from trading.desk.ledger import Ledger
from trading.events import Command, Event
from trading.orders import Order
from trading.risk import Ahead, Breach, Market, Risk
from trading.run import RunSetup

KILL = Breach("kill", math.nan, math.nan)


class Guard:
    """Holds the orders of a run to the bounds of "strategy" and "account", in this order.

    watches   whether a change of the equity can halt
    """

    def __init__(self, setup: RunSetup, account: Account, ledger: Ledger) -> None:
        self._setup, self._account, self._ledger, self._shared = setup, account, ledger, ledger.shared
        self._risks = {"strategy": Risk(setup.limits), "account": Risk(setup.account_limits)}
        self._past: tuple[Any, Any] = ((), ())
        self._resumed_at = 0
        self.watches = any(risk.watches for risk in self._risks.values())

    @property
    def flattens(self) -> bool:
        """Whether a halt closes the positions."""
        return any(risk.limits.flatten_on_halt for risk in self._risks.values())

    def refusal(self, order: Order, qty: int, market: Market, lots: int, ahead: Ahead) -> tuple[str, Breach] | None:
        """Return whose bound an order of `qty` lots breaks, and which; `lots`: the position of the strategy.

        ahead   what its other open orders may still do
        """
        shared, own = self._shared, len(self._ledger.orders)
        found = self._risks["strategy"].refusal(order, qty, market, lots, shared, own, ahead)
        if found is not None:
            return "strategy", found
        of_all, every = shared.lots(market.instrument), own + shared.open_orders
        ahead = ahead._replace(lots=ahead.lots + shared.ahead(market.instrument, order.side))
        found = self._risks["account"].refusal(order, qty, market, of_all, shared, every, ahead)
        return None if found is None else ("account", found)

    def kill(self, of: str) -> Breach:
        """Halt by hand."""
        self._risks[of].halted = "killed by hand"
        return KILL

    def disagreed(self, rule: str, why: str) -> Breach:
        """Halt the account, since its broker says other than the books."""
        self._risks["account"].halted = why
        return Breach(rule, math.nan, math.nan)

    def deposit(self, money: int) -> None:
        """Take cash that came into the account or, less than 0, left it: no gain and no loss."""
        self._shared.deposit(money)
        self._risks["account"].deposit(money)

    def resume(self, of: str, command: Command) -> None:
        """End halts: of the account and the strategy, or of the strategy alone."""
        for name, risk in self._risks.items():
            if risk.halted and of in ("account", name):
                risk.resume(self._equity(name))
                self.tells("resume", "resumed", command, of=name)
        if of == "account":
            self._resumed_at = command.known_at

    def tell(self, of: str, numbers: Mapping[str, Any]) -> None:
        """Let limits hold. Raises SettingsError."""
        self._risks[of].tell(numbers, live=self._setup.mode == "live")
        self.watches = any(risk.watches for risk in self._risks.values())

    def counted(self, paced_at: int) -> None:
        """Count an order of another run of the account."""
        self._risks["account"].counted(paced_at)

    def halted_by(self, row: Mapping[str, Any]) -> bool:
        """Take the row of `risk_events` by which another run halted the account; return whether that is news.

        It is not if somebody resumed after what the row follows from.
        """
        risk = self._risks["account"]
        if risk.halted or row["time"] <= self._resumed_at:
            return False
        risk.halted = row["detail"]
        return True

    def halt(self, why: str) -> None:
        """Halt the strategy until somebody resumes."""
        risk = self._risks["strategy"]
        risk.halted = risk.halted or why

    def remember(self, opening: Opening) -> None:
        """Take what the account was told before the run began; no rows come of it. Raises SettingsError."""
        for of, why in opening.halts.items():
            self._risks[of].halted = why
        for of, numbers in opening.limits.items():
            self.tell(of, numbers)
        if opening.deposits:
            self.deposit(opening.deposits)
        if opening.peak is not None:
            self._shared.passed(opening.peak)
        if len(opening.equity):
            self._risks["account"].passed(int(opening.equity.max()))
        self._past = opening.times, opening.equity

    def session(self, since: int | None = None) -> None:
        """A session begins: daily losses are measured from here.

        since   the market time at which it had begun already, when the run begins within it
        """
        for name, risk in self._risks.items():
            risk.session(self._equity(name))
        times, equity = self._past
        if since is not None and len(times) and (within := np.flatnonzero(times >= since)).size:
            self._risks["account"].session(int(equity[within[0]]))

    def look(self) -> Iterator[tuple[str, Breach]]:
        """Look at loss and drawdown; yield what halts, once what is the same for both: a backtest's bounds are."""
        self._shared.look()
        told: Breach | None = None
        for name, risk in self._risks.items():
            breach = risk.look(self._equity(name)) if risk.watches else None
            if breach is not None and breach != told:
                told = breach
                yield name, breach

    def _equity(self, name: str) -> int:
        """Return the account's equity, or what it would be with this strategy alone."""
        if name == "account":
            return self._shared.equity
        own = self._ledger.positions.values()
        return self._account.start + sum(p.realised + p.unrealised - p.commission for p in own)

    def tells(
        self,
        rule: str,
        action: str,
        event: Event,
        order_id: str = "",
        breach: Breach | None = None,
        of: str = "strategy",
        sym: str = "",
    ) -> None:
        """Put out a row of `risk_events`, without a strategy if it is about the whole `account`."""
        setup, nan = self._setup, math.nan
        detail = "" if breach is None else breach.sentence if action in ("refused", "halted") else breach.rule
        self._ledger.row(
            "risk_events",
            event,
            sym=sym or event.sym,
            account=setup.account,
            strategy="" if of == "account" and action != "refused" else setup.strategy,
            rule=rule,
            bound=breach.bound if breach else nan,
            value=breach.value if breach else nan,
            action=action,
            order_id=order_id,
            detail=detail if order_id else f"{detail} {told_by(setup.run)}".strip(),
        )
