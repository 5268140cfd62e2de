"""Limits of an account or of one of its strategies, drawn with Streamlit: what holds, and a form to change it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.desk import frame
from dashboard.desk.desk import Desk, tried
from dashboard.views import plain
from plant.control.books import Seen
from plant.control.limits import NAMES, LimitsInForce, check, of_account, of_strategy
from plant.runtime.trading import AccountSection, LimitsSection

COUNTS = ("max_open_orders", "max_orders_per_minute")
SWITCHES = ("market_hours", "long_only", "flatten_on_halt")
WIDTH = 170  # pixels of a field: two stand beside one another on a phone
_GIVEN = "limits_given"  # in the session's state: how often limits were changed here


def limits(desk: Desk, seen: Seen, account: AccountSection) -> None:
    """Draw them in an expander; what holds is told in its head."""
    whole = of_account(account, seen.limits)
    with st.expander(f"Limits of {account.name} · {line(whole.limits)}", icon=":material/shield:", key="limits"):
        own = desk.strategies_of(seen, account.name)
        strategy = ""
        if own:
            strategy = st.selectbox(
                "Limits of",
                ["", *own],
                format_func=lambda name: name or f"the whole account {account.name}",
                key=f"limits-of-{account.name}",
                width=300,
                help="An order keeps to those of its strategy and to those of its account.",
            )
        told = of_strategy(seen.strategies[strategy], seen.limits) if strategy else whole
        _form(desk, account, strategy, told)


def line(limits: dict[str, Any]) -> str:
    """Return the limits that bind, in a line.

    >>> line({"max_order_qty": 100.0, "max_drawdown": None, "long_only": True, "symbols": []})
    'max_order_qty 100, long_only'
    """
    return ", ".join(
        name if value is True else f"{name} {shown(value)}" for name, value in limits.items() if value not in _NONE
    )


def shown(value: Any) -> str:
    """Return the value of a limit for people.

    >>> shown(None), shown(False), shown(2500000.0), shown(["AAPL", "MSFT"])
    ('none', 'off', '2,500,000', 'AAPL MSFT')
    """
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " ".join(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


_NONE: tuple[Any, ...] = (None, False, [])


def _form(desk: Desk, account: AccountSection, strategy: str, told: LimitsInForce) -> None:
    """Draw the form of one target; it shows one version, and only over that it writes."""
    name, number = strategy or account.name, st.session_state.setdefault(_GIVEN, 0)
    whose = "strategy-limits" if strategy else "limits"  # it may be called like an account
    key = f"{whose}-{name}-{told.version}-{number}"
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        found = {each: _field(each, told.limits.get(each), f"{key}-{each}") for each in NAMES}
    changes = {each: value for each, value in found.items() if value != told.limits.get(each)}
    since = f"told at seq {told.version:,}" if told.version else "nothing was told over them"
    st.caption(plain(f"An empty field is no limit. {'The strategy' if strategy else 'plant.toml'} says them; {since}."))
    live = frame.is_live(account)
    _, wrong = tried(lambda: check({**told.limits, **changes}, live))
    if wrong:
        st.caption(f":orange[{plain(wrong)}]")
    elif changes:
        st.caption(plain("; ".join(f"{n}: {shown(told.limits.get(n))} → {shown(v)}" for n, v in changes.items())))
    typed = account.name
    if live:
        typed = st.text_input(
            f"Type {plain(account.name)} to change limits of REAL MONEY", key=f"{key}-account", autocomplete="off"
        ).strip()
    label = f"Change limits of {'REAL MONEY' if live else 'PAPER'} account {account.name}"
    label = f"{label}, strategy {strategy}" if strategy else label
    off = not changes or bool(wrong) or typed != account.name
    if (
        st.button(plain(label), icon=":material/shield:", key=f"{'danger' if live else 'go'}-limits", disabled=off)
        and not off
    ):
        st.session_state[_GIVEN] = number + 1
        frame.attempt(
            lambda: desk.limit(account, strategy, changes, told.version),
            lambda seq: f"Limits of {name} are told (seq {seq:,}): {line(changes) or 'fewer than before'}",
        )
        st.rerun()


def _field(name: str, value: Any, key: str) -> Any:
    """Draw one limit, and return what stands in it."""
    told: dict[str, Any] = {"key": key, "help": LimitsSection.model_fields[name].description, "width": WIDTH}
    if name in SWITCHES:
        return st.toggle(name, bool(value), **told)
    if name == "symbols":
        return st.text_input(name, " ".join(value or ()), placeholder="all", **told).replace(",", " ").split()
    whole = name in COUNTS
    if value is not None:  # one whose own value is a number could not be emptied
        st.session_state.setdefault(key, int(value) if whole else float(value))
    empty = "none" if name != "stale_s" else "60"
    if whole:
        return st.number_input(name, 1, value=None, step=1, placeholder=empty, **told)
    return st.number_input(name, 0.0, value=None, format="%g", placeholder=empty, **told)
