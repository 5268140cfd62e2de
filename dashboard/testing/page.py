"""The page Testing, drawn with Streamlit: a backtest is given, followed while it runs, and its result looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.bars import by_length
from dashboard.connections import Connections
from dashboard.desk import frame
from dashboard.desk.desk import Desk
from dashboard.strategies import form
from dashboard.testing import results
from dashboard.testing.asked import FILLS, FILLS_ON, arguments_of, title_of
from dashboard.testing.shown import runs_table, tested
from dashboard.views import plain
from plant.control.books import Seen
from plant.state.newest import Row
from plant.state.runs import ENDED

REFRESH_S = 0.5
MOST_RUNS = 200  # newest ones to choose from
MOST_BESIDE = 8
ADDRESS = "runs"  # in the page's address: those that are looked at, with commas
PICKED = "tested_runs"  # in the session's state: how often the page picked by itself, and what is picked
_GIVEN, _ACTIVE = "given_backtests", "active_backtests"
A_CLASS = "a class"


def testing(connections: Connections) -> None:
    """Draw the page."""
    desk = frame.begin(connections, "Testing", "science")
    if desk is None:
        return
    frame.said()
    away = frame.trader_away(desk)
    seen = desk.books.look()
    frame.books_stale(seen)
    runs = tested(seen.runs.values())[:MOST_RUNS]
    with st.expander("New backtest", expanded=not runs, icon=":material/add:", key="new-backtest"):
        if away:
            st.caption("A backtest is run by the trader.")
        else:
            _new(connections, desk, seen)
    st.session_state[_ACTIVE] = _active(seen)
    st.fragment(_under_way, run_every=REFRESH_S if _waited_for(seen) else None)(desk)
    if not runs:
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("#### No backtest yet")
            st.caption(
                "Choose a class and what it trades above, or: `plant backtest --class Rsi --sym AAPL --interval 1m`"
            )
        return
    _results(connections, runs)


def _new(connections: Connections, desk: Desk, seen: Seen) -> None:
    """Draw the form of a backtest."""
    begin = st.selectbox(
        "Begin with",
        ["", *sorted(seen.strategies)],
        format_func=lambda name: name or A_CLASS,
        key="test-of",
        width=240,
        help="A strategy of the plant fills the form with what it is; what you change here is only of the backtest.",
    )
    row = seen.strategies.get(begin)
    key = f"test-{begin}"
    answer = connections.rdb.last("bars", needs=("sym",), columns=["sym"])
    known = [] if answer.frame is None else sorted(answer.frame["sym"].astype(str))
    intervals = by_length([*connections.intervals, "1m"])
    filled = form.what_it_is(desk.classes(), known, intervals, key, row)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        start = st.date_input("From", None, key="test-start", width=150, help="Bars before it warm it up; empty: all.")
        end = st.date_input("To, inclusive", None, key="test-end", width=150, help="Empty: until now.")
        capital = st.number_input("Capital", 0.0, value=1e6, step=1e5, format="%g", key="test-capital", width=170)
        fills = st.selectbox(
            "Fills", FILLS, key="test-fills", width=140, help="How orders are filled: docs/trading.md."
        )
        fills_on = st.selectbox("Filled on", FILLS_ON, key="test-fills-on", width=110)
        as_seen = st.toggle(
            "As seen", key="test-as-seen", help="Bars as they were told when they closed, not as corrected."
        )
    arguments, wrong = arguments_of(
        {"class_name": "", "parameters": {}, "symbols": [], "interval": "", **filled.columns},
        *(start, end, capital, fills, fills_on, as_seen),
    )
    wrong = filled.wrong or wrong
    if wrong:
        st.caption(f":orange[{plain(wrong)}]")
    label = f"Run {plain(title_of(filled.columns))}" if not wrong else "Run"
    if st.button(label, type="primary", icon=":material/play_arrow:", key="run-backtest", disabled=bool(wrong)):
        _give(desk, begin, filled.columns.get("class_name", ""), arguments)


def _give(desk: Desk, strategy: str, class_name: str, arguments: dict[str, Any]) -> None:
    told = {**arguments, "strategy": strategy} if strategy else arguments
    given = frame.attempt(
        lambda: desk.give(strategy or class_name, "backtest", **told), lambda found: f"Backtest {found[0]} is given"
    )
    if given is not None:
        st.session_state.setdefault(_GIVEN, []).append(given[0])
    st.rerun()


def _active(seen: Seen) -> list[str]:
    return [row["run"] for row in tested(seen.runs.values()) if row["state"] not in ENDED]


def _waited_for(seen: Seen) -> bool:
    """Return whether a run is under way, or was given here and is not begun yet."""
    return bool(_active(seen)) or any(run not in seen.runs for run in st.session_state.get(_GIVEN, []))


def _under_way(desk: Desk) -> None:
    """Draw the runs that are not over; when one begins or ends, the whole page."""
    frame.begin_fragment()
    seen = desk.books.look()
    active, given = _active(seen), st.session_state.get(_GIVEN, [])
    ended = [run for run in given if run in seen.runs and run not in active]
    if ended:
        _, picked = st.session_state.get(PICKED, (0, []))
        kept = [run for run in picked if run not in ended] if st.session_state.get("beside") else []
        _pick([*kept, *ended])
        st.session_state[_GIVEN] = [run for run in given if run not in ended]
    if ended or active != st.session_state.get(_ACTIVE):
        st.rerun()
    for run in active:
        _progress(desk, seen.runs[run])
    for run in given:
        if run not in seen.runs:
            st.progress(0.0, f"{plain(run)} waits for the trader")


def _progress(desk: Desk, row: Row) -> None:
    part = row["progress"] if row["progress"] == row["progress"] else 0.0
    with st.container(horizontal=True, vertical_alignment="center", key=f"progress-{row['run']}"):
        st.progress(min(max(part, 0.0), 1.0), f"{plain(row['sym'])} · {row['mode']} {row['run']} · {part:.0%}")
        st.button(
            "Cancel", icon=":material/close:", key=f"cancel-{row['run']}", on_click=_cancel, args=(desk, row["run"])
        )


def _cancel(desk: Desk, run: str) -> None:
    frame.attempt(lambda: desk.give(run, "cancel_run", run=run), f"{run} is to be cancelled")


def _pick(runs: list[str]) -> None:
    """Pick runs for the page's visitor, in a box that the browser has not seen yet.

    It would keep what is picked in a box it knows: whatever has Python draw before the browser took the new runs, a
    chart or a timer, sends back the old ones, and they would count.
    """
    number, _ = st.session_state.get(PICKED, (0, []))
    st.session_state[PICKED] = number + 1, runs[-MOST_BESIDE:]


def _results(connections: Connections, runs: list[Row]) -> None:
    """Draw which runs are looked at, and what came of them."""
    by_run = {row["run"]: row for row in runs}
    over = [row["run"] for row in runs if row["state"] in ENDED]
    names = results.names_of(runs, connections.time_zone)
    picked = _picked(over, names) if over else []
    good = [run for run in picked if by_run[run]["state"] == "completed"]
    for run in picked:
        if run not in good:
            why = by_run[run]["detail"] or "it does not say why"
            st.error(f"{plain(names[run])} is {by_run[run]['state']}: {plain(why)}")
    if good:
        results.draw(connections, [by_run[run] for run in good], {run: names[run] for run in good})
    with st.expander(f"All runs ({len(runs)})", icon=":material/list:", key="all-runs"):
        _all(runs, connections.time_zone)


def _picked(over: list[str], names: Mapping[str, str]) -> list[str]:
    """Draw the box of the runs that are over, and return those that are looked at; at first those of the address."""
    if PICKED not in st.session_state:
        linked = (st.query_params.get(ADDRESS) or "").split(",")
        _pick([run for run in linked if run in over] or over[:1])
    number, wanted = st.session_state[PICKED]
    key = f"{PICKED}-{number}"
    if key not in st.session_state:
        st.session_state[key] = [run for run in wanted if run in over]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        picked = st.multiselect(
            "Results",
            over,
            format_func=lambda run: names[run],
            key=key,
            max_selections=MOST_BESIDE,
            placeholder="Runs to look at, side by side",
        )
        st.toggle("Keep beside", key="beside", help="A new result is shown beside those that are picked.")
    st.session_state[PICKED] = number, picked
    st.query_params[ADDRESS] = ",".join(picked)
    return picked


def _all(runs: list[Row], time_zone: str) -> None:
    st.dataframe(
        runs_table(runs, time_zone),
        hide_index=True,
        key="runs",
        column_config={
            "given": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
            "why": st.column_config.TextColumn(width="large"),
        },
    )
