"""Runs of one paper account that are filled on the same rows: each takes a row after the older ones have."""
