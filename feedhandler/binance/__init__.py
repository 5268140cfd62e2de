"""Binance spot and its sister venues: what is said on a connection, frames and answers as rows, the past."""
