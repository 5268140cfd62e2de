"""The tabs below the chart, drawn with Streamlit: signals, data, system."""

from __future__ import annotations

import re
import time

import pandas as pd
import streamlit as st

from dashboard import component
from dashboard.bars import price_digits, price_format
from dashboard.connections import Connections
from dashboard.snapshot import Snapshot
from dashboard.tables import (
    HEARTBEAT_COLUMNS,
    bars_csv,
    bars_table,
    events_table,
    processes_table,
    signals_table,
)
from dashboard.views import as_of, plain

TABS = ("Signals", "Alerts", "Data", "System")
ALERT_COLUMNS = ("time", "sym", "event", "service", "state", "attempt", "held_back", "detail")
ALERTS = 100  # rows that are shown


def draw(connections: Connections, now: Snapshot, bars: pd.DataFrame) -> None:
    """Draw signals, alerts, data and system below the chart, of which only the open one asks and draws."""
    tabs = dict(zip(TABS, st.tabs(TABS, key="panel", on_change="rerun"), strict=True))
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            match name:
                case "Signals":
                    _signals(connections, now)
                case "Alerts":
                    _alerts(connections)
                case "Data":
                    _data(now.symbol or "", now.interval, bars)
                case _:
                    system(connections)


def system(connections: Connections) -> None:
    """Draw what the plant knows of itself: processes, gaps, refused rows."""
    rdb = connections.rdb
    beats = rdb.last("heartbeats", needs=HEARTBEAT_COLUMNS)
    table = processes_table(beats.frame, time.time_ns())
    st.caption("Processes" + (f" · stale: {as_of(beats, connections.time_zone)}" if beats.stale else ""))
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


def _signals(connections: Connections, now: Snapshot) -> None:
    table = signals_table(now.recent_signals.frame, connections.time_zone)
    if now.recent_signals.stale:
        st.caption(f"Stale: {as_of(now.recent_signals, connections.time_zone)}.")
    if table.empty:
        st.caption("No signals yet.")
        return
    component.signal_list(table, stale=now.recent_signals.stale)


def _alerts(connections: Connections) -> None:
    answer = connections.rdb.select("alerts", needs=ALERT_COLUMNS, columns=list(ALERT_COLUMNS), last=ALERTS)
    table = events_table(answer.frame, connections.time_zone)
    if answer.stale:
        st.caption(f"Stale: {as_of(answer, connections.time_zone)}.")
    if table.empty:
        st.caption(
            "No alert yet. What is sent, and where, is said by \\[\\[alerts\\]\\] in plant.toml (docs/alerts.md)."
        )
        return
    st.dataframe(
        table,
        hide_index=True,
        height=320,
        key="alerts",
        column_config={
            "time": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "sym": st.column_config.TextColumn("about"),
            "held_back": st.column_config.NumberColumn("held back", help="Others of its kind not sent since."),
            "detail": st.column_config.TextColumn(width="large"),
        },
    )


def _data(symbol: str, interval: str, bars: pd.DataFrame) -> None:
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
    volume_digits = price_digits(bars["volume"].to_numpy(), least=0)
    whole = volume_digits == 0
    number = st.column_config.NumberColumn
    config = {name: number(format=price_format(digits)) for name in table.columns if table[name].dtype == "float64"}
    config |= {
        "volume": number(format="localized" if whole else price_format(volume_digits)),
        "rsi_14": number(format="%.1f"),
    }
    config |= {name: number(format=price_format(digits + 1)) for name in ("macd", "macd_signal", "macd_histogram")}
    time_column = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", pinned=True)
    st.dataframe(table, hide_index=True, height=360, key="data", column_config={**config, "time": time_column})
