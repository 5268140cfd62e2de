"""Polygon, which is called Massive now: the feed, its settings, its messages, its history."""
