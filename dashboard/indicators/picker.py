"""The picker: any indicator that is declared or in the catalogue, with its parameters, drawn with Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.indicators import shown
from dashboard.indicators.choice import choice_of, declared_choices, kind_label, picked
from plant.errors import SettingsError
from plant.indicators.bars import CHOSEN
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS, Declaration
from plant.indicators.kinds import Kind, Parameter

LARGEST = 2**53 - 1  # whole numbers that the browser knows exactly
_ON_CHART, _ANEW = "on_chart", "shown_anew"  # in the session's state


def picker(declarations: Sequence[Declaration]) -> None:
    """Draw a button that opens what may be added to the chart, and what was."""
    with st.popover("Indicators", icon=":material/show_chart:", help="Add an indicator to the chart.", width=150):
        st.fragment(_picker)(declarations)


def _picker(declarations: Sequence[Declaration]) -> None:
    if st.session_state.pop(_ANEW, False):
        st.rerun()  # the whole page: what was chosen shows at once, not with the next refresh
    known = declared_choices(declarations)
    there = shown.picks()
    full = len(there) >= shown.MOST_PICKED
    if there:
        labels = {text: choice_of(text, known).label for text in there}
        st.session_state[_ON_CHART] = there
        st.multiselect("On the chart", there, format_func=labels.__getitem__, key=_ON_CHART, on_change=_keep)
    own = [name for name, choice in known.items() if choice.declaration not in DEFAULTS and name not in there]
    if own:
        name = st.selectbox("Declared in plant.toml", own, index=None, placeholder="choose", key="pick_declared")
        st.button("Show it", disabled=name is None or full, key="show_declared", on_click=_show, args=(name,))
    kind = st.selectbox(
        "From the catalogue",
        list(CATALOGUE),
        index=None,
        format_func=lambda name: f"{kind_label(name)} · {CATALOGUE[name].title}",
        placeholder=f"{len(CATALOGUE)} indicators",
        key="pick_kind",
    )
    if kind is None:
        return
    entry = CATALOGUE[kind]
    settings = _settings(entry)
    try:
        choice = picked(kind, settings)
    except SettingsError as error:
        st.error(str(error))
        return
    where = "over the candles" if entry.pane == "price" else "below the candles"
    st.caption(f"{entry.category}, drawn {where}; {entry.source}")
    st.button(
        f"Add {choice.label}",
        type="primary",
        disabled=choice.text in there or full,
        help=f"The chart has {len(there)} already, which is the most there can be." if full else None,
        key="add_indicator",
        on_click=_show,
        args=(choice.text,),
    )


def _show(text: str) -> None:
    shown.add(text)
    st.session_state[_ANEW] = True


def _keep() -> None:
    shown.keep(st.session_state[_ON_CHART])
    st.session_state[_ANEW] = True


def _settings(kind: Kind) -> dict[str, Any]:
    """Draw a widget for each parameter and each input that may be another, and return what they say."""
    told: dict[str, Any] = {}
    widgets: list[Parameter | str] = [*kind.parameters, *(key for key, _ in kind.inputs if key)]
    defaults = {key: column for key, column in kind.inputs if key}
    for start in range(0, len(widgets), 2):
        for place, widget in zip(st.columns(2), widgets[start : start + 2], strict=False):
            with place:
                if isinstance(widget, str):
                    default = defaults[widget]
                    first = CHOSEN.index(default) if default in CHOSEN else CHOSEN.index("close")
                    told[widget] = st.selectbox(widget, CHOSEN, index=first, key=f"of_{kind.name}_{widget}")
                else:
                    told[widget.name] = _parameter(kind, widget)
    return told


def _parameter(kind: Kind, one: Parameter) -> Any:
    label, key = one.name.replace("_", " "), f"of_{kind.name}_{one.name}"
    told = f"{one.meaning}{f',{one.range}' if one.range else ''}"
    if one.type is bool:
        return st.toggle(label, value=bool(one.default), help=told, key=key)
    if one.type is int:
        bounds = (-LARGEST if one.least is None else int(one.least), LARGEST if one.most is None else int(one.most))
        return st.number_input(label, *bounds, int(one.default), 1, help=told, key=key)
    least, most = (None if bound is None else float(bound) for bound in (one.least, one.most))
    return st.number_input(label, least, most, float(one.default), 0.1, format="%.6g", help=told, key=key)
