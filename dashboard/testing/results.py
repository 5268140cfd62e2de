"""What came of backtests, drawn with Streamlit: metrics and equity beside each other, trades on the chart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import component
from dashboard.bars import LOADED, chart_bars, price_digits, price_format
from dashboard.charts import figure
from dashboard.connections import Answer, Connections
from dashboard.freshness import interval_seconds, utc_nanoseconds
from dashboard.indicators.choice import SIGNALS, VOLUME
from dashboard.panes import DARK, LIGHT, Palette
from dashboard.snapshot import BAR_COLUMNS
from dashboard.strategies.listing import symbols_of
from dashboard.testing.figures import equity_figure
from dashboard.testing.shown import (
    EQUITY_COLUMNS,
    METRIC_COLUMNS,
    TRIP_COLUMNS,
    marks_of,
    metrics_table,
    newest_trips,
    runs_table,
    trip_line,
    trips_csv,
    trips_table,
)
from dashboard.views import plain
from plant.state.newest import Row

SPAN_NS = 60 * 10**9
"""Rows of a backtest have the time of its command and a count of ns: none is further away."""

_FILE = "trips_file"  # in the session's state: of which run and how many rows the file is, and the file

AHEAD = 40  # bars behind a trade that the chart shows


def names_of(runs: Sequence[Row], time_zone: str) -> dict[str, str]:
    """Return what each run is called: strategy, symbols, interval, parameters, when it was given."""
    found = {}
    for each in runs_table(runs, time_zone).to_dict("records"):
        parts = (each["strategy"], each["symbols"], each["interval"], each["parameters"])
        told = " · ".join(str(part) for part in parts if part)
        found[str(each["run"])] = f"{told} · {each['given']:%d %b %H:%M:%S}"
    return found


def draw(connections: Connections, runs: Sequence[Row], names: Mapping[str, str]) -> None:
    """Draw runs that are over: the first's trades, all others beside it."""
    palette = LIGHT if st.context.theme.type == "light" else DARK
    equity = _joined([_of(connections, "equity", EQUITY_COLUMNS, row) for row in runs])
    metrics = _joined([_of(connections, "metrics", METRIC_COLUMNS, row) for row in runs])
    short = _short(runs, names)
    if len(runs) == 1:
        _numbers(metrics_table(metrics, [runs[0]["run"]], {runs[0]["run"]: "value"}))
    if equity is not None and len(equity):
        drawing = equity_figure(equity, short, connections.time_zone, palette)
        st.plotly_chart(drawing, key="equity", theme=None, config={"displayModeBar": False, "responsive": True})
    else:
        st.caption("It has no equity: no bar was in its time.")
    if len(runs) > 1:
        st.dataframe(metrics_table(metrics, [row["run"] for row in runs], short), hide_index=True, key="metrics")
    chosen = runs[0]
    if len(runs) > 1:
        picked = st.selectbox(
            "Trades of", [row["run"] for row in runs], format_func=lambda run: short[run], key="trades-of"
        )
        chosen = next(row for row in runs if row["run"] == picked)
    _trades(connections, chosen, palette)


def _numbers(table: pd.DataFrame) -> None:
    """Draw the metrics of one run, as many in a row as fit."""
    if table.empty:
        return
    with st.container(horizontal=True, gap="small", key="numbers"):
        for metric, value in zip(table["metric"], table["value"], strict=True):
            st.metric(metric, value, width=110, border=False)


def _trades(connections: Connections, row: Row, palette: Palette) -> None:
    """Draw the round trips of a run, and the one that is picked on the chart."""
    answer = _of(connections, "round_trips", TRIP_COLUMNS, row)
    if answer.stale:
        st.error(plain(str(answer.error)))
    trips = newest_trips(answer.frame)
    if trips.empty:
        st.caption("It made no trade. Too few bars, a warm-up that is longer than they are, or no condition was met.")
        return
    table = trips_table(answer.frame, connections.time_zone)
    key = f"trips-{row['run']}"
    picked = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    trip = trips.iloc[len(trips) - 1 - (picked[0] if picked else 0)]
    _chart(connections, row, trips, trip, palette)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV",
            data=_csv(row["run"], answer.frame),
            file_name=f"{re.sub(r'[^A-Za-z0-9.-]+', '_', row['sym'])}_{row['run']}.csv",
            mime="text/csv",
            on_click="ignore",
            key="download-trips",
        )
        st.caption(f"{len(trips):,} round trips, newest first; pick one to see it on the chart")
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        column_order=[
            name for name in table.columns if name != "number" and (name != "sym" or len(symbols_of(row)) > 1)
        ],
        column_config=_trip_columns(table),
    )


