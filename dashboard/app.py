"""The dashboard's page: `streamlit run dashboard/app.py`.

What a person may change is drawn once, and again only when there is something else to choose from; the rest every few
seconds, without a widget in it: those cost the browser most. How the processes are is asked every second
(`refresh/beat.py`) and drawn at once when it is another way. `main(connections)` draws it all, for any `Connections`.
Strategies, Testing and Orders are pages of their own beside it (`desk/navigation.py`).
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import snapshot, tabs, views
from dashboard.annotations import shown as noted
from dashboard.connections import Connections, live_connections
from dashboard.desk import navigation
from dashboard.indicators import shown
from dashboard.indicators.picker import picker
from dashboard.refresh import beat
from plant.errors import PlantError
from plant.transport.sockets import is_loopback

_TAKEN, _CHOICE = "taken", "choice"  # in the session's state: answers that are not drawn yet, and what could be chosen
BADGES_S = 5.0  # seconds after which the age of the newest tick is told again, at most
REFRESH_CHOICES_S = (1.0, 2.0, 5.0, 10.0, 30.0)


def main(connections: Connections) -> None:
    """Draw the page, and keep it live."""
    st.set_page_config(page_title="tickplant", page_icon="📈", layout="wide", initial_sidebar_state="collapsed")
    choices = sorted({*REFRESH_CHOICES_S, connections.refresh_s})
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        icon, where = ":primary[:material/candlestick_chart:]", views.plain(connections.plant)
        st.markdown(f"### {icon} tickplant &nbsp; :gray[:small[{where}]]", width="stretch")
        for wrong in shown.begin(connections.declarations):
            st.toast(views.plain(wrong), icon=":material/warning:", duration="long")
        picker(connections.declarations)
        if connections.annotations is not None:
            noted.picker()
        paused = st.toggle("Pause", key="paused", help="Stop refreshing, and look at leisure.")
        refresh_s = st.selectbox(
            "Refresh every",
            choices,
            index=choices.index(connections.refresh_s),
            format_func=lambda seconds: f"every {seconds:g} s",
            key="refresh_s",
            label_visibility="collapsed",
            width=120,
            disabled=paused,
        )
    now = _take(connections)
    st.session_state[_TAKEN], st.session_state[_CHOICE] = now, now.choice
    beat.watch(connections.pulse)
    if now.symbol is not None:
        views.controls(connections, now)
    apart = paused or refresh_s > BADGES_S
    if apart:
        st.fragment(_processes, run_every=BADGES_S)(connections, paused)
    st.fragment(_live, run_every=None if paused else refresh_s)(connections, apart)


def _processes(connections: Connections, paused: bool) -> None:
    """Draw how the processes are, also while the page is paused; of the rows it shows what the page asked for last."""
    newest, beats = st.session_state.get("newest") or (snapshot.newest(connections), snapshot.beats(connections))
    views.processes(connections, newest, beats, paused)


def _live(connections: Connections, apart: bool) -> None:
    """Draw what the plant has now, the badges with it unless they are drawn apart."""
    now = st.session_state.pop(_TAKEN, None) or _take(connections)
    if now.choice != st.session_state[_CHOICE]:
        st.rerun()  # the whole page: there is something else to choose from, or a click in the watchlist chose it
    st.session_state.pop(views.WANTED, None)  # it was shown already
    if not apart:  # each run of a fragment costs the browser, whatever it draws
        _processes(connections, paused=False)
    if now.symbol is None:
        views.nothing_yet(connections.rdb, now.newest)
        if connections.rdb.up:
            tabs.system(connections)
        return
    middle, side = st.columns([3.8, 1], gap="medium")  # on a phone one below the other: the chart first
    with middle:
        bars = views.chart(connections, now)
    with side:
        views.watch(connections, now)
    tabs.draw(connections, now, bars)


def _take(connections: Connections) -> snapshot.Snapshot:
    symbol = st.session_state.get(views.WANTED) or _chosen("symbol")
    now = snapshot.take(connections, symbol, _chosen("interval"))
    st.session_state["newest"] = now.newest, snapshot.beats(connections)
    return now


def _chosen(name: str) -> str | None:
    """Return what this session shows; a new one begins with what stands in the page's address."""
    return st.session_state.get(name) or st.query_params.get(name)


def _shut(connections: Connections) -> bool:
    """Draw why this visitor may not see the page, and return whether there is such a reason."""
    address = st.get_option("server.address")  # None: all addresses of the machine
    if not connections.guarded and not is_loopback(address or ""):
        st.error(
            f"This page has no login and no TLS, and is served at {address or 'every address of this machine'}, where "
            "others reach it. Start it with `plant up` or `python -m dashboard`, which keep it on 127.0.0.1; "
            "docs/operations.md says how to open it."
        )
        return True
    if connections.login and not st.user.get("is_logged_in"):
        st.markdown("#### tickplant")
        st.button("Log in", on_click=st.login, type="primary", key="login")
        return True
    return False


if __name__ == Path(__file__).stem:  # as `streamlit run` imports it, to see what else is served
    app = st.App(__file__, routes=beat.routes())

if __name__ == "__main__":
    try:
        found = st.cache_resource(live_connections)()
    except PlantError as error:
        st.error(f"The settings cannot be used: {views.plain(str(error))}")
        st.stop()
    if _shut(found):
        st.stop()
    navigation.run(found, main)
