"""Binance spot and its sister venues: the feed, its settings, its messages, its history."""
