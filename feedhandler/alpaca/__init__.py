"""Alpaca: what is said on a connection, frames and answers as rows, the past."""
