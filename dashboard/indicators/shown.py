"""What a session's chart shows: layers that can be switched off, and indicators that were picked. Streamlit's state.

A session begins with what the page's address says (`show`), and with the usual if that says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.indicators.choice import (
    SEPARATOR,
    SIGNALS,
    VOLUME,
    Choice,
    address_of,
    choice_of,
    declared_choices,
)
from plant.errors import SettingsError
from plant.indicators.declarations import DEFAULTS, Declaration

OFF_AT_FIRST = ("ema_20",)
MOST_PICKED = 12  # indicators beside the usual ones: more make a page that nobody can read
_PICKED, LAYERS, _SHOWN = "picked", "layers", "shown"  # in the session's state


def begin(declarations: Sequence[Declaration]) -> list[str]:
    """Take what the address shows, if the session is a new one; return what of it there is not."""
    state = st.session_state
    if _PICKED in state:
        return []
    known, usual = declared_choices(declarations), _usual(declarations)
    state[_PICKED], wrong = [], []
    told = st.query_params.get("show")
    texts = usual if told is None else [text for text in told.split(SEPARATOR) if text]
    shown = []
    for text in texts if told is not None else [text for text in usual if text not in OFF_AT_FIRST]:
        if text in usual:
            shown.append(text)
            continue
        try:
            choice = choice_of(text, known)
        except SettingsError as error:
            wrong.append(f"The page's address has an indicator that cannot be shown: {error}")
            continue
        if choice.text not in state[_PICKED] and len(state[_PICKED]) < MOST_PICKED:
            state[_PICKED].append(choice.text)
            shown.append(choice.text)
    state[_SHOWN] = shown
    return wrong


def layers(declarations: Sequence[Declaration]) -> dict[str, str]:
    """Return text -> label of what can be switched on and off: the usual, what was picked, the signals."""
    labels = {VOLUME: "Volume", SIGNALS: "Signals"}
    chosen = {choice.text: choice.label for choice in choices(declarations)}
    order = [*_usual(declarations)[:-1], *st.session_state[_PICKED], SIGNALS]
    return {text: labels.get(text) or chosen[text] for text in order}


def choices(declarations: Sequence[Declaration]) -> list[Choice]:
    """Return the indicators among the layers, in their order; what is picked before anything may be shown is there."""
    known = declared_choices(declarations)
    usual = [known[text] for text in _usual(declarations) if text in known]
    return usual + [choice_of(text, known) for text in st.session_state[_PICKED]]


def offer(declarations: Sequence[Declaration]) -> dict[str, str]:
    """Return the layers, and put into the state of the widget LAYERS which of them are shown."""
    found = layers(declarations)
    st.session_state[_SHOWN] = st.session_state[LAYERS] = current(declarations)  # the widget's is lost without a chart
    return found


def current(declarations: Sequence[Declaration]) -> list[str]:
    """Return the layers that are shown, in their order."""
    state = st.session_state
    there = state.get(LAYERS, state[_SHOWN])
    return [text for text in layers(declarations) if text in there]


def address(declarations: Sequence[Declaration]) -> str | None:
    """Return what is shown as the page's address says it, None for the usual."""
    usual = _usual(declarations)
    at_first = [text for text in layers(declarations) if text in usual and text not in OFF_AT_FIRST]
    return address_of(current(declarations), at_first)


def picks() -> list[str]:
    """Return the texts of what was picked, in its order."""
    return list(st.session_state[_PICKED])


def add(text: str) -> None:
    """Pick an indicator, and show it."""
    state = st.session_state
    if text not in state[_PICKED]:
        state[_PICKED] = [*state[_PICKED], text]
    state[_SHOWN] = [*state.get(LAYERS, state[_SHOWN]), text]
    state.pop(LAYERS, None)


def keep(texts: Sequence[str]) -> None:
    """Take away what was picked, all but these."""
    state = st.session_state
    state[_PICKED] = [text for text in state[_PICKED] if text in texts]


def _usual(declarations: Sequence[Declaration]) -> list[str]:
    return [VOLUME, *(one.name for one in declarations if one in DEFAULTS), SIGNALS]
