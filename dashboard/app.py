"""The dashboard's page: `streamlit run dashboard/app.py`.

A header with what a person may change; how the processes are, every second; and the rest, again every few seconds.
`main(connections)` draws it all, for any `Connections`.
"""

from __future__ import annotations

import streamlit as st

from dashboard import snapshot, tabs, views
from dashboard.connections import Connections, live_connections
from plant.errors import PlantError
from plant.transport.sockets import is_loopback

PROCESSES_S = 1.0  # seconds between looks at how the processes are
REFRESH_CHOICES_S = (1.0, 2.0, 5.0, 10.0, 30.0)


def main(connections: Connections) -> None:
    """Draw the page, and keep it live."""
    st.set_page_config(page_title="tickplant", page_icon="📈", layout="wide", initial_sidebar_state="collapsed")
    choices = sorted({*REFRESH_CHOICES_S, connections.refresh_s})
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        icon, where = ":primary[:material/candlestick_chart:]", views.plain(connections.plant)
        st.markdown(f"### {icon} tickplant &nbsp; :gray[:small[{where}]]", width="stretch")
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
    st.fragment(_processes, run_every=PROCESSES_S)(connections, paused)
    st.fragment(_live, run_every=None if paused else refresh_s)(connections)


def _processes(connections: Connections, paused: bool) -> None:
    """Draw how the processes are, also while the page is paused; of the rows it shows what the page asked for last."""
    newest, beats = st.session_state.get("newest") or (snapshot.newest(connections), snapshot.beats(connections))
    views.processes(connections, newest, beats, paused)


def _live(connections: Connections) -> None:
    now = snapshot.take(connections, _chosen("symbol"), _chosen("interval"))
    st.session_state["newest"] = now.newest, snapshot.beats(connections)
    if now.symbol is None:
        views.nothing_yet(connections.rdb, now.newest)
        if connections.rdb.up:
            tabs.system(connections)
        return
    if st.session_state.get("symbol") != now.symbol:
        st.session_state["symbol"] = now.symbol  # before the symbol box is drawn, which takes it from there
    middle, side = st.columns([3.8, 1], gap="medium")  # on a phone one below the other: the chart first
    with middle:
        bars = views.chart(connections, now)
    with side:
        views.watch(connections, now)
    tabs.draw(connections, now, bars)


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


if __name__ == "__main__":
    try:
        found = st.cache_resource(live_connections)()
    except PlantError as error:
        st.error(f"The settings cannot be used: {views.plain(str(error))}")
        st.stop()
    if _shut(found):
        st.stop()
    main(found)
