"""What a broker says, as rows of `broker_reports`, and back: exactly, since a run is made again of those rows.

The floats of a row are for who reads it. What a run is told stands in `exact`, JSON of whole lots, ticks and 1e-8 of
the currency; a number between two of them is a text like "30151/2".
"""

import json
from fractions import Fraction
from typing import Any

from plant.rows.schema import LATEST, UNKNOWN_TIME
from plant.rows.times import int_range
from plant.state.newest import Row
from trading.brokers.desk.reconciliation import Finding, What
from trading.events import Fill, OrderReport, Side
from trading.instruments import MONEY, Instrument, amount_of, exact

NAN = float("nan")
ORDER = "order"
"""The kind of a row that tells of an order of ours; the others are those of `What`."""

_Number = int | Fraction


def report_row(time: int, account: str, report: OrderReport, instrument: Instrument) -> Row:
    """Return the row of a report of an order. `time`: when it was learned, ns."""
    fill, numbers = report.fill, dict[str, Any]()
    at = report.market_time
    for name in ("filled", "paid", "qty"):
        if (number := getattr(report, name)) is not None:
            numbers["ordered" if name == "qty" else name] = _told(number)
    row = {
        **_empty(time, account, ORDER, report.sym),
        "order_id": report.order_id,
        "broker_id": report.broker_id,
        "state": str(report.state),
        "filled": NAN if report.filled is None else instrument.qty(report.filled),
        "reason": report.reason,
        "market_time": at if int_range(None)[0] <= at < LATEST else UNKNOWN_TIME,
    }
    if fill is not None:
        numbers |= {"lots": fill.qty, "ticks": _told(fill.price), "money": fill.commission}
        row |= {
            "fill_id": fill.fill_id,
            "side": str(fill.side),
            "qty": instrument.qty(fill.qty),
            "price": instrument.price(fill.price),
            "commission": amount_of(fill.commission),
            "liquidity": fill.liquidity,
        }
    return row | {"exact": json.dumps(numbers)}


def finding_row(time: int, account: str, currency: str, found: Finding, instrument: Instrument) -> Row:
    """Return the row of what a reconciliation found; its quantities are lots, of cash 1e-8 of the currency."""
    cash = found.what is What.CASH
    compared = found.what in (What.CASH, What.POSITION, What.FEE)

    def shown(number: _Number) -> float:
        if not compared:
            return NAN
        return float(number / Fraction(MONEY) if cash else number * exact(instrument.lot))

    return {
        **_empty(time, account, str(found.what), currency if cash else found.sym or account),
        "order_id": found.order_id,
        "ours": shown(found.ours),
        "theirs": shown(found.theirs),
        "halts": int(found.halts),
        "detail": found.detail,
        "exact": json.dumps({"ours": _told(found.ours), "theirs": _told(found.theirs)}) if compared else "{}",
    }


def report_of(row: Row) -> OrderReport:
    """Return the report that a row of kind order is; what the broker told no time of was so when the plant took it.

    `row` has `seq`, `seq_row` and `received`, as rows that come from the journal.
    """
    numbers = json.loads(row["exact"] or "{}")
    at = row["market_time"] or row["received"]
    place = (row["sym"], at, row["received"], row["seq"], row["seq_row"])
    fill = None
    if row["fill_id"]:
        told = (numbers["lots"], _number(numbers["ticks"]), numbers["money"], row["liquidity"])
        fill = Fill(*place, row["fill_id"], row["order_id"], Side(row["side"]), *told)
    paid = numbers.get("paid")
    return OrderReport(
        *place,
        row["order_id"],
        row["state"],
        row["broker_id"],
        filled=numbers.get("filled"),
        paid=None if paid is None else _number(paid),
        fill=fill,
        reason=row["reason"],
        qty=numbers.get("ordered"),
    )


def finding_of(row: Row) -> Finding:
    """Return what a row of another kind than order found."""
    numbers = json.loads(row["exact"] or "{}")
    ours, theirs = (_number(numbers.get(name, 0)) for name in ("ours", "theirs"))
    sym = "" if row["kind"] == What.CASH else row["sym"]
    return Finding(What(row["kind"]), sym, row["order_id"], ours, theirs, row["detail"], bool(row["halts"]))


def _empty(time: int, account: str, kind: str, sym: str) -> Row:
    texts = dict.fromkeys(("order_id", "broker_id", "state", "reason", "fill_id", "side", "liquidity", "detail"), "")
    numbers = dict.fromkeys(("filled", "qty", "price", "commission", "ours", "theirs"), NAN)
    told = {"time": time, "sym": sym, "account": account, "kind": kind, "market_time": UNKNOWN_TIME, "halts": 0}
    return told | texts | numbers


def _told(number: _Number) -> int | str:
    return int(number) if number == int(number) else f"{number.numerator}/{number.denominator}"


def _number(told: int | str) -> _Number:
    return told if isinstance(told, int) else Fraction(told)
