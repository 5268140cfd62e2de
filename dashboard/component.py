"""The two components of the page that Streamlit lacks: a chart that keeps its zoom while live, and the watchlist.

Both are Streamlit custom components v2 whose files lie in `chart/`, plotly.js among them. Streamlit finds such folders
by a manifest inside installed packages; it cannot see the one of an editable install whose distribution is not named as
one of its packages. So the manifest is handed to it here, as Streamlit's own scan would do, whichever way the dashboard
was started.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest
from streamlit.components.v2.types import ComponentRenderer

from dashboard.bars import PLAIN_DIGITS, price_digits
from dashboard.panes import IN_VIEW, MOST_IN_VIEW, RIGHT_MARGIN

ASSETS = "chart"
_MANIFEST = ComponentManifest(
    name="tickplant",
    version="1",
    components=[ComponentConfig(name="chart", asset_dir=ASSETS), ComponentConfig(name="watchlist", asset_dir=ASSETS)],
)


def live_chart(
    figure: dict[str, Any],
    bars: pd.DataFrame,
    *,
    symbol: str,
    interval: str,
    notes: Sequence[tuple[str, str]] = (),
    stale: bool = False,
) -> None:
    """Show a figure from `dashboard.charts.figure` of these `bars`, patched in place: zoom, pan and legend are kept.

    The chart writes `symbol`, `interval` and what part is in view into the page's address, and takes the view from
    there at first: so a reload, a link, or a dashboard that was started again, shows the same.

    `notes` are (level, text) with level "warning" or "error", shown above the chart; `stale` greys it.
    """
    _mount("chart")(
        key="live_chart",
        data={
            "key": figure["layout"]["uirevision"],
            "revision": hashlib.blake2b(json.dumps(figure).encode(), digest_size=8).hexdigest(),
            "figure": figure,
            "times": (bars["time_ns"] // 1_000_000).tolist(),
            "local": (pd.DatetimeIndex(bars["local"]).as_unit("ms").asi8).tolist(),
            "address": {"symbol": symbol, "interval": interval},
            "plain_digits": PLAIN_DIGITS,
            "digits": price_digits(bars["close"].to_numpy()),
            "limits": {"in_view": IN_VIEW, "most_in_view": MOST_IN_VIEW, "margin": RIGHT_MARGIN},
            "notes": [{"level": level, "text": text} for level, text in notes],
            "stale": stale,
        },
    )


def watchlist(rows: list[dict[str, Any]], selected: str, *, on_pick: Callable[[], None], stale: bool = False) -> None:
    """Show the rows of `dashboard.watchlist.watch_rows`; a click calls `on_pick`, and `picked()` tells the symbol."""
    _mount("watchlist")(
        key="watchlist", data={"rows": rows, "selected": selected, "stale": stale}, on_pick_change=on_pick
    )


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
