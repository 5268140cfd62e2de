"""The parts of the page, drawn with Streamlit: header, watchlist, chart, and what stands there without data."""

from __future__ import annotations

import re
import time
from datetime import datetime
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from dashboard import component
from dashboard.annotations import shown as noted
from dashboard.annotations.drawing import write
from dashboard.annotations.marks import marks_of
from dashboard.bars import chart_bars
from dashboard.charts import figure
from dashboard.connections import Answer, Connection, Connections
from dashboard.desk.desk import visitor
from dashboard.freshness import Freshness, Level, age_text, freshness
from dashboard.indicators import shown
from dashboard.indicators.answers import with_calculated
from dashboard.panes import DARK, LIGHT
from dashboard.pulse import Look, capture_stopped, judged
from dashboard.refresh import beat
from dashboard.snapshot import Snapshot
from dashboard.tables import chart_signals
from dashboard.watchlist import SHOWN, watch_rows
from plant.control.annotations import source_of
from plant.serving.origins import origin_notes

WANTED = "wanted_symbol"  # in the session's state: the one that was clicked in the watchlist, until the box has it
_FRESHNESS_COLORS: dict[Level, Literal["green", "orange", "red", "gray"]] = {
    "live": "green",
    "late": "orange",
    "silent": "red",
    "none": "gray",
}

