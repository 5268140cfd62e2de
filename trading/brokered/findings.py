"""What a reconciliation found, as rows of risk_events and positions: the standing run of the account makes them.

A position that the broker has and the books do not is nobody's: it is booked to the strategy `unallocated`, without a
price, since nobody knows what it was had for. No fill is made up.
"""

from fractions import Fraction

from plant.state.newest import Row
from plant.state.positions import UNALLOCATED
from trading.accounts.neighbours import told_by
from trading.brokers.desk.reconciliation import What
from trading.instruments import exact

NAN = float("nan")
ACTIONS = {What.ORPHAN: "orphan", What.FILLS: "halted"}
"""Of a row of risk_events; the others are adopted: the broker is right about what exists."""

MOVES = (What.POSITION, What.FEE)
"""What is booked to `unallocated`."""


class Findings:
    """Takes rows of `broker_reports` of one account that no order is told by, and returns (table, row) each."""

    def __init__(self, account: str, run: str, strategy: str) -> None:
        self._account, self._run, self._strategy = account, run, strategy
        self._units: dict[str, Fraction] = {}

    def remember(self, row: Row) -> None:
        """Take the newest row of `positions` of `unallocated` and a symbol, of before the run began."""
        self._units[row["sym"]] = exact(row["qty"])

    def take(self, row: Row) -> list[tuple[str, Row]]:
        """Return the rows that follow from one, none from cash, which is no risk."""
        what = What(row["kind"])
        if what is What.CASH:
            return []
        moves = what in MOVES
        event = {
            "time": row["received"],
            "sym": row["sym"],
            "account": self._account,
            "strategy": self._strategy,
            "rule": f"reconciliation: {what}",
            "bound": row["ours"],
            "value": row["theirs"],
            "action": ACTIONS.get(what, "adopted"),
            "order_id": row["order_id"],
            "detail": f"{row['detail']} {told_by(self._run)}".strip(),
        }
        return [("risk_events", event), *([("positions", self._position(row))] if moves else [])]

    def _position(self, row: Row) -> Row:
        units = self._units.get(row["sym"], Fraction(0)) + exact(row["theirs"]) - exact(row["ours"])
        self._units[row["sym"]] = units
        money = dict.fromkeys(("cost", "value", "realised", "unrealised", "commission"), 0.0)
        place = {"time": row["received"], "sym": row["sym"], "account": self._account, "strategy": UNALLOCATED}
        told = {"run": self._run, "market_time": row["received"], "qty": float(units)}
        return {**place, **told, "average": NAN, "price": NAN, **money}
