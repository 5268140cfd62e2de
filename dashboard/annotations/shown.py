"""Which annotations a session's chart shows: kinds, and whether what is over; the box in which that is chosen.

A session begins with what the page's address says (`annotations`), and with the usual if that says nothing.
"""

from __future__ import annotations

import streamlit as st

from dashboard.indicators.choice import SEPARATOR

KINDS = {
    "level": "Levels",
    "zone": "Zones",
    "line": "Lines",
    "flag": "Flags",
    "pivot": "Pivots",
    "marker": "Markers",
    "text": "Texts",
}
ENDED = "ended"  # in the address: broken and expired ones, too
_PILLS, _TOGGLE, _SHOWN = "annotation_kinds", "annotations_ended", "annotations_shown"  # in the session's state


def picker() -> None:
    """Draw a button that opens what kinds of annotations are shown."""
    names = current()
    with st.popover("Annotations", icon=":material/polyline:", help="Zones, levels, lines on the chart.", width=160):
        st.session_state[_PILLS] = [name for name in names if name in KINDS]
        st.pills(
            "On the chart",
            list(KINDS),
            selection_mode="multi",
            format_func=KINDS.__getitem__,
            key=_PILLS,
            on_change=_keep,
        )
        st.session_state[_TOGGLE] = ENDED in names
        st.toggle("Broken and expired ones, dimmed", key=_TOGGLE, on_change=_keep)
        st.caption(
            "Draw with the tools above the chart: a level, a zone, a line, a text. What is yours is pulled, and a "
            "double click writes on it."
        )


def current() -> list[str]:
    """Return the kinds that are shown, and ENDED if what is over is."""
    state = st.session_state
    if _SHOWN not in state:
        told = st.query_params.get("annotations")
        names = list(KINDS) if told is None else told.split(SEPARATOR)
        state[_SHOWN] = [name for name in (*KINDS, ENDED) if name in names]
    return list(state[_SHOWN])


def address() -> str | None:
    """Return what is shown as the page's address says it, None for the usual: all kinds, nothing that is over."""
    names = current()
    return None if names == list(KINDS) else SEPARATOR.join(names)


def _keep() -> None:
    state = st.session_state
    there = {*state[_PILLS], *([ENDED] if state[_TOGGLE] else [])}
    state[_SHOWN] = [name for name in (*KINDS, ENDED) if name in there]
