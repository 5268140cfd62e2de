"""The page Orders, drawn with Streamlit: account and kill switch, the ticket, what is open, held, earned and filled."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from dashboard.connections import Connections
from dashboard.desk import frame
from dashboard.desk.desk import Desk
from dashboard.desk.frame import badge, money_badge
from dashboard.orders import form
from dashboard.orders.limits import limits
from dashboard.orders.shown import (
    days_figure,
    earnings_table,
    fills_table,
    of_account,
    open_orders,
    order_line,
    orders_table,
    positions_table,
)
from dashboard.panes import DARK, LIGHT
from dashboard.views import plain
from plant.control.books import Seen
from plant.control.halts import Halt, halt_of
from plant.rows.columns import Columns
from plant.runtime.trading import AccountSection
from plant.state.earnings import BY, earned, holdings
from plant.state.newest import Row

REFRESH_S = 2.0
ADDRESS, KILLING = (
    "account",
    "killing",
)  # in the page's address; in the session's state: the switch's first step is done
CARDS = 30  # open orders that are shown with a button each
MONEY = "%.2f"
TABS = ("P&L", "Fills", "Orders")


def orders(connections: Connections) -> None:
    """Draw the page."""
    desk = frame.begin(connections, "Orders", "receipt_long")
    if desk is None:
        return
    frame.said()
    frame.trader_away(desk)
    seen = desk.books.look()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="switch"):
        account = _account(desk)
        halt = halt_of(seen.halts, account.name, desk.strategies_of(seen, account.name))
        _switch(desk, account, halt)
    with st.container(key="halted"):  # also while it is not: see frame.said
        _halted(connections, account, halt)
    limits(desk, seen, account)
    left, right = st.columns([1, 2.2], gap="medium")
    with left:
        form.ticket(connections, desk, seen, account, halt.since is not None)
    with right:
        st.fragment(_live, run_every=REFRESH_S)(connections, desk, account)


def _account(desk: Desk) -> AccountSection:
    """Draw the account that the page is about, and return it."""
    names = [each.name for each in desk.accounts]
    if "account" not in st.session_state:
        wanted = st.query_params.get(ADDRESS)
        st.session_state["account"] = wanted if wanted in names else names[0]
    name = st.selectbox(
        "Account",
        names,
        key="account",
        width=220,
        label_visibility="collapsed",
        format_func=lambda each: f"{each} · {'REAL MONEY' if _is_live(desk, each) else 'PAPER'}",
    )
    account = desk.account(name) or desk.accounts[0]
    st.markdown(money_badge(frame.is_live(account)), width="content")
    st.query_params[ADDRESS] = account.name
    return account


def _is_live(desk: Desk, name: str) -> bool:
    account = desk.account(name)
    return account is not None and frame.is_live(account)


def _halted(connections: Connections, account: AccountSection, halt: Halt) -> None:
    """Draw that the account, or strategies of it, are halted, and why."""
    if not halt.halted:
        return
    said = []
    if halt.since is not None:
        clock = dt.datetime.fromtimestamp(halt.since / 1e9, ZoneInfo(connections.time_zone))
        said.append(f"halted by {plain(halt.by)} at {clock:%d %b %H:%M:%S}")
    said += [f"strategy {plain(name)} halted, {plain(why)}" for name, why in halt.strategies.items()]
    st.error(
        f"**Account {plain(account.name)}**: {'; '.join(said)}. Orders are refused, positions are kept.",
        icon=":material/front_hand:",
    )


def _switch(desk: Desk, account: AccountSection, halt: Halt) -> None:
    """Draw the kill switch, which takes two steps, and what ends a halt."""
    step = st.session_state.get(KILLING)
    if step is None:
        st.button("Kill switch…", icon=":material/front_hand:", key="kill", on_click=_step, args=("kill",))
        if halt.halted:
            st.button("Resume…", icon=":material/play_arrow:", key="resume", on_click=_step, args=("resume",))
        return
    if step == "kill":
        st.markdown("**Cancel all open orders and refuse new ones**, until somebody resumes?", width="content")
        mark, word = "danger", "Halt"
    else:
        st.markdown("**End the halt?** Strategies give orders again.", width="content")
        mark, word = "go", "Resume"
    several = (("*", f"{word} all accounts"),) if len(desk.accounts) > 1 else ()
    for whom, label in ((account.name, f"{word} {account.name}"), *several):
        st.button(plain(label), key=f"{mark}-{step}-{whom}", on_click=_switched, args=(desk, step, whom))
    st.button("Back", key="back", on_click=_step, args=(None,))


def _step(step: str | None) -> None:
    st.session_state[KILLING] = step


def _switched(desk: Desk, command: str, whom: str) -> None:
    """Give the command `kill` or `resume`."""
    st.session_state[KILLING] = None
    word = "halted: open orders are cancelled, new ones refused" if command == "kill" else "resumed"
    who = "All accounts are" if whom == "*" else f"Account {whom} is"
    frame.attempt(lambda: desk.give(whom, command), lambda found: f"{who} {word} (seq {found[1]:,})")
    desk.books.look(fresh=True)


def _live(connections: Connections, desk: Desk, account: AccountSection) -> None:
    """Draw what changes by itself."""
    frame.begin_fragment()
    seen = desk.books.look()
    frame.books_stale(seen)
    held = holdings(seen.positions, account.name, seen.followed)
    _money(seen, account, held)
    _open_orders(desk, seen, account)
    _positions(held)
    tabs = dict(zip(TABS, st.tabs(TABS, key="orders-panel", on_change="rerun"), strict=True))
    fills = of_account(seen.fills, account.name)
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            match name:
                case "P&L":
                    _earnings(connections, fills, held, account)
                case "Fills":
                    _table(fills_table(fills, connections.time_zone), "fills", "No fill yet.")
                case _:
                    mine = [row for row in seen.orders.values() if row["account"] == account.name]
                    _table(orders_table(mine, connections.time_zone), "orders", "No order yet.")


def _money(seen: Seen, account: AccountSection, held: Sequence[Row]) -> None:
    """Draw what the account is worth."""
    row = seen.equity.get(account.name)
    equity, _ = form.equity_of(seen, account)
    shown = {"equity": equity, "unrealised": sum(each["unrealised"] for each in held)}
    if row is not None:
        shown |= {"realised": row["realised"], "commission": row["commission"]}
    with st.container(horizontal=True, gap="small", key="money"):
        for name, value in shown.items():
            st.metric(f"{name}, {account.currency}", "-" if math.isnan(value) else f"{value:,.2f}", width=150)
        if row is not None and row["drawdown"] == row["drawdown"]:
            st.metric("drawdown", f"{100 * row['drawdown']:.2f} %", width=110)


def _open_orders(desk: Desk, seen: Seen, account: AccountSection) -> None:
    rows = open_orders(seen, account.name)
    st.markdown(f"**Open orders** :gray[{len(rows)}]")
    if not rows:
        st.caption("None is open.")
        return
    for row in rows[:CARDS]:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"order-{row['order_id']}"):
            side = badge(row["side"].upper(), "green" if row["side"] == "buy" else "red")
            state = badge(
                row["state"].replace("_", " "), "orange" if row["state"] in ("unknown", "cancelling") else "gray"
            )
            whose = f" :gray[:small[{plain(row['strategy'])}{' · ' + plain(row['tag']) if row['tag'] else ''}]]"
            st.markdown(f"{side} {plain(order_line(row, told=False))} {state}{whose}", width="stretch")
            st.button(
                "Cancel",
                icon=":material/close:",
                key=f"cancel-{row['order_id']}",
                disabled=row["state"] == "cancelling",
                on_click=_cancel,
                args=(desk, row["sym"], row["order_id"], order_line(row)),
            )
    if len(rows) > CARDS:
        st.caption(f"{len(rows) - CARDS} more in the tab Orders, or by `plant orders`")


def _cancel(desk: Desk, sym: str, order_id: str, line: str) -> None:
    frame.attempt(lambda: desk.give(sym, "cancel", order_id=order_id), f"{line}: its cancel is asked for")


def _positions(held: Sequence[Row]) -> None:
    st.markdown(f"**Positions** :gray[{len(held)}]")
    if not held:
        st.caption("Nothing is held.")
        return
    _table(positions_table(held), "positions", "")


def _earnings(connections: Connections, fills: Columns, held: Sequence[Row], account: AccountSection) -> None:
    by = st.segmented_control(
        "By",
        BY,
        default="day",
        required=True,
        key="earnings-by",
        format_func=lambda each: {"sym": "symbol"}.get(each, each),
    )
    if not fills or not len(fills["seq"]):
        st.caption("Nothing was earned yet: no fill.")
        return
    rows = earned(fills, held, by or "day", ZoneInfo(connections.time_zone))
    if by == "day":
        palette = LIGHT if st.context.theme.type == "light" else DARK
        st.plotly_chart(days_figure(rows, palette), key="days", theme=None, config={"displayModeBar": False})
    _table(earnings_table(rows, by or "day"), "earnings", "")
    told = f"In {account.currency}. Realised is before commission; net is what is left."
    st.caption(
        told
        + (" What is held belongs to no day." if by == "day" else " Net has what is held in it, at its last price.")
    )


def _table(table: pd.DataFrame, key: str, nothing: str) -> None:
    """Draw a table, or that there is nothing in it."""
    if table.empty:
        st.caption(nothing)
        return
    number = st.column_config.NumberColumn
    config = {
        name: number(format=MONEY)
        for name in ("value", "unrealised", "realised", "commission", "net")
        if name in table.columns
    }
    config |= {name: number(format="%g") for name in ("qty", "filled", "position_after") if name in table.columns}
    if "time" in table.columns:
        config["time"] = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")
    st.dataframe(table, hide_index=True, key=key, column_config=config)