_HEALTH_BADGES: dict[str, tuple[Literal["green", "orange", "red", "gray"], str]] = {
    "up": ("green", ":material/check_circle:"),
    "starting": ("orange", ":material/pending:"),
    "down": ("red", ":material/error:"),
    "unknown": ("gray", ":material/help:"),
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


def processes(connections: Connections, newest: Answer, beats: Answer, paused: bool) -> None:
    """Draw a badge for each process and the age of the newest tick, and for what is away what to do about it."""
    now = time.time()
    looks = connections.pulse.looks()
    stopped = capture_stopped(looks, now)
    at = None if beats.stale or paused else beats.at
    newest_known = not paused and not newest.stale and not stopped and not looks.get("rdb", Look()).error
    badges: list[tuple[str, str]] = []  # in one element, drawn every second: each of its own cost as much as all
    if stopped:
        badges.append((_badge("capture stopped", "red", ":material/emergency_home:"), f"capture: {stopped}"))
    for health in judged(looks, [feed.label for feed in connections.feeds], beats.frame, at, connections.heartbeat_s):
        label = f"{health.process} {health.word}"
        color, icon = _HEALTH_BADGES[health.level]
        badges.append((_badge(label, color, icon), f"{label}: {health.detail}" if health.detail else ""))
    badges.append(_freshness_badge(freshness(newest.frame, int(now * 1e9)), known=newest_known))
    sources = () if newest.frame is None else newest.frame["source"].astype(str).unique()
    for note in origin_notes(sources, connections.feeds)[0]:
        badges.append((_badge(note.partition(":")[0], "violet"), note))
    if paused:
        badges.append((_badge("paused", "orange"), ""))
    clock = datetime.fromtimestamp(now, ZoneInfo(connections.time_zone))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        details = "\n".join(f"- {plain(told)}" for _, told in badges if told)
        st.markdown(" ".join(badge for badge, _ in badges), width="content", help=details or None)
        st.caption(f"{clock:%a %d %b %Y %H:%M:%S} · times in {plain(connections.time_zone)}", width="content")
        component.beat(beat.PATH.removeprefix("/"), beat.letters(looks))
    if stopped:
        st.error(
            f"**Capture stopped**: {plain(stopped)}. What feeds send is not kept until it is back. "
            "`plant status` tells why; `supervisorctl start tickerplant` starts it."
        )
    for name in ("rdb", "processor"):
        look = looks.get(name, Look())
        if look.error and look.since is not None:
            connection: Connection = getattr(connections, name)
            st.error(
                f"**{name} is not answering** at `{connection.address}`, for {age_text(now - look.since)}. "
                f"{connection.remedy} This page goes on by itself when it is back."
            )
    if newest.frame is not None and connections.rdb.up and connections.rdb.missing:
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
            st.caption("The rdb is up and has no bars, trades or quotes. Is a feed running? `plant status` tells.")


def watch(connections: Connections, now: Snapshot) -> None:
    """Draw the watchlist; a click switches the symbol of the chart."""
    more = len(now.symbols) - SHOWN
    st.caption("Watchlist" + (f" · first {SHOWN}, {more} more in the symbol box" if more > 0 else ""))
    zone, at = connections.time_zone, time.time_ns()
    rows = watch_rows(now.newest.frame, now.history.frame, connections.opens, zone, at, now.others)
    component.watchlist(rows, now.symbol or "", on_pick=_pick, stale=now.newest.stale)


def controls(connections: Connections, now: Snapshot) -> None:
    """Draw symbol box, intervals and the switches of the chart's layers."""
    st.session_state.pop(WANTED, None)
    if st.session_state.get("symbol") != now.symbol:
        st.session_state["symbol"] = now.symbol  # before the symbol box is drawn, which takes it from there
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
        labels = shown.offer(connections.declarations)
        st.pills(
            "Show",
            list(labels),
            selection_mode="multi",
            format_func=lambda text: plain(labels[text]),
            key=shown.LAYERS,
            label_visibility="collapsed",
        )


def chart(connections: Connections, now: Snapshot) -> pd.DataFrame:
    """Draw the chart. Return the bars that are shown, with the columns of all indicators."""
    declarations, symbol = connections.declarations, now.symbol or ""
    layers = shown.current(declarations)
    address = {
        "symbol": symbol,
        "interval": now.interval,
        "show": shown.address(declarations),
        "annotations": noted.address(),
    }
    columns = [column for one in declarations for column in one.columns]
    bars = chart_bars(now.bars.frame, now.indicators.frame, now.interval, connections.time_zone, columns=columns)
    if bars.empty:
        st.info(_why_empty(connections, now))
        return bars
    choices = shown.choices(declarations)
    bars, told = with_calculated(
        connections, bars, [one for one in choices if one.text in layers], symbol, now.interval
    )
    palette = LIGHT if st.context.theme.type == "light" else DARK
    signals = chart_signals(now.signals.frame, symbol, now.interval)
    names, times = noted.current(), bars["time_ns"].to_numpy()
    marks, more = marks_of(now.annotations.rows, times, now.interval, names, noted.ENDED in names, palette)
    if more:
        told.append(f"{len(marks)} annotations are shown, {more} older ones are not")
    component.live_chart(
        figure(bars, signals, layers, choices, key=f"{symbol} {now.interval}", palette=palette),
        bars,
        address=address,
        notes=[*_notes(connections, now), *(("warning", text) for text in told)],
        stale=now.bars.stale,
        marks=marks,
        draw=None if connections.pen is None else partial(_draw, connections, symbol),
    )
    return bars.rename(columns={column: name for one in choices for column, name in one.names.items()})


def _draw(connections: Connections, symbol: str, what: dict[str, Any]) -> dict[str, Any]:
    """Write what was drawn on the chart of a symbol, and look at it; return what became of it."""
    assert connections.pen is not None
    answer = write(connections.pen, what, symbol, source_of(visitor()))
    if connections.annotations is not None:
        connections.annotations.look(symbol, fresh=True)
    return answer


def _why_empty(connections: Connections, now: Snapshot) -> str:
    symbol = plain(now.symbol or "")
    tick = now.others.get(now.symbol or "")
    if tick is None:
        return f"No bars of {symbol} in {plain(now.interval)} are known. They show as soon as the rdb sends some."
    if tick.kind == "quote":
        return f"{symbol} has quotes, and no bars or trades to draw. {plain(tick.told)}"
    if not connections.intervals:
        why = "None are built: \\[processor\\] intervals is empty, or \\[bars\\] build is never"
    else:
        why = f"The processor builds them as soon as it sees the trades. {connections.processor.remedy}"
    return f"{symbol} has trades, and no bars yet. {plain(tick.told)} {why}"


def _freshness_badge(ticks: Freshness, *, known: bool) -> tuple[str, str]:
    """Return the age of the newest tick; it says nothing good while the rdb cannot be asked for newer (`known`)."""
    level = ticks.level if known else "none"
    text = ticks.text if known else f"last known tick {age_text(ticks.age_s)} ago" if ticks.age_s else "no tick known"
    icon = ":material/sensors:" if level == "live" else ":material/sensors_off:"
    return _badge(text, _FRESHNESS_COLORS[level], icon), "last tick: age of the newest row of bars, over all symbols"


def _badge(label: str, color: str, icon: str = "") -> str:
    return f":{color}-badge[{icon} {plain(label)}]" if icon else f":{color}-badge[{plain(label)}]"


def _notes(connections: Connections, now: Snapshot) -> list[tuple[str, str]]:
    notes = []
    if now.bars.stale:
        notes.append(("error", f"stale chart · {as_of(now.bars, connections.time_zone)} · {now.bars.error}"))
    if now.annotations.error is not None:
        notes.append(("warning", f"annotations may be old: {now.annotations.error}"))
    if now.indicators.stale:
        known = now.indicators.frame is not None
        what = f"overlays {as_of(now.indicators, connections.time_zone)}" if known else "no overlays"
        notes.append(("warning", f"{what}: {now.indicators.error}"))
    return notes


def _pick() -> None:
    sym = component.picked()
    if sym:
        st.session_state[WANTED] = sym  # not the box's own state: what a fragment puts there is lost
