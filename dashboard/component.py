"""The two components of the page that Streamlit lacks: a chart that keeps its zoom while live, and the watchlist.

Both are Streamlit custom components v2 whose files lie in `chart/`, plotly.js among them. Streamlit finds such folders
by a manifest inside installed packages; it cannot see the one of an editable install whose distribution is not named as
one of its packages. So the manifest is handed to it here, as Streamlit's own scan would do, whichever way the dashboard
was started.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest
from streamlit.components.v2.types import ComponentRenderer

from dashboard.bars import PLAIN_DIGITS, price_digits
from dashboard.panes import IN_VIEW, MOST_IN_VIEW, RIGHT_MARGIN
from dashboard.refresh.held import Held, HeldChart

Draw = Callable[[dict[str, Any]], dict[str, Any]]

ASSETS = "chart"
ANSWERS = 3  # to what was drawn, that stay with the chart: the browser tells one thing at a time
SPARK_LEVELS = 44  # half pixels of a sparkline; from "0" on, so many letters need no escape in JSON
_CHART, _SIGNALS = "live_chart", "signal_list"  # in the session's state, as what the browser has of them is
_MANIFEST = ComponentManifest(
    name="tickplant",
    version="1",
    components=[ComponentConfig(name=name, asset_dir=ASSETS) for name in ("chart", "watchlist", "signals", "beat")],
)


def live_chart(
    figure: dict[str, Any],
    bars: pd.DataFrame,
    *,
    address: dict[str, str | None],
    notes: Sequence[tuple[str, str]] = (),
    stale: bool = False,
    name: str = _CHART,
    marks: dict[str, Any] | None = None,
    draw: Draw | None = None,
) -> None:
    """Show a figure from `dashboard.charts.figure` of these `bars`, patched in place: zoom, pan and legend are kept.

    The chart writes `address` (symbol, interval, show; None: not said) and what part is in view into the page's
    address, and takes the view from there at first: so a reload, a link, or a dashboard that was started again, shows
    the same.

    `notes` are (level, text) with level "warning" or "error", shown above the chart; `stale` greys it. `name` tells it
    from the charts of other pages. `marks` are those of `dashboard.annotations.marks`; with `draw` one may draw on the
    chart: it is given what the browser says of it, and returns the answer.
    """
    chart = {
        "key": figure["layout"]["uirevision"],
        "times": (bars["time_ns"] // 1_000_000).tolist(),
        "local": (pd.DatetimeIndex(bars["local"]).as_unit("ms").asi8).tolist(),
        "address": address,
        "plain_digits": PLAIN_DIGITS,
        "digits": price_digits(bars["close"].to_numpy()),
        "limits": {"in_view": IN_VIEW, "most_in_view": MOST_IN_VIEW, "margin": RIGHT_MARGIN},
        "order": [trace["uid"] for trace in figure["data"]],
        "traces": {trace["uid"]: _told(trace, len(bars)) for trace in figure["data"]},
        "layout": figure["layout"],
        "marks": marks or {},
    }
    answers = st.session_state.setdefault(f"answers_{name}", [])
    shown = {"notes": [{"level": level, "text": text} for level, text in notes], "stale": stale}
    message = _held(name).message(chart)
    _mount("chart")(
        key=name,
        data={**message, **shown, "draws": draw is not None, "answers": answers},
        on_told_change=partial(_take_told, name),
        on_drawn_change=partial(_take_drawn, name, draw),
    )


def _told(trace: dict[str, Any], bars: int) -> dict[str, Any]:
    """Return the trace without what the component knows by itself: an x for each bar, the outline of an area."""
    area = (trace.get("meta") or {}).get("area")
    known = {"x", "y"} if area else {"x"} if trace["x"] == list(range(bars)) else set()
    return {name: value for name, value in trace.items() if name not in known}


def signal_list(table: pd.DataFrame, *, stale: bool = False) -> None:
    """Show the rows of `dashboard.tables.signals_table`, patched in place: one that is scrolled stays where it is."""
    columns = [table[name].tolist() for name in ("symbol", "interval", "side", "signal", "price", "reason", "state")]
    stamps = table["time"].dt.strftime("%Y-%m-%d %H:%M:%S").tolist()
    rows = [list(row) for row in zip(stamps, *columns, strict=True)]
    message = _held(_SIGNALS).message({"rows": rows[::-1]})  # oldest first: what comes is appended
    _mount("signals")(key=_SIGNALS, data={**message, "stale": stale}, on_told_change=partial(_take_told, _SIGNALS))


def beat(path: str, letters: str) -> None:
    """Have the browser ask at `path` every second for `letters`, and draw this fragment when they are others."""
    _mount("beat")(
        key="beat", data={"path": path, "letters": letters}, on_changed_change=_drawn_anew, width=1, height=1
    )


def _drawn_anew() -> None:
    """Streamlit draws the fragment again, which is all there is to do."""


def _held(key: str) -> Held:
    made: Held = st.session_state.setdefault(f"held_{key}", Held() if key == _SIGNALS else HeldChart())
    return made


def _take_told(key: str) -> None:
    """Note what the browser says that it has of a component, or lacks."""
    _held(key).told(getattr(st.session_state.get(key), "told", None))


def _take_drawn(key: str, draw: Draw | None) -> None:
    """Have what was drawn written, and keep the answer for the message that is drawn next."""
    what = getattr(st.session_state.get(key), "drawn", None)
    if draw is not None and isinstance(what, dict):
        answers = st.session_state.setdefault(f"answers_{key}", [])
        st.session_state[f"answers_{key}"] = [*answers, draw(what)][-ANSWERS:]


def watchlist(rows: list[dict[str, Any]], selected: str, *, on_pick: Callable[[], None], stale: bool = False) -> None:
    """Show the rows of `dashboard.watchlist.watch_rows`; a click calls `on_pick`, and `picked()` tells the symbol."""
    told = [
        [
            row["sym"],
            row["detail"],
            row["price"],
            row["last"] if isfinite(row["last"]) else None,
            "up" if row["change"] > 0 else "down" if row["change"] < 0 else "flat",
            row["change_text"],
            spark_text(row["spark"]),
        ]
        for row in rows
    ]
    _mount("watchlist")(
        key="watchlist", data={"rows": told, "selected": selected, "stale": stale}, on_pick_change=on_pick
    )


def spark_text(values: Sequence[float]) -> str:
    """Return a letter for each value: "0" for the least, SPARK_LEVELS - 1 letters further for the most; "" for one.

    >>> spark_text([1.0, 2.0, 1.5]), spark_text([3.0, 3.0]), spark_text([3.0])
    ('0[F', 'FF', '')
    """
    if len(values) < 2:
        return ""
    heights = np.asarray(values, dtype=np.float64)
    heights = heights / (np.abs(heights).max() or 1.0)  # the difference of the largest floats is none
    low, reach = heights.min(), np.ptp(heights)
    parts = (heights - low) / reach if reach else np.full(len(heights), 0.5)
    levels = np.rint(parts * (SPARK_LEVELS - 1)).astype(np.uint8) + ord("0")
    return bytes(levels).decode()


def picked() -> str | None:
    """Return the symbol that was clicked in the watchlist, inside its `on_pick`."""
    return getattr(st.session_state.get("watchlist"), "pick", None)


def _mount(name: str) -> ComponentRenderer:
    manager = get_bidi_component_manager()
    if manager.get_component_asset_root(f"{_MANIFEST.name}.{name}") is None:
        manager.register_from_manifest(_MANIFEST, Path(__file__).parent)
    return _renderer(name)


@cache
def _renderer(name: str) -> ComponentRenderer:
    return st.components.v2.component(
        f"{_MANIFEST.name}.{name}",
        html=f'<div class="tp-{name}"></div>',
        css="chart.css",
        js=f"{name}.js",
        isolate_styles=False,  # plotly.js writes its style sheet into the document's head
    )
