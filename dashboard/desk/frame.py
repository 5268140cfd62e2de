"""What stands on every page of trading: its title, the trader's state, what the last click did, and badges."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from dashboard.connections import Connections
from dashboard.desk.desk import Desk, tried
from dashboard.freshness import age_text
from dashboard.views import plain
from plant.control.books import Seen
from plant.runtime.trading import AccountSection

Color = Literal["green", "orange", "red", "gray", "blue", "violet"]

STATES: dict[str, Color] = {
    "running": "green",
    "paused": "orange",
    "completed": "gray",
    "stopped": "gray",
    "cancelled": "gray",
    "failed": "red",
    "draft": "gray",
}
_TOLD = "told_by_desk"  # in the session's state: (level, sentence) that the last click left
_SINCE = "told_since"  # likewise: since when that is drawn, s of the monotonic clock; absent: it is not yet
SAID_S = 4.0  # a run that ends just then draws the page again: what was said is not gone with it
_WHOLE = "whole_page"  # likewise: that a click within a fragment is about the whole page

AGAIN_S = 3.0  # so often is the trader asked again that did not answer

STYLE = """<style>
[class*="st-key-real-money"] { border-left: 4px solid var(--st-red-color, #ef5350) !important; }
[class*="st-key-paper-money"] { border-left: 4px solid var(--st-primary-color, #4f8ff7) !important; }
[class*="st-key-send-real"] button:not(:disabled), [class*="st-key-danger"] button:not(:disabled) {
  background: #c62828 !important; border-color: #c62828 !important; color: #fff !important; }
.stMain [data-stale="true"] { opacity: 1 !important; }
[data-testid="stMetricValue"] { font-size: 19px; line-height: 1.3; }
</style>"""
"""Real money is red, paper is the page's own blue, in light and dark. What is redrawn every second does not flicker."""


def begin(connections: Connections, title: str, icon: str) -> Desk | None:
    """Draw the head of a page of trading. Return the desk, None (and say so) where there is none."""
    st.set_page_config(page_title=f"{title} · tickplant", page_icon="📈", layout="wide")
    st.html(STYLE)
    st.session_state.pop(_WHOLE, None)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        where = plain(connections.plant)
        st.markdown(f"### :primary[:material/{icon}:] {title} &nbsp; :gray[:small[{where}]]", width="stretch")
    desk = connections.desk
    if desk is None:
        st.info("This page needs a plant: start it with `plant up`, and open the dashboard that it starts.")
    return desk


def trader_away(desk: Desk) -> str:
    """Draw what to do where the trader does not answer, until it does; return why, "" if it does."""
    _, error = tried(desk.classes)
    place = st.container(key="trader-away")  # also while it is there: see `said`
    if error:
        place.warning(
            f"**The trader is not answering**: {plain(error)}. Nothing is traded and no backtest begins until it is "
            "there. `plant status` tells why; `supervisorctl start trading` starts it.",
            icon=":material/power_off:",
        )
        with place:
            st.fragment(_until_it_answers, run_every=AGAIN_S)(desk, time.monotonic())
    return error


def _until_it_answers(desk: Desk, since: float) -> None:
    """Draw the whole page once the trader answers again; `since` when it did not, s of the monotonic clock."""
    if time.monotonic() - since > AGAIN_S / 2 and not tried(desk.classes)[1]:
        st.rerun()


def books_stale(seen: Seen) -> None:
    """Draw that what is shown is older than it should be, if it is."""
    if seen.error is not None:
        when = "never answered" if seen.at is None else f"as of {age_text(time.time() - seen.at)} ago"
        st.error(f"**Stale**, {when}: {plain(str(seen.error))}", icon=":material/history:")


def say(level: Literal["success", "error", "info"], sentence: str) -> None:
    """Leave a sentence for the next run of the page to show, and for those that follow at once."""
    st.session_state[_TOLD] = (level, sentence)
    st.session_state.pop(_SINCE, None)


def said() -> None:
    """Draw what the last click left to say: at first, and when the page is drawn again within SAID_S.

    It has a place of its own, also while there is nothing to say: what follows keeps its place then. Streamlit knows a
    fragment by that, and takes no click in one that has moved since the browser drew it.
    """
    since = st.session_state.setdefault(_SINCE, time.monotonic())
    place = st.container(key="said")
    if told := st.session_state.get(_TOLD):
        if time.monotonic() - since > SAID_S:
            st.session_state.pop(_TOLD)
            return
        level, sentence = told
        {"success": place.success, "error": place.error, "info": place.info}[level](plain(sentence))


def draw_whole() -> None:
    """Ask for the whole page to be drawn, from a callback of a widget that lies in a fragment."""
    st.session_state[_WHOLE] = True


def begin_fragment() -> None:
    """Have the whole page drawn instead, if the click that drew this fragment is about more than the fragment."""
    unsaid = _TOLD in st.session_state and _SINCE not in st.session_state
    if unsaid or _WHOLE in st.session_state:
        st.rerun()


def attempt(what: Callable[[], Any], done: str | Callable[[Any], str]) -> Any:
    """Do something that a click asks for, and leave to say what came of it; return it, None if it failed."""
    found, error = tried(what)
    if error:
        say("error", error)
        return None
    say("success", done if isinstance(done, str) else done(found))
    return found


def badge(label: str, color: Color, icon: str = "") -> str:
    """Return a badge as Markdown."""
    return f":{color}-badge[{icon + ' ' if icon else ''}{plain(label)}]"


def state_badge(state: str) -> str:
    """Return the badge of a run's or strategy's state."""
    return badge(state, STATES.get(state, "gray"))


def money_badge(live: bool) -> str:
    """Return the badge that tells paper from real money: by colour, sign and word."""
    return badge("REAL MONEY", "red", ":material/warning:") if live else badge("PAPER", "blue", ":material/science:")


def is_live(account: AccountSection) -> bool:
    """Return whether orders of an account are of real money."""
    return account.mode == "live"