def _csv(run: str, trips: pd.DataFrame | None) -> bytes:
    """Return the round trips of a run that is over, which change no more, as a file; the newest is kept.

    Made here and not when it is clicked: that goes by a name which is another one each time the page is drawn, and a
    click by an old name is lost.
    """
    known, data = st.session_state.get(_FILE, (None, b""))
    of = run, 0 if trips is None else len(trips)
    if known != of:
        data = trips_csv(trips)
        st.session_state[_FILE] = of, data
    return data


def _trip_columns(table: pd.DataFrame) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    when = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")
    price = price_format(price_digits(table["entry_price"].to_numpy()))
    percent = number(format="%.2f %%")
    config = {"entry_at": when, "exit_at": when, "qty": number(format="%g"), "profit": number(format="%.2f")}
    config |= {
        "commission": number(format="%.2f"),
        "entry_price": number(format=price),
        "exit_price": number(format=price),
    }
    return config | dict.fromkeys(("profit_pct", "run_up", "drawdown"), percent)


def _chart(connections: Connections, row: Row, trips: pd.DataFrame, trip: pd.Series, palette: Palette) -> None:
    """Draw the bars up to somewhat behind a trade, with all entries and exits among them."""
    sym, interval = str(trip["sym"]), row["interval"]
    (exit_ns,) = utc_nanoseconds(pd.Series([trip["exit_at"]]))
    end = int(exit_ns) + int((AHEAD + 1) * interval_seconds(interval) * 1e9)
    answer = connections.rdb.select(
        "bars", needs=BAR_COLUMNS, sym=sym, where={"interval": interval}, end=pd.Timestamp(end, tz="UTC"), last=LOADED
    )
    bars = chart_bars(answer.frame, None, interval, connections.time_zone, columns=())
    if bars.empty:
        st.caption(f"The plant has no bars of {plain(sym)} in {plain(interval)} to draw the trades on.")
        return
    shown = figure(
        bars,
        marks_of(trips, sym),
        (VOLUME, SIGNALS),
        (),
        key=f"{sym} {interval} {row['run']} {trip['number']}",
        palette=palette,
    )
    st.caption(plain(f"{sym} {interval} · {trip_line(trip)}"))
    component.live_chart(shown, bars, address={"symbol": None, "interval": None}, name="trades_chart")


def _of(connections: Connections, table: str, columns: Sequence[str], row: Row) -> Answer:
    """Return the rows of one run of a table."""
    span = {"start": pd.Timestamp(row["time"], tz="UTC"), "end": pd.Timestamp(row["time"] + SPAN_NS, tz="UTC")}
    return connections.rdb.select(table, needs=columns, columns=list(columns), where={"run": row["run"]}, **span)


def _joined(answers: Sequence[Answer]) -> pd.DataFrame | None:
    for answer in answers:
        if answer.stale:
            st.error(plain(str(answer.error)))
    frames = [answer.frame for answer in answers if answer.frame is not None and not answer.frame.empty]
    return (
        pd.concat([frame.astype({"sym": str, "run": str}) for frame in frames], ignore_index=True) if frames else None
    )


def _short(runs: Sequence[Row], names: Mapping[str, str]) -> dict[str, str]:
    """Return names without what all of the runs have in common."""
    parts = {row["run"]: names[row["run"]].split(" · ") for row in runs}
    common = set.intersection(*(set(found) for found in parts.values())) if len(parts) > 1 else set()
    return {run: " · ".join(part for part in found if part not in common) or names[run] for run, found in parts.items()}
