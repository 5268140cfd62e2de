"""The parts of the page, drawn with Streamlit: header, watchlist, chart, and what stands there without data."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from dashboard import component
from dashboard.bars import chart_bars
from dashboard.charts import LAYERS, figure
from dashboard.connections import Answer, Connection, Connections
from dashboard.freshness import Freshness, Level, age_text, freshness
from dashboard.snapshot import Snapshot
from dashboard.tables import chart_signals
from dashboard.watchlist import SHOWN, watch_rows

SHOWN_AT_FIRST = [layer for layer in LAYERS if layer != "EMA 20"]
_FRESHNESS_COLORS: dict[Level, Literal["green", "orange", "red", "gray"]] = {
    "live": "green",
    "late": "orange",
    "silent": "red",
    "none": "gray",
}


def plain(text: str) -> str:
    """Return the text with Markdown's and Streamlit's own signs escaped: it shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|~:$<>-])", r"\\\1", text)


def as_of(answer: Answer, time_zone: str) -> str:
    """Return how old an answer is, for people: "as of 09:41:05, 12 s ago"."""
    if answer.at is None:
        return "never answered"
    clock = datetime.fromtimestamp(answer.at, ZoneInfo(time_zone))
    return f"as of {clock:%H:%M:%S}, {age_text(time.time() - answer.at)} ago"


def header(connections: Connections, now: Snapshot, now_ns: int, paused: bool) -> None:
    """Draw the badges, and for a process that is away what to do about it."""
    ticks = freshness(now.newest.frame, now_ns)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for connection in (connections.rdb, connections.processor):
            _connection_badge(connection)
        _freshness_badge(ticks, known=not now.newest.stale)
        if now.simulated:
            st.badge("simulated data", color="violet", help="At least one symbol comes from the simulated feed.")
        if paused:
            st.badge("paused", color="orange")
        zone = connections.time_zone
        clock = datetime.fromtimestamp(now_ns / 1e9, ZoneInfo(zone))
        st.caption(f"{clock:%a %d %b %Y %H:%M:%S} · times in {plain(zone)}")
    for connection in (connections.rdb, connections.processor):
        if connection.up is False and connection.down_since is not None:
            away = age_text(time.time() - connection.down_since)
            st.error(
                f"**{connection.name} is not answering** at `{connection.address}`, for {away}. {connection.remedy} "
                "This page goes on by itself when it is back."
            )
    if now.symbol is not None and connections.rdb.up and connections.rdb.missing:
        st.warning(f"Today's rows only, without history: {plain(connections.rdb.missing)}")


def nothing_yet(rdb: Connection, newest: Answer) -> None:
    """Draw the page without bars: the rdb is away, answers wrongly, or has none yet."""
    with st.container(border=True, horizontal_alignment="center"):
        if rdb.up is False:
            st.markdown("#### No data: the rdb is not answering")
            st.caption(f"Nothing was loaded from {plain(rdb.address)} yet. {plain(rdb.remedy)}")
        elif newest.error is not None:
            st.markdown("#### No data: the rdb cannot answer")
            st.caption(plain(str(newest.error)))
        else:
            st.markdown("#### No bars yet")
            st.caption("The rdb is up and has no bars. Is a feed running? `plant status` tells.")


def watch(connections: Connections, now: Snapshot) -> None:
    """Draw the watchlist; a click switches the symbol of the chart."""
    assert now.newest.frame is not None
    more = len(now.symbols) - SHOWN
    st.caption("Watchlist" + (f" · first {SHOWN}, {more} more in the symbol box" if more > 0 else ""))
    rows = watch_rows(now.newest.frame, now.history.frame, connections.opens, connections.time_zone)
    component.watchlist(rows, now.symbol or "", on_pick=_pick, stale=now.newest.stale)


def chart(connections: Connections, now: Snapshot) -> pd.DataFrame:
    """Draw symbol box, intervals, switches and the chart. Return the bars that are shown."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.selectbox("Symbol", now.symbols, key="symbol", label_visibility="collapsed", width=130)
        if len(now.intervals) > 1:
            st.session_state["interval"] = now.interval
            st.segmented_control(
                "Interval",
                now.intervals,
                required=True,
                format_func=plain,
                key="interval",
                label_visibility="collapsed",
            )
        elif now.interval:
            st.badge(plain(now.interval), color="blue", help="Length of a bar.")
        shown = st.pills(
            "Show",
            LAYERS,
            selection_mode="multi",
            default=SHOWN_AT_FIRST,
            key="layers",
            label_visibility="collapsed",
        )
    bars = chart_bars(now.bars.frame, now.indicators.frame, now.interval, connections.time_zone)
    if bars.empty:
        st.info(f"No bars of {plain(now.symbol or '')} are known. They show as soon as the rdb sends some.")
        return bars
    signals = chart_signals(now.signals.frame, now.symbol or "", now.interval)
    component.live_chart(
        figure(bars, signals, shown, key=f"{now.symbol} {now.interval}"),
        bars,
        notes=_notes(connections, now),
        stale=now.bars.stale,
    )
    return bars


def _connection_badge(connection: Connection) -> None:
    if connection.up:
        st.badge(f"{connection.name} up", icon=":material/check_circle:", color="green", help=connection.address)
    elif connection.up is None:
        st.badge(f"{connection.name}: not asked yet", color="gray", help=connection.address)
    else:
        label = f"{connection.name} down · {connection.address.removeprefix('tcp://')}"
        st.badge(label, icon=":material/error:", color="red", help=connection.remedy)


def _freshness_badge(ticks: Freshness, *, known: bool) -> None:
    """Draw the age of the newest tick; it says nothing good while the rdb cannot be asked for newer ones (`known`)."""
    level = ticks.level if known else "none"
    text = ticks.text if known else f"last known tick {age_text(ticks.age_s)} ago" if ticks.age_s else "no tick known"
    st.badge(
        text,
        icon=":material/sensors:" if level == "live" else ":material/sensors_off:",
        color=_FRESHNESS_COLORS[level],
        help="Age of the newest row of bars, over all symbols.",
    )


def _notes(connections: Connections, now: Snapshot) -> list[tuple[str, str]]:
    notes = []
    if now.bars.stale:
        notes.append(("error", f"stale chart · {as_of(now.bars, connections.time_zone)} · {now.bars.error}"))
    if now.indicators.stale:
        known = now.indicators.frame is not None
        what = f"overlays {as_of(now.indicators, connections.time_zone)}" if known else "no overlays"
        notes.append(("warning", f"{what}: {now.indicators.error}"))
    return notes


def _pick() -> None:
    sym = component.picked()
    if sym:
        st.session_state["symbol"] = sym
