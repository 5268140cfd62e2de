"""The tables that belong to candles: what a venue takes back or corrects, and which bars are closed."""

import numpy as np

from plant.rows.schema import Check, table_from, unknown_or_not_negative

CANDLE_TABLES = (
    table_from(
        "trade_corrections",
        """
    source     symbol  feed that sent it
    trade_id   text    the venue's own id of the trade it is about, whose time stands in time; empty if it has none
    venue_seq  int     the venue's sequence number of that trade; 0: none
    action     symbol  cancel: it never happened; correct: it was at this price, of this size
    price      float   correct: the price, quote currency
    size       float   correct: units
    conditions text    correct: its sale conditions, as those of trades
    """,
        (),
        (
            Check("action must be cancel or correct", lambda c: (c["action"] == "cancel") | (c["action"] == "correct")),
            Check(
                "price must be a positive finite number, or of a cancel not known (NaN)",
                lambda c: ((c["price"] > 0) & (c["price"] < np.inf)) | (c["action"] == "cancel"),
            ),
            unknown_or_not_negative("size"),
        ),
    ),
    table_from(
        "bar_closes",
        """
    market_time time   the bar's start; time is when it was decided that the bar is closed
    interval   symbol  length of the bar, e.g. 1m
    open       float   first price as it was then, quote currency
    high       float   highest price
    low        float   lowest price
    close      float   last price
    volume     float   units traded in the interval
    bar_seq    int     journal sequence number of the row of bars that it was decided of
    by_clock   int     1: its end and the grace had passed; 0: a later bar of its series had come
    """,
        (),
        (Check("interval must not be empty", lambda c: c["interval"] != ""),),
    ),
)
"""Their rows are events, none is revised. A correction changes no row of `trades`, only the bars made of them."""

BUILT = "built:"
"""What the source of a bar begins with that was made of the trades or smaller bars of the feed named behind it."""
