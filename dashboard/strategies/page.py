"""The page Strategies, drawn with Streamlit: the list, one strategy with its events, and the form."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.bars import by_length
from dashboard.connections import Connections
from dashboard.desk import frame
from dashboard.desk.desk import Desk
from dashboard.desk.frame import badge, money_badge, state_badge
from dashboard.strategies import form
from dashboard.strategies.listing import ACTIONS, Listed, counted, listed
from dashboard.tables import events_table
from dashboard.views import plain
from plant.control.books import Seen
from plant.state.strategies import RUNNING, STOPPED

REFRESH_S = 2.0
EVENTS = 300  # rows that are shown
OPEN, NEW, SAVING = "strategy", "new_strategy", "saved_version"  # in the page's address; in the session's state
EVENT_COLUMNS = ("time", "sym", "run", "market_time", "kind", "detail")


def strategies(connections: Connections) -> None:
    """Draw the page."""
    desk = frame.begin(connections, "Strategies", "smart_toy")
    if desk is None:
        return
    frame.said()
    away = frame.trader_away(desk)
    seen = desk.books.look()
    opened = st.query_params.get(OPEN)
    if opened is not None:
        _one(connections, desk, seen, opened, away)
        return
    with st.container(key="make-new"):  # also while it is empty: see frame.said
        if st.session_state.get(NEW):
            _new(connections, desk, seen, away)
        elif seen.strategies:
            st.button("New strategy", icon=":material/add:", on_click=_set, args=(NEW, True), key="new", type="primary")
    st.fragment(_list, run_every=REFRESH_S)(desk)


def _list(desk: Desk) -> None:
    """Draw the list, as it is by now."""
    frame.begin_fragment()
    seen = desk.books.look()
    frame.books_stale(seen)
    rows = listed(seen, desk.accounts[0].name)
    if not rows:
        _nothing_yet()
        return
    st.caption(counted(rows))
    for each in rows:
        _card(desk, each)


def _nothing_yet() -> None:
    if st.session_state.get(NEW):
        return
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown("#### No strategy yet")
        st.caption(
            "A strategy is a class and its parameters: shipped ones, and your own in `strategies/` beside plant.toml."
        )
        st.button("New strategy", icon=":material/add:", on_click=_set, args=(NEW, True), key="first", type="primary")
        st.caption("Or: `plant strategy create cross --class MovingAverageCross --sym AAPL --interval 1m --start`")


def _card(desk: Desk, each: Listed, opened: bool = False) -> None:
    """Draw one strategy: what it is, how it does, and what may be done."""
    row = each.row
    account = desk.account(row["account"])
    live = row["mode"] == "live"
    with st.container(border=True, gap="xsmall", key=f"{'real' if live else 'paper'}-money-{each.name}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            marks = [money_badge(live), state_badge(each.state)]
            if account is None:
                marks.append(badge(f"no account {row['account']}", "red"))
            st.markdown(f"**{plain(each.name)}** &nbsp; {' '.join(marks)}", width="stretch")
            for action in each.actions:
                wanted, icon = ACTIONS[action]
                st.button(
                    action,
                    icon=f":material/{icon}:",
                    key=f"{action}-{each.name}",
                    help=_help(action, each),
                    on_click=_want,
                    args=(desk, each, action, wanted),
                )
            if not opened:
                st.button(
                    "Open", icon=":material/chevron_right:", key=f"open-{each.name}", on_click=_open, args=(each.name,)
                )
        st.caption(
            f"{plain(each.line)} · account {plain(row['account'])} · wanted {row['wanted']} · version {row['version']}"
        )
        if each.why:
            color = "red" if each.state == "failed" else "gray"
            st.markdown(f":{color}[:small[{plain(each.why)}]]")


def _help(action: str, each: Listed) -> str:
    return {
        "Start": "Begins a run." if each.state != "failed" else "Begins another run; the one that failed is over.",
        "Pause": "It goes on reading and gives no orders.",
        "Resume": "It gives orders again.",
        "Stop": "Its run ends: open orders are cancelled, positions are kept.",
    }[action]


def _want(desk: Desk, each: Listed, action: str, wanted: str) -> None:
    """Write what a click wants; what the page showed is what it is about."""
    frame.attempt(
        lambda: desk.change(each.name, "update", seen=each.row["version"], wanted=wanted),
        lambda row: f"{each.name}: {action.lower()}, version {row['version']} is written",
    )


def _one(connections: Connections, desk: Desk, seen: Seen, name: str, away: str) -> None:
    """Draw one strategy: how it is, its events, and the form that changes it."""
    st.button("All strategies", icon=":material/arrow_back:", on_click=_open, args=(None,), key="back")
    if name not in seen.strategies:
        st.info(f"There is no strategy {plain(name)} (any more).")
        return
    st.fragment(_live, run_every=REFRESH_S)(connections, desk, name)
    with st.expander("Change it", icon=":material/edit:", key=f"change-{name}"):
        _change(connections, desk, seen, name, away)
    with st.expander("Delete it", icon=":material/delete:", key=f"delete-{name}"):
        _delete(desk, seen, name)


def _live(connections: Connections, desk: Desk, name: str) -> None:
    frame.begin_fragment()
    seen = desk.books.look()
    frame.books_stale(seen)
    found = {each.name: each for each in listed(seen, desk.accounts[0].name)}
    if name not in found:
        return
    each = found[name]
    _card(desk, each, opened=True)
    run = each.run
    if run is None:
        return
    began = dt.datetime.fromtimestamp((run["start_at"] or run["time"]) / 1e9, ZoneInfo(connections.time_zone))
    st.caption(f"Run {run['run']}, begun {began:%d %b %H:%M:%S}: {_of_orders(seen, run['run'])}")
    _events(connections, name, run["run"])


def _of_orders(seen: Seen, run: str) -> str:
    orders = [row for row in seen.orders.values() if row["run"] == run]
    filled = sum(1 for row in orders if row["filled"])
    refused = sum(1 for row in orders if row["state"] in ("refused", "rejected"))
    return f"{len(orders):,} orders, {filled:,} of them filled" + (f", {refused:,} refused" if refused else "")


def _events(connections: Connections, name: str, run: str) -> None:
    """Draw what a run said, newest first."""
    answer = connections.rdb.select(
        "strategy_events", needs=EVENT_COLUMNS, columns=list(EVENT_COLUMNS), sym=name, where={"run": run}, last=EVENTS
    )
    table = events_table(answer.frame, connections.time_zone)
    if table.empty:
        st.caption("It has said nothing yet.")
        return
    shown = table[["time", "kind", "detail"]]
    st.dataframe(
        shown,
        hide_index=True,
        key=f"events-{run}",
        column_config={
            "time": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "detail": st.column_config.TextColumn(width="large"),
        },
    )


def _new(connections: Connections, desk: Desk, seen: Seen, away: str) -> None:
    """Draw the form of a new strategy."""
    with st.container(border=True, key="new-strategy"):
        st.markdown("#### New strategy")
        name = st.text_input(
            "Name", key="new-name", placeholder="cross", width=360, help="How it is called from now on."
        )
        if away:
            st.caption("The form is made of what the trader tells of its classes.")
            st.button("Cancel", key="new-cancel", on_click=_set, args=(NEW, False))
            return
        filled = form.what_it_is(desk.classes(), _symbols(connections), _intervals(connections), "new")
        account, mode = form.where_it_trades(desk, "new")
        note = st.text_input("Note", key="new-note", help="Why; it is kept with the row.")
        if filled.wrong:
            st.caption(f":orange[{plain(filled.wrong)}]")
        columns = {**filled.columns, "account": account, "mode": mode}
        with st.container(horizontal=True):
            for label, wanted in (("Create and start", RUNNING), ("Create", STOPPED)):
                if st.button(
                    label,
                    type="primary" if wanted == RUNNING else "secondary",
                    key=f"create-{wanted}",
                    disabled=bool(filled.wrong),
                ):  # no callback: that would be handed what stood in the fields when the button was drawn
                    _create(desk, seen, name, note, {**columns, "wanted": wanted})
            st.button("Cancel", key="new-cancel", on_click=_set, args=(NEW, False))


def _create(desk: Desk, seen: Seen, name: str, note: str, columns: dict[str, Any]) -> None:
    row = frame.attempt(
        lambda: desk.change(form.checked_name(name, seen.strategies), "create", note, **columns),
        lambda row: f"{row['sym']} is there: version {row['version']}, wanted {row['wanted']}",
    )
    if row is not None:
        st.session_state[NEW] = False
    st.rerun()


def _change(connections: Connections, desk: Desk, seen: Seen, name: str, away: str) -> None:
    """Draw the form that changes a strategy; what it shows is one version, and only on that it writes."""
    saving = st.session_state.pop(SAVING, None)
    if away:
        st.caption("The form is made of what the trader tells of its classes.")
        return
    row, key = seen.strategies[name], f"edit-{name}-{seen.strategies[name]['version']}"
    filled = form.what_it_is(desk.classes(), _symbols(connections), _intervals(connections), key, row)
    account, mode = form.where_it_trades(desk, key, row)
    note = st.text_input("Note", key=f"{key}-note")
    if filled.wrong:
        st.caption(f":orange[{plain(filled.wrong)}]")
    if row["wanted"] != STOPPED:
        st.caption("It runs: with the change its run ends, and another one begins.")
    label, columns = f"Save as version {row['version'] + 1}", {**filled.columns, "account": account, "mode": mode}
    told: dict[str, Any] = {"on_click": _set, "args": (SAVING, row["version"]), "disabled": bool(filled.wrong)}
    st.button(label, type="primary", key=f"save-{name}", **told)
    if saving is not None:  # the version that was on screen at the click; this run of the page may have a newer one
        frame.attempt(
            lambda: desk.change(name, "update", note, seen=saving, **columns),
            lambda row: f"{name}: version {row['version']} is written",
        )
        st.rerun()


def _delete(desk: Desk, seen: Seen, name: str) -> None:
    """Draw the second step of a deletion: its name, typed."""
    typed = st.text_input(f"Type {plain(name)} to delete it; what it did is kept.", key=f"delete-name-{name}")
    st.button(
        f"Delete {plain(name)}",
        key=f"danger-delete-{name}",
        disabled=typed.strip() != name,
        on_click=_deleted,
        args=(desk, name, seen.strategies[name]["version"]),
    )


def _deleted(desk: Desk, name: str, version: int) -> None:
    row = frame.attempt(
        lambda: desk.change(name, "delete", seen=version, wanted=STOPPED), f"{name} is deleted; what it did is kept"
    )
    if row is not None:
        _open(None)


def _symbols(connections: Connections) -> list[str]:
    """Return the symbols of which the plant has bars."""
    answer = connections.rdb.last("bars", needs=("sym",), columns=["sym"])
    return [] if answer.frame is None else sorted(answer.frame["sym"].astype(str))


def _intervals(connections: Connections) -> list[str]:
    """Return intervals to choose from, shortest first: those that the processor builds, and 1m."""
    return by_length([*connections.intervals, "1m"])


def _set(name: str, value: Any) -> None:
    st.session_state[name] = value
    frame.draw_whole()


def _open(name: str | None) -> None:
    if name is None:
        st.query_params.pop(OPEN, None)
    else:
        st.query_params[OPEN] = name
    frame.draw_whole()
