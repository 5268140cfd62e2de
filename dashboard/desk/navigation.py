"""Which pages there are: the market first, at the address it always had, then those of trading."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.connections import Connections
from dashboard.orders.page import orders
from dashboard.strategies.page import strategies
from dashboard.testing.page import testing

Draw = Callable[[Connections], None]


def run(connections: Connections, market: Draw) -> None:
    """Draw the page that the address names; `market` draws the first one."""
    pages: tuple[tuple[Draw, str, str, str, str], ...] = (
        (market, "Market", "candlestick_chart", "", "Chart, watchlist and signals, live."),
        (strategies, "Strategies", "smart_toy", "strategies", "What is to run, and what became of it."),
        (testing, "Testing", "science", "testing", "Backtests: given, followed, compared."),
        (orders, "Orders", "receipt_long", "orders", "Ticket, open orders, positions, P&L, kill switch."),
    )
    made = [  # without icons: Streamlit would fetch them as the page's own from another host
        st.Page(
            _drawn(draw, connections),
            title=title,
            url_path=path or None,
            default=not path,
            help=told,
        )
        for draw, title, icon, path, told in pages
    ]
    st.set_page_config(layout="wide", initial_sidebar_state="collapsed")  # before the links: else they jump
    page = st.navigation(made, position="hidden")
    with st.container(horizontal=True, gap="small", key="pages"):  # Streamlit's own hide behind a button on a phone
        for each, (_, title, icon, *_) in zip(made, pages, strict=True):
            st.page_link(each, label=f"**{title}**" if each.title == page.title else title, icon=f":material/{icon}:")
    page.run()


def _drawn(draw: Draw, connections: Connections) -> Callable[[], None]:
    def page() -> None:
        draw(connections)

    page.__name__ = draw.__name__
    return page
