"""Feeds: one module per venue, each of which turns what the venue sends into batches of rows.

`feed.py` holds the protocol that they all follow; `simulated.py`, `recorded.py` and `finazon.py` are the feeds.
A feed knows its venue and nothing of the plant; the process around it publishes what the feed returns.
"""
