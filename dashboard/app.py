"""The dashboard's page: `streamlit run dashboard/app.py`.

A header with what a person may change, and one live fragment that is drawn again every few seconds.
`main(connections)` draws it all, for any `Connections`.
"""

from __future__ import annotations

import time

import streamlit as st

from dashboard import snapshot, tabs, views
from dashboard.connections import Connections, live_connections
from plant.errors import PlantError

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
    st.fragment(_live, run_every=None if paused else refresh_s)(connections, paused)


def _live(connections: Connections, paused: bool) -> None:
    now = snapshot.take(connections, st.session_state.get("symbol"), st.session_state.get("interval"))
    views.header(connections, now, time.time_ns(), paused)
    if now.symbol is None:
        views.nothing_yet(connections.rdb, now.newest)
        if connections.rdb.up:
            tabs.system(connections)
        return
    if st.session_state.get("symbol") != now.symbol:
        st.session_state["symbol"] = now.symbol  # before the symbol box is drawn, which takes it from there
    side, middle = st.columns([1, 3.8], gap="medium")
    with side:
        views.watch(connections, now)
    with middle:
        bars = views.chart(connections, now)
    tabs.draw(connections, now, bars)


if __name__ == "__main__":
    try:
        found = st.cache_resource(live_connections)()
    except PlantError as error:
        st.error(f"The settings cannot be used: {views.plain(str(error))}")
        st.stop()
    main(found)
