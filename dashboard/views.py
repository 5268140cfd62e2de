"""The parts of the page, drawn with Streamlit: header, watchlist, chart, and the panels below it."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from dashboard import component
from dashboard.bars import chart_bars, intervals, price_digits
from dashboard.charts import LAYERS, figure, signal_label
from dashboard.connections import Answer, Connection, Connections
from dashboard.freshness import Freshness, Level, age_text, freshness
from dashboard.snapshot import Snapshot
from dashboard.tables import (
    HEARTBEAT_COLUMNS,
    bars_csv,
    bars_table,
    chart_signals,
    events_table,
    processes_table,
    signals_table,
)
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


def chart(connections: Connections, now: Snapshot) -> tuple[str, pd.DataFrame]:
    """Draw symbol box, intervals, switches and the chart. Return the interval and the bars that are shown."""
    known = intervals(now.bars.frame)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.selectbox("Symbol", now.symbols, key="symbol", label_visibility="collapsed", width=130)
        interval = known[0] if known else ""
        if len(known) > 1:
            chosen = st.segmented_control(
                "Interval", known, default=interval, required=True, key="interval", label_visibility="collapsed"
            )
            interval = chosen if chosen in known else interval
        elif interval:
            st.badge(interval, color="blue", help="Length of a bar.")
        shown = st.pills(
            "Show",
            LAYERS,
            selection_mode="multi",
            default=SHOWN_AT_FIRST,
            key="layers",
            label_visibility="collapsed",
        )
    bars = chart_bars(now.bars.frame, now.indicators.frame, interval, connections.time_zone)
    if bars.empty:
        st.info(f"No bars of {plain(now.symbol or '')} are known. They show as soon as the rdb sends some.")
        return interval, bars
    signals = chart_signals(now.signals.frame, now.symbol or "", interval)
    component.live_chart(
        figure(bars, signals, shown, key=f"{now.symbol} {interval}"),
        bars,
        notes=_notes(connections, now),
        stale=now.bars.stale,
    )
    return interval, bars


def panels(connections: Connections, now: Snapshot, interval: str, bars: pd.DataFrame) -> None:
    """Draw signals, data and system below the chart, of which only the open one asks and draws."""
    signals, data, system = st.tabs(["Signals", "Data", "System"], key="panel", on_change="rerun")
    if signals.open:
        with signals:
            _signals_panel(connections, now)
    if data.open:
        with data:
            _data_panel(now.symbol or "", interval, bars)
    if system.open:
        with system:
            _system_panel(connections)


def _signals_panel(connections: Connections, now: Snapshot) -> None:
    frame = now.recent_signals.frame
    kinds = [] if frame is None else sorted(set(frame["signal"].astype(str)))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        syms = st.multiselect(
            "Symbols",
            now.symbols,
            key="signal_syms",
            placeholder="all symbols",
            label_visibility="collapsed",
            width=260,
        )
        wanted = st.multiselect(
            "Signals",
            kinds,
            format_func=signal_label,
            key="signal_kinds",
            placeholder="all signals",
            label_visibility="collapsed",
            width=320,
        )
        side = st.segmented_control("Side", ["buy", "sell"], key="signal_side", label_visibility="collapsed")
    table = signals_table(frame, connections.time_zone, syms=syms, sides=[side] if side else [], kinds=wanted)
    if now.recent_signals.stale:
        st.caption(f"Stale: {_as_of(now.recent_signals, connections.time_zone)}.")
    if table.empty:
        filtered = bool(syms or wanted or side)
        st.caption("No signal passes the filter." if filtered and kinds else "No signals yet.")
        return
    colored = table.style.map(
        lambda value: f"color: {'#26a69a' if value == 'buy' else '#ef5350'}; font-weight: 600", subset=["side"]
    )
    st.dataframe(
        colored,
        hide_index=True,
        height=320,
        key="signals",
        column_config={
            "time": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "price": st.column_config.NumberColumn(format=f"%.{price_digits(table['price'].to_numpy(dtype=float))}f"),
            "reason": st.column_config.TextColumn(width="large"),
        },
    )


def _data_panel(symbol: str, interval: str, bars: pd.DataFrame) -> None:
    if bars.empty:
        st.caption("No bars to show.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV",
            data=lambda: bars_csv(bars, symbol, interval),
            file_name=f"{re.sub(r'[^A-Za-z0-9.-]+', '_', symbol)}_{interval}.csv",
            mime="text/csv",
            on_click="ignore",
            key="download",
        )
        st.caption(f"{len(bars)} bars of {plain(symbol)} {interval}, newest first")
    table = bars_table(bars)
    digits = price_digits(bars["close"].to_numpy())
    number = st.column_config.NumberColumn
    config = {name: number(format=f"%.{digits}f") for name in table.columns if table[name].dtype == "float64"}
    config |= {"volume": number(format="localized"), "rsi_14": number(format="%.1f")}
    config |= {name: number(format=f"%.{digits + 1}f") for name in ("macd", "macd_signal", "macd_histogram")}
    time_column = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", pinned=True)
    st.dataframe(table, hide_index=True, height=360, key="data", column_config={**config, "time": time_column})


def _system_panel(connections: Connections) -> None:
    rdb = connections.rdb
    beats = rdb.last("heartbeats", needs=HEARTBEAT_COLUMNS)
    table = processes_table(beats.frame, time.time_ns())
    st.caption("Processes" + (f" · stale: {_as_of(beats, connections.time_zone)}" if beats.stale else ""))
    if table.empty:
        st.caption("No heartbeat yet.")
    else:
        number = st.column_config.NumberColumn
        st.dataframe(
            table,
            hide_index=True,
            key="processes",
            column_config={
                "rows": number(format="localized"),
                "rows/s": number(format="%.1f"),
                "behind": number(help="Journal sequence numbers behind the furthest process."),
                "memory": number(format="%.0f MiB"),
                "pid": number(format="%d"),
            },
        )
    for table_name, nothing in (("gaps", "No gap was seen."), ("rejects", "No row was refused.")):
        answer = rdb.select(table_name, needs=("time", "sym"), last=50)
        events = events_table(answer.frame, connections.time_zone)
        st.caption(table_name.capitalize() + (f" · {nothing}" if events.empty and not answer.stale else ""))
        if not events.empty:
            st.dataframe(events, hide_index=True, height=180, key=table_name)
    for connection in (connections.rdb, connections.processor):
        took = "-" if connection.took_ms is None else f"{connection.took_ms:.1f} ms"
        st.caption(f"{connection.name} at {plain(connection.address)}: last answer took {took}")


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
        notes.append(("error", f"stale chart · {_as_of(now.bars, connections.time_zone)} · {now.bars.error}"))
    if now.indicators.stale:
        known = now.indicators.frame is not None
        what = f"overlays {_as_of(now.indicators, connections.time_zone)}" if known else "no overlays"
        notes.append(("warning", f"{what}: {now.indicators.error}"))
    return notes


def _as_of(answer: Answer, time_zone: str) -> str:
    if answer.at is None:
        return "never answered"
    clock = datetime.fromtimestamp(answer.at, ZoneInfo(time_zone))
    return f"as of {clock:%H:%M:%S}, {age_text(time.time() - answer.at)} ago"


def _pick() -> None:
    sym = component.picked()
    if sym:
        st.session_state["symbol"] = sym
