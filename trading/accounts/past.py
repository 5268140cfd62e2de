"""What an account had, and what its runs were told, before one of them begins: read as of its first seq."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import Schema
from plant.state.commands import GivenCommand
from plant.state.newest import Row
from plant.state.orders import FINAL
from plant.state.positions import UNALLOCATED
from plant.state.runs import ENDED
from plant.state.strategies import MANUAL
from trading.accounts.neighbours import account_of_run, follow_the_plant, is_of_account, run_of_event, symbols_of_run
from trading.accounts.opening import Opening, remembered
from trading.brokered.late_orders import Known, trip_of
from trading.brokered.report_rows import finding_of
from trading.brokers.desk.reconciliation import What
from trading.instruments import Instrument
from trading.live.machine import DIVERGED
from trading.live.reading import rows_of

_NONE: NDArray[np.int64] = np.zeros(0, np.int64)


def opening(
    db: Any,
    schema: Schema,
    runs: Mapping[str, Row],
    commands: Iterable[GivenCommand],
    run: str,
    strategy: str,
    account: str,
    seq: int,
    under_way: Iterable[str] = (),
    at_broker: bool = False,
) -> Opening:
    """Return what a run began with, or begins with now.

    db         a connection to history and today that has all rows up to `seq`
    runs       the newest rows of runs, by id
    commands   that count
    seq        the run's first_seq
    under_way  runs of which there is no row yet
    at_broker  whether a broker fills the account's orders, so that fills may come after the end of a run

    Raises what the connection's questions raise.
    """
    whole = {
        name: row
        for name, row in runs.items()
        if follow_the_plant(row) and account_of_run(row) == account and (row["first_seq"] < seq or name == run)
    }  # of a standing run there may be rows of before, when it failed and began anew under its name
    others = {name: row for name, row in whole.items() if name != run}
    after = {n for n, row in others.items() if row["sym"] == strategy and not _over(row, seq)}
    past = [("account", "==", account), ("seq", "<=", seq)]
    rows = [("positions", row) for row in _positions(db, schema, whole, account, seq)]
    for name, row in others.items():
        if not _over(row, seq):
            newest = {each["order_id"]: each for each in rows_of(db, schema, "orders", [("run", "==", name), *past])}
            rows += (("orders", each) for each in newest.values() if each["state"] not in FINAL)
    told = [each for each in commands if each.seq <= seq]
    halted = _halts(db, schema, whole, strategy, past)
    halts, limits, resumed = remembered(told, halted, run, strategy, account)
    diverged = [row for row in others.values() if row["sym"] == strategy and _over(row, seq)]
    if diverged and (last := max(diverged, key=lambda row: row["seq"]))["detail"].startswith(DIVERGED):
        by_then = [t for t in told if t.command == "resume" and t.seq > last["seq"] and t.reaches(account, strategy)]
        if not by_then:
            halts.setdefault("strategy", last["detail"])
    times, equity, learned = _equity(db, schema, whole, account, seq)
    cash = rows_of(db, schema, "broker_reports", [*past, ("kind", "==", str(What.CASH))])
    deposits = sum(int(found.theirs - found.ours) for found in map(finding_of, cash))
    if cash:  # an equity of before is not one to be measured from
        later = learned > max(row["received"] for row in cash)
        times, equity, learned = times[later], equity[later], learned[later]
    since = learned > resumed
    ordered = sorted(rows, key=lambda each: (each[1]["seq"], each[1]["seq_row"]))
    peak = int(equity.max()) if len(equity) else None
    ended = {name: row for name, row in others.items() if row["sym"] == strategy and _over(row, seq)}
    late = _late(db, schema, ended, strategy, past) if at_broker and ended else []
    return Opening(
        tuple(ordered),
        frozenset(after | set(under_way)),
        halts,
        limits,
        times[since],
        equity[since],
        peak,
        deposits,
        tuple(late),
        {name: row["last_seq"] for name, row in ended.items()},
    )


def runs_before(db: Any, schema: Schema, account: str, seq: int) -> list[Row]:
    """Return the newest row of `runs`, as of a seq, of each run of an account that follows the plant."""
    newest = {row["run"]: row for row in rows_of(db, schema, "runs", [("seq", "<=", seq)]) if follow_the_plant(row)}
    return [row for row in newest.values() if account_of_run(row) == account]


def order_before(
    db: Any, schema: Schema, account: str, order_id: str, seq: int, instrument: Callable[[str], Instrument]
) -> Known | None:
    """Return what the plant has of an order of an account as of a seq, None: nothing."""
    past = [("account", "==", account), ("seq", "<=", seq)]
    rows = rows_of(db, schema, "orders", [*past, ("order_id", "==", order_id)])
    if not rows:
        return None
    order = max(rows, key=lambda row: row["n"])
    of, traded = order["run"], instrument(order["sym"])
    fills = rows_of(db, schema, "fills", [*past, ("strategy", "==", order["strategy"])], [order["sym"]])
    began = trip_of(fills, traded)[1]
    tags = rows_of(db, schema, "orders", [*past, ("order_id", "==", began)]) if began else []
    trips = rows_of(db, schema, "round_trips", [("run", "==", of), ("seq", "<=", seq)])
    number = max((row["number"] for row in trips), default=0)
    return Known(order, traded, fills, tags[-1]["tag"] if tags else "", number)


def _over(row: Row, seq: int) -> bool:
    """Return whether a run was over at a seq."""
    return row["state"] in ENDED and row["seq"] <= seq


def _late(
    db: Any, schema: Schema, ended: Mapping[str, Row], strategy: str, past: list[tuple[str, str, Any]]
) -> list[Row]:
    """Return the fills of runs that came after these had ended."""
    first = min(row["seq"] for row in ended.values())
    rows = rows_of(db, schema, "fills", [*past, ("strategy", "==", strategy), ("seq", ">", first)])
    return [row for row in rows if row["run"] in ended and row["seq"] > ended[row["run"]]["seq"]]


def _positions(db: Any, schema: Schema, runs: Mapping[str, Row], account: str, seq: int) -> list[Row]:
    """Return the newest row of each strategy and symbol, as `runs` told it."""
    symbols: dict[str, dict[str, None]] = {}  # of each strategy, in the order in which they came
    for row in runs.values():
        for strategy in (row["sym"], *(UNALLOCATED,) * (row["sym"] == MANUAL)):
            symbols.setdefault(strategy, {}).update(dict.fromkeys(symbols_of_run(row)))
    found = []
    for strategy, names in symbols.items():
        where = [("account", "==", account), ("strategy", "==", strategy), ("seq", "<=", seq)]
        for sym in names:
            rows = rows_of(db, schema, "positions", where, [sym], 1)
            if rows and rows[-1]["run"] not in runs:  # a backtest that was given the account's name
                rows = [row for row in rows_of(db, schema, "positions", where, [sym]) if row["run"] in runs]
            found += rows[-1:]
    return found


def _halts(
    db: Any, schema: Schema, others: Mapping[str, Row], strategy: str, past: list[tuple[str, str, Any]]
) -> list[tuple[str, Row]]:
    """Return the halts of the account, and of the strategy, that limits made."""
    found = []
    for row in rows_of(db, schema, "risk_events", [*past, ("action", "==", "halted")]):
        if row["rule"] == "kill" or run_of_event(row) not in others:
            continue
        if is_of_account(row):
            found.append(("account", row))
        elif row["strategy"] == strategy:
            found.append(("strategy", row))
    return found


def _equity(
    db: Any, schema: Schema, others: Mapping[str, Row], account: str, seq: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return market times, equities in 1e-8, and when they were learned, of the account's rows in their order."""
    if not others:
        return _NONE, _NONE, _NONE
    names = ("time", "run", "market_time", "equity", "seq", "seq_row")
    answer = db.select("equity", [account], columns=names, where=[("seq", "<=", seq)], frames="arrow")
    if not len(answer):
        return _NONE, _NONE, _NONE
    columns = columns_from_arrow(answer, schema["equity"], names)
    runs = columns["run"]
    ours = np.array([name in others for name in runs.names], dtype=bool)[runs.codes]
    order = np.lexsort((columns["seq_row"][ours], columns["seq"][ours]))
    equity = np.rint(columns["equity"][ours] * 1e8).astype(np.int64)
    return columns["market_time"][ours][order], equity[order], columns["time"][ours][order]
