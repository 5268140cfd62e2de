"""The ticket, drawn with Streamlit: what is bought or sold, how much, how, and above all on whose money."""

from __future__ import annotations

import math
import time
from typing import Any

import streamlit as st

from dashboard.bars import moments
from dashboard.connections import Connections
from dashboard.desk import frame
from dashboard.desk.desk import Desk, tried
from dashboard.desk.frame import money_badge
from dashboard.freshness import age_text, utc_nanoseconds
from dashboard.orders.ticket import (
    KINDS,
    TIMES_IN_FORCE,
    WITH_LIMIT,
    WITH_STOP,
    WITH_TRAIL,
    Ticket,
    Traded,
    number,
    traded,
)
from dashboard.views import plain
from plant.control.books import Seen
from plant.runtime.trading import AccountSection
from plant.state.sizes import size_of
from plant.state.strategies import MANUAL

WAIT_S = 5.0  # longest an order is waited for
LOOK_S = 0.1
PRICES = (("quotes", ("bid", "ask")), ("trades", ("price",)), ("bars", ("close",)))
UNITS, RISK = "units", "risk"
_NUMBER = "ticket_number"  # in the session's state: of the ticket that is on screen


def ticket(connections: Connections, desk: Desk, seen: Seen, account: AccountSection, halted: bool) -> None:
    """Draw the ticket of an account."""
    live = frame.is_live(account)
    with st.container(border=True, key=f"{'real' if live else 'paper'}-money-ticket"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(f"**Ticket** &nbsp; {money_badge(live)}", width="stretch")
            st.caption(f"account {plain(account.name)} at {account.broker}", width="content")
        sym = st.selectbox(
            "Symbol", _symbols(connections), accept_new_options=True, key="ticket-sym", placeholder="AAPL"
        )
        what, when = _known(connections, seen, (sym or "").strip())
        st.caption(_told(what, when))
        drawn = _filled_in(seen, account, what, live)
        _sending(connections, desk, drawn, halted)


def _filled_in(seen: Seen, account: AccountSection, what: Traded, live: bool) -> Ticket:
    """Draw the fields of an order, and return it."""
    side = st.segmented_control(
        "Side", ("buy", "sell"), default="buy", required=True, key="ticket-side", format_func=str.capitalize
    )
    kind = st.selectbox("Kind", KINDS, key="ticket-kind", format_func=str.capitalize)
    prices = {}
    step = what.tick
    with st.container(horizontal=True, gap="small"):
        for kinds, name, label in (
            (WITH_LIMIT, "limit", "Limit price"),
            (WITH_STOP, "stop", "Stop price"),
            (WITH_TRAIL, "trail", "Trailing by"),
        ):
            prices[name] = _price(label, f"ticket-{name}", step) if kind in kinds else math.nan
    with st.container(horizontal=True, gap="small"):
        stop_loss = _price(
            "Stop loss", "ticket-stop-loss", step, "Sold again there (bought, if short) once it is filled."
        )
        take_profit = _price("Take profit", "ticket-take-profit", step, "The other exit; one cancels the other.")
    told = {"side": side or "buy", "kind": kind, **prices, "stop_loss": stop_loss, "take_profit": take_profit}
    order = Ticket(what, account.name, live, **told)
    qty = _quantity(seen, account, order)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        tif = st.selectbox("Time in force", TIMES_IN_FORCE, key="ticket-tif", width=130)
        tag = st.text_input(
            "Tag", key="ticket-tag", width=160, help="Your own word; it stands at the order and its trade."
        )
    return Ticket(what, account.name, live, **told, qty=qty, tif=tif, tag=tag.strip())


def _quantity(seen: Seen, account: AccountSection, order: Ticket) -> float:
    """Draw how much: units, or what may be lost at the stop loss; return units, NaN for none."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        by = st.segmented_control(
            "Quantity by",
            (UNITS, RISK),
            default=UNITS,
            required=True,
            key="ticket-by",
            format_func=str.capitalize,
            help="Risk: so much that the stop loss costs no more than a part of the equity.",
        )
        if by == UNITS:
            lot = order.what.lot
            qty = st.number_input(
                "Units", 0.0, value=None, step=lot, format="%g", key="ticket-qty", width=150, placeholder=number(lot)
            )
            return math.nan if qty is None else qty
        percent = st.number_input(
            "Risk, % of equity", 0.01, 100.0, 1.0, 0.25, format="%g", key="ticket-risk", width=150
        )
    equity, source = equity_of(seen, account)
    what, entry, stop = order.what, order.entry, order.stop_loss
    if math.isnan(equity):
        st.caption(f":orange[A size by risk needs the equity of the account: {source}.]")
        return math.nan
    if math.isnan(entry) or math.isnan(stop):
        need = "a price to begin with" if math.isnan(entry) else "a stop loss"
        st.caption(f":orange[A size by risk needs {need}.]")
        return math.nan
    risk = equity * percent / 100
    size, wrong = tried(lambda: size_of(order.side, risk, entry, stop, what.lot, what.multiplier))
    if wrong:
        st.caption(f":orange[{plain(wrong)}]")
        return math.nan
    currency = account.currency
    if what.currency != currency:
        st.caption(
            f":orange[{plain(what.sym)} is priced in {what.currency}, the account is in {currency}: a size by risk "
            "would be wrong. Give units.]"
        )
        return math.nan
    st.caption(
        plain(
            f"{percent:g} % of {equity:,.2f} {currency} ({source}) is {risk:,.2f}: {number(size.qty)} {what.sym} lose "
            f"{size.risk:,.2f} from {number(entry)} to {number(stop)}, {number(size.risk_per_unit)} each, before costs"
        )
    )
    return float(size.qty)


def equity_of(seen: Seen, account: AccountSection) -> tuple[float, str]:
    """Return the equity of an account, NaN if it is not known, and where that is from."""
    row = seen.equity.get(account.name)
    if row is not None:
        return float(row["equity"]), "its equity"
    if account.broker != "paper":  # its capital is the broker's to tell
        return math.nan, f"{account.broker} has not told it yet"
    return account.capital, "its capital: nothing was traded yet"


def _sending(connections: Connections, desk: Desk, order: Ticket, halted: bool) -> None:
    """Draw what is wrong with an order, or the button that sends it."""
    faults = order.faults
    if not math.isnan(order.qty):
        st.caption(plain(order.sentence))
    for fault in faults:
        st.caption(f":orange[{plain(fault)}]")
    if halted:
        st.caption(":red[The account is halted: an order is refused until it is resumed.]")
    typed, number = order.account, st.session_state.setdefault(_NUMBER, 0)
    if order.live:
        typed = st.text_input(  # a box of this order alone: the browser cannot send back what stood in the last one's
            f"Type {plain(order.account)} to send an order with REAL MONEY",
            key=f"ticket-account-{number}",
            autocomplete="off",
        ).strip()
    st.button(
        plain(order.button) if not faults else "Send",
        type="primary",
        icon=":material/warning:" if order.live else ":material/send:",
        width="stretch",
        key=f"send-{'real' if order.live else 'paper'}",
        disabled=bool(faults) or typed != order.account,
        on_click=_send,
        args=(connections, desk, order, number, _fields()),
    )


def _fields() -> dict[str, Any]:
    """Return what stands in the fields of the ticket."""
    return {str(key): value for key, value in st.session_state.items() if str(key).startswith("ticket-")}


def _send(connections: Connections, desk: Desk, order: Ticket, number: int, fields: dict[str, Any]) -> None:
    """Give the command, and leave to say what the trader made of it; a second click on one button gives none.

    `fields` is what stood in them when the button was drawn: what it said is what is sent, or nothing.
    """
    if number != st.session_state.get(_NUMBER):
        return
    if any(st.session_state.get(key) != value for key, value in fields.items()):
        frame.say("info", "The ticket changed just as you clicked. Nothing was sent: look at it as it is now")
        return
    st.session_state[_NUMBER] = number + 1
    given = frame.attempt(lambda: desk.give(order.what.sym, "order", **order.arguments), "")
    if given is None:
        return
    st.session_state["ticket-qty"] = None  # each order is filled in anew
    name, seq = given
    deadline = time.monotonic() + WAIT_S
    while True:
        found = [row for row in desk.books.look(fresh=True).orders.values() if row["cause_seq"] == seq]
        entries = [row for row in found if not row["parent"]]
        if entries and entries[0]["state"] != "created":
            break
        if why := _refusal(connections, name):
            frame.say("error", f"{order.button} {why}")
            return
        if time.monotonic() > deadline:
            frame.say(
                "error",
                f"{order.button}: the command is in the journal at seq {seq:,}, but no order came of it within "
                f"{WAIT_S:g} s. Is the trader up? Look at the orders before you give it again",
            )
            return
        time.sleep(LOOK_S)
    row = entries[0]
    refused = row["state"] in ("refused", "rejected")
    why = f": {row['reason']}" if row["reason"] else ""
    frame.say("error" if refused else "success", f"{order.button} is {row['state'].replace('_', ' ')}{why}")


def _refusal(connections: Connections, command: str) -> str:
    """Return why a command became no order, as the standing run said it; "" if it said nothing of it."""
    columns = ["time", "sym", "detail"]
    answer = connections.rdb.select("strategy_events", needs=columns, columns=columns, sym=MANUAL, last=20)
    said = [] if answer.frame is None else answer.frame["detail"].astype(str).tolist()
    mine = f" (command {command})"
    return next((text.removesuffix(mine).removeprefix("order ") for text in said if text.endswith(mine)), "")


def _symbols(connections: Connections) -> list[str]:
    """Return the symbols of which the plant has prices."""
    found: set[str] = set()
    for table, _ in PRICES:
        answer = connections.rdb.last(table, needs=("sym",), columns=["sym"])
        found |= set() if answer.frame is None else set(answer.frame["sym"].astype(str))
    return sorted(found)


def _known(connections: Connections, seen: Seen, sym: str) -> tuple[Traded, str]:
    """Return what is known of a symbol, its newest price among it, and where and when that is from."""
    row = seen.instruments.at(sym, time.time_ns()) if sym else None
    newest: tuple[int, float, str] | None = None
    now = time.time_ns()
    for table, names in PRICES if sym else ():
        columns = ["time", "sym", *names, "received"]
        answer = connections.rdb.last(table, needs=columns, sym=sym, columns=columns)
        if answer.frame is None or answer.frame.empty:
            continue
        last = answer.frame.iloc[-1]
        price = sum(float(last[name]) for name in names) / len(names)
        (received,) = utc_nanoseconds(answer.frame["received"].tail(1))
        if math.isfinite(price) and (newest is None or received > newest[0]):
            (of,) = moments(utc_nanoseconds(answer.frame["time"].tail(1)), now, connections.time_zone)
            newest = int(received), price, table.removesuffix("s") + (f" of {of}" if ":" not in of else "")
    if newest is None:
        return traded(sym, row), ""
    at, price, table = newest
    return traded(sym, row, price), f"{table}, {age_text(max(0, now - at) / 1e9)} ago"


def _told(what: Traded, when: str) -> str:
    """Return what is known of a symbol, for people."""
    if not what.sym:
        return "Choose a symbol, or type one."
    last = f"last {number(what.last)} ({when})" if when else "no price is known"
    steps = f"lot {number(what.lot)}, tick {number(what.tick)}"
    return plain(f"{last} · {steps}" + ("" if what.told else ", taken for granted: it is in no row of instruments"))


def _price(label: str, key: str, tick: float, told: str | None = None) -> Any:
    found = st.number_input(
        label, 0.0, value=None, step=tick, format="%g", key=key, width=150, help=told, placeholder="none"
    )
    return math.nan if found is None else found
